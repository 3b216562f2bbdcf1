//! Every bound on what a request may make us hold, with its unit and its reason.
//!
//! Only numbers live here. A request beyond one of them is refused, never cut.

/// Bytes of a request body. ACM admits a chain of 2 MiB, which base64 and its JSON make 2.7 MiB; the rest is far smaller.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Fields of a form. A describe call may name 1,000 ids; a bulk authorize carries a few fields for each of 1,000 ranges.
pub const FORM_FIELDS_MAX: usize = 8_192;

/// Dots in a form field's name. The deepest supported member has eight levels.
pub const FORM_DEPTH_MAX: usize = 16;

/// Largest list index in a form field's name: an index is a position, so nothing may point beyond what could be there.
pub const LIST_INDEX_MAX: usize = FORM_FIELDS_MAX;

/// Characters of a caller's value or name that a message repeats.
pub const ECHO_CHARS_MAX: usize = 256;

/// Violations, or parameters that no table has, that one message lists.
pub const VIOLATIONS_MAX: usize = 10;

/// Characters of an `Authorization` header. A real one has about 300.
pub const AUTHORIZATION_CHARS_MAX: usize = 4_096;

/// Headers that a signature may cover. Clients sign about eight.
pub const SIGNED_HEADERS_MAX: usize = 64;

/// Minutes that a signature's clock may differ from ours, either way (AWS signature guide, troubleshooting, 2026-11).
pub const CLOCK_SKEW_MINUTES: i64 = 15;

/// Seconds that a presigned request may ask to live: seven days (AWS signature guide, query parameters, 2026-11).
pub const PRESIGNED_SECONDS_MAX: i64 = 604_800;

/// The start of a caller's text, short enough for a message.
pub(crate) fn echo(text: &str) -> String {
    match text.char_indices().nth(ECHO_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
