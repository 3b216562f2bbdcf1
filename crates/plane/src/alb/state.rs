//! What is known of targets, groups and links besides the snapshot. It outlives snapshots and is keyed by stable ids: health
//! belongs to (group, target), never to an address alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use topology::observed::{Health, TargetKey};

/// A target of a group.
#[derive(Debug)]
pub(crate) struct TargetState {
    /// Which.
    pub(crate) key: TargetKey,
    standing: AtomicU8,
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
        Self { key, standing: AtomicU8::new(0), in_flight: AtomicU32::new(0), requests: AtomicU64::new(0) }
    }

    /// Its health as far as choosing goes.
    pub(crate) fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Relaxed) {
            0 => Standing::Initial,
            1 => Standing::Healthy,
            _ => Standing::Unhealthy,
        }
    }

    /// Notes what probing says.
    pub(crate) fn set(&self, health: Health) {
        let code = match health {
            Health::Initial => 0,
            Health::Healthy => 1,
            Health::Unhealthy(_) => 2,
        };
        self.standing.store(code, Ordering::Relaxed);
    }

    /// Requests that it was chosen for.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests under way.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// Counts one request as under way until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<TargetState>);

impl InFlight {
    /// One more.
    pub(crate) fn begin(target: &Arc<TargetState>) -> Self {
        target.in_flight.fetch_add(1, Ordering::Relaxed);
        target.requests.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(target))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whose turn it is in a group.
#[derive(Debug, Default)]
pub(crate) struct Turn(AtomicUsize);

impl Turn {
    /// The next number.
    pub(crate) fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
