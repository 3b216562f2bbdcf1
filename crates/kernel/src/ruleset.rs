//! The rules of a VPC in nftables' terms: one table of the router, written whole.
//!
//! A packet that is forwarded passes these chains in order, and each must let it through: `sources` (whoever is at a cable uses the cable's
//! address), `walls` (network ACLs, of each packet anew), `leaving` and `arriving` (groups of the sender and of the receiver, of what begins a
//! connection; the rest follows). `accept` ends a chain and not the way, so that both sides have their say. Nothing is for the router itself.

use std::collections::BTreeMap;

use topology::id::NetworkInterfaceId;
use topology::net::{Direction, PortRange, Traffic};
use topology::ruleset::{Area, Gate, Ruleset, Span, Wall, icmp};

use crate::cable::CableNumber;
use crate::nft::{Element, Fate, Field, Hook, Kind, Step, Transaction, follows_what_was_let_through};

/// The table; each router has its own.
const TABLE: &str = "tidegate";

const IPV4: u8 = 2;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// A connection that begins, in the bits of a state.
const NEW: u32 = 8;

/// The cable of each interface.
pub type Cables = BTreeMap<NetworkInterfaceId, CableNumber>;

/// The table that carries these rules out. Interfaces without a cable reach nobody.
pub(crate) fn table(ruleset: &Ruleset, cables: &Cables) -> Transaction {
    let mut table = Table { written: Transaction::replacing(TABLE), ruleset, cables };
    table.sources();
    for (group, addresses) in &ruleset.members {
        let name = format!("{group}.members");
        table.written.set(&name, Kind::Addresses);
        let elements: Vec<_> = addresses.iter().map(|address| one(address.octets())).collect();
        table.written.elements(&name, &elements);
    }
    ruleset.gates.iter().for_each(|gate| table.gate(gate));
    ruleset.walls.iter().for_each(|wall| table.wall(wall));
    table.walls();
    table.side(Direction::Egress);
    table.side(Direction::Ingress);
    table.written.base_chain("router", (Hook::Input, 0), &Fate::Drop);
    table.written
}

struct Table<'a> {
    written: Transaction,
    ruleset: &'a Ruleset,
    cables: &'a Cables,
}

impl Table<'_> {
    /// Who is at a cable uses the address that the cable has, and IPv4.
    fn sources(&mut self) {
        self.written.set("addresses", Kind::CableAddresses);
        let doors =
            self.ruleset.doors.iter().filter_map(|door| Some((self.cables.get(&door.interface)?, door.address)));
        let elements: Vec<_> = doors.map(|(cable, address)| one([cable.bytes(), address.octets()].concat())).collect();
        self.written.elements("addresses", &elements);
        self.written.base_chain("sources", (Hook::Prerouting, -300), &Fate::Accept);
        let drop = [Step::Count, Step::Then(Fate::Drop)];
        let version = [Step::Read(Field::Version, 0), Step::IsNot(0, vec![IPV4])];
        self.written.rule("sources", &[&version[..], &drop].concat());
        let pair = [Step::Read(Field::CableFrom, 0), Step::Read(Field::AddressFrom, 1)];
        self.written.rule("sources", &[&pair[..], &[Step::NotIn(0, "addresses".to_owned())], &drop].concat());
    }

    /// A chain that accepts what a group lets through, and returns with the rest.
    fn gate(&mut self, gate: &Gate) {
        let chain = chain_of(gate);
        let address = address_of_other(gate.direction);
        let ports: Vec<_> = areas(&gate.tcp, &[TCP]).chain(areas(&gate.udp, &[UDP])).collect();
        let in_ports = [Step::Read(Field::Protocol, 0), Step::Read(Field::PortTo, 1), Step::Read(address, 2)];
        let in_icmp = [
            Step::Read(Field::Protocol, 0),
            Step::Is(0, vec![ICMP]),
            Step::Read(Field::IcmpKind, 0),
            Step::Read(address, 1),
        ];
        let in_protocols = [Step::Read(Field::Protocol, 0), Step::Read(address, 1)];
        let protocols = gate.protocols.iter().map(|area| {
            // Protocols are numbers of one byte, as `topology::ruleset` makes them.
            let key = |number: u16, address: [u8; 4]| [[number.to_be_bytes()[1], 0, 0, 0], address].concat();
            between(key(area.from, area.span.first.octets()), key(area.to, area.span.last.octets()))
        });
        self.written.chain(&chain);
        for (of, kind, elements, steps) in [
            ("ports", Kind::Ports, ports, &in_ports[..]),
            ("icmp", Kind::Icmp, areas(&gate.icmp, &[]).collect(), &in_icmp),
            ("protocols", Kind::Protocols, protocols.collect(), &in_protocols),
        ] {
            if elements.is_empty() {
                continue;
            }
            let set = format!("{chain}.{of}");
            self.written.set(&set, kind);
            self.written.elements(&set, &elements);
            self.written.rule(&chain, &[steps, &[Step::In(0, set), Step::Then(Fate::Accept)]].concat());
        }
        for (traffic, group) in &gate.with {
            let Some(is_such) = is_such(*traffic) else { continue };
            let member = [Step::Read(address, 0), Step::In(0, format!("{group}.members"))];
            self.written.rule(&chain, &[&member[..], &is_such, &[Step::Then(Fate::Accept)]].concat());
        }
    }

    /// Two chains that drop what the ACL of a subnet does not let through, and return with the rest.
    fn wall(&mut self, wall: &Wall) {
        let subnet = wall.subnet;
        let cables = format!("{subnet}.cables");
        self.written.set(&cables, Kind::Cables);
        let elements: Vec<_> = self.cables_in(wall).map(|cable| one(cable.bytes())).collect();
        self.written.elements(&cables, &elements);
        for (direction, open, replies) in [
            (Direction::Egress, &wall.leaves, &wall.replies_come_in),
            (Direction::Ingress, &wall.comes_in, &wall.replies_leave),
        ] {
            let chain = format!("{subnet}.{}", way(direction));
            let (open_set, replies_set) = (format!("{chain}.ports"), format!("{chain}.replies"));
            self.written.set(&open_set, Kind::Ports);
            self.written.elements(&open_set, &areas(open, &[TCP]).collect::<Vec<_>>());
            self.written.set(&replies_set, Kind::Protocols);
            self.written.elements(&replies_set, &replies.iter().map(tcp_with).collect::<Vec<_>>());
            self.written.chain(&chain);
            let address = address_of_other(direction);
            let other = if direction == Direction::Egress { Field::CableTo } else { Field::CableFrom };
            let within = [Step::Read(other, 0), Step::In(0, cables.clone()), Step::Then(Fate::Return)];
            let begins_without_replies = [
                Step::Read(Field::Connection, 0),
                Step::Keep(0, NEW.to_ne_bytes()),
                Step::IsNot(0, vec![0; 4]),
                Step::Read(Field::Protocol, 0),
                Step::Read(address, 1),
                Step::NotIn(0, replies_set),
                Step::Then(Fate::Drop),
            ];
            let is_open = [
                Step::Read(Field::Protocol, 0),
                Step::Read(Field::PortTo, 1),
                Step::Read(address, 2),
                Step::In(0, open_set),
                Step::Then(Fate::Return),
            ];
            for steps in [&within[..], &begins_without_replies, &is_open, &[Step::Then(Fate::Drop)]] {
                self.written.rule(&chain, steps);
            }
        }
    }

    /// Sends what crosses the boundary of a subnet with a wall to that.
    fn walls(&mut self) {
        self.written.base_chain("walls", (Hook::Forward, -10), &Fate::Accept);
        for (direction, field) in [(Direction::Egress, Field::CableFrom), (Direction::Ingress, Field::CableTo)] {
            let map = format!("walls.{}", way(direction));
            self.written.set(&map, Kind::Gates);
            let mut elements = Vec::new();
            for wall in &self.ruleset.walls {
                let fate = Fate::Jump(format!("{}.{}", wall.subnet, way(direction)));
                elements.extend(self.cables_in(wall).map(|cable| leading(cable, fate.clone())));
            }
            self.written.elements(&map, &elements);
            self.written.rule("walls", &[Step::Read(field, 0), Step::AsSays(0, map)]);
        }
    }

    /// Sends what begins a connection to the groups of the interface on this side.
    fn side(&mut self, direction: Direction) {
        let (chain, priority, field) = match direction {
            Direction::Egress => ("leaving", 0, Field::CableFrom),
            Direction::Ingress => ("arriving", 10, Field::CableTo),
        };
        let map = format!("{chain}.gates");
        self.written.set(&map, Kind::Gates);
        let mut elements = Vec::new();
        for door in &self.ruleset.doors {
            let Some(cable) = self.cables.get(&door.interface) else { continue };
            let Some(groups) = &door.groups else {
                elements.push(leading(*cable, Fate::Accept));
                continue;
            };
            let own = format!("{}.{}", door.interface, way(direction));
            self.written.chain(&own);
            let gates = self.ruleset.gates.iter();
            for gate in gates.filter(|gate| gate.direction == direction && groups.contains(&gate.group)) {
                self.written.rule(&own, &[Step::Then(Fate::Jump(chain_of(gate)))]);
            }
            elements.push(leading(*cable, Fate::Jump(own)));
        }
        self.written.elements(&map, &elements);
        self.written.base_chain(chain, (Hook::Forward, priority), &Fate::Drop);
        self.written.rule(chain, &follows_what_was_let_through());
        self.written.rule(chain, &[Step::Read(field, 0), Step::AsSays(0, map)]);
        self.written.rule(chain, &[Step::Count, Step::Then(Fate::Drop)]);
    }

    fn cables_in<'a>(&'a self, wall: &'a Wall) -> impl Iterator<Item = CableNumber> + 'a {
        let doors = self.ruleset.doors.iter().filter(|door| door.subnet == wall.subnet);
        doors.filter_map(|door| self.cables.get(&door.interface)).copied()
    }
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
