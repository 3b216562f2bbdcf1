//! What leaves a VPC by a way out, as areas: compiled by asking [`exit`] for each piece between two borders.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::area::{Area, Span, apart, pieces};
use super::ipv4;
use crate::id::{SubnetId, VpcId};
use crate::net::PortRange;
use crate::snapshot::fabric::{AclRule, Exit, Fabric, Interface, InterfaceIndex, RouteNet};
use crate::verdict::exit::{NoExit, exit};

/// The ports of TCP and the addresses to which an interface has a way out: between two borders of routes, blocks and rules one stands for all.
pub(super) fn areas(fabric: &Fabric, from: &Interface) -> Vec<Area> {
    let own = routes(fabric, from.subnet);
    if own.iter().all(|route| route.exit.is_none()) {
        return Vec::new();
    }
    let subnets = gateways(own);
    let routes = own.iter().chain(subnets.iter().flat_map(|subnet| routes(fabric, *subnet)));
    let routes = routes.filter_map(|route| ipv4(&route.block));
    let acls = subnets.iter().filter_map(|subnet| fabric.acls.get(subnet));
    let rules: Vec<&AclRule> = acls.flat_map(|acl| acl.ingress.iter().chain(&acl.egress)).collect();
    let blocks = routes.chain(fabric.vpcs.iter().flat_map(|net| net.cidrs.iter().copied()));
    let blocks = blocks.chain(rules.iter().filter_map(|rule| ipv4(&rule.block))).map(Span::of);
    let spans = pieces(u32::MAX, blocks.map(|span| (span.first.to_bits(), span.last.to_bits())));
    let ports = pieces(u16::MAX, rules.iter().map(|rule| (rule.ports.from(), rule.ports.to())));
    let mut open = Vec::new();
    for (first, last) in spans {
        let span = Span { first: Ipv4Addr::from_bits(first), last: Ipv4Addr::from_bits(last) };
        for ports in ports.iter().filter_map(|(first, last)| PortRange::new(*first, *last)) {
            match exit(fabric, from, span.first, ports) {
                Ok(_) => open.push(((ports.from(), ports.to()), span)),
                Err(NoExit::Acl(..)) => {}
                // Routes know no ports.
                Err(NoExit::Route(..) | NoExit::PublicAddress) => break,
            }
        }
    }
    apart(open.into_iter())
}

/// The areas of many interfaces: those are asked for once that stand alike to routes and to the ACLs on their way.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<(SubnetId, bool, Vec<bool>), Vec<Area>>);

impl Known {
    /// Those of an interface.
    pub(super) fn areas(&mut self, fabric: &Fabric, from: &Interface) -> Vec<Area> {
        let subnets = gateways(routes(fabric, from.subnet));
        let acls = subnets.iter().filter_map(|subnet| fabric.acls.get(subnet));
        let rules = acls.flat_map(|acl| acl.ingress.iter().chain(&acl.egress));
        let about = rules.map(|rule| rule.block.contains(&IpAddr::from(from.private_ip))).collect();
        let key = (from.subnet, fabric.has_public_address(from.id), about);
        self.0.entry(key).or_insert_with(|| areas(fabric, from)).clone()
    }
}

/// Whether routes lead anybody out of a VPC. Which addresses these are, and what ACLs say of them, is not asked: it is for names alone, and quick.
pub(crate) fn has_any(fabric: &Fabric, vpc: VpcId) -> bool {
    let there = (0..).map(InterfaceIndex).zip(&fabric.interfaces).filter(|(_, interface)| interface.vpc == vpc);
    let inhabited = there.filter(|(index, _)| fabric.is_inhabited(*index));
    let places = inhabited.map(|(_, interface)| (interface.subnet, fabric.has_public_address(interface.id)));
    let places: BTreeSet<(SubnetId, bool)> = places.collect();
    let is_public = |subnet: SubnetId| routes(fabric, subnet).iter().any(|route| route.exit == Some(Exit::Internet));
    places.into_iter().any(|(subnet, has_address)| {
        (has_address && is_public(subnet)) || gateways(routes(fabric, subnet)).into_iter().any(is_public)
    })
}

/// The routes of a subnet.
fn routes(fabric: &Fabric, subnet: SubnetId) -> &[RouteNet] {
    fabric.routes.get(&subnet).map_or(&[], |table| &table.routes)
}

/// The subnets of the NAT gateways that routes lead by.
fn gateways(routes: &[RouteNet]) -> BTreeSet<SubnetId> {
    let of_nat = |route: &RouteNet| match route.exit {
        Some(Exit::Nat(_, subnet)) => Some(subnet),
        Some(Exit::Internet) | None => None,
    };
    routes.iter().filter_map(of_nat).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::id::{NatGatewayId, NetworkAclId, NetworkInterfaceId, RouteTableId};
    use crate::net::Direction;
    use crate::snapshot::fabric::{Acl, BesideTcp, Routes, VpcNet};

    const PRIVATE: SubnetId = SubnetId::from_bits(1);
    const PUBLIC: SubnetId = SubnetId::from_bits(2);
    const NAT: Exit = Exit::Nat(NatGatewayId::from_bits(1), PUBLIC);
    const WORLD: &str = "0.0.0.0/0";

    fn fabric(private: &[(&str, Option<Exit>)], public: &[(&str, Option<Exit>)]) -> Fabric {
        let mut fabric = Fabric::default();
        let vpc = |n: u128| VpcId::from_bits(n);
        for (n, block) in [(1, "10.0.0.0/16"), (2, "10.1.0.0/16")] {
            let cidrs = vec![block.parse().unwrap()];
            fabric.vpcs.push(VpcNet {
                id: vpc(n),
                cidrs,
                ipv6_cidrs: Vec::new(),
                default_group: None,
                has_resolver: true,
            });
        }
        for (n, (subnet, address)) in [(PRIVATE, "10.0.1.4"), (PUBLIC, "10.0.2.4")].into_iter().enumerate() {
            fabric.interfaces.push(Interface {
                id: NetworkInterfaceId::from_bits(n as u128),
                vpc: vpc(1),
                subnet,
                zone: "us-east-1a".parse().unwrap(),
                private_ip: address.parse().unwrap(),
                ipv6: None,
                groups: Vec::new(),
                is_judged: true,
            });
        }
        for (subnet, routes) in [(PRIVATE, private), (PUBLIC, public)] {
            let mut table = Routes { id: RouteTableId::from_bits(1), routes: Vec::new() };
            for (block, exit) in routes {
                table.put(RouteNet { block: block.parse().unwrap(), of_list: false, peering: None, exit: *exit });
            }
            fabric.routes.insert(subnet, Arc::new(table));
        }
        fabric
    }

    fn rule(number: u16, allows: bool, (from, to): (u16, u16), block: &str) -> AclRule {
        AclRule { number, allows, ports: PortRange::new(from, to).unwrap(), block: block.parse().unwrap() }
    }

    #[test]
    fn a_way_out_is_two_routes_or_one_and_a_public_address() {
        let no = |subnet| Err(NoExit::Route(subnet, Some(RouteTableId::from_bits(1))));
        let (out, through) = ([(WORLD, Some(Exit::Internet))], [(WORLD, Some(NAT))]);
        let elsewhere = [(WORLD, Some(NAT)), ("93.184.0.0/16", None)];
        let public = "93.184.216.34";
        let (one, other) = (InterfaceIndex(0), InterfaceIndex(1));
        type Row<'a> = (
            &'a str,
            &'a [(&'a str, Option<Exit>)],
            &'a [(&'a str, Option<Exit>)],
            InterfaceIndex,
            &'a str,
            Result<Exit, NoExit>,
        );
        let rows: [Row<'_>; 9] = [
            ("by NAT", &through, &out, one, public, Ok(NAT)),
            ("no route", &[], &out, one, public, no(PRIVATE)),
            ("a narrower route leads elsewhere", &elsewhere, &out, one, public, no(PRIVATE)),
            ("beside it", &elsewhere, &out, one, "93.185.0.1", Ok(NAT)),
            ("the gateway's subnet has none", &through, &[], one, public, no(PUBLIC)),
            ("the gateway's subnet leads to itself", &through, &through, one, public, no(PUBLIC)),
            ("another VPC", &through, &out, one, "10.1.0.9", no(PRIVATE)),
            ("without a public address", &through, &out, one, "10.0.2.9", no(PRIVATE)),
            ("with a public address", &through, &out, other, public, Ok(Exit::Internet)),
        ];
        for (name, private, public, from, to, expected) in rows {
            let mut fabric = fabric(private, public);
            let from = fabric.interface(from).unwrap().clone();
            let (to, ports) = (to.parse().unwrap(), PortRange::new(443, 443).unwrap());
            if from.subnet == PUBLIC {
                assert_eq!(exit(&fabric, &from, to, ports), Err(NoExit::PublicAddress), "{name}");
                fabric.public.insert(from.id);
            }
            assert_eq!(exit(&fabric, &from, to, ports), expected, "{name}");
            assert_eq!(Known::default().areas(&fabric, &from), areas(&fabric, &from), "{name}");
            let is_open = areas(&fabric, &from).iter().any(|area| (area.span.first..=area.span.last).contains(&to));
            assert_eq!(is_open, expected.is_ok(), "{name}");
        }
    }

    #[test]
    fn the_acl_of_the_gateways_subnet_is_asked_of_both_of_its_sides() {
        let (allow, deny) = (true, false);
        let all = || vec![rule(100, allow, (0, 65535), WORLD)];
        let refused = |direction, of_replies| Err(NoExit::Acl(NetworkAclId::from_bits(1), direction, of_replies));
        for (name, ingress, egress, expected) in [
            ("open", all(), all(), Ok(NAT)),
            (
                "from the sender",
                vec![rule(10, deny, (443, 443), "10.0.1.0/24"), rule(100, allow, (0, 65535), WORLD)],
                all(),
                refused(Direction::Ingress, false),
            ),
            (
                "to the internet",
                all(),
                vec![rule(10, allow, (0, 65535), "10.0.0.0/8")],
                refused(Direction::Egress, false),
            ),
            (
                "replies from the internet",
                vec![rule(10, allow, (0, 65535), "10.0.0.0/8")],
                all(),
                refused(Direction::Ingress, true),
            ),
            (
                "replies to the sender",
                all(),
                vec![rule(10, allow, (443, 443), WORLD)],
                refused(Direction::Egress, true),
            ),
        ] {
            let mut fabric = fabric(&[(WORLD, Some(NAT))], &[(WORLD, Some(Exit::Internet))]);
            let (ingress_beside, egress_beside) = (BesideTcp::default(), BesideTcp::default());
            let acl = Acl {
                id: NetworkAclId::from_bits(1),
                ingress,
                egress,
                ingress_beside,
                egress_beside,
                taken: Vec::new(),
            };
            fabric.acls.insert(PUBLIC, Arc::new(acl));
            let (from, to) = (fabric.interfaces[0].clone(), "93.184.216.34".parse().unwrap());
            for port in [443, 80] {
                let said = exit(&fabric, &from, to, PortRange::new(port, port).unwrap());
                if port == 443 {
                    assert_eq!(said, expected, "{name}");
                }
                let is_in = |area: &&Area| {
                    (area.from..=area.to).contains(&port) && (area.span.first..=area.span.last).contains(&to)
                };
                assert_eq!(
                    areas(&fabric, &from).iter().filter(is_in).count(),
                    usize::from(said.is_ok()),
                    "{name} {port}"
                );
            }
        }
    }
}
