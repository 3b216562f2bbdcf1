//! Connections of clients: accepting, handshakes, what is spoken, and who waits for whom. What is presented to a client and who answers
//! it is the business of whoever stands behind the [`Door`].

pub(crate) mod arrival;
pub(crate) mod connection;
pub(crate) mod flow;
pub(crate) mod handshake;
pub(crate) mod listen;
pub(crate) mod watch;

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};

use self::arrival::Arrival;
use crate::answer::body::Body;
use crate::guard::Guard;
use crate::http::body::SentBody;
use crate::http1::spelling::Spelling;
use crate::tls::presented::{DomainTls, Presentation};

/// What is presented in a handshake, and the custom domain whose certificate that is.
pub(crate) type Presented = (Option<Arc<DomainTls>>, Arc<Presentation>);

/// What stands behind a listener.
pub(crate) trait Door: Send + Sync + 'static {
    /// Makes ready what may be presented.
    fn prepare(&self) -> impl Future<Output = ()> + Send;

    /// What is presented to a client that asks for this server.
    ///
    /// # Errors
    /// Why nothing is, for the operator.
    fn present(&self, name: Option<&str>) -> Result<Presented, String>;

    /// Answers a request, with the names of its headers as they were spelled. `busy` lasts to the end of the answer.
    fn serve(
        self: Arc<Self>,
        request: (Request<SentBody>, Spelling),
        arrival: Arc<Arrival>,
        busy: Option<Guard>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + 'static;
}
