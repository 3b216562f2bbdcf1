//! The only place that decides which way out of its VPC an interface has.
//!
//! A route leads out through an internet gateway for who has a public address, or through a NAT gateway in a subnet whose own route leads out through an
//! internet gateway (VPC user guide, "NAT gateways" and "Enable internet access for a VPC", 2026-11). What goes through a NAT gateway crosses the boundary of
//! its subnet twice, so that the network ACL there is asked four times. No VPC of the realm is reached so, and nothing comes in.
//!
//! Groups and the network ACL of the interface's own subnet are [`verdict`](super::verdict)'s. Whether anything carries what leaves is the configuration's
//! (`egress.nat`).

use std::net::Ipv4Addr;

use super::acl::{REPLY_PORTS, decide};
use crate::id::{NetworkAclId, RouteTableId, SubnetId};
use crate::net::{Direction, PortRange};
use crate::snapshot::fabric::{Exit, Fabric, Interface};

/// Why an interface has no way out to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoExit {
    /// The route table of this subnet has no route that leads out, or the subnet has none: that of the interface, or of the NAT gateway on its way.
    Route(SubnetId, Option<RouteTableId>),
    /// The route leads to an internet gateway, and the interface has no public address.
    PublicAddress,
    /// The ACL of the NAT gateway's subnet: in which of its lists, and whether for replies.
    Acl(NetworkAclId, Direction, bool),
}

/// The way out of its VPC by which an interface reaches these ports of an address.
pub(crate) fn exit(fabric: &Fabric, from: &Interface, to: Ipv4Addr, ports: PortRange) -> Result<Exit, NoExit> {
    let routed = |subnet: SubnetId| {
        let table = fabric.routes.get(&subnet);
        let exit =
            table.and_then(|table| table.deciding(to.into())?.exit).filter(|_| !fabric.any_vpc_contains(to.into()));
        exit.ok_or(NoExit::Route(subnet, table.map(|table| table.id)))
    };
    let exit = routed(from.subnet)?;
    match exit {
        Exit::Internet if fabric.has_public_address(from.id) => Ok(exit),
        Exit::Internet => Err(NoExit::PublicAddress),
        Exit::Nat(_, subnet) => match routed(subnet)? {
            Exit::Internet => past_acl(fabric, (from, subnet), to, ports).map(|()| exit),
            Exit::Nat(..) => Err(NoExit::Route(subnet, fabric.routes.get(&subnet).map(|table| table.id))),
        },
    }
}

/// Asks the ACL of a NAT gateway's subnet.
fn past_acl(
    fabric: &Fabric,
    (from, subnet): (&Interface, SubnetId),
    to: Ipv4Addr,
    ports: PortRange,
) -> Result<(), NoExit> {
    let Some(acl) = fabric.acls.get(&subnet).filter(|_| subnet != from.subnet) else { return Ok(()) };
    let (own, replies) = (from.private_ip, true);
    for (direction, peer, ports, of_replies) in [
        (Direction::Ingress, own, ports, !replies),
        (Direction::Egress, to, ports, !replies),
        (Direction::Ingress, to, REPLY_PORTS, replies),
        (Direction::Egress, own, REPLY_PORTS, replies),
    ] {
        let decided = decide(acl.rules(direction), peer.into(), ports);
        decided.map_err(|_rule| NoExit::Acl(acl.id, direction, of_replies))?;
    }
    Ok(())
}
