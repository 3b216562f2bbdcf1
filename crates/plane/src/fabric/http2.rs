//! Connections over which targets are spoken to in HTTP/2 (ALB user guide, "Target groups", protocol versions, 2026-11): each carries many
//! requests at once. One is known by its ends as a kept connection of HTTP/1.1 is, and used only for a permit between the same ends.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use foldhash::fast::RandomState;
use http::header::{HOST, TE};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
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
    RESPONSE_HEAD_BYTES_MAX, TARGET_STREAM_WINDOW_BYTES, TARGET_STREAMS_MAX, TARGET_WINDOW_BYTES, UNSENT_RETRIES_MAX,
    UPSTREAM_IDLE_TIMEOUT,
};
use crate::task::{self, Tasks};

/// The connections.
#[derive(Debug, Default)]
pub(crate) struct Http2Pool {
    open: Mutex<HashMap<PoolKey, Vec<Arc<Line>>, RandomState>>,
}

/// One connection.
#[derive(Debug)]
struct Line {
    sender: SendRequest<RequestBody>,
    /// Requests under way.
    under_way: AtomicUsize,
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

    /// A connection with room for one more request, or a fresh one.
    async fn line(&self, permit: &Permit) -> Result<(Arc<Line>, Guard), Failure<DialError>> {
        let key = permit.pool_key().ok_or(Failure::Connect(DialError::Refused));
        if let Ok(key) = &key
            && let Some(lines) = self.open.lock().get(key)
        {
            let has_room = |line: &&Arc<Line>| {
                !line.sender.is_closed() && line.under_way.load(Ordering::Relaxed) < TARGET_STREAMS_MAX
            };
            if let Some(line) = lines.iter().find(has_room) {
                return Ok((Arc::clone(line), line.begin()));
            }
        }
        let stream = dial::connect(permit).await.map_err(Failure::Connect)?;
        let key = key?;
        let mut builder = http2::Builder::new(Tasks);
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(TARGET_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(TARGET_WINDOW_BYTES)
            .max_header_list_size(u32::try_from(RESPONSE_HEAD_BYTES_MAX).unwrap_or(u32::MAX));
        let shaken = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|_| Failure::OtherProtocol)?;
        drop(task::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a target ended");
            }
        }));
        let line = Line { sender, under_way: AtomicUsize::new(0), quiet_since: Mutex::new(clock::now()) };
        let line = Arc::new(line);
        let guard = line.begin();
        self.open.lock().entry(key).or_default().push(Arc::clone(&line));
        Ok((line, guard))
    }

    fn forget(&self, permit: &Permit, gone: &Arc<Line>) {
        let Some(key) = permit.pool_key() else { return };
        if let Some(lines) = self.open.lock().get_mut(&key) {
            lines.retain(|line| !Arc::ptr_eq(line, gone));
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
            lines.retain(is_kept);
            !lines.is_empty()
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
    if error.is_parse() || error.is_user() { Failure::Malformed } else { Failure::Closed(Reason::TargetClosed) }
}
