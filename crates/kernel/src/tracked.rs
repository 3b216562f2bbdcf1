//! The connections that a router tracks, after the kernel's `include/uapi/linux/netfilter/nfnetlink_conntrack.h`. What belongs to one is let through without
//! a look at groups, so that those of addresses that were somebody else's are forgotten.

use std::net::Ipv4Addr;

use rustix::io::Errno;
use topology::net::Ipv4Net;

use crate::failure::Failure;
use crate::message::{LIST, Message, attribute, attributes};
use crate::netlink::Netlink;

const TRACKING: u16 = 1;
const GET: u16 = 1;
const DELETE: u16 = 2;
/// `IPCTNL_MSG_CT_GET_CTRZERO`: what was counted is told, and counted from nothing on.
pub(crate) const GET_AND_RESET: u16 = 3;
/// `AF_INET`, with a version and a number that are nobody's.
pub(crate) const HEADER: [u8; 4] = [2, 0, 0, 0];

/// What a connection is known by: how its first packet went, with the addresses of that; and a number.
pub(crate) const FIRST: u16 = 1;
const NUMBER: u16 = 12;
pub(crate) const ADDRESSES: u16 = 1;
pub(crate) const ADDRESS_FROM: u16 = 1;
pub(crate) const ADDRESS_TO: u16 = 2;

/// Forgets every connection to or from an address of these blocks, in the namespace of the socket. A kernel that cannot be asked forgets none.
pub(crate) fn forget(netlink: &mut Netlink, blocks: &[Ipv4Net]) -> Result<(), Failure> {
    let mut found = Vec::new();
    let is_one = |address: Ipv4Addr| blocks.iter().any(|block| block.contains(&address));
    let listed = netlink.list(message(GET, LIST), "list connections", |connection| {
        let connection = connection.get(HEADER.len()..).unwrap_or_default();
        if ends(connection).any(is_one) {
            found.push(delete(connection));
        }
    });
    // A kernel without `nf_conntrack_netlink` knows no such request.
    listed.or_else(|failure| failure.unless(Errno::INVAL))?;
    // Some have ended by themselves since.
    let gone = |failure: Failure| failure.unless(Errno::NOENT);
    found.into_iter().try_for_each(|delete| netlink.carry_out(delete, "forget a connection").or_else(gone))
}

/// Whether a message of this kind is about a tracked connection.
pub(crate) const fn is_of_tracking(kind: u16) -> bool {
    kind >> 8 == TRACKING
}

/// A request about tracked connections.
pub(crate) fn message(what: u16, flags: u16) -> Message {
    Message::new((TRACKING << 8) | what, flags).fixed(&HEADER)
}

/// What has this connection deleted, and no later one between the same ends.
fn delete(connection: &[u8]) -> Message {
    let mut message = message(DELETE, 0);
    for (kind, value) in attributes(connection) {
        match kind {
            FIRST => message.nest(FIRST, |first| first.plain(value)),
            NUMBER => message.put(NUMBER, value),
            _ => {}
        }
    }
    message
}

/// The addresses of both ends.
fn ends(connection: &[u8]) -> impl Iterator<Item = Ipv4Addr> {
    let addresses = attributes(attribute(attribute(connection, FIRST), ADDRESSES));
    let ends = addresses.filter(|(kind, _)| matches!(*kind, ADDRESS_FROM | ADDRESS_TO));
    ends.filter_map(|(_, value)| Some(Ipv4Addr::from(*value.first_chunk::<4>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::HEADER_BYTES;

    #[test]
    fn a_connection_is_deleted_by_what_is_said_of_it() {
        let (from, to) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 1, 1));
        let mut said = message(0, 0);
        said.nest(FIRST, |first| {
            first.nest(ADDRESSES, |addresses| {
                addresses.put(ADDRESS_FROM, &from.octets());
                addresses.put(ADDRESS_TO, &to.octets());
            });
            first.nest(2, |protocol| protocol.put(1, &[6]));
        });
        said.put(3, &[0; 4]);
        said.put(NUMBER, &[1, 2, 3, 4]);
        let said = said.numbered(1, 0);
        let connection = &said[HEADER_BYTES + HEADER.len()..];
        assert_eq!(ends(connection).collect::<Vec<_>>(), [from, to]);
        let asked = delete(connection).numbered(1, 0);
        let asked: Vec<_> = attributes(&asked[HEADER_BYTES + HEADER.len()..]).collect();
        let known: Vec<_> = attributes(connection).filter(|(kind, _)| *kind != 3).collect();
        assert_eq!((asked.len(), asked), (2, known));
        assert_eq!(ends(&connection[..10]).count(), 0, "what is cut says nothing");
    }
}
