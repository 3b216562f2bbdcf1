//! The rules of a VPC in nftables' terms: one table of the router.
//!
//! A packet that is forwarded passes these chains in order, and each must let it through: `sources` (whoever is at a cable uses the cable's
//! address), `walls` (network ACLs, of each packet anew), `leaving` and `arriving` (groups of the sender and of the receiver, of what begins a
//! connection; the rest follows). `accept` ends a chain and not the way, so that both sides have their say. Nothing is for the router itself but
//! questions about names.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use topology::id::{NetworkInterfaceId, SecurityGroupId, VpcId};
use topology::net::{Direction, Ipv4Net, PortRange, Traffic};
use topology::ruleset::{Area, Gate, Open, Ruleset, Span, Wall, icmp};

use crate::cable::CableNumber;
use crate::flows::{Barrier, LOG_GROUP};
use crate::nft::{Connection, Element, Fate, Field, Hook, Kind, Step, Table, Transaction};

/// The table; each router has its own.
const TABLE: &str = "tidegate";

const IPV4: u8 = 2;
const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
const UDP: u8 = 17;
/// The chain of what leaves by a way out.
const EXITS: &str = "exits";
/// The port of questions about names (RFC 1035 section 4.2).
pub(crate) const NAMES: u16 = 53;

/// The cables of a router.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cables {
    /// That of each interface.
    pub doors: BTreeMap<NetworkInterfaceId, CableNumber>,
    /// That to each VPC that is joined.
    pub crossings: BTreeMap<VpcId, CableNumber>,
}

/// Rules that a router carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enforced {
    pub(crate) ruleset: Ruleset,
    pub(crate) cables: Cables,
    /// Where the router answers questions about names, if it does.
    pub(crate) resolver: Option<Ipv4Addr>,
    /// The cable of the way out, if there is one, and the network's own blocks.
    pub(crate) exit: Option<(CableNumber, Vec<Ipv4Net>)>,
    /// Whether it tells of packets that groups and network ACLs do not let through.
    pub(crate) is_telling: bool,
}

impl Enforced {
    /// The transaction that has these carried out in place of others, or where there were none. What a group lets through is written anew only
    /// where it differs. Interfaces without a cable reach nobody.
    pub(crate) fn instead_of(&self, before: Option<&Self>) -> Transaction {
        match before {
            None => table(self, |_same| true).replacing(TABLE),
            Some(before) => {
                let Difference { groups: differ, is_led_otherwise } = self.difference(before);
                let differs = |group: Group<'_>| differ.contains(&group.key());
                let parts = |of: &Self| if is_led_otherwise { table(of, differs) } else { groups(of, differs).table };
                parts(self).changing(TABLE, &parts(before))
            }
        }
    }

    /// What has to be written anew. Both have their groups in order, so that each is looked at once.
    fn difference(&self, before: &Self) -> Difference {
        let (mut was, mut is) = (before.groups().peekable(), self.groups().peekable());
        let mut difference =
            Difference { groups: BTreeSet::new(), is_led_otherwise: self.besides() != before.besides() };
        loop {
            let order = match (was.peek(), is.peek()) {
                (None, None) => return difference,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(was), Some(is)) => was.key().cmp(&is.key()),
            };
            let (was, is) = (was.next_if(|_| order.is_le()), is.next_if(|_| order.is_ge()));
            difference.is_led_otherwise |= order.is_ne();
            if was != is {
                difference.groups.extend(was.or(is).map(Group::key));
            }
        }
    }

    /// All that there is besides groups.
    fn besides(&self) -> impl PartialEq {
        let Ruleset { doors, gates: _, members: _, walls, crossings, left_out: _ } = &self.ruleset;
        (doors, walls, crossings, &self.cables, self.resolver, &self.exit, self.is_telling)
    }

    /// What there is of groups, in the order of its keys.
    fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        let gates = self.ruleset.gates.iter().map(Group::Gate);
        gates.chain(self.ruleset.members.iter().map(|(group, addresses)| Group::Members(*group, addresses)))
    }
}

/// What of a table has to be written anew.
struct Difference {
    groups: BTreeSet<Key>,
    /// Whether what leads to groups is among it: that depends on which there are, and not on what they let through.
    is_led_otherwise: bool,
}

/// What there is of a group: most of a table, and of most changes the only part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group<'a> {
    Gate(&'a Arc<Gate>),
    Members(SecurityGroupId, &'a [Ipv4Addr]),
}

/// Gates before members, by group, the gate of what leaves before that of what comes in.
type Key = (bool, SecurityGroupId, bool);

impl Group<'_> {
    fn key(self) -> Key {
        match self {
            Self::Gate(gate) => (false, gate.group, gate.direction == Direction::Ingress),
            Self::Members(group, _) => (true, group, false),
        }
    }
}

/// The table that carries these rules out, with what this says of the groups.
fn table(enforced: &Enforced, is_in: impl Fn(Group<'_>) -> bool) -> Table {
    let mut rules = groups(enforced, is_in);
    rules.sources(enforced.exit.as_ref());
    enforced.ruleset.walls.iter().for_each(|wall| rules.wall(wall));
    rules.walls();
    let exit = enforced.exit.as_ref().map(|(cable, _)| *cable);
    rules.side(Direction::Egress, None);
    rules.side(Direction::Ingress, exit);
    rules.router(enforced.resolver);
    rules.table
}

/// The part of it that says what there is of these groups.
fn groups(enforced: &Enforced, is_in: impl Fn(Group<'_>) -> bool) -> Rules<'_> {
    let Enforced { ruleset, cables, resolver: _, exit: _, is_telling } = enforced;
    let mut rules = Rules { table: Table::default(), ruleset, cables, is_telling: *is_telling };
    for group in enforced.groups().filter(|group| is_in(*group)) {
        match group {
            Group::Gate(gate) => rules.gate(gate),
            Group::Members(group, addresses) => {
                let elements = addresses.iter().map(|address| one(address.octets()));
                rules.table.set(&format!("{group}.members"), Kind::Addresses, elements);
            }
        }
    }
    rules
}

struct Rules<'a> {
    table: Table,
    ruleset: &'a Ruleset,
    cables: &'a Cables,
    is_telling: bool,
}

impl<'a> Rules<'a> {
    /// Drops a packet, and tells where.
    fn drop_at(&self, barrier: Barrier) -> Vec<Step> {
        let told = self.is_telling.then(|| Step::Tell(LOG_GROUP, barrier.word()));
        told.into_iter().chain([Step::Then(Fate::Drop)]).collect()
    }

    /// Who is at a cable uses the address that the cable has, and IPv4. By a way out comes what no private network has.
    fn sources(&mut self, exit: Option<&(CableNumber, Vec<Ipv4Net>)>) {
        let doors =
            self.ruleset.doors.iter().filter_map(|door| Some((self.cables.doors.get(&door.interface)?, door.address)));
        let elements: Vec<_> = doors.map(|(cable, address)| one([cable.bytes(), address.octets()].concat())).collect();
        self.table.set("addresses", Kind::CableAddresses, elements);
        self.table.base_chain("sources", (Hook::Prerouting, -300), Fate::Accept);
        let drop = [Step::Count, Step::Then(Fate::Drop)];
        let version = [Step::Read(Field::Version, 0), Step::IsNot(0, vec![IPV4])];
        self.table.rule("sources", &[&version[..], &drop].concat());
        // The router at the other end has seen to it that an address is that of its sender.
        for (cable, block) in
            self.crossings().flat_map(|(cable, blocks)| blocks.iter().map(move |block| (cable, block)))
        {
            self.table.rule("sources", &[&of_block(cable, *block)[..], &[Step::Then(Fate::Accept)]].concat());
        }
        if let Some((cable, blocks)) = exit {
            let others = self.crossings().flat_map(|(_, blocks)| blocks);
            for block in blocks.iter().chain(others) {
                self.table.rule("sources", &[&of_block(*cable, *block)[..], &drop].concat());
            }
            self.table.rule("sources", &[&is_from(*cable)[..], &[Step::Then(Fate::Accept)]].concat());
        }
        let pair = [Step::Read(Field::CableFrom, 0), Step::Read(Field::AddressFrom, 1)];
        self.table.rule("sources", &[&pair[..], &[Step::NotIn(0, "addresses".to_owned())], &drop].concat());
    }

    /// Nothing is for the router itself but questions about names.
    fn router(&mut self, resolver: Option<Ipv4Addr>) {
        self.table.base_chain("router", (Hook::Input, 0), Fate::Drop);
        for (address, protocol) in resolver.into_iter().flat_map(|address| [(address, UDP), (address, TCP)]) {
            let steps = [
                Step::Read(Field::AddressTo, 0),
                Step::Is(0, address.octets().to_vec()),
                Step::Read(Field::Protocol, 0),
                Step::Is(0, vec![protocol]),
                Step::Read(Field::PortTo, 0),
                Step::Is(0, NAMES.to_be_bytes().to_vec()),
                Step::Then(Fate::Accept),
            ];
            self.table.rule("router", &steps);
        }
    }

    /// A chain that accepts what a group lets through, and returns with the rest.
    fn gate(&mut self, gate: &Gate) {
        let chain = chain_of(gate);
        let address = address_of_other(gate.direction);
        self.table.chain(&chain);
        let Gate { tcp, udp, icmp, protocols, .. } = gate;
        self.let_through(&chain, address, [tcp, udp, icmp, protocols], &Fate::Accept);
        for (traffic, group) in &gate.with {
            let Some(is_such) = is_such(*traffic) else { continue };
            let member = [Step::Read(address, 0), Step::In(0, format!("{group}.members"))];
            self.table.rule(&chain, &[&member[..], &is_such, &[Step::Then(Fate::Accept)]].concat());
        }
    }

    /// Rules of a chain for what has its numbers and its other end in an area of its protocol: ports of TCP and of UDP, types and codes of ICMP, and
    /// protocols by number.
    fn let_through(&mut self, chain: &str, address: Field, [tcp, udp, icmp, protocols]: [&[Area]; 4], fate: &Fate) {
        let ports: Vec<_> = areas(tcp, &[TCP]).chain(areas(udp, &[UDP])).collect();
        let in_ports = [Step::Read(Field::Protocol, 0), Step::Read(Field::PortTo, 1), Step::Read(address, 2)];
        let in_icmp = [
            Step::Read(Field::Protocol, 0),
            Step::Is(0, vec![ICMP]),
            Step::Read(Field::IcmpKind, 0),
            Step::Read(address, 1),
        ];
        let in_protocols = [Step::Read(Field::Protocol, 0), Step::Read(address, 1)];
        let protocols = protocols.iter().map(|area| {
            // Protocols are numbers of one byte, as `topology::ruleset` makes them.
            let key = |number: u16, address: [u8; 4]| [[number.to_be_bytes()[1], 0, 0, 0], address].concat();
            between(key(area.from, area.span.first.octets()), key(area.to, area.span.last.octets()))
        });
        for (of, kind, elements, steps) in [
            ("ports", Kind::Ports, ports, &in_ports[..]),
            ("icmp", Kind::Icmp, areas(icmp, &[]).collect(), &in_icmp),
            ("protocols", Kind::Protocols, protocols.collect(), &in_protocols),
        ] {
            if elements.is_empty() {
                continue;
            }
            let set = format!("{chain}.{of}");
            self.table.set(&set, kind, elements);
            self.table.rule(chain, &[steps, &[Step::In(0, set), Step::Then(fate.clone())]].concat());
        }
    }

    /// Two chains that drop what the ACL of a subnet does not let through, and return with the rest.
    fn wall(&mut self, wall: &Wall) {
        let subnet = wall.subnet;
        let cables = format!("{subnet}.cables");
        let elements: Vec<_> = self.cables_in(wall).map(|cable| one(cable.bytes())).collect();
        self.table.set(&cables, Kind::Cables, elements);
        for (direction, (open, replies), (here, answered)) in [
            (Direction::Egress, (&wall.leaves, &wall.replies_come_in), (Barrier::Leaving, Barrier::Returning)),
            (Direction::Ingress, (&wall.comes_in, &wall.replies_leave), (Barrier::Arriving, Barrier::Replying)),
        ] {
            let chain = format!("{subnet}.{}", way(direction));
            let replies_set = format!("{chain}.replies");
            self.table.set(&replies_set, Kind::Protocols, replies.iter().map(tcp_with));
            self.table.chain(&chain);
            let address = address_of_other(direction);
            let other = if direction == Direction::Egress { Field::CableTo } else { Field::CableFrom };
            let within = [Step::Read(other, 0), Step::In(0, cables.clone()), Step::Then(Fate::Return)];
            let not_answered = [
                Step::Read(Field::Protocol, 0),
                Step::Is(0, vec![TCP]),
                Step::Read(address, 1),
                Step::NotIn(0, replies_set),
            ];
            let drop_unanswered = self.drop_at(answered);
            let begins_without_replies =
                [&Connection::is(&[Connection::New])[..], &not_answered, &drop_unanswered].concat();
            self.table.rule(&chain, &within);
            self.table.rule(&chain, &begins_without_replies);
            let Open { tcp, udp, icmp, protocols } = open;
            self.let_through(&chain, address, [tcp, udp, icmp, protocols], &Fate::Return);
            self.table.rule(&chain, &self.drop_at(here));
        }
    }

    /// Sends what crosses the boundary of a subnet with a wall to that.
    fn walls(&mut self) {
        self.table.base_chain("walls", (Hook::Forward, -10), Fate::Accept);
        for (direction, field) in [(Direction::Egress, Field::CableFrom), (Direction::Ingress, Field::CableTo)] {
            let map = format!("walls.{}", way(direction));
            let mut elements = Vec::new();
            for wall in &self.ruleset.walls {
                let fate = Fate::Jump(format!("{}.{}", wall.subnet, way(direction)));
                elements.extend(self.cables_in(wall).map(|cable| leading(cable, fate.clone())));
            }
            self.table.set(&map, Kind::Gates, elements);
            self.table.rule("walls", &[Step::Read(field, 0), Step::AsSays(0, map)]);
        }
    }

    /// Sends what begins a connection to the groups of the interface on this side.
    fn side(&mut self, direction: Direction, exit: Option<CableNumber>) {
        let (chain, priority, field, barrier) = match direction {
            Direction::Egress => ("leaving", 0, Field::CableFrom, Barrier::Leaving),
            Direction::Ingress => ("arriving", 10, Field::CableTo, Barrier::Arriving),
        };
        let (map, drop) = (format!("{chain}.gates"), [Step::Count, Step::Then(Fate::Drop)]);
        let mut elements = Vec::new();
        for door in &self.ruleset.doors {
            let Some(cable) = self.cables.doors.get(&door.interface) else { continue };
            let Some(groups) = &door.groups else {
                elements.push(leading(*cable, Fate::Accept));
                continue;
            };
            let own = format!("{}.{}", door.interface, way(direction));
            self.table.chain(&own);
            // A group that lets nothing through in this direction has no gate.
            for gate in groups.iter().filter_map(|group| self.ruleset.gate(*group, direction)) {
                self.table.rule(&own, &[Step::Then(Fate::Jump(chain_of(gate)))]);
            }
            elements.push(leading(*cable, Fate::Jump(own)));
        }
        // The other side of what crosses into another VPC is judged there.
        elements.extend(self.crossings().map(|(cable, _)| leading(cable, Fate::Accept)));
        if let Some(exit) = exit {
            self.exits();
            elements.push(leading(exit, Fate::Jump(EXITS.to_owned())));
        }
        self.table.set(&map, Kind::Gates, elements);
        self.table.base_chain(chain, (Hook::Forward, priority), Fate::Drop);
        let follows = Connection::is(&[Connection::Established, Connection::Related]);
        self.table.rule(chain, &[&follows[..], &[Step::Then(Fate::Accept)]].concat());
        self.table.rule(chain, &[&Connection::is(&[Connection::Invalid])[..], &drop].concat());
        self.table.rule(chain, &[Step::Read(field, 0), Step::AsSays(0, map)]);
        let last = [&[Step::Count][..], &self.drop_at(barrier)].concat();
        self.table.rule(chain, &last);
    }

    /// A chain that accepts what an interface has a way out to, and returns with the rest.
    fn exits(&mut self) {
        let of_door = |(cable, area): (CableNumber, &Area)| {
            let key = |port: u16, address: Ipv4Addr| {
                let [high, low] = port.to_be_bytes();
                [&cable.bytes()[..], &[high, low, 0, 0], &address.octets()].concat()
            };
            between(key(area.from, area.span.first), key(area.to, area.span.last))
        };
        let doors = self.ruleset.doors.iter();
        let there = doors.filter_map(|door| Some((*self.cables.doors.get(&door.interface)?, &door.exits)));
        let elements: Vec<_> =
            there.flat_map(|(cable, areas)| areas.iter().map(move |area| of_door((cable, area)))).collect();
        let set = format!("{EXITS}.open");
        self.table.set(&set, Kind::Exits, elements);
        self.table.chain(EXITS);
        let steps = [
            Step::Read(Field::Protocol, 0),
            Step::Is(0, vec![TCP]),
            Step::Read(Field::CableFrom, 0),
            Step::Read(Field::PortTo, 1),
            Step::Read(Field::AddressTo, 2),
            Step::In(0, set),
            Step::Then(Fate::Accept),
        ];
        self.table.rule(EXITS, &steps);
    }

    /// The cables to other VPCs, with the addresses there.
    fn crossings(&self) -> impl Iterator<Item = (CableNumber, &'a [Ipv4Net])> + use<'a> {
        let (crossings, cables) = (self.ruleset.crossings.iter(), &self.cables.crossings);
        crossings.filter_map(|crossing| Some((*cables.get(&crossing.vpc)?, &*crossing.blocks)))
    }

    fn cables_in<'b>(&'b self, wall: &'b Wall) -> impl Iterator<Item = CableNumber> + 'b {
        let doors = self.ruleset.doors.iter().filter(|door| door.subnet == wall.subnet);
        doors.filter_map(|door| self.cables.doors.get(&door.interface)).copied()
    }
}

/// The steps that hold for what comes by a cable.
fn is_from(cable: CableNumber) -> [Step; 2] {
    [Step::Read(Field::CableFrom, 0), Step::Is(0, cable.bytes().to_vec())]
}

/// The steps that hold for what comes by a cable from an address of a block.
fn of_block(cable: CableNumber, block: Ipv4Net) -> Vec<Step> {
    let Span { first, last } = Span::of(block);
    let is_of = [Step::Read(Field::AddressFrom, 0), Step::Within(0, first.octets().to_vec(), last.octets().to_vec())];
    [is_from(cable), is_of].concat()
}

fn chain_of(gate: &Gate) -> String {
    format!("{}.{}", gate.group, way(gate.direction))
}

const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "out",
        Direction::Ingress => "in",
    }
}

/// Where the other end's address stands.
const fn address_of_other(direction: Direction) -> Field {
    match direction {
        Direction::Egress => Field::AddressTo,
        Direction::Ingress => Field::AddressFrom,
    }
}

fn one(key: impl Into<Vec<u8>>) -> Element {
    Element { from: key.into(), to: None, fate: None }
}

fn between(from: Vec<u8>, to: Vec<u8>) -> Element {
    Element { from, to: Some(to), fate: None }
}

fn leading(cable: CableNumber, fate: Fate) -> Element {
    Element { from: cable.bytes().to_vec(), to: None, fate: Some(fate) }
}

/// Numbers of two bytes with other ends, behind the number of a protocol if one is given.
fn areas<'a>(areas: &'a [Area], protocol: &'a [u8]) -> impl Iterator<Item = Element> + 'a {
    let key = move |number: u16, address: [u8; 4]| {
        let [high, low] = number.to_be_bytes();
        let mut key: Vec<u8> = protocol.iter().flat_map(|protocol| [*protocol, 0, 0, 0]).collect();
        key.extend([high, low, 0, 0]);
        key.extend(address);
        key
    };
    areas
        .iter()
        .map(move |Area { from, to, span }| between(key(*from, span.first.octets()), key(*to, span.last.octets())))
}

fn tcp_with(span: &Span) -> Element {
    let key = |address: [u8; 4]| [[TCP, 0, 0, 0], address].concat();
    between(key(span.first.octets()), key(span.last.octets()))
}

/// The steps that hold for such traffic; `None` where IPv4 has none such.
fn is_such(traffic: Traffic) -> Option<Vec<Step>> {
    let is = |protocol: u8| vec![Step::Read(Field::Protocol, 0), Step::Is(0, vec![protocol])];
    let within = |protocol, field, from: u16, to: u16| {
        let range = [Step::Read(field, 0), Step::Within(0, from.to_be_bytes().to_vec(), to.to_be_bytes().to_vec())];
        [is(protocol), range.to_vec()].concat()
    };
    let to = |protocol, ports: PortRange| within(protocol, Field::PortTo, ports.from(), ports.to());
    match traffic {
        Traffic::All => Some(Vec::new()),
        Traffic::Tcp(ports) => Some(to(TCP, ports)),
        Traffic::Udp(ports) => Some(to(UDP, ports)),
        Traffic::Icmp { .. } => icmp(traffic).map(|(from, last)| within(ICMP, Field::IcmpKind, from, last)),
        Traffic::Icmpv6 { .. } => None,
        Traffic::Other(number) => Some(is(number)),
    }
}
