//! What a public listener presents: for a custom domain its certificate, kept from snapshot to snapshot while nothing of it
//! changes, and in development mode a certificate of the local authority for the invoke hosts.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WantsServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ConfigBuilder, ServerConfig};
use tokio::sync::OnceCell;
use topology::id::CertificateId;
use topology::resource::certificate::Certificate;
use topology::snapshot::balancer::MutualTls;
use topology::snapshot::domain::Domain;

use super::client::{PossessionOnly, TrustStore};
use super::{Issued, Issuer, PROOF_PROTOCOL, provider, public_provider};
use crate::limits::DEVELOPMENT_CERTIFICATES_MAX;

/// The protocols that ALPN may choose, the best first.
pub(super) const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// One certificate, ready for handshakes.
#[derive(Debug)]
pub(crate) struct Presentation {
    /// How the handshake is done.
    pub(crate) config: Arc<ServerConfig>,
    /// The names that the certificate is for.
    pub(crate) names: Arc<[String]>,
    /// The certificate, where it was imported.
    pub(crate) certificate: Option<CertificateId>,
    /// Whom clients' certificates must lead to.
    pub(crate) trust: Option<TrustStore>,
    /// What the handshake asks of clients' certificates, where it is a listener's own.
    pub(crate) mutual: MutualTls,
    /// What the connection is for.
    pub(crate) purpose: Purpose,
}

/// What a connection is for once its handshake is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Requests.
    Requests,
    /// Nothing more: the handshake has proven a name to an authority.
    Proof,
}

/// A custom domain's side of TLS. It is the same one for as long as certificate and trust store are.
#[derive(Debug)]
pub(crate) struct DomainTls {
    name: String,
    certificate: Option<Arc<Certificate>>,
    trust: Option<Arc<str>>,
    made: OnceLock<Result<Arc<Presentation>, String>>,
}

impl DomainTls {
    /// That of a compiled domain: the one before, if nothing changed.
    pub(crate) fn of(domain: &Domain, before: Option<&Arc<Self>>) -> Arc<Self> {
        let new = Self {
            name: domain.name.to_string(),
            certificate: domain.certificate.clone(),
            trust: domain.trust.clone(),
            made: OnceLock::new(),
        };
        match before.filter(|before| before.is_like(&new)) {
            Some(before) => Arc::clone(before),
            None => Arc::new(new),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        let same_certificate = match (&self.certificate, &other.certificate) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (one, two) => one.is_none() && two.is_none(),
        };
        let same_trust = match (&self.trust, &other.trust) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (one, two) => one.is_none() && two.is_none(),
        };
        self.name == other.name && same_certificate && same_trust
    }

    /// The domain's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The trust store, in PEM, if clients must show a certificate.
    pub(crate) fn trust(&self) -> Option<&Arc<str>> {
        self.trust.as_ref()
    }

    /// What is presented, made with the first handshake.
    pub(crate) fn presentation(&self) -> Result<Arc<Presentation>, String> {
        self.made.get_or_init(|| self.make().map(Arc::new)).clone()
    }

    fn make(&self) -> Result<Presentation, String> {
        let certificate = self.certificate.as_ref().ok_or("the domain's certificate is gone")?;
        let (key, names) = of_certificate(certificate)?;
        let trust = self.trust.as_deref().map(TrustStore::from_pem).transpose()?;
        let verifier = trust.as_ref().map(|trust| trust.asking());
        let (config, certificate) = (config(key, verifier)?, Some(certificate.id));
        Ok(Presentation { config, names, certificate, trust, mutual: MutualTls::Off, purpose: Purpose::Requests })
    }
}

/// The certificates of the development mode, issued when first asked for.
#[derive(Debug)]
pub(crate) struct Development {
    issuer: Issuer,
    prepared: OnceCell<()>,
    made: Mutex<Made>,
}

/// The certificates that were made, by what stands behind a host's first label, each with the number of the handshake that last asked
/// for it.
#[derive(Debug, Default)]
struct Made {
    known: HashMap<String, (Arc<Presentation>, u64)>,
    asked: u64,
}

impl Made {
    fn find(&mut self, parent: &str) -> Option<Arc<Presentation>> {
        self.asked += 1;
        let (presentation, asked) = self.known.get_mut(parent)?;
        *asked = self.asked;
        Some(Arc::clone(presentation))
    }

    /// Keeps one more. Anybody can ask for any region, so that none may keep a new one out.
    fn keep(&mut self, parent: &str, presentation: &Arc<Presentation>) {
        if self.known.len() >= DEVELOPMENT_CERTIFICATES_MAX {
            let longest = self.known.iter().min_by_key(|(_, (_, asked))| *asked).map(|(parent, _)| parent.clone());
            longest.map(|parent| self.known.remove(&parent));
        }
        self.known.insert(parent.to_owned(), (Arc::clone(presentation), self.asked));
    }
}

/// Names of the certificate for everything that has none of its own.
const LOCAL_NAMES: [&str; 6] =
    ["localhost", "*.localhost", "localhost.localstack.cloud", "*.localhost.localstack.cloud", "127.0.0.1", "::1"];
/// What invoke hosts of the development mode end with.
const LOCAL_ENDS: [&str; 3] = [".localhost", ".localhost.localstack.cloud", ".amazonaws.com"];

impl Development {
    pub(crate) fn new(issuer: Issuer) -> Self {
        Self { issuer, prepared: OnceCell::new(), made: Mutex::default() }
    }

    /// Makes the certificate for everything that has none of its own, where that may block: the authority's key and the first
    /// random bits of the process take some 50 ms.
    pub(crate) async fn prepare(self: &Arc<Self>) {
        let making = || async {
            let development = Arc::clone(self);
            // What cannot be made is told to whoever asks for it.
            let _ = tokio::task::spawn_blocking(move || development.presentation(None).map(drop)).await;
        };
        self.prepared.get_or_init(making).await;
    }

    /// The certificate for an invoke host, or the one for everything else.
    pub(crate) fn presentation(&self, invoke_host: Option<&str>) -> Result<Arc<Presentation>, String> {
        let parent = invoke_host.filter(|host| LOCAL_ENDS.iter().any(|end| host.ends_with(end)));
        let parent = parent.and_then(|host| host.split_once('.')).map_or("", |(_, parent)| parent);
        let mut made = self.made.lock();
        if let Some(known) = made.find(parent) {
            return Ok(known);
        }
        let names: Vec<String> = match parent {
            "" => LOCAL_NAMES.iter().map(|name| (*name).to_owned()).collect(),
            parent => vec![format!("*.{parent}")],
        };
        let issued = self.issuer.issue(&names)?;
        let key = certified(&[&issued.chain], &issued.key)?;
        let (config, names) = (config(key, None)?, names.into());
        let presentation = Arc::new(Presentation {
            config,
            names,
            certificate: None,
            trust: None,
            mutual: MutualTls::Off,
            purpose: Purpose::Requests,
        });
        made.keep(parent, &presentation);
        Ok(presentation)
    }
}

/// Certificate and key as handshakes use them, and the names that they are for.
pub(super) fn of_certificate(certificate: &Certificate) -> Result<(CertifiedKey, Arc<[String]>), String> {
    let chain = certificate.chain.as_deref().unwrap_or_default();
    let key = certified(&[&certificate.body, chain], &certificate.key.0)?;
    Ok((key, certificate.names().map(str::to_owned).collect()))
}

/// Certificates and key out of PEM.
fn certified(chain: &[&str], key: &str) -> Result<CertifiedKey, String> {
    let (certificates, key) = read(chain, key)?;
    CertifiedKey::from_der(certificates, key, &provider()).map_err(|error| format!("the key cannot be used: {error}"))
}

fn read(chain: &[&str], key: &str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
    for pem in chain {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            certificates.push(certificate.map_err(|error| format!("the certificate chain is no PEM: {error}"))?);
        }
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "the private key is no PEM")?;
    Ok((certificates, key))
}

/// What proves a name to an authority by TLS-ALPN-01: a certificate of its own making, and no protocol beside the one of the proof.
pub(crate) fn proof(name: &str, proof: &Issued) -> Result<Arc<Presentation>, String> {
    let (certificates, key) = read(&[&proof.chain], &proof.key)?;
    let key = provider().key_provider.load_private_key(key).map_err(|error| error.to_string())?;
    // Nothing that reads certificates for clients knows the extension of the proof, which is critical: this one is not judged.
    let key = CertifiedKey::new(certificates, key);
    let mut config = versions()?.with_no_client_auth().with_cert_resolver(Arc::new(Only(Arc::new(key))));
    config.alpn_protocols = vec![PROOF_PROTOCOL.to_vec()];
    Ok(Arc::new(Presentation {
        config: Arc::new(config),
        names: Arc::new([name.to_owned()]),
        certificate: None,
        trust: None,
        mutual: MutualTls::Off,
        purpose: Purpose::Proof,
    }))
}

fn config(key: CertifiedKey, verifier: Option<Arc<PossessionOnly>>) -> Result<Arc<ServerConfig>, String> {
    let builder = versions()?;
    let builder: ConfigBuilder<ServerConfig, WantsServerCert> = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier as Arc<dyn ClientCertVerifier>),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(Only(Arc::new(key))));
    config.alpn_protocols = ALPN.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

fn versions() -> Result<ConfigBuilder<ServerConfig, rustls::WantsVerifier>, String> {
    ServerConfig::builder_with_provider(public_provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| format!("no version of TLS can be used: {error}"))
}

/// A configuration that presents nothing: the handshake ends with an alert.
pub(crate) fn refusing() -> Result<Arc<ServerConfig>, String> {
    Ok(Arc::new(versions()?.with_no_client_auth().with_cert_resolver(Arc::new(Nothing))))
}

/// Presents one certificate, whatever is asked for: who is asked was decided before.
#[derive(Debug)]
pub(super) struct Only(pub(super) Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Nothing;

impl ResolvesServerCert for Nothing {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}
