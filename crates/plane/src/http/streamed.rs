//! A request's body that hyper reads, and what becomes of the rest where nobody wants it: it is taken and thrown away for a moment. Hyper
//! resets the stream of a body that is let go of, and clients there are (curl 7.88) forget an answer that a reset follows at once.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;

use crate::limits::{LINGER_BYTES_MAX, LINGER_TIMEOUT};
use crate::task::watched;

/// A body that may be let go of before its end.
#[derive(Debug)]
pub(crate) struct Streamed {
    /// `None` behind its end.
    body: Option<Incoming>,
}

impl Streamed {
    /// The whole body.
    pub(crate) const fn new(body: Incoming) -> Self {
        Self { body: Some(body) }
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        let body = self.body.take().filter(|body| !body.is_end_stream());
        // Without a runtime there is no connection either.
        if let (Some(body), Ok(runtime)) = (body, Handle::try_current()) {
            drop(runtime.spawn(watched(tokio::time::timeout(LINGER_TIMEOUT, pass_over(body)))));
        }
    }
}

/// Reads a body to its end, or to what is read in vain at most.
async fn pass_over(mut body: Incoming) {
    let mut left = LINGER_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(less) => left = less,
            None => return,
        }
    }
}
