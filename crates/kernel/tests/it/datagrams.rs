//! Datagrams of UDP and messages of ICMP between interfaces, and which of them rules let through, read rule by rule: the verdict speaks of TCP alone.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto, socket_with};
use topology::net::{Direction, PortRange, Traffic};
use topology::snapshot::fabric::{Fabric, Interface, InterfaceIndex, Peer};
use topology::verdict::{Flow, Verdict, verdict};

use crate::world::Vpcs;

/// Types of ICMP that begin something: what asks for an echo, and for a timestamp (RFC 792).
pub(crate) const ASKING: [u8; 2] = [8, 13];
/// The port that the first of an interface's datagrams come from. After each change of rules they come from the next, so that none is of a connection that was
/// let through before.
const FIRST_PORT: u16 = 20_000;
/// Bytes of the header of IPv4 that has no options.
const HEADER_BYTES: usize = 20;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent {
    /// A datagram to a port.
    Udp(u16),
    /// A message of a type and a code.
    Icmp(u8, u8),
}

/// The sockets of all interfaces.
pub(crate) struct Datagrams {
    places: Vec<Place>,
    /// What was sent is numbered.
    next: u16,
}

struct Place {
    address: Ipv4Addr,
    sends: UdpSocket,
    receives: Vec<UdpSocket>,
    /// Sees every message of ICMP that arrives.
    messages: OwnedFd,
}

impl Datagrams {
    /// Sockets at these ports of each of the first interfaces.
    pub(crate) fn open(vpcs: &Vpcs, fabric: &Fabric, (interfaces, ports): (usize, &[u16])) -> Self {
        let places = (0..interfaces).map(|nth| {
            let address = fabric.interfaces[nth].private_ip;
            let messages = || {
                let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
                socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(ipproto::ICMP)).unwrap()
            };
            let messages = vpcs.inside.run(&vpcs.namespaces[nth], messages).unwrap();
            let receives = ports.iter().map(|port| bound(vpcs, nth, (address, *port))).collect();
            Place { address, sends: bound(vpcs, nth, (address, FIRST_PORT)), receives, messages }
        });
        Self { places: places.collect(), next: 0 }
    }

    /// After a change of rules.
    pub(crate) fn begin_anew(&mut self, vpcs: &Vpcs, change: u16) {
        for (nth, place) in self.places.iter_mut().enumerate() {
            place.sends = bound(vpcs, nth, (place.address, FIRST_PORT + change));
        }
    }

    /// Sends something, and numbers it. Where no route leads, nothing is sent.
    pub(crate) fn send(&mut self, (from, to): (usize, usize), sent: Sent) -> u16 {
        self.next += 1;
        let (number, address) = (self.next.to_be_bytes(), self.places[to].address);
        let errno = match sent {
            Sent::Udp(port) => {
                let done = self.places[from].sends.send_to(&number, (address, port));
                done.err().and_then(|error| Errno::from_io_error(&error))
            }
            Sent::Icmp(kind, code) => {
                let message = [kind, code, 0, 0, number[0], number[1], 0, 0];
                let to = SocketAddr::V4(SocketAddrV4::new(address, 0));
                sendto(&self.places[from].messages, &checked(message), SendFlags::empty(), &to).err()
            }
        };
        assert!(errno.is_none_or(|errno| [Errno::NETUNREACH, Errno::HOSTUNREACH].contains(&errno)), "{errno:?}");
        self.next
    }

    /// The numbers of what arrived since.
    pub(crate) fn arrived(&self) -> BTreeSet<u16> {
        let mut numbers = BTreeSet::new();
        let mut read = [0; 64];
        for place in &self.places {
            for socket in &place.receives {
                loop {
                    match socket.recv(&mut read) {
                        Ok(_) => numbers.insert(u16::from_be_bytes([read[0], read[1]])),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => panic!("{error}"),
                    };
                }
            }
            loop {
                match recv(&place.messages, &mut read, RecvFlags::empty()) {
                    Ok(_) if ASKING.contains(&read[HEADER_BYTES]) => {
                        numbers.insert(u16::from_be_bytes([read[HEADER_BYTES + 4], read[HEADER_BYTES + 5]]));
                    }
                    // The kernel of the receiver answered.
                    Ok(_) => {}
                    Err(Errno::AGAIN) => break,
                    Err(errno) => panic!("{errno}"),
                }
            }
        }
        numbers
    }
}

fn bound(vpcs: &Vpcs, nth: usize, address: (Ipv4Addr, u16)) -> UdpSocket {
    let socket = vpcs.inside.run(&vpcs.namespaces[nth], move || UdpSocket::bind(address)).unwrap().unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// With its checksum (RFC 1071).
fn checked(mut message: [u8; 8]) -> [u8; 8] {
    let sum: u32 = message.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
    [message[2], message[3]] = (!folded).to_be_bytes();
    message
}

/// Whether rules and routes let something through.
pub(crate) fn lets_through(fabric: &Fabric, flow: Flow, sent: Sent) -> bool {
    // Of routes the one there counts alone, and whatever the port.
    let is_led = !matches!(verdict(fabric, flow), Verdict::Unrouted(denial) if !denial.of_replies);
    let [from, to] = [flow.from, flow.to].map(|end| end.interface(fabric).unwrap());
    let groups = [(from, Direction::Egress, to), (to, Direction::Ingress, from)];
    let of_groups = groups.into_iter().all(|(own, direction, other)| groups_let(fabric, (own, direction), other, sent));
    let crosses = from.subnet != to.subnet;
    let of_acls = groups.into_iter().all(|side| !crosses || acl_lets(fabric, side, sent));
    is_led && of_groups && of_acls
}

fn groups_let(fabric: &Fabric, (own, direction): (&Interface, Direction), other: &Interface, sent: Sent) -> bool {
    let address = IpAddr::from(other.private_ip);
    let is_meant = |peer: &Peer| match peer {
        Peer::Cidr(block) => block.contains(&address),
        Peer::Prefixes(blocks) => blocks.iter().any(|block| block.contains(&address)),
        Peer::Group(group) => other.groups.contains(group),
    };
    let mut rules = own.groups.iter().filter_map(|id| fabric.groups.get(id)).flat_map(|group| group.rules(direction));
    !own.is_judged || rules.any(|rule| covers(rule.traffic, sent) && is_meant(&rule.peer))
}

fn covers(traffic: Traffic, sent: Sent) -> bool {
    match (traffic, sent) {
        (Traffic::All, _) | (Traffic::Other(17), Sent::Udp(_)) | (Traffic::Other(1), Sent::Icmp(..)) => true,
        (Traffic::Udp(ports), Sent::Udp(port)) => ports.contains(port),
        (Traffic::Icmp { kind, code }, Sent::Icmp(sent, with)) => {
            kind == -1 || (kind == i16::from(sent) && (code == -1 || code == i16::from(with)))
        }
        _ => false,
    }
}

fn acl_lets(fabric: &Fabric, (own, direction, other): (&Interface, Direction, &Interface), sent: Sent) -> bool {
    let Some(acl) = fabric.acls.get(&own.subnet) else { return true };
    let (rules, number) = match sent {
        Sent::Udp(port) => (&acl.beside(direction).udp, port),
        Sent::Icmp(kind, code) => (&acl.beside(direction).icmp, u16::from_be_bytes([kind, code])),
    };
    let address = IpAddr::from(other.private_ip);
    let deciding = rules.iter().find(|rule| rule.block.contains(&address) && rule.ports.contains(number));
    deciding.is_some_and(|rule| rule.allows)
}

/// The numbers of ICMP's types and codes that a rule of an ACL is about.
pub(crate) fn kinds(traffic: Traffic) -> PortRange {
    let (first, last) = topology::ruleset::icmp(traffic).unwrap();
    PortRange::new(first, last).unwrap()
}

/// An interface as an end.
pub(crate) fn end(nth: usize) -> topology::verdict::End {
    topology::verdict::End::Interface(InterfaceIndex(u32::try_from(nth).unwrap()))
}
