//! Targets that fail far more than their neighbours get less for as long (Automatic Target Weights; ALB user guide, "Edit target group
//! attributes", 2026-11). AWS looks at statuses of 5XX and at connections that fail, weighs anew every five seconds, and wants three
//! healthy targets; what is far more, and how fast shares move, is ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use topology::observed::Anomaly;

use super::state::TargetState;
use crate::clock;

/// How often targets are weighed.
const WINDOW: Duration = Duration::from_secs(5);
/// Healthy targets below which nobody is weighed.
const TARGETS_MIN: usize = 3;
/// Answers of a window below which a target is not judged by them.
const ANSWERS_MIN: u32 = 5;
/// A whole share, and the least.
pub(super) const WHOLE: u32 = 1 << 10;
const LEAST: u32 = WHOLE >> 5;
/// Failures that are an anomaly: at least one in so many, and so many times what the others have.
const ONE_IN: u32 = 5;
const TIMES: u32 = 3;

/// What is counted of one target.
#[derive(Debug)]
pub(super) struct Tally {
    answered: AtomicU32,
    failed: AtomicU32,
    share: AtomicU32,
    is_anomalous: AtomicU32,
}

impl Tally {
    pub(super) const fn new() -> Self {
        let (answered, failed, share) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(WHOLE));
        Self { answered, failed, share, is_anomalous: AtomicU32::new(0) }
    }

    /// Counts an exchange.
    pub(super) fn note(&self, is_failure: bool) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u32::from(is_failure), Ordering::Relaxed);
    }

    /// Its share, in [`WHOLE`]ths.
    pub(super) fn share(&self) -> u32 {
        self.share.load(Ordering::Relaxed)
    }

    /// Whether it stands out, and whether it gets less for it.
    pub(super) fn anomaly(&self) -> Anomaly {
        Anomaly { is_anomalous: self.is_anomalous.load(Ordering::Relaxed) > 0, is_mitigated: self.share() < WHOLE }
    }

    /// Ends a window: its answers, and how many of them failed.
    fn end(&self) -> (u32, u32) {
        let failed = self.failed.swap(0, Ordering::Relaxed);
        (self.answered.swap(0, Ordering::Relaxed).max(failed), failed)
    }

    /// A target that is anomalous loses half of its share, any other doubles it.
    fn weigh(&self, is_anomalous: bool) {
        let share = self.share();
        let share = if is_anomalous { (share / 2).max(LEAST) } else { share.saturating_mul(2).min(WHOLE) };
        self.share.store(share, Ordering::Relaxed);
        self.is_anomalous.store(u32::from(is_anomalous), Ordering::Relaxed);
    }
}

/// When the targets of a group were weighed last.
#[derive(Debug)]
pub(crate) struct Scales {
    born: Instant,
    weighed_ms: AtomicU64,
}

impl Default for Scales {
    fn default() -> Self {
        Self { born: clock::now(), weighed_ms: AtomicU64::new(0) }
    }
}

impl Scales {
    /// Whether this request is the one that weighs the targets.
    fn is_due(&self) -> bool {
        let now = u64::try_from(clock::now().duration_since(self.born).as_millis()).unwrap_or(u64::MAX);
        let last = self.weighed_ms.load(Ordering::Relaxed);
        let is_due = u128::from(now.saturating_sub(last)) >= WINDOW.as_millis();
        is_due && self.weighed_ms.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Weighs these healthy targets, if it is time; tells those for which something changed.
    pub(crate) fn weigh<'t>(
        &self,
        targets: impl Iterator<Item = &'t Arc<TargetState>>,
        mut tell: impl FnMut(&TargetState, Anomaly),
    ) {
        if !self.is_due() {
            return;
        }
        let counted: Vec<_> = targets.map(|target| (target, target.tally().end())).collect();
        let sum = |of: fn(&(u32, u32)) -> u32| counted.iter().map(|(_, window)| u64::from(of(window))).sum::<u64>();
        let (answered, failed) = (sum(|(answered, _)| *answered), sum(|(_, failed)| *failed));
        for (target, (own_answered, own_failed)) in &counted {
            let others = (answered - u64::from(*own_answered), failed - u64::from(*own_failed));
            let is_anomalous = counted.len() >= TARGETS_MIN && stands_out((*own_answered, *own_failed), others);
            let before = target.tally().anomaly();
            target.tally().weigh(is_anomalous);
            let now = target.tally().anomaly();
            if now != before {
                tell(target, now);
            }
        }
    }
}

/// Whether so many failures among so many answers are far more than the others had.
fn stands_out((answered, failed): (u32, u32), (others_answered, others_failed): (u64, u64)) -> bool {
    let is_much = answered >= ANSWERS_MIN && failed.saturating_mul(ONE_IN) >= answered;
    is_much && u64::from(failed) * others_answered.max(1) > u64::from(TIMES) * others_failed * u64::from(answered)
}

#[cfg(test)]
mod tests {
    use topology::id::TargetGroupId;
    use topology::observed::{Health, TargetKey};

    use super::*;

    #[test]
    fn what_stands_out() {
        for (own, others, expected) in [
            ((10, 2), (100, 0), true),
            ((10, 1), (100, 0), false),
            ((4, 4), (100, 0), false),
            ((10, 5), (100, 50), false),
            ((10, 10), (100, 50), false),
            ((10, 10), (100, 30), true),
            ((10, 10), (0, 0), true),
        ] {
            assert_eq!(stands_out(own, others), expected, "{own:?} beside {others:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_target_loses_half_every_five_seconds_and_gets_it_back() {
        let scales = Scales::default();
        let targets: Vec<_> = (1..=3)
            .map(|port| {
                let key = TargetKey { group: TargetGroupId::from_bits(1), address: [10, 0, 0, 1].into(), port };
                let state = Arc::new(TargetState::new(key, false));
                state.set(Health::Healthy, (false, clock::now()));
                state
            })
            .collect();
        let mut told = Vec::new();
        let mut pass = |is_failing: bool, of: usize| {
            for (at, target) in targets.iter().take(of).enumerate() {
                (0..10).for_each(|_| target.tally().note(is_failing && at == 0));
            }
            scales.weigh(targets.iter().take(of), |target, anomaly| told.push((target.key.port, anomaly)));
            targets[0].tally().share()
        };
        assert_eq!(pass(true, 3), WHOLE, "it is not time yet");
        for share in [WHOLE / 2, WHOLE / 4, WHOLE / 8, WHOLE / 16, LEAST, LEAST] {
            tokio::time::advance(WINDOW).await;
            assert_eq!(pass(true, 3), share);
        }
        for share in [LEAST * 2, LEAST * 4] {
            tokio::time::advance(WINDOW).await;
            assert_eq!(pass(false, 3), share);
        }
        tokio::time::advance(WINDOW).await;
        assert_eq!(pass(true, 2), LEAST * 8, "two are too few to tell who stands out");
        let expected = [(true, true), (false, true)]
            .map(|(is_anomalous, is_mitigated)| (1, Anomaly { is_anomalous, is_mitigated }));
        assert_eq!(told, expected, "told once for each change");
    }
}
