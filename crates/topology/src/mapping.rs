//! The parameter mapping language of HTTP APIs, as far as requests to private integrations use it: `overwrite:path` and
//! append, overwrite and remove of headers and query parameters (HTTP API developer guide, "Transform API requests and
//! responses", 2026-11). Used when a mapping is written, to refuse it, and when it is compiled.

use std::fmt;

use crate::snapshot::gateway::{ParameterChange, ParameterMapping, ParameterTarget, ValuePart};
use crate::variable::Variable;

/// Why a mapping is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappingError {
    /// The key names no operation and place.
    Key(String),
    /// The header is reserved.
    Restricted(String),
    /// The value names something that does not exist, or that is not carried out yet.
    Value(String),
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "Invalid mapping expression specified: {key}"),
            Self::Restricted(name) => write!(f, "Operations on header {name} are restricted"),
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

/// Parses one entry of `requestParameters`.
///
/// # Errors
/// When key or value are not in the language.
pub fn parse(key: &str, value: &str) -> Result<ParameterMapping, MappingError> {
    let bad_key = || MappingError::Key(key.to_owned());
    let (change, place) = key.split_once(':').ok_or_else(bad_key)?;
    let change = match change {
        "append" => ParameterChange::Append,
        "overwrite" => ParameterChange::Overwrite,
        "remove" => ParameterChange::Remove,
        _ => return Err(bad_key()),
    };
    let target = match place.split_once('.') {
        None if place == "path" && change == ParameterChange::Overwrite => ParameterTarget::Path,
        Some(("header", name)) => ParameterTarget::Header(header_name(name).ok_or_else(bad_key)??),
        Some(("querystring", name)) if !name.is_empty() => ParameterTarget::Query(name.to_owned()),
        _ => return Err(bad_key()),
    };
    let value = if change == ParameterChange::Remove { Vec::new() } else { parts(value)? };
    Ok(ParameterMapping { target, change, value })
}

fn header_name(name: &str) -> Option<Result<String, MappingError>> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    Some(if is_reserved(&lower) { Err(MappingError::Restricted(name.to_owned())) } else { Ok(lower) })
}

/// Parses a value: one expression, or text with `${…}` in it.
fn parts(value: &str) -> Result<Vec<ValuePart>, MappingError> {
    if let Some(whole) = value.strip_prefix('$').filter(|rest| !rest.starts_with('{')) {
        return Ok(vec![expression(whole)?]);
    }
    let mut parts = Vec::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let (inner, tail) = after.split_once('}').ok_or_else(|| MappingError::Value(value.to_owned()))?;
        if !before.is_empty() {
            parts.push(ValuePart::Literal(before.to_owned()));
        }
        parts.push(expression(inner)?);
        rest = tail;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(ValuePart::Literal(rest.to_owned()));
    }
    Ok(parts)
}

fn expression(text: &str) -> Result<ValuePart, MappingError> {
    let bad = || MappingError::Value(format!("${text}"));
    if text == "request.path" {
        return Ok(ValuePart::RequestPath);
    }
    let named = |prefix: &str| text.strip_prefix(prefix).filter(|name| !name.is_empty()).map(str::to_owned);
    if let Some(name) = named("request.path.") {
        return Ok(ValuePart::PathParameter(name));
    }
    if let Some(name) = named("request.header.") {
        return Ok(ValuePart::RequestHeader(name.to_ascii_lowercase()));
    }
    if let Some(name) = named("request.querystring.") {
        return Ok(ValuePart::QueryString(name));
    }
    if let Some(name) = named("stageVariables.") {
        return Ok(ValuePart::StageVariable(name));
    }
    named("context.").and_then(|name| Variable::parse(&name)).map(ValuePart::Context).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapping_table() {
        let literal = |text: &str| ValuePart::Literal(text.to_owned());
        let rows = [
            ("overwrite:path", "$request.path", vec![ValuePart::RequestPath]),
            ("overwrite:path", "/fixed", vec![literal("/fixed")]),
            (
                "append:header.X-A",
                "${request.path.id}-b",
                vec![ValuePart::PathParameter("id".to_owned()), literal("-b")],
            ),
            ("overwrite:querystring.q", "$stageVariables.v", vec![ValuePart::StageVariable("v".to_owned())]),
            ("remove:header.x-a", "''", vec![]),
        ];
        for (key, value, expected) in rows {
            assert_eq!(parse(key, value).unwrap().value, expected, "{key} {value}");
        }
    }

    #[test]
    fn what_is_not_in_the_language_is_refused() {
        for (key, value) in [
            ("path", "x"),
            ("append:path", "x"),
            ("remove:path", ""),
            ("overwrite:header.", "x"),
            ("overwrite:header.a b", "x"),
            ("overwrite:header.Authorization", "x"),
            ("append:header.x-amzn-a", "x"),
            ("append:header.Via", "x"),
            ("overwrite:header.x", "$nothing.here"),
            ("overwrite:header.x", "${request.path"),
            ("overwrite:header.x", "$context."),
        ] {
            assert!(parse(key, value).is_err(), "{key} {value}");
        }
        assert!(parse("overwrite:header.Host", "example.com").is_ok());
    }
}
