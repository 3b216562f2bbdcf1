//! One spelling for paths that mean the same. Two paths that differ in nothing but percent-encoding lead every common server to the
//! same place, so that they must meet the same guard here: escapes in either case (RFC 3986, section 6.2.2.1), escapes of what needs none
//! (6.2.2.2), and escapes of the characters that may stand in a segment as they are (section 3.3, `pchar`), which servers decode
//! alike though the RFC calls them reserved.
//!
//! What is compared is spelled so; what is sent on stays as the client spelled it. An encoded slash is no slash: it stays encoded.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a byte stands for itself in the one spelling: `pchar` without escapes, and the slash between segments.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'/'
        )
}

/// The one spelling of a path or a part of it; borrowed where it is spelled so already, which is the usual case.
#[must_use]
pub fn canonical(path: &str) -> Cow<'_, str> {
    let bytes = path.as_bytes();
    let Some(first) = bytes.iter().position(|byte| !is_plain(*byte)) else { return Cow::Borrowed(path) };
    let mut out = String::with_capacity(path.len() + 8);
    // What stands before is plain, and so is ASCII.
    out.push_str(path.get(..first).unwrap_or_default());
    let mut at = first;
    while let Some(&byte) = bytes.get(at) {
        let escaped = if byte == b'%' { escape(bytes.get(at + 1..at + 3)) } else { None };
        let (meant, taken) = escaped.map_or((byte, 1), |meant| (meant, 3));
        if is_plain(meant) && (meant != b'/' || taken == 1) {
            out.push(char::from(meant));
        } else {
            // Writing to a String cannot fail. A percent sign that begins no escape is one itself.
            let _ = write!(out, "%{meant:02X}");
        }
        at += taken;
    }
    Cow::Owned(out)
}

/// The byte that two hexadecimal digits stand for.
fn escape(digits: Option<&[u8]>) -> Option<u8> {
    let [high, low] = digits? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_table() {
        let rows = [
            ("/a/b", "/a/b"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/ca%66%c3%A9", "/caf%C3%A9"),
            ("/café", "/caf%C3%A9"),
            ("/users/%40me", "/users/@me"),
            ("/x%3ay", "/x:y"),
            ("/%24ctl", "/$ctl"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2561", "/a%2561"),
            ("/a%zz%4", "/a%25zz%254"),
            ("/a b\"c", "/a%20b%22c"),
            ("/%7euser/%2e", "/~user/."),
        ];
        for (path, expected) in rows {
            assert_eq!(canonical(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn the_one_spelling_is_its_own(path in "(/|%|[0-9a-fA-F]|é|\\PC){0,24}") {
            let once = canonical(&path).into_owned();
            prop_assert_eq!(&*canonical(&once), &once);
        }

        #[test]
        fn whatever_is_escaped_means_the_same(path in "[a-z@:$!/-]{1,16}", place in 0usize..16) {
            let place = place % path.len();
            let byte = path.as_bytes()[place];
            prop_assume!(byte != b'/');
            let escaped = format!("{}%{byte:02x}{}", &path[..place], &path[place + 1..]);
            prop_assert_eq!(canonical(&escaped), canonical(&path));
        }
    }
}
