//! Client certificates of API Gateway: what a stage of a REST API shows to backends that ask for one (REST API developer guide, "Generate
//! and configure an SSL certificate for backend authentication in API Gateway", 2026-11).

use serde::{Deserialize, Serialize};

use super::Tags;
use super::certificate::PrivateKeyPem;
use crate::id::ClientCertificateId;
use crate::time::Moment;

/// A client certificate: signed by itself, so that a backend knows it by itself. Certificate and key never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// Its id.
    pub id: ClientCertificateId,
    /// Its description.
    pub description: Option<String>,
    /// The certificate in PEM.
    pub certificate: String,
    /// Its key.
    pub key: PrivateKeyPem,
    /// When it was made.
    pub created: Moment,
    /// Valid until.
    pub expires: Moment,
    /// Its tags.
    pub tags: Tags,
}
