//! What time does to resources: provisioning, draining, deletion, idleness. Driven by `tick` and `observe` only.

pub(crate) mod link;
mod order;

use std::sync::Arc;

use topology::estate::RealmEstate;
use topology::id::{
    InstanceId, LoadBalancerId, NatGatewayId, NetworkInterfaceId, TargetGroupId, VpcLinkId, VpcPeeringConnectionId,
};
use topology::resource::instance::InstanceState;
use topology::resource::load_balancer::BalancerState;
use topology::resource::peering::{PeeringEnd, PeeringState};
use topology::resource::routing::NatGatewayState;
use topology::resource::target_group::TargetGroup;
use topology::resource::vpc_link::VpcLinkState;
use topology::time::Moment;

use crate::interface;
use crate::mint::Mint;

/// A link that carried nothing for so long becomes INACTIVE: 60 days (HTTP API developer guide, "VPC links", 2026-11).
pub(crate) const LINK_IDLE_MS: i64 = 60 * 24 * 3600 * 1000;

/// How long a deleted NAT gateway stays listed: an hour, as AWS users see it.
const NAT_GATEWAY_LISTED_MS: i64 = 3600 * 1000;

/// How long a terminated instance stays listed: an hour, as AWS users see it.
const INSTANCE_LISTED_MS: i64 = 3600 * 1000;

/// How long a request for a peering connection may be accepted: seven days (EC2 API reference, CreateVpcPeeringConnection, 2026-11).
pub(crate) const PEERING_OFFER_MS: i64 = 7 * 24 * 3600 * 1000;

/// How long a peering connection within one account stays listed once it failed, was rejected or deleted: two hours (VPC peering guide,
/// "VPC peering connection lifecycle", 2026-11).
pub(crate) const PEERING_LISTED_MS: i64 = 2 * 3600 * 1000;

/// The same for a request that ran out: two days.
const PEERING_EXPIRED_LISTED_MS: i64 = 2 * 24 * 3600 * 1000;

/// Uses of a link within this time of the last are not written down.
const LINK_USE_GRAIN_MS: i64 = 60 * 1000;

/// When the next thing happens by itself in this realm.
pub(crate) fn next_change(estate: &RealmEstate) -> Option<Moment> {
    let balancers = estate.load_balancers.values().filter_map(|lb| match lb.state {
        BalancerState::Provisioning(until) => Some(until),
        BalancerState::Active => None,
    });
    let draining = estate.target_groups.values().flat_map(|group| group.targets()).filter_map(|t| t.draining_until);
    let links = estate.vpc_links.values().filter_map(|link| match link.state {
        VpcLinkState::Pending(until) | VpcLinkState::Deleting(until) => Some(until),
        VpcLinkState::Available => Some(link.last_used.plus_ms(LINK_IDLE_MS)),
        VpcLinkState::Failed(_) | VpcLinkState::Inactive => None,
    });
    let links_v1 = estate.vpc_links_v1.values().filter_map(|link| match link.state {
        VpcLinkState::Pending(until) | VpcLinkState::Deleting(until) => Some(until),
        VpcLinkState::Available | VpcLinkState::Failed(_) | VpcLinkState::Inactive => None,
    });
    let nats = estate.nat_gateways.values().filter_map(|nat| match nat.state {
        NatGatewayState::Pending(until) | NatGatewayState::Deleting(until) | NatGatewayState::Deleted(until) => {
            Some(until)
        }
        NatGatewayState::Available => None,
    });
    let instances = estate.instances.values().filter_map(|instance| instance.state.until());
    let peerings = estate.vpc_peering_connections.values().filter_map(|peering| peering.state.until());
    let orders = order::next_change(estate);
    balancers
        .chain(draining)
        .chain(links)
        .chain(links_v1)
        .chain(nats)
        .chain(instances)
        .chain(peerings)
        .chain(orders)
        .min()
}

/// How many states a resource passes through at most in one jump of the clock: PENDING, AVAILABLE, INACTIVE; a peering connection is
/// asked for, offered, expired.
const STATES_MAX: usize = 3;

/// Does everything that is due, one state after the other where the clock has jumped. An untouched draft is left as it is,
/// pointer and all.
pub(crate) fn advance(draft: &mut Arc<RealmEstate>, now: Moment) {
    for _ in 0..STATES_MAX {
        if next_change(draft).is_none_or(|due| due > now) {
            return;
        }
        let estate = Arc::make_mut(draft);
        activate_balancers(estate, now);
        forget_drained(estate, now);
        move_links(estate, now);
        move_links_v1(estate, now);
        move_nat_gateways(estate, now);
        move_instances(estate, now);
        move_peerings(estate, now);
        order::advance(estate, now);
    }
}

fn activate_balancers(estate: &mut RealmEstate, now: Moment) {
    let is_due = |state: BalancerState| matches!(state, BalancerState::Provisioning(until) if until <= now);
    let due: Vec<LoadBalancerId> =
        estate.load_balancers.values().filter(|lb| is_due(lb.state)).map(|lb| lb.id).collect();
    for id in due {
        if let Some(balancer) = estate.load_balancers.edit(&id) {
            balancer.state = BalancerState::Active;
        }
    }
}

fn forget_drained(estate: &mut RealmEstate, now: Moment) {
    let drained = |until: Option<Moment>| until.is_some_and(|until| until <= now);
    let due: Vec<TargetGroupId> = estate
        .target_groups
        .values()
        .filter(|group| group.targets().iter().any(|target| drained(target.draining_until)))
        .map(|group| group.id)
        .collect();
    for id in due {
        if let Some(group) = estate.target_groups.edit(&id) {
            group.retain_targets(|target| !drained(target.draining_until));
        }
    }
}

fn move_links(estate: &mut RealmEstate, now: Moment) {
    let ids: Vec<VpcLinkId> = estate.vpc_links.values().map(|link| link.id).collect();
    for id in ids {
        let Some(link) = estate.vpc_links.get(&id).cloned() else { continue };
        let mut last_used = link.last_used;
        let state = match link.state {
            VpcLinkState::Pending(until) if until <= now => {
                last_used = last_used.max(until);
                VpcLinkState::Available
            }
            VpcLinkState::Available if link.last_used.plus_ms(LINK_IDLE_MS) <= now => VpcLinkState::Inactive,
            VpcLinkState::Deleting(until) if until <= now => {
                remove_interfaces(estate, &link.interfaces);
                estate.vpc_links.remove(&id);
                continue;
            }
            _ => continue,
        };
        if state == VpcLinkState::Inactive {
            remove_interfaces(estate, &link.interfaces);
        }
        let Some(link) = estate.vpc_links.edit(&id) else { continue };
        if state == VpcLinkState::Inactive {
            link.interfaces.clear();
        }
        link.last_used = last_used;
        link.state = state;
    }
}

/// Links of version 1 have no interfaces and no idleness.
fn move_links_v1(estate: &mut RealmEstate, now: Moment) {
    let states = estate.vpc_links_v1.values().map(|link| (link.id, link.state.clone()));
    for (id, state) in states.collect::<Vec<_>>() {
        match state {
            VpcLinkState::Pending(until) if until <= now => {
                if let Some(link) = estate.vpc_links_v1.edit(&id) {
                    link.state = VpcLinkState::Available;
                }
            }
            VpcLinkState::Deleting(until) if until <= now => {
                estate.vpc_links_v1.remove(&id);
            }
            _ => {}
        }
    }
}

fn remove_interfaces(estate: &mut RealmEstate, interfaces: &[NetworkInterfaceId]) {
    for id in interfaces {
        estate.network_interfaces.remove(id);
    }
}

fn move_nat_gateways(estate: &mut RealmEstate, now: Moment) {
    let ids: Vec<NatGatewayId> = estate.nat_gateways.values().map(|nat| nat.id).collect();
    for id in ids {
        let Some(nat) = estate.nat_gateways.get(&id).cloned() else { continue };
        let state = match nat.state {
            NatGatewayState::Pending(until) if until <= now => NatGatewayState::Available,
            NatGatewayState::Deleting(until) if until <= now => {
                remove_interfaces(estate, nat.interface.as_slice());
                NatGatewayState::Deleted(until.plus_ms(NAT_GATEWAY_LISTED_MS))
            }
            NatGatewayState::Deleted(until) if until <= now => {
                estate.nat_gateways.remove(&id);
                continue;
            }
            _ => continue,
        };
        if let Some(nat) = estate.nat_gateways.edit(&id) {
            if matches!(state, NatGatewayState::Deleted(_)) {
                nat.interface = None;
            }
            nat.state = state;
        }
    }
}

fn move_instances(estate: &mut RealmEstate, now: Moment) {
    let is_due = |state: InstanceState| state.until().is_some_and(|until| until <= now);
    let due: Vec<InstanceId> = estate.instances.values().filter(|one| is_due(one.state)).map(|one| one.id).collect();
    for id in due {
        let Some(instance) = estate.instances.get(&id).cloned() else { continue };
        let state = match instance.state {
            InstanceState::Pending(_) => InstanceState::Running,
            InstanceState::Stopping(_) => InstanceState::Stopped,
            InstanceState::ShuttingDown(until) => {
                instance.interface.into_iter().for_each(|id| interface::remove(estate, id));
                InstanceState::Terminated(until.plus_ms(INSTANCE_LISTED_MS))
            }
            InstanceState::Terminated(_) => {
                estate.instances.remove(&id);
                forget_instance(estate, id);
                continue;
            }
            InstanceState::Running | InstanceState::Stopped => continue,
        };
        if let Some(instance) = estate.instances.edit(&id) {
            if matches!(state, InstanceState::Terminated(_)) {
                instance.interface = None;
            }
            instance.state = state;
        }
    }
}

fn move_peerings(estate: &mut RealmEstate, now: Moment) {
    let is_due = |state: PeeringState| state.until().is_some_and(|until| until <= now);
    let known = estate.vpc_peering_connections.values();
    let due: Vec<VpcPeeringConnectionId> = known.filter(|one| is_due(one.state)).map(|one| one.id).collect();
    for id in due {
        let Some(peering) = estate.vpc_peering_connections.edit(&id) else { continue };
        peering.state = match peering.state {
            PeeringState::Initiating(_) => PeeringState::PendingAcceptance(peering.expires),
            PeeringState::PendingAcceptance(until) => {
                PeeringState::Ended(PeeringEnd::Expired, until.plus_ms(PEERING_EXPIRED_LISTED_MS))
            }
            PeeringState::Provisioning(_) | PeeringState::Active => PeeringState::Active,
            PeeringState::Ended(..) => {
                estate.vpc_peering_connections.remove(&id);
                continue;
            }
        };
    }
}

/// What was registered as an instance that nobody knows any more is a target no longer.
fn forget_instance(estate: &mut RealmEstate, id: InstanceId) {
    let has = |group: &TargetGroup| group.targets().iter().any(|target| target.instance == Some(id));
    let groups = estate.target_groups.values().filter(|group| has(group)).map(|group| group.id);
    for group in groups.collect::<Vec<_>>() {
        if let Some(group) = estate.target_groups.edit(&group) {
            group.retain_targets(|target| target.instance != Some(id));
        }
    }
}

/// Notes that a request wanted a link. One that was INACTIVE is provisioned again, as AWS does with the first request after
/// the pause (HTTP API developer guide, "VPC links", 2026-11).
pub(crate) fn link_used(draft: &mut Arc<RealmEstate>, mint: &mut Mint, at: (VpcLinkId, Moment, Moment)) {
    let (id, now, ready) = at;
    let Some(link) = draft.vpc_links.get(&id).cloned() else { return };
    if link.state == VpcLinkState::Inactive {
        link::provision(Arc::make_mut(draft), mint, id, ready);
    } else if now.ms_since(link.last_used) < LINK_USE_GRAIN_MS {
        return;
    }
    if let Some(link) = Arc::make_mut(draft).vpc_links.edit(&id) {
        link.last_used = now;
    }
}

#[cfg(test)]
mod tests;
