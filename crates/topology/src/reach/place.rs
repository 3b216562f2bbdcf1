//! What would put a program at an address that nothing has: the command, and the model in which it is already there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::path::Passage;
use crate::id::{NetworkInterfaceId, SecurityGroupId, VpcId};
use crate::reason::Reason;
use crate::resource::attachment::ServedAt;
use crate::snapshot::fabric::{Fabric, Interface, InterfaceIndex, Peer, SubnetNet};
use crate::verdict::End;
use crate::way::{self, Destination, Way};

/// A program that is to be put at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placing {
    vpc: VpcId,
    address: IpAddr,
    port: u16,
    /// The group that the sender's rules speak of, if they speak of one.
    group: Option<SecurityGroupId>,
}

impl std::fmt::Display for Placing {
    /// The command that makes it. The program is taken to listen on the same port of this machine.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { vpc, address, port, group } = self;
        write!(f, "tidegate attach --vpc {vpc} ")?;
        if let Some(group) = group {
            write!(f, "--security-group {group} ")?;
        }
        write!(f, "{} 127.0.0.1:{port}", SocketAddr::new(*address, *port))
    }
}

/// What a passage needs whose receiver has no interface; `None` where it has one, or lies where no route leads.
pub(super) fn needed(fabric: &Fabric, passage: &Passage) -> Option<Placing> {
    let (Destination::Address(within, address), port) = (passage.to, passage.port) else { return None };
    let is_empty = matches!(passage.to.end(fabric, passage.from), End::Address(_))
        && way::answers(fabric, (passage.from, passage.to), port) == Way::Silent(Reason::NoInterface);
    let sender = passage.from.interface(fabric).filter(|sender| is_empty && sender.vpc == within)?;
    let vpc = passage.to.vpc(fabric, passage.from)?;
    let groups = sender.groups.iter().filter_map(|id| fabric.groups.get(id));
    let rules = groups.flat_map(|group| &group.egress).filter(|rule| rule.traffic.covers_tcp(port));
    let mut named = rules.filter_map(|rule| if let Peer::Group(group) = rule.peer { Some(group) } else { None });
    Some(Placing { vpc, address, port, group: named.next() })
}

/// Puts the program there, in the model: with the group of the command, else the VPC's default group, as `attach` does.
pub(super) fn put(fabric: &mut Fabric, placing: &Placing, passage: &Passage) {
    let Some(near) = passage.from.interface(fabric).cloned() else { return };
    let is_its = |net: &SubnetNet| net.vpc == placing.vpc && net.block_of(placing.address).is_some();
    let subnet = fabric.subnets.iter().find(|(_, net)| is_its(net)).map_or(near.subnet, |(id, _)| *id);
    let of_vpc = || fabric.vpcs.iter().find(|net| net.id == placing.vpc)?.default_group;
    let groups: Vec<SecurityGroupId> = placing.group.or_else(of_vpc).into_iter().collect();
    let Ok(place) = u32::try_from(fabric.interfaces.len()) else { return };
    let index = InterfaceIndex(place);
    // The id never leaves the model.
    let id = NetworkInterfaceId::from_bits(0);
    let (private_ip, ipv6) = match placing.address {
        IpAddr::V4(address) => (address, None),
        // What it has of IPv4 nobody asks for.
        IpAddr::V6(address) => (Ipv4Addr::UNSPECIFIED, Some(address)),
    };
    fabric.interfaces.push(Interface { id, vpc: placing.vpc, subnet, private_ip, ipv6, groups, ..near });
    fabric.by_address.insert((placing.vpc, placing.address), index);
    fabric.attachments.insert(index, vec![(None, ServedAt::Host(SocketAddr::from(([127, 0, 0, 1], placing.port))))]);
}
