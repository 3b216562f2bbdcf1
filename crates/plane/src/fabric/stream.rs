//! The answer of a target as it streams: it gives its connection back when it is over, and gives up on a target that falls
//! silent within it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use topology::reason::Reason;
use topology::trace::RequestId;

use super::exchange::Incoming;
use super::http2::Http2Pool;
use super::pool::{Key, Pool};
use crate::clock;
use crate::guard::Guard;
use crate::http::body::{BodyFault, Progress};
use crate::http::framing::Framing;
use crate::trace::TraceRing;

/// How long a target may keep everybody waiting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// In one piece: the ALB's idle timeout.
    pub(crate) idle: Duration,
    /// In all: what is left of the integration's timeout. Time in which the client does not read is not counted.
    pub(crate) budget: Duration,
}

/// What an exchange holds until it is over.
#[derive(Debug)]
pub(crate) struct Hold {
    /// Between whom the connection runs; `None` for one that others use meanwhile.
    pub(crate) key: Option<Key>,
    /// How far the request's body got.
    pub(crate) sent: Option<Arc<Progress>>,
    /// Whether the connection may be used again.
    pub(crate) reusable: bool,
    /// What lasts as long as the exchange.
    pub(crate) lasting: Option<Guard>,
}

/// Where exchanges come home to: their connections, and what is said of them afterwards.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    /// The kept connections.
    pub(crate) pool: Arc<Pool>,
    /// Those over which HTTP/2 is spoken.
    pub(crate) http2: Arc<Http2Pool>,
    /// The newest traces.
    pub(crate) traces: Arc<TraceRing>,
}

/// The body of an answer, as far as it has come.
#[derive(Debug)]
pub(crate) enum Coming {
    /// All of it, and what its head says of it.
    Whole(Bytes, Framing),
    /// The rest is still to come.
    Streaming(Box<UpstreamBody>),
}

/// A target's body.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    /// Until it is over.
    incoming: Option<Incoming>,
    hold: Option<Hold>,
    home: Home,
    request: RequestId,
    patience: Patience,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    sleep: Pin<Box<Sleep>>,
    reason: Reason,
}

impl Waiting {
    fn begin(since: Instant, patience: Patience) -> Self {
        let reason = if patience.budget <= patience.idle { Reason::IntegrationTimeout } else { Reason::TargetTimeout };
        Self { since, sleep: Box::pin(sleep_until(since + patience.budget.min(patience.idle))), reason }
    }
}

impl Hold {
    /// The exchange is over.
    pub(crate) fn finish(self, pool: &Pool, incoming: Incoming) {
        drop(self.lasting);
        if self.reusable
            && self.sent.is_none_or(|sent| sent.is_done())
            && let Some((wire, key)) = incoming.into_idle().zip(self.key)
        {
            pool.give_back(wire, key);
        }
    }
}

/// The body of an answer: as it is if all of it came with the head, else as it comes.
pub(crate) fn body(mut incoming: Incoming, hold: Hold, patience: Patience, trace: (&Home, RequestId)) -> Coming {
    let ((home, request), framing) = (trace, incoming.framing());
    match incoming.whole() {
        Some(bytes) => {
            hold.finish(&home.pool, incoming);
            Coming::Whole(bytes, framing)
        }
        None => Coming::Streaming(Box::new(UpstreamBody {
            incoming: Some(incoming),
            hold: Some(hold),
            home: home.clone(),
            request,
            patience,
            waiting: None,
        })),
    }
}

impl UpstreamBody {
    /// How its head frames it.
    pub(crate) fn framing(&self) -> Framing {
        self.incoming.as_ref().map_or(Framing::None, Incoming::framing)
    }

    fn finish(&mut self) {
        if let (Some(hold), Some(incoming)) = (self.hold.take(), self.incoming.take()) {
            hold.finish(&self.home.pool, incoming);
        }
    }

    fn fail(&mut self, fault: BodyFault, reason: Reason) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        (self.hold, self.incoming) = (None, None);
        self.home.traces.amend(self.request, reason);
        Poll::Ready(Some(Err(fault)))
    }

    /// When the client last sent something, where either side may be silent while the other one speaks.
    fn moved(&self) -> Option<Instant> {
        let is_two_way = self.incoming.as_ref().is_some_and(Incoming::is_two_way);
        let hold = self.hold.as_ref().filter(|_| is_two_way)?;
        Some(hold.sent.as_ref()?.moved())
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let (patience, moved) = (self.patience, self.moved());
        let waiting = self.waiting.get_or_insert_with(|| Waiting::begin(clock::now(), patience));
        match waiting.sleep.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => match moved.filter(|moved| *moved > waiting.since) {
                // The silence of both sides began when the client last spoke.
                Some(moved) => {
                    *waiting = Waiting::begin(moved, patience);
                    self.poll_patience(cx)
                }
                None => {
                    let reason = waiting.reason;
                    self.fail(BodyFault::TargetSilent, reason)
                }
            },
        }
    }
}

impl HttpBody for UpstreamBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let polled = Pin::new(incoming).poll_frame(cx);
        if polled.is_ready()
            && let Some(waiting) = self.waiting.take()
        {
            let waited = clock::now().duration_since(waiting.since);
            self.patience.budget = self.patience.budget.saturating_sub(waited);
        }
        match polled {
            Poll::Pending => self.poll_patience(cx),
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                if self.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "a target broke off its answer");
                self.fail(BodyFault::TargetBroke, Reason::TargetClosed)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or(SizeHint::with_exact(0), Incoming::size_hint)
    }
}
