//! The way from the gateway into the private network. There are two carriers. The local one is a function call, since the private side is
//! in the same process; it weakens no check: the connection from the link's interface to the ALB's node is judged like any other, and a
//! denial is silence. The remote one (`remote`) hands a request to an agent of its VPC, on another machine (`arrive`), which does what
//! the local one does, judged there once more. A VPC that has agents is never carried locally.

mod arrive;
pub mod carrier;
pub mod lines;
pub mod message;
pub(crate) mod parcel;
mod remote;
pub mod session;
mod stream;
mod waybill;

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::HOST;
use http::{Request, Response, StatusCode};
use topology::id::LinkId;
use topology::net::Family;
use topology::observed::Fact;
use topology::reason::Reason;
use topology::snapshot::balancer::{Balancer, Listener, ListenerIndex, MutualTls, Node};
use topology::snapshot::fabric::{Interface, InterfaceIndex};
use topology::snapshot::gateway::{Link, LinkIndex, SERVICE_ADDRESS, Service};
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

/// A link with what is behind it.
pub(crate) struct Found<'w> {
    link: &'w Link,
    state: &'w LinkState,
    listener: &'w Listener,
    listener_world: &'w ListenerWorld,
    balancer: &'w Balancer,
}

impl<'w> Found<'w> {
    fn of(realm: &'w RealmWorld, link: LinkIndex, listener: ListenerIndex) -> Result<Self, Refused> {
        let gone = Refused::Gone(Reason::ListenerNotFound);
        let (Some(state), Some(link)) = (realm.link_state(link), realm.snapshot.gateway.link(link)) else {
            return Err(Refused::Gone(Reason::LinkNotFound));
        };
        let (listener, listener_world) = realm.listener(listener).ok_or(gone)?;
        let balancer = realm.snapshot.balancers.balancer(listener.balancer).ok_or(gone)?;
        Ok(Self { link, state, listener, listener_world, balancer })
    }
}

/// Carries a request through its link to the listener's load balancer.
pub(crate) async fn carry(
    shared: &Arc<Shared>,
    parcel: &mut Parcel<'_>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refused> {
    let (course, request) = parcel.parts();
    if let Some(host) = request.headers().get(HOST) {
        recording.host(host);
    }
    let way = way_of(shared, course, recording)?;
    let response = match &way {
        Carried::Here(entry) => enter(shared, (course, request), entry, recording).await,
        Carried::ByAgents(found) => Box::pin(remote::carry(shared, (course, request), found, recording)).await,
        Carried::IntoService(found, service, node) => {
            Box::pin(serve(shared, (course, request), (found, *service, node), recording)).await
        }
        Carried::Nowhere => Err(Box::pin(silent(shared, Reason::NoInterface, course.timeout, recording)).await),
    };
    let response = response?;
    if response.status() == StatusCode::NOT_FOUND && course.stage_prefix.is_some() && recording.reason().is_none() {
        recording.hint(Reason::StagePrefixForwarded);
    }
    Ok(response)
}

/// Which way a request takes.
enum Carried<'w> {
    /// From an interface of its link into a node, in this process.
    Here(Entry<'w>),
    /// To an agent.
    ByAgents(Found<'w>),
    /// Into a node of the load balancer of a link of version 1, in this process.
    IntoService(Found<'w>, Service, &'w Node),
    /// The load balancer has no node.
    Nowhere,
}

fn way_of<'w>(shared: &Shared, course: &Course<'w>, recording: &mut Recording) -> Result<Carried<'w>, Refused> {
    let &Course { realm, link, listener, .. } = course;
    let found = Found::of(realm, link, listener)?;
    if shared.is_carried_by_agents(&realm.snapshot.fabric, found.balancer.vpc) {
        return Ok(Carried::ByAgents(found));
    }
    if let Some(service) = found.link.service {
        ready(&found, recording)?;
        recording.pass(HopKind::Link, HopId::Link(found.link.id));
        let (turn, nodes) = (found.state.rotation.next(), &found.balancer.nodes);
        let node = if nodes.is_empty() { None } else { nodes.get(turn % nodes.len()) };
        return Ok(node.map_or(Carried::Nowhere, |node| Carried::IntoService(found, service, node)));
    }
    let (from, interface) = open(shared, realm, &found, recording)?;
    let Some(node) = alb::node(found.balancer, Some(interface), || found.state.rotation.next()) else {
        return Ok(Carried::Nowhere);
    };
    recording.pass(HopKind::Link, HopId::Link(found.link.id));
    Ok(Carried::Here(Entry { found, from, interface, node }))
}

/// The way of a request from an interface of its link into a node of the load balancer. Handed on as one, since a request's future keeps
/// what its steps are given.
struct Entry<'w> {
    found: Found<'w>,
    from: InterfaceIndex,
    interface: &'w Interface,
    node: &'w Node,
}

/// Leads a request into the node, and on.
async fn enter(
    shared: &Arc<Shared>,
    (course, request): (&Course<'_>, &mut Request<RequestBody>),
    entry: &Entry<'_>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refused> {
    let to = Destination::Interface(entry.node.interface, Family::Ipv4);
    let permit = match dial::ask(course.realm.net(), entry.from, to, entry.found.listener.port) {
        Ok(permit) => permit,
        Err(denial) => {
            let denied = denied(shared, course.realm, (entry.interface, denial), course.timeout, recording);
            return Err(Box::pin(denied).await);
        }
    };
    recording.hop(Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(permit.leg()));
    let leave = permit.leave();
    if !entry.found.balancer.active {
        return Err(Box::pin(silent(shared, Reason::NoInterface, course.timeout, recording)).await);
    }
    if entry.found.listener.stream.is_some() {
        let Entry { found: Found { listener, listener_world, .. }, from, interface, node } = entry;
        let entered = Entered {
            realm: course.realm,
            listener,
            node,
            passage: passage(course.realm, Some(interface), (node, listener)),
            client: SocketAddr::new(interface.private_ip.into(), stream::source_port()),
            is_seen: true,
        };
        return Box::pin(stream::carry(shared, (course, request), (entered, listener_world, *from), recording)).await;
    }
    let spoken = match course.greeting {
        Greeting::Plain => Spoken::Plain,
        greeting => greet(shared, (entry.found.listener, entry.found.listener_world), greeting)
            .map_err(|why| untrusted(recording, (HopId::Listener(entry.found.listener.id), Some(&permit)), &why))?,
    };
    // The gateway writes the request.
    let unsent = Spelling::default();
    let visit = Visit {
        realm: course.realm,
        listener: entry.found.listener,
        listener_world: entry.found.listener_world,
        balancer: entry.found.balancer,
        node: entry.node,
        client: (End::Interface(entry.from), entry.interface.private_ip.into(), &course.peer),
        timeout: course.timeout,
        spoken,
        connection: None,
        spelling: &unsent,
        leave,
    };
    alb::serve(shared, &visit, request, recording).await.map_err(refused)
}

/// How a request comes to a node of a network load balancer.
fn passage(realm: &RealmWorld, client: Option<&Interface>, (node, listener): (&Node, &Listener)) -> Passage {
    Passage {
        client: client.map(|client| client.id),
        address: None,
        node: realm.snapshot.fabric.interface(node.interface).map(|node| node.id),
        family: Family::Ipv4,
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

/// Reports that a link is used. Traffic wakes an inactive link at once; the use of one that carries is reported now and then.
fn report_use(shared: &Shared, realm: &RealmWorld, found: &Found<'_>, recording: &Recording) {
    let wanted = match found.link.closed {
        None => found.state.is_report_due(recording.start() + recording.lasted()),
        Some(reason) => reason == Reason::LinkInactive,
    };
    if let (true, LinkId::V2(id)) = (wanted, found.link.id) {
        shared.observer.report(Fact::LinkUsed { realm: realm.snapshot.realm.clone(), link: id });
    }
}

/// The interface that this request leaves from, in turn.
fn open<'w>(
    shared: &Shared,
    realm: &'w RealmWorld,
    found: &Found<'_>,
    recording: &mut Recording,
) -> Result<(InterfaceIndex, &'w Interface), Refused> {
    report_use(shared, realm, found, recording);
    let Found { link, state, .. } = found;
    let turn = state.rotation.next();
    let place = if link.interfaces.is_empty() { None } else { link.interfaces.get(turn % link.interfaces.len()) };
    let interface = place.and_then(|at| Some((*at, realm.snapshot.fabric.interface(*at)?)));
    let closed = link.closed.or_else(|| interface.is_none().then_some(Reason::LinkFailed));
    match (closed, interface) {
        (None, Some(interface)) => Ok(interface),
        (reason, _) => Err(closed_for(link, reason.unwrap_or(Reason::LinkFailed), recording)),
    }
}

/// A link that carries nothing.
fn closed_for(link: &Link, reason: Reason, recording: &mut Recording) -> Refused {
    recording.stop(HopKind::Link, HopId::Link(link.id), reason);
    Refused::Closed(reason)
}

/// Whether a link of version 1 carries.
fn ready(found: &Found<'_>, recording: &mut Recording) -> Result<(), Refused> {
    found.link.closed.map_or(Ok(()), |reason| Err(closed_for(found.link, reason, recording)))
}

/// Leads a request of a link of version 1 into a node of its load balancer, past every interface of the VPC. Targets see the node's
/// address, never the client's (NLB user guide, "Client IP preservation", 2026-11).
async fn serve(
    shared: &Arc<Shared>,
    (course, request): (&Course<'_>, &mut Request<RequestBody>),
    (found, service, node): (&Found<'_>, Service, &Node),
    recording: &mut Recording,
) -> Result<Response<Body>, Refused> {
    let &Found { listener, listener_world, balancer, .. } = found;
    let realm = course.realm;
    if !balancer.active {
        return Err(silent(shared, Reason::NoInterface, course.timeout, recording).await);
    }
    let mut passage = passage(realm, None, (node, listener));
    if service.is_judged {
        passage.address = Some(SERVICE_ADDRESS.into());
        match way::enter(&realm.snapshot.fabric, SERVICE_ADDRESS.into(), node.interface, listener.port) {
            Ok(leg) => recording.hop(Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(leg)),
            Err(denial) => return Err(dropped(shared, denial, course.timeout, recording).await),
        }
    }
    let client = SocketAddr::new(SERVICE_ADDRESS.into(), stream::source_port());
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

/// For fuzzing: reads bytes as frames of both sides.
pub(crate) fn read_frames(data: &[u8]) {
    fn all<T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug>(data: &[u8]) {
        let mut frames = message::Frames::new(crate::limits::LINK_AGENT_MESSAGE_BYTES_MAX);
        frames.fill(data);
        while let Ok(Some(said)) = frames.take::<T>() {
            let mut again = message::Frames::new(usize::MAX);
            again.fill(&message::framed(&said));
            assert_eq!(again.take::<T>(), Ok(Some(said)));
        }
    }
    all::<message::FromAgent>(data);
    all::<message::FromGateway>(data);
}

/// For fuzzing: reads a header as a waybill and as a receipt.
pub(crate) fn read_notes(value: &http::HeaderValue) {
    if let Ok(waybill) = waybill::Waybill::of(value) {
        assert_eq!(waybill::Waybill::of(&waybill.header()), Ok(waybill));
    }
    if let Ok(receipt) = waybill::Receipt::of(value) {
        assert_eq!(waybill::Receipt::of(&receipt.header()), Ok(receipt));
    }
}
