//! What is known of targets, groups and links besides the snapshot. It outlives snapshots and is keyed by stable ids: health
//! belongs to (group, target), never to an address alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use topology::observed::{Health, TargetKey, Unhealthy};

use crate::guard::{Guard, Lasting};

// Health in one word: its kind, and above it the status that did not match.
const KIND: u32 = 0xff;
const INITIAL: u32 = 0;
const HEALTHY: u32 = 1;
const TIMEOUT: u32 = 2;
const FAILED: u32 = 3;
const MISMATCH: u32 = 4;
const STATUS_SHIFT: u32 = 8;

/// A target group.
#[derive(Debug)]
pub(crate) struct GroupState {
    /// Whose turn it is.
    pub(crate) rotation: Arc<Rotation>,
    /// The targets, at the same places as in the snapshot.
    pub(crate) targets: Vec<Arc<TargetState>>,
}

/// A target of a group.
#[derive(Debug)]
pub(crate) struct TargetState {
    /// Which.
    pub(crate) key: TargetKey,
    health: AtomicU32,
    in_flight: AtomicU32,
    requests: AtomicU64,
}

/// What choosing needs to know of a target's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No probe has ended.
    Initial,
    /// It gets traffic.
    Healthy,
    /// It gets none while another is healthy.
    Unhealthy,
}

impl TargetState {
    /// A target that was never probed.
    pub(crate) const fn new(key: TargetKey) -> Self {
        Self { key, health: AtomicU32::new(INITIAL), in_flight: AtomicU32::new(0), requests: AtomicU64::new(0) }
    }

    /// Its health as far as choosing goes.
    pub(crate) fn standing(&self) -> Standing {
        match self.health.load(Ordering::Relaxed) & KIND {
            INITIAL => Standing::Initial,
            HEALTHY => Standing::Healthy,
            _ => Standing::Unhealthy,
        }
    }

    /// What the last probes said.
    pub(crate) fn health(&self) -> Health {
        let noted = self.health.load(Ordering::Relaxed);
        match noted & KIND {
            INITIAL => Health::Initial,
            HEALTHY => Health::Healthy,
            TIMEOUT => Health::Unhealthy(Unhealthy::Timeout),
            MISMATCH => Health::Unhealthy(Unhealthy::ResponseCodeMismatch((noted >> STATUS_SHIFT) as u16)),
            _ => Health::Unhealthy(Unhealthy::FailedHealthChecks),
        }
    }

    /// Notes what probing says.
    pub(crate) fn set(&self, health: Health) {
        let noted = match health {
            Health::Initial => INITIAL,
            Health::Healthy => HEALTHY,
            Health::Unhealthy(Unhealthy::Timeout) => TIMEOUT,
            Health::Unhealthy(Unhealthy::FailedHealthChecks) => FAILED,
            Health::Unhealthy(Unhealthy::ResponseCodeMismatch(status)) => MISMATCH | u32::from(status) << STATUS_SHIFT,
        };
        self.health.store(noted, Ordering::Relaxed);
    }

    /// Requests that it was chosen for.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts one request more, as under way until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Guard {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        Guard::new(Arc::<Self>::clone(self))
    }

    /// Requests under way.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// A request under way at the target.
impl Lasting for TargetState {
    fn over(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whose turn it is in a group.
#[derive(Debug, Default)]
pub(crate) struct Rotation(AtomicUsize);

impl Rotation {
    /// The next number.
    pub(crate) fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
