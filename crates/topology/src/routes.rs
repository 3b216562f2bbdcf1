//! Finds the route of a method and path as HTTP APIs do: a full match before a greedy one, static segments before
//! variables, an exact method before `ANY`; a candidate that fails only by its method gives way to the next, down to
//! `$default` (HTTP API developer guide, "Create routes for HTTP APIs", 2026-11; the fall-through is our reading, see
//! `docs/differences-from-aws.md`). Paths are compared in one spelling (`crate::spelling`), so that no escape leads past a guard.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::spelling::canonical;

/// A route key: `METHOD /path`, or `$default`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RouteKey {
    /// What no other route takes.
    Default,
    /// A method and a path.
    Path {
        /// The method; `None` is `ANY`.
        method: Option<Method>,
        /// The segments of the path.
        path: Vec<Segment>,
    },
}

/// The methods that a route key may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
}

impl Method {
    const TABLE: [(Self, &'static str); 7] = [
        (Self::Get, "GET"),
        (Self::Post, "POST"),
        (Self::Put, "PUT"),
        (Self::Patch, "PATCH"),
        (Self::Delete, "DELETE"),
        (Self::Head, "HEAD"),
        (Self::Options, "OPTIONS"),
    ];

    /// The method as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::TABLE[self as usize].1
    }

    /// The method of this name, if a route key may name it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::TABLE.iter().find(|(_, text)| *text == name).map(|(method, _)| *method)
    }

    /// Whether this is one of the methods in other letters. Methods are case-sensitive (RFC 9110, section 9.1), but some backends
    /// raise what they get, so that `get` must not pass by what guards `GET`.
    fn is_misspelt(name: &str) -> bool {
        Self::TABLE.iter().any(|(_, text)| text.eq_ignore_ascii_case(name))
    }
}

/// A segment of a route's path, or the path part of a REST API's resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Segment {
    /// This text.
    Static(String),
    /// One segment, under this name.
    Variable(String),
    /// The rest, at least one segment, under this name; only as the last.
    Greedy(String),
}

impl Segment {
    /// Whether it takes the same requests: static texts that differ in their escapes only do.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Static(one), Self::Static(other)) => canonical(one) == canonical(other),
            (one, other) => one == other,
        }
    }
}

impl RouteKey {
    /// Whether it takes the same requests under the same names: see [`Segment::is_like`].
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path { method, path }, Self::Path { method: other_method, path: other }) => {
                let pairs = || path.iter().zip(other);
                method == other_method && path.len() == other.len() && pairs().all(|(one, other)| one.is_like(other))
            }
            (one, other) => one == other,
        }
    }
}

/// Segments of a route key. Lookup goes down one level for each, so that their number bounds the stack. AWS documents no
/// bound; a request line of 10 KiB ends long before it in practice (`docs/differences-from-aws.md`).
pub const SEGMENTS_MAX: usize = 128;

/// A text that is no route key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteKeyError;

impl fmt::Display for RouteKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid route key")
    }
}

impl std::error::Error for RouteKeyError {}

impl FromStr for RouteKey {
    type Err = RouteKeyError;
    fn from_str(text: &str) -> Result<Self, RouteKeyError> {
        if text == "$default" {
            return Ok(Self::Default);
        }
        let (method, path) = text.split_once(' ').ok_or(RouteKeyError)?;
        let method = if method == "ANY" { None } else { Some(Method::from_name(method).ok_or(RouteKeyError)?) };
        let rest = path.strip_prefix('/').ok_or(RouteKeyError)?;
        let mut segments = Vec::new();
        let count = rest.split('/').count();
        if count > SEGMENTS_MAX {
            return Err(RouteKeyError);
        }
        for (at, part) in rest.split('/').enumerate() {
            segments.push(segment(part, at + 1 == count)?);
        }
        Ok(Self::Path { method, path: segments })
    }
}

fn segment(part: &str, last: bool) -> Result<Segment, RouteKeyError> {
    let Some(inner) = part.strip_prefix('{') else {
        let plain = !part.contains(['{', '}', '?', '#']) && !part.contains(char::is_whitespace);
        return if plain { Ok(Segment::Static(part.to_owned())) } else { Err(RouteKeyError) };
    };
    let inner = inner.strip_suffix('}').ok_or(RouteKeyError)?;
    let (name, greedy) = inner.strip_suffix('+').map_or((inner, false), |name| (name, true));
    let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b));
    match (named, greedy, last) {
        (true, false, _) => Ok(Segment::Variable(name.to_owned())),
        (true, true, true) => Ok(Segment::Greedy(name.to_owned())),
        _ => Err(RouteKeyError),
    }
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Path { method, path } = self else {
            return f.write_str("$default");
        };
        write!(f, "{} ", method.map_or("ANY", Method::as_str))?;
        path.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(text) => f.write_str(text),
            Self::Variable(name) => write!(f, "{{{name}}}"),
            Self::Greedy(name) => write!(f, "{{{name}+}}"),
        }
    }
}

impl FromStr for Segment {
    type Err = RouteKeyError;
    /// One segment, as it may stand at the end of a path.
    fn from_str(text: &str) -> Result<Self, RouteKeyError> {
        if text.is_empty() || text.contains('/') { Err(RouteKeyError) } else { segment(text, true) }
    }
}

impl TryFrom<String> for Segment {
    type Error = RouteKeyError;
    fn try_from(text: String) -> Result<Self, RouteKeyError> {
        text.parse()
    }
}

impl From<Segment> for String {
    fn from(segment: Segment) -> Self {
        segment.to_string()
    }
}

impl TryFrom<String> for RouteKey {
    type Error = RouteKeyError;
    fn try_from(text: String) -> Result<Self, RouteKeyError> {
        text.parse()
    }
}

impl From<RouteKey> for String {
    fn from(key: RouteKey) -> Self {
        key.to_string()
    }
}

/// A compiled set of route keys; each answers with the number it was given.
#[derive(Debug, Default, PartialEq)]
pub struct RouteTable {
    root: Node,
    default: Option<u32>,
}

#[derive(Debug, Default, PartialEq)]
struct Node {
    children: BTreeMap<String, Node>,
    variable: Option<Box<Node>>,
    here: Methods,
    greedy: Methods,
}

#[derive(Debug, Default, PartialEq)]
struct Methods {
    exact: Vec<(Method, u32)>,
    any: Option<u32>,
}

impl Methods {
    /// `ANY` stands for the seven methods, and for no other (REST API reference, "Method", 2026-11).
    fn find(&self, method: Method) -> Option<u32> {
        let exact = self.exact.iter().find(|(at, _)| *at == method);
        exact.map(|(_, route)| *route).or(self.any)
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.any.is_none()
    }

    fn insert(&mut self, method: Option<Method>, route: u32) {
        match method {
            Some(method) => self.exact.push((method, route)),
            None => _ = self.any.get_or_insert(route),
        }
    }
}

impl RouteTable {
    /// Compiles the keys; the number of each is its place.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a RouteKey>) -> Self {
        let mut table = Self::default();
        for (route, key) in (0u32..).zip(keys) {
            match key {
                RouteKey::Default => table.default = Some(route),
                RouteKey::Path { method, path } => table.insert(*method, path, route),
            }
        }
        table
    }

    fn insert(&mut self, method: Option<Method>, path: &[Segment], route: u32) {
        let mut node = &mut self.root;
        for segment in path {
            match segment {
                Segment::Static(text) => node = node.children.entry(canonical(text).into_owned()).or_default(),
                Segment::Variable(_) => node = node.variable.get_or_insert_default(),
                Segment::Greedy(_) => return node.greedy.insert(method, route),
            }
        }
        node.here.insert(method, route);
    }

    /// The route of this method and path; the path begins with a slash and holds no query. Another method than the seven finds
    /// `$default` alone, and one of the seven in other letters finds nothing.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Option<u32> {
        let Some(known) = Method::from_name(method) else {
            return self.default.filter(|_| !Method::is_misspelt(method));
        };
        let path = canonical(path);
        let rest = path.strip_prefix('/').unwrap_or(&path);
        full(&self.root, known, rest).or_else(|| greedy(&self.root, known, rest)).or(self.default)
    }
}

impl RouteTable {
    /// The method of a REST API for this path: for each segment static text before a variable before a greedy one, then the
    /// resource's own method before `ANY`. A slash at the end counts for nothing. A resource without the method gives way to no
    /// other (REST API developer guide, "Choose a method for a resource" and "Set up a proxy integration", 2026-11).
    #[must_use]
    pub fn find_method(&self, method: &str, path: &str) -> Option<u32> {
        let path = canonical(path);
        let rest = path.strip_prefix('/').unwrap_or(&path);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        resource(&self.root, rest)?.find(Method::from_name(method)?)
    }
}

/// The most specific resource with methods.
fn resource<'t>(node: &'t Node, rest: &str) -> Option<&'t Methods> {
    let (head, tail) = split(rest);
    let step = |child: &'t Node| match tail {
        None => Some(&child.here).filter(|here| !here.is_empty()),
        Some(tail) => resource(child, tail),
    };
    let one = node.children.get(head).and_then(step);
    let one = one.or_else(|| if head.is_empty() { None } else { node.variable.as_deref().and_then(step) });
    one.or_else(|| Some(&node.greedy).filter(|greedy| !rest.is_empty() && !greedy.is_empty()))
}

fn split(rest: &str) -> (&str, Option<&str>) {
    rest.split_once('/').map_or((rest, None), |(head, tail)| (head, Some(tail)))
}

/// A match without a greedy variable, the most specific first.
fn full(node: &Node, method: Method, rest: &str) -> Option<u32> {
    let (head, tail) = split(rest);
    let step = |child: &Node| match tail {
        None => child.here.find(method),
        Some(tail) => full(child, method, tail),
    };
    let fixed = node.children.get(head).and_then(step);
    // A variable takes one segment that is not empty.
    fixed.or_else(|| if head.is_empty() { None } else { node.variable.as_deref().and_then(step) })
}

/// A match with a greedy variable, the longest prefix first.
fn greedy(node: &Node, method: Method, rest: &str) -> Option<u32> {
    let (head, tail) = split(rest);
    let deeper = tail.and_then(|tail| {
        let fixed = node.children.get(head).and_then(|child| greedy(child, method, tail));
        fixed.or_else(|| node.variable.as_deref().and_then(|child| greedy(child, method, tail)))
    });
    deeper.or_else(|| if rest.is_empty() { None } else { node.greedy.find(method) })
}

/// The value of a path parameter of `key` in `path`, raw as the client sent it.
#[must_use]
pub fn path_parameter<'a>(key: &RouteKey, path: &'a str, name: &str) -> Option<&'a str> {
    let RouteKey::Path { path: segments, .. } = key else {
        return None;
    };
    let mut rest = path.strip_prefix('/').unwrap_or(path);
    for segment in segments {
        let (head, tail) = split(rest);
        match segment {
            Segment::Variable(at) if at == name => return Some(head),
            Segment::Greedy(at) if at == name => return Some(rest),
            _ => rest = tail.unwrap_or_default(),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(keys: &[&str], method: &str, path: &str) -> Option<String> {
        let keys: Vec<RouteKey> = keys.iter().map(|key| key.parse().unwrap()).collect();
        RouteTable::new(&keys).find(method, path).map(|at| keys[at as usize].to_string())
    }

    #[test]
    fn the_documented_example() {
        let keys = ["GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default"];
        let rows = [
            ("GET", "/pets/dog/1", "GET /pets/dog/1"),
            ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
            ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
            ("POST", "/test/5", "ANY /{proxy+}"),
            ("POST", "/pets/dog/1", "ANY /{proxy+}"),
            ("GET", "/", "$default"),
        ];
        for (method, path, expected) in rows {
            assert_eq!(find(&keys, method, path).as_deref(), Some(expected), "{method} {path}");
        }
    }

    #[test]
    fn precedence_table() {
        let rows: &[(&[&str], &str, &str, Option<&str>)] = &[
            (&["ANY /a", "GET /{x}"], "GET", "/a", Some("ANY /a")),
            (&["ANY /a", "GET /a"], "GET", "/a", Some("GET /a")),
            (&["POST /a", "GET /{x}"], "GET", "/a", Some("GET /{x}")),
            (&["GET /a/{x}/c", "GET /a/b/{y}"], "GET", "/a/b/c", Some("GET /a/b/{y}")),
            (&["GET /a"], "GET", "/a/", None),
            (&["GET /a/"], "GET", "/a/", Some("GET /a/")),
            (&["GET /{x}"], "GET", "/", None),
            (&["GET /"], "GET", "/", Some("GET /")),
            (&["GET /A"], "GET", "/a", None),
            (&["ANY /{p+}"], "PROPFIND", "/x", None),
            (&["ANY /{p+}", "$default"], "PROPFIND", "/x", Some("$default")),
            (&["GET /admin", "ANY /{p+}", "$default"], "get", "/admin", None),
            (&["GET /admin", "ANY /{p+}"], "Get", "/admin", None),
            (&["GET /caf%C3%A9", "ANY /{p+}"], "GET", "/caf%c3%a9", Some("GET /caf%C3%A9")),
            (&["GET /caf%C3%A9", "ANY /{p+}"], "GET", "/ca%66%C3%A9", Some("GET /caf%C3%A9")),
            (&["GET /café", "ANY /{p+}"], "GET", "/caf%c3%a9", Some("GET /café")),
            (&["GET /users/@me", "ANY /{p+}"], "GET", "/users/%40me", Some("GET /users/@me")),
            (&["GET /users/%40me", "ANY /{p+}"], "GET", "/users/@me", Some("GET /users/%40me")),
            (&["GET /x:y", "ANY /{p+}"], "GET", "/x%3ay", Some("GET /x:y")),
            (&["GET /$ctl", "ANY /{p+}"], "GET", "/%24ctl", Some("GET /$ctl")),
            (&["GET /a/b", "ANY /{p+}"], "GET", "/a%2Fb", Some("ANY /{p+}")),
            (&["GET /a"], "DELETE", "/a", None),
        ];
        for (keys, method, path, expected) in rows {
            assert_eq!(find(keys, method, path).as_deref(), *expected, "{keys:?} {method} {path}");
        }
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        for text in
            ["", "GET", "GET a", "FETCH /a", "GET /{a+}/b", "GET /{}", "GET /a b", "GET /{a", "get /a", "$Default"]
        {
            assert!(text.parse::<RouteKey>().is_err(), "{text}");
        }
        let deep = |segments: usize| format!("GET {}", "/a".repeat(segments)).parse::<RouteKey>();
        assert!(deep(SEGMENTS_MAX).is_ok());
        assert_eq!(deep(SEGMENTS_MAX + 1), Err(RouteKeyError));
    }

    #[test]
    fn methods_of_resources_table() {
        let keys =
            ["GET /", "GET /pets", "ANY /pets/{id}", "GET /pets/dog", "GET /{proxy+}", "ANY /a/{rest+}", "GET /a/b/c"];
        let keys: Vec<RouteKey> = keys.iter().map(|key| key.parse().unwrap()).collect();
        let table = RouteTable::new(&keys);
        let rows = [
            ("GET", "/", Some(0)),
            ("POST", "/", None),
            ("GET", "/pets/", Some(1)),
            ("HEAD", "/pets", None),
            ("POST", "/pets/cat", Some(2)),
            ("GET", "/pets/dog", Some(3)),
            ("POST", "/pets/dog", None),
            ("GET", "/other/x", Some(4)),
            ("POST", "/other/x", None),
            ("GET", "/a", Some(4)),
            ("PUT", "/a/b", Some(5)),
            ("GET", "/a/b/c/", Some(6)),
            ("DELETE", "/a/b/c", None),
            ("GET", "/p%65ts", Some(1)),
            ("PUT", "/%61/b", Some(5)),
            ("get", "/a/b", None),
            ("PROPFIND", "/a/b", None),
        ];
        for (method, path, expected) in rows {
            assert_eq!(table.find_method(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn keys_that_take_the_same_requests_are_alike() {
        let rows = [
            ("GET /caf%C3%A9", "GET /caf%c3%a9", true),
            ("GET /@me/{id}", "GET /%40me/{id}", true),
            ("GET /@me/{id}", "GET /@me/{name}", false),
            ("GET /a", "POST /a", false),
            ("GET /a", "GET /a/b", false),
            ("$default", "$default", true),
        ];
        for (one, other, expected) in rows {
            let keys: [RouteKey; 2] = [one, other].map(|key| key.parse().unwrap());
            assert_eq!(keys[0].is_like(&keys[1]), expected, "{one} {other}");
        }
    }

    #[test]
    fn path_parameters_come_out_raw() {
        let key: RouteKey = "GET /a/{id}/{rest+}".parse().unwrap();
        assert_eq!(path_parameter(&key, "/a/1%20/x/y", "id"), Some("1%20"));
        assert_eq!(path_parameter(&key, "/a/1/x/y", "rest"), Some("x/y"));
        assert_eq!(path_parameter(&key, "/a/1/x/y", "none"), None);
    }
}
