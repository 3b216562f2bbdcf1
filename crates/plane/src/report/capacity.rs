//! What a load balancer uses of capacity units (LCU), minute by minute: the greatest of four dimensions (Elastic Load Balancing pricing, "LCU
//! details", 2026-11). Only counts go in; whoever counts them says what they leave out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits::CAPACITY_WINDOW;

/// Connections a second, connections that are open, bytes an hour and rule evaluations a second, of one unit.
const NEW_A_SECOND: f64 = 25.0;
const OPEN: f64 = 3_000.0;
const BYTES_AN_HOUR: f64 = 1e9;
const RULES_A_SECOND: f64 = 1_000.0;
/// Rules of a request that are evaluated for nothing.
const RULES_FREE: usize = 10;

/// How many of these evaluations of one request count.
pub(crate) const fn counting(evaluated: usize) -> u64 {
    evaluated.saturating_sub(RULES_FREE) as u64
}

/// Counts since the load balancer was made, and what is open now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Connections of clients.
    pub(crate) connections: u64,
    /// Those that are open.
    pub(crate) open: u64,
    /// Bytes both ways.
    pub(crate) bytes: u64,
    /// Rule evaluations that count.
    pub(crate) rules: u64,
}

/// The units of the last whole minute.
#[derive(Debug, Default)]
pub(crate) struct Units {
    begun: Mutex<Option<(Instant, Totals)>>,
    /// The bits of a number.
    used: AtomicU64,
}

impl Units {
    /// Looks at the totals; where a minute is over since they were last kept, it is weighed and the next one begins.
    pub(crate) fn look(&self, now: Instant, totals: Totals) {
        let mut begun = self.begun.lock();
        // What was counted before the first look belongs to the first minute.
        let (since, before) = *begun.get_or_insert((now, Totals::default()));
        let elapsed = now.duration_since(since);
        if elapsed >= CAPACITY_WINDOW {
            self.used.store(weigh(elapsed, before, totals).to_bits(), Ordering::Relaxed);
            *begun = Some((now, totals));
        }
    }

    /// How many were used in the last whole minute; 0 before there was one.
    pub(crate) fn read(&self) -> f64 {
        f64::from_bits(self.used.load(Ordering::Relaxed))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a minute are far below 2^53")]
fn weigh(elapsed: Duration, before: Totals, now: Totals) -> f64 {
    let a_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / elapsed.as_secs_f64();
    let dimensions = [
        a_second(now.connections, before.connections) / NEW_A_SECOND,
        now.open as f64 / OPEN,
        a_second(now.bytes, before.bytes) * 3_600.0 / BYTES_AN_HOUR,
        a_second(now.rules, before.rules) / RULES_A_SECOND,
    ];
    dimensions.into_iter().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_dimension_counts() {
        const NONE: Totals = Totals { connections: 0, open: 0, bytes: 0, rules: 0 };
        let before = Totals { connections: 100, open: 9_000, bytes: 1_000, rules: 50 };
        let rows = [
            ("nothing", Totals { open: 0, ..before }, 0.0),
            ("50 new ones a second", Totals { connections: 3_100, open: 300, ..before }, 2.0),
            ("3000 open ones", Totals { open: 3_000, ..before }, 1.0),
            ("a GB in a minute", Totals { bytes: 1_000_001_000, open: 3, ..before }, 60.0),
            ("500 evaluations a second", Totals { rules: 30_050, open: 3, ..before }, 0.5),
        ];
        for (name, now, units) in rows {
            let weighed = weigh(Duration::from_secs(60), before, now);
            assert!((weighed - units).abs() < 1e-9, "{name}: {weighed}");
        }
        assert_eq!([0, 10, 11, 100].map(counting), [0, 0, 1, 90]);
        assert_eq!(Totals::default(), NONE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_is_weighed_when_it_is_over() {
        let units = Units::default();
        let totals = |connections| Totals { connections, ..Totals::default() };
        for (pass_s, connections, used) in
            [(0, 25, 0.0), (59, 1_500, 0.0), (1, 1_500, 1.0), (59, 9_000, 1.0), (1, 1_500, 0.0)]
        {
            tokio::time::advance(Duration::from_secs(pass_s)).await;
            units.look(crate::clock::now(), totals(connections));
            assert!((units.read() - used).abs() < 1e-9, "{pass_s} {connections}: {}", units.read());
        }
    }
}
