//! What would mend a denial: one rule, as narrow as works, and the model in which it is already there. Whether a rule is
//! needed is [`crate::verdict`]'s answer; here is only which.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::id::{SecurityGroupId, SecurityGroupRuleId};
use crate::net::{PortRange, Traffic};
use crate::snapshot::fabric::{Fabric, GroupRule, Interface, Peer};
use crate::verdict::{Direction, End, Flow, Side, side};

use super::path::Passage;
use super::place::{self, Placing};

/// The most commands that one explanation lists. A chain needs a handful; only targets outside the VPC need one each, and
/// past this number an address at a time is not how anyone would mend it.
pub(super) const FIXES_MAX: usize = 200;

/// A rule that would mend a denial. It prints as the command that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fix {
    /// The group that gets the rule.
    pub(super) group: SecurityGroupId,
    /// Which of its sides.
    pub(super) direction: Direction,
    port: u16,
    peer: FixPeer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FixPeer {
    Group(SecurityGroupId),
    Address(Ipv4Addr),
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.direction {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        };
        let (group, port) = (self.group, self.port);
        write!(f, "aws ec2 authorize-security-group-{side} --group-id {group} ")?;
        write!(f, "--ip-permissions 'IpProtocol=tcp,FromPort={port},ToPort={port},")?;
        match self.peer {
            FixPeer::Group(peer) => write!(f, "UserIdGroupPairs=[{{GroupId={peer}}}]'"),
            FixPeer::Address(peer) => write!(f, "IpRanges=[{{CidrIp={peer}/32}}]'"),
        }
    }
}

/// The narrowest rule that admits `flow` at one side; `None` where no group is there to hold it.
pub(super) fn narrowest(fabric: &Fabric, flow: Flow, direction: Direction) -> Option<Fix> {
    let (judged, peer) = match direction {
        Direction::Egress => (flow.from, flow.to),
        Direction::Ingress => (flow.to, flow.from),
    };
    let End::Interface(judged) = judged else { return None };
    let group = own_group(fabric, fabric.interface(judged)?)?;
    let peer = match peer {
        End::Address(address) => FixPeer::Address(address),
        End::Interface(index) => {
            let interface = fabric.interface(index)?;
            let address = flow.seen_as.filter(|_| direction == Direction::Ingress).unwrap_or(interface.private_ip);
            own_group(fabric, interface).map_or(FixPeer::Address(address), FixPeer::Group)
        }
    };
    Some(Fix { group, direction, port: flow.port, peer })
}

/// The group that speaks for an interface: its first that still exists, the VPC's default group only for want of another,
/// since everything that names none carries that one.
fn own_group(fabric: &Fabric, interface: &Interface) -> Option<SecurityGroupId> {
    let known = || interface.groups.iter().filter_map(|id| Some((*id, fabric.groups.get(id)?)));
    known().find(|(_, group)| !group.is_default).or_else(|| known().next()).map(|(id, _)| id)
}

/// A fabric in which every rule found missing so far is there.
pub(super) struct WhatIf<'a>(Cow<'a, Fabric>);

impl<'a> WhatIf<'a> {
    pub(super) fn new(fabric: &'a Fabric) -> Self {
        Self(Cow::Borrowed(fabric))
    }

    /// The rules that `flow` still misses, the sender's first; they are there from now on.
    pub(super) fn mend(&mut self, flow: Flow) -> Vec<Fix> {
        let mut added = Vec::new();
        for direction in [Direction::Egress, Direction::Ingress] {
            if !matches!(side(&self.0, flow, direction), Side::Denied(_)) {
                continue;
            }
            let Some(fix) = narrowest(&self.0, flow, direction) else { continue };
            self.add(fix);
            added.push(fix);
        }
        added
    }

    /// The same for a passage, with the program that it needs where nothing has the address: that is there from now on too.
    pub(super) fn mend_passage(&mut self, passage: Passage) -> (Option<Placing>, Vec<Fix>) {
        let placing = place::needed(&self.0, &passage);
        if let Some(placing) = &placing {
            place::put(self.0.to_mut(), placing, &passage);
        }
        let fixes = self.mend(passage.flow(&self.0));
        (placing, fixes)
    }

    fn add(&mut self, fix: Fix) {
        let Some(ports) = PortRange::new(fix.port, fix.port) else { return };
        let peer = match fix.peer {
            FixPeer::Group(group) => Peer::Group(group),
            FixPeer::Address(address) => Peer::Cidr(Ipv4Net::from(address)),
        };
        // The id never leaves the model.
        let rule = GroupRule { id: SecurityGroupRuleId::from_bits(0), traffic: Traffic::Tcp(ports), peer };
        let Some(group) = self.0.to_mut().groups.get_mut(&fix.group) else { return };
        match fix.direction {
            Direction::Ingress => group.ingress.push(rule),
            Direction::Egress => group.egress.push(rule),
        }
    }
}
