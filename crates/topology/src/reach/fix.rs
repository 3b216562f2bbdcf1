//! What would mend a denial: one rule or entry, as narrow as works, and the model in which it is already there. Whether a rule is
//! needed is [`crate::verdict`]'s answer; here is only which.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::id::{SecurityGroupId, SecurityGroupRuleId};
use crate::net::{Family, PortRange, Traffic};
use crate::snapshot::fabric::{AclRule, Fabric, GroupRule, Interface, Peer};
use crate::verdict::acl::{self, AclDenial, Going};
use crate::verdict::{self, Direction, End, Flow, Side, side};
use crate::way::Destination;

use super::path::Passage;
use super::place::{self, Placing};
use super::route::{self, RouteFix};
use super::words::side_name;

/// The most commands that one explanation lists. A chain needs a handful; only targets outside the VPC need one each, and
/// past this number an address at a time is not how anyone would mend it.
pub(super) const FIXES_MAX: usize = 200;

/// The most things that one connection may lack of routes: a peering connection that is accepted, a way there and a way back.
const ROUTE_FIXES_MAX: usize = 3;

/// The most entries of ACLs that one way of one connection is given.
const ENTRIES_MAX: usize = 8;

/// What would mend a denial. It prints as the command that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fix {
    /// A rule of a security group.
    Rule(RuleFix),
    /// An entry of a network ACL.
    Entry(EntryFix),
    /// A route, or what it leads through.
    Route(RouteFix),
}

impl Fix {
    /// Whether both let the same through; the numbers of entries follow from what was there before them.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rule(one), Self::Rule(other)) => one == other,
            (Self::Entry(one), Self::Entry(other)) => {
                let told = |fix: &EntryFix| (fix.denial.acl, fix.denial.direction, fix.rule.ports, fix.rule.block);
                told(one) == told(other)
            }
            (Self::Route(one), Self::Route(other)) => one.is_like(other),
            (Self::Rule(_) | Self::Entry(_) | Self::Route(_), _) => false,
        }
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => rule.fmt(f),
            Self::Entry(entry) => entry.fmt(f),
            Self::Route(route) => route.fmt(f),
        }
    }
}

/// A rule that a group lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RuleFix {
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
    Address(IpAddr),
}

impl fmt::Display for RuleFix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = side_name(self.direction);
        let (group, port) = (self.group, self.port);
        write!(f, "aws ec2 authorize-security-group-{side} --group-id {group} ")?;
        write!(f, "--ip-permissions 'IpProtocol=tcp,FromPort={port},ToPort={port},")?;
        match self.peer {
            FixPeer::Group(peer) => write!(f, "UserIdGroupPairs=[{{GroupId={peer}}}]'"),
            FixPeer::Address(peer @ IpAddr::V4(_)) => write!(f, "IpRanges=[{{CidrIp={peer}/32}}]'"),
            FixPeer::Address(peer @ IpAddr::V6(_)) => write!(f, "Ipv6Ranges=[{{CidrIpv6={peer}/128}}]'"),
        }
    }
}

/// An entry that an ACL lacks, before the one that denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryFix {
    /// What it mends.
    pub(super) denial: AclDenial,
    rule: AclRule,
}

impl fmt::Display for EntryFix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AclRule { number, ports, block, .. } = self.rule;
        let (acl, side) = (self.denial.acl, side_name(self.denial.direction));
        write!(f, "aws ec2 create-network-acl-entry --network-acl-id {acl} --{side} --rule-number {number} ")?;
        let (from, to) = (ports.from(), ports.to());
        let member = match Family::of_block(&block) {
            Family::Ipv4 => "cidr-block",
            Family::Ipv6 => "ipv6-cidr-block",
        };
        write!(f, "--protocol tcp --port-range From={from},To={to} --{member} {block} --rule-action allow")
    }
}

/// The largest number that an entry may have; the final deny comes after it.
const RULE_NUMBER_MAX: u16 = 32_766;
/// What numbers of entries are usually apart, and the first.
const RULE_NUMBER_STEP: u16 = 10;
const RULE_NUMBER_FIRST: u16 = 100;

/// The entry that lets through what an ACL denies: for the subnet of the other end, as ACLs are about subnets. `None` where no number is
/// free before the entry that denies.
pub(super) fn entry(fabric: &Fabric, denial: &AclDenial) -> Option<EntryFix> {
    let acl = fabric.acls.get(&denial.subnet)?;
    let is_free = |number: &u16| !acl.taken.contains(&(denial.direction, *number));
    let taken = || acl.taken.iter().filter(|(direction, _)| *direction == denial.direction).map(|(_, number)| *number);
    let number = match denial.rule {
        Some(denying) => (1..denying).rev().find(is_free),
        None => {
            let behind = taken().max().map(|last| (last / RULE_NUMBER_STEP + 1).saturating_mul(RULE_NUMBER_STEP));
            let behind = behind.unwrap_or(RULE_NUMBER_FIRST);
            if behind <= RULE_NUMBER_MAX { Some(behind) } else { (1..=RULE_NUMBER_MAX).rev().find(is_free) }
        }
    };
    let subnet = denial.peer_subnet.and_then(|subnet| fabric.subnets.get(&subnet));
    let block = subnet.and_then(|subnet| subnet.block_of(denial.peer)).unwrap_or_else(|| IpNet::from(denial.peer));
    let rule = AclRule { number: number?, allows: true, ports: denial.ports, block };
    Some(EntryFix { denial: *denial, rule })
}

/// The narrowest rule that admits `flow` at one side; `None` where no group is there to hold it.
pub(super) fn narrowest(fabric: &Fabric, flow: Flow, direction: Direction) -> Option<RuleFix> {
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
            let seen_as = flow.seen_as.filter(|_| direction == Direction::Ingress);
            match own_group(fabric, interface) {
                Some(group) => FixPeer::Group(group),
                None => FixPeer::Address(seen_as.or_else(|| interface.address(flow.family))?),
            }
        }
    };
    Some(RuleFix { group, direction, port: flow.port, peer })
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

    /// What `flow` still misses, in the order in which it is asked; it is there from now on.
    pub(super) fn mend(&mut self, flow: Flow) -> Vec<Fix> {
        let mut added = Vec::new();
        for (direction, going) in [(Direction::Egress, Going::There), (Direction::Ingress, Going::Back)] {
            if let (Side::Denied(_), Some(fix)) = (side(&self.0, flow, direction), narrowest(&self.0, flow, direction))
            {
                self.add(fix);
                added.push(Fix::Rule(fix));
            }
            // Behind one entry that denies there may be another.
            for _ in 0..ENTRIES_MAX {
                let Some(fix) = acl::denial(&self.0, flow, going).and_then(|denial| entry(&self.0, &denial)) else {
                    break;
                };
                self.add_entry(fix);
                added.push(Fix::Entry(fix));
            }
        }
        added
    }

    /// The same for a passage, with the program that it needs where nothing has the address: that is there from now on too. The passage
    /// comes back to the interface that it leads to once there are routes.
    pub(super) fn mend_passage(&mut self, passage: Passage) -> (Passage, Option<Placing>, Vec<Fix>) {
        let mut fixes = self.mend_routes(passage.flow(&self.0));
        let placing = place::needed(&self.0, &passage);
        if let Some(placing) = &placing {
            place::put(self.0.to_mut(), placing, &passage);
        }
        let flow = passage.flow(&self.0);
        fixes.extend(self.mend_routes(flow));
        // Where no route can lead no rule helps.
        if verdict::route::denial(&self.0, flow).is_none() {
            fixes.extend(self.mend(flow));
        }
        let led = match flow.to {
            End::Interface(index) if placing.is_none() => {
                Passage { to: Destination::Interface(index, flow.family), ..passage }
            }
            End::Interface(_) | End::Address(_) => passage,
        };
        (led, placing, fixes)
    }

    fn mend_routes(&mut self, flow: Flow) -> Vec<Fix> {
        let mut added = Vec::new();
        // A peering connection to accept, a route there and one back.
        for _ in 0..ROUTE_FIXES_MAX {
            let Some(fix) = verdict::route::denial(&self.0, flow).and_then(|denial| route::missing(&denial)) else {
                break;
            };
            fix.put(self.0.to_mut());
            added.push(Fix::Route(fix));
        }
        added
    }

    fn add_entry(&mut self, fix: EntryFix) {
        let EntryFix { denial: AclDenial { acl, direction, .. }, rule } = fix;
        for acl in self.0.to_mut().acls.values_mut().filter(|of_subnet| of_subnet.id == acl) {
            let acl = Arc::make_mut(acl);
            let rules = acl.rules_mut(direction);
            rules.insert(rules.partition_point(|before| before.number < rule.number), rule);
            acl.taken.push((direction, rule.number));
        }
    }

    fn add(&mut self, fix: RuleFix) {
        let Some(ports) = PortRange::new(fix.port, fix.port) else { return };
        let peer = match fix.peer {
            FixPeer::Group(group) => Peer::Group(group),
            FixPeer::Address(address) => Peer::Cidr(IpNet::from(address)),
        };
        // The id never leaves the model.
        let rule = GroupRule { id: SecurityGroupRuleId::from_bits(0), traffic: Traffic::Tcp(ports), peer };
        let Some(group) = self.0.to_mut().groups.get_mut(&fix.group) else { return };
        Arc::make_mut(group).rules_mut(fix.direction).push(rule);
    }
}
