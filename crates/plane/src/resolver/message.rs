//! Messages of DNS: a question, and its answer in as many bytes as the asker takes. A message that is none is answered with what is wrong with
//! it as far as it can be read, or not at all.

use std::net::IpAddr;

use simple_dns::rdata::{A, AAAA, OPT, PTR, RData};
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};
use topology::names::Found;

use crate::limits::{DNS_ANSWER_BYTES_MAX, DNS_ANSWER_BYTES_PLAIN};

/// Bytes of the header.
const HEADER_BYTES: usize = 12;
/// `QR`: it is an answer.
const ANSWER: u8 = 0x80;
/// How long an answer may be kept, in seconds, as those of load balancers are on AWS.
const TIME_TO_LIVE: u32 = 60;

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// In a datagram, which an answer has to fit into.
    Datagram,
    /// In a stream.
    Stream,
}

/// The answer to a message; `None` where there is none. `find` is asked for a name at most once, and says `None` where nobody answers.
pub(crate) fn answer(message: &[u8], carrier: Carrier, find: impl FnOnce(&str) -> Option<Found>) -> Option<Vec<u8>> {
    let header = message.first_chunk::<HEADER_BYTES>()?;
    if header[2] & ANSWER != 0 {
        return None;
    }
    let id = u16::from_be_bytes([header[0], header[1]]);
    // What asks has one question and no more than its own options and a signature behind it; others make room for nothing.
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let is_of_form = (count(4), count(6), count(8)) == (1, 0, 0) && count(10) <= 2;
    let Some(asked) = is_of_form.then(|| Packet::parse(message).ok()).flatten() else {
        return written(reply(id, RCODE::FormatError), usize::MAX);
    };
    let room = match (carrier, asked.opt()) {
        (Carrier::Stream, _) => usize::from(u16::MAX),
        (Carrier::Datagram, None) => DNS_ANSWER_BYTES_PLAIN,
        (Carrier::Datagram, Some(options)) => {
            usize::from(options.udp_packet_size).clamp(DNS_ANSWER_BYTES_PLAIN, DNS_ANSWER_BYTES_MAX)
        }
    };
    written(answered(asked, find)?, room)
}

/// An empty answer.
fn reply(id: u16, code: RCODE) -> Packet<'static> {
    let mut reply = Packet::new_reply(id);
    *reply.rcode_mut() = code;
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
    reply
}

fn answered<'a>(asked: Packet<'a>, find: impl FnOnce(&str) -> Option<Found>) -> Option<Packet<'a>> {
    let mut reply = reply(asked.id(), RCODE::NoError);
    *reply.opcode_mut() = asked.opcode();
    if asked.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    let version = asked.opt().map(|options| options.version);
    *reply.opt_mut() = version.map(|_| OPT {
        opt_codes: Vec::new(),
        udp_packet_size: u16::try_from(DNS_ANSWER_BYTES_MAX).unwrap_or(u16::MAX),
        version: 0,
    });
    let mut reply: Packet<'a> = reply;
    let question = asked.questions.into_iter().next()?;
    let refused = match (reply.opcode(), version) {
        (OPCODE::StandardQuery, None | Some(0)) if question.qclass == QCLASS::CLASS(CLASS::IN) => None,
        (OPCODE::StandardQuery, None | Some(0)) => Some(RCODE::Refused),
        (OPCODE::StandardQuery, Some(_)) => Some(RCODE::BADVERS),
        _ => Some(RCODE::NotImplemented),
    };
    match refused {
        Some(code) => *reply.rcode_mut() = code,
        None => match find(&question.qname.to_string())? {
            // Where nobody beyond is asked there is nothing.
            Found::Nothing | Found::Beyond => *reply.rcode_mut() = RCODE::NameError,
            Found::Failed => *reply.rcode_mut() = RCODE::ServerFailure,
            Found::Addresses(addresses) => {
                let wanted = addresses.into_iter().filter(|address| wants(&question, kind(*address)));
                reply.answers.extend(wanted.map(|address| record(&question.qname, of(address))));
            }
            Found::Name(name) if wants(&question, TYPE::PTR) => {
                let data = RData::PTR(PTR(Name::new_unchecked(&name).into_owned()));
                reply.answers.push(record(&question.qname, data));
            }
            // It is there, and has nothing of what was asked for.
            Found::Name(_) => {}
        },
    }
    reply.questions.push(question);
    Some(reply)
}

fn wants(question: &Question<'_>, kind: TYPE) -> bool {
    question.qtype == QTYPE::ANY || question.qtype == QTYPE::TYPE(kind)
}

/// Which records tell of an address.
const fn kind(address: IpAddr) -> TYPE {
    match address {
        IpAddr::V4(_) => TYPE::A,
        IpAddr::V6(_) => TYPE::AAAA,
    }
}

fn of(address: IpAddr) -> RData<'static> {
    match address {
        IpAddr::V4(address) => RData::A(A { address: address.to_bits() }),
        IpAddr::V6(address) => RData::AAAA(AAAA { address: address.to_bits() }),
    }
}

fn record<'a>(name: &Name<'a>, data: RData<'a>) -> ResourceRecord<'a> {
    ResourceRecord::new(name.clone(), CLASS::IN, TIME_TO_LIVE, data)
}

/// The bytes of an answer. One that has more than there is room for says so, and nothing else.
fn written(mut reply: Packet<'_>, room: usize) -> Option<Vec<u8>> {
    let bytes = reply.build_bytes_vec_compressed().ok()?;
    if bytes.len() <= room {
        return Some(bytes);
    }
    reply.answers.clear();
    reply.set_flags(PacketFlag::TRUNCATION);
    reply.build_bytes_vec_compressed().ok()
}
