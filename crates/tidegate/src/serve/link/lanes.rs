//! What becomes of a lane that was let in.

use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use topology::id::AgentId;

use super::Admitted;
use crate::serve::State;

/// What is known of an agent that is connected.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// Whether no new requests are sent to it.
    pub(crate) is_draining: bool,
    /// The version of its program.
    pub(crate) version: String,
    /// When it was last heard, as RFC 3339 has it.
    pub(crate) last_seen: String,
    /// How long a ping to it and back took, in milliseconds.
    pub(crate) round_trip_ms: f64,
    /// Its open connections.
    pub(crate) connections: usize,
}

/// Takes a lane. Nothing is carried over the link yet: it is closed in order.
pub(crate) async fn admitted(_state: &Arc<State>, admitted: Admitted, mut stream: TlsStream<TcpStream>) {
    tracing::debug!(agent = %admitted.agent, lane = ?admitted.lane, "nothing is carried yet: the lane is closed");
    let _ = stream.shutdown().await;
}

/// What is known of an agent now; `None` where it is not connected.
pub(crate) fn live(_state: &State, _agent: AgentId) -> Option<Live> {
    None
}
