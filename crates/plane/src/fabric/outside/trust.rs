//! Whom a TLS connection to the outside believes: the platform's roots and the configured ones; and what a failed handshake
//! means. Nothing is dialled here, and no certificate is accepted without being verified.
//!
//! The provider of cryptography is passed explicitly: no other one in the tree can take its place.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, Error, InvalidMessage, RootCertStore};
use thiserror::Error;
use topology::reason::Reason;
use topology::snapshot::rest::ClientIdentity;

/// The only protocol that is spoken within TLS to the outside.
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// A certificate authority that is believed besides the platform's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraRoot(CertificateDer<'static>);

/// Why a file of roots cannot be used.
#[derive(Debug, Error)]
pub enum RootsError {
    /// It is not in PEM form.
    #[error("is not in PEM form: {0}")]
    Pem(pem::Error),
    /// It holds no certificate.
    #[error("holds no certificate")]
    Empty,
    /// One of its certificates cannot be a root.
    #[error("certificate {number} cannot be a root: {source}")]
    Unfit {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        source: rustls::Error,
    },
}

impl ExtraRoot {
    /// The certificates of a PEM file, each checked to be fit for a root.
    ///
    /// # Errors
    /// See [`RootsError`].
    pub fn read_pem(text: &[u8]) -> Result<Vec<Self>, RootsError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
        let found = found.map_err(RootsError::Pem)?;
        for (at, certificate) in found.iter().enumerate() {
            let fit = RootCertStore::empty().add(certificate.clone());
            fit.map_err(|source| RootsError::Unfit { number: at + 1, source })?;
        }
        if found.is_empty() { Err(RootsError::Empty) } else { Ok(found.into_iter().map(Self).collect()) }
    }
}

/// The platform's roots with the configured ones. It reads files: call it where that may block.
pub(crate) fn roots(extra: &[ExtraRoot]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    let platform = rustls_native_certs::load_native_certs();
    for error in &platform.errors {
        tracing::warn!(%error, "a root certificate of the platform cannot be read");
    }
    let (taken, left) = store.add_parsable_certificates(platform.certs);
    tracing::debug!(taken, left, extra = extra.len(), "roots of trust are read");
    store.add_parsable_certificates(extra.iter().map(|root| root.0.clone()));
    store
}

/// How TLS is spoken to the outside: versions 1.2 and 1.3, `http/1.1`, no client certificate.
///
/// # Errors
/// When the provider lacks what those versions need, which is a defect of the build.
pub(crate) fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
    Ok(Arc::new(config))
}

/// The same, with a certificate for whoever asks for one. No session is resumed: it would be that of whoever showed another, or none.
///
/// # Errors
/// When certificate and key cannot be used.
pub(crate) fn showing(config: &ClientConfig, identity: &ClientIdentity) -> Result<Arc<ClientConfig>, TlsFault> {
    let broken = |what: String| TlsFault::Handshake(format!("the client certificate cannot be used: {what}"));
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect();
    let certificates = certificates.map_err(|error| broken(error.to_string()))?;
    let key =
        PrivateKeyDer::from_pem_slice(identity.key.0.as_bytes()).map_err(|_| broken("the key is no PEM".into()))?;
    let certified = CertifiedKey::from_der(certificates, key, config.crypto_provider());
    let certified = certified.map_err(|error| broken(error.to_string()))?;
    let mut config = config.clone();
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum TlsFault {
    /// The certificate is for other names.
    #[error("the certificate is not for {asked}; it is for {}", names(offered))]
    Name {
        /// The name that was asked for.
        asked: String,
        /// The names that the certificate has.
        offered: Vec<String>,
    },
    /// No root that is believed stands behind the certificate.
    #[error("no trusted root stands behind the certificate ({0})")]
    Untrusted(String),
    /// The certificate's time is over, or has not come.
    #[error("the certificate is out of its time ({0})")]
    Expired(String),
    /// The other end does not speak TLS.
    #[error("the other end does not speak TLS")]
    Plain,
    /// Anything else.
    #[error("the handshake failed ({0})")]
    Handshake(String),
}

fn names(offered: &[String]) -> String {
    if offered.is_empty() { "no name".to_owned() } else { offered.join(", ") }
}

impl TlsFault {
    /// Its reason code.
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::Name { .. } => Reason::TlsNameMismatch,
            Self::Untrusted(_) => Reason::TlsUntrusted,
            Self::Expired(_) => Reason::TlsExpired,
            Self::Plain => Reason::TlsExpectedGotPlain,
            Self::Handshake(_) => Reason::TlsHandshakeFailed,
        }
    }

    /// What an error of a handshake means, when `asked` was asked for.
    pub(crate) fn of(error: &std::io::Error, asked: &str) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(fault)) => Self::of_certificate(fault, asked),
            Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Self::Plain,
            Some(other) => Self::Handshake(other.to_string()),
            None => Self::Handshake(error.to_string()),
        }
    }

    fn of_certificate(fault: &CertificateError, asked: &str) -> Self {
        match fault {
            CertificateError::NotValidForName => Self::Name { asked: asked.to_owned(), offered: Vec::new() },
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::Name { asked: asked.to_owned(), offered: presented.iter().map(|name| plain_name(name)).collect() }
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::Expired(fault.to_string()),
            CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Revoked => {
                Self::Untrusted(fault.to_string())
            }
            other => Self::Handshake(other.to_string()),
        }
    }
}

/// The library words a name as `DnsName("a.example")`; an operator wants the name.
fn plain_name(presented: &str) -> String {
    presented.split('"').nth(1).unwrap_or(presented).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_file_of_roots_is_read_whole_or_refused() {
        let two = format!("# ours\n{}{}", root(), root());
        assert_eq!(ExtraRoot::read_pem(two.as_bytes()).unwrap().len(), 2);
        assert!(matches!(ExtraRoot::read_pem(b"nothing"), Err(RootsError::Empty)));
        let torn = two.replace("-----END CERTIFICATE-----\n", "");
        assert!(matches!(ExtraRoot::read_pem(torn.as_bytes()), Err(RootsError::Pem(_))));
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(ExtraRoot::read_pem(nonsense.as_bytes()), Err(RootsError::Unfit { number: 1, .. })));
    }

    #[test]
    fn faults_are_told_apart() {
        let of = |error: Error| TlsFault::of(&std::io::Error::other(error), "a.example");
        let certificate = |fault| of(Error::InvalidCertificate(fault));
        assert!(matches!(certificate(CertificateError::UnknownIssuer), TlsFault::Untrusted(_)));
        assert!(matches!(certificate(CertificateError::Expired), TlsFault::Expired(_)));
        assert!(matches!(certificate(CertificateError::NotValidYet), TlsFault::Expired(_)));
        assert!(matches!(certificate(CertificateError::NotValidForName), TlsFault::Name { .. }));
        assert!(matches!(certificate(CertificateError::BadEncoding), TlsFault::Handshake(_)));
        assert_eq!(of(Error::InvalidMessage(InvalidMessage::InvalidContentType)), TlsFault::Plain);
        assert!(matches!(TlsFault::of(&std::io::ErrorKind::UnexpectedEof.into(), "a"), TlsFault::Handshake(_)));
        assert_eq!(plain_name("DnsName(\"b.example\")"), "b.example");
    }
}
