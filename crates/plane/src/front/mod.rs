//! Connections of clients: accepting, handshakes, what is spoken, and who waits for whom. What is presented to a client and who answers
//! it is the business of whoever stands behind the [`Door`].

pub(crate) mod arrival;
pub(crate) mod connection;
pub(crate) mod flow;
pub(crate) mod handshake;
mod http2;
pub(crate) mod listen;
pub(crate) mod tap;
pub(crate) mod watch;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};

use self::arrival::Arrival;
use self::handshake::Failed;
use self::listen::Transport;
use crate::answer::body::Body;
use crate::guard::Guard;
use crate::http::body::SentBody;
use crate::http1::spelling::Spelling;
use crate::tls::Hello;
use crate::tls::presented::{DomainTls, Presentation};

/// How clients are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manners {
    /// What they speak first.
    pub(crate) transport: Transport,
    /// Whether they may speak HTTP/2 without TLS, with prior knowledge (RFC 9113, section 3.3).
    pub(crate) takes_prior_knowledge: bool,
    /// How long one may wait between two requests; seen in sweeps (`IDLE_SWEEP_INTERVAL`).
    pub(crate) idle: Duration,
    /// Whether they may switch a connection to another protocol.
    pub(crate) takes_upgrades: bool,
    /// Whether what is no request is answered like one.
    pub(crate) answers_unread: bool,
}

/// What is presented in a handshake, and the custom domain whose certificate that is.
pub(crate) type Presented = (Option<Arc<DomainTls>>, Arc<Presentation>);

/// What is presented in handshakes.
pub(crate) trait Presents: Send + Sync {
    /// Makes ready what may be presented.
    fn prepare(&self) -> impl Future<Output = ()> + Send;

    /// What is presented to a client that begins like this.
    ///
    /// # Errors
    /// Why nothing is, for the operator.
    fn present(&self, hello: Hello<'_>) -> Result<Presented, String>;
}

/// What stands behind a listener that takes requests.
pub(crate) trait Door: Presents + 'static {
    /// How a client is met that comes now, through a socket that was opened for this.
    fn manners(&self, opened_for: Transport) -> Manners;

    /// Notes that a client has a connection. What it gives lasts as long as the connection does.
    fn came(&self, arrival: &Arrival) -> Option<Guard>;

    /// Notes that a client's handshake came to nothing.
    fn failed(&self, peer: SocketAddr, failed: &Failed);

    /// Answers a request, with the names of its headers as they were spelled. `busy` lasts to the end of the answer.
    fn serve(
        self: Arc<Self>,
        request: (Request<SentBody>, Spelling),
        arrival: Arc<Arrival>,
        busy: Option<Guard>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + 'static;
}
