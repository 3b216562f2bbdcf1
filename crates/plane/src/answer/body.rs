//! Bodies of answers: generated, or streaming from a target. A body holds what lasts as long as it does and settles what is settled
//! when it is over.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::fabric::stream::{Coming, UpstreamBody};
use crate::guard::Guard;
use crate::http::body::BodyFault;
use crate::http::gathered::{Gathered, Unread, gather};
use crate::http::places::Place;
use crate::limits::{HELD_PIECE_BYTES, WHOLE_BODY_PIECE_BYTES};
use crate::report::ending::Ending;

/// The body of an answer of the data plane.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
    /// Says that the client's connection waits for no request.
    busy: Option<Guard>,
    /// What is settled when it is over.
    ending: Option<Box<Ending>>,
}

#[derive(Debug)]
enum Kind {
    Full(Bytes),
    /// The same, with its place among those that may be.
    Held(Box<Held>),
    Upstream(Box<UpstreamBody>),
    Gathered(Box<Gathered<Body>>),
}

/// An answer in memory, with its place among those that may be.
#[derive(Debug)]
struct Held {
    bytes: Bytes,
    place: Place,
}

impl Held {
    /// Takes a piece of it for a connection to send. It is a copy: whatever becomes of it there, what is in memory here is free, and
    /// its place with it, when the body is.
    fn take_piece(&mut self) -> Option<Bytes> {
        let piece = self.bytes.split_to(self.bytes.len().min(HELD_PIECE_BYTES));
        (!piece.is_empty()).then(|| Bytes::copy_from_slice(&piece))
    }
}

impl Body {
    /// A body with these bytes.
    #[must_use]
    pub fn full(bytes: Bytes) -> Self {
        Self { kind: Kind::Full(bytes), busy: None, ending: None }
    }

    /// A body with these bytes, which keeps its place until it is sent. A small one needs none: a client that takes nothing must
    /// not hold what others wait for.
    pub(crate) fn held(bytes: Bytes, mut place: Place) -> Self {
        if bytes.len() as u64 <= WHOLE_BODY_PIECE_BYTES {
            return Self::full(bytes);
        }
        place.shrink_to(bytes.len());
        Self { kind: Kind::Held(Box::new(Held { bytes, place })), busy: None, ending: None }
    }

    /// A body that is here already with its place, so that nobody who has one waits for another; else the body again.
    pub(crate) fn into_held(self) -> Result<(Bytes, Place), Self> {
        match self.kind {
            Kind::Held(held) => Ok((held.bytes, held.place)),
            kind => Err(Self { kind, ..self }),
        }
    }

    /// Settles this when the body is dropped.
    pub(crate) fn ends_with(&mut self, ending: Option<Box<Ending>>) {
        self.ending = ending;
    }

    /// Reads the beginning of the body ahead.
    pub(crate) async fn gather(self, bytes_max: usize, place: Place) -> Result<(Self, Bytes), Unread> {
        // The stream of an answer has a patience of its own.
        let (body, text) = gather(self, bytes_max, (place, Duration::MAX)).await?;
        Ok((Self { kind: Kind::Gathered(Box::new(body)), busy: None, ending: None }, text))
    }

    /// Leaves the bytes out: the answer is to a HEAD.
    pub(crate) fn leave_out(&mut self) {
        self.kind = Kind::Full(Bytes::new());
    }

    /// The client is given up on, or the body broke off.
    pub(crate) fn broke(&mut self, fault: BodyFault) {
        if let Some(ending) = &mut self.ending {
            ending.broke(fault);
        }
    }

    /// Holds a guard until the body is dropped.
    pub(crate) fn keep_busy(&mut self, busy: Option<Guard>) {
        self.busy = busy;
    }
}

impl From<Coming> for Body {
    fn from(coming: Coming) -> Self {
        match coming {
            Coming::Whole(bytes) => Self::full(bytes),
            Coming::Streaming(body) => Self { kind: Kind::Upstream(body), busy: None, ending: None },
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::full(Bytes::new())
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let polled = match &mut self.kind {
            Kind::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Held(body) => Poll::Ready(body.take_piece().map(|piece| Ok(Frame::data(piece)))),
            Kind::Upstream(body) => Pin::new(&mut **body).poll_frame(cx),
            Kind::Gathered(body) => Pin::new(&mut **body).poll_frame(cx),
        };
        if let (Poll::Ready(Some(frame)), Some(ending)) = (&polled, &mut self.ending) {
            match frame {
                Ok(frame) => ending.passed(frame.data_ref().map_or(0, Bytes::len)),
                Err(fault) => ending.broke(*fault),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Held(body) => body.bytes.is_empty(),
            Kind::Upstream(body) => body.is_end_stream(),
            Kind::Gathered(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Held(body) => SizeHint::with_exact(body.bytes.len() as u64),
            Kind::Upstream(body) => body.size_hint(),
            Kind::Gathered(body) => body.size_hint(),
        }
    }
}
