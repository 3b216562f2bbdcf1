//! What the kernel tells of its networks, as flow logs tell it: each packet at the interfaces of this VPC that it passes.
//!
//! A packet that the receiver's side refuses has left the sender, as on AWS. Where a network ACL refuses what comes in, the kernel has not yet
//! asked what the sender's groups say: the verdict is.

use std::sync::Arc;

use kernel::flows::{Barrier, Carried, Count, Refused, Stage, Told, Way};
use std::net::IpAddr;
use topology::id::VpcId;
use topology::net::Direction;
use topology::net::Family;
use topology::snapshot::fabric::{Exit, Fabric, InterfaceIndex};
use topology::verdict::{End, Flow, Side, side};
use topology::way;

use super::{Ends, FIN, FlowBook, News, Pass, SYN, SYN_ACK, Shelf, TCP};

/// The flag that cuts a connection.
const RST: u8 = 4;
/// The flag that nothing has which opens a connection.
const ACK: u8 = 16;
/// Flags that records tell of.
const FLAGS: u8 = 0x3f;
/// The port of questions about names, which no record is made of (VPC user guide, "Flow log limitations", 2026-11).
const NAMES: u16 = 53;

/// The interfaces that sender and receiver are, where they are of this VPC.
type Pair = (Option<InterfaceIndex>, Option<InterfaceIndex>);

impl FlowBook {
    /// Notes what the router of a VPC tells.
    pub(crate) fn heard(self: &Arc<Self>, fabric: &Fabric, vpc: VpcId, told: Told) {
        let mut shelf = self.0.lock();
        match told {
            Told::Carried(carried) => {
                if let Some((ends, _)) = self.ends((fabric, vpc), carried.way) {
                    ends.carried(&mut shelf, carried);
                }
            }
            Told::Refused(refused) => {
                if let Some((ends, of)) = self.ends((fabric, vpc), refused.way) {
                    ends.dropped(&mut shelf, refused, last(fabric, of, refused));
                }
            }
            Told::Lost => {
                let logged = fabric.flow_logs.values().filter(|logged| logged.interface.vpc == vpc);
                logged.for_each(|logged| shelf.skip(logged));
            }
        }
    }

    fn news(&self, count: Count, flags: u8) -> News {
        let now = self.now().as_secs();
        News { bytes: Some(count.bytes), packets: Some(count.packets), flags, path: None, seen: (now, now) }
    }

    /// Both ends, with the interfaces of this VPC that they are; `None` where no flow log tells of either.
    fn ends(self: &Arc<Self>, (fabric, vpc): (&Fabric, VpcId), way: Way) -> Option<(Ends, Pair)> {
        let resolver = fabric.vpcs.iter().find(|net| net.id == vpc).and_then(|net| net.resolver_address());
        if resolver == Some(*way.to.ip()) && way.to.port() == NAMES {
            return None;
        }
        let [sender, receiver] = [way.from, way.to].map(|end| fabric.interface_at(vpc, (*end.ip()).into()));
        let told = |index: Option<InterfaceIndex>| index.and_then(|index| fabric.flow_logs.get(&index)).map(Arc::clone);
        let (from, to) = (told(sender), told(receiver));
        if from.is_none() && to.is_none() {
            return None;
        }
        // As AWS numbers them: within the VPC, which a NAT gateway is, through a peering connection of the region, and through an internet gateway.
        let exit = sender.and_then(|sender| way::leave(fabric, sender, *way.to.ip(), way.to.port()).ok());
        let path = Some(match exit {
            Some(Exit::Nat(..)) => 1,
            Some(Exit::Internet) => 8,
            None if sender.is_some() && receiver.is_some() => 1,
            None => 4,
        });
        let (own, address) = (IpAddr::from(*way.from.ip()), IpAddr::from(*way.to.ip()));
        let (book, port, protocol) = (Arc::clone(self), way.to.port(), way.protocol);
        Some((Ends { book, from, to, own, seen_as: own, address, port, protocol, path }, (sender, receiver)))
    }
}

/// Where a packet was refused, on its way.
fn last(fabric: &Fabric, (sender, receiver): Pair, Refused { way, flags, at, .. }: Refused) -> Pass {
    let is_let_out = sender.is_none_or(|sender| {
        let to = receiver.map_or(End::Address((*way.to.ip()).into()), End::Interface);
        let flow = Flow { from: End::Interface(sender), to, family: Family::Ipv4, port: way.to.port(), seen_as: None };
        // The verdict speaks of TCP. Behind the first packet groups are not asked.
        let is_opening = way.protocol == TCP && flags & ACK == 0;
        !is_opening || !matches!(side(fabric, flow, Direction::Egress), Side::Denied(_))
    });
    match at {
        _ if !is_let_out => Pass::Sent,
        Barrier::Leaving => Pass::Sent,
        Barrier::Arriving => Pass::Received,
        Barrier::Replying => Pass::Replied,
        Barrier::Returning => Pass::Returned,
    }
}

impl Ends {
    fn carried(&self, shelf: &mut Shelf, Carried { way, sent, replied, stage, is_fresh }: Carried) {
        let is_refused = stage == Stage::Cut && replied.packets == 1;
        for pass in Pass::ALL {
            let (count, opening) = if pass.is_there() { (sent, SYN) } else { (replied, SYN_ACK) };
            let opened = if is_fresh { opening } else { 0 };
            let flags = match stage {
                _ if way.protocol != TCP => 0,
                Stage::Cut if is_refused && !pass.is_there() => RST,
                Stage::Open | Stage::Cut => opened,
                Stage::Ended => opened | FIN,
            };
            if count.packets > 0 {
                self.note(shelf, (pass, Some(way.from.port()), true), self.book.news(count, flags));
            }
        }
    }

    fn dropped(&self, shelf: &mut Shelf, Refused { way, bytes, flags, .. }: Refused, last: Pass) {
        let packet = Count { packets: 1, bytes };
        for pass in Pass::ALL {
            // A reply that would be refused was never sent.
            let (count, flags) = if pass.is_there() { (packet, flags & FLAGS) } else { (Count::default(), SYN_ACK) };
            let is_last = pass == last;
            self.note(shelf, (pass, Some(way.from.port()), !is_last), self.book.news(count, flags));
            if is_last {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV4;

    use topology::resource::flow_log::FlowInterval;

    use super::super::tests::told;
    use super::*;

    const WAY: Way = Way {
        protocol: TCP,
        from: SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, 0, 4), 5000),
        to: SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, 0, 9), 80),
    };

    /// What is told of both ends: interface, way, whether it is let through, flags, packets and bytes.
    fn noted(note: impl FnOnce(&Ends, &mut Shelf)) -> Vec<(u8, Direction, bool, u8, u64, u64)> {
        let book = Arc::<FlowBook>::default();
        let [from, to] = [1, 2].map(|n| Some(told(n, &[FlowInterval::Minute])));
        let (own, address) = (IpAddr::from(*WAY.from.ip()), IpAddr::from(*WAY.to.ip()));
        let (same, path) = (Arc::clone(&book), Some(1));
        let ends = Ends { book: same, from, to, own, seen_as: own, address, port: 80, protocol: TCP, path };
        note(&ends, &mut book.0.lock());
        let over = book.take_over(true);
        let mut all: Vec<_> = over[0]
            .1
            .sums
            .iter()
            .map(|(key, sum)| {
                let is_first = key.interface == topology::id::NetworkInterfaceId::from_bits(1);
                let count = (sum.packets.unwrap(), sum.bytes.unwrap());
                (if is_first { 1 } else { 2 }, key.direction, key.is_accepted, sum.flags, count.0, count.1)
            })
            .collect();
        all.sort_by_key(|one| (one.0, one.1 == Direction::Ingress));
        all
    }

    #[test]
    fn a_refused_packet_passes_what_lies_before_the_refusal() {
        use Direction::{Egress, Ingress};
        let refused = Refused { way: WAY, bytes: 60, flags: SYN, at: Barrier::Arriving };
        for (last, expected) in [
            (Pass::Sent, vec![(1, Egress, false, SYN, 1, 60)]),
            (Pass::Received, vec![(1, Egress, true, SYN, 1, 60), (2, Ingress, false, SYN, 1, 60)]),
            (
                Pass::Replied,
                vec![(1, Egress, true, SYN, 1, 60), (2, Egress, false, SYN_ACK, 0, 0), (2, Ingress, true, SYN, 1, 60)],
            ),
        ] {
            assert_eq!(noted(|ends, shelf| ends.dropped(shelf, refused, last)), expected, "{last:?}");
        }
    }

    #[test]
    fn flags_say_how_far_a_connection_is() {
        let (sent, replied) = (Count { packets: 5, bytes: 400 }, Count { packets: 1, bytes: 40 });
        for (stage, is_fresh, there, back) in [
            (Stage::Open, true, SYN, SYN_ACK),
            (Stage::Open, false, 0, 0),
            (Stage::Ended, true, SYN | FIN, SYN_ACK | FIN),
            (Stage::Cut, true, SYN, RST),
        ] {
            let told = noted(|ends, shelf| ends.carried(shelf, Carried { way: WAY, sent, replied, stage, is_fresh }));
            let flags: Vec<_> = told.iter().map(|one| (one.3, one.4)).collect();
            assert_eq!(flags, [(there, 5), (back, 1), (back, 1), (there, 5)], "{stage:?} {is_fresh}");
        }
        let silent = Carried { way: WAY, sent, replied: Count::default(), stage: Stage::Open, is_fresh: true };
        assert_eq!(noted(|ends, shelf| ends.carried(shelf, silent)).len(), 2, "nothing came back");
    }
}
