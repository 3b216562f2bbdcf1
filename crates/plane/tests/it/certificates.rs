//! An authority of the tests, what it signs, and clients that trust it or not.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, PKCS_ECDSA_P256_SHA256, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use topology::resource::certificate::{Certificate, PrivateKeyPem};
use topology::time::Moment;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// An authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) certificate: String,
    pub(crate) key: String,
    names: Vec<String>,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    Now,
    Past,
    Future,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::from_ca_cert_pem(&pem, key).unwrap(), pem }
    }

    pub(crate) fn leaf(&self, names: &[&str], when: When) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.distinguished_name.push(DnType::CommonName, names[0].clone());
        let (from, to) = match when {
            When::Now => (2020, 2120),
            When::Past => (2019, 2020),
            When::Future => (2119, 2120),
        };
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Leaf { certificate, key: key.serialize_pem(), names }
    }

    /// A list, in PEM, by which it takes these back.
    pub(crate) fn revoking(&self, leaves: &[&Leaf]) -> String {
        let revoked = |leaf: &&Leaf| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&leaf.serial()),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(2022, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: leaves.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// A client that trusts this authority, speaks these protocols, and shows this certificate.
    pub(crate) fn client(&self, alpn: &[&str], own: Option<&Leaf>) -> Arc<ClientConfig> {
        self.client_of(rustls::DEFAULT_VERSIONS, alpn, own)
    }

    /// The same, that speaks these versions of TLS.
    pub(crate) fn client_of(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
        own: Option<&Leaf>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(leaf) => builder.with_client_auth_cert(leaf.chain(), leaf.private_key()).unwrap(),
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

impl Leaf {
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.certificate.as_bytes()).map(Result::unwrap).collect()
    }

    /// A server that presents it.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_no_client_auth().with_single_cert(self.chain(), self.private_key()).unwrap())
    }

    /// Whose it is.
    pub(crate) fn name(&self) -> &str {
        &self.names[0]
    }

    fn serial(&self) -> Vec<u8> {
        let chain = self.chain();
        let (_, read) = X509Certificate::from_der(&chain[0]).unwrap();
        read.raw_serial().to_vec()
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}

/// As ACM holds it.
impl From<&Leaf> for Certificate {
    fn from(leaf: &Leaf) -> Self {
        Self {
            id: topology::id::CertificateId::from_bits(0),
            body: leaf.certificate.clone(),
            chain: None,
            key: PrivateKeyPem(leaf.key.clone()),
            request: None,
            domain_name: leaf.names[0].clone(),
            alternative_names: leaf.names.clone(),
            serial: String::new(),
            subject: String::new(),
            issuer: "the tests".to_owned(),
            key_algorithm: String::new(),
            signature_algorithm: String::new(),
            not_before: Moment(0),
            not_after: Moment(0),
            created: Moment(0),
            imported: Moment(0),
            tags: Default::default(),
        }
    }
}
