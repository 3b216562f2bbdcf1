//! The authority itself: made once, kept in the data directory for its owner alone, and read back.
//!
//! Enforced: the mode of the file with the key. Trusted: everyone who may read that file.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use control::certified::KeyAlgorithm;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PublicKeyData,
    RsaKeySize,
};
use thiserror::Error;

use crate::private;

/// What an authority is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose {
    /// The directory below the data directory.
    directory: &'static str,
    /// What its certificate says of it.
    organization: &'static str,
    common: &'static str,
}

impl Purpose {
    /// Where an authority for this is kept.
    pub(crate) fn directory(self, data_dir: &Path) -> PathBuf {
        data_dir.join(self.directory)
    }
}

/// Certificates for invoke hosts and tests.
const DEVELOPMENT: Purpose =
    Purpose { directory: "ca", organization: "Tidegate development", common: "Tidegate development CA" };
/// Certificates of agents, and the gateway's towards them.
pub(crate) const LINK: Purpose =
    Purpose { directory: "link", organization: "Tidegate link", common: "Tidegate link CA" };

/// Key and certificate, for the owner alone.
pub(crate) const AUTHORITY: &str = "authority.pem";
/// The certificate, for everyone.
const CERTIFICATE: &str = "certificate.pem";
/// How long the authority is valid: ten years.
pub(crate) const AUTHORITY_VALID: Duration = Duration::from_secs(3650 * 24 * 3600);
/// How long a certificate is valid at most: 397 days, since some clients take no longer one.
pub(super) const LEAF_DAYS_MAX: u64 = 397;
/// How long before now a certificate begins to be valid, so that clocks may differ.
const BACKDATED: Duration = Duration::from_secs(3600);
/// Names of one certificate.
const NAMES_MAX: usize = 100;

/// Why there is no authority, or no certificate of it.
#[derive(Debug, Error)]
pub(crate) enum AuthorityError {
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What stands in the file is no authority.
    #[error("{} holds no certificate authority: {source}", .path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// It is no name that a certificate may have.
    #[error("{0:?} is no DNS name and no address")]
    Name(String),
    /// No name or too many.
    #[error("a certificate has 1 to {NAMES_MAX} names")]
    Count,
}

/// The authority.
#[derive(Debug)]
pub(crate) struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
    file: Option<PathBuf>,
}

/// A certificate and its key, in PEM.
pub(crate) struct Leaf {
    /// The certificate.
    pub(crate) certificate: String,
    /// Its key.
    pub(crate) key: String,
}

impl Authority {
    /// The development authority of a data directory, made if there is none yet.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, AuthorityError> {
        Self::open_for(DEVELOPMENT, data_dir)
    }

    /// The same for another purpose.
    pub(crate) fn open_for(purpose: Purpose, data_dir: &Path) -> Result<Self, AuthorityError> {
        let directory = purpose.directory(data_dir);
        let mut authority = Self::at(purpose, &directory.join(AUTHORITY))?;
        let file = directory.join(CERTIFICATE);
        if fs::read_to_string(&file).ok().as_deref() != Some(&authority.certificate) {
            fs::write(&file, &authority.certificate).map_err(failed(&file))?;
        }
        authority.file = Some(file);
        Ok(authority)
    }

    /// The authority in a file, made if there is none yet.
    pub(crate) fn at(purpose: Purpose, path: &Path) -> Result<Self, AuthorityError> {
        if let Some(there) = Self::load(path)? {
            return Ok(there);
        }
        if let Some(directory) = path.parent() {
            private::directory(directory).map_err(failed(directory))?;
        }
        keep(path, &new(purpose)?).map_err(failed(path))?;
        // Another program may have been faster: what stands in the file counts.
        Self::load(path)?.ok_or_else(|| failed(path)(io::ErrorKind::NotFound.into()))
    }

    /// The authority in a file, if there is such a file.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, AuthorityError> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let unreadable = |source| AuthorityError::Unreadable { path: path.to_owned(), source };
                Self::read(&text).map(Some).map_err(unreadable)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(path)(error)),
        }
    }

    /// Whether a data directory holds a development authority already.
    pub(crate) fn exists(data_dir: &Path) -> bool {
        DEVELOPMENT.directory(data_dir).join(AUTHORITY).exists()
    }

    /// One that ends with the process.
    pub(crate) fn in_memory() -> Result<Self, AuthorityError> {
        Self::in_memory_for(DEVELOPMENT)
    }

    /// The same for another purpose.
    pub(crate) fn in_memory_for(purpose: Purpose) -> Result<Self, AuthorityError> {
        Ok(Self::read(&new(purpose)?)?)
    }

    fn read(text: &str) -> Result<Self, rcgen::Error> {
        let at = text.find("-----BEGIN CERTIFICATE-----").ok_or(rcgen::Error::CouldNotParseCertificate)?;
        let certificate = text[at..].to_owned();
        let issuer = Issuer::from_ca_cert_pem(&certificate, KeyPair::from_pem(&text[..at])?)?;
        Ok(Self { certificate, issuer, file: None })
    }

    /// Its certificate, in PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The file of its certificate, if it is kept.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// A certificate of this public key, valid from now on for so long.
    pub(crate) fn certify(
        &self,
        mut params: CertificateParams,
        (key, valid): (&impl PublicKeyData, Duration),
    ) -> Result<String, AuthorityError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, valid);
        Ok(params.signed_by(key, &self.issuer)?.pem())
    }

    /// A certificate for these names, for servers and clients alike.
    pub(crate) fn issue(&self, names: &[String], days: u64) -> Result<Leaf, AuthorityError> {
        self.issue_with(KeyAlgorithm::P256, names, days)
    }

    /// The same, with such a key. Making one of RSA takes a while.
    pub(crate) fn issue_with(&self, key: KeyAlgorithm, names: &[String], days: u64) -> Result<Leaf, AuthorityError> {
        judge(names)?;
        // The serial number is made from the key, so that a key of its own makes it unlike any other.
        let key = pair(key)?;
        let mut params = CertificateParams::new(names.to_vec())?;
        let common = names.first().cloned().unwrap_or_default();
        params.distinguished_name.push(DnType::CommonName, common);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let valid = Duration::from_secs(days.min(LEAF_DAYS_MAX) * 24 * 3600);
        Ok(Leaf { certificate: self.certify(params, (&key, valid))?, key: key.serialize_pem() })
    }
}

/// A new key. One of RSA takes a while.
fn pair(key: KeyAlgorithm) -> Result<KeyPair, rcgen::Error> {
    match key {
        KeyAlgorithm::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        KeyAlgorithm::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        KeyAlgorithm::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
    }
}

fn judge(names: &[String]) -> Result<(), AuthorityError> {
    if !(1..=NAMES_MAX).contains(&names.len()) {
        return Err(AuthorityError::Count);
    }
    match names.iter().find(|name| !is_name(name)) {
        Some(wrong) => Err(AuthorityError::Name(wrong.clone())),
        None => Ok(()),
    }
}

/// What stands for a certificate that another authority is going to issue: the names, signed by a key of their own. Nobody believes it, and
/// nothing presents it.
pub(crate) fn placeholder(key: KeyAlgorithm, names: &[String]) -> Result<Leaf, AuthorityError> {
    judge(names)?;
    let key = pair(key)?;
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names.first().cloned().unwrap_or_default());
    valid_for(&mut params, AUTHORITY_VALID);
    let certificate = params.self_signed(&key)?;
    Ok(Leaf { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A request to another authority for these names (RFC 2986), in DER, and the new key that it is for, in PEM.
pub(crate) fn request(key: KeyAlgorithm, names: &[String]) -> Result<(Vec<u8>, String), rcgen::Error> {
    let key = pair(key)?;
    let mut params = CertificateParams::new(names.to_vec())?;
    // Names stand in the extension alone, whose length nothing bounds.
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?;
    Ok((request.der().to_vec(), key.serialize_pem()))
}

/// How long a client certificate of API Gateway is valid: a year (REST API developer guide, "Generate and configure an SSL certificate for
/// backend authentication in API Gateway", 2026-11).
const CLIENT_VALID: Duration = Duration::from_secs(365 * 24 * 3600);

/// A client certificate that is signed by itself: who believes it believes nothing else.
pub(crate) fn self_signed() -> Result<Leaf, AuthorityError> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationalUnitName, "ApiGateway");
    // A backend that believes an old one and a new one at once looks them up by their names.
    params.distinguished_name.push(DnType::CommonName, format!("ApiGateway {}", mark(&key)));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    valid_for(&mut params, CLIENT_VALID);
    let certificate = params.self_signed(&key)?;
    Ok(Leaf { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> AuthorityError {
    let path = path.to_owned();
    move |source| AuthorityError::File { path, source }
}

/// A new authority: its key, then its certificate.
fn new(purpose: Purpose) -> Result<String, AuthorityError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(Vec::new())?;
    // Two authorities on one machine must not be taken for each other.
    let mark = mark(&key);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, purpose.organization);
    params.distinguished_name.push(DnType::CommonName, format!("{} {mark}", purpose.common));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut params, AUTHORITY_VALID);
    let text = key.serialize_pem();
    let certified = CertifiedIssuer::self_signed(params, key)?;
    Ok(format!("{text}{}", certified.pem()))
}

/// What tells a key from others: a part of its own, and for RSA not the exponent that all of them end with.
fn mark(key: &KeyPair) -> String {
    key.public_key_raw().iter().rev().skip(8).take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn valid_for(params: &mut CertificateParams, duration: Duration) {
    let now = SystemTime::now();
    params.not_before = now.checked_sub(BACKDATED).unwrap_or(now).into();
    params.not_after = now.checked_add(duration).unwrap_or(now).into();
}

fn is_name(name: &str) -> bool {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.parse::<IpAddr>().is_ok() || (rest.len() <= 253 && rest.split('.').all(is_label))
}

/// Writes a new file for its owner alone, in one piece: a file that is there stays.
fn keep(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    private::create(&beside, text.as_bytes())?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_made_once_for_its_owner_alone_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let first = Authority::open(directory.path()).unwrap();
        let second = Authority::open(directory.path()).unwrap();
        assert_eq!(first.certificate(), second.certificate());
        assert_eq!(fs::read_to_string(second.file().unwrap()).unwrap(), first.certificate());
        let mode =
            |path: PathBuf| std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777;
        assert_eq!(mode(directory.path().join("ca/authority.pem")), 0o600);
        let leaf = second.issue(&["api.example.com".to_owned()], 1).unwrap();
        assert!(leaf.certificate.contains("BEGIN CERTIFICATE") && leaf.key.contains("PRIVATE KEY"));
    }

    #[test]
    fn names_that_no_certificate_may_have_are_refused() {
        let authority = Authority::in_memory().unwrap();
        for name in ["", "a b", "../x", "*.*.example.com", "a..b", "x/y"] {
            assert!(authority.issue(&[name.to_owned()], 1).is_err(), "{name}");
        }
        for name in ["localhost", "*.example.com", "127.0.0.1", "::1"] {
            assert!(authority.issue(&[name.to_owned()], 1).is_ok(), "{name}");
        }
        assert!(matches!(authority.issue(&[], 1), Err(AuthorityError::Count)));
    }

    #[test]
    fn a_file_that_holds_no_authority_is_an_error_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("ca")).unwrap();
        let file = directory.path().join("ca/authority.pem");
        fs::write(&file, "rubbish").unwrap();
        assert!(matches!(Authority::open(directory.path()), Err(AuthorityError::Unreadable { .. })));
        assert_eq!(fs::read_to_string(file).unwrap(), "rubbish");
    }
}
