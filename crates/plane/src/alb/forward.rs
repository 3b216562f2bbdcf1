//! Sends a request to the chosen target and takes its answer: the connection is judged, opened or taken from those that are
//! kept, and every way it can fail has the status that an ALB gives it (ALB user guide, troubleshooting, 2026-11).
//!
//! A request is sent at most once. It is put on another connection only when the first was closed before a byte of it was
//! written, which the target cannot tell from our having noticed the close earlier.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::time::Instant;
use topology::reason::Reason;
use topology::snapshot::balancer::Forward;
use topology::trace::{Hop, HopId, HopKind};

use super::choose::{self, Chosen};
use super::listener::Care;
use super::state::InFlight;
use super::{Interrupted, Visit};
use crate::clock;
use crate::fabric::dial::{self, DialError, Permit};
use crate::fabric::pool::{Lease, Pool};
use crate::fabric::stream::{Hold, Patience, UpstreamBody};
use crate::http::body::{Body, BodyFault, Phase, Progress, RequestBody};
use crate::http::survey::Survey;
use crate::http::{framing, hop, pages};
use crate::limits::{CLIENT_BODY_IDLE_TIMEOUT, RESPONSE_HEAD_BYTES_MAX, UNSENT_RETRIES_MAX};
use crate::shared::Shared;
use crate::trace::Recording;

/// Forwards a request to one of the groups.
pub(crate) async fn forward(
    shared: &Arc<Shared>,
    visit: &Visit<'_>,
    forward: &Forward,
    (request, care): (&mut Option<Request<RequestBody>>, Care),
    recording: &mut Recording,
) -> Result<Response<Body>, Interrupted> {
    let chosen = match choose::choose(visit.realm, forward) {
        Ok(chosen) => chosen,
        Err(none) => {
            let id = none.group.map_or(HopId::None, HopId::TargetGroup);
            recording.stop(HopKind::TargetGroup, id, none.reason);
            return Ok(pages::alb(503));
        }
    };
    if chosen.all_unhealthy {
        recording.hint(Reason::AllUnhealthyFailOpen);
    }
    recording.read_clock();
    recording.pass(HopKind::TargetGroup, HopId::TargetGroup(chosen.group.id));
    let target = chosen.target;
    let fabric = &visit.realm.snapshot.fabric;
    let permit = match dial::ask(fabric, visit.node.interface, (chosen.group.vpc, target.address), target.port) {
        Ok(permit) => permit,
        Err(denial) => {
            let waited = Box::pin(silence(shared, visit, denial.reason, recording)).await;
            let stop = Hop::stop(HopKind::SecurityGroup, HopId::None, denial.reason, 0);
            recording.hop(stop.with_leg(denial.leg));
            return waited;
        }
    };
    recording.hop(Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(permit.leg()));
    exchange(shared, visit, (&chosen, &permit), (request, care), recording).await
}

/// A connection that nobody answers: the ALB gives up with 504, unless the caller gives up before.
async fn silence(
    shared: &Shared,
    visit: &Visit<'_>,
    reason: Reason,
    recording: &mut Recording,
) -> Result<Response<Body>, Interrupted> {
    let blocked = shared.config.blocked_target();
    tokio::time::sleep_until(recording.start() + blocked.min(visit.timeout)).await;
    recording.read_clock();
    if blocked < visit.timeout { Ok(pages::alb(504)) } else { Err(Interrupted::Silent(reason)) }
}

async fn exchange(
    shared: &Arc<Shared>,
    visit: &Visit<'_>,
    (chosen, permit): (&Chosen<'_>, &Permit),
    (request, care): (&mut Option<Request<RequestBody>>, Care),
    recording: &mut Recording,
) -> Result<Response<Body>, Interrupted> {
    let id = HopId::Target(chosen.target.address, chosen.target.port);
    let in_flight = InFlight::begin(chosen.state);
    let progress = request.as_ref().and_then(|request| request.body().progress());
    let limits = Limits { start: recording.start(), whole: visit.timeout, idle: visit.balancer.idle_timeout };
    let sent = limits.wait(std::pin::pin!(send(shared, permit, request)), progress.as_deref()).await;
    recording.read_clock();
    let failure = match sent {
        Ok(Ok((response, lease))) => match checked(response) {
            Ok(response) => {
                let status = response.status().as_u16();
                recording.hop(Hop::pass(HopKind::Target, id, 0).with_leg(permit.leg()).with_status(status));
                let hold = Hold { lease, sent: progress, reusable: care == Care::Keep, in_flight };
                let left = visit.timeout.saturating_sub(clock::now().duration_since(limits.start));
                let patience = Patience { idle: limits.idle, budget: left };
                let trace = (Arc::clone(shared), recording.id());
                return Ok(response.map(|body| Body::upstream(UpstreamBody::new(body, hold, patience, trace))));
            }
            Err(failure) => failure,
        },
        Ok(Err(failure)) => failure,
        Err(overdue) => Failure::Overdue(overdue),
    };
    let failure = progress.and_then(|progress| progress.fault()).map_or(failure, Failure::ClientBody);
    Box::pin(fail(shared, visit, (failure, id, permit), recording)).await
}

/// Why a target gave no answer that can be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    Silent(Reason),
    Refused,
    ConnectTimeout,
    /// Closed by the target: on a fresh connection or on one used again.
    Closed(Reason),
    Malformed,
    OtherProtocol,
    ClientBody(BodyFault),
    Overdue(Overdue),
}

async fn fail(
    shared: &Shared,
    visit: &Visit<'_>,
    (failure, id, permit): (Failure, HopId, &Permit),
    recording: &mut Recording,
) -> Result<Response<Body>, Interrupted> {
    let (answer, reason) = match failure {
        Failure::Silent(reason) => (silence(shared, visit, reason, recording).await, reason),
        Failure::Refused => (Ok(pages::alb(502)), Reason::TargetRefused),
        Failure::ConnectTimeout | Failure::Overdue(Overdue::Target) => (Ok(pages::alb(504)), Reason::TargetTimeout),
        Failure::Closed(reason) => (Ok(pages::alb(502)), reason),
        Failure::Malformed => (Ok(pages::alb(502)), Reason::TargetMalformedResponse),
        Failure::OtherProtocol => (Ok(pages::alb(502)), Reason::TargetProtocolMismatch),
        Failure::Overdue(Overdue::Caller) => (Err(Interrupted::TimedOut), Reason::IntegrationTimeout),
        // What the client did wrong is said by the gateway.
        Failure::Overdue(Overdue::Client) => return Err(Interrupted::ClientSilent),
        Failure::ClientBody(fault) => return Err(Interrupted::BodyFault(fault)),
    };
    recording.hop(Hop::stop(HopKind::Target, id, reason, 0).with_leg(permit.leg()));
    answer
}

/// Sends the request over a kept or a fresh connection.
async fn send(
    shared: &Shared,
    permit: &Permit,
    slot: &mut Option<Request<RequestBody>>,
) -> Result<(Response<Incoming>, Lease), Failure> {
    for attempt in 0..=UNSENT_RETRIES_MAX {
        let mut lease = match shared.pool.take(permit).filter(|_| attempt < UNSENT_RETRIES_MAX) {
            Some(lease) => lease,
            // Rare and large: kept out of the common future.
            None => Box::pin(Pool::open(permit)).await?,
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

impl From<DialError> for Failure {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Silent(reason) => Self::Silent(reason),
            DialError::Refused => Self::Refused,
            DialError::Timeout => Self::ConnectTimeout,
            DialError::Io(error) => {
                tracing::debug!(%error, "cannot connect to a target");
                Self::Refused
            }
        }
    }
}

fn classify(error: &hyper::Error, reused: bool) -> Failure {
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
fn checked(mut response: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
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
enum Overdue {
    /// The whole exchange took longer than the caller waits.
    Caller,
    /// The target was silent for the idle timeout.
    Target,
    /// The client was silent within its body.
    Client,
}

/// How long an exchange may take, counted from the end of the request's body.
#[derive(Debug, Clone, Copy)]
struct Limits {
    start: Instant,
    whole: Duration,
    idle: Duration,
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
