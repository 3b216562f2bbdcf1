//! The only place that decides a network ACL.
//!
//! Each subnet has one; rules are numbered, the lowest that matches decides, and what none matches is denied. They are asked where
//! traffic crosses the boundary of a subnet, in both directions and anew for replies, which go to the port that the sender happened to
//! open from (VPC user guide, "Network ACL rules" and "Custom network ACLs for your VPC", 2026-11). Links and nodes of load balancers
//! open from any of [`REPLY_PORTS`] (ALB user guide, "Troubleshoot", 2026-11): where an ACL lets replies to some of these through and not
//! to others, connections fail by chance there; here it denies them all, so that it is found.
//!
//! What comes through a link of version 1 enters its load balancer over AWS's own network and crosses no boundary (our reading; not
//! documented).

use std::net::IpAddr;

use super::{End, Flow};
use crate::id::{NetworkAclId, SubnetId};
use crate::net::{Direction, PortRange};
use crate::snapshot::fabric::{AclRule, Fabric};
use crate::snapshot::gateway::SERVICE_ADDRESS;

/// The ports that replies go to: 1,024 to 65,535.
pub const REPLY_PORTS: PortRange = PortRange::from_port(1024);

/// An ACL that lets a connection, or the replies to it, not through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AclDenial {
    /// The ACL.
    pub acl: NetworkAclId,
    /// The subnet that it guards.
    pub subnet: SubnetId,
    /// Which of its lists denies.
    pub direction: Direction,
    /// Whether replies are denied, and not the connection.
    pub of_replies: bool,
    /// The number of the rule; `None` where no rule lets it through.
    pub rule: Option<u16>,
    /// The other end as the list sees it.
    pub peer: IpAddr,
    /// The subnet of the other end, where its address is one of that.
    pub peer_subnet: Option<SubnetId>,
    /// The ports that are to be let through.
    pub ports: PortRange,
}

/// Which way something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Going {
    /// The packets that open the connection, and all others of the sender.
    There,
    /// What the receiver sends.
    Back,
}

/// The first ACL on this way that does not let `flow` through.
pub(crate) fn denial(fabric: &Fabric, flow: Flow, going: Going) -> Option<AclDenial> {
    // The usual case: every ACL lets everything through.
    if fabric.acls.is_empty() || flow.from == End::Address(IpAddr::V4(SERVICE_ADDRESS)) {
        return None;
    }
    let subnet = |end: End| end.interface(fabric).map(|interface| interface.subnet);
    let (sending, receiving) = (subnet(flow.from), subnet(flow.to));
    if sending == receiving {
        return None;
    }
    let sender =
        (flow.seen_as.or_else(|| flow.from.address(fabric, flow.family))?, sending.filter(|_| flow.seen_as.is_none()));
    let receiver = (flow.to.address(fabric, flow.family)?, receiving);
    let of_replies = going == Going::Back;
    let steps = match going {
        Going::There => [(sending, Direction::Egress, receiver), (receiving, Direction::Ingress, sender)],
        Going::Back => [(receiving, Direction::Egress, sender), (sending, Direction::Ingress, receiver)],
    };
    let ports = if of_replies { Some(REPLY_PORTS) } else { PortRange::new(flow.port, flow.port) }?;
    steps.into_iter().find_map(|(subnet, direction, (peer, peer_subnet))| {
        let subnet = subnet?;
        let acl = fabric.acls.get(&subnet)?;
        let rule = decide(acl.rules(direction), peer, ports).err()?;
        Some(AclDenial { acl: acl.id, subnet, direction, of_replies, rule, peer, peer_subnet, ports })
    })
}

/// Whether a list lets all of these ports through; else the rule that denies the first that it does not.
pub(crate) fn decide(rules: &[AclRule], peer: IpAddr, ports: PortRange) -> Result<(), Option<u16>> {
    let mut next = Some(ports.from());
    while let Some(port) = next.filter(|port| *port <= ports.to()) {
        // The ports from here on that the same rule decides.
        let mut last = ports.to();
        let mut deciding = None;
        for rule in rules.iter().filter(|rule| rule.block.contains(&peer)) {
            if rule.ports.contains(port) {
                last = last.min(rule.ports.to());
                deciding = Some(rule);
                break;
            }
            if rule.ports.from() > port {
                last = last.min(rule.ports.from() - 1);
            }
        }
        match deciding {
            Some(rule) if rule.allows => next = last.checked_add(1),
            denying => return Err(denying.map(|rule| rule.number)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(number: u16, allows: bool, (from, to): (u16, u16), block: &str) -> AclRule {
        AclRule { number, allows, ports: PortRange::new(from, to).unwrap(), block: block.parse().unwrap() }
    }

    #[test]
    fn the_lowest_rule_that_matches_decides_each_port() {
        let peer = "10.0.1.4".parse().unwrap();
        let (allow, deny) = (true, false);
        let one = PortRange::new(80, 80).unwrap();
        for (name, rules, ports, expected) in [
            ("none", vec![], one, Err(None)),
            ("the final deny", vec![rule(100, allow, (81, 90), "0.0.0.0/0")], one, Err(None)),
            ("another block", vec![rule(100, allow, (0, 65535), "10.0.2.0/24")], one, Err(None)),
            ("allowed", vec![rule(100, allow, (80, 80), "10.0.1.0/24")], one, Ok(())),
            (
                "denied before",
                vec![rule(90, deny, (0, 65535), "10.0.0.0/8"), rule(100, allow, (80, 80), "0.0.0.0/0")],
                one,
                Err(Some(90)),
            ),
            (
                "denied afterwards",
                vec![rule(90, allow, (80, 80), "10.0.0.0/8"), rule(100, deny, (0, 65535), "0.0.0.0/0")],
                one,
                Ok(()),
            ),
            ("all replies", vec![rule(100, allow, (1024, 65535), "0.0.0.0/0")], REPLY_PORTS, Ok(())),
            ("some replies", vec![rule(100, allow, (32768, 65535), "0.0.0.0/0")], REPLY_PORTS, Err(None)),
            (
                "replies by two rules",
                vec![rule(100, allow, (20000, 65535), "0.0.0.0/0"), rule(110, allow, (0, 30000), "0.0.0.0/0")],
                REPLY_PORTS,
                Ok(()),
            ),
            (
                "a port among the replies",
                vec![rule(90, deny, (3389, 3389), "0.0.0.0/0"), rule(100, allow, (1024, 65535), "0.0.0.0/0")],
                REPLY_PORTS,
                Err(Some(90)),
            ),
            (
                "a port among the replies that was let through before",
                vec![rule(90, allow, (1024, 65535), "0.0.0.0/0"), rule(100, deny, (3389, 3389), "0.0.0.0/0")],
                REPLY_PORTS,
                Ok(()),
            ),
        ] {
            assert_eq!(decide(&rules, peer, ports), expected, "{name}");
        }
    }
}
