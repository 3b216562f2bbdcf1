//! What flow logs tell of: which connections passed an interface, and which did not, put together by both ends for a minute or for ten
//! (VPC user guide, "Flow log records", 2026-11). [`super::dial`] notes them; how a record is written is `report`'s.
//!
//! Of a connection that is opened bytes are counted, as they are handed to its stream: within TLS those in the clear. A hop within this
//! process has neither a port of its sender nor bytes of its own. What goes through networks of the kernel the kernel tells of ([`heard`]).
//! Where no flow log is, nothing of this is there.

#[cfg(target_os = "linux")]
mod heard;

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use topology::id::NetworkInterfaceId;
use topology::net::Direction;
use topology::net::Family;
use topology::reason::Reason;
use topology::resource::flow_log::FlowInterval;
use topology::snapshot::fabric::{Fabric, InterfaceIndex, Logged};
use topology::trace::{Leg, Sender};
use topology::verdict::{Flow, Side, side};
use topology::way::{Denial, Dropped};

use crate::clock;
use crate::limits::FLOWS_MAX;

/// A flag of TCP that opens a connection.
const SYN: u8 = 2;
/// The flags of what answers it.
const SYN_ACK: u8 = 18;
/// The flag that ends one side.
const FIN: u8 = 1;
/// What connections are that Tidegate itself opens.
const TCP: u8 = 6;

/// What connections are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The interface that they pass.
    pub(crate) interface: NetworkInterfaceId,
    /// Which way.
    pub(crate) direction: Direction,
    /// Who sends: the port of a hop within this process is none.
    pub(crate) from: (IpAddr, Option<u16>),
    /// To whom.
    pub(crate) to: (IpAddr, Option<u16>),
    /// The number of the protocol.
    pub(crate) protocol: u8,
    /// Whether they are let through.
    pub(crate) is_accepted: bool,
}

/// How much is asked of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What it tells by itself: of what ended, and of what it refused.
    Ended,
    /// What was carried in connections that are open too.
    Whole,
}

/// What is known of them.
#[derive(Debug)]
pub(crate) struct Sum {
    /// The interface.
    pub(crate) told: Arc<Logged>,
    /// Bytes, where there is a stream.
    pub(crate) bytes: Option<u64>,
    /// Packets, where the kernel counts them.
    pub(crate) packets: Option<u64>,
    /// Flags of TCP.
    pub(crate) flags: u8,
    /// By which way they leave, as AWS numbers it.
    pub(crate) path: Option<u8>,
    /// When the first came and the last, in seconds since 1970.
    pub(crate) seen: (u64, u64),
}

/// What is put together of one interval.
#[derive(Debug, Default)]
pub(crate) struct Interval {
    /// Connections.
    pub(crate) sums: HashMap<Key, Sum>,
    /// Interfaces of which some found no room.
    pub(crate) skipped: HashMap<NetworkInterfaceId, Arc<Logged>>,
}

impl Interval {
    fn note(&mut self, (key, told): (Key, &Arc<Logged>), news: News) {
        if self.sums.len() >= FLOWS_MAX && !self.sums.contains_key(&key) {
            self.skipped.entry(key.interface).or_insert_with(|| Arc::clone(told));
            return;
        }
        let sum = self.sums.entry(key).or_insert_with(|| Sum {
            told: Arc::clone(told),
            bytes: None,
            packets: None,
            flags: 0,
            path: news.path,
            seen: news.seen,
        });
        for (sum, news) in [(&mut sum.bytes, news.bytes), (&mut sum.packets, news.packets)] {
            if let Some(news) = news {
                *sum = Some(sum.unwrap_or_default().saturating_add(news));
            }
        }
        sum.flags |= news.flags;
        sum.seen = (sum.seen.0.min(news.seen.0), sum.seen.1.max(news.seen.1));
    }
}

/// What is added to a sum.
#[derive(Debug, Clone, Copy)]
struct News {
    bytes: Option<u64>,
    packets: Option<u64>,
    flags: u8,
    path: Option<u8>,
    seen: (u64, u64),
}

/// Where on its way a packet passes an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// It leaves the sender.
    Sent,
    /// It comes to the receiver.
    Received,
    /// What is replied leaves the receiver.
    Replied,
    /// And comes back.
    Returned,
}

impl Pass {
    const ALL: [Self; 4] = [Self::Sent, Self::Received, Self::Replied, Self::Returned];

    const fn is_there(self) -> bool {
        matches!(self, Self::Sent | Self::Received)
    }
}

/// Both ends of a connection, one of which at least is told of.
#[derive(Debug)]
pub(crate) struct Ends {
    book: Arc<FlowBook>,
    from: Option<Arc<Logged>>,
    to: Option<Arc<Logged>>,
    own: IpAddr,
    seen_as: IpAddr,
    address: IpAddr,
    port: u16,
    protocol: u8,
    path: Option<u8>,
}

impl Ends {
    /// Those of a leg; `None` where no flow log tells of either.
    pub(super) fn of(book: &Arc<FlowBook>, fabric: &Fabric, leg: &Leg, seen_as: Option<IpAddr>) -> Option<Self> {
        let sender = leg.from.interface().and_then(|id| fabric.interface_by_id(id));
        let receiver = leg.to.and_then(|id| fabric.interface_by_id(id));
        let told = |index: Option<InterfaceIndex>| index.and_then(|index| fabric.flow_logs.get(&index)).map(Arc::clone);
        let (from, to) = (told(sender), told(receiver));
        if from.is_none() && to.is_none() {
            return None;
        }
        let vpc = |index: Option<InterfaceIndex>| index.and_then(|index| fabric.interface(index)).map(|one| one.vpc);
        // As AWS numbers them: within the VPC, and through a peering connection of the region.
        let path = match (vpc(sender), vpc(receiver)) {
            (Some(one), Some(other)) if one == other => Some(1),
            (Some(_), Some(_)) => Some(4),
            _ => None,
        };
        let own = match (leg.from, sender) {
            (Sender::Address(address), _) => address,
            (Sender::Interface(_) | Sender::Gone, index) => {
                fabric.interface(index?)?.address(Family::of(leg.to_address))?
            }
        };
        let seen_as = seen_as.unwrap_or(own);
        let (book, address, port) = (Arc::clone(book), leg.to_address, leg.port);
        Some(Self { book, from, to, own, seen_as, address, port, protocol: TCP, path })
    }

    fn key(&self, pass: Pass, port: Option<u16>, is_accepted: bool) -> Option<(Key, &Arc<Logged>)> {
        let (told, client) = match pass {
            Pass::Sent | Pass::Returned => (self.from.as_ref()?, self.own),
            Pass::Received | Pass::Replied => (self.to.as_ref()?, self.seen_as),
        };
        let (client, server) = ((client, port), (self.address, Some(self.port)));
        let (from, to) = if pass.is_there() { (client, server) } else { (server, client) };
        let direction = match pass {
            Pass::Sent | Pass::Replied => Direction::Egress,
            Pass::Received | Pass::Returned => Direction::Ingress,
        };
        Some((Key { interface: told.interface.id, direction, from, to, protocol: self.protocol, is_accepted }, told))
    }

    fn note(&self, shelf: &mut Shelf, (pass, port, is_accepted): (Pass, Option<u16>, bool), news: News) {
        let Some((key, told)) = self.key(pass, port, is_accepted) else { return };
        let path = self.path.filter(|_| key.direction == Direction::Egress && is_accepted);
        for (interval, kept) in FlowInterval::ALL.into_iter().zip(&mut shelf.intervals) {
            let is_wanted = told.logs.iter().any(|log| log.interval == interval && log.traffic.wants(is_accepted));
            if is_wanted {
                kept.note((key, told), News { path, ..news });
            }
        }
    }

    /// Notes a hop within this process, or an attempt whose answer nobody saw.
    fn passed(&self, passes: &[Pass], flags: (u8, u8)) {
        let now = self.book.now().as_secs();
        let mut shelf = self.book.0.lock();
        for pass in passes {
            let flags = if pass.is_there() { flags.0 } else { flags.1 };
            self.note(
                &mut shelf,
                (*pass, None, true),
                News { bytes: None, packets: None, flags, path: None, seen: (now, now) },
            );
        }
    }

    /// Notes that a node was entered within this process.
    pub(super) fn entered(&self) {
        self.passed(&Pass::ALL, (SYN | FIN, SYN_ACK | FIN));
    }

    /// Notes that a connection was let through and came to nothing: whoever is there refused it, or nobody is.
    pub(super) fn attempted(&self, is_answered: bool) {
        let passes = if is_answered { &Pass::ALL[..2] } else { &Pass::ALL[..1] };
        self.passed(passes, (SYN, 0));
    }

    /// Notes that a connection was opened from this port; its stream is to be [`Watched`]. `None` where too many are open.
    pub(super) fn opened(self: &Arc<Self>, port: Option<u16>) -> Option<Opened> {
        let now = self.book.now().as_secs();
        let mut shelf = self.book.0.lock();
        if shelf.marks.len() >= FLOWS_MAX {
            [&self.from, &self.to].into_iter().flatten().for_each(|told| shelf.skip(told));
            return None;
        }
        let mark = Arc::new(Mark {
            ends: Arc::clone(self),
            port,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            seen: (AtomicU64::new(now), AtomicU64::new(now)),
            is_fresh: AtomicBool::new(true),
            is_closed: AtomicBool::new(false),
        });
        shelf.marks.push(Arc::clone(&mark));
        Some(Opened(mark))
    }
}

/// A connection that is open, or was since it was looked at.
#[derive(Debug)]
pub(crate) struct Mark {
    ends: Arc<Ends>,
    port: Option<u16>,
    sent: AtomicU64,
    received: AtomicU64,
    seen: (AtomicU64, AtomicU64),
    is_fresh: AtomicBool,
    is_closed: AtomicBool,
}

impl Mark {
    fn count(&self, which: &AtomicU64, bytes: usize) {
        which.fetch_add(bytes as u64, Ordering::Relaxed);
        self.touch();
    }

    fn touch(&self) {
        let now = self.ends.book.now().as_secs();
        self.seen.0.fetch_min(now, Ordering::Relaxed);
        self.seen.1.fetch_max(now, Ordering::Relaxed);
    }

    /// Adds what happened since it was looked at last.
    fn gather(&self, shelf: &mut Shelf) {
        let (sent, received) = (self.sent.swap(0, Ordering::Relaxed), self.received.swap(0, Ordering::Relaxed));
        let seen = (self.seen.0.swap(u64::MAX, Ordering::Relaxed), self.seen.1.swap(0, Ordering::Relaxed));
        let (is_fresh, is_over) =
            (self.is_fresh.swap(false, Ordering::Relaxed), self.is_closed.load(Ordering::Acquire));
        if seen.1 == 0 {
            return;
        }
        for pass in Pass::ALL {
            let (bytes, opening) = if pass.is_there() { (sent, SYN) } else { (received, SYN_ACK) };
            let flags = (if is_fresh { opening } else { 0 }) | (if is_over { FIN } else { 0 });
            let news = News { bytes: Some(bytes), packets: None, flags, path: None, seen };
            self.ends.note(shelf, (pass, self.port, true), news);
        }
    }
}

/// A connection while it is open.
#[derive(Debug)]
pub(super) struct Opened(Arc<Mark>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.touch();
        self.0.is_closed.store(true, Ordering::Release);
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    stream: S,
    opened: Opened,
}

impl<S> Watched<S> {
    pub(super) const fn new(stream: S, opened: Opened) -> Self {
        Self { stream, opened }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let count = buf.filled().len() - before;
        if count > 0 {
            this.opened.0.count(&this.opened.0.received, count);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = &written {
            this.opened.0.count(&this.opened.0.sent, *count);
        }
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(count)) = &written {
            this.opened.0.count(&this.opened.0.sent, *count);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// What is kept until its interval is over. At most [`FLOWS_MAX`] connections of each interval; of what is above it is told that it was
/// left out.
#[derive(Debug, Default)]
pub(crate) struct FlowBook(Mutex<Shelf>, AtomicU64);

#[derive(Debug, Default)]
struct Shelf {
    intervals: [Interval; 2],
    marks: Vec<Arc<Mark>>,
    /// The number of each interval that was looked at last.
    turns: [u64; 2],
}

impl Shelf {
    /// Some of what passes an interface is left out.
    fn skip(&mut self, told: &Arc<Logged>) {
        for kept in &mut self.intervals {
            kept.skipped.entry(told.interface.id).or_insert_with(|| Arc::clone(told));
        }
    }
}

impl FlowBook {
    /// Now, since 1970, by the clock that can be moved on.
    fn now(&self) -> Duration {
        clock::since_epoch().saturating_add(Duration::from_millis(self.1.load(Ordering::Relaxed)))
    }

    /// Moves the clock on.
    pub(crate) fn move_clock(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.1.fetch_add(by, Ordering::Relaxed);
    }

    /// Notes a connection that is not let through, at the end that does not, and at those that it passed before.
    pub(super) fn refused(self: &Arc<Self>, fabric: &Fabric, denial: &Denial, (flow, seen_as): (Flow, Option<IpAddr>)) {
        let Some(ends) = Ends::of(self, fabric, &denial.leg, seen_as) else { return };
        let is_let_out = || !matches!(side(fabric, flow, Direction::Egress), Side::Denied(_));
        let (last, is_rejected) = match denial.by {
            Dropped::Groups if denial.reason == Reason::NoInterface => (Pass::Sent, !is_let_out()),
            Dropped::Groups if denial.reason == Direction::Egress.denied() => (Pass::Sent, true),
            Dropped::Groups => (Pass::Received, true),
            Dropped::Routes(_) => (Pass::Sent, !is_let_out()),
            Dropped::Acl(_, Direction::Egress, false) => (Pass::Sent, true),
            Dropped::Acl(_, Direction::Ingress, false) => (Pass::Received, true),
            Dropped::Acl(_, Direction::Egress, true) => (Pass::Replied, true),
            Dropped::Acl(_, Direction::Ingress, true) => (Pass::Returned, true),
        };
        let now = self.now().as_secs();
        let mut shelf = self.0.lock();
        for pass in Pass::ALL {
            let flags = if pass.is_there() { SYN } else { SYN_ACK };
            let news = News { bytes: None, packets: None, flags, path: None, seen: (now, now) };
            ends.note(&mut shelf, (pass, None, !(is_rejected && pass == last)), news);
            if pass == last {
                break;
            }
        }
    }

    /// Whether an interval is over that was not taken.
    pub(crate) fn is_due(&self) -> bool {
        let now = self.now().as_secs();
        let turns = self.0.lock().turns;
        FlowInterval::ALL.into_iter().zip(turns).any(|(interval, last)| now / interval.seconds() != last)
    }

    /// What belongs to intervals that are over, each with when it ended; with `all` what belongs to those under way too.
    pub(crate) fn take_over(&self, all: bool) -> Vec<(FlowInterval, Interval)> {
        let now = self.now().as_secs();
        let mut shelf = self.0.lock();
        let turn = |interval: FlowInterval| now / interval.seconds();
        if !all && FlowInterval::ALL.into_iter().zip(shelf.turns).all(|(interval, last)| turn(interval) == last) {
            return Vec::new();
        }
        let marks = std::mem::take(&mut shelf.marks);
        marks.iter().for_each(|mark| mark.gather(&mut shelf));
        // One that was closed while it was looked at has something left to tell.
        let is_open =
            |mark: &Arc<Mark>| !mark.is_closed.load(Ordering::Acquire) || mark.seen.1.load(Ordering::Relaxed) > 0;
        shelf.marks = marks.into_iter().filter(is_open).collect();
        let mut over = Vec::new();
        for (at, interval) in FlowInterval::ALL.into_iter().enumerate() {
            if all || turn(interval) != shelf.turns[at] {
                shelf.turns[at] = turn(interval);
                over.push((interval, std::mem::take(&mut shelf.intervals[at])));
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use topology::id::{FlowLogId, SubnetId, VpcId};
    use topology::resource::flow_log::{FlowFormat, FlowTraffic};
    use topology::snapshot::fabric::{FlowLog, FlowTo, Interface};

    use super::*;

    pub(super) fn told(n: u128, intervals: &[FlowInterval]) -> Arc<Logged> {
        let realm =
            topology::id::Realm { account: topology::id::AccountId::DEFAULT, region: "us-east-1".parse().unwrap() };
        let log = |interval: &FlowInterval| {
            Arc::new(FlowLog {
                id: FlowLogId::from_bits(1),
                realm: realm.clone(),
                traffic: FlowTraffic::All,
                format: FlowFormat::default(),
                interval: *interval,
                to: FlowTo::Group("flows".parse().unwrap()),
            })
        };
        let interface = Interface {
            id: NetworkInterfaceId::from_bits(n),
            vpc: VpcId::from_bits(1),
            subnet: SubnetId::from_bits(1),
            zone: "us-east-1a".parse().unwrap(),
            private_ip: std::net::Ipv4Addr::new(10, 0, 0, 4),
            ipv6: None,
            groups: Vec::new(),
            is_judged: true,
        };
        Arc::new(Logged { interface, instance: None, logs: intervals.iter().map(log).collect() })
    }

    fn ends(book: &Arc<FlowBook>, port: u16, intervals: &[FlowInterval]) -> Arc<Ends> {
        let (own, address) = (IpAddr::from([10, 0, 0, 4]), IpAddr::from([10, 0, 0, 9]));
        let (from, to) = (Some(told(1, intervals)), None);
        let book = Arc::clone(book);
        Arc::new(Ends { book, from, to, own, seen_as: own, address, port, protocol: TCP, path: Some(1) })
    }

    #[test]
    fn what_is_open_is_told_in_each_interval_with_what_it_carried_in_it() {
        let book = Arc::<FlowBook>::default();
        let both = ends(&book, 80, &FlowInterval::ALL);
        assert_eq!(book.take_over(true).len(), 2);
        let opened = both.opened(Some(5000)).unwrap();
        opened.0.count(&opened.0.sent, 100);
        opened.0.count(&opened.0.received, 7);
        let bytes = |over: &[(FlowInterval, Interval)], at: usize, direction| {
            let found = over[at].1.sums.iter().find(|(key, _)| key.direction == direction);
            found.map(|(_, sum)| (sum.bytes, sum.flags, sum.path))
        };
        book.move_clock(Duration::from_secs(60));
        let minute = book.take_over(false);
        assert_eq!(minute[0].0, FlowInterval::Minute);
        assert_eq!(bytes(&minute, 0, Direction::Egress), Some((Some(100), SYN, Some(1))));
        assert_eq!(bytes(&minute, 0, Direction::Ingress), Some((Some(7), SYN_ACK, None)));
        opened.0.count(&opened.0.sent, 20);
        drop(opened);
        book.move_clock(Duration::from_secs(600));
        let over = book.take_over(false);
        assert_eq!(bytes(&over, 0, Direction::Egress), Some((Some(20), FIN, Some(1))));
        // The ten minutes end with the first tick or with the second, as the clock stands.
        let whole = minute.iter().chain(&over).filter(|(interval, _)| *interval == FlowInterval::TenMinutes);
        let sent: u64 = whole
            .flat_map(|(_, one)| &one.sums)
            .filter(|(key, _)| key.direction == Direction::Egress)
            .filter_map(|(_, sum)| sum.bytes)
            .sum();
        assert_eq!(sent, 120);
        assert!(book.0.lock().marks.is_empty(), "what is over is forgotten");
    }

    #[test]
    fn what_finds_no_room_is_told_as_left_out() {
        let book = Arc::<FlowBook>::default();
        for port in 0..=u16::try_from(FLOWS_MAX).unwrap() {
            ends(&book, port, &[FlowInterval::Minute]).attempted(true);
        }
        let over = book.take_over(true);
        assert_eq!((over[0].1.sums.len(), over[0].1.skipped.len()), (FLOWS_MAX, 1));
        assert_eq!((over[1].1.sums.len(), over[1].1.skipped.len()), (0, 0), "no log of ten minutes asks for it");
        let ends = ends(&book, 80, &[FlowInterval::Minute]);
        let open: Vec<_> = (0..=FLOWS_MAX).map(|_| ends.opened(None)).collect();
        assert_eq!(open.iter().filter(|one| one.is_none()).count(), 1);
        assert_eq!(book.take_over(true)[0].1.skipped.len(), 1);
    }
}
