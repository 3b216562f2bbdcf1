//! What the handshakes of a listener ask of clients' certificates, and what its targets are told of one (ALB user guide, "Mutual
//! authentication with TLS in Application Load Balancer", 2026-11). Here the handshake itself is the judge: a client whose certificate
//! does not lead to the trust store has no connection.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use http::HeaderValue;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use topology::snapshot::balancer::MutualTls;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::time::ASN1Time;

use super::client::{PossessionOnly, TrustStore, distinguished, pem};
use crate::http::percent;
use crate::limits::CLIENT_CHAIN_CERTIFICATES_MAX;

/// What targets may be told of a client's certificate: each has a header, whose name the listener's attributes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The chain, as the client showed it.
    Chain,
    /// Who signed it.
    Issuer,
    /// The certificate.
    Leaf,
    /// Its serial number.
    SerialNumber,
    /// Whose it is.
    Subject,
    /// From when to when it is valid.
    Validity,
}

/// What was asked of a client in its handshake, and what targets are told of it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What was asked.
    pub(crate) mutual: MutualTls,
    /// What targets are told, in no header yet.
    pub(crate) told: Vec<(Part, HeaderValue)>,
    /// What the client's certificate says.
    pub(crate) leaf: Option<LeafFacts>,
}

/// What a client's certificate says of itself, as logs write it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeafFacts {
    /// Whose it is.
    pub(crate) subject: String,
    /// `NotBefore=...;NotAfter=...`
    pub(crate) validity: String,
    /// Its serial number, in hexadecimal digits.
    pub(crate) serial: String,
}

impl LeafFacts {
    /// `None` for what is no certificate.
    fn of(der: &[u8]) -> Option<Self> {
        let (_, read) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            subject: in_ascii(&distinguished(read.subject())),
            validity: validity(&read),
            serial: serial(read.raw_serial()),
        })
    }
}

/// A client's certificate that a handshake did not take.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotTaken {
    /// Why, as connection logs say it.
    pub(crate) code: &'static str,
    /// What it says of itself.
    pub(crate) leaf: Option<LeafFacts>,
}

/// What connection logs say where nothing else fits.
pub(crate) const UNMAPPED: &str = "UnmappedConnectionError";

tokio::task_local! {
    /// The certificate that the handshake of this task did not take.
    static NOT_TAKEN: RefCell<Option<NotTaken>>;
}

/// Does a handshake, and says which certificate it did not take, if that is what went wrong. Judges have no other way to whoever does
/// the handshake: they are shared by all.
pub(crate) async fn noting<T>(handshake: impl Future<Output = T>) -> (T, Option<NotTaken>) {
    let noting = async {
        let done = handshake.await;
        (done, NOT_TAKEN.with(|noted| noted.borrow_mut().take()))
    };
    NOT_TAKEN.scope(RefCell::default(), noting).await
}

/// Notes a certificate that is not taken for this reason (ALB user guide, "Error reason codes", 2026-11).
fn note(own: &CertificateDer<'_>, shown: usize, error: &Error) {
    let code = if shown > CLIENT_CHAIN_CERTIFICATES_MAX { "ClientCertMaxChainDepthExceeded" } else { code(error) };
    let not_taken = NotTaken { code, leaf: LeafFacts::of(own) };
    // Without a scope nobody asks.
    let _ = NOT_TAKEN.try_with(|noted| noted.replace(Some(not_taken)));
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertRevocationList(_) => "ClientCertCrlProcessingError",
        Error::InvalidCertificate(why) => match why {
            CertificateError::Revoked => "ClientCertCrlHit",
            CertificateError::UnknownRevocationStatus => "ClientCertCrlProcessingError",
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "ClientCertExpired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "ClientCertNotYetValid",
            // Of the trust store, nothing is valid now.
            CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Other(_) => {
                "ClientCertUntrusted"
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                "ClientCertPurposeInvalid"
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => "ClientCertTypeUnsupported",
            _ => "ClientCertInvalid",
        },
        _ => UNMAPPED,
    }
}

/// `NotBefore=...;NotAfter=...`
fn validity(read: &X509Certificate<'_>) -> String {
    let validity = read.validity();
    format!("NotBefore={};NotAfter={}", moment(validity.not_before), moment(validity.not_after))
}

impl Asked {
    /// Of a client that showed this chain when this was asked; `None` if nothing was.
    pub(crate) fn of(mutual: &MutualTls, chain: &[CertificateDer<'_>]) -> Option<Self> {
        let told = match (mutual, chain.first()) {
            (MutualTls::Off, _) => return None,
            (_, None) => Vec::new(),
            (MutualTls::Passthrough, _) => {
                let chain: String = chain.iter().map(|der| pem(der)).collect();
                listed([(Part::Chain, escaped(&chain))])
            }
            (MutualTls::Verify(_), Some(leaf)) => of_leaf(leaf),
        };
        let leaf = chain.first().and_then(|leaf| LeafFacts::of(leaf));
        Some(Self { mutual: mutual.clone(), told, leaf })
    }
}

fn of_leaf(der: &CertificateDer<'_>) -> Vec<(Part, HeaderValue)> {
    // One that cannot be read was not let in.
    let Ok((_, read)) = X509Certificate::from_der(der) else { return Vec::new() };
    let validity = validity(&read);
    listed([
        (Part::SerialNumber, serial(read.raw_serial())),
        (Part::Issuer, in_ascii(&distinguished(read.issuer()))),
        (Part::Subject, in_ascii(&distinguished(read.subject()))),
        (Part::Validity, validity),
        (Part::Leaf, escaped(&pem(der))),
    ])
}

/// Every text here is visible ASCII.
fn listed<const N: usize>(told: [(Part, String); N]) -> Vec<(Part, HeaderValue)> {
    told.into_iter().filter_map(|(part, text)| Some((part, HeaderValue::try_from(text).ok()?))).collect()
}

/// PEM as it stands in a header: `+`, `=` and `/` stay.
fn escaped(pem: &str) -> String {
    percent::encode(pem, |byte| byte.is_ascii_alphanumeric() || b"-._~+=/".contains(&byte))
}

/// Hexadecimal digits in pairs, without the zero that keeps a number of DER positive.
fn serial(bytes: &[u8]) -> String {
    let plain = bytes.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(bytes);
    plain.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02X}");
        out
    })
}

/// Bytes beyond ASCII as RFC 2253, section 2.4, escapes them.
fn in_ascii(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut out, byte| {
        if byte.is_ascii() {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\{byte:02X}");
        }
        out
    })
}

/// `2026-11-29T13:50:17Z`
fn moment(time: ASN1Time) -> String {
    let at = time.to_datetime();
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", at.hour(), at.minute(), at.second())
}

/// Who asks clients for certificates in a listener's handshakes; `None` if nobody does.
///
/// # Errors
/// When there is nothing to judge by: the handshake must not go on.
pub(super) fn verifier(mutual: &MutualTls) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let possession = PossessionOnly::default();
    let verifier = match mutual {
        MutualTls::Off => return Ok(None),
        MutualTls::Passthrough => Verifier { possession, judge: None },
        MutualTls::Verify(verify) => {
            let trust = verify.trust.as_ref().ok_or("the listener's trust store is gone")?;
            let store = TrustStore::with_revoked(&trust.bundle, &trust.revoked)?;
            store.warm();
            let possession = if verify.advertises_names { PossessionOnly::clone(&store.asking()) } else { possession };
            Verifier { possession, judge: Some((store, verify.ignores_expiry)) }
        }
    };
    Ok(Some(Arc::new(verifier)))
}

/// Asks for a certificate and for the proof that the client has its key; with a judge, for one that leads to a trust store.
#[derive(Debug)]
struct Verifier {
    possession: PossessionOnly,
    /// The trust store, and whether certificates that have expired are taken.
    judge: Option<(TrustStore, bool)>,
}

impl Verifier {
    fn judge(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: u64,
    ) -> Result<ClientCertVerified, Error> {
        match &self.judge {
            Some((store, ignores_expiry)) => {
                let at = if *ignores_expiry { end(own)?.min(now) } else { now };
                store.judge(own, between, at)
            }
            None if between.len() >= CLIENT_CHAIN_CERTIFICATES_MAX => {
                Err(Error::InvalidCertificate(CertificateError::BadEncoding))
            }
            None => Ok(ClientCertVerified::assertion()),
        }
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.judge.is_some()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.possession.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(own, between, now.as_secs()).inspect_err(|error| note(own, between.len() + 1, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.possession.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.possession.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.possession.supported_verify_schemes()
    }
}

/// The last second in which a certificate is valid.
fn end(own: &CertificateDer<'_>) -> Result<u64, Error> {
    let (_, read) =
        X509Certificate::from_der(own).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    Ok(u64::try_from(read.validity().not_after.timestamp()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_targets_are_told_is_spelled_as_aws_spells_it() {
        assert_eq!(serial(&[0x03, 0xa5, 0xb1]), "03A5B1");
        assert_eq!(serial(&[0x00, 0xff]), "FF");
        assert_eq!(serial(&[0x00]), "00");
        assert_eq!(in_ascii("CN=\u{e9}"), "CN=\\C3\\A9");
        assert_eq!(moment(ASN1Time::from_timestamp(1_695_261_017).unwrap()), "2023-09-21T01:50:17Z");
        assert_eq!(escaped("-----BEGIN CERTIFICATE-----\na+/=\n"), "-----BEGIN%20CERTIFICATE-----%0Aa+/=%0A");
    }
}
