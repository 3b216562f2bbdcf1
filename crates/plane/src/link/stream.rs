//! A request of the gateway through a network load balancer: over a connection that the load balancer leads to a target, kept for the
//! next request like any other, or into the application load balancer that is the target, within this process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use topology::reason::Reason;
use topology::snapshot::fabric::InterfaceIndex;
use topology::trace::{Hop, HopId, HopKind};
use topology::verdict::End;

use super::parcel::{Course, Greeting, Refused};
use super::{dropped, greet, refused, wait};
use crate::alb::{self, Spoken, Visit};
use crate::answer::body::Body;
use crate::fabric::dial::{DialError, Permit};
use crate::fabric::exchange::{self, ClientFault, Failure, Limits};
use crate::fabric::secured::Verified;
use crate::fabric::stream::{self, Hold, Patience};
use crate::http::body::RequestBody;
use crate::http1::spelling::Spelling;
use crate::limits::CLIENT_BODY_IDLE_TIMEOUT;
use crate::nlb::{self, Entered, Onward, Stopped};
use crate::shared::Shared;
use crate::trace::Recording;
use crate::world::ListenerWorld;
use crate::{clock, entropy};

/// A port that a connection of the gateway's may come from.
pub(super) fn source_port() -> u16 {
    const FIRST: u16 = 1024;
    FIRST + u16::try_from(entropy::below(u32::from(u16::MAX - FIRST))).unwrap_or_default()
}

/// Carries a request that entered a listener of a network load balancer; `from` is the interface that it comes from, or the node's where
/// the way has none.
pub(super) async fn carry(
    shared: &Arc<Shared>,
    (course, request): (&Course<'_>, &mut Request<RequestBody>),
    (entered, listener_world, from): (Entered<'_>, &ListenerWorld, InterfaceIndex),
    recording: &mut Recording,
) -> Result<Response<Body>, Refused> {
    let id = HopId::Listener(entered.listener.id);
    let greeting = match (&entered.listener.tls, course.greeting) {
        (None, greeting) => greeting,
        (Some(_), Greeting::Plain) => {
            recording.stop(HopKind::Listener, id, Reason::TlsPlainToTlsPort);
            return Err(Refused::Closed(Reason::TlsPlainToTlsPort));
        }
        // The load balancer ends the client's TLS: what goes on is bytes in the clear.
        (Some(_), greeting) => {
            let greeted = greet(shared, (entered.listener, listener_world), greeting);
            greeted.map_err(|why| super::untrusted(recording, (id, None), &why))?;
            Greeting::Plain
        }
    };
    recording.pass(HopKind::Listener, id);
    let nlb::Course { chosen, onward } = match nlb::lead(&entered, recording) {
        Ok(course) => course,
        Err(Stopped::NoTarget(reason)) => return Err(Refused::Closed(reason)),
        Err(Stopped::Silent(denial)) => return Err(dropped(shared, *denial, course.timeout, recording).await),
    };
    let target = SocketAddr::new(chosen.target.address, chosen.target.port);
    match onward {
        Onward::Target(permit) => {
            let permit = match greeting {
                Greeting::Plain => permit,
                Greeting::Unverified => permit.within_tls(Verified::Nobody),
                Greeting::Verified(name) => {
                    let believed =
                        shared.outside.tls().await.map_err(|_| Refused::Closed(Reason::TlsHandshakeFailed))?;
                    permit.within_tls(Verified::For(Arc::clone(name), believed))
                }
            };
            let busy = chosen.state.begin();
            exchange(shared, (course, request), (&permit, target, busy), recording).await
        }
        Onward::Balancer { listener, balancer, node, permit } => {
            let gone = Refused::Gone(Reason::ListenerNotFound);
            let (listener, listener_world) = entered.realm.listener(listener).ok_or(gone)?;
            recording
                .hop(Hop::pass(HopKind::Target, HopId::Target(target.ip(), target.port()), 0).with_leg(permit.leg()));
            let spoken = match greeting {
                Greeting::Plain => Spoken::Plain,
                greeting => greet(shared, (listener, listener_world), greeting)
                    .map_err(|why| super::untrusted(recording, (HopId::Listener(listener.id), Some(&permit)), &why))?,
            };
            let seen = entered
                .realm
                .snapshot
                .fabric
                .interface(from)
                .map_or(entered.client.ip(), |from| from.private_ip.into());
            // The gateway writes the request.
            let unsent = Spelling::default();
            let visit = Visit {
                realm: entered.realm,
                listener,
                listener_world,
                balancer,
                node,
                client: (End::Interface(from), seen, &course.peer),
                timeout: course.timeout,
                spoken,
                connection: None,
                spelling: &unsent,
                leave: permit.leave(),
            };
            alb::serve(shared, &visit, request, recording).await.map_err(refused)
        }
    }
}

async fn exchange(
    shared: &Arc<Shared>,
    (course, request): (&Course<'_>, &mut Request<RequestBody>),
    (permit, target, busy): (&Permit, SocketAddr, crate::guard::Guard),
    recording: &mut Recording,
) -> Result<Response<Body>, Refused> {
    let id = HopId::Target(target.ip(), target.port());
    let sent = request.body().progress();
    let limits = Limits {
        start: recording.start(),
        whole: course.timeout,
        idle: course.timeout,
        client_idle: CLIENT_BODY_IDLE_TIMEOUT,
    };
    let exchanged = exchange::exchange(&shared.home.pool, permit, request, limits).await;
    recording.read_clock();
    match exchanged {
        Ok((response, key)) => {
            let status = response.status().as_u16();
            recording.hop(Hop::pass(HopKind::Target, id, 0).with_leg(permit.leg()).with_status(status));
            let hold = Hold { key: Some(key), sent, reusable: true, lasting: Some(busy) };
            let left: Duration = course.timeout.saturating_sub(clock::now().duration_since(limits.start));
            let patience = Patience { idle: limits.idle, budget: left };
            let trace = (&shared.home, recording.id());
            Ok(response.map(|incoming| stream::body(incoming, hold, patience, trace).into()))
        }
        Err(failure) => Err(Box::pin(fail(shared, course, (failure, id, permit), recording)).await),
    }
}

/// What a connection or an exchange that failed is to the gateway, which has a connection to nobody but the target.
async fn fail(
    shared: &Shared,
    course: &Course<'_>,
    (failure, id, permit): (Failure<DialError>, HopId, &Permit),
    recording: &mut Recording,
) -> Refused {
    let reason = match failure.reason(nlb::relay::stopped_by) {
        Ok(reason) => reason,
        Err(ClientFault::Silent) => return Refused::ClientSilent,
        Err(ClientFault::Body(fault)) => return Refused::BodyFault(fault),
    };
    let refused = match &failure {
        Failure::Connect(DialError::Silent(_)) => {
            wait(shared, course.timeout, recording).await;
            Refused::Silent(reason)
        }
        Failure::Overdue(_) => Refused::TimedOut,
        _ => Refused::Closed(reason),
    };
    recording.hop(Hop::stop(HopKind::Target, id, reason, 0).with_leg(permit.leg()));
    if let Failure::Connect(error @ (DialError::Handshake(_) | DialError::Untrusted(_))) = &failure {
        recording.detail(&error.to_string());
    }
    refused
}
