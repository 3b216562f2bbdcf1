//! Parts of targets as they are spelled: queries as forms write them, and paths (RFC 3986, section 2.1).

use std::borrow::Cow;
use std::fmt::Write as _;

/// A part of a query, decoded as a form's.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        if let Some(value) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(value);
            at += 3;
        } else {
            out.push(if byte == b'+' { b' ' } else { byte });
            at += 1;
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// A text in which every byte is escaped that is not plain.
pub(crate) fn encode(text: impl AsRef<[u8]>, plain: impl Fn(u8) -> bool) -> String {
    let text = text.as_ref();
    let mut out = String::with_capacity(text.len());
    for &byte in text {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Whether a byte stands in a query as it is.
pub(crate) fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/@!$'()*,".contains(&byte)
}

/// A value as a path: with its slash, and with nothing in it that would end it. Escapes in it are kept.
pub(crate) fn as_path(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>?#`{}|\\^".contains(&byte);
    let path = encode(value, plain);
    if path.starts_with('/') { path } else { format!("/{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_value_cannot_end_the_path() {
        assert_eq!(as_path("a b?c#d"), "/a%20b%3Fc%23d");
        assert_eq!(as_path("/a%20b"), "/a%20b");
    }
}
