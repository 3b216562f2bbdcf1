//! ACM certificates: what they say about themselves, the PEM that listeners present, and how those that were requested were validated.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Tags;
use super::domain::stands_for;
use crate::id::CertificateId;
use crate::time::Moment;

/// A private key in PEM. Its `Debug` is fixed text, so that it never reaches a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrivateKeyPem(pub String);

impl fmt::Debug for PrivateKeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKeyPem(withheld)")
    }
}

/// A certificate, known by the last part of its ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its id.
    pub id: CertificateId,
    /// The certificate in PEM.
    pub body: String,
    /// The chain in PEM.
    pub chain: Option<String>,
    /// The private key.
    pub key: PrivateKeyPem,
    /// The subject's common name, or the first alternative name.
    pub domain_name: String,
    /// The alternative names.
    pub alternative_names: Vec<String>,
    /// The serial number, `aa:bb:…`.
    pub serial: String,
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// For example `RSA_2048`.
    pub key_algorithm: String,
    /// For example `SHA256WITHRSA`.
    pub signature_algorithm: String,
    /// Valid from.
    pub not_before: Moment,
    /// Valid until.
    pub not_after: Moment,
    /// When it was first imported.
    pub created: Moment,
    /// When it was last imported.
    pub imported: Moment,
    /// Its tags.
    pub tags: Tags,
    /// What was asked for of one that was requested; `None` for one that was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
}

/// What was asked for of a certificate that was requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// How its names are validated.
    pub validation: Validation,
    /// When it is issued; until then it is pending, and nothing can present it. For one that is asked of an authority by ACME, when that
    /// last issued it, and before it has, when it was asked.
    pub issued: Moment,
    /// Requests with the same token within an hour are one.
    pub idempotency_token: Option<String>,
    /// Whether it is to stand in transparency logs.
    pub transparency: Transparency,
    /// How far the authority is that is asked by ACME; `None` for a certificate of the development authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// How far an authority is that is asked by ACME (RFC 8555). Until it has issued the first certificate, a placeholder with a key of its own
/// stands for it, which nothing presents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What became of the first certificate.
    pub standing: Standing,
    /// What became of the last renewal, once one was tried.
    pub renewal: Option<Renewal>,
}

/// What became of the first certificate that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// The authority is asked.
    Pending,
    /// It has issued one.
    Issued,
    /// It refused for good.
    Failed(FailureReason),
    /// The names could not be validated in time.
    TimedOut,
}

/// Why a certificate is refused, in ACM's words (ACM API reference, CertificateDetail, 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureReason {
    /// A name's CAA records allow another authority.
    Caa,
    /// The authority issues nothing for a name.
    DomainNotAllowed,
    /// A name is none of the public domain name system, or none that can be proven here.
    InvalidPublicDomain,
    /// Another reason, which the log tells.
    Other,
}

impl FailureReason {
    /// ACM's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caa => "CAA_ERROR",
            Self::DomainNotAllowed => "DOMAIN_NOT_ALLOWED",
            Self::InvalidPublicDomain => "INVALID_PUBLIC_DOMAIN",
            Self::Other => "OTHER",
        }
    }
}

/// What became of the last renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// How it went.
    pub outcome: RenewalOutcome,
    /// When that changed.
    pub updated: Moment,
}

/// How a renewal went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RenewalOutcome {
    /// It is tried again and again; what is presented is the certificate before.
    Pending,
    /// A newer certificate is presented.
    Success,
    /// The authority refused. It is asked again all the same, and what is presented is the certificate before.
    Failed(FailureReason),
}

/// How the names of a requested certificate are validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Validation {
    /// By a record that only the owner of a domain can make.
    Dns,
    /// By messages to the domains of these names; to the name itself where none is given.
    Email(BTreeMap<String, String>),
}

/// Whether a certificate is to stand in transparency logs. No log takes those of an authority that nobody knows: a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transparency {
    /// It is.
    Enabled,
    /// It is not.
    Disabled,
}

impl Certificate {
    /// The names it is for: its alternative names, or the common name where it has none.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let common = self.alternative_names.is_empty().then_some(&self.domain_name);
        self.alternative_names.iter().chain(common).map(String::as_str)
    }

    /// Whether it can be presented: imported, or issued by now.
    #[must_use]
    pub fn is_issued(&self, now: Moment) -> bool {
        self.request.as_ref().is_none_or(|request| match &request.order {
            Some(order) => order.standing == Standing::Issued,
            None => request.issued <= now,
        })
    }

    /// Whether it is for a custom domain name, which may be a wildcard.
    #[must_use]
    pub fn covers(&self, domain: &str) -> bool {
        self.is_for(domain) || self.names().any(|own| own.eq_ignore_ascii_case(domain))
    }

    /// Whether its key is one of elliptic curves.
    #[must_use]
    pub fn is_by_curves(&self) -> bool {
        self.key_algorithm.starts_with("EC")
    }

    /// Bits of its key, as far as the algorithm's name tells them.
    #[must_use]
    pub fn key_bits(&self) -> u32 {
        let digits: String =
            self.key_algorithm.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    }

    /// Whether it is for this name.
    #[must_use]
    pub fn is_for(&self, name: &str) -> bool {
        self.names().any(|own| stands_for(own, name))
    }
}
