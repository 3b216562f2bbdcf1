//! The URL of an integration with a public endpoint: text, path variables of the route and stage variables (HTTP API developer
//! guide, "Create HTTP integrations for HTTP APIs" and "Work with stages", 2026-11). Used when a URL is written, to refuse
//! it, and when it is compiled.

use std::fmt;

/// A URL with variables in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    parts: Vec<EndpointPart>,
}

/// A piece of an [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointPart {
    /// Text as it stands.
    Literal(String),
    /// `{NAME}`: what a variable of the route's path took.
    PathParameter(String),
    /// `${stageVariables.NAME}`
    StageVariable(String),
}

/// A text that is no URL of an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointError;

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalid HTTP endpoint specified for URI")
    }
}

impl std::error::Error for EndpointError {}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                EndpointPart::Literal(text) => f.write_str(text)?,
                EndpointPart::PathParameter(name) => write!(f, "{{{name}}}")?,
                EndpointPart::StageVariable(name) => write!(f, "${{stageVariables.{name}}}")?,
            }
        }
        Ok(())
    }
}

impl Endpoint {
    /// Reads a URL. It begins with `http://` or `https://`, or with a stage variable that stands for all of that.
    ///
    /// # Errors
    /// When it begins otherwise, holds blanks or controls, or a brace that is not closed.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let rooted =
            ["http://", "https://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|r| !r.is_empty()));
        if !(rooted || text.starts_with("${stageVariables.")) || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(EndpointError);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        let path_at = path_at(text);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, braced) = rest.split_at(at);
            let (name, after) = braced.strip_prefix('{').and_then(|b| b.split_once('}')).ok_or(EndpointError)?;
            let (before, part) = match (before.strip_suffix('$'), name.strip_prefix("stageVariables.")) {
                (Some(before), Some(name)) => (before, EndpointPart::StageVariable(plain(name)?)),
                // Before the path it would let the client choose the host.
                (None, _) if text.len() - rest.len() + at < path_at => return Err(EndpointError),
                (None, _) => (before, EndpointPart::PathParameter(plain(name.strip_suffix('+').unwrap_or(name))?)),
                (Some(_), None) => return Err(EndpointError),
            };
            if !before.is_empty() {
                parts.push(EndpointPart::Literal(before.to_owned()));
            }
            parts.push(part);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(EndpointPart::Literal(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The path up to the first variable in it: what no value of a variable may leave.
    #[must_use]
    pub fn fixed_path(&self) -> &str {
        let Some(EndpointPart::Literal(first)) = self.parts.first() else { return "/" };
        let after = first.split_once("://").map_or(first.as_str(), |(_, after)| after);
        let path = after.find('/').and_then(|at| after.get(at..)).unwrap_or("/");
        path.split('?').next().unwrap_or("/")
    }

    /// The URL with its variables filled in by `value`; a variable without a value leaves nothing in its place.
    pub fn fill<'v>(&self, value: impl Fn(&EndpointPart) -> Option<&'v str>) -> String {
        self.fill_by_side(|part, _| value(part))
    }

    /// The same, where a value depends on the side of the question mark on which it stands.
    pub fn fill_by_side<T: AsRef<str>>(&self, value: impl Fn(&EndpointPart, Side) -> Option<T>) -> String {
        let (mut url, mut side) = (String::new(), Side::Path);
        for part in &self.parts {
            match part {
                EndpointPart::Literal(text) => url.push_str(text),
                variable => value(variable, side).iter().for_each(|value| url.push_str(value.as_ref())),
            }
            // A stage variable may bring the question mark.
            if url.contains('?') {
                side = Side::Query;
            }
        }
        url
    }
}

/// The sides of the question mark of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before it.
    Path,
    /// After it.
    Query,
}

/// Where the path of a URL begins; its end where it has none. A stage variable in front may stand for scheme and host.
fn path_at(text: &str) -> usize {
    let authority_at = text.find("://").map_or(0, |at| at + 3);
    let mut variable = false;
    for (at, byte) in text.bytes().enumerate().skip(authority_at) {
        match byte {
            b'{' => variable = true,
            b'}' => variable = false,
            b'/' | b'?' if !variable => return at,
            _ => {}
        }
    }
    text.len()
}

fn plain(name: &str) -> Result<String, EndpointError> {
    let spelled = |b: u8| b.is_ascii_alphanumeric() || b"._-:".contains(&b);
    if !name.is_empty() && name.bytes().all(spelled) { Ok(name.to_owned()) } else { Err(EndpointError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_path_ends_at_the_first_variable() {
        let rows = [
            ("https://a.example", "/"),
            ("https://a.example/x/y", "/x/y"),
            ("https://a.example/x/{proxy}/y", "/x/"),
            ("https://a.example/x?y={proxy}", "/x"),
            ("${stageVariables.host}/x", "/"),
        ];
        for (text, expected) in rows {
            assert_eq!(Endpoint::parse(text).unwrap().fixed_path(), expected, "{text}");
        }
    }

    #[test]
    fn a_value_knows_its_side_of_the_question_mark() {
        let value = |part: &EndpointPart, side: Side| match (part, side) {
            (EndpointPart::StageVariable(_), _) => Some("v?w"),
            (_, Side::Path) => Some("path"),
            (_, Side::Query) => Some("query"),
        };
        for (text, expected) in [
            ("https://a.example/{x}?y={x}&z={x}", "https://a.example/path?y=query&z=query"),
            ("https://a.example/{x}/${stageVariables.v}={x}", "https://a.example/path/v?w=query"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().fill_by_side(value), expected, "{text}");
        }
    }

    #[test]
    fn urls_table() {
        let value = |part: &EndpointPart| match part {
            EndpointPart::PathParameter(name) if name == "proxy" => Some("a/b"),
            EndpointPart::StageVariable(name) if name == "host" => Some("v.example"),
            _ => None,
        };
        let rows = [
            ("https://a.example", Some("https://a.example")),
            ("https://a.example/x?y=1", Some("https://a.example/x?y=1")),
            ("https://a.example/{proxy}", Some("https://a.example/a/b")),
            ("https://a.example/{proxy+}/z", Some("https://a.example/a/b/z")),
            ("http://${stageVariables.host}/{none}", Some("http://v.example/")),
            ("${stageVariables.host}", Some("v.example")),
            ("https://{proxy}", None),
            ("https://{proxy}.example.com/", None),
            ("https://a.example:{proxy}/", None),
            ("https://a.example{proxy}", None),
            ("${stageVariables.host}{proxy}", None),
            ("${stageVariables.host}/{proxy}", Some("v.example/a/b")),
            ("https://a.example?q={proxy}", Some("https://a.example?q=a/b")),
            ("https://", None),
            ("ftp://a.example", None),
            ("https://a.example/{", None),
            ("https://a.example/}", None),
            ("https://a.example/{}", None),
            ("https://a.example/${request.path}", None),
            ("https://a.example/a b", None),
        ];
        for (text, expected) in rows {
            let filled = Endpoint::parse(text).ok().map(|endpoint| endpoint.fill(value));
            assert_eq!(filled.as_deref(), expected, "{text}");
        }
    }
}
