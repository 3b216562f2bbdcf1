//! The end of a request at a load balancer: its answer's body is over, broke off, or its client went away. Its bytes are counted and
//! its entry is closed here, once, when the value is dropped.

use std::sync::Arc;

use super::balancer_meter::BalancerMeter;
use super::entry::Entry;
use crate::clock;
use crate::http::body::Progress;

/// What is settled when the answer of a load balancer is over.
#[derive(Debug)]
pub(crate) struct Visited {
    meter: Arc<BalancerMeter>,
    sent: Option<Arc<Progress>>,
    entry: Option<Box<Entry>>,
    answered_bytes: u64,
}

impl Visited {
    /// What is still to be settled: bytes of bodies, and the entry of a log.
    pub(crate) fn new(meter: &Arc<BalancerMeter>, sent: Option<Arc<Progress>>, entry: Option<Box<Entry>>) -> Self {
        Self { meter: Arc::clone(meter), sent, entry, answered_bytes: 0 }
    }

    /// So many bytes of the answer's body went out.
    pub(crate) fn passed(&mut self, bytes: usize) {
        self.answered_bytes = self.answered_bytes.saturating_add(bytes as u64);
    }
}

impl Drop for Visited {
    fn drop(&mut self) {
        let received = self.sent.as_ref().map_or(0, |sent| sent.bytes());
        self.meter.bytes.add(received.saturating_add(self.answered_bytes));
        if let Some(entry) = self.entry.take() {
            entry.close(clock::since_epoch(), (received, self.answered_bytes));
        }
    }
}
