//! What passes a router and what it refuses, as the kernel tells: connections as it tracks them, with packets and bytes of both ways
//! (`include/uapi/linux/netfilter/nfnetlink_conntrack.h`), and packets that rules drop (`nfnetlink_log.h`).
//!
//! Nothing is remembered of a connection here: the kernel counts, each look takes what was counted since the last one, and what ends is told
//! when it does. What waits to be heard is bounded by the buffer of a socket; what finds no room there is lost, and that it was is told.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use rustix::io::Errno;

use crate::failure::{Failure, Wanted};
use crate::message::{LIST, Message, attribute};
use crate::namespace::{Inside, Namespace};
use crate::netlink::Netlink;
use crate::tracked::{ADDRESS_FROM, ADDRESS_TO, ADDRESSES, FIRST, GET_AND_RESET, HEADER, is_of_tracking, message};

/// Where dropped packets are told of; each router has its own.
pub(crate) const LOG_GROUP: u16 = 7;
const LOG: u16 = 4;
const LOG_PACKET: u16 = 0;
const LOG_CONFIGURE: u16 = 1;
const LOG_COMMAND: u16 = 1;
const LOG_MODE: u16 = 2;
const LOG_AT_ONCE: u16 = 5;
/// `NFULNL_CFG_CMD_BIND`, and the headers of each packet are wanted.
const BIND: u8 = 1;
const HEADERS_MAX: u32 = 128;
const COPY_PACKET: u8 = 2;
const PACKET: u16 = 9;
const PREFIX: u16 = 10;

/// The bit of the group that ended connections are told to (`NFNLGRP_CONNTRACK_DESTROY`).
const ENDED: u32 = 1 << 2;
const PROTOCOL: u16 = 2;
const NUMBER_OF_PROTOCOL: u16 = 1;
const PORT_FROM: u16 = 2;
const PORT_TO: u16 = 3;
const STATE: u16 = 4;
const STATE_OF_TCP: u16 = 1;
const STATE_NUMBER: u16 = 1;
const COUNTED: u16 = 9;
const COUNTED_OF_REPLIES: u16 = 10;
const TIMES: u16 = 20;

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Where what there is of TCP and UDP has its ports, and TCP its flags.
const PORTS_BYTES: usize = 4;
const FLAGS_AT: usize = 13;

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Packets; what the network card would cut into many is one.
    pub packets: u64,
    /// Bytes, with the headers of IP.
    pub bytes: u64,
}

/// Who sends what to whom; ports of protocols without any are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The number of the protocol.
    pub protocol: u8,
    /// Who began.
    pub from: SocketAddrV4,
    /// With whom.
    pub to: SocketAddrV4,
}

/// How far a connection of TCP is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is open, or about to be; what is not TCP is always.
    Open,
    /// Both ends have ended it.
    Ended,
    /// It was cut.
    Cut,
}

/// What was carried since it was looked at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// Between whom.
    pub way: Way,
    /// By who began.
    pub sent: Count,
    /// By the other end.
    pub replied: Count,
    /// How far it is.
    pub stage: Stage,
    /// Whether it began since.
    pub is_fresh: bool,
}

/// Where a packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barrier {
    /// Where it leaves its sender.
    Leaving,
    /// Where it comes to its receiver.
    Arriving,
    /// The reply to it would be, where that leaves the receiver.
    Replying,
    /// And where that comes back.
    Returning,
}

impl Barrier {
    const ALL: [Self; 4] = [Self::Leaving, Self::Arriving, Self::Replying, Self::Returning];

    /// The word that a rule tells of it by.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Leaving => "leaving",
            Self::Arriving => "arriving",
            Self::Replying => "replying",
            Self::Returning => "returning",
        }
    }
}

/// A packet that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Between whom.
    pub way: Way,
    /// Its bytes, with the header of IP.
    pub bytes: u64,
    /// Flags of TCP; none elsewhere.
    pub flags: u8,
    /// Where.
    pub at: Barrier,
}

/// What a router tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Something passed.
    Carried(Carried),
    /// Something did not.
    Refused(Refused),
    /// Some of what there was to tell was lost.
    Lost,
}

/// A router that is listened to.
#[derive(Debug)]
pub struct Flows {
    inside: Inside,
    router: Namespace,
    told: Netlink,
    /// By which it is asked; after a failure there may be more to be heard from it, so that another is opened.
    asked: Option<Netlink>,
    /// When it was asked last, since 1970. Connections from before the first time are of no known beginning.
    looked: Duration,
}

impl Flows {
    /// Begins to listen. Connections that are open already are told of by their later packets, if at all.
    pub(crate) fn listen(inside: &Inside, router: &Namespace) -> Result<Self, Failure> {
        let told = inside.run(router, || {
            for what in ["nf_conntrack_acct", "nf_conntrack_timestamp"] {
                std::fs::write(format!("/proc/sys/net/netfilter/{what}"), "1").wanted("count what passes a router")?;
            }
            let mut told = Netlink::listening(ENDED)?;
            told.carry_out(bind(), "hear of packets that are dropped")?;
            told.carry_out(configured(LOG_MODE, &mode()), "hear of packets that are dropped")?;
            told.carry_out(configured(LOG_AT_ONCE, &1_u32.to_be_bytes()), "hear of packets that are dropped")?;
            Ok(told)
        })??;
        Ok(Self { inside: inside.clone(), router: router.clone(), told, asked: None, looked: Duration::ZERO })
    }

    /// Tells of what was refused and what ended since it was heard last. It waits for nothing.
    ///
    /// # Errors
    /// What the kernel answers; what was heard until then was told.
    pub fn hear(&mut self, tell: &mut dyn FnMut(Told)) -> Result<(), Failure> {
        let since = self.looked;
        loop {
            let heard = self.told.hear_all(|kind, body| {
                if is_of_tracking(kind) {
                    carried(body, since).into_iter().for_each(|carried| tell(Told::Carried(carried)));
                } else if kind == ((LOG << 8) | LOG_PACKET) {
                    refused(body).into_iter().for_each(|refused| tell(Told::Refused(refused)));
                }
            });
            match heard {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(Errno::NOBUFS) => tell(Told::Lost),
                Err(errno) => return Err(Failure::to("hear of connections", errno)),
            }
        }
    }

    /// Tells of everything that was carried since it was told last, in connections that are open too. It is now so long since 1970.
    ///
    /// # Errors
    /// What the kernel answers: what was carried until then is told of with the next look.
    pub fn look(&mut self, now: Duration, tell: &mut dyn FnMut(Told)) -> Result<(), Failure> {
        self.hear(tell)?;
        let since = self.looked;
        let asked = self.asked.take();
        // The kernel asks for the privilege where it is asked, and not where the answer is read.
        let mut asked = self.inside.run(&self.router, move || {
            let mut asked = asked.map_or_else(Netlink::netfilter, Ok)?;
            asked.begin_list(message(GET_AND_RESET, LIST), "count connections")?;
            Ok(asked)
        })??;
        asked.hear_list("count connections", |connection| {
            carried(connection, since).into_iter().for_each(|carried| tell(Told::Carried(carried)));
        })?;
        self.asked = Some(asked);
        self.looked = now;
        Ok(())
    }
}

/// A request about the group of this router.
fn configured(kind: u16, value: &[u8]) -> Message {
    let [high, low] = LOG_GROUP.to_be_bytes();
    let mut message = Message::new((LOG << 8) | LOG_CONFIGURE, 0).fixed(&[0, 0, high, low]);
    message.put(kind, value);
    message
}

fn bind() -> Message {
    configured(LOG_COMMAND, &[BIND])
}

/// `nfulnl_msg_config_mode`: how much of a packet, and that some of it is wanted.
fn mode() -> Vec<u8> {
    [&HEADERS_MAX.to_be_bytes()[..], &[COPY_PACKET, 0]].concat()
}

/// What is said of a tracked connection; `None` where nothing was carried, or it is none of IPv4.
fn carried(body: &[u8], since: Duration) -> Option<Carried> {
    let said = body.get(HEADER.len()..)?;
    let of = |kind| attribute(said, kind);
    let (sent, replied) = (count(of(COUNTED)), count(of(COUNTED_OF_REPLIES)));
    if sent.packets == 0 && replied.packets == 0 {
        return None;
    }
    let first = of(FIRST);
    let (addresses, protocol) = (attribute(first, ADDRESSES), attribute(first, PROTOCOL));
    let address = |kind| attribute(addresses, kind).first_chunk().map(|octets| Ipv4Addr::from(*octets));
    let port = |kind| attribute(protocol, kind).first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
    let way = Way {
        protocol: *attribute(protocol, NUMBER_OF_PROTOCOL).first()?,
        from: SocketAddrV4::new(address(ADDRESS_FROM)?, port(PORT_FROM)),
        to: SocketAddrV4::new(address(ADDRESS_TO)?, port(PORT_TO)),
    };
    let stage = match attribute(attribute(of(STATE), STATE_OF_TCP), STATE_NUMBER).first() {
        // `TCP_CONNTRACK_LAST_ACK`, `TIME_WAIT` and `CLOSE`.
        Some(6 | 7) => Stage::Ended,
        Some(8) => Stage::Cut,
        _ => Stage::Open,
    };
    let began = attribute(of(TIMES), 1).first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let is_fresh = began.is_some_and(|began| Duration::from_nanos(began) >= since);
    Some(Carried { way, sent, replied, stage, is_fresh })
}

fn count(said: &[u8]) -> Count {
    let of = |kind| attribute(said, kind).first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    Count { packets: of(1), bytes: of(2) }
}

/// What is said of a dropped packet; `None` where no rule of ours says it, or it is none of IPv4.
fn refused(body: &[u8]) -> Option<Refused> {
    let said = body.get(HEADER.len()..)?;
    let word = attribute(said, PREFIX).strip_suffix(&[0])?;
    let at = Barrier::ALL.into_iter().find(|barrier| barrier.word().as_bytes() == word)?;
    let packet = attribute(said, PACKET);
    let (header, _) = packet.split_first_chunk::<20>()?;
    if header[0] >> 4 != 4 {
        return None;
    }
    let within = packet.get(usize::from(header[0] & 0xf) * 4..).unwrap_or_default();
    let protocol = header[9];
    let port = |at: usize| within.get(at..at + 2).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    let (from, to) = if matches!(protocol, TCP | UDP) { (port(0), port(PORTS_BYTES / 2)) } else { (0, 0) };
    let address = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
    let flags = if protocol == TCP { within.get(FLAGS_AT).copied().unwrap_or_default() } else { 0 };
    Some(Refused {
        way: Way { protocol, from: SocketAddrV4::new(address(12), from), to: SocketAddrV4::new(address(16), to) },
        bytes: u64::from(u16::from_be_bytes([header[2], header[3]])),
        flags,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::HEADER_BYTES;

    const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

    fn way() -> Way {
        Way { protocol: TCP, from: SocketAddrV4::new(CLIENT, 12345), to: SocketAddrV4::new(SERVER, 80) }
    }

    fn body(message: Message) -> Vec<u8> {
        message.numbered(1, 0).split_off(HEADER_BYTES)
    }

    fn packet(protocol: u8, within: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 60, 0, 0, 0, 0, 64, protocol, 0, 0];
        packet.extend(CLIENT.octets());
        packet.extend(SERVER.octets());
        packet.extend(within);
        packet
    }

    #[test]
    fn a_dropped_packet_is_read_as_far_as_it_goes() {
        let said = |word: &str, packet: &[u8]| {
            let mut message = Message::new(0, 0).fixed(&HEADER);
            message.put(PACKET, packet);
            message.text(PREFIX, word);
            body(message)
        };
        let opening = [[0x30, 0x39, 0, 80].as_slice(), &[0; 9], &[2], &[0; 6]].concat();
        let read = refused(&said("arriving", &packet(TCP, &opening))).unwrap();
        let way = way();
        assert_eq!(read, Refused { way, bytes: 60, flags: 2, at: Barrier::Arriving });
        let ping = refused(&said("leaving", &packet(1, &[8, 0, 0, 0]))).unwrap();
        assert_eq!((ping.way.from.port(), ping.way.to.port(), ping.flags), (0, 0, 0), "ICMP has no ports");
        let cut = refused(&said("leaving", &packet(TCP, &[]))).unwrap();
        assert_eq!((cut.way.to, cut.flags), (SocketAddrV4::new(SERVER, 0), 0));
        assert_eq!(refused(&said("of others", &packet(TCP, &opening))), None);
        assert_eq!(refused(&said("leaving", &packet(TCP, &opening)[..19])), None);
        assert_eq!(refused(&said("leaving", &[&[0x60][..], &[0; 39]].concat())), None, "it is IPv6");
        assert_eq!(refused(&[0; 2]), None);
    }

    #[test]
    fn a_connection_is_told_by_what_was_counted_since() {
        let now = Duration::from_secs(1_000_000_000);
        let said = |packets: u64, state: u8| {
            let mut message = message(GET_AND_RESET, 0);
            message.nest(FIRST, |first| {
                first.nest(ADDRESSES, |addresses| {
                    addresses.put(ADDRESS_FROM, &CLIENT.octets());
                    addresses.put(ADDRESS_TO, &SERVER.octets());
                });
                first.nest(PROTOCOL, |protocol| {
                    protocol.put(NUMBER_OF_PROTOCOL, &[TCP]);
                    protocol.put(PORT_FROM, &12345_u16.to_be_bytes());
                    protocol.put(PORT_TO, &80_u16.to_be_bytes());
                });
            });
            for (kind, packets) in [(COUNTED, packets), (COUNTED_OF_REPLIES, packets / 2)] {
                message.nest(kind, |count| {
                    count.put(1, &packets.to_be_bytes());
                    count.put(2, &(packets * 60).to_be_bytes());
                });
            }
            message.nest(STATE, |of| of.nest(STATE_OF_TCP, |tcp| tcp.put(STATE_NUMBER, &[state])));
            message.nest(TIMES, |times| times.put(1, &1_000_000_000_000_000_000_u64.to_be_bytes()));
            body(message)
        };
        let (before, after) = (now - Duration::from_secs(1), now + Duration::from_secs(1));
        let open = carried(&said(4, 3), before).unwrap();
        let way = way();
        let (sent, replied) = (Count { packets: 4, bytes: 240 }, Count { packets: 2, bytes: 120 });
        assert_eq!(open, Carried { way, sent, replied, stage: Stage::Open, is_fresh: true });
        assert!(!carried(&said(4, 3), after).unwrap().is_fresh);
        assert_eq!(carried(&said(4, 7), after).unwrap().stage, Stage::Ended);
        assert_eq!(carried(&said(4, 8), after).unwrap().stage, Stage::Cut);
        assert_eq!(carried(&said(0, 3), before), None, "nothing was carried");
        assert_eq!(carried(&said(4, 3)[..30], before), None, "it is cut");
    }
}
