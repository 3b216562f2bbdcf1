//! The rules of one VPC as plain data that a kernel can carry out: who is where, what each security group lets through, and what the network ACLs of
//! subnets do. Compiled from the same fabric that [`verdict`](mod@crate::verdict) judges, to the same answers: a test sends thousands of connections
//! through a kernel and compares.
//!
//! No rule here comes before another, and no two areas of one list overlap: sets of a kernel want it so, and it costs nothing that rules of groups only allow,
//! and that of the rules of an ACL each port of each address has one that decides.
//!
//! Simplifying assumptions: IPv4 only. A fabric knows of ACLs what they say of TCP, so that other protocols do not cross the boundary of a subnet
//! whose ACL does not let everything through (enforced: nothing is open that may be shut).

mod area;
pub(crate) mod exits;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

pub use area::{Area, Span};

use crate::id::{NetworkInterfaceId, SecurityGroupId, SubnetId, VpcId};
use crate::net::{Direction, IpNet, Ipv4Net, PortRange, Traffic};
use crate::snapshot::fabric::{Acl, AclRule, BesideTcp, Fabric, GroupRule, Peer, RouteNet};
use crate::verdict::acl::{REPLY_PORTS, decide};

/// The rules of a VPC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Its interfaces.
    pub doors: Vec<Door>,
    /// What each group that an interface carries lets through, out and in, by the groups in order; a group without a gate lets nothing through.
    pub gates: Vec<Arc<Gate>>,
    /// The addresses of the groups that a rule refers to.
    pub members: BTreeMap<SecurityGroupId, Vec<Ipv4Addr>>,
    /// The subnets whose ACL does not let everything through.
    pub walls: Vec<Wall>,
    /// The VPCs that peering joins to this one.
    pub crossings: Vec<Crossing>,
    /// VPCs that peering joins to this one and whose addresses another has too that is so joined: one router cannot tell them apart, so that what
    /// programs send does not reach them. Connections of load balancers to what is attached there do.
    pub left_out: Vec<VpcId>,
}

/// A VPC at the other end of an active peering connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    /// Which one.
    pub vpc: VpcId,
    /// Its blocks.
    pub blocks: Vec<Ipv4Net>,
}

/// What the route table of an interface's subnet says of addresses beyond its VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The addresses; of several routes for one, the longest prefix decides.
    pub block: Ipv4Net,
    /// Where it leads.
    pub leads: Onward,
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Onward {
    /// Into a VPC of [`Ruleset::crossings`].
    Crossing,
    /// Out, for whatever [`Door::exits`] holds.
    Exit,
    /// Nowhere.
    Nowhere,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Which one.
    pub interface: NetworkInterfaceId,
    /// Its address.
    pub address: Ipv4Addr,
    /// The router's address in its subnet: the first after that of the network (VPC user guide, "Subnet CIDR blocks", 2026-11).
    pub gateway: Ipv4Addr,
    /// Its subnet.
    pub subnet: SubnetId,
    /// The groups that judge it; `None` where nothing does.
    pub groups: Option<Vec<SecurityGroupId>>,
    /// The routes that leave its VPC.
    pub routes: Vec<Route>,
    /// Ports of TCP and addresses that it reaches by a way out of its VPC, where its groups and ACLs let it. Nothing else leaves by one.
    pub exits: Vec<Area>,
}

/// What a group lets through in one direction. Whatever is in none of these is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The group.
    pub group: SecurityGroupId,
    /// Whether it is about what comes in or what leaves.
    pub direction: Direction,
    /// Ports of TCP, with the other ends.
    pub tcp: Vec<Area>,
    /// Ports of UDP, with the other ends.
    pub udp: Vec<Area>,
    /// Types of ICMP times 256 and codes, with the other ends.
    pub icmp: Vec<Area>,
    /// Protocols by number, whatever they have for ports, with the other ends.
    pub protocols: Vec<Area>,
    /// What may be exchanged with members of a group.
    pub with: Vec<(Traffic, SecurityGroupId)>,
}

/// What a list of an ACL lets through, with the other ends. Whatever is in none of these is dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open {
    /// Ports of TCP.
    pub tcp: Vec<Area>,
    /// Ports of UDP.
    pub udp: Vec<Area>,
    /// Types of ICMP times 256 and codes.
    pub icmp: Vec<Area>,
    /// Every other protocol by number.
    pub protocols: Vec<Area>,
}

/// The network ACL of a subnet. It is asked of each packet that crosses the subnet's boundary, in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wall {
    /// The subnet.
    pub subnet: SubnetId,
    /// What may come in.
    pub comes_in: Open,
    /// What may leave.
    pub leaves: Open,
    /// The other ends whose replies may come in, to whichever port they go: no connection is opened to another.
    pub replies_come_in: Vec<Span>,
    /// The other ends that replies may leave to: no connection is opened from another.
    pub replies_leave: Vec<Span>,
}

/// In which gates of a group follow one another.
const DIRECTIONS: [Direction; 2] = [Direction::Egress, Direction::Ingress];

impl Ruleset {
    /// The gate of a group, if it has one.
    #[must_use]
    pub fn gate(&self, group: SecurityGroupId, direction: Direction) -> Option<&Arc<Gate>> {
        let is_before =
            |gate: &Arc<Gate>| (gate.group, gate.direction != DIRECTIONS[0]) < (group, direction != DIRECTIONS[0]);
        let found = self.gates.get(self.gates.partition_point(is_before))?;
        (found.group == group && found.direction == direction).then_some(found)
    }
}

impl Ruleset {
    /// Has leave by ways out what routes and ACLs let out; without this nothing does. It costs as much as routes and entries of ACLs have pieces, once for
    /// each subnet and standing: doors that nobody is behind are best left out before.
    pub fn open(&mut self, fabric: &Fabric) {
        let mut known = exits::Known::default();
        for door in &mut self.doors {
            let there = fabric.interface_by_id(door.interface).and_then(|index| fabric.interface(index));
            door.exits = there.map(|interface| known.areas(fabric, interface)).unwrap_or_default();
        }
    }

    /// Has no route lead to a way out.
    pub fn seal(&mut self) {
        for door in &mut self.doors {
            let sealed = |route: &Route| match route.leads {
                Onward::Exit => Route { leads: Onward::Nowhere, ..*route },
                Onward::Crossing | Onward::Nowhere => *route,
            };
            door.routes = needed(door.routes.iter().map(sealed).collect());
        }
    }

    /// Whether anything may leave by a way out.
    #[must_use]
    pub fn has_exits(&self) -> bool {
        self.doors.iter().any(|door| !door.exits.is_empty())
    }
}

/// Compiles the rules of a VPC.
#[must_use]
pub fn of(fabric: &Fabric, vpc: VpcId) -> Ruleset {
    compiled(fabric, vpc, None)
}

/// Compiles the rules of a VPC after a change, from those that were compiled of another fabric before it: gates of groups that are the same in both are taken
/// over. What comes out is what [`of`] gives.
#[must_use]
pub fn after(fabric: &Fabric, vpc: VpcId, before: (&Fabric, &Ruleset)) -> Ruleset {
    compiled(fabric, vpc, Some(before))
}

fn compiled(fabric: &Fabric, vpc: VpcId, before: Option<(&Fabric, &Ruleset)>) -> Ruleset {
    let (crossings, left_out) = crossings(fabric, vpc);
    let doors = doors(fabric, vpc, &crossings);
    let carried: BTreeSet<_> = doors.iter().flat_map(|door| door.groups.iter().flatten()).copied().collect();
    let known = carried.into_iter().filter_map(|id| Some((id, fabric.groups.get(&id)?)));
    let gates: Vec<_> = known
        .flat_map(|(id, group)| {
            let same = before.filter(|(fabric, _)| fabric.groups.get(&id) == Some(group));
            DIRECTIONS.map(|direction| {
                let known = same.and_then(|(_, ruleset)| ruleset.gate(id, direction));
                known.map_or_else(|| Arc::new(gate(id, direction, group.rules(direction))), Arc::clone)
            })
        })
        .collect();
    let referred = gates.iter().flat_map(|gate| gate.with.iter().map(|(_, group)| *group));
    let mut members: BTreeMap<_, _> = referred.map(|group| (group, Vec::new())).collect();
    let is_near = |of: VpcId| of == vpc || crossings.iter().any(|crossing| crossing.vpc == of);
    for interface in fabric.interfaces.iter().filter(|interface| is_near(interface.vpc)) {
        for group in &interface.groups {
            if let Some(addresses) = members.get_mut(group) {
                addresses.push(interface.private_ip);
            }
        }
    }
    let subnets: BTreeSet<_> = doors.iter().map(|door| door.subnet).collect();
    let walls = subnets.into_iter().filter_map(|subnet| Some(wall(subnet, fabric.acls.get(&subnet)?))).collect();
    Ruleset { doors, gates, members, walls, crossings, left_out }
}

/// The VPCs that packets may cross to and from, and those that they may not for the sake of another.
fn crossings(fabric: &Fabric, vpc: VpcId) -> (Vec<Crossing>, Vec<VpcId>) {
    let active = fabric.peerings.iter().filter(|peering| peering.is_active);
    let others: BTreeSet<VpcId> = active.filter_map(|peering| peering.other(vpc)).collect();
    let (mut crossings, mut left_out): (Vec<Crossing>, Vec<VpcId>) = (Vec::new(), Vec::new());
    for net in fabric.vpcs.iter().filter(|net| others.contains(&net.id)) {
        let is_taken = |block: &Ipv4Net| {
            let mut taken = crossings.iter().flat_map(|crossing| &crossing.blocks);
            taken.any(|other| other.contains(block) || block.contains(other))
        };
        if net.cidrs.iter().any(is_taken) {
            left_out.push(net.id);
        } else {
            crossings.push(Crossing { vpc: net.id, blocks: net.cidrs.clone() });
        }
    }
    (crossings, left_out)
}

/// The routes of a subnet that lead into another VPC or out, and those that are about some of the same addresses and lead nowhere.
fn routes(fabric: &Fabric, (vpc, subnet): (VpcId, SubnetId), crossings: &[Crossing]) -> Vec<Route> {
    let Some(table) = fabric.routes.get(&subnet) else { return Vec::new() };
    let leads = |route: &RouteNet| {
        let other = route.peering.and_then(|id| fabric.peer(id, vpc));
        match other.filter(|other| crossings.iter().any(|crossing| crossing.vpc == *other)) {
            Some(_) => Onward::Crossing,
            None if route.exit.is_some() => Onward::Exit,
            None => Onward::Nowhere,
        }
    };
    let is_own = |block: &Ipv4Net| {
        let own = fabric.vpcs.iter().filter(|net| net.id == vpc).flat_map(|net| &net.cidrs);
        own.into_iter().any(|cidr| cidr.contains(block))
    };
    let beyond = table.routes.iter().filter_map(|route| Some((ipv4(&route.block)?, leads(route))));
    let beyond = beyond.filter(|(block, _)| !is_own(block));
    needed(beyond.map(|(block, leads)| Route { block, leads }).collect())
}

/// Those that lead somewhere, and those that are about some of the same addresses and lead nowhere. Of two for the same addresses the first is one.
fn needed(routes: Vec<Route>) -> Vec<Route> {
    let leads = |route: &Route| route.leads != Onward::Nowhere;
    let is_needed =
        |route: &Route| leads(route) || routes.iter().any(|wider| leads(wider) && wider.block.contains(&route.block));
    let needed: BTreeMap<Ipv4Net, Onward> =
        routes.iter().filter(|route| is_needed(route)).rev().map(|route| (route.block, route.leads)).collect();
    needed.into_iter().map(|(block, leads)| Route { block, leads }).collect()
}

/// The VPC's interfaces; one whose subnet is gone has no way to anybody.
fn doors(fabric: &Fabric, vpc: VpcId, crossings: &[Crossing]) -> Vec<Door> {
    let mut by_subnet: BTreeMap<SubnetId, Vec<Route>> = BTreeMap::new();
    let there = fabric.interfaces.iter().filter(|interface| interface.vpc == vpc);
    let door = |interface: &crate::snapshot::fabric::Interface| {
        let subnet = interface.subnet;
        let gateway = Ipv4Addr::from_bits(fabric.subnets.get(&subnet)?.block.network().to_bits() | 1);
        let routes = by_subnet.entry(subnet).or_insert_with(|| routes(fabric, (vpc, subnet), crossings));
        Some(Door {
            interface: interface.id,
            address: interface.private_ip,
            gateway,
            subnet,
            groups: interface.is_judged.then(|| interface.groups.clone()),
            routes: routes.clone(),
            exits: Vec::new(),
        })
    };
    there.filter_map(door).collect()
}

fn gate(group: SecurityGroupId, direction: Direction, rules: &[GroupRule]) -> Gate {
    let areas = |range: fn(Traffic) -> Option<(u16, u16)>| {
        let wide = rules.iter().filter_map(|rule| Some((range(rule.traffic)?, blocks(&rule.peer))));
        area::apart(wide.flat_map(|(range, blocks)| blocks.into_iter().map(move |block| (range, Span::of(block)))))
    };
    let with = rules.iter().filter_map(|rule| match rule.peer {
        Peer::Group(other) => Some((rule.traffic, other)),
        Peer::Cidr(_) | Peer::Prefixes(_) => None,
    });
    Gate {
        group,
        direction,
        tcp: areas(|traffic| match traffic {
            Traffic::Tcp(ports) => Some((ports.from(), ports.to())),
            _ => None,
        }),
        udp: areas(|traffic| match traffic {
            Traffic::Udp(ports) => Some((ports.from(), ports.to())),
            _ => None,
        }),
        icmp: areas(icmp),
        protocols: areas(protocols),
        with: with.collect(),
    }
}

/// Blocks that a rule names by themselves.
fn blocks(peer: &Peer) -> Vec<Ipv4Net> {
    let blocks = match peer {
        Peer::Cidr(block) => std::slice::from_ref(block),
        Peer::Prefixes(blocks) => blocks,
        Peer::Group(_) => &[],
    };
    blocks.iter().filter_map(ipv4).collect()
}

fn ipv4(block: &IpNet) -> Option<Ipv4Net> {
    match block {
        IpNet::V4(block) => Some(*block),
        IpNet::V6(_) => None,
    }
}

/// Types and codes of ICMP as one number: the type is the higher byte. A type of −1 is every type, a code of −1 every code.
#[must_use]
pub fn icmp(traffic: Traffic) -> Option<(u16, u16)> {
    let Traffic::Icmp { kind, code } = traffic else { return None };
    let Ok(kind) = u8::try_from(kind) else { return Some((0, u16::MAX)) };
    let first = u16::from(kind) << 8;
    Some(u8::try_from(code).map_or((first, first | 0xff), |code| (first | u16::from(code), first | u16::from(code))))
}

/// Protocols that are let through whatever they have for ports.
#[must_use]
pub fn protocols(traffic: Traffic) -> Option<(u16, u16)> {
    match traffic {
        Traffic::All => Some((0, 255)),
        Traffic::Other(number) => Some((u16::from(number), u16::from(number))),
        Traffic::Tcp(_) | Traffic::Udp(_) | Traffic::Icmp { .. } | Traffic::Icmpv6 { .. } => None,
    }
}

fn wall(subnet: SubnetId, acl: &Acl) -> Wall {
    let (ingress, egress) = (acl.rules(Direction::Ingress), acl.rules(Direction::Egress));
    Wall {
        subnet,
        comes_in: open_by_protocol(acl, Direction::Ingress),
        leaves: open_by_protocol(acl, Direction::Egress),
        replies_come_in: open_to_replies(ingress),
        replies_leave: open_to_replies(egress),
    }
}

fn open_by_protocol(acl: &Acl, direction: Direction) -> Open {
    let BesideTcp { udp, icmp, protocols } = acl.beside(direction);
    Open { tcp: open(acl.rules(direction)), udp: open(udp), icmp: open(icmp), protocols: open(protocols) }
}

/// What a list of an ACL lets through: of ports and addresses between which no rule begins or ends, one stands for all.
fn open(rules: &[AclRule]) -> Vec<Area> {
    let ports = area::pieces(u16::MAX, rules.iter().map(|rule| (rule.ports.from(), rule.ports.to())));
    let ports = ports.into_iter().filter_map(|(from, to)| PortRange::new(from, to));
    let all = ports.flat_map(|ports| {
        let open = spans(rules).into_iter().filter(move |span| decide(rules, span.first.into(), ports).is_ok());
        open.map(move |span| ((ports.from(), ports.to()), span))
    });
    area::apart(all)
}

/// The other ends to or from which replies to every port that they may go to are let through.
fn open_to_replies(rules: &[AclRule]) -> Vec<Span> {
    let open = spans(rules).into_iter().filter(|span| decide(rules, span.first.into(), REPLY_PORTS).is_ok());
    area::joined(open.collect())
}

/// Addresses between which no rule begins or ends.
fn spans(rules: &[AclRule]) -> Vec<Span> {
    let blocks = rules
        .iter()
        .filter_map(|rule| ipv4(&rule.block))
        .map(Span::of)
        .map(|span| (span.first.to_bits(), span.last.to_bits()));
    let span = |(first, last)| Span { first: Ipv4Addr::from_bits(first), last: Ipv4Addr::from_bits(last) };
    area::pieces(u32::MAX, blocks).into_iter().map(span).collect()
}
