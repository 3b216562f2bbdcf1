//! Counts of requests, each where CloudWatch has a metric of that name (HTTP API developer guide, "Work with metrics for
//! HTTP APIs", 2026-11). A request holds its meters from the snapshot it uses, so that counting looks nothing up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;

/// Upper bounds of the buckets of a latency, in milliseconds; one more bucket takes the rest.
pub(crate) const BOUNDS_MS: [u64; 14] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000];

/// What is counted of a stage or a route.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// `Count`
    pub(crate) count: AtomicU64,
    /// `4xx`
    pub(crate) client_errors: AtomicU64,
    /// `5xx`
    pub(crate) server_errors: AtomicU64,
    /// `DataProcessed`, in bytes.
    pub(crate) bytes: AtomicU64,
    /// `Latency`
    pub(crate) latency: Latency,
    /// `IntegrationLatency`
    pub(crate) integration_latency: Latency,
}

/// How a request ended, as far as it is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tallied {
    /// The status; none for a client that left before there was one.
    pub(crate) status: Option<u16>,
    /// Bytes of both bodies.
    pub(crate) bytes: u64,
    /// From the request's head to the end of its answer.
    pub(crate) latency: Duration,
    /// From sending to the integration to the head of its answer.
    pub(crate) integration_latency: Option<Duration>,
}

impl Meter {
    /// Counts a request.
    pub(crate) fn count(&self, ended: &Tallied) {
        let one = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        one(&self.count);
        match ended.status {
            Some(400..=499) => _ = one(&self.client_errors),
            Some(500..=599) => _ = one(&self.server_errors),
            _ => {}
        }
        self.bytes.fetch_add(ended.bytes, Ordering::Relaxed);
        self.latency.observe(ended.latency);
        if let Some(took) = ended.integration_latency {
            self.integration_latency.observe(took);
        }
    }
}

/// A distribution of times.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
    micros: AtomicU64,
}

/// A distribution as it is at one moment.
#[derive(Debug, PartialEq)]
pub(crate) struct LatencyReading {
    /// The sum, in milliseconds.
    pub(crate) sum_ms: f64,
    /// How many there were.
    pub(crate) count: u64,
    /// Upper bound in milliseconds and how many fell below it and not below the one before.
    pub(crate) buckets: Vec<(f64, u64)>,
}

impl Latency {
    /// Takes one in.
    pub(crate) fn observe(&self, time: Duration) {
        let micros = clock::micros(time);
        let at = BOUNDS_MS.partition_point(|bound| micros > bound * 1000);
        self.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Where its buckets and its sum, in microseconds, are kept.
    pub(super) const fn cells(&self) -> (&[AtomicU64; BOUNDS_MS.len() + 1], &AtomicU64) {
        (&self.buckets, &self.micros)
    }

    /// What it holds now.
    #[allow(clippy::cast_precision_loss, reason = "a sum of microseconds is exact for 285 years of waiting")]
    pub(crate) fn read(&self) -> LatencyReading {
        let bounds = BOUNDS_MS.iter().map(|bound| *bound as f64).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(self.buckets.iter().map(|count| count.load(Ordering::Relaxed))).collect();
        LatencyReading {
            sum_ms: self.micros.load(Ordering::Relaxed) as f64 / 1000.0,
            count: buckets.iter().map(|(_, count)| count).sum(),
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_once_in_each_metric_that_it_concerns() {
        let meter = Meter::default();
        for (status, ms) in [(Some(200), 1), (Some(404), 3), (Some(503), 40_000), (None, 7)] {
            meter.count(&Tallied {
                status,
                bytes: 10,
                latency: Duration::from_millis(ms),
                integration_latency: status.filter(|s| *s == 200).map(|_| Duration::from_micros(500)),
            });
        }
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!((read(&meter.count), read(&meter.client_errors), read(&meter.server_errors)), (4, 1, 1));
        assert_eq!(read(&meter.bytes), 40);
        let latency = meter.latency.read();
        assert_eq!((latency.count, latency.sum_ms), (4, 40_011.0));
        let filled: Vec<_> = latency.buckets.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [&(1.0, 1), &(5.0, 1), &(10.0, 1), &(f64::INFINITY, 1)]);
        assert_eq!(meter.integration_latency.read().count, 1);
    }
}
