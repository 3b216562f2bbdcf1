//! The two ends of a link between machines, driven: sessions on control lanes, and the connections that carry requests. Whoever an agent is
//! was found before a stream comes here; what a state is made of, and what becomes of facts and calls, is said by whoever stands behind
//! [`gateway::Office`] and [`agent::Desk`].

pub mod agent;
pub mod gateway;

use std::time::Duration;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use thiserror::Error;
use tokio::time::Instant;

use super::message::FrameFault;
use super::session::Over;
use crate::clock;

/// The path of the stream of a control lane over which both sides speak.
const SESSION_PATH: &str = "/session";
/// The same as HTTP/2 wants it named.
const SESSION_URI: &str = "https://agent.tidegate.link/session";

/// What a connection to a gateway is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LaneKind {
    /// Requests, one at a time.
    Data,
    /// The session.
    Control,
}

/// Why a control lane ended.
#[derive(Debug, Error)]
pub enum LaneError {
    /// The session is over.
    #[error(transparent)]
    Over(#[from] Over),
    /// What came is no message.
    #[error(transparent)]
    Frame(#[from] FrameFault),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Http2(#[from] h2::Error),
    /// It could not be dialled.
    #[error("{0}")]
    Dial(#[from] std::io::Error),
    /// The other side ended it.
    #[error("the other side ended the session")]
    Ended,
    /// The agent may not carry any more.
    #[error("the agent is shut out: {0}")]
    ShutOut(&'static str),
    /// A state cannot be put in.
    #[error("the state of the VPC cannot be taken: {0}")]
    State(String),
}

/// The streams of a session.
struct Streams {
    up: SendStream<Bytes>,
    down: RecvStream,
    began: Instant,
}

impl Streams {
    fn new(up: SendStream<Bytes>, down: RecvStream) -> Self {
        Self { up, down, began: clock::now() }
    }

    /// How long ago it began: the time of its session.
    fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.began)
    }

    /// When a moment of the session's time is.
    fn at(&self, moment: Duration) -> Instant {
        self.began + moment
    }

    /// The bytes that come next; `None` when there are no more.
    async fn read(&mut self) -> Result<Option<Bytes>, LaneError> {
        let Some(bytes) = self.down.data().await.transpose()? else { return Ok(None) };
        self.down.flow_control().release_capacity(bytes.len())?;
        Ok(Some(bytes))
    }

    /// Sends a frame as the other side takes it.
    async fn write(&mut self, mut frame: Bytes) -> Result<(), LaneError> {
        while !frame.is_empty() {
            self.up.reserve_capacity(frame.len());
            let room = std::future::poll_fn(|cx| self.up.poll_capacity(cx)).await.ok_or(LaneError::Ended)??;
            let piece = frame.split_to(room.min(frame.len()));
            self.up.send_data(piece, false)?;
        }
        Ok(())
    }
}
