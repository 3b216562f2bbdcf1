//! The real time, on both ends of a signature.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time by which signatures are judged: the real one, whatever `tick` says, since signers do not hear of it.
pub(crate) fn wall_clock() -> wire::Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    wire::Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
