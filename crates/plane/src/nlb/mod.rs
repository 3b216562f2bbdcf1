//! The network load balancer: a connection that enters a listener is led to one target of the listener's group, as bytes (NLB user guide,
//! 2026-11). The target is an address, or an application load balancer, which takes the connection as if its client had dialled it.
//!
//! Whoever dials, a program through a socket or the gateway for a request, asks [`lead`].

pub(crate) mod probe;
mod proxy;
mod record;
pub(crate) mod relay;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{Ipv4Addr, SocketAddr};

use topology::net::Family;
use topology::observed::TargetKey;
use topology::reason::Reason;
use topology::snapshot::balancer::{Action, Balancer, GroupIndex, LeadsTo, Listener, ListenerIndex, Node};
use topology::trace::{Hop, HopId, HopKind};

use crate::fabric::dial::{self, Denial, Destination, Led, Passage, Permit, Speech};
use crate::targets::choose::{self, Chosen};
use crate::trace::Recording;
use crate::world::RealmWorld;

/// A connection at a node of a network load balancer.
pub(crate) struct Entered<'w> {
    /// Where everything is looked up.
    pub(crate) realm: &'w RealmWorld,
    /// The listener.
    pub(crate) listener: &'w Listener,
    /// The node.
    pub(crate) node: &'w Node,
    /// How it came there.
    pub(crate) passage: Passage,
    /// The client, as the private network sees it.
    pub(crate) client: SocketAddr,
    /// Whether targets can see the client's address; those behind a link of version 1 never do.
    pub(crate) is_seen: bool,
}

/// Where a connection leads.
pub(crate) enum Onward<'w> {
    /// To an address, for this permit.
    Target(Permit),
    /// To a listener of an application load balancer, at this node, for this permit.
    Balancer {
        /// The listener.
        listener: ListenerIndex,
        /// Its load balancer.
        balancer: &'w Balancer,
        /// The node of that.
        node: &'w Node,
        /// The leave to enter there.
        permit: Permit,
    },
}

/// A connection with its target.
pub(crate) struct Course<'w> {
    /// The target.
    pub(crate) chosen: Chosen<'w>,
    /// The way to it.
    pub(crate) onward: Onward<'w>,
}

/// Why a connection leads nowhere.
pub(crate) enum Stopped {
    /// There is no target: the connection is refused.
    NoTarget(Reason),
    /// A group denies, or nobody has the address: silence, as in this denial.
    Silent(Box<Denial>),
}

/// Chooses the target of a connection, and asks leave to go there. What it finds is written down, but for a denial: that comes after the
/// silence.
pub(crate) fn lead<'w>(entered: &Entered<'w>, recording: &mut Recording) -> Result<Course<'w>, Stopped> {
    let Entered { realm, listener, node, .. } = *entered;
    let no_target = |recording: &mut Recording, id: HopId, reason| {
        recording.stop(HopKind::TargetGroup, id, reason);
        Stopped::NoTarget(reason)
    };
    let found = group_of(listener).and_then(|index| realm.group(index));
    let Some((group, state, stream)) = found.and_then(|(group, state)| Some((group, state, group.stream.as_ref()?)))
    else {
        return Err(no_target(recording, HopId::None, Reason::NoTargets));
    };
    let id = HopId::TargetGroup(group.id);
    let ticket = |target: TargetKey| {
        let mut hasher = DefaultHasher::new();
        (target.address, target.port, entered.client.ip()).hash(&mut hasher);
        if !stream.is_bound_by_source {
            (entered.client.port(), listener.port, node.interface).hash(&mut hasher);
        }
        hasher.finish()
    };
    let chosen =
        choose::of_flow((group, state), &node.zone, ticket).map_err(|none| no_target(recording, id, none.reason))?;
    if chosen.all_unhealthy {
        recording.hint(Reason::AllUnhealthyFailOpen);
    }
    recording.pass(HopKind::TargetGroup, id);
    let is_seen = entered.is_seen && stream.preserves_client;
    let sender = (node.interface, is_seen.then(|| entered.client.ip()));
    let fabric = &realm.snapshot.fabric;
    let onward = if let LeadsTo::Balancer(index) = stream.leads_to {
        let to = index.and_then(|index| entrance(realm, index, node));
        let Some((listener, balancer, to, port)) = to else {
            return Err(no_target(recording, id, Reason::ListenerNotFound));
        };
        let permit = dial::ask_as(realm.net(), sender, Destination::Interface(to.interface, Family::Ipv4), port)
            .map_err(Stopped::Silent)?;
        Onward::Balancer { listener, balancer, node: to, permit }
    } else {
        let to = Destination::Address(group.vpc, chosen.target.address);
        // A client of the other family cannot be seen (NLB user guide, "Client IP preservation", 2026-11).
        let sender = (sender.0, sender.1.filter(|client| Family::of(*client) == to.family()));
        let permit = dial::ask_as(realm.net(), sender, to, chosen.target.port).map_err(Stopped::Silent)?;
        let own = fabric.interface(node.interface).and_then(|node| node.address(Family::of(entered.client.ip())));
        let own = own.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let preface = match stream.proxy_protocol {
            true => proxy::header(entered.client, SocketAddr::new(own, listener.port)),
            false => Vec::new(),
        };
        let led = Led { passage: entered.passage, seen_as: sender.1, preface, tls: None };
        Onward::Target(permit.speaking(Speech { is_secure: group.is_secure, is_http2: false }).led(led))
    };
    let leg = match &onward {
        Onward::Target(permit) | Onward::Balancer { permit, .. } => permit.leg(),
    };
    recording.hop(Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(leg));
    Ok(Course { chosen, onward })
}

/// Where a connection from a node enters the listener of a load balancer that is a target: at its node in the same zone, or at its first.
fn entrance<'w>(
    realm: &'w RealmWorld,
    index: ListenerIndex,
    from: &Node,
) -> Option<(ListenerIndex, &'w Balancer, &'w Node, u16)> {
    let balancers = &realm.snapshot.balancers;
    let listener = balancers.listener(index)?;
    let balancer = balancers.balancer(listener.balancer).filter(|balancer| balancer.active)?;
    let is_near = |node: &&Node| node.zone == from.zone;
    let node = balancer.nodes.iter().find(is_near).or_else(|| balancer.nodes.first())?;
    Some((index, balancer, node, listener.port))
}

/// The group that a listener forwards to.
fn group_of(listener: &Listener) -> Option<GroupIndex> {
    match &listener.rules.last()?.action {
        Action::Forward(forward) => forward.groups.first().map(|(index, _)| *index),
        Action::Fixed(_) | Action::Redirect(_) | Action::Dangling => None,
    }
}
