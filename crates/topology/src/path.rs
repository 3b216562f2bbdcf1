//! Targets of requests as they are compared: paths with dot segments resolved, what was encoded without need decoded, runs of slashes
//! merged; the pairs of a query. What is forwarded is always the raw target. What a path means to a guard is [`crate::spelling`]'s.

use std::borrow::Cow;

/// The path as a backend may understand it: letters, digits, `-`, `.`, `_` and `~` that were encoded without need are themselves
/// (RFC 3986, section 6.2.2.2), and dot segments are resolved (section 5.2.4). Borrowed when nothing changes, which is the
/// usual case.
#[must_use]
pub fn normal(path: &str) -> Cow<'_, str> {
    match decoded(path) {
        Some(decoded) => Cow::Owned(undotted(&decoded).into_owned()),
        None => undotted(path),
    }
}

/// The other ways in which common backends read the path: needless escapes undone, dot segments resolved, runs of slashes merged to
/// one (as nginx does unless told otherwise), in either order, since `/a//../b` is `/b` to one and `/a/b` to another. None for a
/// path that can be read in one way only, which is the usual case. Encoded slashes, backslashes and what stands behind `;` are taken
/// as they are, as on AWS.
#[must_use]
pub fn readings(path: &str) -> Vec<String> {
    let begins_oddly = |pair: &[u8]| pair[0] == b'/' && matches!(pair[1], b'/' | b'.');
    if !path.as_bytes().contains(&b'%') && !path.as_bytes().windows(2).any(begins_oddly) {
        return Vec::new();
    }
    let decoded = decoded(path);
    let plain = decoded.as_deref().unwrap_or(path);
    let (resolved, joined) = (undotted(plain), merged(plain));
    let mut found: Vec<String> = Vec::new();
    for reading in [plain, &*resolved, &*joined, &*undotted(&joined), &*merged(&resolved)] {
        if reading != path && !found.iter().any(|known| known == reading) {
            found.push(reading.to_owned());
        }
    }
    found
}

/// The pairs of a query as they are spelled, without empty ones; a name alone has an empty value.
pub fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The path with one slash in the place of several.
#[must_use]
pub fn merged(path: &str) -> Cow<'_, str> {
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !out.ends_with('/') {
            out.push(c);
        }
    }
    Cow::Owned(out)
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

    #[test]
    fn readings_table() {
        let rows: [(&str, &[&str]); 11] = [
            ("/", &[]),
            ("/a/b.c", &[]),
            ("/a/.hidden/%20", &[]),
            ("//admin", &["/admin"]),
            ("/a///b//", &["/a/b/"]),
            ("/%61dmin", &["/admin"]),
            ("/a/../b", &["/b"]),
            ("/%2e/b", &["/./b", "/b"]),
            ("/a//../b", &["/a/b", "/a/../b", "/b"]),
            ("/a/x//..//b", &["/a/x//b", "/a/x/../b", "/a/b", "/a/x/b"]),
            ("/a%2f%2Fb", &[]),
        ];
        for (path, expected) in rows {
            assert_eq!(readings(path), expected, "{path}");
        }
    }

    proptest::proptest! {
        /// So that no backend which reads in several steps finds what was not judged.
        #[test]
        fn a_reading_of_a_reading_is_a_reading(parts in proptest::collection::vec("/|\\.|\\.\\.|a|%2e|%61|%2F|%", 0..12)) {
            let path = format!("/{}", parts.concat());
            let known = readings(&path);
            for again in known.iter().flat_map(|reading| readings(reading)) {
                proptest::prop_assert!(again == path || known.contains(&again), "{} of {}", again, path);
            }
        }
    }
}
