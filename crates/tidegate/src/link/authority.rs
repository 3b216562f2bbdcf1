//! The authority of the link: it certifies agents, for a day and by the key that they made, and the gateway towards them. Kept beside the
//! development authority, and as that one is; neither counts for the other.

use std::path::Path;
use std::time::Duration;

use control::enrolment::{AgentName, GATEWAY_NAME, pin_of_key};
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use thiserror::Error;
use topology::id::AuthorityPin;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use crate::ca::{AUTHORITY_VALID, Authority, AuthorityError, LINK, Leaf};

/// How long a certificate of an agent is valid: a day, so that a stolen one does not serve for long. It is renewed long before.
const AGENT_VALID: Duration = Duration::from_secs(24 * 3600);
/// Bytes of an uncompressed point of P-256, as RFC 5480, 2.2 has it.
const P256_POINT_BYTES: usize = 65;

/// Why no certificate is made of a request.
#[derive(Debug, Error)]
pub(crate) enum UnfitRequest {
    /// It is no request for a certificate, or its signature is not by its key.
    #[error("csr: it is no request for a certificate (PKCS#10) that its own key signed")]
    Unsound,
    /// Keys of agents are of one kind.
    #[error("csr: its key is not of ECDSA over P-256")]
    Key,
    /// It could not be signed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// The authority.
#[derive(Debug)]
pub(crate) struct LinkAuthority {
    authority: Authority,
    pin: AuthorityPin,
}

/// The pin of the authority that this certificate is of; `None` where it is no certificate.
pub(crate) fn pin_of(certificate: &CertificateDer<'_>) -> Option<AuthorityPin> {
    let (_, parsed) = parse_x509_certificate(certificate).ok()?;
    Some(pin_of_key(parsed.public_key().raw))
}

/// What a certificate of an agent says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentCertificate {
    /// Whose it is.
    pub(crate) name: AgentName,
    /// From when it is valid, in seconds since 1970.
    pub(crate) begins_s: i64,
    /// Until when.
    pub(crate) ends_s: i64,
    /// Its public key, in DER.
    pub(crate) public_key: Vec<u8>,
}

impl AgentCertificate {
    /// Reads one; `None` where it is of nobody who is an agent. Who made it, a handshake looks at.
    pub(crate) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = parse_x509_certificate(certificate).ok()?;
        let names = parsed.subject_alternative_name().ok()??;
        let [GeneralName::URI(only)] = names.value.general_names.as_slice() else { return None };
        let validity = parsed.validity();
        Some(Self {
            name: only.parse().ok()?,
            begins_s: validity.not_before.timestamp(),
            ends_s: validity.not_after.timestamp(),
            public_key: parsed.public_key().raw.to_vec(),
        })
    }
}

impl LinkAuthority {
    /// That of a data directory, made if there is none yet; without one it ends with the process.
    pub(crate) fn open(data_dir: Option<&Path>) -> Result<Self, AuthorityError> {
        Self::of(match data_dir {
            Some(data_dir) => Authority::open_for(LINK, data_dir)?,
            None => Authority::in_memory_for(LINK)?,
        })
    }

    /// By what its file holds.
    pub(super) fn of(authority: Authority) -> Result<Self, AuthorityError> {
        let certificate = CertificateDer::from_pem_slice(authority.certificate().as_bytes()).ok();
        let pin = certificate.and_then(|certificate| pin_of(&certificate));
        Ok(Self { pin: pin.ok_or(rcgen::Error::CouldNotParseCertificate)?, authority })
    }

    /// What tokens say of it.
    pub(crate) fn pin(&self) -> AuthorityPin {
        self.pin
    }

    /// Its certificate, in PEM.
    pub(crate) fn certificate(&self) -> &str {
        self.authority.certificate()
    }

    /// A certificate of the gateway and its key. The key never leaves the process, so it may be valid as long as the authority.
    pub(crate) fn gateway(&self) -> Result<Leaf, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(vec![GATEWAY_NAME.to_owned()])?;
        params.distinguished_name = called(GATEWAY_NAME);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok(Leaf { certificate: self.authority.certify(params, (&key, AUTHORITY_VALID))?, key: key.serialize_pem() })
    }

    /// A certificate for an agent. Of its request only the key counts: who it is, others decide.
    pub(crate) fn certify(&self, request: &CheckedRequest, name: &AgentName) -> Result<String, AuthorityError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = called(&name.agent.to_string());
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(name.to_string())?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.authority.certify(params, (&request.0.public_key, AGENT_VALID))
    }
}

/// A request for a certificate whose sender has the key.
pub(crate) struct CheckedRequest(CertificateSigningRequestParams);

impl CheckedRequest {
    /// Checks one in DER.
    pub(crate) fn read(csr: &[u8]) -> Result<Self, UnfitRequest> {
        let der = CertificateSigningRequestDer::from(csr);
        let read = CertificateSigningRequestParams::from_der(&der).map_err(|_| UnfitRequest::Unsound)?;
        let (key, algorithm) = (read.public_key.der_bytes(), read.public_key.algorithm());
        if *algorithm != PKCS_ECDSA_P256_SHA256 || key.len() != P256_POINT_BYTES {
            return Err(UnfitRequest::Key);
        }
        Ok(Self(read))
    }
}

fn called(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

#[cfg(test)]
mod tests {
    use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;

    fn name() -> AgentName {
        "tidegate://000000000000/us-east-1/agent/agent-00000000000000001?generation=3".parse().unwrap()
    }

    fn csr(key: &KeyPair) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["gateway.tidegate.link".to_owned()]).unwrap();
        params.distinguished_name = called("whoever");
        params.serialize_request(key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_of_an_agent_says_who_it_is_and_nothing_of_what_was_asked_for() {
        let authority = LinkAuthority::open(None).unwrap();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let pem = authority.certify(&CheckedRequest::read(&csr(&key)).unwrap(), &name()).unwrap();
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let said = AgentCertificate::read(&der).unwrap();
        assert_eq!((said.name, said.public_key), (name(), key.subject_public_key_info()));
        assert_eq!(said.ends_s - said.begins_s, 25 * 3600, "a day, and an hour before");
        let (_, certificate) = parse_x509_certificate(&der).unwrap();
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
        assert!(!certificate.is_ca());
    }

    #[test]
    fn requests_that_their_key_did_not_sign_are_refused() {
        let [good, other] = [(); 2].map(|()| KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
        let sound = csr(&good);
        let key = good.subject_public_key_info();
        let at = sound.windows(key.len()).position(|window| window == key).unwrap();
        let mut swapped = sound.clone();
        swapped[at..at + key.len()].copy_from_slice(&other.subject_public_key_info());
        let p384 = csr(&KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap());
        let ed25519 = csr(&KeyPair::generate_for(&PKCS_ED25519).unwrap());
        for (what, csr, is_of_key) in [
            ("nothing", &[][..], false),
            ("junk", &[0x30; 300], false),
            ("cut", &sound[..sound.len() - 1], false),
            ("another's key", &swapped, false),
            ("of P-384", &p384, true),
            ("of Ed25519", &ed25519, true),
        ] {
            let refused = CheckedRequest::read(csr).err().unwrap();
            assert_eq!(matches!(refused, UnfitRequest::Key), is_of_key, "{what}: {refused}");
        }
        assert!(CheckedRequest::read(&sound).is_ok());
    }

    #[test]
    fn the_authority_of_a_data_directory_stays_the_same_and_is_not_the_development_one() {
        let directory = tempfile::tempdir().unwrap();
        let pins = [(); 2].map(|()| LinkAuthority::open(Some(directory.path())).unwrap().pin());
        assert_eq!(pins[0], pins[1]);
        let development = Authority::open(directory.path()).unwrap();
        let development = CertificateDer::from_pem_slice(development.certificate().as_bytes()).unwrap();
        assert_ne!(pin_of(&development), Some(pins[0]));
        let mode = std::fs::metadata(directory.path().join("link/authority.pem")).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    }
}
