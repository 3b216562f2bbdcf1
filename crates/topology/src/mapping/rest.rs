//! The parameter mapping language of REST APIs: where a value comes from and where it goes (API Gateway developer guide, "API
//! Gateway API request and response data mapping reference", 2026-11). Used when a mapping is written, to refuse it, and by
//! traffic, which reads each once for a deployment.

use super::{MappingError, body_path};
use crate::snapshot::gateway::BodyStep;
use crate::variable::Variable;

/// Where a mapping of a request puts its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `integration.request.header.NAME`
    Header(String),
    /// `integration.request.querystring.NAME`
    Query(String),
    /// `integration.request.path.NAME`: a variable of the `uri`.
    Path(String),
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `'text'`
    Static(String),
    /// `header.NAME` of the message: the last line.
    Header(String),
    /// `multivalueheader.NAME`: all lines.
    HeaderLines(String),
    /// `method.request.querystring.NAME`: the last value.
    Query(String),
    /// `method.request.multivaluequerystring.NAME`: all values.
    QueryValues(String),
    /// `method.request.path.NAME`
    Path(String),
    /// `body` of the message, and the way into it.
    Body(Vec<BodyStep>),
    /// `stageVariables.NAME`
    StageVariable(String),
    /// `context.NAME`
    Context(Variable),
}

/// Which message a value is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// `method.request`
    MethodRequest,
    /// `integration.response`
    IntegrationResponse,
}

impl From {
    const fn prefix(self) -> &'static str {
        match self {
            Self::MethodRequest => "method.request.",
            Self::IntegrationResponse => "integration.response.",
        }
    }
}

fn bad(text: &str) -> MappingError {
    MappingError::Value(text.to_owned())
}

/// Reads a key of an integration's `requestParameters`.
///
/// # Errors
/// When it names no place.
pub fn place(key: &str) -> Result<Location, MappingError> {
    let wrong = || MappingError::Key(key.to_owned());
    let (kind, name) = key.strip_prefix("integration.request.").and_then(|k| k.split_once('.')).ok_or_else(wrong)?;
    match kind {
        _ if name.is_empty() => Err(wrong()),
        "header" if is_token(name) => Ok(Location::Header(name.to_owned())),
        "querystring" => Ok(Location::Query(name.to_owned())),
        "path" => Ok(Location::Path(name.to_owned())),
        _ => Err(wrong()),
    }
}

/// Reads a key of `responseParameters`: `method.response.header.NAME`, or `gatewayresponse.header.NAME`. The header's name comes back.
///
/// # Errors
/// When it names no header.
pub fn answer_header(key: &str) -> Result<String, MappingError> {
    let prefixes = ["method.response.header.", "gatewayresponse.header."];
    let name = prefixes.iter().find_map(|prefix| key.strip_prefix(prefix)).filter(|name| is_token(name));
    name.map(str::to_owned).ok_or_else(|| MappingError::Key(key.to_owned()))
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Reads an expression.
///
/// # Errors
/// When it is not in the language of this message.
pub fn value(from: From, text: &str) -> Result<Value, MappingError> {
    if let Some(literal) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Ok(Value::Static(literal.to_owned()));
    }
    if let Some(name) = text.strip_prefix("stageVariables.").filter(|name| !name.is_empty()) {
        return Ok(Value::StageVariable(name.to_owned()));
    }
    if let Some(name) = text.strip_prefix("context.") {
        return Variable::parse(name).map(Value::Context).ok_or_else(|| bad(text));
    }
    let rest = text.strip_prefix(from.prefix()).ok_or_else(|| bad(text))?;
    if let Some(path) = rest.strip_prefix("body").filter(|path| path.is_empty() || path.starts_with(['.', '['])) {
        // `body.$.name` is as good as `body.name`.
        let path = path.strip_prefix(".$").unwrap_or(path);
        return body_path(path).map(Value::Body).ok_or_else(|| bad(text));
    }
    let (kind, name) = rest.split_once('.').filter(|(_, name)| !name.is_empty()).ok_or_else(|| bad(text))?;
    let name = name.to_owned();
    match (from, kind) {
        (_, "header") => Ok(Value::Header(name)),
        (_, "multivalueheader") => Ok(Value::HeaderLines(name)),
        (From::MethodRequest, "querystring") => Ok(Value::Query(name)),
        (From::MethodRequest, "multivaluequerystring") => Ok(Value::QueryValues(name)),
        (From::MethodRequest, "path") => Ok(Value::Path(name)),
        _ => Err(bad(text)),
    }
}

/// A parameter that a method declares: `method.request.{header|querystring|path}.NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parameter {
    /// A header.
    Header(String),
    /// A path parameter.
    Path(String),
    /// A query parameter.
    Query(String),
}

impl Parameter {
    /// Reads a key of a method's `requestParameters`.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        let (kind, name) = key.strip_prefix("method.request.")?.split_once('.').filter(|(_, name)| !name.is_empty())?;
        match kind {
            "header" => Some(Self::Header(name.to_owned())),
            "path" => Some(Self::Path(name.to_owned())),
            "querystring" => Some(Self::Query(name.to_owned())),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Header(name) | Self::Path(name) | Self::Query(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_table() {
        let text = |t: &str| t.to_owned();
        let member = |name: &str| BodyStep::Member(name.to_owned());
        let rows = [
            (From::MethodRequest, "'a b'", Some(Value::Static(text("a b")))),
            (From::MethodRequest, "''", Some(Value::Static(text("")))),
            (From::MethodRequest, "method.request.header.X-A", Some(Value::Header(text("X-A")))),
            (From::MethodRequest, "method.request.multivaluequerystring.q", Some(Value::QueryValues(text("q")))),
            (From::MethodRequest, "method.request.path.proxy", Some(Value::Path(text("proxy")))),
            (From::MethodRequest, "method.request.body", Some(Value::Body(vec![]))),
            (
                From::MethodRequest,
                "method.request.body.$.a[0]",
                Some(Value::Body(vec![member("a"), BodyStep::Element(0)])),
            ),
            (From::MethodRequest, "stageVariables.v", Some(Value::StageVariable(text("v")))),
            (From::IntegrationResponse, "integration.response.header.Location", Some(Value::Header(text("Location")))),
            (From::IntegrationResponse, "integration.response.body.a", Some(Value::Body(vec![member("a")]))),
            (From::IntegrationResponse, "integration.response.querystring.a", None),
            (From::IntegrationResponse, "method.request.header.a", None),
            (From::MethodRequest, "method.request.header.", None),
            (From::MethodRequest, "method.request.cookie.a", None),
            (From::MethodRequest, "text", None),
            (From::MethodRequest, "true", None),
            (From::MethodRequest, "context.", None),
        ];
        for (from, expression, expected) in rows {
            assert_eq!(value(from, expression).ok(), expected, "{expression}");
        }
    }

    #[test]
    fn keys_table() {
        assert_eq!(place("integration.request.path.proxy"), Ok(Location::Path("proxy".to_owned())));
        assert_eq!(place("integration.request.header.X-A"), Ok(Location::Header("X-A".to_owned())));
        for key in ["integration.request.header.", "integration.request.body.a", "method.request.path.a", "path"] {
            assert!(place(key).is_err(), "{key}");
        }
        assert_eq!(answer_header("method.response.header.X-A"), Ok("X-A".to_owned()));
        assert!(answer_header("method.response.body").is_err());
        assert_eq!(Parameter::parse("method.request.querystring.a"), Some(Parameter::Query("a".to_owned())));
        assert_eq!(Parameter::parse("method.request.body"), None);
    }
}
