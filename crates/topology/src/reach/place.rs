//! What would put a program at an address that nothing has: the command, and the model in which it is already there.

use std::net::{Ipv4Addr, SocketAddr};

use super::path::Passage;
use crate::id::{NetworkInterfaceId, SecurityGroupId, VpcId};
use crate::snapshot::fabric::{Fabric, Interface, InterfaceIndex, Peer};
use crate::verdict::End;

/// A program that is to be put at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placing {
    vpc: VpcId,
    address: Ipv4Addr,
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
        write!(f, "{address}:{port} 127.0.0.1:{port}")
    }
}

/// What a passage needs whose receiver has no interface; `None` where it has one, or lies outside the sender's VPC.
pub(super) fn needed(fabric: &Fabric, passage: &Passage) -> Option<Placing> {
    let (End::Address(address), port) = (passage.to, passage.port) else { return None };
    let sender = fabric.interface(passage.from)?;
    if fabric.interface_at(sender.vpc, address).is_some() || !fabric.vpc_contains(sender.vpc, address) {
        return None;
    }
    let groups = sender.groups.iter().filter_map(|id| fabric.groups.get(id));
    let rules = groups.flat_map(|group| &group.egress).filter(|rule| rule.traffic.covers_tcp(port));
    let mut named = rules.filter_map(|rule| if let Peer::Group(group) = rule.peer { Some(group) } else { None });
    Some(Placing { vpc: sender.vpc, address, port, group: named.next() })
}

/// Puts the program there, in the model: with the group of the command, else the VPC's default group, as `attach` does.
pub(super) fn put(fabric: &mut Fabric, placing: &Placing, from: InterfaceIndex) -> Option<InterfaceIndex> {
    let near = fabric.interface(from)?.clone();
    let is_default = |(id, group): (&SecurityGroupId, &crate::snapshot::fabric::Group)| group.is_default.then_some(*id);
    let of_vpc = || {
        let carried = fabric.interfaces.iter().filter(|interface| interface.vpc == placing.vpc);
        let carried: Vec<SecurityGroupId> = carried.flat_map(|interface| interface.groups.iter().copied()).collect();
        fabric.groups.iter().filter(|(id, _)| carried.contains(id)).find_map(is_default)
    };
    let groups: Vec<SecurityGroupId> = placing.group.or_else(of_vpc).into_iter().collect();
    let index = InterfaceIndex(u32::try_from(fabric.interfaces.len()).ok()?);
    // The id never leaves the model.
    let id = NetworkInterfaceId::from_bits(0);
    fabric.interfaces.push(Interface { id, vpc: placing.vpc, private_ip: placing.address, groups, ..near });
    fabric.by_address.insert((placing.vpc, placing.address), index);
    fabric.attachments.insert(index, vec![(None, SocketAddr::from(([127, 0, 0, 1], placing.port)))]);
    Some(index)
}
