//! The kernel and the verdict say the same of thousands of connections through random groups, rules, prefix lists, network ACLs and, between two
//! VPCs that peering joins, routes; and the kernel lets as many datagrams and messages through as the rules do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use kernel::Inside;
use topology::id::{
    NetworkAclId, NetworkInterfaceId, RouteTableId, SecurityGroupId, SecurityGroupRuleId, VpcId, VpcPeeringConnectionId,
};
use topology::net::{Direction, Family, Ipv4Net, PortRange, Traffic};
use topology::snapshot::fabric::{
    AclRule, BesideTcp, Fabric, Group, GroupRule, Interface, Peer, Peering, RouteNet, Routes, VpcNet,
};
use topology::verdict::{Flow, Verdict, verdict};

use crate::datagrams::{ASKING, Datagrams, Sent, end, kinds, lets_through};
use crate::world::{Begun, VPCS, Vpcs, Who, acl, block, isolated, on_one_processor, subnet};

/// Interfaces with random groups; two more stand beside them that let everything through.
const INTERFACES: usize = 10;
/// Where subnets begin: three of one VPC, two of the other.
const SUBNETS: [[u8; 4]; 5] = [[10, 0, 0, 0], [10, 0, 1, 0], [10, 0, 2, 0], [10, 1, 0, 0], [10, 1, 1, 0]];
/// And the one that has no rules.
const QUIET: [u8; 4] = [10, 0, 3, 0];
const PEERING: VpcPeeringConnectionId = VpcPeeringConnectionId::from_bits(1);
const GROUPS: u128 = 6;
/// Ports that are connected to; rules begin and end at these and between them.
const PORTS: [u16; 6] = [22, 80, 81, 443, 1024, 8080];
/// Networks that are built, and what each goes through: its first rules, then changes of them.
const NETWORKS: u64 = 5;
const CHANGES: u16 = 5;
/// Connections that are begun before it is waited for one that is sure to arrive: their packets fit into a queue of the kernel, which
/// holds 1,000 (`net.core.netdev_max_backlog`).
const BATCH: usize = 300;

/// Numbers that look random (xorshift64*); the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::try_from(self.below(values.len() as u64)).unwrap()]
    }

    fn ports(&mut self) -> PortRange {
        let (a, b) = (self.one_of(&PORTS), self.one_of(&[22, 80, 81, 443, 1023, 1024, 8079, 8080, 32768, 65535]));
        match self.below(4) {
            0 => PortRange::ALL,
            1 => PortRange::new(a, a).unwrap(),
            _ => PortRange::new(a.min(b), a.max(b)).unwrap(),
        }
    }

    fn traffic(&mut self) -> Traffic {
        match self.below(12) {
            0 => Traffic::All,
            1 => Traffic::Other(self.one_of(&[1, 6, 17, 47])),
            2..5 => Traffic::Udp(self.ports()),
            5..7 => self.message(),
            _ => Traffic::Tcp(self.ports()),
        }
    }

    fn message(&mut self) -> Traffic {
        let (kind, code) = (self.one_of(&[-1, 0, 8, 8, 13]), self.one_of(&[-1, -1, 0, 3]));
        Traffic::Icmp { kind, code: if kind < 0 { -1 } else { code } }
    }

    fn block(&mut self, addresses: &[Ipv4Addr]) -> Ipv4Net {
        let prefix = self.one_of(&[0, 8, 16, 22, 23, 24, 24, 25, 26, 28, 31, 32, 32]);
        Ipv4Net::new(self.one_of(addresses), prefix).unwrap().trunc()
    }

    fn peer(&mut self, addresses: &[Ipv4Addr]) -> Peer {
        match self.below(8) {
            0..4 => Peer::Cidr(self.block(addresses).into()),
            4 => Peer::Prefixes((0..self.below(4)).map(|_| self.block(addresses).into()).collect()),
            5 => Peer::Cidr("::/0".parse().unwrap()),
            // One group more than there are.
            _ => Peer::Group(group(u128::from(self.below(GROUPS as u64 + 1)))),
        }
    }

    fn rules(&mut self, addresses: &[Ipv4Addr]) -> Vec<GroupRule> {
        let rule = |n| SecurityGroupRuleId::from_bits(u128::from(n));
        (0..self.below(8))
            .map(|n| GroupRule { id: rule(n), traffic: self.traffic(), peer: self.peer(addresses) })
            .collect()
    }

    /// Rules of a list of an ACL. Most lists end with one that lets everything through, else hardly a connection could be opened.
    fn list(&mut self, addresses: &[Ipv4Addr], numbers: fn(&mut Self) -> PortRange) -> Vec<AclRule> {
        let mut rules: Vec<_> = (1..=self.below(4) as u16)
            .map(|n| AclRule {
                number: n * 10,
                allows: self.below(3) == 0,
                ports: numbers(self),
                block: self.block(addresses).into(),
            })
            .collect();
        if self.below(5) > 0 {
            let everywhere = Ipv4Net::default();
            rules.push(AclRule { number: 100, allows: true, ports: PortRange::ALL, block: everywhere.into() });
        }
        rules
    }

    fn fabric(&mut self) -> Fabric {
        let mut fabric = Fabric::default();
        fabric.subnets.extend(SUBNETS.map(|start| subnet(start.into())));
        fabric.subnets.extend([subnet(QUIET.into())]);
        for vpc in VPCS.map(VpcId::from_bits) {
            fabric.vpcs.push(VpcNet {
                id: vpc,
                cidrs: vec![block(vpc)],
                ipv6_cidrs: Vec::new(),
                default_group: None,
                has_resolver: true,
            });
        }
        let vpcs = (VpcId::from_bits(VPCS[0]), VpcId::from_bits(VPCS[1]));
        fabric.peerings.push(Peering { id: PEERING, vpcs, is_active: true });
        let mut taken = BTreeSet::new();
        while taken.len() < INTERFACES {
            let [a, b, c, _] = self.one_of(&SUBNETS);
            taken.insert(Ipv4Addr::new(a, b, c, 4 + self.below(250) as u8));
        }
        let addresses: Vec<_> = taken.into_iter().collect();
        for address in &addresses {
            let (groups, is_judged) = self.groups();
            fabric.interfaces.push(interface(fabric.interfaces.len(), *address, groups, is_judged));
        }
        // In a subnet without a wall, judged by nobody: what passes between them is sure to arrive.
        for last in [10, 11] {
            let [a, b, c, _] = QUIET;
            let address = Ipv4Addr::new(a, b, c, last);
            fabric.interfaces.push(interface(fabric.interfaces.len(), address, Vec::new(), false));
        }
        (0..GROUPS).for_each(|n| self.rule(n, &addresses, &mut fabric));
        for start in SUBNETS {
            self.wall(start, &addresses, &mut fabric);
            self.routes(start, &addresses, &mut fabric);
        }
        fabric
    }

    /// What an interface carries; one in ten carries nothing and needs nothing.
    fn groups(&mut self) -> (Vec<SecurityGroupId>, bool) {
        let groups: BTreeSet<_> = (0..=self.below(3)).map(|_| group(u128::from(self.below(GROUPS as u64)))).collect();
        if self.below(10) > 0 { (groups.into_iter().collect(), true) } else { (Vec::new(), false) }
    }

    fn rule(&mut self, n: u128, addresses: &[Ipv4Addr], fabric: &mut Fabric) {
        let (ingress, egress) = (self.rules(addresses), self.rules(addresses));
        fabric.groups.insert(group(n), Group { ingress, egress, ..Group::default() }.into());
    }

    /// What a direction of an ACL says, of each protocol something else.
    fn lists(&mut self, addresses: &[Ipv4Addr]) -> (Vec<AclRule>, BesideTcp) {
        let kinds = |chance: &mut Self| kinds(chance.message());
        let (udp, icmp) = (self.list(addresses, Self::ports), self.list(addresses, kinds));
        (self.list(addresses, Self::ports), BesideTcp { udp, icmp, protocols: Vec::new() })
    }

    /// Half of the subnets have an ACL that does not let everything through.
    fn wall(&mut self, start: [u8; 4], addresses: &[Ipv4Addr], fabric: &mut Fabric) {
        let (ingress, egress) = (self.lists(addresses), self.lists(addresses));
        let (subnet, _) = subnet(start.into());
        let id = NetworkAclId::from_bits(1);
        let acl = Arc::new(acl(id, ingress, egress));
        match self.below(2) {
            0 => fabric.acls.insert(subnet, acl),
            _ => fabric.acls.remove(&subnet),
        };
    }

    /// Most subnets have a route to the whole other VPC; some to a part of it, some with a part that leads elsewhere, and some have none.
    fn routes(&mut self, start: [u8; 4], addresses: &[Ipv4Addr], fabric: &mut Fabric) {
        let (subnet, net) = subnet(start.into());
        let other = VpcId::from_bits(VPCS[usize::from(net.vpc == VpcId::from_bits(VPCS[0]))]);
        let mut routes: BTreeMap<Ipv4Net, Option<VpcPeeringConnectionId>> = BTreeMap::new();
        match self.below(5) {
            0 => {}
            1 => drop(routes.insert(Ipv4Net::default(), Some(PEERING))),
            _ => drop(routes.insert(block(other), Some(PEERING))),
        }
        for _ in 0..self.below(3) {
            let part = self.block(addresses);
            let leads = self.one_of(&[None, Some(PEERING)]);
            routes.insert(part, leads);
        }
        // AWS takes no route within the VPC's own block.
        routes.retain(|part, _| !block(net.vpc).contains(part));
        let mut routes: Vec<_> = routes
            .into_iter()
            .map(|(block, peering)| RouteNet { block: block.into(), of_list: false, peering, exit: None })
            .collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.block.prefix_len()));
        let id = RouteTableId::from_bits(1);
        fabric.routes.insert(subnet, Arc::new(Routes { id, routes }));
    }

    /// What an operation may change: rules, groups of an interface, a group that is gone, an ACL.
    fn change(&mut self, fabric: &mut Fabric) {
        let addresses: Vec<_> = fabric.interfaces[..INTERFACES].iter().map(|one| one.private_ip).collect();
        for _ in 0..=self.below(3) {
            let (one, some) = (u128::from(self.below(GROUPS as u64)), self.below(INTERFACES as u64));
            match self.below(7) {
                0 | 1 => self.rule(one, &addresses, fabric),
                2 | 3 => {
                    let interface = &mut fabric.interfaces[usize::try_from(some).unwrap()];
                    (interface.groups, interface.is_judged) = self.groups();
                }
                4 => drop(fabric.groups.remove(&group(one))),
                5 => {
                    let start = self.one_of(&SUBNETS);
                    self.wall(start, &addresses, fabric);
                }
                _ => {
                    let start = self.one_of(&SUBNETS);
                    self.routes(start, &addresses, fabric);
                }
            }
        }
    }
}

fn group(n: u128) -> SecurityGroupId {
    SecurityGroupId::from_bits(n)
}

pub(crate) fn interface(nth: usize, address: Ipv4Addr, groups: Vec<SecurityGroupId>, is_judged: bool) -> Interface {
    Interface {
        id: NetworkInterfaceId::from_bits(nth as u128),
        vpc: subnet(address).1.vpc,
        subnet: subnet(address).0,
        zone: "us-east-1a".parse().unwrap(),
        private_ip: address,
        ipv6: None,
        groups,
        is_judged,
    }
}

/// What both said, by outcome.
#[derive(Debug, Default)]
struct Tally {
    allowed: usize,
    by_sender: usize,
    by_receiver: usize,
    by_acl: usize,
    by_route: usize,
    /// Of datagrams, and of messages: those that rules stop, and those that they let through.
    beside: [[usize; 2]; 2],
}

impl Tally {
    fn count(&mut self, said: Verdict) {
        *match said {
            Verdict::Allowed { .. } => &mut self.allowed,
            Verdict::Denied { direction: Direction::Egress, .. } => &mut self.by_sender,
            Verdict::Denied { direction: Direction::Ingress, .. } => &mut self.by_receiver,
            Verdict::AclDenied(_) => &mut self.by_acl,
            Verdict::Unrouted(_) => &mut self.by_route,
        } += 1;
    }
}

/// Something that one interface sends another.
#[derive(Debug, Clone, Copy)]
enum Sending {
    /// What begins a connection to a port.
    Tcp(u16),
    /// Something else.
    Beside(Sent),
}

impl Sending {
    fn all() -> impl Iterator<Item = Self> {
        let messages = ASKING.into_iter().flat_map(|kind| [0, 3].map(|code| Self::Beside(Sent::Icmp(kind, code))));
        PORTS.into_iter().flat_map(|port| [Self::Tcp(port), Self::Beside(Sent::Udp(port))]).chain(messages)
    }
}

/// Compares a network as it is built, and after each of some changes.
fn follow(inside: &Inside, seed: u64, tally: &mut Tally) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut fabric = chance.fabric();
    let mut vpc = Vpcs::build(inside, &fabric);
    let address = |to: usize, port| SocketAddrV4::new(fabric.interfaces[to].private_ip, port);
    let ends = (0..INTERFACES).flat_map(|to| PORTS.map(|port| (to, port))).chain([SURE]);
    let _listeners: Vec<_> = ends.map(|(to, port)| vpc.listen(to, address(to, port))).collect();
    let mut datagrams = Datagrams::open(&vpc, &fabric, (INTERFACES, &PORTS));
    for change in 0..=CHANGES {
        if change > 0 {
            chance.change(&mut fabric);
            vpc.enforce(&fabric);
            datagrams.begin_anew(&vpc, change);
        }
        let pairs = (0..INTERFACES).flat_map(|from| (0..INTERFACES).map(move |to| (from, to)));
        let pairs = pairs.filter(|(from, to)| from != to);
        let flows: Vec<_> = pairs.flat_map(|pair| Sending::all().map(move |sending| (pair, sending))).collect();
        for flows in flows.chunks(BATCH) {
            send((&vpc, &mut datagrams), &fabric, flows, tally)
                .unwrap_or_else(|problem| panic!("seed {seed}, change {change}, {problem}"));
        }
    }
}

/// An interface and a port that the one before it is sure to reach.
const SURE: (usize, u16) = (INTERFACES + 1, 1);

/// What was sent.
enum Begins {
    Connection(Begun),
    Numbered(Sent, u16),
}

/// Sends each of these, and compares what became of it.
fn send(
    (vpc, datagrams): (&Vpcs, &mut Datagrams),
    fabric: &Fabric,
    flows: &[((usize, usize), Sending)],
    tally: &mut Tally,
) -> Result<(), String> {
    let begin = |from: usize, (to, port): (usize, u16)| {
        let address = SocketAddrV4::new(fabric.interfaces[to].private_ip, port);
        vpc.begin(from, vec![address]).pop().unwrap()
    };
    let mut sent = |(from, to), sending| match sending {
        Sending::Tcp(port) => Begins::Connection(begin(from, (to, port))),
        Sending::Beside(sent) => Begins::Numbered(sent, datagrams.send((from, to), sent)),
    };
    let begun: Vec<Begins> = flows.iter().map(|(pair, sending)| sent(*pair, *sending)).collect();
    begin(INTERFACES, SURE).arrived();
    let numbers = datagrams.arrived();
    for (((from, to), sending), begun) in flows.iter().zip(begun) {
        let port = if let Sending::Tcp(port) = sending { *port } else { 0 };
        let flow = Flow { from: end(*from), to: end(*to), family: Family::Ipv4, port, seen_as: None };
        let (has_arrived, said) = match begun {
            Begins::Connection(begun) => {
                let said = verdict(fabric, flow);
                tally.count(said);
                (begun.has_arrived(), matches!(said, Verdict::Allowed { .. }))
            }
            Begins::Numbered(sent, number) => {
                let said = lets_through(fabric, flow, sent);
                tally.beside[usize::from(matches!(sent, Sent::Icmp(..)))][usize::from(said)] += 1;
                (numbers.contains(&number), said)
            }
        };
        if has_arrived != said {
            return Err(format!("{from} -> {to}, {sending:?}: {said:?} in {fabric:#?}"));
        }
    }
    Ok(())
}

fn compare() {
    on_one_processor();
    let inside = Inside::start().unwrap();
    let mut tally = Tally::default();
    (1..=NETWORKS).for_each(|seed| follow(&inside, seed, &mut tally));
    eprintln!("{tally:?}");
    let Tally { allowed, by_sender, by_receiver, by_acl, by_route, beside } = tally;
    let all = [allowed, by_sender, by_receiver, by_acl, by_route];
    assert!(all.iter().sum::<usize>() >= 10_000, "{tally:?}");
    assert!(all.iter().chain(beside.as_flattened()).all(|some| *some >= 500), "each way is gone often: {tally:?}");
}

#[test]
fn kernel_and_verdict_agree_for_root() {
    isolated(Who::Root, "differential::kernel_and_verdict_agree_for_root", compare);
}

#[test]
fn kernel_and_verdict_agree_for_a_user_without_privileges() {
    isolated(Who::Nobody, "differential::kernel_and_verdict_agree_for_a_user_without_privileges", compare);
}
