//! Rate limits by the generic cell rate algorithm: a bucket is one atomic number, the moment at which it will be full again.
//! Taking a token moves that moment by the spacing of the limit, as long as it stays within the bucket's window. There is no
//! lock, and the count is exact over all threads.
//!
//! Buckets outlive snapshots: they are known by what they count, and a limit that changes takes effect on what is in them.

use std::sync::atomic::{AtomicU64, Ordering};

use topology::snapshot::front::{RateLimit, TICKS_PER_SECOND};

/// The state of a token bucket. A new one is full.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    full_at: AtomicU64,
}

impl Bucket {
    /// Takes a token, if there is one. `now` in ticks since the plane began.
    pub(crate) fn take(&self, limit: &RateLimit, now: u64) -> bool {
        if limit.is_closed() {
            return false;
        }
        let latest = now.saturating_add(limit.window());
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            // A bucket that was emptied under another limit is at most empty under this one.
            let (next, taken) = match full_at.max(now).saturating_add(limit.spacing()) {
                next if next <= latest => (next, true),
                _ if full_at > latest => (latest, false),
                _ => return false,
            };
            match self.full_at.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return taken,
                Err(newer) => full_at = newer,
            }
        }
    }
}

/// The moment of a snapshot's clock, in ticks.
pub(crate) fn ticks(since: std::time::Duration) -> u64 {
    let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    nanos.saturating_mul(TICKS_PER_SECOND / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const SECOND: u64 = TICKS_PER_SECOND;

    /// How many of `asked` requests, evenly spread over `seconds` from `from` on, get a token.
    fn passed(bucket: &Bucket, limit: &RateLimit, (from, seconds): (u64, u64), asked: u64) -> u64 {
        let at =
            |n: u64| from + u64::try_from(u128::from(n) * u128::from(seconds * SECOND) / u128::from(asked)).unwrap();
        (0..asked).filter(|n| bucket.take(limit, at(*n))).count() as u64
    }

    #[test]
    fn a_burst_then_the_steady_rate() {
        for (rate, burst) in [(10.0, 5), (250.0, 100), (4000.0, 40)] {
            let (bucket, limit) = (Bucket::default(), RateLimit::new(rate, burst));
            let got = passed(&bucket, &limit, (SECOND, 10), 100_000) as f64;
            let expected = rate * 10.0 + burst as f64;
            assert!((got - expected).abs() <= expected * 0.001 + 1.0, "{rate} {burst}: {got} of {expected}");
        }
    }

    #[test]
    fn a_bucket_fills_again_and_no_further() {
        let (bucket, limit) = (Bucket::default(), RateLimit::new(1.0, 3));
        assert_eq!((0..5).filter(|_| bucket.take(&limit, 0)).count(), 3);
        assert_eq!((0..5).filter(|_| bucket.take(&limit, 2 * SECOND)).count(), 2);
        assert_eq!((0..5).filter(|_| bucket.take(&limit, 100 * SECOND)).count(), 3);
    }

    #[test]
    fn zero_in_either_number_lets_nothing_pass() {
        for (rate, burst) in [(0.0, 5), (5.0, 0), (0.0, 0)] {
            assert!(!Bucket::default().take(&RateLimit::new(rate, burst), SECOND));
        }
    }

    #[test]
    fn a_wider_limit_takes_effect_at_once() {
        let (bucket, narrow, wide) = (Bucket::default(), RateLimit::new(0.001, 10), RateLimit::new(1000.0, 10));
        assert_eq!((0..20).filter(|_| bucket.take(&narrow, 0)).count(), 10);
        assert!(!bucket.take(&wide, 0), "what was used stays used");
        assert!(bucket.take(&wide, SECOND / 1000), "and comes back at the new rate");
    }

    #[test]
    fn threads_together_take_no_more_than_there_is() {
        let (bucket, limit) = (Arc::new(Bucket::default()), RateLimit::new(1.0, 5000));
        let taken = std::thread::scope(|scope| {
            let run = || (0..10_000).filter(|_| bucket.take(&limit, SECOND)).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(taken, 5000);
    }
}
