//! Records the hop trace of each request into a ring of fixed size. What a slot held is handed back to be written over, so
//! that recording does not allocate once the ring is full.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;
use topology::id::ApiId;
use topology::reason::Reason;
use topology::trace::{Hop, HopId, HopKind, RequestId, Trace};

use crate::limits::{TRACE_METHOD_BYTES_MAX, TRACE_PATH_BYTES_MAX, TRACES_KEPT};
use crate::{clock, entropy};

/// The newest traces.
#[derive(Debug)]
pub struct TraceRing {
    slots: Box<[Mutex<Option<Box<Trace>>>]>,
    next: AtomicUsize,
}

thread_local! {
    /// One trace to write over.
    static SPARE: RefCell<Option<Box<Trace>>> = const { RefCell::new(None) };
}

/// Hops of a request through the whole chain.
const HOPS_USUAL: usize = 10;

impl Default for TraceRing {
    fn default() -> Self {
        Self { slots: (0..TRACES_KEPT).map(|_| Mutex::new(None)).collect(), next: AtomicUsize::new(0) }
    }
}

impl TraceRing {
    /// The trace of this request, if it is still kept.
    #[must_use]
    pub fn find(&self, id: RequestId) -> Option<Trace> {
        self.slots
            .iter()
            .find_map(|slot| slot.lock().as_ref().filter(|trace| trace.request_id == id).map(|trace| (**trace).clone()))
    }

    /// The newest traces, the newest first.
    #[must_use]
    pub fn newest(&self, count: usize) -> Vec<Trace> {
        let next = self.next.load(Ordering::Relaxed);
        let places = (1..=self.slots.len()).map(|back| next.wrapping_sub(back) % self.slots.len());
        places.filter_map(|place| self.slots[place].lock().as_deref().cloned()).take(count).collect()
    }

    /// Notes on a kept trace that the answer broke off.
    pub(crate) fn amend(&self, id: RequestId, reason: Reason) {
        for slot in &self.slots {
            let mut slot = slot.lock();
            if let Some(trace) = slot.as_mut().filter(|trace| trace.request_id == id) {
                trace.reason.get_or_insert(reason);
                let micros = trace.hops.last().map_or(0, |hop| hop.micros);
                trace.hops.push(Hop::stop(HopKind::Target, HopId::None, reason, micros));
                return;
            }
        }
    }

    fn keep(&self, trace: Box<Trace>) {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        let old = self.slots[place].lock().replace(trace);
        SPARE.with(|spare| *spare.borrow_mut() = old);
    }
}

/// The trace of a request under way. Dropped before its end, it says that the client went away.
#[derive(Debug)]
pub(crate) struct Recording {
    trace: Option<Box<Trace>>,
    ring: Arc<TraceRing>,
    id: RequestId,
    start: Instant,
    now_micros: u32,
}

impl Recording {
    /// Begins a trace under a fresh request id.
    pub(crate) fn begin(ring: &Arc<TraceRing>, revision: u64, method: &str, path: &str) -> Self {
        let id = RequestId::from_bits(entropy::bits128());
        let spare = SPARE.with(|spare| spare.borrow_mut().take());
        let mut trace = spare.unwrap_or_else(|| {
            Box::new(Trace {
                request_id: id,
                revision,
                started_unix_micros: 0,
                api: None,
                status: 0,
                reason: None,
                method: String::new(),
                path: String::new(),
                forwarded_path: String::new(),
                hops: Vec::with_capacity(HOPS_USUAL),
                hints: Vec::new(),
            })
        });
        trace.request_id = id;
        trace.revision = revision;
        trace.started_unix_micros = clock::micros(clock::since_epoch());
        (trace.api, trace.status, trace.reason) = (None, 0, None);
        write_over(&mut trace.method, method, TRACE_METHOD_BYTES_MAX);
        write_over(&mut trace.path, path, TRACE_PATH_BYTES_MAX);
        trace.forwarded_path.clear();
        trace.hops.clear();
        trace.hints.clear();
        Self { trace: Some(trace), ring: Arc::clone(ring), id, start: clock::now(), now_micros: 0 }
    }

    /// The request's id.
    pub(crate) const fn id(&self) -> RequestId {
        self.id
    }

    /// When the request began.
    pub(crate) const fn start(&self) -> Instant {
        self.start
    }

    /// Reads the clock: the hops that follow carry this time. Steps that do not wait share one reading.
    pub(crate) fn read_clock(&mut self) {
        self.now_micros = clock::micros_since(self.start);
    }

    /// The API was found.
    pub(crate) fn api(&mut self, api: ApiId) {
        if let Some(trace) = &mut self.trace {
            trace.api = Some(api);
        }
    }

    /// The path that the backend gets, where it differs.
    pub(crate) fn forwarded_path(&mut self, path: &str) {
        if let Some(trace) = &mut self.trace {
            write_over(&mut trace.forwarded_path, path, TRACE_PATH_BYTES_MAX);
        }
    }

    /// A step passed.
    pub(crate) fn pass(&mut self, kind: HopKind, id: HopId) {
        self.hop(Hop::pass(kind, id, self.now_micros));
    }

    /// A step stopped the request.
    pub(crate) fn stop(&mut self, kind: HopKind, id: HopId, reason: Reason) {
        self.hop(Hop::stop(kind, id, reason, self.now_micros));
    }

    /// Any step; its time is the last reading. The first reason is the trace's.
    pub(crate) fn hop(&mut self, hop: Hop) {
        let micros = self.now_micros;
        if let Some(trace) = &mut self.trace {
            if trace.reason.is_none() {
                trace.reason = hop.reason;
            }
            trace.hops.push(Hop { micros, ..hop });
        }
    }

    /// A hint: the request may have passed all the same.
    pub(crate) fn hint(&mut self, hint: Reason) {
        if let Some(trace) = &mut self.trace {
            trace.hints.push(hint);
        }
    }

    /// The reason that stopped the request, so far.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.trace.as_ref().and_then(|trace| trace.reason)
    }

    /// The request is answered.
    pub(crate) fn finish(mut self, status: u16) {
        if let Some(mut trace) = self.trace.take() {
            trace.status = status;
            self.ring.keep(trace);
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(mut trace) = self.trace.take() {
            trace.reason.get_or_insert(Reason::ClientClosed);
            let micros = clock::micros_since(self.start);
            trace.hops.push(Hop::stop(HopKind::Gateway, HopId::None, Reason::ClientClosed, micros));
            self.ring.keep(trace);
        }
    }
}

fn write_over(text: &mut String, value: &str, max: usize) {
    text.clear();
    text.push_str(&value[..value.floor_char_boundary(max)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_and_finds_them_by_id() {
        let ring = Arc::new(TraceRing::default());
        let first = Recording::begin(&ring, 1, "GET", "/first");
        let first_id = first.id();
        first.finish(200);
        assert_eq!(ring.find(first_id).unwrap().path, "/first");
        for _ in 0..TRACES_KEPT {
            Recording::begin(&ring, 1, "GET", "/later").finish(200);
        }
        assert!(ring.find(first_id).is_none());
        assert_eq!(ring.newest(3).len(), 3);
    }

    #[test]
    fn a_recording_that_is_dropped_says_that_the_client_closed() {
        let ring = Arc::new(TraceRing::default());
        let recording = Recording::begin(&ring, 1, "GET", "/");
        let id = recording.id();
        drop(recording);
        assert_eq!(ring.find(id).unwrap().reason, Some(Reason::ClientClosed));
    }

    #[test]
    fn what_is_written_over_leaves_nothing_behind() {
        let ring = Arc::new(TraceRing::default());
        for _ in 0..=TRACES_KEPT {
            let mut recording = Recording::begin(&ring, 1, "GET", "/a");
            recording.stop(HopKind::Route, HopId::None, Reason::RouteNotFound);
            recording.hint(Reason::OpenToWorld);
            recording.finish(404);
        }
        let recording = Recording::begin(&ring, 2, "POST", "/b");
        let id = recording.id();
        recording.finish(200);
        let trace = ring.find(id).unwrap();
        assert_eq!((trace.reason, trace.hops.len(), trace.hints.len(), trace.status), (None, 0, 0, 200));
        assert_eq!((trace.method.as_str(), trace.path.as_str(), trace.revision), ("POST", "/b", 2));
    }
}
