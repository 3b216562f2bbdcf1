//! The only place that decides a route between two VPCs.
//!
//! Within a VPC everything is reached by the local route. An address outside is looked up in the route table of the sender's subnet: the
//! longest prefix decides, and only a VPC peering connection that is active leads into another VPC, into that one alone and never
//! through it into a third (VPC user guide, "Route priority"; VPC peering guide, "VPC peering limitations", 2026-11). What the receiver
//! sends back needs a route of its own. Between VPCs that no peering connection joins there is no way, whatever their addresses.
//!
//! Addresses that lie in no VPC of the realm are reached without a route by whatever Tidegate itself carries (`docs/differences-from-aws.md`). What programs send there
//! needs a way out ([`super::exit`]).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{End, Family, Flow};
use crate::id::{NetworkInterfaceId, RouteTableId, SubnetId, VpcId, VpcPeeringConnectionId};
use crate::snapshot::fabric::{Fabric, Interface, Peering, RouteNet};

/// Where an address lies for a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leads {
    /// In its own VPC.
    Local,
    /// In this VPC, through a peering connection.
    Peer(VpcId),
    /// In no VPC of the realm.
    Outside,
    /// Where no route leads.
    Nowhere,
}

/// Something that finds no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteDenial {
    /// The route table that lacks it; `None` where the subnet has none.
    pub table: Option<RouteTableId>,
    /// The VPC of that table.
    pub vpc: VpcId,
    /// The subnet that it is the table of.
    pub subnet: SubnetId,
    /// Whether replies are meant, and not the connection.
    pub of_replies: bool,
    /// The address that is not reached.
    pub address: IpAddr,
    /// The addresses that a route would be about: the subnet of the address, else the address alone.
    pub block: IpNet,
    /// The route that decides, where one does.
    pub deciding: Option<RouteNet>,
    /// The peering connection that would lead there.
    pub peering: Option<Peering>,
    /// The interface that has no address of the connection's family, where that is what stands in the way.
    pub without: Option<(NetworkInterfaceId, Family)>,
}

/// Where an address lies for an interface.
pub(crate) fn leads(fabric: &Fabric, from: &Interface, to: IpAddr) -> Leads {
    if fabric.vpc_contains(from.vpc, to) {
        return Leads::Local;
    }
    match deciding(fabric, from, to).and_then(|route| route.peering) {
        Some(id) => peer(fabric, (id, from.vpc), to).map_or(Leads::Nowhere, Leads::Peer),
        None if fabric.any_vpc_contains(to) => Leads::Nowhere,
        None => Leads::Outside,
    }
}

fn deciding<'a>(fabric: &'a Fabric, from: &Interface, to: IpAddr) -> Option<&'a RouteNet> {
    fabric.routes.get(&from.subnet)?.deciding(to)
}

/// The VPC at the other end of an active peering connection, if the address is its own.
fn peer(fabric: &Fabric, (id, vpc): (VpcPeeringConnectionId, VpcId), to: IpAddr) -> Option<VpcId> {
    fabric.peer(id, vpc).filter(|other| fabric.vpc_contains(*other, to))
}

/// Which route `flow`, or what is replied to it, lacks.
pub(crate) fn denial(fabric: &Fabric, flow: Flow) -> Option<RouteDenial> {
    let from = flow.from.interface(fabric)?;
    let Some(own) = from.address(flow.family) else {
        return Some(unaddressed(fabric, (from, from), flow.family));
    };
    let there = match flow.to {
        End::Address(address) => (leads(fabric, from, address) == Leads::Nowhere).then_some((address, None)),
        End::Interface(_) => {
            let to = flow.to.interface(fabric)?;
            let Some(address) = to.address(flow.family) else {
                return Some(unaddressed(fabric, (from, to), flow.family));
            };
            if from.vpc == to.vpc {
                return None;
            }
            let is_led = leads(fabric, from, address) == Leads::Peer(to.vpc);
            (!is_led).then_some((address, Some(to.vpc)))
        }
    };
    if let Some((address, vpc)) = there {
        return Some(lacking(fabric, from, (address, vpc), false));
    }
    let to = flow.to.interface(fabric)?;
    // A client's own address is only seen where it is one of the sender's VPC; elsewhere the node that sends it on is answered.
    let back = flow.seen_as.filter(|seen| fabric.vpc_contains(from.vpc, *seen)).unwrap_or(own);
    let is_led = leads(fabric, to, back) == Leads::Peer(from.vpc);
    (!is_led).then(|| lacking(fabric, to, (back, Some(from.vpc)), true))
}

/// An interface has no address of the family: the sender, or the one that it sends to.
fn unaddressed(fabric: &Fabric, (from, without): (&Interface, &Interface), family: Family) -> RouteDenial {
    let address = match family {
        Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    let without = Some((without.id, family));
    RouteDenial { without, ..lacking(fabric, from, (address, None), false) }
}

/// What a sender lacks to reach an address, in this VPC if in one.
fn lacking(
    fabric: &Fabric,
    from: &Interface,
    (address, within): (IpAddr, Option<VpcId>),
    of_replies: bool,
) -> RouteDenial {
    let leads = |peering: &&Peering| {
        let other = peering.other(from.vpc).filter(|other| within.is_none_or(|vpc| vpc == *other));
        other.is_some_and(|other| fabric.vpc_contains(other, address))
    };
    let peerings = || fabric.peerings.iter().filter(leads);
    let peering = peerings().find(|peering| peering.is_active).or_else(|| peerings().next()).copied();
    let other = within.or_else(|| peering?.other(from.vpc));
    let mut subnets = fabric.subnets.values().filter(|subnet| Some(subnet.vpc) == other);
    let block = subnets.find_map(|subnet| subnet.block_of(address));
    RouteDenial {
        table: fabric.routes.get(&from.subnet).map(|routes| routes.id),
        vpc: from.vpc,
        subnet: from.subnet,
        of_replies,
        address,
        block: block.unwrap_or_else(|| IpNet::from(address)),
        deciding: deciding(fabric, from, address).copied(),
        peering,
        without: None,
    }
}
