//! Cables with their addresses and routes, after the kernel's `rtnetlink`.
//!
//! An interface of a private network is a virtual cable: one end, [`INNER`], in the interface's own namespace, the other in the
//! router of its VPC. Both have the same hardware address and resolve none, so that the private network has no broadcast and nobody can claim
//! another's address by ARP.

use std::net::Ipv4Addr;

use rustix::io::Errno;
use topology::net::Ipv4Net;

use crate::failure::Failure;
use crate::message::{CREATE, EXCLUSIVE, Message, attribute};
use crate::namespace::Namespace;
use crate::netlink::Netlink;

/// The name of an interface in its own namespace.
pub const INNER: &str = "eth0";
/// Its number there. The first ones are left to what the kernel puts into each namespace by itself.
const INNER_NUMBER: u32 = 1000;
/// The loopback's number in every namespace.
const LOOPBACK_NUMBER: u32 = 1;

const NEW_LINK: u16 = 16;
const REMOVE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
const REMOVE_ROUTE: u16 = 25;
const IPV4: u8 = 2;
/// `IFF_UP` and `IFF_NOARP`.
const UP: u32 = 0x1;
const NO_ARP: u32 = 0x80;

const LINK_ADDRESS: u16 = 1;
const LINK_NAME: u16 = 3;
const LINK_STATE: u16 = 16;
const LINK_INFO: u16 = 18;
const LINK_NAMESPACE: u16 = 28;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_PEER: u16 = 1;
const ADDRESS_LOCAL: u16 = 2;
const ROUTE_TO: u16 = 1;
const ROUTE_LINK: u16 = 4;
const ROUTE_GATEWAY: u16 = 5;
const ROUTE_PRIORITY: u16 = 6;
const ROUTE_SOURCE: u16 = 7;
/// The metric of routes that stand behind every other of the same block.
const LAST: u32 = 1024;

/// `IF_OPER_UP`.
const IN_OPERATION: u8 = 6;
/// Bytes of the header of a message about a link.
const LINK_HEADER_BYTES: usize = 16;

/// Of the routing message: table, protocol, scopes, kinds and the flag that the gateway is taken to be on the link.
const TABLE_MAIN: u8 = 254;
const BY_ADMINISTRATOR: u8 = 4;
const SCOPE_EVERYWHERE: u8 = 0;
const SCOPE_LINK: u8 = 253;
const TO_SOMEBODY: u8 = 1;
const TO_NOBODY: u8 = 6;
const UNREACHABLE: u8 = 7;
const ON_LINK: u32 = 4;

/// The end of an interface in its router, by its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CableNumber(u32);

impl CableNumber {
    /// How many a router may have.
    pub const COUNT: usize = 1_000_000;

    /// The cable of the interface that was the n-th in its router, from 0; `None` beyond a million.
    #[must_use]
    pub fn nth(n: usize) -> Option<Self> {
        u32::try_from(n).ok().filter(|_| n < Self::COUNT).map(|n| Self(INNER_NUMBER + n))
    }

    /// That of an interface in its own namespace.
    pub(crate) const INNER: Self = Self(INNER_NUMBER);

    /// As netlink spells it.
    pub(crate) const fn bytes(self) -> [u8; 4] {
        self.0.to_ne_bytes()
    }

    fn name(self) -> String {
        format!("e{}", self.0)
    }

    /// A locally administered hardware address.
    const fn hardware_address(self) -> [u8; 6] {
        let [a, b, c, d] = self.0.to_be_bytes();
        [0x02, 0, a, b, c, d]
    }
}

/// The other end of a cable.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Far {
    /// An interface, in its own namespace.
    Interface,
    /// Another router, which has it by this number.
    Router(CableNumber),
}

/// Makes a cable: one end here in the router, up, the other in that namespace.
pub(crate) fn pair(netlink: &mut Netlink, cable: CableNumber, (far, other): (Far, &Namespace)) -> Result<(), Failure> {
    let (number, name) = match far {
        Far::Interface => (INNER_NUMBER, INNER.to_owned()),
        Far::Router(number) => (number.0, number.name()),
    };
    let mut message = Message::new(NEW_LINK, CREATE | EXCLUSIVE).fixed(&header(cable.0, UP | NO_ARP));
    message.text(LINK_NAME, &cable.name());
    message.put(LINK_ADDRESS, &cable.hardware_address());
    message.nest(LINK_INFO, |info| {
        info.text(INFO_KIND, "veth");
        info.nest(INFO_DATA, |data| {
            data.nest(VETH_PEER, |peer| {
                // Up it can only be set once both are there.
                peer.plain(&header(number, NO_ARP));
                peer.text(LINK_NAME, &name);
                peer.put(LINK_ADDRESS, &cable.hardware_address());
                peer.put(LINK_NAMESPACE, &other.number().to_ne_bytes());
            });
        });
    });
    netlink.carry_out(message, "make a virtual cable")
}

/// Whether packets pass the end of a cable in the router. The kernel sees to it a moment after both ends are up, and loses what comes before.
pub(crate) fn is_in_operation(netlink: &mut Netlink, cable: CableNumber) -> Result<bool, Failure> {
    let said = netlink.ask(Message::new(GET_LINK, 0).fixed(&header(cable.0, 0)), "look at a virtual cable")?;
    Ok(attribute(said.get(LINK_HEADER_BYTES..).unwrap_or_default(), LINK_STATE).first() == Some(&IN_OPERATION))
}

/// Takes a cable away, from the router: its other end goes too, with the addresses and routes of both. It may be gone already, where a
/// namespace at its other end was the last that a program or a network had.
pub(crate) fn cut(netlink: &mut Netlink, cable: CableNumber) -> Result<(), Failure> {
    let message = Message::new(REMOVE_LINK, 0).fixed(&header(cable.0, 0));
    netlink.carry_out(message, "take a virtual cable away").or_else(|failure| failure.unless(Errno::NODEV))
}

/// The header of a message about a link, with flags that are to be set.
fn header(number: u32, flags: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[4..8].copy_from_slice(&number.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..].copy_from_slice(&flags.to_ne_bytes());
    bytes
}

/// Sets an interface and the loopback up, in the interface's own namespace.
pub(crate) fn up(netlink: &mut Netlink) -> Result<(), Failure> {
    for number in [LOOPBACK_NUMBER, INNER_NUMBER] {
        netlink.carry_out(Message::new(NEW_LINK, 0).fixed(&header(number, UP)), "set a link up")?;
    }
    Ok(())
}

/// Sets the end of a cable up, in a router.
pub(crate) fn up_at(netlink: &mut Netlink, cable: CableNumber) -> Result<(), Failure> {
    netlink.carry_out(Message::new(NEW_LINK, 0).fixed(&header(cable.0, UP)), "set a link up")
}

/// Sets the end of a cable up that another router made, and leads blocks to it.
pub(crate) fn cross(netlink: &mut Netlink, cable: CableNumber, blocks: &[Ipv4Net]) -> Result<(), Failure> {
    up_at(netlink, cable)?;
    blocks.iter().try_for_each(|block| lead(netlink, *block, Leads::By(cable)))
}

/// Gives the router an address of its own, at which it can be asked.
pub(crate) fn stand_at(netlink: &mut Netlink, address: Ipv4Addr) -> Result<(), Failure> {
    netlink.carry_out(Message::new(NEW_LINK, 0).fixed(&header(LOOPBACK_NUMBER, UP)), "set a link up")?;
    own(netlink, LOOPBACK_NUMBER, address)
}

/// Gives the inner end of a cable an address.
pub(crate) fn stand_by(netlink: &mut Netlink, address: Ipv4Addr) -> Result<(), Failure> {
    own(netlink, INNER_NUMBER, address)
}

/// Gives an interface, in its own namespace, its address, and leads these blocks to its gateway.
pub(crate) fn furnish(
    netlink: &mut Netlink,
    address: Ipv4Addr,
    gateway: Ipv4Addr,
    blocks: &[Ipv4Net],
) -> Result<(), Failure> {
    own(netlink, INNER_NUMBER, address)?;
    blocks.iter().try_for_each(|block| lead(netlink, *block, Leads::Out { address, gateway }))
}

/// What becomes of what is sent to a block.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Leads {
    /// In the namespace of an interface: it goes out, to the gateway, from this address.
    Out {
        /// The interface's.
        address: Ipv4Addr,
        /// Its router's.
        gateway: Ipv4Addr,
    },
    /// Who sends it is told that it cannot be reached.
    Nowhere,
    /// It is swallowed, and nobody is told.
    Swallowed,
    /// It goes out by this cable, whoever is at its other end; in a namespace where it ends, by [`CableNumber::INNER`].
    By(CableNumber),
}

impl Leads {
    const fn kind(self) -> u8 {
        match self {
            Self::Out { .. } | Self::By(_) => TO_SOMEBODY,
            Self::Nowhere => UNREACHABLE,
            Self::Swallowed => TO_NOBODY,
        }
    }
}

/// Adds the route of a block, in the namespace that the socket is of. One that is there already is one.
pub(crate) fn lead(netlink: &mut Netlink, block: Ipv4Net, leads: Leads) -> Result<(), Failure> {
    lead_at(netlink, block, (leads, 0))
}

/// The same of a route that stands behind every other of the same block, whichever came first.
pub(crate) fn lead_last(netlink: &mut Netlink, block: Ipv4Net, leads: Leads) -> Result<(), Failure> {
    lead_at(netlink, block, (leads, LAST))
}

fn lead_at(netlink: &mut Netlink, block: Ipv4Net, (leads, metric): (Leads, u32)) -> Result<(), Failure> {
    let flags = if let Leads::Out { .. } = leads { ON_LINK } else { 0 };
    let scope = if let Leads::By(_) = leads { SCOPE_LINK } else { SCOPE_EVERYWHERE };
    let mut message = route(NEW_ROUTE, block, (scope, leads.kind()), flags);
    if let Leads::By(cable) = leads {
        message.put(ROUTE_LINK, &cable.bytes());
    }
    if let Leads::Out { address, gateway } = leads {
        message.put(ROUTE_LINK, &INNER_NUMBER.to_ne_bytes());
        message.put(ROUTE_GATEWAY, &gateway.octets());
        message.put(ROUTE_SOURCE, &address.octets());
    }
    if metric > 0 {
        message.put(ROUTE_PRIORITY, &metric.to_ne_bytes());
    }
    netlink.carry_out(message, "add a route").or_else(|failure| failure.unless(Errno::EXIST))
}

/// Takes a route away that stands behind every other. One that is gone already is gone.
pub(crate) fn lead_last_no_more(netlink: &mut Netlink, block: Ipv4Net, leads: Leads) -> Result<(), Failure> {
    let mut message = route(REMOVE_ROUTE, block, (SCOPE_EVERYWHERE, leads.kind()), 0);
    message.put(ROUTE_PRIORITY, &LAST.to_ne_bytes());
    netlink.carry_out(message, "take a route away").or_else(|failure| failure.unless(Errno::SRCH))
}

/// Takes it away. One that is gone already is gone.
pub(crate) fn lead_no_more(netlink: &mut Netlink, block: Ipv4Net, leads: Leads) -> Result<(), Failure> {
    let message = route(REMOVE_ROUTE, block, (SCOPE_EVERYWHERE, leads.kind()), 0);
    netlink.carry_out(message, "take a route away").or_else(|failure| failure.unless(Errno::SRCH))
}

/// Makes the router the gateway of an interface, and leads the interface's address to its cable.
pub(crate) fn lead_to(
    netlink: &mut Netlink,
    cable: CableNumber,
    address: Ipv4Addr,
    gateway: Ipv4Addr,
) -> Result<(), Failure> {
    own(netlink, cable.0, gateway)?;
    let mut message = route(NEW_ROUTE, Ipv4Net::from(address), (SCOPE_LINK, TO_SOMEBODY), 0);
    message.put(ROUTE_LINK, &cable.bytes());
    netlink.carry_out(message, "add a route of a router")
}

fn own(netlink: &mut Netlink, number: u32, address: Ipv4Addr) -> Result<(), Failure> {
    let mut message = Message::new(NEW_ADDRESS, CREATE | EXCLUSIVE).fixed(&[IPV4, 32, 0, SCOPE_EVERYWHERE]);
    message.plain(&number.to_ne_bytes());
    message.put(ADDRESS_LOCAL, &address.octets());
    netlink.carry_out(message, "add an address")
}

/// A message that adds a route or takes one away.
fn route(what: u16, to: Ipv4Net, (scope, kind): (u8, u8), flags: u32) -> Message {
    let header = [IPV4, to.prefix_len(), 0, 0, TABLE_MAIN, BY_ADMINISTRATOR, scope, kind];
    let how = if what == NEW_ROUTE { CREATE | EXCLUSIVE } else { 0 };
    let mut message = Message::new(what, how).fixed(&header);
    message.plain(&flags.to_ne_bytes());
    if to.prefix_len() > 0 {
        message.put(ROUTE_TO, &to.network().octets());
    }
    message
}
