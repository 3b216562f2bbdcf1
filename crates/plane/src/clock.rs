//! The only place of this crate that reads a clock. The monotonic one is tokio's, so that tests can pause it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Now, monotonic.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since 1970; zero on a clock that stands before it.
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Whole microseconds, in 64 bits: enough for half a million years.
pub(crate) fn micros(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(time.subsec_micros()))
}

/// Microseconds since `start`, saturating after an hour and eleven minutes.
pub(crate) fn micros_since(start: Instant) -> u32 {
    u32::try_from(micros(now().duration_since(start))).unwrap_or(u32::MAX)
}
