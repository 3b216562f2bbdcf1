//! One exchange with whoever answers: the request goes out over a kept or a fresh connection, the head of the answer comes
//! back, and whoever is late is named. Load balancers and public integrations share it; what a failure means to the client is
//! theirs to say.
//!
//! A request is sent at most once. It is put on another connection only when the first was closed before a byte of it was
//! written, which the target cannot tell from our having noticed the close earlier.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::UPGRADE;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;
use topology::reason::Reason;

use super::dial::{DialError, Permit};
use super::http2::{self, Http2Pool};
use super::outside::Stream;
use super::pool::{Key, Pool, Road};
use crate::clock;
use crate::http::body::{BodyFault, Phase, Progress, RequestBody};
use crate::http::framing::{Framing, FramingLines};
use crate::http::hop;
use crate::http::survey::Survey;
use crate::http1::client::{self, Fault, Outgoing};
use crate::http1::decode::Decoder;
use crate::http1::head::Follows;
use crate::http1::wire::Wire;
use crate::limits::{CLIENT_BODY_TIMEOUT, UNSENT_RETRIES_MAX};
use crate::pace;

/// The body of an answer, on its connection.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// Of HTTP/1.1.
    Http1(client::Incoming<Stream>),
    /// Of HTTP/2.
    Http2(http2::Answer),
}

impl Incoming {
    /// How its head frames it.
    pub(crate) const fn framing(&self) -> Framing {
        match self {
            Self::Http1(incoming) => incoming.framing(),
            Self::Http2(answer) => answer.framing(),
        }
    }

    /// Whether both sides may speak at once, neither waiting for the other.
    pub(crate) const fn is_two_way(&self) -> bool {
        matches!(self, Self::Http2(_)) || matches!(self.framing(), Framing::Switched)
    }

    /// The whole body, if all of it is here already. Nothing is left of it then.
    pub(crate) fn whole(&mut self) -> Option<Bytes> {
        match self {
            Self::Http1(incoming) => incoming.whole(),
            Self::Http2(_) => None,
        }
    }

    /// The connection, if it is this request's alone and another one may follow on it.
    pub(crate) fn into_idle(self) -> Option<Box<Wire<Stream>>> {
        match self {
            Self::Http1(incoming) => incoming.into_idle(),
            Self::Http2(_) => None,
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Http1(incoming) => Pin::new(incoming).poll_frame(cx),
            Self::Http2(answer) => Pin::new(answer).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(incoming) => incoming.is_end_stream(),
            Self::Http2(answer) => answer.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(incoming) => incoming.size_hint(),
            Self::Http2(answer) => answer.size_hint(),
        }
    }
}

/// Why there is no answer that can be passed on. `E` is why no connection could be opened.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    /// No connection.
    Connect(E),
    /// Closed by the other end: on a fresh connection or on one used again.
    Closed(Reason),
    /// What came is not valid HTTP.
    Malformed,
    /// The other end speaks another version.
    OtherProtocol,
    /// The client's body broke off or is broken.
    ClientBody(BodyFault),
    /// Somebody was late.
    Overdue(Overdue),
}

/// What a client did wrong, so that no exchange came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientFault {
    /// It was silent within its body.
    Silent,
    /// Its body broke off or is broken.
    Body(BodyFault),
}

impl<E> Failure<E> {
    /// The reason code for whoever waits for the whole exchange alone; `of_connection` says that of a connection that did not come about.
    ///
    /// # Errors
    /// What the client did, where it is the client's doing.
    pub(crate) fn reason(&self, of_connection: impl Fn(&E) -> Reason) -> Result<Reason, ClientFault> {
        match self {
            Self::Connect(error) => Ok(of_connection(error)),
            Self::Closed(reason) => Ok(*reason),
            Self::Malformed => Ok(Reason::TargetMalformedResponse),
            Self::OtherProtocol => Ok(Reason::TargetProtocolMismatch),
            Self::Overdue(Overdue::Caller | Overdue::Target) => Ok(Reason::IntegrationTimeout),
            Self::Overdue(Overdue::Client) => Err(ClientFault::Silent),
            Self::ClientBody(fault) => Err(ClientFault::Body(*fault)),
        }
    }
}

/// The answer's head is here and good; its body is still on the connection, which is known by the key. The request is taken and an
/// empty one left.
pub(crate) async fn exchange<R: Road>(
    pool: &Pool,
    road: &R,
    request: &mut Request<RequestBody>,
    limits: Limits,
) -> Result<(Response<Incoming>, Key), Failure<R::Error>> {
    let progress = request.body().progress();
    let sent = limits.wait(std::pin::pin!(send(pool, road, request)), progress.as_deref()).await;
    let failure = match sent {
        Ok(Ok(answered)) => return Ok(answered),
        Ok(Err(failure)) => failure,
        Err(overdue) => Failure::Overdue(overdue),
    };
    Err(progress.and_then(|progress| progress.fault()).map_or(failure, Failure::ClientBody))
}

/// The same over HTTP/2, whose connections nobody gives back.
pub(crate) async fn exchange_http2(
    pool: &Http2Pool,
    permit: &Permit,
    request: &mut Request<RequestBody>,
    limits: Limits,
) -> Result<Response<Incoming>, Failure<DialError>> {
    let progress = request.body().progress();
    let sending = pool.exchange(permit, std::mem::take(request));
    let failure = match limits.wait(std::pin::pin!(sending), progress.as_deref()).await {
        Ok(Ok(response)) => return Ok(response.map(Incoming::Http2)),
        Ok(Err(failure)) => failure,
        Err(overdue) => Failure::Overdue(overdue),
    };
    Err(progress.and_then(|progress| progress.fault()).map_or(failure, Failure::ClientBody))
}

/// Sends the request over a kept or a fresh connection.
async fn send<R: Road>(
    pool: &Pool,
    road: &R,
    request: &mut Request<RequestBody>,
) -> Result<(Response<Incoming>, Key), Failure<R::Error>> {
    pace::together().await;
    let mut pooled = match pool.take(road) {
        Some(pooled) => pooled,
        // Rare and large: kept out of the common future. Without a connection the request stays as it is.
        None => Box::pin(road.open()).await.map_err(Failure::Connect)?,
    };
    let mut out = Outgoing::new(std::mem::take(request));
    for attempt in 0..=UNSENT_RETRIES_MAX {
        if attempt > 0 {
            pooled = match pool.take(road).filter(|_| attempt < UNSENT_RETRIES_MAX) {
                Some(pooled) => pooled,
                None => Box::pin(road.open()).await.map_err(Failure::Connect)?,
            };
        }
        match client::exchange(&mut pooled.wire, &mut out).await {
            Ok(head) => {
                let begun = match head.status {
                    StatusCode::SWITCHING_PROTOCOLS => switched(head.headers, &out),
                    status => checked(status, (head.headers, &head.lines)).map(|response| (response, head.follows)),
                };
                let (response, follows) = begun.ok_or(Failure::Malformed)?;
                return Ok((
                    response.map(|()| Incoming::Http1(client::Incoming::new(pooled.wire, follows, out))),
                    pooled.key,
                ));
            }
            Err(Fault::Unsent) if pooled.reused => {}
            Err(fault) => return Err(classify(&fault, pooled.reused)),
        }
    }
    Err(Failure::Closed(Reason::UpstreamClosedIdle))
}

fn classify<E>(fault: &Fault, reused: bool) -> Failure<E> {
    match fault {
        Fault::OtherProtocol => Failure::OtherProtocol,
        Fault::Malformed => Failure::Malformed,
        // What broke the body off says so itself.
        Fault::Closed(_) | Fault::Unsent | Fault::Body => {
            tracing::debug!(?fault, reused, "a target closed before it answered");
            Failure::Closed(if reused { Reason::UpstreamClosedIdle } else { Reason::TargetClosed })
        }
        // It had the request.
        Fault::Cut => Failure::Closed(Reason::TargetClosed),
    }
}

/// The answer of a target that goes on in the protocol that was asked for, and lets the client go on too. `None` where none was asked
/// for, or where it does not say which.
fn switched(mut headers: HeaderMap, out: &Outgoing) -> Option<(Response<()>, Follows)> {
    let asked = out.progress()?;
    let gate = asked.gate()?;
    let protocol = hop::upgrade(&headers).cloned()?;
    let seen = Survey::of(&headers, &FramingLines::None);
    hop::strip_response(&mut headers, &seen);
    headers.insert(UPGRADE, protocol);
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    gate.open();
    Some((response, Follows { framing: Framing::Switched, body: Decoder::UntilClose, keep_alive: false }))
}

/// Checks an answer's head and removes what concerned that connection only.
fn checked(status: StatusCode, (mut headers, lines): (HeaderMap, &FramingLines)) -> Option<Response<()>> {
    if !lines.is_chunked_or_absent() {
        return None;
    }
    let seen = Survey::of(&headers, lines);
    hop::strip_response(&mut headers, &seen);
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Some(response)
}

/// Who was late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// The whole exchange took longer than the caller waits.
    Caller,
    /// The target was silent for the idle timeout.
    Target,
    /// The client was silent within its body.
    Client,
}

/// How long an exchange may take, counted from the end of the request's body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// When the request came.
    pub(crate) start: Instant,
    /// How long the caller waits for the whole exchange.
    pub(crate) whole: Duration,
    /// How long the other end may be silent.
    pub(crate) idle: Duration,
    /// How long the client may be silent within its body.
    pub(crate) client_idle: Duration,
}

impl Limits {
    /// The future comes pinned, so that it is not carried about twice.
    async fn wait<F: Future>(self, mut future: Pin<&mut F>, progress: Option<&Progress>) -> Result<F::Output, Overdue> {
        let late = if self.whole <= self.idle { Overdue::Caller } else { Overdue::Target };
        let limit = self.whole.min(self.idle);
        // At first a time that is past: nothing is late yet, and the clock need not be read.
        let (mut anchor, mut now) = (self.start, self.start);
        let body_until = progress.map(|progress| progress.start() + CLIENT_BODY_TIMEOUT.max(self.whole));
        loop {
            let until = body_until.filter(|until| *until > now);
            let until = until.map_or(anchor + limit, |until| until.min(anchor + limit));
            if let Ok(output) = tokio::time::timeout_at(until, future.as_mut()).await {
                return Ok(output);
            }
            let Some((phase, since)) = progress.map(Progress::get) else {
                return Err(late);
            };
            now = clock::now();
            let takes_too_long = body_until.is_some_and(|until| until <= now);
            match phase {
                Phase::Client if takes_too_long || now.duration_since(since) >= self.client_idle => {
                    return Err(Overdue::Client);
                }
                // The client still owes bytes: nobody else is late.
                Phase::Client => anchor = if since + limit > now { since } else { now },
                Phase::Target if takes_too_long && since > anchor => return Err(Overdue::Client),
                Phase::Target | Phase::Done if since > anchor => anchor = since,
                Phase::Target | Phase::Done if now < anchor + limit => {}
                Phase::Target | Phase::Done | Phase::Fault(_) => return Err(late),
            }
        }
    }
}
