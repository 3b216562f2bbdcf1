//! IPv4 and IPv6 are judged alike, and apart: whatever is said of addresses of the one is said of those of the other in the same way, and never
//! counts for them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;
use topology::id::{
    NetworkAclId, NetworkInterfaceId, RouteTableId, SecurityGroupId, SecurityGroupRuleId, SubnetId, VpcId,
    VpcPeeringConnectionId,
};
use topology::net::{Direction, Family, IpNet, Ipv4Net, Ipv6Net, PortRange, Traffic};
use topology::snapshot::fabric::{
    Acl, AclRule, BesideTcp, Fabric, Group, GroupRule, Interface, InterfaceIndex, Peer, Peering, RouteNet, Routes,
    SubnetNet, VpcNet,
};
use topology::verdict::{End, Flow, Verdict, verdict};

/// Interfaces of two VPCs, two in each.
const ADDRESSES: [[u8; 4]; 4] = [[10, 0, 0, 4], [10, 0, 1, 5], [10, 1, 0, 6], [10, 1, 1, 7]];
const OUTSIDE: [u8; 4] = [192, 168, 7, 9];
const PORT: u16 = 80;

/// The address of IPv6 that stands for one of IPv4.
fn mirrored(address: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | u128::from(address.to_bits()))
}

fn mirrored_block(block: Ipv4Net) -> Ipv6Net {
    // What is about every address stays so.
    let prefix = if block.prefix_len() == 0 { 0 } else { 96 + block.prefix_len() };
    Ipv6Net::new(mirrored(block.network()), prefix).unwrap().trunc()
}

/// Which families a scene speaks of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Speaks {
    Ipv4,
    Ipv6,
}

impl Speaks {
    fn block(self, block: Ipv4Net) -> IpNet {
        match self {
            Self::Ipv4 => block.into(),
            Self::Ipv6 => mirrored_block(block).into(),
        }
    }
}

#[derive(Debug, Clone)]
enum Whom {
    Block(Ipv4Net),
    List(Vec<Ipv4Net>),
    Group(u128),
}

/// What a scene is made of, in words of IPv4.
#[derive(Debug, Clone)]
struct Scene {
    /// Group, direction, traffic and peer.
    rules: Vec<(u128, Direction, Traffic, Whom)>,
    /// Subnet, direction, whether it lets through, ports and block.
    entries: Vec<(u128, Direction, bool, PortRange, Ipv4Net)>,
    /// Subnet, block, and whether the peering connection is where it leads.
    routes: Vec<(u128, Ipv4Net, bool)>,
}

fn block() -> impl Strategy<Value = Ipv4Net> {
    let prefix = prop_oneof![Just(0u8), Just(8), Just(16), Just(24), Just(31), Just(32)];
    let address = proptest::sample::select([&ADDRESSES[..], &[OUTSIDE]].concat());
    (address, prefix).prop_map(|(address, prefix)| Ipv4Net::new(address.into(), prefix).unwrap().trunc())
}

fn whom() -> impl Strategy<Value = Whom> {
    prop_oneof![
        block().prop_map(Whom::Block),
        proptest::collection::vec(block(), 0..3).prop_map(Whom::List),
        (0u128..4).prop_map(Whom::Group),
    ]
}

fn traffic() -> impl Strategy<Value = Traffic> {
    prop_oneof![
        Just(Traffic::All),
        Just(Traffic::Tcp(PortRange::new(PORT, PORT).unwrap())),
        Just(Traffic::Udp(PortRange::ALL)),
        Just(Traffic::Icmpv6 { kind: -1, code: -1 }),
    ]
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Ingress), Just(Direction::Egress)]
}

fn scene() -> impl Strategy<Value = Scene> {
    let rules = proptest::collection::vec((0u128..4, direction(), traffic(), whom()), 0..24);
    let ports = prop_oneof![Just(PortRange::ALL), Just(PortRange::new(PORT, PORT).unwrap())];
    let entries = proptest::collection::vec((0u128..4, direction(), any::<bool>(), ports, block()), 0..8);
    let routes = proptest::collection::vec((0u128..4, block(), any::<bool>()), 0..8);
    (rules, entries, routes).prop_map(|(rules, entries, routes)| Scene { rules, entries, routes })
}

fn fabric(scene: &Scene, speaks: Speaks) -> Fabric {
    let mut fabric = Fabric::default();
    let vpc = |nth: u128| VpcId::from_bits(nth / 2);
    for n in [0u128, 2] {
        let cidr = Ipv4Net::new([10, u8::try_from(n / 2).unwrap(), 0, 0].into(), 16).unwrap();
        let ipv6_cidrs = vec![mirrored_block(cidr)];
        fabric.vpcs.push(VpcNet { id: vpc(n), cidrs: vec![cidr], ipv6_cidrs, default_group: None, has_resolver: true });
    }
    fabric.peerings.push(Peering { id: VpcPeeringConnectionId::from_bits(1), vpcs: (vpc(0), vpc(2)), is_active: true });
    for (n, address) in (0u128..).zip(ADDRESSES) {
        let address = Ipv4Addr::from(address);
        let (id, subnet) = (SecurityGroupId::from_bits(n), SubnetId::from_bits(n));
        let of_group = |direction| {
            let rules = scene.rules.iter().enumerate().filter(move |(_, rule)| (rule.0, rule.1) == (n, direction));
            rules.map(|(at, (_, _, traffic, whom))| GroupRule {
                id: SecurityGroupRuleId::from_bits(at as u128),
                traffic: *traffic,
                peer: match whom {
                    Whom::Block(block) => Peer::Cidr(speaks.block(*block)),
                    Whom::List(blocks) => Peer::Prefixes(blocks.iter().map(|block| speaks.block(*block)).collect()),
                    Whom::Group(group) => Peer::Group(SecurityGroupId::from_bits(*group)),
                },
            })
        };
        let (ingress, egress) = (of_group(Direction::Ingress).collect(), of_group(Direction::Egress).collect());
        fabric.groups.insert(id, Arc::new(Group { ingress, egress, ..Group::default() }));
        fabric.subnets.insert(
            subnet,
            SubnetNet {
                vpc: vpc(n),
                block: Ipv4Net::new(address, 24).unwrap().trunc(),
                ipv6: Some(mirrored_block(Ipv4Net::new(address, 24).unwrap().trunc())),
            },
        );
        fabric.interfaces.push(Interface {
            id: NetworkInterfaceId::from_bits(n),
            vpc: vpc(n),
            subnet,
            zone: "us-east-1a".parse().unwrap(),
            private_ip: address,
            ipv6: Some(mirrored(address)),
            groups: vec![id],
            is_judged: true,
        });
        fabric.acls.insert(subnet, Arc::new(acl(scene, n, speaks)));
        fabric.routes.insert(subnet, Arc::new(routes(scene, n, speaks)));
    }
    fabric
}

/// Entries of a scene and behind them one that lets everything through, of one family.
fn acl(scene: &Scene, subnet: u128, speaks: Speaks) -> Acl {
    let list = |direction| {
        let own = scene.entries.iter().filter(|entry| (entry.0, entry.1) == (subnet, direction));
        let all = (subnet, direction, true, PortRange::ALL, Ipv4Net::default());
        let numbered = (1u16..).zip(own.chain([&all]));
        numbered
            .map(|(number, (_, _, allows, ports, block))| AclRule {
                number,
                allows: *allows,
                ports: *ports,
                block: speaks.block(*block),
            })
            .collect()
    };
    Acl {
        id: NetworkAclId::from_bits(subnet),
        ingress: list(Direction::Ingress),
        egress: list(Direction::Egress),
        ingress_beside: BesideTcp::default(),
        egress_beside: BesideTcp::default(),
        taken: Vec::new(),
    }
}

fn routes(scene: &Scene, subnet: u128, speaks: Speaks) -> Routes {
    let own = scene.routes.iter().filter(|route| route.0 == subnet);
    let peering = |leads: bool| leads.then(|| VpcPeeringConnectionId::from_bits(1));
    let mut routes: Vec<RouteNet> = own
        .map(|(_, block, leads)| RouteNet {
            block: speaks.block(*block),
            of_list: false,
            peering: peering(*leads),
            exit: None,
        })
        .collect();
    routes.sort_by_key(|route| std::cmp::Reverse(route.block.prefix_len()));
    Routes { id: RouteTableId::from_bits(subnet), routes }
}

/// Every connection between two of the ends, and to the address outside.
fn flows(family: Family) -> Vec<Flow> {
    let at = |nth: u32| End::Interface(InterfaceIndex(nth));
    let outside = match family {
        Family::Ipv4 => IpAddr::from(OUTSIDE),
        Family::Ipv6 => mirrored(OUTSIDE.into()).into(),
    };
    let ends: Vec<End> = (0..4).map(at).chain([End::Address(outside)]).collect();
    let pair = |from: u32| ends.iter().map(move |to| (at(from), *to));
    let pairs = (0..4).flat_map(pair).filter(|(from, to)| from != to);
    pairs.map(|(from, to)| Flow { from, to, family, port: PORT, seen_as: None }).collect()
}

/// The answer, with addresses of IPv6 as those that they stand for.
fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::AclDenied(denial) => {
            format!("{:?} {} {:?} {:?}", denial.acl, denial.of_replies, denial.direction, denial.rule)
        }
        Verdict::Unrouted(denial) => {
            format!("{:?} {} {:?}", denial.subnet, denial.of_replies, denial.deciding.map(|route| route.peering))
        }
        other @ (Verdict::Allowed { .. } | Verdict::Denied { .. }) => format!("{other:?}"),
    }
}

fn is_allowed(fabric: &Fabric, flow: Flow) -> bool {
    matches!(verdict(fabric, flow), Verdict::Allowed { .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_said_of_ipv6_means_the_same_as_of_ipv4(scene in scene()) {
        let (of_ipv4, of_ipv6) = (fabric(&scene, Speaks::Ipv4), fabric(&scene, Speaks::Ipv6));
        for (four, six) in std::iter::zip(flows(Family::Ipv4), flows(Family::Ipv6)) {
            prop_assert_eq!(told(&verdict(&of_ipv4, four)), told(&verdict(&of_ipv6, six)));
        }
    }

    #[test]
    fn what_is_said_of_one_family_says_nothing_of_the_other(scene in scene()) {
        // Without rules that name groups nothing is left that would mean both.
        let rules = scene.rules.iter().filter(|rule| !matches!(rule.3, Whom::Group(_))).cloned().collect();
        let scene = Scene { rules, ..scene };
        let (of_ipv4, of_ipv6) = (fabric(&scene, Speaks::Ipv4), fabric(&scene, Speaks::Ipv6));
        for (four, six) in std::iter::zip(flows(Family::Ipv4), flows(Family::Ipv6)) {
            prop_assert!(!is_allowed(&of_ipv4, six), "{:?}", six);
            prop_assert!(!is_allowed(&of_ipv6, four), "{:?}", four);
        }
    }
}

#[test]
fn a_group_means_every_address_of_those_that_carry_it() {
    let both = |group, direction| (group, direction, Traffic::All, Whom::Group(1 - group));
    let rules = vec![both(0, Direction::Egress), both(1, Direction::Ingress)];
    let mut fabric = fabric(&Scene { rules, entries: Vec::new(), routes: Vec::new() }, Speaks::Ipv4);
    let flow = |family| Flow {
        from: End::Interface(InterfaceIndex(0)),
        to: End::Interface(InterfaceIndex(1)),
        family,
        port: PORT,
        seen_as: None,
    };
    assert!(is_allowed(&fabric, flow(Family::Ipv4)));
    assert!(!is_allowed(&fabric, flow(Family::Ipv6)), "the ACLs speak of IPv4 alone");
    fabric.acls.clear();
    assert!(is_allowed(&fabric, flow(Family::Ipv6)));
    for (nth, who) in [(1, "the receiver"), (0, "the sender")] {
        fabric.interfaces[nth].ipv6 = None;
        let Verdict::Unrouted(denial) = verdict(&fabric, flow(Family::Ipv6)) else { panic!("{who} has no address") };
        assert_eq!(denial.without, Some((NetworkInterfaceId::from_bits(nth as u128), Family::Ipv6)), "{who}");
        assert!(is_allowed(&fabric, flow(Family::Ipv4)), "{who}");
    }
}
