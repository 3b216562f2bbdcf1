//! What is known of targets, groups and links besides the snapshot. It outlives snapshots and is keyed by stable ids: health
//! belongs to (group, target), never to an address alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use topology::observed::{Anomaly, Health, TargetKey, Unhealthy};

use super::anomaly::{Scales, Tally};
use super::sticky::Told;
use crate::clock;
use crate::guard::{Guard, Lasting};
use crate::report::balancer_meter::GroupMeter;

// Health in one word: its kind, and above it the status that did not match.
const KIND: u32 = 0xff;
const INITIAL: u32 = 0;
const HEALTHY: u32 = 1;
const TIMEOUT: u32 = 2;
const FAILED: u32 = 3;
const MISMATCH: u32 = 4;
const STATUS_SHIFT: u32 = 8;

/// A target group.
#[derive(Debug, Default)]
pub(crate) struct GroupState {
    /// Whose turn it is.
    pub(crate) rotation: Arc<Rotation>,
    /// Who gets a turn that was let pass.
    pub(crate) passed: Arc<Rotation>,
    /// When its targets were weighed.
    pub(crate) scales: Arc<Scales>,
    /// What is counted of it.
    pub(crate) meter: Arc<GroupMeter>,
    /// The targets, at the same places as in the snapshot.
    pub(crate) targets: Vec<Arc<TargetState>>,
}

/// A target of a group.
#[derive(Debug)]
pub(crate) struct TargetState {
    /// Which.
    pub(crate) key: TargetKey,
    health: AtomicU32,
    /// Since when it is unhealthy, if it is.
    ill: Mutex<Option<Instant>>,
    in_flight: AtomicU32,
    requests: AtomicU64,
    ramp: Ramp,
    tally: Tally,
    /// How clients that stay with it were told so last.
    pub(crate) told: Told,
}

/// How the share of a target grows after it came (slow start; ALB user guide, "Edit target group attributes", 2026-11).
#[derive(Debug)]
struct Ramp {
    born: Instant,
    /// When it began, in milliseconds since then and one; 0 is none, and [`Ramp::AWAITED`] one that begins once the target is healthy.
    began: AtomicU64,
    /// The shares of all turns that it had, in [`Ramp::WHOLE`]ths.
    passed: AtomicU32,
}

impl Ramp {
    const AWAITED: u64 = u64::MAX;
    const WHOLE: u32 = 1 << 16;

    fn new(is_awaited: bool) -> Self {
        let began = AtomicU64::new(if is_awaited { Self::AWAITED } else { 0 });
        Self { born: clock::now(), began, passed: AtomicU32::new(0) }
    }

    fn since_birth_ms(&self) -> u64 {
        u64::try_from(clock::now().duration_since(self.born).as_millis()).unwrap_or(Self::AWAITED)
    }

    fn begin(&self) {
        self.began.store(self.since_birth_ms().saturating_add(1), Ordering::Relaxed);
    }

    fn is_awaited(&self) -> bool {
        self.began.load(Ordering::Relaxed) == Self::AWAITED
    }

    fn end(&self) {
        self.began.store(0, Ordering::Relaxed);
    }

    /// The share now, in [`Ramp::WHOLE`]ths; `None` is a whole one.
    fn share(&self, whole: Duration) -> Option<u32> {
        let began = self.began.load(Ordering::Relaxed).checked_sub(1).filter(|began| *began < Self::AWAITED - 1)?;
        let elapsed = Duration::from_millis(self.since_birth_ms().saturating_sub(began));
        if elapsed >= whole {
            return None;
        }
        let share = elapsed.as_millis() * u128::from(Self::WHOLE) / whole.as_millis().max(1);
        u32::try_from(share).ok()
    }
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
    /// A target that was never probed. One that is a newcomer starts slowly once it is healthy.
    pub(crate) fn new(key: TargetKey, is_newcomer: bool) -> Self {
        let (health, in_flight, requests) = (AtomicU32::new(INITIAL), AtomicU32::new(0), AtomicU64::new(0));
        let (ramp, tally) = (Ramp::new(is_newcomer), Tally::new());
        Self { key, health, ill: Mutex::new(None), in_flight, requests, ramp, tally, told: Told::default() }
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

    /// Since when it is unhealthy, if it is.
    pub(crate) fn ill_since(&self) -> Option<Instant> {
        *self.ill.lock()
    }

    /// Notes what probing says now. Where targets start slowly, one that recovers does too.
    pub(crate) fn set(&self, health: Health, (starts_slowly, now): (bool, Instant)) {
        let mut ill = self.ill.lock();
        *ill = if let Health::Unhealthy(_) = health { ill.or(Some(now)) } else { None };
        drop(ill);
        match (health, self.standing()) {
            (Health::Healthy, Standing::Initial) if self.ramp.is_awaited() => self.ramp.begin(),
            (Health::Healthy, Standing::Unhealthy) if starts_slowly => self.ramp.begin(),
            (Health::Unhealthy(_), _) => self.ramp.end(),
            (Health::Healthy | Health::Initial, _) => {}
        }
        let noted = match health {
            Health::Initial => INITIAL,
            Health::Healthy => HEALTHY,
            Health::Unhealthy(Unhealthy::Timeout) => TIMEOUT,
            Health::Unhealthy(Unhealthy::FailedHealthChecks) => FAILED,
            Health::Unhealthy(Unhealthy::ResponseCodeMismatch(status)) => MISMATCH | u32::from(status) << STATUS_SHIFT,
        };
        self.health.store(noted, Ordering::Relaxed);
    }

    /// Whether it is healthy and gets its whole share.
    pub(crate) fn has_whole_share(&self, slow_start: Duration) -> bool {
        self.standing() == Standing::Healthy && self.ramp.share(slow_start).is_none()
    }

    /// Whether the next request that would be its goes to it: while its share grows, so many of them do.
    pub(crate) fn takes_next(&self, slow_start: Duration) -> bool {
        let Some(share) = self.ramp.share(slow_start) else { return true };
        // One total, which may begin again at 0: each time that it passes a whole one, a request is taken.
        let before = self.ramp.passed.fetch_add(share, Ordering::Relaxed);
        before / Ramp::WHOLE != before.wrapping_add(share) / Ramp::WHOLE
    }

    /// What its answers were.
    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether it fails far more than its neighbours, and whether it gets less for it.
    pub(crate) fn anomaly(&self) -> Anomaly {
        self.tally.anomaly()
    }

    /// Counts an exchange with it, for its neighbours to be compared with.
    pub(crate) fn note(&self, is_failure: bool) {
        self.tally.note(is_failure);
    }

    /// Requests that it was chosen for.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Where those are counted.
    pub(crate) const fn requests_counted(&self) -> &AtomicU64 {
        &self.requests
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
