//! Where mapping expressions of REST APIs take their values from: the client's request, the integration's answer, the context
//! and the stage (API Gateway developer guide, "API Gateway API request and response data mapping reference", 2026-11). What is
//! not there maps to nothing.

use std::borrow::Cow;

use http::HeaderMap;
use topology::mapping::rest::Value;
use topology::variable::Variable;

use super::context::last;
use crate::gateway::context::Context;
use crate::gateway::payload::Payload;
use crate::gateway::variables;
use crate::http::framing::FramingLines;

/// The message that is mapped.
#[derive(Clone, Copy)]
pub(crate) enum Message<'a> {
    /// The client's request, and its body where a mapping looks into it.
    Request(&'a Payload),
    /// The integration's answer, with the lines that frame it.
    Answer((&'a HeaderMap, &'a FramingLines), &'a Payload),
}

/// Every value of an expression, in order.
pub(crate) fn values(context: &Context<'_>, message: Message<'_>, value: &Value) -> Vec<String> {
    let Some(rest) = context.rest.as_ref() else { return Vec::new() };
    let all = |pairs: &[(String, String)], name: &str| {
        pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    match (value, message) {
        (Value::QueryValues(name), _) => all(&rest.params.querystring, name),
        (Value::HeaderLines(name), Message::Request(_)) => {
            let lines = rest.params.header.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            lines.map(|(_, value)| value.clone()).collect()
        }
        (Value::HeaderLines(name), Message::Answer((headers, framing), _)) => {
            let lines = headers.get_all(name.as_str()).iter().chain(framing.named(name));
            lines.map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).collect()
        }
        _ => one(context, message, value).map(Cow::into_owned).into_iter().collect(),
    }
}

/// The value of an expression; several are joined by commas.
pub(crate) fn one<'a>(context: &'a Context<'_>, message: Message<'a>, value: &'a Value) -> Option<Cow<'a, str>> {
    let rest = context.rest.as_ref()?;
    match value {
        Value::Static(text) => Some(Cow::Borrowed(text)),
        Value::Header(name) => match message {
            Message::Request(_) => rest.header(name).map(Cow::Borrowed),
            Message::Answer((headers, framing), _) => {
                let line = framing.named(name).or_else(|| headers.get_all(name.as_str()).iter().next_back())?;
                Some(String::from_utf8_lossy(line.as_bytes()))
            }
        },
        Value::Query(name) => last(&rest.params.querystring, |other| other == name).map(Cow::Borrowed),
        Value::Path(name) => last(&rest.params.path, |other| other == name).map(Cow::Borrowed),
        Value::HeaderLines(_) | Value::QueryValues(_) => {
            let joined = values(context, message, value).join(",");
            (!joined.is_empty()).then_some(Cow::Owned(joined))
        }
        Value::Body(path) => match message {
            Message::Request(payload) | Message::Answer(_, payload) => payload.at(path),
        },
        Value::StageVariable(name) => {
            context.found.as_ref()?.site.stage.variables.get(name).map(|value| Cow::Borrowed(value.as_str()))
        }
        Value::Context(variable) => variables::worth(context, variable),
    }
}

/// A value of the request, after its body is gone.
pub(crate) fn of_request<'a>(context: &'a Context<'_>, value: &'a Value) -> Option<Cow<'a, str>> {
    let gone = Payload::default();
    one(context, Message::Request(&gone), value).map(|value| Cow::Owned(value.into_owned()))
}

/// A value by its expression without the `$` of templates: `context.NAME`, `stageVariables.NAME`, `method.request.…`.
pub(crate) fn named(context: &Context<'_>, name: &str) -> Option<String> {
    if let Some(name) = name.strip_prefix("context.") {
        return variable(context, name);
    }
    let value = topology::mapping::rest::value(topology::mapping::rest::From::MethodRequest, name).ok()?;
    of_request(context, &value).map(Cow::into_owned)
}

/// What `$context.NAME` is worth in a template.
pub(crate) fn variable(context: &Context<'_>, name: &str) -> Option<String> {
    let variable = Variable::parse(name)?;
    variables::worth(context, &variable).map(Cow::into_owned)
}
