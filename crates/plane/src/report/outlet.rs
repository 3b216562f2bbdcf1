//! The way out for what requests leave behind: a queue that is bounded in items and in bytes and never waits. What finds no
//! room is dropped; every loss is counted by its cause, on both ends.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::mpsc;
use topology::snapshot::gateway::LogStream;
use topology::snapshot::logs::LogPlace;

use crate::limits::{
    BALANCER_LINES_BYTES_MAX, BALANCER_LINES_MAX, LINE_BYTES_MAX, LINES_BYTES_MAX, LINES_MAX, SPANS_BYTES_MAX,
    SPANS_MAX,
};

use super::span::RequestSpan;

/// One line of an access log, or one event of an execution log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// Where it belongs.
    pub log: Arc<LogStream>,
    /// When the request ended, in milliseconds since 1970.
    pub at_unix_ms: u64,
    /// The line, without a line end.
    pub text: String,
}

/// One line of a load balancer's log.
#[derive(Debug, Clone)]
pub struct BalancerLine {
    /// Which log it belongs to.
    pub place: Arc<LogPlace>,
    /// The address of the node that it is of.
    pub node: Ipv4Addr,
    /// The line, without a line end.
    pub text: String,
}

/// What may wait in an outlet.
pub trait Weigh {
    /// About how many bytes it holds.
    fn bytes(&self) -> usize;
    /// How many bytes one may hold.
    const ONE_MAX: usize;
}

impl Weigh for LogLine {
    fn bytes(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
    const ONE_MAX: usize = LINE_BYTES_MAX;
}

impl Weigh for BalancerLine {
    fn bytes(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
    const ONE_MAX: usize = LINE_BYTES_MAX;
}

/// Why something was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Too much waits already, or whoever takes it is gone.
    QueueFull,
    /// It is above the bound of one.
    TooLarge,
    /// The place it belongs to does not exist.
    NoDestination,
    /// It could not be written or sent.
    Failed,
}

impl Loss {
    /// Every cause.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::TooLarge, Self::NoDestination, Self::Failed];

    /// The cause as a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLarge => "too_large",
            Self::NoDestination => "no_destination",
            Self::Failed => "failed",
        }
    }
}

/// What both ends count.
#[derive(Debug, Default)]
struct Tally {
    waiting_bytes: AtomicUsize,
    taken: AtomicU64,
    lost: [AtomicU64; Loss::ALL.len()],
}

impl Tally {
    fn lose(&self, why: Loss, count: u64) {
        self.lost[why as usize].fetch_add(count, Ordering::Relaxed);
    }
}

/// The end that traffic holds.
pub struct Outlet<T> {
    sender: mpsc::Sender<T>,
    tally: Arc<Tally>,
    bytes_max: usize,
}

/// The end that takes.
pub struct Outflow<T> {
    receiver: mpsc::Receiver<T>,
    tally: Arc<Tally>,
}

/// An outlet for access-log lines.
#[must_use]
pub fn lines() -> (Outlet<LogLine>, Outflow<LogLine>) {
    outlet(LINES_MAX, LINES_BYTES_MAX)
}

/// An outlet for lines of load balancers.
#[must_use]
pub fn balancer_lines() -> (Outlet<BalancerLine>, Outflow<BalancerLine>) {
    outlet(BALANCER_LINES_MAX, BALANCER_LINES_BYTES_MAX)
}

/// An outlet for spans.
#[must_use]
pub fn spans() -> (Outlet<RequestSpan>, Outflow<RequestSpan>) {
    outlet(SPANS_MAX, SPANS_BYTES_MAX)
}

fn outlet<T: Weigh>(items_max: usize, bytes_max: usize) -> (Outlet<T>, Outflow<T>) {
    let (sender, receiver) = mpsc::channel(items_max);
    let tally = Arc::<Tally>::default();
    (Outlet { sender, tally: Arc::clone(&tally), bytes_max }, Outflow { receiver, tally })
}

impl<T: Weigh> Outlet<T> {
    /// Hands something out, or counts it as lost.
    pub fn offer(&self, item: T) {
        let bytes = item.bytes();
        if bytes > T::ONE_MAX {
            return self.tally.lose(Loss::TooLarge, 1);
        }
        // Counted before it is there, so that the other end never takes away what was not added.
        let waiting = self.tally.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting.saturating_add(bytes) > self.bytes_max || self.sender.try_send(item).is_err() {
            self.tally.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.tally.lose(Loss::QueueFull, 1);
        }
    }

    /// Counts what was lost before it came here.
    pub(crate) fn lose(&self, why: Loss, count: u64) {
        self.tally.lose(why, count);
    }

    /// How many were taken so far.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.tally.taken.load(Ordering::Relaxed)
    }

    /// How many were lost so far for this cause.
    #[must_use]
    pub fn lost(&self, why: Loss) -> u64 {
        self.tally.lost[why as usize].load(Ordering::Relaxed)
    }
}

impl<T: Weigh> Outflow<T> {
    /// Waits for the next ones and adds at most `count_max` of them; none means that there are no more to come.
    pub async fn take(&mut self, into: &mut Vec<T>, count_max: usize) -> usize {
        let before = into.len();
        let count = self.receiver.recv_many(into, count_max).await;
        self.note(&into[before..]);
        count
    }

    /// Adds what waits now, at most `count_max`, and says how many that are.
    pub fn take_waiting(&mut self, into: &mut Vec<T>, count_max: usize) -> usize {
        let before = into.len();
        while into.len() - before < count_max
            && let Ok(item) = self.receiver.try_recv()
        {
            into.push(item);
        }
        self.note(&into[before..]);
        into.len() - before
    }

    /// How many were lost so far, for any cause.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.tally.lost.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Takes no new ones; what waits can still be taken.
    pub fn close(&mut self) {
        self.receiver.close();
    }

    /// Counts what was taken and then lost all the same.
    pub fn lose(&self, why: Loss, count: u64) {
        self.tally.lose(why, count);
    }

    fn note(&self, taken: &[T]) {
        let bytes = taken.iter().map(Weigh::bytes).sum();
        self.tally.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.tally.taken.fetch_add(taken.len() as u64, Ordering::Relaxed);
    }
}

impl<T> Clone for Outlet<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), tally: Arc::clone(&self.tally), bytes_max: self.bytes_max }
    }
}

impl<T> fmt::Debug for Outlet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("tally", &self.tally).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Outflow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outflow").field("tally", &self.tally).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Weight(usize);

    impl Weigh for Weight {
        fn bytes(&self) -> usize {
            self.0
        }
        const ONE_MAX: usize = 100;
    }

    #[tokio::test]
    async fn what_finds_no_room_is_lost_and_counted() {
        let (outlet, mut outflow) = outlet::<Weight>(3, 150);
        for bytes in [101, 80, 80, 10, 10, 10] {
            outlet.offer(Weight(bytes));
        }
        assert_eq!((outlet.lost(Loss::TooLarge), outlet.lost(Loss::QueueFull)), (1, 2));
        let mut taken = Vec::new();
        assert_eq!(outflow.take(&mut taken, 10).await, 3);
        assert_eq!(outlet.taken(), 3);
        outlet.offer(Weight(100));
        assert_eq!(outflow.take(&mut taken, 10).await, 1, "there is room again");
        drop(outflow);
        outlet.offer(Weight(1));
        assert_eq!(outlet.lost(Loss::QueueFull), 3, "nobody takes it any more");
    }
}
