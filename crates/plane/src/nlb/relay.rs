//! Connections of clients that entered a listener through a socket: each is judged, led to a target and carried there and back, until
//! both sides have ended, both are silent for too long, or its target goes.
//!
//! The client is connected already when its groups deny it: what would be silence on the wire is silence here too, and then the end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;
use topology::id::{ListenerId, Realm, TargetGroupId};
use topology::net::Family;
use topology::reason::Reason;
use topology::snapshot::balancer::Listener;
use topology::trace::{Hop, HopId, HopKind, RequestId};
use topology::verdict::End;

use super::record::{Noting, Record, moment};
use super::{Course, Entered, Onward, Stopped};
use crate::alb::door::{Approach, Clients, ListenerDoor};
use crate::carry::{Carried, both_ways};
use crate::fabric::dial::{self, Denial, DialError, Passage};
use crate::fabric::outside::Stream;
use crate::front::listen::{self, Transport};
use crate::front::tap::Tapped;
use crate::front::watch::Connections;
use crate::front::{Door as _, Presented, Presents, handshake};
use crate::guard::Guard;
use crate::shared::Shared;
use crate::targets::state::Standing;
use crate::task;
use crate::tls::Hello;
use crate::trace::{Recording, Silence};
use crate::world::{ListenerWorld, RealmWorld, World};

/// What traces say in the place of a method.
const TCP: &str = "TCP";

/// What stands behind the socket of a listener that leads connections.
#[derive(Debug)]
pub(crate) struct StreamDoor {
    shared: Arc<Shared>,
    realm: Realm,
    listener: ListenerId,
    approach: Approach,
}

impl StreamDoor {
    /// That of a listener, for clients who come so.
    pub(crate) fn new(shared: Arc<Shared>, (realm, listener): (Realm, ListenerId), approach: Approach) -> Self {
        Self { shared, realm, listener, approach }
    }

    fn found<'w>(&self, world: &'w World) -> Option<(&'w RealmWorld, &'w Listener, &'w ListenerWorld)> {
        let realm = world.realm(&self.realm)?.as_ref();
        let index = realm.snapshot.balancers.listener_by_id(self.listener)?;
        let (listener, listener_world) = realm.listener(index)?;
        Some((realm, listener, listener_world))
    }

    /// Enters the listener, at a node of its load balancer.
    async fn enter<'w>(&self, world: &'w World, peer: SocketAddr, recording: &mut Recording) -> Option<Entered<'w>> {
        let id = HopId::Listener(self.listener);
        let blocked = self.shared.config.blocked_link();
        let found = self.found(world).and_then(|(realm, listener, _)| {
            let from = self.approach.client(&realm.snapshot, listener, peer)?;
            let address = from.address(&realm.snapshot.fabric, self.approach.family(peer))?;
            Some((realm, listener, realm.snapshot.balancers.balancer(listener.balancer)?, (from, address)))
        });
        let Some((realm, listener, balancer, (from, address))) = found else {
            recording.stop(HopKind::Socket, id, Reason::ListenerNotFound);
            return None;
        };
        recording.pass(HopKind::Socket, id);
        let fabric = &realm.snapshot.fabric;
        let node = self.approach.node((fabric, balancer), from, peer).filter(|_| balancer.active);
        let Some(node) = node else {
            recording.bear_silence(blocked).await;
            recording.stop(HopKind::Listener, id, Reason::NoInterface);
            return None;
        };
        let leave = match dial::enter(
            self.approach.net(realm.net()),
            from,
            (node.interface, Family::of(address)),
            listener.port,
        ) {
            Ok(leave) => leave,
            Err(denial) => {
                dropped(recording, &denial, blocked).await;
                return None;
            }
        };
        recording.hop(Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(leave.leg()));
        recording.hop(Hop::pass(HopKind::Listener, id, 0).with_leg(leave.leg()));
        let id_of = |end: End| end.interface(fabric).map(|interface| interface.id);
        let passage = Passage {
            client: id_of(from),
            address: if let End::Address(address) = from { Some(address) } else { None },
            node: id_of(End::Interface(node.interface)),
            family: Family::of(address),
            port: listener.port,
        };
        let client = SocketAddr::new(address, peer.port());
        Some(Entered { realm, listener, node, passage, client, is_seen: true })
    }
}

impl Presents for StreamDoor {
    async fn prepare(&self) {}

    fn present(&self, hello: Hello<'_>) -> Result<Presented, String> {
        let world = self.shared.world.load();
        let presented = self.found(&world).and_then(|(_, _, listener_world)| listener_world.presented.as_ref());
        let presented = presented.ok_or("the listener is gone, or speaks TLS no longer")?;
        Ok((None, presented.presentation(hello)?))
    }
}

/// Accepts until the plane drains.
pub(crate) async fn accept(
    door: Arc<StreamDoor>,
    connections: Arc<Connections>,
    listener: TcpListener,
    places: Arc<Semaphore>,
) {
    let ends = (Arc::clone(&connections), places);
    listen::accept_each(ends, listener, |stream, peer, place| {
        let (door, connections) = (Arc::clone(&door), Arc::clone(&connections));
        task::spawn(async move {
            carry(&door, &connections, stream, peer).await;
            drop(place);
        });
    })
    .await;
}

/// Where a client's bytes go.
enum Led {
    /// To a target, over this connection.
    Target(Stream, Watched),
    /// To a load balancer, which takes the client's own connection.
    Balancer(ListenerDoor),
}

/// Leads a connection that entered to its target, and opens the connection there.
async fn lead(door: &StreamDoor, entered: &Entered<'_>, recording: &mut Recording) -> Option<Led> {
    let Course { chosen, onward } = match super::lead(entered, recording) {
        Ok(course) => course,
        Err(Stopped::NoTarget(_)) => return None,
        Err(Stopped::Silent(denial)) => {
            dropped(recording, &denial, door.shared.config.blocked_target()).await;
            return None;
        }
    };
    let id = HopId::Target(chosen.target.address, chosen.target.port);
    let permit = match onward {
        Onward::Target(permit) => permit,
        Onward::Balancer { listener, .. } => {
            let listener = entered.realm.snapshot.balancers.listener(listener)?;
            recording.pass(HopKind::Target, id);
            let of = (door.realm.clone(), listener.id);
            return Some(Led::Balancer(ListenerDoor::new(Arc::clone(&door.shared), of, Clients::Led(entered.passage))));
        }
    };
    let busy = chosen.state.begin();
    match dial::connect(&permit).await {
        Ok(stream) => {
            recording.read_clock();
            recording.hop(Hop::pass(HopKind::Target, id, 0).with_leg(permit.leg()));
            let watched = Watched {
                shared: Arc::clone(&door.shared),
                realm: door.realm.clone(),
                group: chosen.group.id,
                target: SocketAddr::new(chosen.target.address, chosen.target.port),
                was_unhealthy: chosen.state.standing() == Standing::Unhealthy,
                idle: entered.listener.stream.map_or(Duration::MAX, |stream| stream.idle_timeout),
                _busy: busy,
            };
            Some(Led::Target(stream, watched))
        }
        Err(error) => {
            let reason = stopped_by(&error);
            if let DialError::Silent(_) = error {
                recording.bear_silence(door.shared.config.blocked_target()).await;
            }
            recording.read_clock();
            recording.hop(Hop::stop(HopKind::Target, id, reason, 0).with_leg(permit.leg()));
            recording.detail(&error.to_string());
            None
        }
    }
}

/// A connection that is denied: silence for so long.
async fn dropped(recording: &mut Recording, denial: &Denial, blocked: Duration) {
    recording.bear_silence(blocked).await;
    recording.hop(denial.hop());
}

/// Why no connection to a target came about.
pub(crate) const fn stopped_by(error: &DialError) -> Reason {
    match error {
        DialError::Silent(reason) => *reason,
        DialError::Refused | DialError::Io(_) => Reason::TargetRefused,
        DialError::Timeout => Reason::TargetTimeout,
        DialError::Handshake(_) => Reason::TlsHandshakeFailed,
        DialError::Untrusted(fault) => fault.reason(),
    }
}

async fn carry(door: &Arc<StreamDoor>, connections: &Arc<Connections>, stream: TcpStream, peer: SocketAddr) {
    let (shared, came) = (&door.shared, moment());
    let world = shared.world.load_full();
    let mut recording = Recording::begin(&shared.home.traces, world.snapshot.revision, TCP, "");
    let Some(entered) = door.enter(&world, peer, &mut recording).await else {
        return recording.file(0);
    };
    let carried = Arc::<Carried>::default();
    let record = Record::of(shared, &entered, came, &carried);
    let noting = Noting { door: &**door, record: record.as_ref() };
    let client_stream = match entered.listener.tls {
        None => Client::Plain(stream),
        Some(_) => match connections.unless_draining(handshake::accept(&noting, stream)).await {
            None => return,
            Some(Ok((stream, _, tls))) => {
                if let Some(record) = &record {
                    record.shaken(&tls, stream.get_ref().1.alpn_protocol());
                }
                Client::Tls(Box::new(stream))
            }
            Some(Err(failed)) => {
                if let Some((record, alert)) = record.as_ref().zip(failed.alert()) {
                    record.alerted(alert);
                }
                if let Some((.., listener_world)) = door.found(&world) {
                    listener_world.meter.client_tls_errors.one();
                }
                recording.stop(HopKind::Listener, HopId::Listener(door.listener), Reason::TlsHandshakeFailed);
                recording.detail(&failed.to_string());
                return recording.file(0);
            }
        },
    };
    let led = lead(door, &entered, &mut recording).await;
    recording.file(0);
    // A connection may last for days: nothing of this moment's world is kept for it.
    drop(world);
    match (led, client_stream) {
        (Some(Led::Target(target, watched)), Client::Plain(client)) => {
            both_ways(client, target, (watched.idle, || watched.is_over()), &carried).await
        }
        (Some(Led::Target(target, watched)), Client::Tls(client)) => {
            both_ways(*client, target, (watched.idle, || watched.is_over()), &carried).await
        }
        (Some(Led::Balancer(door)), Client::Plain(client)) => {
            let manners = door.manners(Transport::Plain);
            Box::pin(listen::serve((Arc::new(door), Arc::clone(connections)), (client, manners), peer)).await;
        }
        // A listener that speaks TLS leads to no load balancer: control takes no such group.
        (Some(Led::Balancer(_)) | None, _) => {}
    }
}

/// A client's connection.
enum Client {
    Plain(TcpStream),
    Tls(Box<TlsStream<Tapped>>),
}

/// What is asked about a socket in place of a connection.
pub(crate) enum Asked {
    /// The trace of what became of it.
    Traced(RequestId),
    /// It came to a load balancer, whose listener is to be asked.
    Through(Arc<ListenerDoor>),
}

/// Leads a connection of a client at this address for its explanation alone: it bears no silence, and what it opens is closed again.
pub(crate) async fn ask(door: &Arc<StreamDoor>, peer: SocketAddr) -> Asked {
    let world = door.shared.world.load_full();
    let mut recording = Recording::begin(&door.shared.home.traces, world.snapshot.revision, TCP, "");
    recording.make_of_silence(Silence::Skipped);
    let id = recording.id();
    let led = match door.enter(&world, peer, &mut recording).await {
        Some(entered) => lead(door, &entered, &mut recording).await,
        None => None,
    };
    match led {
        Some(Led::Balancer(door)) => Asked::Through(Arc::new(door)),
        Some(Led::Target(..)) | None => {
            recording.file(0);
            Asked::Traced(id)
        }
    }
}

/// What ends a connection that would go on.
struct Watched {
    shared: Arc<Shared>,
    realm: Realm,
    group: TargetGroupId,
    target: SocketAddr,
    /// Whether the target was unhealthy already when the connection was led there: the group fails open.
    was_unhealthy: bool,
    idle: Duration,
    /// The connection counts as under way at its target.
    _busy: Guard,
}

impl Watched {
    /// Whether the target is gone, or ill, and its group ends connections then (NLB user guide, "Edit target group attributes", 2026-11).
    fn is_over(&self) -> bool {
        let world = self.shared.world.load();
        let Some(realm) = world.realm(&self.realm) else { return true };
        let index = realm.snapshot.balancers.group_by_id(self.group);
        let Some((group, state)) = index.and_then(|index| realm.group(index)) else { return false };
        let Some(stream) = &group.stream else { return true };
        let is_it = |address: IpAddr, port: u16| SocketAddr::new(address, port) == self.target;
        let place = group.targets.iter().position(|target| is_it(target.address, target.port));
        match place.and_then(|place| state.targets.get(place)) {
            Some(state) => {
                let ill = state.ill_since().map(|since| self.shared.identity.instant().duration_since(since));
                !self.was_unhealthy && ill.zip(stream.ends_with_health).is_some_and(|(ill, lasts)| ill >= lasts)
            }
            None => stream.ends_with_registration && !stream.draining.contains(&self.target),
        }
    }
}
