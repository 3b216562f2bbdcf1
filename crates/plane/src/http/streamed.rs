//! A request's body that comes over HTTP/2, and what becomes of the rest where nobody wants it: it is taken and thrown away for a moment.
//! The stream of a body that is let go of is reset, and clients there are (curl 7.88) forget an answer that a reset follows at once.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::runtime::Handle;

use super::body::{BodyFault, broke_off};
use crate::limits::{LINGER_BYTES_MAX, LINGER_TIMEOUT};
use crate::task::watched;

/// A body that may be let go of before its end.
#[derive(Debug)]
pub(crate) struct Streamed {
    /// `None` behind its end.
    body: Option<Source>,
}

#[derive(Debug)]
enum Source {
    /// Over a connection of ours.
    Stream(Stream),
    /// Over a connection that hyper reads.
    Hyper(Incoming),
}

/// Data, and trailers behind it.
#[derive(Debug)]
struct Stream {
    stream: RecvStream,
    /// Bytes that are to come, where the head says so.
    left: Option<u64>,
}

impl Streamed {
    /// The whole body, over a connection of hyper's.
    pub(crate) const fn hyper(body: Incoming) -> Self {
        Self { body: Some(Source::Hyper(body)) }
    }

    /// The whole body, of so many bytes where its head says so.
    pub(crate) const fn stream(stream: RecvStream, length: Option<u64>) -> Self {
        Self { body: Some(Source::Stream(Stream { stream, left: length })) }
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(body.poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Source::is_end_stream)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match &self.body {
            None => SizeHint::with_exact(0),
            Some(Source::Hyper(body)) => body.size_hint(),
            Some(Source::Stream(body)) if body.stream.is_end_stream() => SizeHint::with_exact(0),
            Some(Source::Stream(body)) => body.left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self {
            Self::Stream(body) => body.poll_frame(cx),
            Self::Hyper(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|error| if broke_off(&error) { BodyFault::ClientGone } else { BodyFault::Malformed }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Stream(body) => body.stream.is_end_stream(),
            Self::Hyper(body) => body.is_end_stream(),
        }
    }
}

impl Stream {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match ready!(self.stream.poll_data(cx)) {
            Some(Ok(bytes)) => {
                // More may come as soon as this is taken. What is released was received.
                let _ = self.stream.flow_control().release_capacity(bytes.len());
                self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            Some(Err(error)) => return Poll::Ready(ended(&error)),
            // Said again behind the end.
            None => {}
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers)))),
            Err(error) => Poll::Ready(ended(&error)),
        }
    }
}

/// How a body ended that did not come to its end. A client that wants no answer any more resets its stream without an error (RFC 9113,
/// section 8.1).
fn ended(error: &h2::Error) -> Option<Result<Frame<Bytes>, BodyFault>> {
    match error.reason() {
        Some(Reason::NO_ERROR) => None,
        _ if error.is_io() || error.is_remote() => Some(Err(BodyFault::ClientGone)),
        _ => Some(Err(BodyFault::Malformed)),
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
async fn pass_over(mut body: Source) {
    let mut left = LINGER_BYTES_MAX;
    while let Some(Ok(frame)) = poll_fn(|cx| body.poll_frame(cx)).await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(less) => left = less,
            None => return,
        }
    }
}
