//! The connections of clients: which are open, which wait for a request and for how long, and who must be told when the plane
//! goes down. Time is counted in sweeps, so that a request costs no timer.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Waker;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::limits::{CLIENT_HEAD_TIMEOUT, IDLE_SWEEP_INTERVAL};

/// Sweeps after which a connection that still waits for a request is closed. One more than fit in, for the one under way.
const PATIENCE_SWEEPS: u32 = (CLIENT_HEAD_TIMEOUT.as_secs() / IDLE_SWEEP_INTERVAL.as_secs()) as u32 + 1;

/// The open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    going: AtomicBool,
    /// Wakes accept loops when the plane goes down.
    pub(super) stop_accepting: Notify,
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
    /// The sweep in which it began to wait for a request.
    since: AtomicU32,
    expired: AtomicBool,
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
    pub(super) async fn unless_draining<T>(&self, step: impl Future<Output = T>) -> Option<T> {
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
    pub(super) fn is_draining(&self) -> bool {
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

    /// Marks the connections that have waited for a request for too long. Called once in each interval.
    pub(crate) fn sweep(&self) {
        let now = self.sweeps.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        for (waker, watch) in self.places.lock().taken.iter().flatten() {
            let waits = watch.requests.load(Ordering::Relaxed) == 0;
            if waits && now.saturating_sub(watch.since.load(Ordering::Relaxed)) > PATIENCE_SWEEPS {
                watch.expired.store(true, Ordering::Relaxed);
                waker.wake_by_ref();
            }
        }
    }

    pub(super) fn enter(&self, waker: &Waker, watch: &Arc<Watch>) -> usize {
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

    pub(super) fn leave(&self, place: usize) {
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
    pub(super) fn new(connections: &Arc<Connections>) -> Arc<Self> {
        Arc::new(Self {
            requests: AtomicU32::new(0),
            since: AtomicU32::new(connections.sweeps.load(Ordering::Relaxed)),
            expired: AtomicBool::new(false),
            connections: Arc::clone(connections),
        })
    }

    /// A request has begun; it lasts until the guard is dropped. It wins over an expiry that was marked just before.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.expired.store(false, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// Whether it waited for too long.
    pub(super) fn has_expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }
}

/// A request under way, from its head to the end of its answer.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Watch>);

impl Drop for Busy {
    fn drop(&mut self) {
        let now = self.0.connections.sweeps.load(Ordering::Relaxed);
        self.0.since.store(now, Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
