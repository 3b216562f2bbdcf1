//! Bodies of answers: generated, or streaming from a target. A body holds what lasts as long as it does and settles what is settled
//! when it is over.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::fabric::stream::{Coming, UpstreamBody};
use crate::guard::Guard;
use crate::http::body::BodyFault;
use crate::http::framing::{self, Framing, FramingLines, WithFraming};
use crate::http::gathered::{Gathered, Unread, gather};
use crate::http::places::Place;
use crate::limits::{HELD_PIECE_BYTES, WHOLE_BODY_PIECE_BYTES};
use crate::report::ending::Ending;
use crate::report::visited::Visited;

/// The body of an answer of the data plane.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
    /// How its head says it is framed.
    framing: Framing,
    /// Says that the client's connection waits for no request.
    busy: Option<Guard>,
    /// What is settled when it is over.
    ending: Option<Box<Ending>>,
    /// The same at the load balancer that it comes from.
    visited: Option<Box<Visited>>,
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
        let framing = Framing::of_bytes(bytes.len());
        Self::of(Kind::Full(bytes), framing)
    }

    const fn of(kind: Kind, framing: Framing) -> Self {
        Self { kind, framing, busy: None, ending: None, visited: None }
    }

    /// A body with these bytes, which keeps its place until it is sent. A small one needs none: a client that takes nothing must
    /// not hold what others wait for.
    pub(crate) fn held(bytes: Bytes, mut place: Place) -> Self {
        if bytes.len() as u64 <= WHOLE_BODY_PIECE_BYTES {
            return Self::full(bytes);
        }
        place.shrink_to(bytes.len());
        let framing = Framing::of_bytes(bytes.len());
        Self::of(Kind::Held(Box::new(Held { bytes, place })), framing)
    }

    /// A body that is here already with its place, so that nobody who has one waits for another; else the body again.
    pub(crate) fn into_held(self) -> Result<(Bytes, Place), Self> {
        match self.kind {
            Kind::Held(held) => Ok((held.bytes, held.place)),
            kind => Err(Self { kind, ..self }),
        }
    }

    /// The line by which its head says how it is framed, as it came or was made, to be shown and mapped.
    pub(crate) fn lines(&self) -> FramingLines {
        self.framing.of_answer().lines()
    }

    /// Bytes of that line as HTTP/1.1 writes it.
    pub(crate) fn line_bytes(&self) -> usize {
        self.framing.of_answer().line_bytes()
    }

    /// Says of an answer without a body that it has none. An integration that was asked with HEAD tells the length of what a GET would
    /// have brought, for which a client that did not ask so would wait (RFC 9110, section 8.6).
    pub(crate) fn describe(&mut self) {
        if matches!(self.framing, Framing::Length(_)) && self.is_end_stream() {
            self.framing = Framing::Length(0);
        }
    }

    /// Says how many bytes it has, where that is known.
    pub(crate) fn measure(&mut self) {
        self.framing = self.size_hint().exact().map_or(self.framing, Framing::Length);
    }

    /// Settles this when the body is dropped.
    pub(crate) fn ends_with(&mut self, ending: Option<Box<Ending>>) {
        self.ending = ending;
    }

    /// Settles this of a load balancer when the body is dropped.
    pub(crate) fn leaves(&mut self, visited: Box<Visited>) {
        self.visited = Some(visited);
    }

    /// How many bytes it has, where all of it is here.
    pub(crate) fn here(&self) -> Option<u64> {
        match &self.kind {
            Kind::Full(bytes) => Some(bytes.len() as u64),
            Kind::Held(_) | Kind::Upstream(_) | Kind::Gathered(_) => None,
        }
    }

    /// Reads the beginning of the body ahead.
    pub(crate) async fn gather(self, bytes_max: usize, place: Place) -> Result<(Self, Bytes), Unread> {
        // The stream of an answer has a patience of its own.
        let framing = self.framing;
        let (body, text) = gather(self, bytes_max, (place, Duration::MAX)).await?;
        Ok((Self::of(Kind::Gathered(Box::new(body)), framing), text))
    }

    /// Leaves the bytes out, and says the same of them: the answer is to a HEAD.
    pub(crate) fn leave_out(&mut self) {
        self.kind = Kind::Full(Bytes::new());
    }

    /// The client is given up on, or the body broke off.
    pub(crate) fn broke(&mut self, fault: BodyFault) {
        if let Some(ending) = &mut self.ending {
            ending.broke(fault);
        }
    }

    /// Holds a guard until the body is dropped. What follows a switched connection may last as long as it does.
    pub(crate) fn keep_busy(&mut self, busy: Option<Guard>) {
        if self.framing == Framing::Switched {
            busy.iter().for_each(Guard::endless);
        }
        self.busy = busy;
    }
}

impl Body {
    /// Notes what went out, or that nothing more comes.
    fn note(&mut self, frame: Result<&Frame<Bytes>, &BodyFault>) {
        let bytes = frame.ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
        if let Some(visited) = &mut self.visited {
            visited.passed(bytes);
        }
        match (&mut self.ending, frame) {
            (Some(ending), Ok(_)) => ending.passed(bytes),
            (Some(ending), Err(fault)) => ending.broke(*fault),
            (None, _) => {}
        }
    }
}

impl From<Coming> for Body {
    fn from(coming: Coming) -> Self {
        match coming {
            Coming::Whole(bytes, framing) => Self::of(Kind::Full(bytes), framing),
            Coming::Streaming(body) => {
                let framing = body.framing();
                Self::of(Kind::Upstream(body), framing)
            }
        }
    }
}

impl WithFraming for Body {
    fn framing(&self) -> Framing {
        match (self.framing, self.size_hint().exact()) {
            (Framing::Chunked, Some(0)) => Framing::None,
            // All of it was read ahead.
            (Framing::Chunked | Framing::None, Some(bytes)) if bytes > 0 => Framing::Length(bytes),
            (framing, _) => framing,
        }
    }
}

/// An answer for a connection over HTTP/2 or one of hyper's, which says by itself where a body ends; its length stands in the head.
pub(crate) fn for_http2(mut answer: Response<Body>) -> Response<Body> {
    let framing = answer.body().framing();
    framing::write_length(answer.headers_mut(), framing);
    answer
}

impl Default for Body {
    /// None, of which nothing is said.
    fn default() -> Self {
        Self::of(Kind::Full(Bytes::new()), Framing::None)
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
        if let Poll::Ready(Some(frame)) = &polled {
            self.note(frame.as_ref());
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
