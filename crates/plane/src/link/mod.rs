//! The way from the gateway into the private network. There is one carrier, the local one: the private side is in the same
//! process, so that carrying is a function call. It weakens no check: the connection from the link's interface to the ALB's
//! node is judged like any other, and a denial is silence.

pub(crate) mod parcel;
mod stream;

use std::net::SocketAddrV4;
use std::sync::Arc;

use http::header::HOST;
use http::{Request, Response, StatusCode};
use topology::id::LinkId;
use topology::observed::Fact;
use topology::reason::Reason;
use topology::snapshot::balancer::{Balancer, Listener, MutualTls, Node};
use topology::snapshot::fabric::{Interface, InterfaceIndex};
use topology::snapshot::gateway::{Link, SERVICE_ADDRESS, Service};
use topology::trace::{Hop, HopId, HopKind};
use topology::verdict::End;
use topology::way;

use self::parcel::{Course, Greeting, Parcel, Refused};
use crate::alb::{self, Interrupted, Spoken, Visit};
use crate::answer::body::Body;
use crate::fabric::dial::{self, Denial, Destination, Passage, Permit};
use crate::http::body::RequestBody;
use crate::http1::spelling::Spelling;
use crate::nlb::Entered;
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
    if let Some(service) = link.service {
        let (link, state) = ready((link, state), recording)?;
        let served = Served { link, state, service, listener, listener_world, balancer };
        return Box::pin(serve(shared, (course, request), served, recording)).await;
    }
    let (from, interface) = open(shared, realm, (link, state), recording)?;
    let Some(node) = alb::node(balancer, Some(interface), || state.rotation.next()) else {
        return Err(Box::pin(silent(shared, Reason::NoInterface, timeout, recording)).await);
    };
    recording.pass(HopKind::Link, HopId::Link(link.id));
    let permit = match dial::ask(realm.net(), from, Destination::Interface(node.interface), listener.port) {
        Ok(permit) => permit,
        Err(denial) => return Err(Box::pin(denied(shared, realm, (interface, denial), timeout, recording)).await),
    };
    recording.hop(Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(permit.leg()));
    let leave = permit.leave();
    if !balancer.active {
        return Err(Box::pin(silent(shared, Reason::NoInterface, timeout, recording)).await);
    }
    if listener.stream.is_some() {
        let entered = Entered {
            realm,
            listener,
            node,
            passage: passage(realm, Some(interface), (node, listener)),
            client: SocketAddrV4::new(interface.private_ip, stream::source_port()),
            is_seen: true,
        };
        return Box::pin(stream::carry(shared, (course, request), (entered, listener_world, from), recording)).await;
    }
    let spoken = match course.greeting {
        Greeting::Plain => Spoken::Plain,
        greeting => greet(shared, (listener, listener_world), greeting)
            .map_err(|why| untrusted(recording, (HopId::Listener(listener.id), Some(&permit)), &why))?,
    };
    // The gateway writes the request.
    let unsent = Spelling::default();
    let visit = Visit {
        realm,
        listener,
        listener_world,
        balancer,
        node,
        client: (End::Interface(from), interface.private_ip, &course.peer),
        timeout,
        spoken,
        connection: None,
        spelling: &unsent,
        leave,
    };
    let response = alb::serve(shared, &visit, request, recording).await.map_err(refused)?;
    if response.status() == StatusCode::NOT_FOUND && course.stage_prefix.is_some() && recording.reason().is_none() {
        recording.hint(Reason::StagePrefixForwarded);
    }
    Ok(response)
}

/// How a request comes to a node of a network load balancer.
fn passage(realm: &RealmWorld, client: Option<&Interface>, (node, listener): (&Node, &Listener)) -> Passage {
    Passage {
        client: client.map(|client| client.id),
        address: None,
        node: realm.snapshot.fabric.interface(node.interface).map(|node| node.id),
        port: listener.port,
    }
}

const fn refused(interrupted: Interrupted) -> Refused {
    match interrupted {
        Interrupted::TimedOut => Refused::TimedOut,
        Interrupted::Silent(reason) => Refused::Silent(reason),
        Interrupted::ClientSilent => Refused::ClientSilent,
        Interrupted::BodyFault(fault) => Refused::BodyFault(fault),
    }
}

/// Writes down that a listener is not believed.
fn untrusted(recording: &mut Recording, (id, permit): (HopId, Option<&Permit>), why: &Untrusted) -> Refused {
    let hop = Hop::stop(HopKind::Listener, id, why.reason, 0);
    recording.hop(permit.map_or(hop, |permit| hop.with_leg(permit.leg())));
    recording.detail(&why.detail);
    Refused::Closed(why.reason)
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
        None => state.is_report_due(recording.start() + recording.lasted()),
        Some(reason) => reason == Reason::LinkInactive,
    };
    if let (true, LinkId::V2(id)) = (wanted, link.id) {
        shared.observer.report(Fact::LinkUsed { realm: realm.snapshot.realm.clone(), link: id });
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

/// A link of version 1 that carries.
fn ready<'w>(
    (link, state): (&'w Link, &'w LinkState),
    recording: &mut Recording,
) -> Result<(&'w Link, &'w LinkState), Refused> {
    match link.closed {
        None => Ok((link, state)),
        Some(reason) => {
            recording.stop(HopKind::Link, HopId::Link(link.id), reason);
            Err(Refused::Closed(reason))
        }
    }
}

/// A link of version 1 with the listener that it leads to.
struct Served<'w> {
    link: &'w Link,
    state: &'w LinkState,
    service: Service,
    listener: &'w Listener,
    listener_world: &'w ListenerWorld,
    balancer: &'w Balancer,
}

/// Carries a request through a link of version 1: into a node of its load balancer, past every interface of the VPC. Targets see the
/// node's address, never the client's (NLB user guide, "Client IP preservation", 2026-11).
async fn serve(
    shared: &Arc<Shared>,
    (course, request): (&Course<'_>, &mut Request<RequestBody>),
    served: Served<'_>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refused> {
    let Served { link, state, service, listener, listener_world, balancer } = served;
    let realm = course.realm;
    recording.pass(HopKind::Link, HopId::Link(link.id));
    let turn = state.rotation.next();
    let node = if balancer.nodes.is_empty() { None } else { balancer.nodes.get(turn % balancer.nodes.len()) };
    let Some(node) = node.filter(|_| balancer.active) else {
        return Err(silent(shared, Reason::NoInterface, course.timeout, recording).await);
    };
    let mut passage = passage(realm, None, (node, listener));
    if service.is_judged {
        passage.address = Some(SERVICE_ADDRESS);
        match way::enter(&realm.snapshot.fabric, SERVICE_ADDRESS, node.interface, listener.port) {
            Ok(leg) => recording.hop(Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(leg)),
            Err(denial) => return Err(dropped(shared, denial, course.timeout, recording).await),
        }
    }
    let client = SocketAddrV4::new(SERVICE_ADDRESS, stream::source_port());
    let entered = Entered { realm, listener, node, passage, client, is_seen: false };
    stream::carry(shared, (course, request), (entered, listener_world, node.interface), recording).await
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
    dropped(shared, *denial, timeout, recording).await
}

/// A connection that is denied: silence, for as long as AWS is silent.
async fn dropped(shared: &Shared, denial: Denial, timeout: std::time::Duration, recording: &mut Recording) -> Refused {
    wait(shared, timeout, recording).await;
    recording.hop(denial.hop());
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
