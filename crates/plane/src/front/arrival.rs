//! How a connection came: from where, and over which TLS session, if over one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use topology::id::CertificateId;

use crate::guard::Guard;
use crate::tls::client::{ClientCertificate, Unverified};
use crate::tls::mutual::Asked;
use crate::tls::presented::DomainTls;
use crate::trace::Silence;
use crate::{clock, entropy};

/// How a connection came.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// Its TLS session, if it has one.
    pub(crate) tls: Option<TlsArrival>,
    /// What its requests have in common in logs.
    pub(crate) id: u128,
    /// When it came.
    since: Instant,
    /// Whether its requests bear the silence of connections that nobody answers.
    pub(crate) silence: Silence,
    /// What lasts as long as the connection.
    pub(crate) open: Option<Guard>,
}

/// A TLS session with a client.
#[derive(Debug)]
pub(crate) struct TlsArrival {
    /// The server name that the client asked for, in lower case.
    pub(crate) server_name: Option<String>,
    /// The suite, as OpenSSL calls it, and the version: `TLSv1.3`.
    pub(crate) agreed: (&'static str, &'static str),
    /// How keys were exchanged.
    pub(crate) key_exchange: Option<&'static str>,
    /// How long the handshake took.
    pub(crate) handshake: Duration,
    /// The certificate that was presented, where it was imported.
    pub(crate) certificate: Option<CertificateId>,
    /// The names of the certificate that was presented.
    pub(crate) names: Arc<[String]>,
    /// The custom domain whose certificate that is.
    pub(crate) domain: Option<Arc<DomainTls>>,
    /// The client's certificate, where the domain asks for one.
    pub(crate) client: Option<Result<Arc<ClientCertificate>, Unverified>>,
    /// What a listener asked of the client's certificate, if it did.
    pub(crate) asked: Option<Asked>,
}

impl Arrival {
    /// A connection without TLS.
    pub(crate) fn plain(peer: SocketAddr) -> Self {
        Self::new(peer, None, Silence::Borne)
    }

    /// A connection with TLS.
    pub(crate) fn over(tls: TlsArrival, peer: SocketAddr) -> Self {
        Self::new(peer, Some(tls), Silence::Borne)
    }

    /// No connection: the request is asked about by a caller at this address, who wants to know what becomes of it.
    pub(crate) fn asked(peer: SocketAddr) -> Self {
        Self::new(peer, None, Silence::Skipped)
    }

    fn new(peer: SocketAddr, tls: Option<TlsArrival>, silence: Silence) -> Self {
        Self { peer, tls, id: entropy::bits128(), since: clock::now(), silence, open: None }
    }

    /// How long ago it came.
    pub(crate) fn age(&self) -> Duration {
        clock::now().duration_since(self.since)
    }

    /// The client's certificate, verified.
    pub(crate) fn client_certificate(&self) -> Option<&Arc<ClientCertificate>> {
        self.tls.as_ref()?.client.as_ref()?.as_ref().ok()
    }
}
