//! The only place of this crate that reads a clock, and how logs write times. The monotonic clock is tokio's, so that tests can
//! pause it.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use topology::time::Moment;

/// Now, monotonic.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since 1970; zero on a clock that stands before it.
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A time since 1970 as rooms exchange it, saturating.
pub(crate) fn moment(since_epoch: Duration) -> Moment {
    Moment(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Whole microseconds, in 64 bits: enough for half a million years.
pub(crate) fn micros(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(time.subsec_micros()))
}

/// Microseconds since `start`, saturating after an hour and eleven minutes.
pub(crate) fn micros_since(start: Instant) -> u32 {
    u32::try_from(micros(now().duration_since(start))).unwrap_or(u32::MAX)
}

/// `22/Nov/2026:10:00:00 +0000`: days into years and months by the civil calendar.
pub(crate) fn common_log_time(since_epoch: Duration) -> String {
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    let Ok(time) = jiff::Timestamp::from_second(seconds) else { return String::new() };
    let mut text = String::new();
    // A format of our own and a string: neither can fail.
    let _ = write!(text, "{}", time.strftime("%d/%b/%Y:%H:%M:%S +0000"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_in_the_common_log_format() {
        assert_eq!(common_log_time(Duration::from_secs(1_795_341_600)), "22/Nov/2026:10:00:00 +0000");
        assert_eq!(common_log_time(Duration::from_secs(951_782_400)), "29/Feb/2000:00:00:00 +0000");
    }
}
