//! The answer of a target as it streams: it gives its connection back when it is over, and gives up on a target that falls
//! silent within it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use topology::reason::Reason;
use topology::trace::RequestId;

use super::pool::Lease;
use crate::alb::state::InFlight;
use crate::clock;
use crate::http::body::{BodyFault, Progress};
use crate::shared::Shared;

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
    /// The connection.
    pub(crate) lease: Lease,
    /// How far the request's body got.
    pub(crate) sent: Option<Arc<Progress>>,
    /// Whether the connection may be used again.
    pub(crate) reusable: bool,
    /// Counts the request as under way at its target, where there is one.
    pub(crate) in_flight: Option<InFlight>,
}

/// A target's body.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    hold: Option<Hold>,
    shared: Arc<Shared>,
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

impl UpstreamBody {
    /// Wraps an answer's body. One without any gives its connection back at once.
    pub(crate) fn new(incoming: Incoming, hold: Hold, patience: Patience, trace: (Arc<Shared>, RequestId)) -> Self {
        let (shared, request) = trace;
        let mut body = Self { incoming, hold: Some(hold), shared, request, patience, waiting: None };
        if body.incoming.is_end_stream() {
            body.finish();
        }
        body
    }

    fn finish(&mut self) {
        if let Some(hold) = self.hold.take() {
            drop(hold.in_flight);
            if hold.reusable && hold.sent.is_none_or(|sent| sent.is_done()) {
                self.shared.pool.give_back(hold.lease);
            }
        }
    }

    fn fail(&mut self, fault: BodyFault, reason: Reason) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        self.hold = None;
        self.shared.traces.amend(self.request, reason);
        Poll::Ready(Some(Err(fault)))
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| {
            let since = clock::now();
            let reason =
                if patience.budget <= patience.idle { Reason::IntegrationTimeout } else { Reason::TargetTimeout };
            Waiting { since, sleep: Box::pin(sleep_until(since + patience.budget.min(patience.idle))), reason }
        });
        match waiting.sleep.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let reason = waiting.reason;
                self.fail(BodyFault::TargetSilent, reason)
            }
        }
    }
}

impl HttpBody for UpstreamBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
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
                if self.incoming.is_end_stream() {
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
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
