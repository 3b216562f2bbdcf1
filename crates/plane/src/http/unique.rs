//! Header values that no other message has.

use http::HeaderValue;

/// Marks a value that is made for one message: HTTP/2 leaves it out of the table by which headers are compressed (RFC 7541, section
/// 6.2.3), where it would push out what comes again, and be compared with all that were there before it.
pub(crate) fn unique(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}
