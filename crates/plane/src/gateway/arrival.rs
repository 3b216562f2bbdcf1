//! How a request came: from where, and over which TLS connection, if over one. What a connection may ask for is decided here:
//! a name whose clients must show a certificate is reached only over a connection that was made for that very name.
//!
//! Enforced: the name of the handshake, the certificate that was presented, the client's certificate. Trusted: nothing that
//! a request says of itself.

use std::net::SocketAddr;
use std::sync::Arc;

use topology::resource::domain::stands_for;

use super::respond::Refusal;
use crate::tls::client::{ClientCertificate, Unverified};
use crate::tls::presented::DomainTls;
use crate::trace::Silence;

/// How a connection came.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// Its TLS session, if it has one.
    pub(crate) tls: Option<TlsArrival>,
    /// Whether its requests bear the silence of connections that nobody answers.
    pub(crate) silence: Silence,
}

/// A TLS session with a client.
#[derive(Debug)]
pub(crate) struct TlsArrival {
    /// The server name that the client asked for, in lower case.
    pub(crate) server_name: Option<String>,
    /// The names of the certificate that was presented.
    pub(crate) names: Arc<[String]>,
    /// The custom domain whose certificate that is.
    pub(crate) domain: Option<Arc<DomainTls>>,
    /// The client's certificate, where the domain asks for one.
    pub(crate) client: Option<Result<Arc<ClientCertificate>, Unverified>>,
}

/// That a request's host belongs on its connection. Only [`Arrival::check_host`] makes one.
#[derive(Debug)]
pub(super) struct Belongs(());

/// That a request's client may go on to the domain that it asked for. Only [`Arrival::check_client`] makes one.
#[derive(Debug)]
pub(super) struct Presented(());

impl Arrival {
    /// A connection without TLS.
    pub(crate) const fn plain(peer: SocketAddr) -> Self {
        Self { peer, tls: None, silence: Silence::Borne }
    }

    /// A connection with TLS.
    pub(crate) const fn over(tls: TlsArrival, peer: SocketAddr) -> Self {
        Self { peer, tls: Some(tls), silence: Silence::Borne }
    }

    /// No connection: the request is asked about by a caller at this address, who wants to know what becomes of it.
    pub(crate) const fn asked(peer: SocketAddr) -> Self {
        Self { peer, tls: None, silence: Silence::Skipped }
    }

    /// The client's certificate, verified.
    pub(crate) fn client_certificate(&self) -> Option<&Arc<ClientCertificate>> {
        self.tls.as_ref()?.client.as_ref()?.as_ref().ok()
    }

    /// Whether a request for this host belongs on this connection: on one with TLS, the host must be the name that was asked
    /// for or one that the certificate is for (RFC 9110, section 7.4).
    pub(super) fn check_host(&self, host: &str) -> Result<Belongs, Refusal> {
        let Some(tls) = &self.tls else { return Ok(Belongs(())) };
        let asked = tls.server_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(host));
        if asked || tls.names.iter().any(|name| stands_for(name, host)) {
            Ok(Belongs(()))
        } else {
            Err(Refusal::Misdirected)
        }
    }

    /// Whether a request for this domain may go on. A client certificate counts for the domain of its handshake and for the
    /// trust store that it was verified with, and for nothing else.
    pub(super) fn check_client(&self, domain: &DomainTls) -> Result<Presented, Refusal> {
        let Some(trust) = domain.trust() else { return Ok(Presented(())) };
        let Some(tls) = &self.tls else { return Err(Refusal::ClientCertificateRequired) };
        let same = |shaken: &Arc<DomainTls>| {
            shaken.name() == domain.name() && shaken.trust().is_some_and(|with| Arc::ptr_eq(with, trust))
        };
        match (tls.domain.as_ref().is_some_and(same), &tls.client) {
            (false, _) => Err(Refusal::ClientCertificateElsewhere),
            (true, Some(Ok(_))) => Ok(Presented(())),
            (true, Some(Err(_))) => Err(Refusal::ClientCertificateInvalid),
            (true, None) => Err(Refusal::ClientCertificateRequired),
        }
    }
}
