//! Applies parameter mappings to requests and answers (HTTP API developer guide, "Transform API requests and responses for
//! HTTP APIs", 2026-11). Every value is evaluated on the message as it came, then the changes are made in the order of their
//! keys. A value that resolves to nothing changes nothing.

use std::borrow::Cow;

use http::header::{HeaderName, HeaderValue, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use topology::mapping;
use topology::path::pairs;
use topology::snapshot::gateway::{ParameterChange, ParameterMapping, ParameterTarget, ValuePart};
use topology::snapshot::routes::path_parameter;

use super::context::Context;
use super::payload::Payload;
use super::refusal::Refusal;
use super::variables;
use crate::http::framing::FramingLines;
use crate::http::percent::{as_path, decode, encode, is_query_byte};

/// What values are taken from.
pub(crate) struct Sources<'a, 'w> {
    /// The request.
    pub(crate) context: &'a Context<'w>,
    /// The headers of the message that is mapped, and the lines that frame it.
    pub(crate) message: (&'a HeaderMap, &'a FramingLines),
    /// The beginning of its body; empty where no mapping looks into it.
    pub(crate) payload: &'a Payload,
}

/// Evaluated mappings.
pub(crate) struct Mapped<'w>(Vec<(&'w ParameterMapping, Option<String>)>);

/// Evaluates the mappings; `None` when there are none.
pub(crate) fn evaluate<'w>(parameters: &'w [ParameterMapping], sources: &Sources<'_, '_>) -> Option<Mapped<'w>> {
    if parameters.is_empty() {
        return None;
    }
    let value = |mapping: &'w ParameterMapping| (mapping, sources.text(&mapping.value));
    Some(Mapped(parameters.iter().map(value).collect()))
}

impl Sources<'_, '_> {
    fn text(&self, parts: &[ValuePart]) -> Option<String> {
        let mut out = String::new();
        for text in parts.iter().filter_map(|part| self.part(part)) {
            out.push_str(&text);
        }
        (!out.is_empty()).then_some(out)
    }

    fn part<'p>(&'p self, part: &'p ValuePart) -> Option<Cow<'p, str>> {
        let context = self.context;
        match part {
            ValuePart::Literal(text) => Some(Cow::Borrowed(text)),
            ValuePart::RequestPath => Some(Cow::Borrowed(context.route_path())),
            ValuePart::PathParameter(name) => {
                let route = context.found.as_ref().and_then(|found| found.route)?;
                path_parameter(&route.key, context.route_path(), name).map(Cow::Borrowed)
            }
            ValuePart::Header(name) => {
                let (headers, framing) = self.message;
                let lines = headers.get_all(name.as_str()).iter().chain(framing.named(name));
                joined(lines.filter_map(|line| line.to_str().ok().map(Cow::Borrowed)))
            }
            ValuePart::Body(path) => self.payload.at(path),
            ValuePart::QueryString(name) => {
                let query = context.uri.query().unwrap_or_default();
                joined(pairs(query).filter(|(key, _)| decode(key) == *name).map(|(_, value)| decode(value)))
            }
            ValuePart::Context(variable) => variables::worth(context, variable),
            ValuePart::StageVariable(name) => {
                let variables = &context.found.as_ref()?.site.stage.variables;
                variables.get(name).map(|value| Cow::Borrowed(value.as_str()))
            }
        }
    }
}

fn joined<'p>(values: impl Iterator<Item = Cow<'p, str>>) -> Option<Cow<'p, str>> {
    values.reduce(|all, next| Cow::Owned(format!("{all},{next}")))
}

impl Mapped<'_> {
    /// Changes an answer's headers; the status that was mapped comes back, if one was.
    pub(crate) fn apply_to_answer(self, headers: &mut HeaderMap) -> Result<Option<StatusCode>, Refusal> {
        let mut status = None;
        for (mapping, value) in self.0 {
            match (&mapping.target, value) {
                (ParameterTarget::Header(name), value) => change_header(headers, name, mapping.change, value)?,
                (ParameterTarget::Status, Some(value)) => {
                    let mapped = mapping::status(&value).ok().and_then(|status| StatusCode::from_u16(status).ok());
                    status = Some(mapped.ok_or(Refusal::MappingFailed)?);
                }
                // The language has no other target for answers.
                (ParameterTarget::Status | ParameterTarget::Path | ParameterTarget::Query(_), _) => {}
            }
        }
        Ok(status)
    }

    /// Changes a request; the path and the query as they are sent come back.
    pub(crate) fn apply(
        self,
        path: &str,
        query: Option<&str>,
        headers: &mut HeaderMap,
    ) -> Result<(String, Option<String>), Refusal> {
        let mut path = path.to_owned();
        let mut query = query.map(str::to_owned);
        for (mapping, value) in self.0 {
            match (&mapping.target, value) {
                (ParameterTarget::Path, Some(value)) => path = as_path(&value),
                // The language has no status for requests.
                (ParameterTarget::Path | ParameterTarget::Status, _) => {}
                (ParameterTarget::Header(name), value) => change_header(headers, name, mapping.change, value)?,
                (ParameterTarget::Query(name), value) => change_query(&mut query, name, mapping.change, value),
            }
        }
        Ok((path, query))
    }
}

fn change_header(
    headers: &mut HeaderMap,
    name: &str,
    change: ParameterChange,
    value: Option<String>,
) -> Result<(), Refusal> {
    let name = HeaderName::try_from(name).map_err(|_| Refusal::MappingFailed)?;
    let value = match (change, value) {
        (ParameterChange::Remove, _) => {
            headers.remove(name);
            return Ok(());
        }
        (_, None) => return Ok(()),
        (_, Some(value)) => value,
    };
    let value = HeaderValue::try_from(value).map_err(|_| Refusal::MappingFailed)?;
    if change == ParameterChange::Append && name == SET_COOKIE {
        // The one header whose lines cannot be joined (RFC 9110, section 5.3).
        headers.append(name, value);
        return Ok(());
    }
    let before = headers.get_all(&name).iter().filter(|_| change == ParameterChange::Append);
    let lines: Vec<&[u8]> = before.map(HeaderValue::as_bytes).chain([value.as_bytes()]).collect();
    let joined = HeaderValue::from_bytes(&lines.join(&b","[..])).map_err(|_| Refusal::MappingFailed)?;
    headers.insert(name, joined);
    Ok(())
}

fn change_query(query: &mut Option<String>, name: &str, change: ParameterChange, value: Option<String>) {
    let old = query.take().unwrap_or_default();
    if change != ParameterChange::Remove && value.is_none() {
        *query = Some(old).filter(|old| !old.is_empty());
        return;
    }
    let mut kept: Vec<String> = old
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(|pair| {
            let key = pair.split_once('=').map_or(*pair, |(key, _)| key);
            change == ParameterChange::Append || decode(key) != name
        })
        .map(str::to_owned)
        .collect();
    if let (true, Some(value)) = (change != ParameterChange::Remove, value) {
        kept.push(format!("{}={}", encode(name, is_query_byte), encode(&value, is_query_byte)));
    }
    *query = Some(kept.join("&")).filter(|joined| !joined.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_changes_table() {
        use ParameterChange::{Append, Overwrite, Remove};
        let rows = [
            (Some("a=1&b=2"), Append, Some("x y"), Some("a=1&b=2&a=x%20y")),
            (Some("a=1&b=2&a=3"), Overwrite, Some("9"), Some("b=2&a=9")),
            (Some("a=1&b=2"), Remove, None, Some("b=2")),
            (Some("a=1"), Remove, None, None),
            (None, Append, Some("1"), Some("a=1")),
            (Some("%61=1&c"), Remove, None, Some("c")),
            (Some("b=2"), Overwrite, None, Some("b=2")),
        ];
        for (before, change, value, expected) in rows {
            let mut query = before.map(str::to_owned);
            change_query(&mut query, "a", change, value.map(str::to_owned));
            assert_eq!(query.as_deref(), expected, "{before:?} {change:?}");
        }
    }

    #[test]
    fn header_changes_table() {
        use ParameterChange::{Append, Overwrite, Remove};
        let rows = [
            (Some("1"), Append, Some("2"), Some("1,2")),
            (None, Append, Some("2"), Some("2")),
            (Some("1"), Overwrite, Some("2"), Some("2")),
            (Some("1"), Overwrite, None, Some("1")),
            (Some("1"), Remove, None, None),
        ];
        for (before, change, value, expected) in rows {
            let mut headers = HeaderMap::new();
            if let Some(before) = before {
                headers.insert("x-a", before.parse().unwrap());
            }
            assert!(change_header(&mut headers, "x-a", change, value.map(str::to_owned)).is_ok());
            assert_eq!(headers.get("x-a").map(|v| v.to_str().unwrap()), expected, "{before:?} {change:?}");
        }
    }

    #[test]
    fn every_line_of_a_header_is_kept_when_something_is_appended() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a", "1"), ("x-a", "\u{fc}"), ("set-cookie", "a=1"), ("set-cookie", "b=2")] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        for name in ["x-a", "set-cookie"] {
            assert!(change_header(&mut headers, name, ParameterChange::Append, Some("c=3".to_owned())).is_ok());
        }
        assert_eq!(headers["x-a"].as_bytes(), "1,\u{fc},c=3".as_bytes());
        assert_eq!(headers.get_all(SET_COOKIE).iter().collect::<Vec<_>>(), ["a=1", "b=2", "c=3"]);
    }
}
