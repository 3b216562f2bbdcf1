//! Certificates of clients: who signed them, and what the request's context says of them. The handshake makes sure that the
//! client has the key; whether the certificate is one of the trust store's is judged after it, once for each connection, so
//! that the refusal can be told in an answer (HTTP API developer guide, "Configuring mutual TLS authentication", 2026-11).
//!
//! Of revocation only load balancers' trust stores know something: API Gateway looks at none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme,
};
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use super::provider;
use super::revoked::{self, Judges};
use crate::clock;
use crate::limits::{CLIENT_CHAIN_CERTIFICATES_MAX, TRUST_HINT_BYTES_MAX};

/// A client's certificate that leads to the trust store (`$context.identity.clientCert`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// `clientCertPem`
    pub(crate) pem: String,
    /// `subjectDN`
    pub(crate) subject: String,
    /// `issuerDN`
    pub(crate) issuer: String,
    /// `serialNumber`, as `aa:bb:...`
    pub(crate) serial: String,
    /// `validity.notBefore`
    pub(crate) not_before: String,
    /// `validity.notAfter`
    pub(crate) not_after: String,
}

/// Why a client's certificate is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unverified(String);

impl std::error::Error for Unverified {}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whom clients' certificates must lead to, and which of them do no longer.
#[derive(Debug)]
pub(crate) struct TrustStore {
    anchors: Vec<Anchor>,
    asking: Arc<PossessionOnly>,
    judges: Judges,
}

/// A certificate of the trust store with its times. The library's anchors have none, so they are looked at here.
#[derive(Debug)]
struct Anchor {
    der: CertificateDer<'static>,
    not_before: i64,
    not_after: i64,
}

impl Anchor {
    fn read(der: CertificateDer<'static>) -> Option<Self> {
        let validity = X509Certificate::from_der(&der).ok()?.1.validity().clone();
        Some(Self { not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp(), der })
    }
}

impl TrustStore {
    /// Out of PEM. Certificates that cannot be read are left out: they were warned of when the trust store was set.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, String> {
        Self::with_revoked(pem, &[])
    }

    /// The same with files of revocation lists, which were judged when they were added.
    pub(crate) fn with_revoked(pem: &str, revoked: &[Arc<str>]) -> Result<Self, String> {
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok);
        let anchors: Vec<_> = certificates.filter_map(Anchor::read).collect();
        let roots = roots_of(anchors.iter());
        if roots.is_empty() {
            return Err("the trust store cannot be used: it holds no certificate that can be an anchor".to_owned());
        }
        let asking = Arc::new(PossessionOnly(hint(roots.subjects())));
        Ok(Self { anchors, asking, judges: Judges::new(revoked)? })
    }

    /// Makes the judges that are needed now: with long revocation lists that takes a while.
    pub(crate) fn warm(&self) {
        // What cannot be made is told to whoever is judged.
        let _made = self.judges(clock::since_epoch().as_secs());
    }

    /// The handshake's part of it.
    pub(super) fn asking(&self) -> Arc<PossessionOnly> {
        Arc::clone(&self.asking)
    }

    /// Judges what a client showed.
    pub(crate) fn verify(&self, chain: &[CertificateDer<'_>]) -> Result<Arc<ClientCertificate>, Unverified> {
        let (own, between) = chain.split_first().ok_or_else(|| Unverified("no certificate was shown".to_owned()))?;
        let judged = self.judge(own, between, clock::since_epoch().as_secs());
        judged.map_err(|error| Unverified(sentence(&error)))?;
        read(own).map(Arc::new).ok_or_else(|| Unverified("the certificate cannot be read".to_owned()))
    }
}

impl TrustStore {
    /// Judges a certificate as of a second since 1970, by the certificates that are valid then.
    pub(super) fn judge(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        at: u64,
    ) -> Result<ClientCertVerified, Error> {
        let shown = between.len() + 1;
        if shown > CLIENT_CHAIN_CERTIFICATES_MAX {
            return Err(refused(format!("a chain of {shown} certificates was shown")));
        }
        let now = UnixTime::since_unix_epoch(Duration::from_secs(at));
        let judges = self.judges(at)?;
        judges.iter().try_for_each(|judge| judge.verify_client_cert(own, between, now).map(drop))?;
        Ok(ClientCertVerified::assertion())
    }

    /// The judges as of a second.
    fn judges(&self, at: u64) -> Result<revoked::Bench, Error> {
        let second = i64::try_from(at).unwrap_or(i64::MAX);
        let is_valid = |anchor: &Anchor| anchor.not_before <= second && second <= anchor.not_after;
        let valid: Vec<bool> = self.anchors.iter().map(is_valid).collect();
        self.judges
            .of(valid, || {
                let roots = roots_of(self.anchors.iter().filter(|anchor| is_valid(anchor)));
                if roots.is_empty() {
                    Err("no certificate of the trust store is valid now".to_owned())
                } else {
                    Ok(roots)
                }
            })
            .map_err(refused)
    }
}

fn refused(why: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Unverified(why)))))
}

/// The names by which a client may choose among its certificates. They are a hint only (RFC 8446, section 4.2.4), and a list that does
/// not fit into its message would end every handshake: then there is none.
fn hint(subjects: Vec<DistinguishedName>) -> Vec<DistinguishedName> {
    let bytes: usize = subjects.iter().map(|subject| subject.as_ref().len() + 2).sum();
    if bytes > TRUST_HINT_BYTES_MAX { Vec::new() } else { subjects }
}

fn roots_of<'a>(anchors: impl Iterator<Item = &'a Anchor>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(anchors.map(|anchor| anchor.der.clone()));
    roots
}

fn sentence(error: &Error) -> String {
    let text = match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the certificate has expired"
        }
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "the certificate is not valid yet"
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => "nobody in the trust store signed it",
        Error::InvalidCertificate(CertificateError::Other(OtherError(why))) => return why.to_string(),
        other => return other.to_string(),
    };
    text.to_owned()
}

/// Asks for a certificate and for the proof that the client has its key, and takes any.
#[derive(Debug, Clone, Default)]
pub(super) struct PossessionOnly(Vec<DistinguishedName>);

impl ClientCertVerifier for PossessionOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.0
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

fn read(der: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    Some(ClientCertificate {
        pem: pem(der),
        subject: distinguished(parsed.subject()),
        issuer: distinguished(parsed.issuer()),
        serial: parsed.raw_serial_as_string(),
        not_before: moment(parsed.validity().not_before),
        not_after: moment(parsed.validity().not_after),
    })
}

/// Characters of a line of PEM.
const PEM_LINE: usize = 64;

pub(super) fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = String::with_capacity(text.len() + text.len() / PEM_LINE + 64);
    out.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII: every place is a boundary.
        let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

/// A name with its last part first, joined by commas (RFC 4514).
pub(super) fn distinguished(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_attributes()
        .map(|attribute| {
            let kind = oid2abbrev(attribute.attr_type(), oid_registry());
            let kind = kind.map_or_else(|_| attribute.attr_type().to_id_string(), str::to_owned);
            format!("{kind}={}", escaped(attribute.as_str().unwrap_or_default()))
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        if ",+\"\\<>;=".contains(character) {
            out.push('\\');
        }
        // A line end in a name must not end a line of a log.
        out.push(if character.is_control() { ' ' } else { character });
    }
    out
}

/// `May 28 12:30:02 2026 GMT`, as OpenSSL prints it.
fn moment(time: ASN1Time) -> String {
    let at = time.to_datetime();
    let month = at.month().to_string();
    let month = month.get(..3).unwrap_or_default();
    format!("{month} {:>2} {:02}:{:02}:{:02} {} GMT", at.day(), at.hour(), at.minute(), at.second(), at.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_spelled_as_openssl_spells_them() {
        let at = |seconds| moment(ASN1Time::from_timestamp(seconds).unwrap());
        assert_eq!(at(1_559_046_602), "May 28 12:30:02 2019 GMT");
        assert_eq!(at(1_767_225_600), "Jan  1 00:00:00 2026 GMT");
    }

    /// An authority that is valid between these years, and the certificate of a client that it signed.
    fn authority(years: (i32, i32)) -> (String, CertificateDer<'static>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("authority {years:?}"));
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = rcgen::Issuer::from_params(&params, &key);
        let client = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap();
        let signed = client.signed_by(&rcgen::KeyPair::generate().unwrap(), &issuer).unwrap();
        (pem, signed.der().clone())
    }

    #[test]
    fn an_authority_out_of_its_time_lets_nobody_in() {
        let ((past, of_past), (now, of_now), (future, of_future)) =
            (authority((2001, 2002)), authority((2001, 4000)), authority((3999, 4000)));
        let store = TrustStore::from_pem(&format!("{past}{now}{future}")).unwrap();
        assert!(store.verify(&[of_now]).is_ok());
        for client in [&of_past, &of_future] {
            assert_eq!(
                store.verify(std::slice::from_ref(client)).unwrap_err().to_string(),
                "nobody in the trust store signed it"
            );
        }
        let old = TrustStore::from_pem(&past).unwrap();
        let refused = old.verify(&[of_past]).unwrap_err().to_string();
        assert_eq!(refused, "no certificate of the trust store is valid now");
    }

    #[test]
    fn a_name_cannot_forge_another_part_or_line() {
        assert_eq!(escaped("a,CN=b\n"), "a\\,CN\\=b ");
    }
}
