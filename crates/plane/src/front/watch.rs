//! The connections of clients: which are open, which wait for a request or for their client to read and for how long, and who must be
//! told when the plane goes down. Time is counted in sweeps, so that a request costs no timer.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::connection::Spoken;
use super::flow::{READ_SWEEPS, REQUEST_SWEEPS};
use crate::guard::{Guard, Lasting};
use crate::limits::IDLE_SWEEP_INTERVAL;

/// Sweeps after which a connection that still waits for a request is closed. One more than fit in, for the one under way.
fn sweeps(idle: Duration) -> u32 {
    u32::try_from(idle.as_secs() / IDLE_SWEEP_INTERVAL.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
}

/// The open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    going: AtomicBool,
    /// Wakes accept loops when the plane goes down.
    pub(crate) stop_accepting: Notify,
    sweeps: AtomicU32,
    places: Mutex<Places>,
    ended: Notify,
}

/// Places are used again.
#[derive(Debug, Default)]
struct Places {
    taken: Vec<Option<(Waker, Arc<Watch>)>>,
    free: Vec<usize>,
}

/// What is known of one connection.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Requests under way: HTTP/2 has many.
    requests: AtomicU32,
    /// The sweep in which it began to wait for a request, or in which the client last took bytes.
    since: AtomicU32,
    /// Whether the client takes nothing of what it is owed.
    stuck: AtomicBool,
    /// The sweep in which the newest request began.
    begun: AtomicU32,
    expired: AtomicBool,
    /// Whether its request may last as long as it does.
    endless: AtomicBool,
    /// Sweeps for which it may wait for a request.
    patience: u32,
    spoken: Spoken,
    connections: Arc<Connections>,
}

impl Connections {
    /// Tells everybody. No connection is accepted any more and each one ends with its current request.
    pub(crate) fn begin_drain(&self) {
        self.going.store(true, Ordering::SeqCst);
        self.stop_accepting.notify_waiters();
        for (waker, _) in self.places.lock().taken.iter().flatten() {
            waker.wake_by_ref();
        }
    }

    /// What comes of a step that the drain may cut short; `None` when it did.
    pub(crate) async fn unless_draining<T>(&self, step: impl Future<Output = T>) -> Option<T> {
        let stop = self.stop_accepting.notified();
        tokio::pin!(stop);
        stop.as_mut().enable();
        if self.is_draining() {
            return None;
        }
        tokio::select! {
            () = stop => None,
            done = step => Some(done),
        }
    }

    /// Whether the plane goes down.
    pub(crate) fn is_draining(&self) -> bool {
        self.going.load(Ordering::Relaxed)
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.places.lock().taken.iter().flatten().count()
    }

    /// Waits until every connection has ended.
    pub(crate) async fn ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.open() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Marks the connections that have waited for their client for too long, and has those over HTTP/2 look at each of their answers.
    /// Called once in each interval.
    pub(crate) fn sweep(&self) {
        let now = self.sweeps.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        for (waker, watch) in self.places.lock().taken.iter().flatten() {
            if watch.is_overdue(now) {
                watch.expired.store(true, Ordering::Relaxed);
                waker.wake_by_ref();
            } else if watch.spoken == Spoken::Http2 {
                waker.wake_by_ref();
            }
        }
    }

    pub(crate) fn enter(&self, waker: &Waker, watch: &Arc<Watch>) -> usize {
        let mut places = self.places.lock();
        let place = places.free.pop().unwrap_or_else(|| {
            places.taken.push(None);
            places.taken.len() - 1
        });
        if let Some(slot) = places.taken.get_mut(place) {
            *slot = Some((waker.clone(), Arc::clone(watch)));
        }
        place
    }

    pub(crate) fn leave(&self, place: usize) {
        let mut places = self.places.lock();
        if let Some(slot) = places.taken.get_mut(place) {
            *slot = None;
            places.free.push(place);
        }
        drop(places);
        if self.is_draining() {
            self.ended.notify_waiters();
        }
    }
}

impl Watch {
    /// A connection that waits for its first request.
    pub(crate) fn new(connections: &Arc<Connections>, spoken: Spoken, idle: Duration) -> Arc<Self> {
        let now = connections.sweeps.load(Ordering::Relaxed);
        Arc::new(Self {
            requests: AtomicU32::new(0),
            since: AtomicU32::new(now),
            stuck: AtomicBool::new(false),
            begun: AtomicU32::new(now),
            expired: AtomicBool::new(false),
            endless: AtomicBool::new(false),
            patience: sweeps(idle),
            spoken,
            connections: Arc::clone(connections),
        })
    }

    /// The number of the newest sweep.
    pub(crate) fn now(&self) -> u32 {
        self.connections.sweeps.load(Ordering::Relaxed)
    }

    /// The client took bytes.
    pub(crate) fn moved(&self) {
        self.since.store(self.now(), Ordering::Relaxed);
        self.stuck.store(false, Ordering::Relaxed);
    }

    /// The client takes no bytes now. It is one task that calls this and [`Self::moved`].
    pub(crate) fn stuck(&self) {
        if !self.stuck.load(Ordering::Relaxed) {
            self.since.store(self.now(), Ordering::Relaxed);
            self.stuck.store(true, Ordering::Relaxed);
        }
    }

    /// Whether its client has kept it waiting for too long: for a request, or to take what it is owed. Over HTTP/1.1 there is one
    /// request at a time, which is bounded as a whole; over HTTP/2 each answer is.
    fn is_overdue(&self, now: u32) -> bool {
        let waited = now.saturating_sub(self.since.load(Ordering::Relaxed));
        let is_stuck = self.stuck.load(Ordering::Relaxed);
        let is_idle = self.requests.load(Ordering::Relaxed) == 0;
        let lasts = now.saturating_sub(self.begun.load(Ordering::Relaxed)) > REQUEST_SWEEPS;
        (is_idle && waited > self.patience)
            || (is_stuck && waited > READ_SWEEPS)
            || (lasts
                && self.spoken == Spoken::Http1
                && (is_stuck || !is_idle)
                && !self.endless.load(Ordering::Relaxed))
    }

    /// A request has begun; it lasts until the guard is dropped. It wins over an expiry that was marked just before.
    pub(crate) fn begin(self: &Arc<Self>) -> Guard {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.begun.store(self.now(), Ordering::Relaxed);
        self.expired.store(false, Ordering::Relaxed);
        Guard::new(Arc::<Self>::clone(self))
    }

    /// Whether it waited for too long.
    pub(crate) fn has_expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }
}

/// A request under way, from its head to the end of its answer.
impl Lasting for Watch {
    fn over(&self) {
        self.since.store(self.now(), Ordering::Relaxed);
        self.requests.fetch_sub(1, Ordering::Relaxed);
    }

    /// Nothing follows on a connection that was switched to another protocol.
    fn endless(&self) {
        self.endless.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_given_up_on_and_when() {
        use Spoken::{Http1, Http2};
        const MOST: u32 = REQUEST_SWEEPS;
        const IDLE: Duration = Duration::from_secs(60);
        // What is spoken, requests under way, whether the client is stuck, sweeps since it moved and since its request began.
        type Row<'a> = (&'a str, (Spoken, u32, bool), (u32, u32), bool);
        let rows: [Row<'_>; 10] = [
            ("waits for a request", (Http1, 0, false), (sweeps(IDLE), 0), false),
            ("waits for one too long", (Http1, 0, false), (sweeps(IDLE) + 1, 0), true),
            ("has one whose target thinks", (Http1, 1, false), (sweeps(IDLE) + 1, 0), false),
            ("does not read", (Http1, 1, true), (READ_SWEEPS, 0), false),
            ("does not read for too long", (Http1, 1, true), (READ_SWEEPS + 1, 0), true),
            ("does not read what is left", (Http2, 0, true), (READ_SWEEPS + 1, 0), true),
            ("reads a little for very long", (Http1, 1, true), (0, MOST + 1), true),
            ("reads what is left for very long", (Http1, 0, true), (0, MOST + 1), true),
            ("had a request long ago", (Http1, 0, false), (0, MOST + 1), false),
            ("has many, one after the other", (Http2, 1, true), (0, MOST + 1), false),
        ];
        for (name, (spoken, requests, stuck), (since, begun), expected) in rows {
            let watch = Watch::new(&Arc::default(), spoken, IDLE);
            watch.requests.store(requests, Ordering::Relaxed);
            watch.stuck.store(stuck, Ordering::Relaxed);
            let now = 2 * MOST;
            watch.since.store(now - since, Ordering::Relaxed);
            watch.begun.store(now - begun, Ordering::Relaxed);
            assert_eq!(watch.is_overdue(now), expected, "{name}");
        }
    }
}
