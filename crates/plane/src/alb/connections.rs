//! What a load balancer keeps of clients' connections to sockets of its listeners, and of handshakes that came to nothing: counts, and
//! where it has a connection log, a line (ALB user guide, "Connection logs for your Application Load Balancer", 2026-11). A client that a
//! security group denies has no connection on AWS, so that nothing is kept of it.

use std::net::{Ipv4Addr, SocketAddr};

use super::door::{Entrance, ListenerDoor};
use crate::front::arrival::Arrival;
use crate::front::handshake::Failed;
use crate::guard::Guard;
use crate::report::connection::Attempt;
use crate::report::outlet::BalancerLine;
use crate::tls::mutual::UNMAPPED;
use crate::{clock, entropy};

/// A client has a connection: the guard lasts as long as it does.
pub(super) fn came(door: &ListenerDoor, arrival: &Arrival) -> Option<Guard> {
    let world = door.shared().world.load();
    let entrance = door.entrance(&world, arrival.peer)?;
    let node = node(&entrance)?;
    let tls = arrival.tls.as_ref();
    let attempt = Attempt {
        agreed: tls.map(|tls| tls.agreed),
        handshake: tls.map(|tls| tls.handshake),
        leaf: tls.and_then(|tls| tls.asked.as_ref()?.leaf.as_ref()),
        outcome: tls.map(|_| Ok(())),
        id: arrival.id,
        key_exchange: tls.and_then(|tls| tls.key_exchange),
        ..attempt(&entrance, node, arrival.peer)
    };
    log(door, &entrance, &attempt);
    Some(entrance.listener_world.meter.connected())
}

/// A client's handshake came to nothing.
pub(super) fn failed(door: &ListenerDoor, peer: SocketAddr, failed: &Failed) {
    let world = door.shared().world.load();
    let Some(entrance) = door.entrance(&world, peer) else { return };
    let Some(node) = node(&entrance) else { return };
    entrance.listener_world.meter.client_tls_errors.one();
    let refused = failed.not_taken();
    let attempt = Attempt {
        agreed: failed.agreed(),
        leaf: refused.and_then(|refused| refused.leaf.as_ref()),
        outcome: Some(Err(refused.map_or(UNMAPPED, |refused| refused.code))),
        id: entropy::bits128(),
        ..attempt(&entrance, node, peer)
    };
    log(door, &entrance, &attempt);
}

/// The node that a client comes to, if it may.
fn node(entrance: &Entrance<'_>) -> Option<Ipv4Addr> {
    let (node, leave) = entrance.ask()?;
    leave.ok().filter(|_| entrance.balancer.active)?;
    entrance.realm.snapshot.fabric.interface(node.interface).map(|interface| interface.private_ip)
}

/// What is known of every attempt.
fn attempt<'a>(entrance: &Entrance<'a>, node: Ipv4Addr, peer: SocketAddr) -> Attempt<'a> {
    Attempt {
        at: clock::since_epoch(),
        client: SocketAddr::new(entrance.address, peer.port()),
        port: entrance.listener.port,
        agreed: None,
        handshake: None,
        leaf: None,
        outcome: None,
        id: 0,
        key_exchange: None,
        balancer: &entrance.balancer.full_name,
        node,
    }
}

fn log(door: &ListenerDoor, entrance: &Entrance<'_>, attempt: &Attempt<'_>) {
    if let Some(place) = &entrance.balancer.logs.connections {
        door.shared().log(BalancerLine { place: place.clone(), node: attempt.node, text: attempt.line() });
    }
}
