//! Timestamps as text and back. No clock: every time here came in with a request, a reply or an argument.

use crate::model::TimeFormat;
use crate::value::Timestamp;

/// The text of a timestamp in one of the ISO forms.
pub(crate) fn iso(time: Timestamp, format: TimeFormat) -> String {
    // Beyond the calendar (years past 9999) only a mistake of ours can lead; the epoch is the honest least wrong text.
    let instant = jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    match format {
        TimeFormat::IsoSeconds => instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        TimeFormat::IsoMillis | TimeFormat::Epoch => instant.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
    }
}

impl Timestamp {
    /// `2023-05-30T01:22:45Z`, for people.
    #[must_use]
    pub fn to_the_second(self) -> String {
        iso(self, TimeFormat::IsoSeconds)
    }

    /// `Tue May 30 01:22:45 UTC 2023`, as lines of execution logs begin in answers of `TestInvokeMethod` (seen in public output, 2016
    /// to 2024).
    #[must_use]
    pub fn of_console(self) -> String {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        instant.strftime("%a %b %d %H:%M:%S UTC %Y").to_string()
    }
}

/// Any ISO 8601 instant.
pub(crate) fn parse_iso(text: &str) -> Option<Timestamp> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(instant.as_millisecond()))
}

/// Seconds since 1970, with a fraction, as JSON numbers carry them.
pub(crate) fn from_epoch_seconds(seconds: f64) -> Option<Timestamp> {
    // Year 9999 in seconds; jiff's range ends there too.
    const SECONDS_MAX: f64 = 253_402_207_200.0;
    if !seconds.is_finite() || seconds.abs() > SECONDS_MAX {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)] // bounded above
    Some(Timestamp((seconds * 1000.0).round() as i64))
}

/// `20150830T123600Z`, the form of signatures.
pub(crate) fn parse_basic(text: &str) -> Option<Timestamp> {
    let shape = text.len() == 16
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 => b == b'T',
            15 => b == b'Z',
            _ => b.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let (date, clock) = (&text[..8], &text[9..15]);
    parse_iso(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &clock[..2],
        &clock[2..4],
        &clock[4..]
    ))
}

/// The form of signatures, for messages about them.
pub(crate) fn basic(time: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    instant.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_writes_the_same_instant() {
        let time = Timestamp(1_795_341_600_120);
        assert_eq!(iso(time, TimeFormat::IsoMillis), "2026-11-22T10:00:00.120Z");
        assert_eq!(iso(time, TimeFormat::IsoSeconds), "2026-11-22T10:00:00Z");
        assert_eq!(parse_iso("2026-11-22T10:00:00.120Z"), Some(time));
        assert_eq!(from_epoch_seconds(1_795_341_600.12), Some(time));
        assert_eq!(parse_basic("20261122T100000Z"), Some(Timestamp(1_795_341_600_000)));
        assert_eq!(basic(time), "20261122T100000Z");
    }

    #[test]
    fn text_that_is_no_instant_is_refused() {
        for text in ["", "20261322T100000Z", "2026-11-22", "20261122t100000Z", "2026112\u{e9}T10000Z"] {
            assert_eq!(parse_basic(text), None, "{text}");
        }
        for seconds in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(from_epoch_seconds(seconds), None);
        }
    }
}
