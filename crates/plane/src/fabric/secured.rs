//! TLS towards targets. Load balancers do not ask who signed what targets present, for whom or until when (ALB user guide, "Target groups
//! for your Application Load Balancers", 2026-11). It keeps what is sent from who only listens; who answers was judged by address. A
//! certificate of X.509 version 1 is not read here (`docs/differences-from-aws.md`).

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::dial::DialError;
use super::outside::Stream;
use super::outside::trust::TlsFault;
use crate::limits::TARGET_HANDSHAKE_TIMEOUT;

/// Shakes hands with the target at this address, and agrees on HTTP/2 where that is to be spoken. No name is asked for.
pub(super) async fn handshake(address: IpAddr, stream: TcpStream, is_http2: bool) -> Result<Stream, DialError> {
    let config = if is_http2 { config::<true>() } else { config::<false>() };
    let config = config.ok_or_else(|| DialError::Handshake("no TLS can be spoken".to_owned()))?;
    let shaking = TlsConnector::from(config).connect(ServerName::from(address), stream);
    match tokio::time::timeout(TARGET_HANDSHAKE_TIMEOUT, shaking).await {
        Ok(Ok(stream)) if is_http2 && stream.get_ref().1.alpn_protocol() != Some(HTTP2) => {
            Err(DialError::Handshake("the target does not agree on HTTP/2".to_owned()))
        }
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => Err(DialError::Handshake(error.to_string())),
        Err(_elapsed) => Err(DialError::Handshake("the target did not answer it in time".to_owned())),
    }
}

/// How a client itself speaks TLS with a target, past a load balancer that carries bytes.
#[derive(Debug, Clone)]
pub(crate) enum Verified {
    /// The certificate must be for this name, and be believed by this.
    For(Arc<str>, Arc<ClientConfig>),
    /// Whatever the certificate says.
    Nobody,
}

impl Verified {
    /// The name that is verified, if one is.
    pub(crate) const fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::For(name, _) => Some(name),
            Self::Nobody => None,
        }
    }
}

/// Shakes hands with a target for a client who verifies it, or does not.
pub(super) async fn verified(verified: &Verified, stream: TcpStream) -> Result<Stream, DialError> {
    let Verified::For(name, config) = verified else {
        let address = stream.peer_addr().map_err(DialError::Io)?.ip();
        let config = config::<false>().ok_or_else(|| DialError::Handshake("no TLS can be spoken".to_owned()))?;
        let shaking = TlsConnector::from(config).connect(ServerName::from(address), stream);
        return within_time(shaking).await?.map_err(|error| DialError::Handshake(error.to_string()));
    };
    let bad_name = |_| DialError::Handshake(format!("{name:?} is no host name"));
    let server = ServerName::try_from(name.to_string()).map_err(bad_name)?;
    let shaking = TlsConnector::from(Arc::clone(config)).connect(server, stream);
    within_time(shaking).await?.map_err(|error| DialError::Untrusted(TlsFault::of(&error, name)))
}

async fn within_time<E>(
    shaking: impl Future<Output = Result<TlsStream<TcpStream>, E>>,
) -> Result<Result<Stream, E>, DialError> {
    let shaken = tokio::time::timeout(TARGET_HANDSHAKE_TIMEOUT, shaking).await;
    let shaken = shaken.map_err(|_elapsed| DialError::Handshake("the target did not answer it in time".to_owned()))?;
    Ok(shaken.map(|stream| Stream::Tls(Box::new(stream))))
}

/// HTTP/2, as ALPN has it.
const HTTP2: &[u8] = b"h2";

/// Made with the first connection that needs it. Tickets are kept, so that a target shakes hands in full once.
fn config<const IS_HTTP2: bool>() -> Option<Arc<ClientConfig>> {
    static CONFIGS: [OnceLock<Option<Arc<ClientConfig>>>; 2] = [const { OnceLock::new() }; 2];
    let make = || {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let taking = Arc::new(TakesAny(provider));
        let builder = builder.ok()?.dangerous().with_custom_certificate_verifier(taking);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = if IS_HTTP2 { vec![HTTP2.to_vec()] } else { Vec::new() };
        Some(Arc::new(config))
    };
    CONFIGS[usize::from(IS_HTTP2)].get_or_init(make).clone()
}

/// Takes any certificate; that its key signed the handshake is looked at all the same.
#[derive(Debug)]
struct TakesAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakesAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
