//! How the ends of the link shake hands: TLS 1.3 alone, and a lane by ALPN. An agent believes the authority that its token named; the gateway
//! believes agents that its own authority certified, and asks again who they are now.

use std::fmt;
use std::sync::Arc;

use plane::link::carrier::LaneKind;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore, ServerConfig,
    SignatureScheme,
};

use topology::id::AuthorityPin;

use super::authority::{LinkAuthority, pin_of};

/// The name of a lane in ALPN.
pub(crate) const fn protocol(lane: LaneKind) -> &'static [u8] {
    match lane {
        LaneKind::Data => b"tidegate-data/1",
        LaneKind::Control => b"h2",
    }
}

/// The name in ALPN of a connection by which an agent is enrolled.
const ENROLMENT: &[u8] = b"tidegate-enrol/1";

/// What a connection asks for by ALPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To be enrolled.
    Enrolment,
    /// To be a lane.
    Lane(LaneKind),
}

/// What the protocol that was agreed upon asks for; `None` for none of ours.
pub(crate) fn asked(agreed: Option<&[u8]>) -> Option<Asked> {
    let lanes = [LaneKind::Data, LaneKind::Control].map(|lane| (protocol(lane), Asked::Lane(lane)));
    let all = lanes.into_iter().chain([(ENROLMENT, Asked::Enrolment)]);
    all.into_iter().find(|(name, _)| agreed == Some(*name)).map(|(_, asked)| asked)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What the certificates of this text are, and one private key.
fn identity(chain: &str, key: &str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let unreadable = |what: &str| Error::General(format!("{what} cannot be read"));
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| unreadable("the key"))?;
    Ok((chain.map_err(|_| unreadable("the certificate"))?, key))
}

fn roots(authority: &str) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(certificate.map_err(|_| Error::General("the authority cannot be read".to_owned()))?)?;
    }
    if roots.is_empty() {
        return Err(Error::General("the authority is no certificate in PEM".to_owned()));
    }
    Ok(Arc::new(roots))
}

/// The gateway's side, which believes agents of these authorities. Its chain ends with the authority itself, so that an agent that knows only a pin finds it there. Whoever wants to be
/// enrolled has no certificate yet, so one is asked for and not insisted upon.
pub(crate) fn server_config(authority: &LinkAuthority, believed: &str) -> Result<Arc<ServerConfig>, String> {
    let gateway = authority.gateway().map_err(|error| error.to_string())?;
    let chain = format!("{}{}", gateway.certificate, authority.certificate());
    let made = || {
        let clients = WebPkiClientVerifier::builder_with_provider(roots(believed)?, provider());
        let clients = clients.allow_unauthenticated().build().map_err(|error| Error::General(error.to_string()))?;
        let builder = ServerConfig::builder_with_provider(provider());
        let (chain, key) = identity(&chain, &gateway.key)?;
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
        let mut config = builder.with_client_cert_verifier(clients).with_single_cert(chain, key)?;
        config.alpn_protocols =
            [protocol(LaneKind::Data), protocol(LaneKind::Control), ENROLMENT].map(<[u8]>::to_vec).into();
        // Resumed handshakes cost a tenth; who comes is judged after each, and nothing is taken before it is over.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(config)
    };
    made().map(Arc::new).map_err(|error: Error| error.to_string())
}

/// An agent's side of a lane: it has a certificate, and believes one authority.
pub(crate) fn client_config(
    lane: LaneKind,
    authority: &str,
    (chain, key): (&str, &str),
) -> Result<Arc<ClientConfig>, Error> {
    let (chain, key) = identity(chain, key)?;
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder.with_root_certificates(roots(authority)?).with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![protocol(lane).to_vec()];
    Ok(Arc::new(config))
}

/// The side of whoever wants to be enrolled: it has no certificate, and believes the authority of its token.
pub(crate) fn enrolment_config(pin: AuthorityPin) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?.dangerous();
    let pinned = Arc::new(Pinned { pin, provider: provider() });
    let mut config = builder.with_custom_certificate_verifier(pinned).with_no_client_auth();
    config.alpn_protocols = vec![ENROLMENT.to_vec()];
    Ok(Arc::new(config))
}

/// Believes a chain that comes with the authority of the pin, and is sound below it.
struct Pinned {
    pin: AuthorityPin,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pinned({})", self.pin)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pinned = intermediates.iter().find(|certificate| pin_of(certificate) == Some(self.pin));
        let pinned = pinned.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(pinned.clone().into_owned())?;
        let sound = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider)).build();
        let sound = sound.map_err(|error| Error::General(error.to_string()))?;
        sound.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // TLS 1.2 is never offered.
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
