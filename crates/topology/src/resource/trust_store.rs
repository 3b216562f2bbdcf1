//! Trust stores of application load balancers, and what HTTPS listeners ask of clients' certificates (ALB user guide, "Mutual
//! authentication with TLS", 2026-11). Nothing here reads a certificate.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::TrustStoreId;

/// A trust store, with what the object held when it was set: a restart reads no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustStore {
    /// Its id.
    pub id: TrustStoreId,
    /// Its name, unique in the realm.
    pub name: String,
    /// The certificates of authorities in PEM.
    pub bundle: Arc<str>,
    /// How many they are: 1–25.
    pub certificates: u32,
    /// The id of the revocation list that was added last, 0 before the first: none is given twice.
    #[serde(default)]
    pub last_revocation: u64,
    /// Its tags.
    pub tags: Tags,
}

/// The key of a revocation list: its trust store, and its id there (`RevocationId`), from 1.
pub type RevocationKey = (TrustStoreId, u64);

/// A revocation list of a trust store, with what the object held when it was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The file: one list in PEM, or several.
    pub lists: Arc<str>,
    /// How many entries they have (`NumberOfRevokedEntries`).
    pub entries: u32,
}

/// What a listener asks of clients' certificates (ELBv2 API reference, MutualAuthenticationAttributes, 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum MutualAuthentication {
    /// `off`: no client is asked for one.
    #[default]
    Off,
    /// `passthrough`: clients are asked, and targets told what they show.
    Passthrough,
    /// `verify`: clients must show one that leads to the trust store.
    Verify(Verify),
}

/// How clients' certificates are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// `TrustStoreArn`, of the listener's realm.
    pub trust_store: TrustStoreId,
    /// `IgnoreClientCertificateExpiry`
    pub ignores_expiry: bool,
    /// `AdvertiseTrustStoreCaNames`: whether the handshake tells clients whom they must lead to.
    pub advertises_names: bool,
}

impl MutualAuthentication {
    /// `Mode`
    #[must_use]
    pub const fn mode(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Passthrough => "passthrough",
            Self::Verify(_) => "verify",
        }
    }

    /// How clients' certificates are verified, if they are.
    #[must_use]
    pub const fn verify(&self) -> Option<&Verify> {
        match self {
            Self::Verify(verify) => Some(verify),
            Self::Off | Self::Passthrough => None,
        }
    }

    /// Whether no client is asked.
    #[must_use]
    pub const fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }
}
