//! Sends a request to the chosen target and takes its answer: the connection is judged, opened or taken from those that are
//! kept, and every way it can fail has the status that an ALB gives it (ALB user guide, troubleshooting, 2026-11).

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use topology::observed::Fact;
use topology::reason::Reason;
use topology::resource::target_group::HttpVersion;
use topology::snapshot::balancer::{Forward, TargetGroup};
use topology::trace::{Hop, HopId, HopKind};

use super::desync::Care;
use super::report::Report;
use super::{Interrupted, Visit};
use crate::answer::body::Body;
use crate::answer::pages;
use crate::fabric::dial::{self, Destination, DialError, Permit, Speech};
use crate::fabric::exchange::{self, Failure, Limits, Overdue};
use crate::fabric::pool::Key;
use crate::fabric::stream::{self, Hold, Patience};
use crate::http::body::RequestBody;
use crate::limits::CLIENT_BODY_IDLE_TIMEOUT;
use crate::shared::Shared;
use crate::targets::choose::{self, Chosen};
use crate::targets::state::TargetState;
use crate::targets::sticky::{Jar, Telling};
use crate::trace::Recording;

/// Forwards a request to one of the groups.
pub(crate) async fn forward(
    shared: &Arc<Shared>,
    visit: &Visit<'_>,
    forward: &Forward,
    (request, care): (&mut Request<RequestBody>, Care),
    (recording, report): (&mut Recording, &mut Report<'_>),
) -> Result<Response<Body>, Interrupted> {
    let jar = Jar::new(request.headers(), &shared.seal, recording.arrived());
    let tell = |target: &TargetState, anomaly| {
        let realm = visit.realm.snapshot.realm.clone();
        shared.observer.report(Fact::TargetAnomaly { realm, target: target.key, anomaly });
    };
    let find = |index| visit.realm.group(index);
    let mut chosen = match choose::choose(forward, (&visit.node.zone, jar), find, tell) {
        Ok(chosen) => chosen,
        Err(none) => {
            let id = none.group.map_or(HopId::None, HopId::TargetGroup);
            let groups = &visit.realm.snapshot.balancers;
            if let Some(group) = none.group.and_then(|id| groups.group(groups.group_by_id(id)?)) {
                report.grouped(group);
            }
            recording.stop(HopKind::TargetGroup, id, none.reason);
            return Ok(pages::alb(503));
        }
    };
    chosen.telling = Telling::of(forward, &chosen, visit.listener.tls.is_some());
    if chosen.all_unhealthy {
        recording.hint(Reason::AllUnhealthyFailOpen);
    }
    report.chose(&chosen);
    if !fits(chosen.group.version, request) {
        recording.stop(HopKind::TargetGroup, HopId::TargetGroup(chosen.group.id), Reason::TargetProtocolMismatch);
        return Ok(pages::alb(464));
    }
    recording.pass(HopKind::TargetGroup, HopId::TargetGroup(chosen.group.id));
    let target = chosen.target;
    let permit = match dial::ask(
        visit.realm.net(),
        visit.node.interface,
        Destination::Address(chosen.group.vpc, target.address),
        target.port,
    ) {
        Ok(permit) => permit.speaking(speech(chosen.group)),
        Err(denial) => {
            chosen.meter.connection_errors.one();
            let waited = Box::pin(silence(shared, visit, denial.reason, recording)).await;
            let hop = denial.hop();
            recording.hop(match denial.reason {
                Reason::NoInterface => {
                    Hop { kind: HopKind::Target, id: HopId::Target(target.address, target.port), ..hop }
                }
                _ => hop,
            });
            return waited;
        }
    };
    recording.hop(Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(permit.leg()));
    exchange(shared, visit, (&chosen, &permit), (request, care), (recording, report)).await
}

fn speech(group: &TargetGroup) -> Speech {
    Speech { is_secure: group.is_secure, is_http2: group.version != HttpVersion::Http1 }
}

/// Whether a request may go to targets that are spoken to in this version (ALB user guide, "Troubleshoot your Application Load Balancers",
/// HTTP 464, 2026-11).
fn fits(version: HttpVersion, request: &Request<RequestBody>) -> bool {
    let is_http2 = request.version() == Version::HTTP_2;
    let kind = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    match version {
        HttpVersion::Http1 => !(is_http2 && kind.starts_with(b"application/grpc")),
        HttpVersion::Http2 => is_http2,
        HttpVersion::Grpc => is_http2 && *request.method() == Method::POST,
    }
}

/// A connection that nobody answers: the ALB gives up with 504, unless the caller gives up before.
async fn silence(
    shared: &Shared,
    visit: &Visit<'_>,
    reason: Reason,
    recording: &mut Recording,
) -> Result<Response<Body>, Interrupted> {
    let blocked = shared.config.blocked_target();
    recording.bear_silence(blocked.min(visit.timeout)).await;
    if blocked < visit.timeout { Ok(pages::alb(504)) } else { Err(Interrupted::Silent(reason)) }
}

async fn exchange(
    shared: &Arc<Shared>,
    visit: &Visit<'_>,
    (chosen, permit): (&Chosen<'_>, &Permit),
    (request, care): (&mut Request<RequestBody>, Care),
    (recording, report): (&mut Recording, &mut Report<'_>),
) -> Result<Response<Body>, Interrupted> {
    let id = HopId::Target(chosen.target.address, chosen.target.port);
    let in_flight = chosen.state.begin();
    let progress = request.body().progress();
    let idle = visit.balancer.attributes.idle_timeout;
    // A client of the gateway is bounded by that, too.
    let client_idle = if visit.connection.is_some() { idle } else { idle.min(CLIENT_BODY_IDLE_TIMEOUT) };
    let limits = Limits { start: recording.start(), whole: visit.timeout, idle, client_idle };
    let sent_on = recording.now_micros();
    let exchanged = match chosen.group.version {
        HttpVersion::Http1 => {
            let exchanged = exchange::exchange(&shared.home.pool, permit, request, limits).await;
            exchanged.map(|(response, key)| (response, Some(key)))
        }
        // Larger: kept out of the common future.
        HttpVersion::Http2 | HttpVersion::Grpc => {
            let exchanged = Box::pin(exchange::exchange_http2(&shared.home.http2, permit, request, limits)).await;
            exchanged.map(|response| (response, None))
        }
    };
    recording.read_clock();
    let took = recording.now_micros().saturating_sub(sent_on);
    if chosen.group.attributes.mitigates_anomalies {
        chosen.state.note(is_failure(&exchanged));
    }
    match exchanged {
        Ok((response, key)) => {
            let status = response.status().as_u16();
            report.answered(chosen, status, (sent_on, took));
            recording.hop(Hop::pass(HopKind::Target, id, 0).with_leg(permit.leg()).with_status(status));
            let hold = Hold { key, sent: progress, reusable: care == Care::Keep, lasting: Some(in_flight) };
            let left = match response.status() {
                StatusCode::SWITCHING_PROTOCOLS => Duration::MAX,
                _ => visit.timeout.saturating_sub(recording.lasted()),
            };
            let patience = Patience { idle: limits.idle, budget: left };
            let trace = (&shared.home, recording.id());
            let mut response = response.map(|incoming| stream::body(incoming, hold, patience, trace).into());
            if let Some(telling) = chosen.telling {
                shared.seal.tell(chosen, (telling, recording.arrived()), response.headers_mut());
            }
            Ok(response)
        }
        Err(failure) => {
            note(&failure, chosen, (sent_on, took), report);
            Box::pin(fail(shared, visit, (failure, id, permit), recording)).await
        }
    }
}

/// Counts a failure. What no target had has no times, nor has what a target closed on (ALB user guide, access log entries, 2026-11).
fn note(failure: &Failure<DialError>, chosen: &Chosen<'_>, (sent_on, took): (u32, u32), report: &mut Report<'_>) {
    match failure {
        Failure::Connect(DialError::Handshake(_) | DialError::Untrusted(_)) => chosen.meter.tls_errors.one(),
        Failure::Connect(_) => chosen.meter.connection_errors.one(),
        Failure::Malformed | Failure::OtherProtocol => report.sent_on(sent_on, Some(took)),
        Failure::Overdue(_) | Failure::ClientBody(_) => report.sent_on(sent_on, None),
        Failure::Closed(_) => {}
    }
}

/// Whether an exchange counts against its target: a status of 5XX, or no answer that is the client's doing.
fn is_failure<T>(exchanged: &Result<(Response<T>, Option<Key>), Failure<DialError>>) -> bool {
    match exchanged {
        Ok((response, _)) => response.status().is_server_error(),
        Err(Failure::Connect(_) | Failure::Closed(_) | Failure::Malformed | Failure::OtherProtocol) => true,
        Err(Failure::Overdue(overdue)) => *overdue == Overdue::Target,
        Err(Failure::ClientBody(_)) => false,
    }
}

async fn fail(
    shared: &Shared,
    visit: &Visit<'_>,
    (failure, id, permit): (Failure<DialError>, HopId, &Permit),
    recording: &mut Recording,
) -> Result<Response<Body>, Interrupted> {
    let (answer, reason) = match failure {
        Failure::Connect(DialError::Silent(reason)) => (silence(shared, visit, reason, recording).await, reason),
        Failure::Connect(DialError::Refused) => (Ok(pages::alb(502)), Reason::TargetRefused),
        Failure::Connect(DialError::Handshake(why)) => {
            recording.hop(Hop::stop(HopKind::Target, id, Reason::TlsHandshakeFailed, 0).with_leg(permit.leg()));
            recording.detail(&why);
            return Ok(pages::alb(502));
        }
        Failure::Connect(error @ (DialError::Io(_) | DialError::Untrusted(_))) => {
            tracing::debug!(%error, "cannot connect to a target");
            (Ok(pages::alb(502)), Reason::TargetRefused)
        }
        Failure::Connect(DialError::Timeout) | Failure::Overdue(Overdue::Target) => {
            (Ok(pages::alb(504)), Reason::TargetTimeout)
        }
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
