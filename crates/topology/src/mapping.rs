//! The parameter mapping language of HTTP APIs: append, overwrite and remove of headers and query parameters, the path, and,
//! for answers, headers and the status (HTTP API developer guide, "Transform API requests and responses for HTTP APIs",
//! 2026-11). Used when a mapping is written, to refuse it, and when it is compiled.

pub mod rest;

use std::fmt;

use crate::snapshot::gateway::{BodyStep, ParameterChange, ParameterMapping, ParameterTarget, ValuePart};
use crate::variable::Variable;

/// Why a mapping is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappingError {
    /// The key names no operation and place.
    Key(String),
    /// The header is reserved.
    Restricted(String),
    /// The status is none that can be mapped.
    Status(String),
    /// The value names something that does not exist.
    Value(String),
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "Invalid mapping expression specified: {key}"),
            Self::Restricted(name) => write!(f, "Operations on header {name} are restricted"),
            Self::Status(status) => write!(f, "Invalid status code specified: {status}"),
            Self::Value(value) => write!(f, "Invalid mapping expression specified: {value}"),
        }
    }
}

impl std::error::Error for MappingError {}

const RESERVED: [&str; 18] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "forwarded",
    "keep-alive",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

const RESERVED_PREFIXES: [&str; 4] = ["access-control-", "apigw-", "x-amz-", "x-amzn-"];

/// Whether no mapping may touch this header; the name in lower case.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Which message a mapping changes, and takes its values from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `requestParameters`
    Request,
    /// `responseParameters`
    Response,
}

/// The statuses that answers may be mapped for, and to.
pub const STATUSES: std::ops::RangeInclusive<u16> = 200..=599;

/// Reads a key of `responseParameters`.
///
/// # Errors
/// When it is no status from 200 to 599.
pub fn status(text: &str) -> Result<u16, MappingError> {
    let status = text.parse().ok().filter(|status| text.len() == 3 && STATUSES.contains(status));
    status.ok_or_else(|| MappingError::Status(text.to_owned()))
}

/// Parses one mapping.
///
/// # Errors
/// When key or value are not in the language of this side.
pub fn parse(side: Side, key: &str, value: &str) -> Result<ParameterMapping, MappingError> {
    let bad_key = || MappingError::Key(key.to_owned());
    let (change, place) = key.split_once(':').ok_or_else(bad_key)?;
    let change = match change {
        "append" => ParameterChange::Append,
        "overwrite" => ParameterChange::Overwrite,
        "remove" => ParameterChange::Remove,
        _ => return Err(bad_key()),
    };
    let target = match place.split_once('.') {
        Some(("header", name)) => ParameterTarget::Header(header_name(name).ok_or_else(bad_key)??),
        None if change == ParameterChange::Overwrite => match (side, place) {
            (Side::Request, "path") => ParameterTarget::Path,
            (Side::Response, "statuscode") => ParameterTarget::Status,
            _ => return Err(bad_key()),
        },
        Some(("querystring", name)) if side == Side::Request && !name.is_empty() => {
            ParameterTarget::Query(name.to_owned())
        }
        _ => return Err(bad_key()),
    };
    if matches!(&target, ParameterTarget::Header(name) if name == "host") && change != ParameterChange::Overwrite {
        // A request has one Host: it can be another, and neither two nor none.
        return Err(MappingError::Restricted("Host".to_owned()));
    }
    let value = if change == ParameterChange::Remove { Vec::new() } else { parts(side, value)? };
    if let (ParameterTarget::Status, [ValuePart::Literal(text)]) = (&target, value.as_slice()) {
        status(text)?;
    }
    Ok(ParameterMapping { target, change, value })
}

/// The name of a header (RFC 9110, section 5.1), without the sign that begins an expression.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#%&'*+-.^_`|~".contains(&b))
}

fn header_name(name: &str) -> Option<Result<String, MappingError>> {
    if !is_token(name) {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    Some(if is_reserved(&lower) { Err(MappingError::Restricted(name.to_owned())) } else { Ok(lower) })
}

/// Parses a value: text with expressions in it. In braces an expression may stand anywhere, `${…}`; without them it goes to the end of the
/// value, so that there is one such at most, whatever text stands before it (many public stacks write `/$request.path.proxy`). What
/// begins as an expression and is none is refused and never passed as text.
fn parts(side: Side, value: &str) -> Result<Vec<ValuePart>, MappingError> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('$') {
        literal.push_str(before);
        let (inner, tail) = if let Some(braced) = after.strip_prefix('{') {
            braced.split_once('}').ok_or_else(|| MappingError::Value(value.to_owned()))?
        } else if after.starts_with(|c: char| c.is_ascii_alphabetic()) {
            (after, "")
        } else {
            // A sign that begins nothing, as in a price.
            literal.push('$');
            rest = after;
            continue;
        };
        if !literal.is_empty() {
            parts.push(ValuePart::Literal(std::mem::take(&mut literal)));
        }
        parts.push(expression(side, inner)?);
        rest = tail;
    }
    literal.push_str(rest);
    if !literal.is_empty() || parts.is_empty() {
        parts.push(ValuePart::Literal(literal));
    }
    Ok(parts)
}

/// Whether this may be the name of a path parameter or of a stage variable.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte))
}

/// Whether this may be the name of a query parameter, as far as it can be told from text behind it.
fn is_query_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['$', '{', '}', '/', '?', '#', '&', '=']) && !name.contains(char::is_whitespace)
}

fn expression(side: Side, text: &str) -> Result<ValuePart, MappingError> {
    let bad = || MappingError::Value(format!("${text}"));
    let named = |prefix: &str| text.strip_prefix(prefix).filter(|name| !name.is_empty()).map(str::to_owned);
    if let Some(name) = named("stageVariables.") {
        return if is_name(&name) { Ok(ValuePart::StageVariable(name)) } else { Err(bad()) };
    }
    if let Some(name) = named("context.") {
        return Variable::parse(&name).map(ValuePart::Context).ok_or_else(bad);
    }
    let (message, rest) = text.split_once('.').ok_or_else(bad)?;
    let of_side = match side {
        Side::Request => message == "request",
        Side::Response => message == "response",
    };
    if !of_side {
        return Err(bad());
    }
    if let Some(path) = rest.strip_prefix("body").filter(|path| path.is_empty() || path.starts_with(['.', '['])) {
        return body_path(path).map(ValuePart::Body).ok_or_else(bad);
    }
    let (kind, name) = rest.split_once('.').unwrap_or((rest, ""));
    match (side, kind, name) {
        (_, "header", name) if is_token(name) => Ok(ValuePart::Header(name.to_ascii_lowercase())),
        (Side::Request, "path", "") if rest == "path" => Ok(ValuePart::RequestPath),
        (Side::Request, "path", name) if is_name(name) => Ok(ValuePart::PathParameter(name.to_owned())),
        (Side::Request, "querystring", name) if is_query_name(name) => Ok(ValuePart::QueryString(name.to_owned())),
        _ => Err(bad()),
    }
}

/// Steps of a path into a body. AWS documents no bound; this one is far above any use.
const BODY_STEPS_MAX: usize = 64;

/// Reads what follows `body`: `.name`, `['name']` and `[0]`, without recursive descent and without filters, as documented.
fn body_path(text: &str) -> Option<Vec<BodyStep>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && steps.len() < BODY_STEPS_MAX {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, tail) = after.split_at(end);
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || !b.is_ascii();
            (!name.is_empty() && name.bytes().all(plain)).then_some(())?;
            steps.push(BodyStep::Member(name.to_owned()));
            rest = tail;
        } else {
            let (inner, tail) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = ['\'', '"'].iter().find_map(|q| inner.strip_prefix(*q)?.strip_suffix(*q));
            steps.push(match quoted {
                Some(name) => BodyStep::Member(name.to_owned()),
                None => BodyStep::Element(inner.parse().ok().filter(|_| inner.bytes().all(|b| b.is_ascii_digit()))?),
            });
            rest = tail;
        }
    }
    rest.is_empty().then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::Side::{Request, Response};
    use super::*;

    fn literal(text: &str) -> ValuePart {
        ValuePart::Literal(text.to_owned())
    }

    #[test]
    fn the_mapping_table() {
        let member = |name: &str| BodyStep::Member(name.to_owned());
        let rows = [
            (Request, "overwrite:path", "$request.path", vec![ValuePart::RequestPath]),
            (Request, "overwrite:path", "/fixed", vec![literal("/fixed")]),
            (
                Request,
                "overwrite:path",
                "/$request.path.proxy",
                vec![literal("/"), ValuePart::PathParameter("proxy".to_owned())],
            ),
            (
                Request,
                "overwrite:path",
                "/${stageVariables.v}/v1/$request.path.proxy",
                vec![
                    literal("/"),
                    ValuePart::StageVariable("v".to_owned()),
                    literal("/v1/"),
                    ValuePart::PathParameter("proxy".to_owned()),
                ],
            ),
            (Request, "append:header.x", "for 5$ or $5", vec![literal("for 5$ or $5")]),
            (
                Request,
                "append:header.X-A",
                "${request.path.id}-b",
                vec![ValuePart::PathParameter("id".to_owned()), literal("-b")],
            ),
            (Request, "overwrite:querystring.q", "$stageVariables.v", vec![ValuePart::StageVariable("v".to_owned())]),
            (Request, "remove:header.x-a", "''", vec![]),
            (Request, "append:header.x", "$request.header.X-B", vec![ValuePart::Header("x-b".to_owned())]),
            (Request, "append:header.x", "$request.body", vec![ValuePart::Body(vec![])]),
            (
                Request,
                "append:header.x",
                "$request.body.a[0]['b c']",
                vec![ValuePart::Body(vec![member("a"), BodyStep::Element(0), member("b c")])],
            ),
            (Response, "overwrite:statuscode", "403", vec![literal("403")]),
            (Response, "overwrite:statuscode", "$response.body.status", vec![ValuePart::Body(vec![member("status")])]),
            (Response, "append:header.x", "$response.header.Server", vec![ValuePart::Header("server".to_owned())]),
        ];
        for (side, key, value, expected) in rows {
            assert_eq!(parse(side, key, value).unwrap().value, expected, "{key} {value}");
        }
    }

    #[test]
    fn what_is_not_in_the_language_is_refused() {
        for (side, key, value) in [
            (Request, "path", "x"),
            (Request, "append:path", "x"),
            (Request, "remove:path", ""),
            (Request, "overwrite:statuscode", "200"),
            (Request, "overwrite:header.", "x"),
            (Request, "overwrite:header.a b", "x"),
            (Request, "overwrite:header.Authorization", "x"),
            (Request, "append:header.Host", "x"),
            (Request, "remove:header.host", ""),
            (Request, "append:header.x-amzn-a", "x"),
            (Request, "append:header.Via", "x"),
            (Request, "overwrite:header.x", "$nothing.here"),
            (Request, "overwrite:header.x", "${request.path"),
            (Request, "overwrite:path", "/$request.path.a/$request.path.b"),
            (Request, "overwrite:path", "/$request.path.id/items"),
            (Request, "overwrite:path", "/$request.proxy"),
            (Request, "overwrite:path", "/$nothing"),
            (Request, "overwrite:path", "/${}"),
            (Request, "overwrite:header.x", "$stageVariables.a b"),
            (Request, "overwrite:header.x", "$request.querystring.a $request.querystring.b"),
            (Request, "overwrite:header.x", "$context."),
            (Request, "overwrite:header.x", "$response.header.a"),
            (Request, "overwrite:header.x", "$request.body..a"),
            (Request, "overwrite:header.x", "$request.body[?(@.a)]"),
            (Request, "overwrite:header.x", "$request.body[-1]"),
            (Request, "overwrite:header.x", "$request.bodyguard"),
            (Response, "overwrite:path", "/x"),
            (Response, "append:querystring.a", "x"),
            (Response, "append:statuscode", "200"),
            (Response, "overwrite:statuscode", "99"),
            (Response, "overwrite:statuscode", "abc"),
            (Response, "append:header.access-control-allow-origin", "*"),
            (Response, "append:header.x", "$request.header.a"),
            (Response, "append:header.x", "$response.querystring.a"),
        ] {
            assert!(parse(side, key, value).is_err(), "{key} {value}");
        }
        assert!(parse(Request, "overwrite:header.Host", "example.com").is_ok());
    }

    #[test]
    fn statuses_are_three_digits_from_200_to_599() {
        assert_eq!(status("200"), Ok(200));
        for text in ["199", "600", "2xx", "0200", "", "+20"] {
            assert!(status(text).is_err(), "{text}");
        }
    }
}
