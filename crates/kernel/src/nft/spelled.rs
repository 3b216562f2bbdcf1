//! The expressions that rules are made of, and how the kernel spells them.

use crate::message::Message;

const NFTABLES: u16 = 10;
/// `NFPROTO_INET`: one table for both versions of IP.
const FAMILY: u8 = 1;

/// What follows the header of the messages that bound a transaction: the subsystem, in network order.
pub(super) const HEADER_OF_BATCH: [u8; 4] = [0, 0, 0, NFTABLES as u8];

const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
/// The first of the registers of four bytes.
const REGISTER: u32 = 8;
/// The register that a fate is put into.
const REGISTER_OF_VERDICT: u32 = 0;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;

/// Where packets are caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// As they come in, before they are routed.
    Prerouting,
    /// Those for the router itself.
    Input,
    /// Those that it sends on.
    Forward,
    /// The first of a connection as it comes in, whose receiver may become another.
    Translation,
}

impl Hook {
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Prerouting | Self::Translation => 0,
            Self::Input => 1,
            Self::Forward => 2,
        }
    }

    /// The kind of chain that stands there.
    pub(super) const fn chain(self) -> &'static str {
        match self {
            Self::Prerouting | Self::Input | Self::Forward => "filter",
            Self::Translation => "nat",
        }
    }
}

/// What elements of a set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Addresses.
    Addresses,
    /// Cables.
    Cables,
    /// Cables, each with what becomes of their packets.
    Gates,
    /// Cables with an address each.
    CableAddresses,
    /// Protocols with blocks of addresses.
    Protocols,
    /// Protocols with ports and blocks of addresses.
    Ports,
    /// Types and codes of ICMP with blocks of addresses.
    Icmp,
    /// Cables with ports and blocks of addresses.
    Exits,
}

impl Kind {
    /// The bytes of each field of a key.
    pub(super) const fn fields(self) -> &'static [u32] {
        match self {
            Self::Addresses | Self::Cables | Self::Gates => &[4],
            Self::CableAddresses => &[4, 4],
            Self::Protocols => &[1, 4],
            Self::Ports => &[1, 2, 4],
            Self::Icmp => &[2, 4],
            Self::Exits => &[4, 2, 4],
        }
    }

    pub(super) const fn has_intervals(self) -> bool {
        matches!(self, Self::Protocols | Self::Ports | Self::Icmp | Self::Exits)
    }

    pub(super) const fn is_map(self) -> bool {
        matches!(self, Self::Gates)
    }
}

/// What is read of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// the cable that it came by; four bytes in the machine's order.
    CableFrom,
    /// the cable that it leaves by; the same.
    CableTo,
    /// The version of IP, as `NFPROTO_IPV4` spells it; one byte.
    Version,
    /// The protocol within IP; one byte.
    Protocol,
    /// The sender's address; four bytes.
    AddressFrom,
    /// The receiver's address; four bytes.
    AddressTo,
    /// The receiver's port; two bytes in network order.
    PortTo,
    /// The type of an ICMP message and its code; two bytes in this order.
    IcmpKind,
    /// The state of its connection, a bit each; four bytes in the machine's order.
    Connection,
}

/// One step of a rule. A step that does not hold ends the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Reads a field into the n-th register.
    Read(Field, u32),
    /// The n-th register is this.
    Is(u32, Vec<u8>),
    /// It is not.
    IsNot(u32, Vec<u8>),
    /// It lies within these, both included.
    Within(u32, Vec<u8>, Vec<u8>),
    /// Keeps only these bits of its four bytes.
    Keep(u32, [u8; 4]),
    /// The registers from the n-th on are in this set.
    In(u32, String),
    /// They are not.
    NotIn(u32, String),
    /// Does what this map says of them.
    AsSays(u32, String),
    /// Counts.
    Count,
    /// Puts this into the n-th register.
    Put(u32, Vec<u8>),
    /// Makes the machine itself the receiver, at the port that the n-th register holds.
    RedirectTo(u32),
    /// Tells whoever listens at a group, with a word.
    Tell(u16, &'static str),
    /// Decides.
    Then(Fate),
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// This chain lets it through; those of higher priority have their say.
    Accept,
    /// It is gone.
    Drop,
    /// The chain that jumped here goes on.
    Return,
    /// That chain is asked.
    Jump(String),
}

impl Fate {
    pub(super) const fn code(&self) -> i32 {
        match self {
            Self::Drop => 0,
            Self::Accept => 1,
            Self::Jump(_) => -3,
            Self::Return => -5,
        }
    }
}

/// A message to nftables, with its header.
pub(super) fn header(kind: u16, flags: u16) -> Message {
    Message::new((NFTABLES << 8) | kind, flags).fixed(&[FAMILY, 0, 0, 0])
}

/// A fate where a value is expected.
pub(super) fn spell(data: &mut Message, fate: &Fate) {
    data.nest(DATA_VERDICT, |spelled| {
        spelled.put(VERDICT_CODE, &fate.code().to_be_bytes());
        if let Fate::Jump(chain) = fate {
            spelled.text(VERDICT_CHAIN, chain);
        }
    });
}

/// Writes one step.
pub(super) fn expression(message: &mut Message, step: &Step) {
    match step {
        Step::Read(field, at) => read(message, *field, *at),
        Step::Is(at, value) => compare(message, *at, 0, value),
        Step::IsNot(at, value) => compare(message, *at, 1, value),
        Step::Within(at, from, to) => named(message, "range", |data| {
            data.number(1, REGISTER + at);
            data.number(2, 0);
            data.nest(3, |bound| bound.put(DATA_VALUE, from));
            data.nest(4, |bound| bound.put(DATA_VALUE, to));
        }),
        Step::Keep(at, mask) => named(message, "bitwise", |data| {
            data.number(1, REGISTER + at);
            data.number(2, REGISTER + at);
            data.number(3, 4);
            data.nest(4, |bits| bits.put(DATA_VALUE, mask));
            data.nest(5, |bits| bits.put(DATA_VALUE, &[0; 4]));
        }),
        Step::In(at, set) => look_up(message, *at, set, None),
        Step::NotIn(at, set) => look_up(message, *at, set, Some((5, 1))),
        Step::AsSays(at, map) => look_up(message, *at, map, Some((3, REGISTER_OF_VERDICT))),
        Step::Count => named(message, "counter", |_data| {}),
        Step::Put(at, value) => named(message, "immediate", |data| {
            data.number(1, REGISTER + at);
            data.nest(2, |put| put.put(DATA_VALUE, value));
        }),
        Step::RedirectTo(at) => named(message, "redir", |data| data.number(1, REGISTER + at)),
        Step::Tell(group, word) => named(message, "log", |data| {
            data.put(1, &group.to_be_bytes());
            data.text(2, word);
        }),
        Step::Then(fate) => named(message, "immediate", |data| {
            data.number(1, REGISTER_OF_VERDICT);
            data.nest(2, |value| spell(value, fate));
        }),
    }
}

fn named(message: &mut Message, name: &str, write: impl FnOnce(&mut Message)) {
    message.text(EXPRESSION_NAME, name);
    message.nest(EXPRESSION_DATA, write);
}

fn compare(message: &mut Message, at: u32, operation: u32, value: &[u8]) {
    named(message, "cmp", |data| {
        data.number(1, REGISTER + at);
        data.number(2, operation);
        data.nest(3, |operand| operand.put(DATA_VALUE, value));
    });
}

fn look_up(message: &mut Message, at: u32, set: &str, further: Option<(u16, u32)>) {
    named(message, "lookup", |data| {
        data.text(1, set);
        data.number(2, REGISTER + at);
        if let Some((kind, value)) = further {
            data.number(kind, value);
        }
    });
}

fn read(message: &mut Message, field: Field, at: u32) {
    const NETWORK: u32 = 1;
    const TRANSPORT: u32 = 2;
    let (name, values): (_, &[u32]) = match field {
        Field::CableFrom => ("meta", &[4]),
        Field::CableTo => ("meta", &[5]),
        Field::Version => ("meta", &[15]),
        Field::Protocol => ("meta", &[16]),
        Field::AddressFrom => ("payload", &[NETWORK, 12, 4]),
        Field::AddressTo => ("payload", &[NETWORK, 16, 4]),
        Field::PortTo => ("payload", &[TRANSPORT, 2, 2]),
        Field::IcmpKind => ("payload", &[TRANSPORT, 0, 2]),
        Field::Connection => ("ct", &[0]),
    };
    // The register comes first, then a key, or a header with an offset and a length.
    named(message, name, |data| {
        for (kind, value) in (1..).zip([REGISTER + at].iter().chain(values)) {
            data.number(kind, *value);
        }
    });
}
