//! What both versions of API Gateway check and write alike: faults, tags, lengths, access logs, stage variables. Nothing that
//! only one version has.

pub(crate) mod access_log;
pub(crate) mod api_id;
pub(crate) mod api_parts;
pub(crate) mod document;
pub(crate) mod fault;
pub(crate) mod tags;
pub(crate) mod variables;

use std::ops::RangeInclusive;

use topology::time::Moment;
use wire::Fault;

/// A moment as these services write it: whole seconds.
pub(crate) fn seconds(moment: Moment) -> wire::Timestamp {
    wire::Timestamp(moment.0.div_euclid(1000) * 1000)
}

/// Lengths that the models name but do not bound.
pub(crate) const NAME_CHARS: RangeInclusive<usize> = 1..=128;
pub(crate) const DESCRIPTION_CHARS: RangeInclusive<usize> = 0..=1024;

/// Refuses a text that is too short or too long.
pub(crate) fn check_length(member: &str, text: Option<&str>, chars: RangeInclusive<usize>) -> Result<(), Fault> {
    let Some(text) = text else { return Ok(()) };
    let length = text.chars().count();
    let constraint = match (length < *chars.start(), length > *chars.end()) {
        (true, _) => format!("greater than or equal to {}", chars.start()),
        (_, true) => format!("less than or equal to {}", chars.end()),
        _ => return Ok(()),
    };
    Err(fault::bad_request(format!(
        "1 validation error detected: Value '{text}' at '{member}' failed to satisfy constraint: Member must have length {constraint}"
    )))
}
