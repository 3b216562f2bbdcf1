//! Connections over which targets are spoken to in HTTP/2 (ALB user guide, "Target groups", protocol versions, 2026-11): each carries many
//! requests at once. One is known by its ends as a kept connection of HTTP/1.1 is, and used only for a permit between the same ends.

use std::collections::HashMap;
use std::error::Error as _;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use foldhash::fast::RandomState;
use http::header::{HOST, TE};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use topology::reason::Reason;

use super::dial::{self, DialError, Permit, PoolKey};
use super::exchange::Failure;
use crate::clock;
use crate::guard::{Guard, Lasting};
use crate::http::body::RequestBody;
use crate::http::framing::{self, Framing, FramingLines, WithFraming as _};
use crate::http::hop;
use crate::http::survey::Survey;
use crate::limits::{
    RESPONSE_HEAD_BYTES_MAX, TARGET_OPENING_WAIT, TARGET_SETTINGS_WAIT, TARGET_STREAM_WINDOW_BYTES, TARGET_STREAMS_MAX,
    TARGET_WINDOW_BYTES, UNSENT_RETRIES_MAX, UPSTREAM_IDLE_TIMEOUT,
};
use crate::task::{self, Tasks};

/// The connections.
#[derive(Debug, Default)]
pub(crate) struct Http2Pool {
    open: Mutex<HashMap<PoolKey, Lines, RandomState>>,
}

/// The connections between two ends.
#[derive(Debug)]
struct Lines {
    lines: Vec<Arc<Line>>,
    /// Leave to open one more, which one request has at a time.
    opening: Arc<Semaphore>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { lines: Vec::new(), opening: Arc::new(Semaphore::new(1)) }
    }
}

impl Lines {
    /// A connection with room for one more request, or where to wait for one.
    fn look(&self) -> Result<(Arc<Line>, Guard), Arc<Semaphore>> {
        let found = self.lines.iter().find(|line| line.has_room());
        found.map(|line| (Arc::clone(line), line.begin())).ok_or_else(|| Arc::clone(&self.opening))
    }
}

/// One connection.
#[derive(Debug)]
struct Line {
    sender: SendRequest<RequestBody>,
    /// Requests under way.
    under_way: AtomicUsize,
    /// How many the target takes at once, as far as it has said so.
    room: AtomicUsize,
    opened: Instant,
    /// When the last of them ended.
    quiet_since: Mutex<Instant>,
}

impl Lasting for Line {
    fn over(&self) {
        *self.quiet_since.lock() = clock::now();
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Line {
    fn has_room(&self) -> bool {
        let told = self.room.load(Ordering::Relaxed);
        let is_told = told > 1 || clock::now().duration_since(self.opened) > TARGET_SETTINGS_WAIT;
        let room = if is_told { told.min(TARGET_STREAMS_MAX) } else { TARGET_STREAMS_MAX };
        !self.sender.is_closed() && self.under_way.load(Ordering::Relaxed) < room
    }

    fn begin(self: &Arc<Self>) -> Guard {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Guard::new(Arc::<Self>::clone(self))
    }
}

impl Http2Pool {
    /// Sends a request to the end of a road. It is sent again only where nothing of it was sent.
    pub(crate) async fn exchange(
        &self,
        permit: &Permit,
        request: Request<RequestBody>,
    ) -> Result<Response<Answer>, Failure<DialError>> {
        let is_secure = permit.speech().is_secure;
        let mut request = spelled(request, is_secure).ok_or(Failure::Malformed)?;
        for _ in 0..=UNSENT_RETRIES_MAX {
            let (line, guard) = self.line(permit).await?;
            let mut sender = line.sender.clone();
            let error = match sender.try_send_request(request).await {
                Ok(response) => return Answer::of(response, guard).ok_or(Failure::Malformed),
                Err(mut error) => {
                    let unsent = error.take_message();
                    match unsent {
                        Some(unsent) => request = unsent,
                        None => return Err(classified(error.error())),
                    }
                    error
                }
            };
            tracing::debug!(error = %error.error(), "a target closed a connection before a request went out");
            self.forget(permit, &line);
        }
        Err(Failure::Closed(Reason::UpstreamClosedIdle))
    }

    /// A connection with room for one more request, or a fresh one. Who comes while one is opened waits for it a while.
    async fn line(&self, permit: &Permit) -> Result<(Arc<Line>, Guard), Failure<DialError>> {
        let refused = || Failure::Connect(DialError::Refused);
        let found = self.open.lock().entry(permit.pool_key().ok_or_else(refused)?).or_default().look();
        let opening = match found {
            Ok(line) => return Ok(line),
            Err(opening) => opening,
        };
        // The semaphore is never closed, and who waited in vain opens one more.
        let _turn = tokio::time::timeout(TARGET_OPENING_WAIT, opening.acquire_owned()).await;
        if let Ok(line) = self.open.lock().entry(permit.pool_key().ok_or_else(refused)?).or_default().look() {
            return Ok(line);
        }
        let stream = dial::connect(permit).await.map_err(Failure::Connect)?;
        let mut builder = http2::Builder::new(Tasks);
        builder
            .timer(TokioTimer::new())
            // What is sent before the target says how much it takes may be refused.
            .initial_max_send_streams(1)
            .initial_stream_window_size(TARGET_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(TARGET_WINDOW_BYTES)
            .max_header_list_size(u32::try_from(RESPONSE_HEAD_BYTES_MAX).unwrap_or(u32::MAX));
        let shaken = builder.handshake(TokioIo::new(stream)).await;
        let (sender, mut connection) = shaken.map_err(|_| Failure::OtherProtocol)?;
        let (room, quiet_since) = (AtomicUsize::new(0), Mutex::new(clock::now()));
        let line = Line { sender, room, under_way: AtomicUsize::new(0), opened: clock::now(), quiet_since };
        let line = Arc::new(line);
        let told = Arc::downgrade(&line);
        drop(task::spawn(poll_fn(move |cx| {
            let polled = Pin::new(&mut connection).poll(cx);
            if let Some(line) = told.upgrade() {
                line.room.store(connection.current_max_send_streams(), Ordering::Relaxed);
            }
            polled.map(|ended| ended.unwrap_or_else(|error| tracing::debug!(%error, "a connection to a target ended")))
        })));
        let guard = line.begin();
        let key = permit.pool_key().ok_or_else(refused)?;
        self.open.lock().entry(key).or_default().lines.push(Arc::clone(&line));
        Ok((line, guard))
    }

    fn forget(&self, permit: &Permit, gone: &Arc<Line>) {
        let Some(key) = permit.pool_key() else { return };
        if let Some(lines) = self.open.lock().get_mut(&key) {
            lines.lines.retain(|line| !Arc::ptr_eq(line, gone));
        }
    }

    /// Closes what was idle for too long, or was closed by the other end.
    pub(crate) fn sweep(&self) {
        let now = clock::now();
        let is_kept = |line: &Arc<Line>| {
            let is_busy = line.under_way.load(Ordering::Relaxed) > 0;
            let waited = now.duration_since(*line.quiet_since.lock());
            !line.sender.is_closed() && (is_busy || waited < UPSTREAM_IDLE_TIMEOUT)
        };
        self.open.lock().retain(|_, lines| {
            lines.lines.retain(is_kept);
            !lines.lines.is_empty()
        });
    }

    /// Lets go of the connections between ends that `pred` names: their verdict turned. What is under way on them ends.
    pub(crate) fn close_matching(&self, pred: impl Fn(&PoolKey) -> bool) {
        self.open.lock().retain(|key, _| !pred(key));
    }
}

/// The body of an answer. As long as it lasts, its connection has one request more.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Incoming,
    framing: Framing,
    _busy: Guard,
}

impl Answer {
    /// `None` where the answer's head is none that can be passed on.
    fn of(response: Response<Incoming>, busy: Guard) -> Option<Response<Self>> {
        let (mut parts, body) = response.into_parts();
        let lines = FramingLines::take(&mut parts.headers);
        let is_bodyless = parts.status == StatusCode::NO_CONTENT || parts.status == StatusCode::RESET_CONTENT;
        if is_bodyless && !body.is_end_stream() {
            return None;
        }
        if parts.status.is_informational() || (lines.length().is_some() && lines.bytes().is_none()) {
            return None;
        }
        let framing = match (lines.bytes(), body.is_end_stream()) {
            (Some(bytes), _) => Framing::Length(bytes),
            (None, true) => Framing::None,
            (None, false) => Framing::Chunked,
        };
        let seen = Survey::of(&parts.headers, &FramingLines::None);
        hop::strip_response(&mut parts.headers, &seen);
        Some(Response::from_parts(parts, Self { body, framing, _busy: busy }))
    }

    /// How its head frames it.
    pub(crate) const fn framing(&self) -> Framing {
        self.framing
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx).map_err(io::Error::other)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request as HTTP/2 has it: the host within the target, and the length of its body where that is known.
fn spelled(request: Request<RequestBody>, is_secure: bool) -> Option<Request<RequestBody>> {
    let (mut parts, body) = request.into_parts();
    let host = parts.headers.remove(HOST)?;
    let mut target = parts.uri.into_parts();
    target.scheme = Some(if is_secure { Scheme::HTTPS } else { Scheme::HTTP });
    target.authority = Some(Authority::try_from(host.as_bytes()).ok()?);
    parts.uri = Uri::from_parts(target).ok()?;
    parts.version = Version::HTTP_2;
    framing::write_length(&mut parts.headers, body.framing());
    // Trailers are what calls of gRPC end with (gRPC over HTTP/2).
    parts.headers.insert(TE, HeaderValue::from_static("trailers"));
    Some(Request::from_parts(parts, body))
}

fn classified(error: &hyper::Error) -> Failure<DialError> {
    tracing::debug!(%error, "a target broke off before it answered");
    // What this end found wrong with its frames, in contrast to what the target said itself.
    let found = error.source().and_then(|source| source.downcast_ref::<h2::Error>()).is_some_and(h2::Error::is_library);
    if found || error.is_parse() || error.is_user() {
        Failure::Malformed
    } else {
        Failure::Closed(Reason::TargetClosed)
    }
}
