//! The way from the gateway into the private network. There is one carrier, the local one: the private side is in the same
//! process, so that carrying is a function call. It weakens no check: the connection from the link's interface to the ALB's
//! node is judged like any other, and a denial is silence.

pub(crate) mod parcel;

use std::sync::Arc;

use http::header::HOST;
use http::{Response, StatusCode};
use topology::observed::Fact;
use topology::reason::Reason;
use topology::snapshot::balancer::{Listener, MutualTls};
use topology::snapshot::fabric::{Interface, InterfaceIndex};
use topology::snapshot::gateway::Link;
use topology::trace::{Hop, HopId, HopKind};

use self::parcel::{Course, Greeting, Parcel, Refused};
use crate::alb::{self, Interrupted, Spoken, Visit};
use crate::answer::body::Body;
use crate::fabric::dial::{self, Denial, Destination};
use crate::shared::Shared;
use crate::tls::verify::Untrusted;
use crate::trace::Recording;
use crate::world::{LinkState, ListenerWorld, RealmWorld};

/// Carries a request through its link to the listener's load balancer.
pub(crate) async fn carry(
    shared: &Arc<Shared>,
    parcel: &mut Parcel<'_>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refused> {
    let (course, request) = parcel.parts();
    let &Course { realm, link, listener, timeout, .. } = course;
    let gone = Refused::Gone(Reason::ListenerNotFound);
    let (Some(state), Some(link)) = (realm.link_state(link), realm.snapshot.gateway.link(link)) else {
        return Err(Refused::Gone(Reason::LinkNotFound));
    };
    let (listener, listener_world) = realm.listener(listener).ok_or(gone)?;
    let balancer = realm.snapshot.balancers.balancer(listener.balancer).ok_or(gone)?;
    if let Some(host) = request.headers().get(HOST) {
        recording.host(host);
    }
    let (from, interface) = open(shared, realm, (link, state), recording)?;
    let Some(node) = alb::node(balancer, interface, &state.rotation) else {
        return Err(Box::pin(silent(shared, Reason::NoInterface, timeout, recording)).await);
    };
    recording.pass(HopKind::Link, HopId::Link(link.id));
    let permit = match dial::ask(&realm.snapshot.fabric, from, Destination::Interface(node.interface), listener.port) {
        Ok(permit) => permit,
        Err(denial) => return Err(Box::pin(denied(shared, realm, (interface, denial), timeout, recording)).await),
    };
    recording.hop(Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(permit.leg()));
    if !balancer.active {
        return Err(Box::pin(silent(shared, Reason::NoInterface, timeout, recording)).await);
    }
    let spoken = match course.greeting {
        Greeting::Plain => Spoken::Plain,
        greeting => {
            let leg = permit.leg();
            greet(shared, (listener, listener_world), greeting).map_err(|why| {
                recording.hop(Hop::stop(HopKind::Listener, HopId::Listener(listener.id), why.reason, 0).with_leg(leg));
                recording.detail(&why.detail);
                Refused::Closed(why.reason)
            })?
        }
    };
    let visit = Visit {
        realm,
        listener,
        listener_world,
        balancer,
        node,
        client: (from, interface.private_ip, &course.peer),
        timeout,
        spoken,
        connection: None,
        permit: &permit,
    };
    let response = alb::serve(shared, &visit, request, recording).await.map_err(|interrupted| match interrupted {
        Interrupted::TimedOut => Refused::TimedOut,
        Interrupted::Silent(reason) => Refused::Silent(reason),
        Interrupted::ClientSilent => Refused::ClientSilent,
        Interrupted::BodyFault(fault) => Refused::BodyFault(fault),
    })?;
    if response.status() == StatusCode::NOT_FOUND && course.stage_prefix.is_some() && recording.reason().is_none() {
        recording.hint(Reason::StagePrefixForwarded);
    }
    Ok(response)
}

/// The gateway's part of a TLS handshake with the listener.
fn greet<'w>(
    shared: &Shared,
    (listener, world): (&Listener, &ListenerWorld),
    greeting: Greeting<'w>,
) -> Result<Spoken<'w>, Arc<Untrusted>> {
    let Some(checks) = &world.checks else {
        let name = if let Greeting::Verified(name) = greeting { name } else { "TLS" };
        let detail = format!("asked for {name}; the listener on port {} speaks plain HTTP", listener.port);
        return Err(Arc::new(Untrusted { reason: Reason::TlsExpectedGotPlain, detail }));
    };
    if let Some(tls) = &listener.tls
        && matches!(tls.mutual, MutualTls::Verify(_))
    {
        let detail =
            format!("the listener on port {} asks clients for a certificate, and a link has none", listener.port);
        return Err(Arc::new(Untrusted { reason: Reason::TlsHandshakeFailed, detail }));
    }
    match greeting {
        Greeting::Verified(name) => checks.check(name, &shared.trust).map(|()| Spoken::Tls(Some(name))),
        Greeting::Unverified | Greeting::Plain => Ok(Spoken::Tls(None)),
    }
}

/// The interface that this request leaves from, in turn.
fn open<'w>(
    shared: &Shared,
    realm: &'w RealmWorld,
    (link, state): (&Link, &LinkState),
    recording: &mut Recording,
) -> Result<(InterfaceIndex, &'w Interface), Refused> {
    // Traffic wakes an inactive link at once; the use of one that carries is reported now and then.
    let wanted = match link.closed {
        None => state.is_report_due(),
        Some(reason) => reason == Reason::LinkInactive,
    };
    if wanted {
        shared.observer.report(Fact::LinkUsed { realm: realm.snapshot.realm.clone(), link: link.id });
    }
    let turn = state.rotation.next();
    let place = if link.interfaces.is_empty() { None } else { link.interfaces.get(turn % link.interfaces.len()) };
    let interface = place.and_then(|at| Some((*at, realm.snapshot.fabric.interface(*at)?)));
    let closed = link.closed.or_else(|| interface.is_none().then_some(Reason::LinkFailed));
    match (closed, interface) {
        (None, Some(interface)) => Ok(interface),
        (reason, _) => {
            let reason = reason.unwrap_or(Reason::LinkFailed);
            recording.stop(HopKind::Link, HopId::Link(link.id), reason);
            Err(Refused::Closed(reason))
        }
    }
}

async fn denied(
    shared: &Shared,
    realm: &RealmWorld,
    (from, denial): (&Interface, Box<Denial>),
    timeout: std::time::Duration,
    recording: &mut Recording,
) -> Refused {
    let groups = &realm.snapshot.fabric.groups;
    if from.groups.iter().filter_map(|id| groups.get(id)).any(|group| group.is_default) {
        recording.hint(Reason::LinkUsesDefaultGroup);
    }
    wait(shared, timeout, recording).await;
    recording.hop(Hop::stop(HopKind::SecurityGroup, HopId::None, denial.reason, 0).with_leg(denial.leg));
    Refused::Silent(denial.reason)
}

async fn silent(shared: &Shared, reason: Reason, timeout: std::time::Duration, recording: &mut Recording) -> Refused {
    wait(shared, timeout, recording).await;
    recording.stop(HopKind::Listener, HopId::None, reason);
    Refused::Silent(reason)
}

async fn wait(shared: &Shared, timeout: std::time::Duration, recording: &mut Recording) {
    recording.bear_silence(shared.config.blocked_link().min(timeout)).await;
}
