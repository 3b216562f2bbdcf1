//! The only place that decides a security group, and whether a connection may be opened at all: [`verdict`] asks routes between VPCs and
//! network ACLs too.
//!
//! Rules are allow-only and stateful; an interface's policy is the union of its groups; both ends are judged; nothing
//! matching is a silent drop (VPC user guide, "Security groups" and "Security group rules", 2026-11). Only the opening of a
//! TCP connection is judged here: replies follow the connection. Source ports never count. A connection is of one family, IPv4 or IPv6: a
//! block of the other says nothing of it, while all traffic and groups mean both.

pub mod acl;
pub mod exit;
pub mod route;

use std::net::IpAddr;
use std::sync::Arc;

use crate::id::SecurityGroupRuleId;
pub use crate::net::{Direction, Family};
use crate::snapshot::fabric::{Fabric, Group, GroupRule, Interface, InterfaceIndex, Peer};
use acl::{AclDenial, Going};
use route::RouteDenial;

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// An interface of this realm.
    Interface(InterfaceIndex),
    /// An address that no interface has.
    Address(IpAddr),
}

impl End {
    /// The interface that it is, if it is one.
    #[must_use]
    pub fn interface(self, fabric: &Fabric) -> Option<&Interface> {
        match self {
            Self::Interface(index) => fabric.interface(index),
            Self::Address(_) => None,
        }
    }

    /// Its address of a family, or the one that its interface has, if it has one.
    #[must_use]
    pub fn address(self, fabric: &Fabric, family: Family) -> Option<IpAddr> {
        match self {
            Self::Interface(index) => fabric.interface(index)?.address(family),
            Self::Address(address) => Some(address).filter(|address| Family::of(*address) == family),
        }
    }
}

/// The opening of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Who opens it.
    pub from: End,
    /// To whom.
    pub to: End,
    /// Which addresses of the two ends are meant.
    pub family: Family,
    /// The destination port.
    pub port: u16,
    /// The address that the receiver sees in place of the sender's own: that of a client whose address a network load balancer preserves
    /// (NLB user guide, "Client IP preservation", 2026-11). Groups of the sender count all the same.
    pub seen_as: Option<IpAddr>,
}

/// One side's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This end is outside, or carries no groups and needs none, so nothing judges it.
    Unjudged,
    /// A rule admits the connection.
    Allowed(SecurityGroupRuleId),
    /// No rule admits it; the one that came nearest, if there is any rule at all.
    Denied(Option<SecurityGroupRuleId>),
}

/// Both sides' answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The connection may be opened.
    Allowed {
        /// The sender's rule, if the sender is an interface.
        egress: Option<SecurityGroupRuleId>,
        /// The receiver's rule, if the receiver is an interface.
        ingress: Option<SecurityGroupRuleId>,
    },
    /// The connection is dropped without a word.
    Denied {
        /// Which side dropped it; the sender's side is asked first.
        direction: Direction,
        /// The rule that came nearest.
        nearest: Option<SecurityGroupRuleId>,
    },
    /// A network ACL drops it, or the replies, without a word.
    AclDenied(AclDenial),
    /// No route leads to the receiver, or back from it.
    Unrouted(RouteDenial),
}

/// Decides whether `flow` may be opened. Routes come first, since nobody would answer without them; then what leaves is asked before
/// what comes in, groups of the sender before ACLs, ACLs before groups of the receiver; replies pass the groups unasked and the ACLs not.
#[must_use]
pub fn verdict(fabric: &Fabric, flow: Flow) -> Verdict {
    if let Some(denial) = route::denial(fabric, flow) {
        return Verdict::Unrouted(denial);
    }
    let egress = match side(fabric, flow, Direction::Egress) {
        Side::Unjudged => None,
        Side::Allowed(rule) => Some(rule),
        Side::Denied(nearest) => {
            return Verdict::Denied { direction: Direction::Egress, nearest };
        }
    };
    if let Some(denial) = acl::denial(fabric, flow, Going::There) {
        return Verdict::AclDenied(denial);
    }
    let ingress = match side(fabric, flow, Direction::Ingress) {
        Side::Unjudged => None,
        Side::Allowed(rule) => Some(rule),
        Side::Denied(nearest) => return Verdict::Denied { direction: Direction::Ingress, nearest },
    };
    match acl::denial(fabric, flow, Going::Back) {
        None => Verdict::Allowed { egress, ingress },
        Some(denial) => Verdict::AclDenied(denial),
    }
}

/// What one side alone says.
#[must_use]
pub fn side(fabric: &Fabric, flow: Flow, direction: Direction) -> Side {
    let (judged, peer) = match direction {
        Direction::Egress => (flow.from, flow.to),
        Direction::Ingress => (flow.to, flow.from),
    };
    let End::Interface(index) = judged else {
        return Side::Unjudged;
    };
    let Some(interface) = fabric.interface(index) else {
        return Side::Denied(None);
    };
    if !interface.is_judged {
        return Side::Unjudged;
    }
    let mut peer = Seen::of(fabric, peer, flow.family);
    if direction == Direction::Ingress {
        peer.address = flow.seen_as.or(peer.address);
    }
    for group in groups(fabric, interface) {
        for rule in group.rules(direction) {
            if rule.traffic.covers_tcp(flow.port) && peer.is(&rule.peer) {
                return Side::Allowed(rule.id);
            }
        }
    }
    Side::Denied(nearest(fabric, interface, direction, flow.port, &peer))
}

/// The rule that would have admitted the connection with the least change: one with the right peer before one with the
/// right port, and any rule before none.
fn nearest(
    fabric: &Fabric,
    interface: &Interface,
    direction: Direction,
    port: u16,
    peer: &Seen<'_>,
) -> Option<SecurityGroupRuleId> {
    let score = |rule: &GroupRule| {
        2 * u8::from(peer.is(&rule.peer))
            + 2 * u8::from(rule.traffic.covers_tcp(port))
            + u8::from(rule.traffic.is_tcp())
    };
    groups(fabric, interface)
        .flat_map(|group| group.rules(direction))
        .max_by_key(|rule| (score(rule), peer.is(&rule.peer), std::cmp::Reverse(rule.id)))
        .map(|rule| rule.id)
}

fn groups<'a>(fabric: &'a Fabric, interface: &'a Interface) -> impl Iterator<Item = &'a Group> {
    interface.groups.iter().filter_map(|id| fabric.groups.get(id)).map(Arc::as_ref)
}

/// The other end as a rule sees it.
struct Seen<'a> {
    address: Option<IpAddr>,
    interface: Option<&'a Interface>,
}

impl<'a> Seen<'a> {
    fn of(fabric: &'a Fabric, end: End, family: Family) -> Self {
        Self { address: end.address(fabric, family), interface: end.interface(fabric) }
    }

    fn is(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Cidr(block) => self.address.is_some_and(|address| block.contains(&address)),
            Peer::Group(group) => self.interface.is_some_and(|interface| interface.groups.contains(group)),
            Peer::Prefixes(blocks) => {
                self.address.is_some_and(|address| blocks.iter().any(|block| block.contains(&address)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{NetworkInterfaceId, SecurityGroupId, SubnetId, VpcId};
    use crate::net::{PortRange, Traffic};

    fn group(n: u128) -> SecurityGroupId {
        SecurityGroupId::from_bits(n)
    }

    fn rule(n: u128, traffic: Traffic, peer: Peer) -> GroupRule {
        GroupRule { id: SecurityGroupRuleId::from_bits(n), traffic, peer }
    }

    fn tcp(from: u16, to: u16) -> Traffic {
        Traffic::Tcp(PortRange::new(from, to).unwrap())
    }

    fn cidr(text: &str) -> Peer {
        Peer::Cidr(text.parse().unwrap())
    }

    /// Interface 0 (10.0.0.4, group 1) is the link, interface 1 (10.0.1.4, group 2) the balancer.
    fn fabric(egress: Vec<GroupRule>, ingress: Vec<GroupRule>) -> Fabric {
        let mut fabric = Fabric::default();
        for (n, address) in [(1u128, "10.0.0.4"), (2, "10.0.1.4")] {
            fabric.interfaces.push(Interface {
                id: NetworkInterfaceId::from_bits(n),
                vpc: VpcId::from_bits(1),
                subnet: SubnetId::from_bits(n),
                zone: "us-east-1a".parse().unwrap(),
                private_ip: address.parse().unwrap(),
                ipv6: format!("2001:db8::{n}").parse().ok(),
                groups: vec![group(n)],
                is_judged: true,
            });
        }
        fabric.groups.insert(group(1), Group { egress, ..Group::default() }.into());
        fabric.groups.insert(group(2), Group { ingress, ..Group::default() }.into());
        fabric
    }

    const LINK: End = End::Interface(InterfaceIndex(0));
    const ALB: End = End::Interface(InterfaceIndex(1));

    #[test]
    fn security_group_table() {
        let world = || cidr("0.0.0.0/0");
        let open = || vec![rule(1, Traffic::All, world())];
        let denied = |direction, nearest: Option<u128>| Verdict::Denied {
            direction,
            nearest: nearest.map(SecurityGroupRuleId::from_bits),
        };
        let allowed = Verdict::Allowed {
            egress: Some(SecurityGroupRuleId::from_bits(1)),
            ingress: Some(SecurityGroupRuleId::from_bits(2)),
        };
        let rows: Vec<(&str, Vec<GroupRule>, Vec<GroupRule>, Verdict)> = vec![
            ("no rules at all: the sender drops", vec![], vec![], denied(Direction::Egress, None)),
            ("the receiver has none", open(), vec![], denied(Direction::Ingress, None)),
            ("by address", open(), vec![rule(2, tcp(80, 80), cidr("10.0.0.0/24"))], allowed),
            ("by group", open(), vec![rule(2, tcp(80, 80), Peer::Group(group(1)))], allowed),
            (
                "by another group",
                open(),
                vec![rule(2, tcp(80, 80), Peer::Group(group(9)))],
                denied(Direction::Ingress, Some(2)),
            ),
            ("port below the range", open(), vec![rule(2, tcp(81, 90), world())], denied(Direction::Ingress, Some(2))),
            (
                "udp only",
                open(),
                vec![rule(2, Traffic::Udp(PortRange::ALL), world())],
                denied(Direction::Ingress, Some(2)),
            ),
            ("an IPv6 rule", open(), vec![rule(2, Traffic::All, cidr("::/0"))], denied(Direction::Ingress, Some(2))),
            (
                "a prefix list",
                open(),
                vec![rule(
                    2,
                    tcp(80, 80),
                    Peer::Prefixes(vec!["10.0.0.0/30".parse().unwrap(), "10.0.0.4/32".parse().unwrap()]),
                )],
                allowed,
            ),
            (
                "egress by address elsewhere",
                vec![rule(1, Traffic::All, cidr("10.9.0.0/16"))],
                open(),
                denied(Direction::Egress, Some(1)),
            ),
            (
                "egress by the receiver's group",
                vec![rule(1, tcp(80, 80), Peer::Group(group(2)))],
                vec![rule(2, Traffic::Other(6), world())],
                allowed,
            ),
        ];
        for (name, egress, ingress, expected) in rows {
            let fabric = fabric(egress, ingress);
            assert_eq!(
                verdict(&fabric, Flow { from: LINK, to: ALB, family: Family::Ipv4, port: 80, seen_as: None }),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn the_right_peer_on_the_wrong_port_is_nearer_than_the_wrong_peer_on_the_right_port() {
        let fabric = fabric(
            vec![rule(1, Traffic::All, cidr("0.0.0.0/0"))],
            vec![rule(7, tcp(80, 80), Peer::Group(group(9))), rule(8, tcp(443, 443), Peer::Group(group(1)))],
        );
        let answer = side(
            &fabric,
            Flow { from: LINK, to: ALB, family: Family::Ipv4, port: 80, seen_as: None },
            Direction::Ingress,
        );
        assert_eq!(answer, Side::Denied(Some(SecurityGroupRuleId::from_bits(8))));
    }

    #[test]
    fn a_node_without_groups_is_judged_by_nobody() {
        let mut fabric = fabric(vec![], vec![]);
        let flow = Flow { from: LINK, to: ALB, family: Family::Ipv4, port: 80, seen_as: None };
        fabric.interfaces[1].groups.clear();
        assert_eq!(side(&fabric, flow, Direction::Ingress), Side::Denied(None), "an interface has groups");
        fabric.interfaces[1].is_judged = false;
        assert_eq!(side(&fabric, flow, Direction::Ingress), Side::Unjudged);
        assert_eq!(side(&fabric, flow, Direction::Egress), Side::Denied(None), "the other side has its say");
    }

    #[test]
    fn a_receiver_sees_the_preserved_address_and_the_senders_groups() {
        let seen_as =
            |address: &str| Flow { from: LINK, to: ALB, family: Family::Ipv4, port: 80, seen_as: address.parse().ok() };
        let by_block = fabric(vec![], vec![rule(1, Traffic::All, Peer::Cidr("10.9.0.0/16".parse().unwrap()))]);
        assert!(matches!(side(&by_block, seen_as("10.9.1.1"), Direction::Ingress), Side::Allowed(_)));
        assert!(matches!(side(&by_block, seen_as("10.8.1.1"), Direction::Ingress), Side::Denied(_)));
        assert!(matches!(side(&by_block, seen_as("none"), Direction::Ingress), Side::Denied(_)), "its own is another");
        let by_group = fabric(vec![], vec![rule(1, Traffic::All, Peer::Group(group(1)))]);
        assert!(matches!(side(&by_group, seen_as("10.9.1.1"), Direction::Ingress), Side::Allowed(_)));
        let outward = fabric(vec![rule(1, Traffic::All, Peer::Cidr("10.0.1.4/32".parse().unwrap()))], vec![]);
        assert!(matches!(side(&outward, seen_as("10.9.1.1"), Direction::Egress), Side::Allowed(_)), "as it is itself");
    }

    #[test]
    fn an_address_outside_is_judged_at_the_sender_only() {
        let fabric = fabric(vec![rule(1, tcp(9000, 9000), cidr("192.168.0.0/16"))], vec![]);
        let outside = End::Address("192.168.3.4".parse().unwrap());
        let flow = Flow { from: LINK, to: outside, family: Family::Ipv4, port: 9000, seen_as: None };
        assert_eq!(
            verdict(&fabric, flow),
            Verdict::Allowed { egress: Some(SecurityGroupRuleId::from_bits(1)), ingress: None }
        );
    }
}
