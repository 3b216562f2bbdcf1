//! TLS on the API port: which certificate is presented, read anew when it is asked for. Private keys of certificates travel over this port,
//! and access keys sign for it.
//!
//! Who may call, the port itself judges as without TLS.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::limits::{HANDSHAKE_TIMEOUT, PEM_BYTES_MAX};
use super::tls::Development;
use crate::config::Config;
use crate::given;

/// The protocols that ALPN may choose, the best first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Where the certificate comes from.
enum Source {
    Files { certificate: PathBuf, key: PathBuf },
    Authority { development: Arc<Development>, names: Vec<String> },
}

/// How the API port speaks TLS.
pub(crate) struct ApiTls {
    source: Source,
    current: RwLock<Arc<ServerConfig>>,
}

impl fmt::Debug for ApiTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiTls")
    }
}

impl ApiTls {
    /// By the files of the configuration, else by the development authority for loopback's names and the address that is listened at.
    pub(super) fn open(config: &Config, development: &Arc<Development>, at: SocketAddr) -> Result<Arc<Self>, String> {
        let source = match &config.api_identity {
            Some((certificate, key)) => Source::Files { certificate: certificate.clone(), key: key.clone() },
            None => {
                let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
                let own = at.ip().to_string();
                if !names.contains(&own) && !at.ip().is_unspecified() {
                    names.push(own);
                }
                Source::Authority { development: Arc::clone(development), names }
            }
        };
        let current = RwLock::new(source.read()?);
        Ok(Arc::new(Self { source, current }))
    }

    /// Reads the files anew. What cannot be used is told, and what was there stays. Nothing is to be read of the authority's.
    pub(super) fn reload(&self) {
        let Source::Files { .. } = &self.source else { return };
        match self.source.read() {
            Ok(config) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
                tracing::info!("the certificate of the API port was read anew");
            }
            Err(error) => {
                tracing::error!(error, "the certificate of the API port cannot be used; the one before stays")
            }
        }
    }

    /// Shakes hands with a client; nothing where it does not, or takes too long.
    pub(super) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        let shaking = TlsAcceptor::from(config).accept(stream);
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, shaking).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake of the API port was refused");
                None
            }
            Err(_) => None,
        }
    }
}

impl Source {
    fn read(&self) -> Result<Arc<ServerConfig>, String> {
        let (chain, key, place) = match self {
            Self::Files { certificate, key } => {
                let text = |path| given::text(path, PEM_BYTES_MAX);
                (text(certificate)?, text(key)?, certificate.display().to_string())
            }
            Self::Authority { development, names } => {
                let issued = development.issue(names)?;
                (issued.chain, issued.key, "the development authority".to_owned())
            }
        };
        let failed = |what: &str| format!("{place}: {what}");
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        let chain = chain.map_err(|error| failed(&format!("no certificate in PEM: {error}")))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| failed("its key is no key in PEM"))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| failed(&error.to_string()))?.with_no_client_auth();
        let config = builder.with_single_cert(chain, key);
        let mut config = config.map_err(|error| failed(&format!("certificate and key cannot be used: {error}")))?;
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        Ok(Arc::new(config))
    }
}
