//! Paths as they are compared: dot segments resolved, and what was encoded without need decoded. What is forwarded is always the
//! raw path.

use std::borrow::Cow;

/// The path as a backend may understand it: letters, digits, `-`, `.`, `_` and `~` that were encoded without need are themselves
/// (RFC 3986, section 6.2.2.2), and dot segments are resolved (section 5.2.4). Borrowed when nothing changes, which is the
/// usual case.
pub(crate) fn normal(path: &str) -> Cow<'_, str> {
    match decoded(path) {
        Some(decoded) => Cow::Owned(undotted(&decoded).into_owned()),
        None => undotted(path),
    }
}

/// The path with its needless escapes undone, if it has any.
fn decoded(path: &str) -> Option<String> {
    let unreserved = |escape: &str| {
        let byte = escape.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok())?;
        (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)).then_some(char::from(byte))
    };
    let first = path.match_indices('%').find(|(at, _)| unreserved(&path[*at..]).is_some())?.0;
    let mut out = path[..first].to_owned();
    let mut rest = &path[first..];
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match unreserved(rest) {
            Some(plain) => {
                out.push(plain);
                3
            }
            None => {
                out.push('%');
                1
            }
        };
        rest = &rest[taken..];
    }
    out.push_str(rest);
    Some(out)
}

fn undotted(path: &str) -> Cow<'_, str> {
    let begins_a_dot = |pair: &[u8]| pair[0] == b'/' && (pair[1] == b'.' || pair[1] == b'%');
    let suspicious = path.as_bytes().windows(2).any(begins_a_dot);
    if !suspicious || !path.split('/').any(|segment| is_dot(segment) || is_dots(segment)) {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut open = false;
    for segment in path.split('/').skip(1) {
        open = is_dot(segment) || is_dots(segment);
        if is_dots(segment) {
            kept.pop();
        } else if !open {
            kept.push(segment);
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if open || kept.is_empty() {
        out.push('/');
    }
    Cow::Owned(out)
}

fn is_dot(segment: &str) -> bool {
    segment == "." || segment.eq_ignore_ascii_case("%2e")
}

fn is_dots(segment: &str) -> bool {
    let one = |rest: &str| is_dot(rest);
    let after = |first: &str| segment.get(..first.len()).filter(|s| s.eq_ignore_ascii_case(first)).map(str::len);
    after(".").or_else(|| after("%2e")).is_some_and(|cut| one(&segment[cut..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_table() {
        let rows = [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a//b/", "/a//b/"),
            ("/%61dmin", "/admin"),
            ("/a%2Fb/%7Ex%20y%", "/a%2Fb/~x%20y%"),
            ("/%C3%A9/%4", "/%C3%A9/%4"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/api/v1/../../admin", "/admin"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/../../x", "/x"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/a/...", "/a/..."),
            ("/a/.hidden", "/a/.hidden"),
        ];
        for (path, expected) in rows {
            assert_eq!(normal(path), expected, "{path}");
        }
    }
}
