//! One exchange with whoever answers: the request goes out over a kept or a fresh connection, the head of the answer comes
//! back, and whoever is late is named. Load balancers and public integrations share it; what a failure means to the client is
//! theirs to say.
//!
//! A request is sent at most once. It is put on another connection only when the first was closed before a byte of it was
//! written, which the target cannot tell from our having noticed the close earlier.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::time::Instant;
use topology::reason::Reason;

use super::pool::{Lease, Pool, Road};
use crate::clock;
use crate::http::body::{BodyFault, Phase, Progress, RequestBody};
use crate::http::survey::Survey;
use crate::http::{framing, hop};
use crate::limits::{CLIENT_BODY_IDLE_TIMEOUT, RESPONSE_HEAD_BYTES_MAX, UNSENT_RETRIES_MAX};

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

/// The answer's head is here and good; the connection is lent until its body is read.
pub(crate) async fn exchange<R: Road>(
    pool: &Pool,
    road: &R,
    request: &mut Option<Request<RequestBody>>,
    limits: Limits,
) -> Result<(Response<Incoming>, Lease), Failure<R::Error>> {
    let progress = request.as_ref().and_then(|request| request.body().progress());
    let sent = limits.wait(std::pin::pin!(send(pool, road, request)), progress.as_deref()).await;
    let failure = match sent {
        Ok(Ok((response, lease))) => match checked(response) {
            Ok(response) => return Ok((response, lease)),
            Err(failure) => failure,
        },
        Ok(Err(failure)) => failure,
        Err(overdue) => Failure::Overdue(overdue),
    };
    Err(progress.and_then(|progress| progress.fault()).map_or(failure, Failure::ClientBody))
}

/// Sends the request over a kept or a fresh connection.
async fn send<R: Road>(
    pool: &Pool,
    road: &R,
    slot: &mut Option<Request<RequestBody>>,
) -> Result<(Response<Incoming>, Lease), Failure<R::Error>> {
    for attempt in 0..=UNSENT_RETRIES_MAX {
        let mut lease = match pool.take(road).filter(|_| attempt < UNSENT_RETRIES_MAX) {
            Some(lease) => lease,
            // Rare and large: kept out of the common future.
            None => Box::pin(road.open()).await.map_err(Failure::Connect)?,
        };
        if lease.sender.ready().await.is_err() {
            if lease.reused {
                continue;
            }
            return Err(Failure::Closed(Reason::TargetClosed));
        }
        let Some(request) = slot.take() else { break };
        match lease.sender.try_send_request(request).await {
            Ok(response) => return Ok((response, lease)),
            Err(mut error) => match error.take_message() {
                Some(unsent) if lease.reused => *slot = Some(unsent),
                _ => return Err(classify(&error.into_error(), lease.reused)),
            },
        }
    }
    Err(Failure::Closed(Reason::UpstreamClosedIdle))
}

fn classify<E>(error: &hyper::Error, reused: bool) -> Failure<E> {
    if error.is_parse_version_h2() {
        return Failure::OtherProtocol;
    }
    if error.is_parse() {
        return Failure::Malformed;
    }
    tracing::debug!(%error, reused, "a target closed before it answered");
    Failure::Closed(if reused { Reason::UpstreamClosedIdle } else { Reason::TargetClosed })
}

/// Checks an answer's head and removes what concerned that connection only.
fn checked<E>(mut response: Response<Incoming>) -> Result<Response<Incoming>, Failure<E>> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nothing was asked to be switched.
        return Err(Failure::Malformed);
    }
    let headers: &mut HeaderMap = response.headers_mut();
    let seen = Survey::of(headers);
    if !framing::is_chunked_or_absent(headers, &seen) || seen.bytes > RESPONSE_HEAD_BYTES_MAX {
        return Err(Failure::Malformed);
    }
    hop::strip_response(headers, &seen);
    *response.version_mut() = Version::HTTP_11;
    Ok(response)
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
}

impl Limits {
    /// The future comes pinned, so that it is not carried about twice.
    async fn wait<F: Future>(self, mut future: Pin<&mut F>, progress: Option<&Progress>) -> Result<F::Output, Overdue> {
        let late = if self.whole <= self.idle { Overdue::Caller } else { Overdue::Target };
        let limit = self.whole.min(self.idle);
        let mut anchor = self.start;
        loop {
            if let Ok(output) = tokio::time::timeout_at(anchor + limit, future.as_mut()).await {
                return Ok(output);
            }
            let Some((phase, since)) = progress.map(Progress::get) else {
                return Err(late);
            };
            match phase {
                Phase::Client if clock::now().duration_since(since) >= CLIENT_BODY_IDLE_TIMEOUT => {
                    return Err(Overdue::Client);
                }
                // The client still owes bytes: nobody else is late.
                Phase::Client => anchor = clock::now(),
                Phase::Target | Phase::Done if since > anchor => anchor = since,
                Phase::Target | Phase::Done | Phase::Fault(_) => return Err(late),
            }
        }
    }
}
