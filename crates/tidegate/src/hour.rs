//! The real time, on both ends of a signature, and how moments are told.

use std::time::{SystemTime, UNIX_EPOCH};

use topology::time::Moment;

/// The time by which signatures are judged: the real one, whatever `tick` says, since signers do not hear of it.
pub(crate) fn wall_clock() -> wire::Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    wire::Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A moment as RFC 3339 has it, to the second.
pub(crate) fn iso(at: Moment) -> String {
    jiff::Timestamp::from_second(at.0.div_euclid(1000)).map(|at| at.to_string()).unwrap_or_default()
}
