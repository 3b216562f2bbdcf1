//! Bodies of requests: as the client sends them (`SentBody`), and on their way to a target (`RequestBody`). Each knows how its head frames
//! it, counts its bytes and tells how far it got, so that whoever waits for the answer knows whose turn it is. Those of answers are
//! `answer::body`'s.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use http::{Method, Request};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::framing::{Framing, FramingLines, WithFraming};
use super::gathered::{self, Gathered, Patience, Unread, gather};
use super::hop;
use super::places::{NoPlace, Place};
use super::relay::Fed;
use super::streamed::Streamed;
use crate::clock;
use crate::limits::{HELD_BODY_IDLE_TIMEOUT, REQUEST_BODY_BYTES_MAX, SIGNED_BODY_TIMEOUT};

/// Why a body ended early. The connection is closed; the trace says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyFault {
    /// The request body is above the limit.
    TooLarge,
    /// The request body's framing is broken.
    Malformed,
    /// The client went away.
    ClientGone,
    /// The client was silent for too long.
    ClientSilent,
    /// The target closed the connection or broke its framing.
    TargetBroke,
    /// The target was silent for too long.
    TargetSilent,
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the request body is too large",
            Self::Malformed => "the request body is malformed",
            Self::ClientGone => "the client went away",
            Self::ClientSilent => "the client was silent for too long",
            Self::TargetBroke => "the target broke off",
            Self::TargetSilent => "the target was silent for too long",
        })
    }
}

impl std::error::Error for BodyFault {}

/// A body that the client is still to send.
#[derive(Debug)]
pub(crate) enum Coming {
    /// Over HTTP/1.1.
    Http1(Fed),
    /// Over HTTP/2, or over a connection that hyper reads.
    Streamed(Streamed),
}

impl HttpBody for Coming {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self.get_mut() {
            Self::Http1(body) => Pin::new(body).poll_frame(cx),
            Self::Streamed(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Streamed(body) => body.size_hint(),
        }
    }
}

/// The body of a request as the gateway has it, with what the head says of it.
#[derive(Debug)]
pub(crate) struct SentBody {
    kind: Sent,
    framing: Framing,
}

#[derive(Debug)]
enum Sent {
    /// The client is still to send it.
    Coming(Coming),
    /// It was read to its end.
    Read(ReadBody),
}

/// A request's body in memory, with its place among those that may be.
#[derive(Debug, Default)]
pub(crate) struct ReadBody {
    bytes: Bytes,
    /// Boxed, so that requests without a body carry nothing of it about.
    place: Option<Box<Place>>,
}

impl ReadBody {
    /// These bytes, in this place.
    pub(crate) fn new(bytes: Bytes, place: Option<Place>) -> Self {
        Self::placed(bytes, place.map(Box::new))
    }

    const fn placed(bytes: Bytes, place: Option<Box<Place>>) -> Self {
        Self { bytes, place }
    }

    /// Its place, for what comes in its stead.
    fn take_place(&mut self) -> Option<Box<Place>> {
        self.place.take()
    }

    /// What was read.
    pub(crate) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Makes its place large enough for the largest body; a body that has none yet takes this one.
    pub(crate) async fn reserve(&mut self, place: Place) -> Result<(), NoPlace> {
        self.place.get_or_insert_with(|| Box::new(place)).grow_to_largest().await
    }

    /// The bytes, while the place stays: it is held until the exchange is over.
    fn take_frame<E>(&mut self) -> Option<Result<Frame<Bytes>, E>> {
        let bytes = std::mem::take(&mut self.bytes);
        (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))
    }
}

impl SentBody {
    /// Over HTTP/1.1: how its head frames it, and what brings it, unless there is none.
    pub(crate) fn http1(framing: Framing, fed: Option<Fed>) -> Self {
        let kind = match fed {
            Some(fed) => Sent::Coming(Coming::Http1(fed)),
            None => Sent::Read(ReadBody::default()),
        };
        Self { kind, framing }
    }

    /// Over a connection of hyper's, which frames it: the lines that say so leave the headers. There is no way to have the body alone.
    pub(crate) fn of_hyper(request: Request<Incoming>) -> (Request<Self>, FramingLines) {
        let (mut parts, body) = request.into_parts();
        let lines = FramingLines::take(&mut parts.headers);
        let framing = match body.size_hint().exact() {
            _ if lines.length().is_none() && body.is_end_stream() => Framing::None,
            Some(bytes) => Framing::Length(bytes),
            None => Framing::Chunked,
        };
        let kind = Sent::Coming(Coming::Streamed(Streamed::hyper(body)));
        (Request::from_parts(parts, Self { kind, framing }), lines)
    }

    /// The same over HTTP/2, whose connection sees that as many bytes come as are said.
    pub(crate) fn of_stream(request: Request<RecvStream>) -> (Request<Self>, FramingLines) {
        let (mut parts, stream) = request.into_parts();
        let lines = FramingLines::take(&mut parts.headers);
        // What follows CONNECT is no body.
        let is_over = stream.is_end_stream() || parts.method == Method::CONNECT;
        let (kind, framing) = match lines.bytes() {
            _ if is_over && lines.length().is_none() => (Sent::Read(ReadBody::default()), Framing::None),
            _ if is_over => (Sent::Read(ReadBody::default()), Framing::Length(0)),
            length => {
                let framing = length.map_or(Framing::Chunked, Framing::Length);
                (Sent::Coming(Coming::Streamed(Streamed::stream(stream, length))), framing)
            }
        };
        (Request::from_parts(parts, Self { kind, framing }), lines)
    }

    /// Of a request that is here whole, whatever its sender says of its framing.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        let framing = if bytes.is_empty() { Framing::None } else { Framing::of_bytes(bytes.len()) };
        Self { kind: Sent::Read(ReadBody::new(bytes, None)), framing }
    }

    /// How its head frames it.
    pub(crate) const fn framing(&self) -> Framing {
        self.framing
    }

    /// The whole body, where it is here: read, or empty.
    pub(crate) fn read(&self) -> Option<&[u8]> {
        match &self.kind {
            Sent::Coming(incoming) => incoming.is_end_stream().then_some(&[]),
            Sent::Read(body) => Some(&body.bytes),
        }
    }

    /// Reads the body to its end, up to the limit of bodies, for its signature to be verified. The client may not be silent within
    /// it for long. Trailers are not kept.
    pub(crate) async fn into_read(self, mut place: Place) -> Result<Self, Unread> {
        let incoming = match self.kind {
            Sent::Coming(incoming) => incoming,
            Sent::Read(_) => return Ok(self),
        };
        let patience = Patience::with_client(SIGNED_BODY_TIMEOUT);
        let bytes = gathered::whole(incoming, REQUEST_BODY_BYTES_MAX, (&mut place, patience)).await?;
        Ok(Self { kind: Sent::Read(ReadBody::new(bytes, Some(place))), ..self })
    }
}

/// The body of a request on its way to a target.
#[derive(Debug)]
pub(crate) struct RequestBody {
    kind: Carried,
    /// How its head says it is framed.
    framing: Framing,
}

#[derive(Debug)]
enum Carried {
    /// None.
    Empty,
    /// What the client sends.
    Client(ClientBody),
    /// What the client sent.
    Read(ReadBody, Arc<Progress>),
    /// The same, its beginning read ahead.
    Gathered(Box<Gathered<RequestBody>>),
}

/// A client's body, counted.
#[derive(Debug)]
pub(crate) struct ClientBody {
    incoming: Coming,
    left: u64,
    progress: Arc<Progress>,
}

/// Holds back what a client sends for another protocol, until its target takes it: before that it would be read as HTTP.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<Passage>);

#[derive(Debug, Default)]
struct Passage {
    is_open: bool,
    waiting: Option<Waker>,
}

impl Gate {
    /// Lets everything through.
    pub(crate) fn open(&self) {
        let mut passage = self.0.lock();
        passage.is_open = true;
        let waiting = passage.waiting.take();
        drop(passage);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        let mut passage = self.0.lock();
        if passage.is_open {
            return Poll::Ready(());
        }
        passage.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// How far a request body got.
#[derive(Debug)]
pub(crate) struct Progress {
    start: Instant,
    phase: AtomicU8,
    since_ms: AtomicU64,
    bytes: AtomicU64,
    /// Shut until the connection is switched, where that was asked for.
    gate: Option<Gate>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The target's: it reads, or does not.
    Target,
    /// The client's: it owes bytes.
    Client,
    /// The body was read to its end.
    Done,
    /// It ended early.
    Fault(BodyFault),
}

impl Progress {
    /// Nothing was read yet.
    const fn new(start: Instant) -> Self {
        Self { start, phase: AtomicU8::new(0), since_ms: AtomicU64::new(0), bytes: AtomicU64::new(0), gate: None }
    }

    fn set(&self, phase: Phase) {
        let code = match phase {
            Phase::Target => 0,
            Phase::Client => 1,
            Phase::Done => 2,
            Phase::Fault(BodyFault::TooLarge) => 3,
            Phase::Fault(BodyFault::Malformed) => 4,
            Phase::Fault(_) => 5,
        };
        let since = u64::try_from(clock::now().duration_since(self.start).as_millis()).unwrap_or(u64::MAX);
        self.since_ms.store(since, Ordering::Relaxed);
        self.phase.store(code, Ordering::Release);
    }

    /// It is the client's turn, since now unless it was before: that somebody looked again brings no bytes.
    fn owed(&self) {
        if self.get().0 != Phase::Client {
            self.set(Phase::Client);
        }
    }

    /// The phase and since when it lasts.
    pub(crate) fn get(&self) -> (Phase, Instant) {
        let phase = match self.phase.load(Ordering::Acquire) {
            0 => Phase::Target,
            1 => Phase::Client,
            2 => Phase::Done,
            3 => Phase::Fault(BodyFault::TooLarge),
            4 => Phase::Fault(BodyFault::Malformed),
            _ => Phase::Fault(BodyFault::ClientGone),
        };
        (phase, self.start + Duration::from_millis(self.since_ms.load(Ordering::Relaxed)))
    }

    /// When its request came.
    pub(crate) const fn start(&self) -> Instant {
        self.start
    }

    /// What holds it back until the connection is switched to the protocol that it asks for, if it asks for one.
    pub(crate) const fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// When some of it was last read.
    pub(crate) fn moved(&self) -> Instant {
        self.start + Duration::from_millis(self.since_ms.load(Ordering::Relaxed))
    }

    /// How many bytes of it were read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether the whole body was read.
    pub(crate) fn is_done(&self) -> bool {
        self.get().0 == Phase::Done
    }

    /// Why it ended early, if it did.
    pub(crate) fn fault(&self) -> Option<BodyFault> {
        match self.get().0 {
            Phase::Fault(fault) => Some(fault),
            Phase::Target | Phase::Client | Phase::Done => None,
        }
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl RequestBody {
    /// None, of which nothing is said.
    pub(crate) const fn empty() -> Self {
        Self { kind: Carried::Empty, framing: Framing::None }
    }

    /// Wraps what the client sends; nothing is allocated for a request without a body.
    pub(crate) fn from_client(body: SentBody, start: Instant) -> Self {
        Self::of_client(body, start, REQUEST_BODY_BYTES_MAX)
    }

    /// The same of a body that may be as long as it is, as load balancers take them.
    pub(crate) fn of_any_length(body: SentBody, start: Instant) -> Self {
        Self::of_client(body, start, u64::MAX)
    }

    fn of_client(body: SentBody, start: Instant, left: u64) -> Self {
        let framing = body.framing;
        if body.read().is_some_and(<[u8]>::is_empty) {
            let is_told = matches!(framing, Framing::Length(_));
            return Self { kind: Carried::Empty, framing: if is_told { Framing::Length(0) } else { Framing::None } };
        }
        let gate = (framing == Framing::Switched).then(Gate::default);
        let progress = Arc::new(Progress { gate, ..Progress::new(start) });
        let kind = match body.kind {
            Sent::Coming(incoming) => Carried::Client(ClientBody { incoming, left, progress }),
            Sent::Read(body) => Carried::Read(body, progress),
        };
        Self { kind, framing }
    }

    /// What was read of a client's body, to its end.
    pub(crate) fn whole_read(body: ReadBody, progress: Arc<Progress>) -> Self {
        let framing = Framing::of_bytes(body.bytes.len());
        Self { kind: Carried::Read(body, progress), framing }
    }

    /// The gateway's own bytes instead of what the client sent, in the same place.
    pub(crate) fn replaced(self, bytes: Bytes) -> Self {
        let progress = match self.progress() {
            Some(progress) => progress,
            None if bytes.is_empty() => return Self::empty(),
            None => Arc::new(Progress::new(clock::now())),
        };
        let place = match self.kind {
            Carried::Read(mut body, _) => body.take_place().map(|mut place| {
                place.shrink_to(bytes.len());
                place
            }),
            Carried::Empty | Carried::Client(_) | Carried::Gathered(_) => None,
        };
        Self::whole_read(ReadBody::placed(bytes, place), progress)
    }

    /// Says that there is none, where nothing is said: HTTP APIs do, whatever the method.
    pub(crate) fn tell_length(&mut self) {
        if self.framing == Framing::None {
            self.framing = if self.is_end_stream() { Framing::Length(0) } else { Framing::Chunked };
        }
    }

    /// Says how long it is, where that is known; that there is none only where the method means one. REST APIs do.
    pub(crate) fn measure(&mut self, method: &Method) {
        self.framing = match self.size_hint().exact() {
            Some(0) if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => Framing::None,
            Some(bytes) => Framing::Length(bytes),
            None => Framing::Chunked,
        };
    }

    /// What was read of it to its end.
    pub(crate) const fn as_read(&mut self) -> Option<&mut ReadBody> {
        match &mut self.kind {
            Carried::Read(body, _) => Some(body),
            Carried::Empty | Carried::Client(_) | Carried::Gathered(_) => None,
        }
    }

    /// Reads the beginning of the body ahead.
    pub(crate) async fn gather(self, bytes_max: usize, place: Place) -> Result<(Self, Bytes), Unread> {
        let framing = self.framing;
        let (body, text) = gather(self, bytes_max, (place, HELD_BODY_IDLE_TIMEOUT)).await?;
        Ok((Self { kind: Carried::Gathered(Box::new(body)), framing }, text))
    }

    /// The whole body, where it is in memory.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        match &self.kind {
            Carried::Empty => Some(&[]),
            Carried::Read(body, _) => Some(&body.bytes),
            Carried::Client(_) | Carried::Gathered(_) => None,
        }
    }

    /// How far it got; `None` without a body.
    pub(crate) fn progress(&self) -> Option<Arc<Progress>> {
        match &self.kind {
            Carried::Empty => None,
            Carried::Client(body) => Some(Arc::clone(&body.progress)),
            Carried::Read(_, progress) => Some(Arc::clone(progress)),
            Carried::Gathered(body) => body.rest().progress(),
        }
    }
}

impl WithFraming for RequestBody {
    fn framing(&self) -> Framing {
        self.framing
    }
}

impl ClientBody {
    fn fail(&self, fault: BodyFault) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        self.progress.set(Phase::Fault(fault));
        Poll::Ready(Some(Err(fault)))
    }

    fn pass(&mut self, mut frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if let Some(trailers) = frame.trailers_mut() {
            hop::strip_trailers(trailers);
        }
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = self.left.checked_sub(bytes) else {
            return self.fail(BodyFault::TooLarge);
        };
        self.left = left;
        self.progress.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.progress.set(if self.incoming.is_end_stream() { Phase::Done } else { Phase::Target });
        Poll::Ready(Some(Ok(frame)))
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let body = match &mut self.get_mut().kind {
            Carried::Empty => return Poll::Ready(None),
            Carried::Gathered(body) => return Pin::new(&mut **body).poll_frame(cx),
            Carried::Client(body) => body,
            Carried::Read(body, progress) => {
                progress.set(Phase::Done);
                return Poll::Ready(body.take_frame());
            }
        };
        if let Some(gate) = &body.progress.gate {
            ready!(gate.poll_open(cx));
        }
        match Pin::new(&mut body.incoming).poll_frame(cx) {
            Poll::Pending => {
                body.progress.owed();
                Poll::Pending
            }
            Poll::Ready(None) => {
                body.progress.set(Phase::Done);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => body.pass(frame),
            Poll::Ready(Some(Err(fault))) => body.fail(fault),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Carried::Empty => true,
            Carried::Client(body) => body.incoming.is_end_stream(),
            Carried::Read(body, _) => body.bytes.is_empty(),
            Carried::Gathered(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Carried::Empty => SizeHint::with_exact(0),
            Carried::Client(body) => body.incoming.size_hint(),
            Carried::Read(body, _) => SizeHint::with_exact(body.bytes.len() as u64),
            Carried::Gathered(body) => body.size_hint(),
        }
    }
}

/// Whether the connection ended within the body, rather than the body being nonsense.
pub(super) fn broke_off(error: &hyper::Error) -> bool {
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return true;
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return !matches!(io.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData);
        }
        source = cause.source();
    }
    false
}
