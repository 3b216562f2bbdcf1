//! The names and values of parameter maps, as far as AWS checks them when they are written (REST API developer guide,
//! "Parameter mapping", 2026-11). Their language is `topology`'s; that what they take is declared is checked here.

use std::collections::{BTreeMap, BTreeSet};

use topology::mapping::rest::{self, From, Parameter, Value};
use wire::Fault;

use super::fault;

/// Names that a method declares: `method.request.{header|querystring|path}.NAME`, each NAME once.
pub(super) fn check_declared(parameters: &BTreeMap<String, bool>) -> Result<(), Fault> {
    let mut names = BTreeSet::new();
    for key in parameters.keys() {
        let parameter = Parameter::parse(key).ok_or_else(|| invalid(key))?;
        if !names.insert(parameter.name().to_owned()) {
            return Err(fault::bad_request("Parameter names must be unique across querystring, header and path"));
        }
    }
    Ok(())
}

/// Names that a method response declares: `method.response.header.NAME`.
pub(super) fn check_declared_response(parameters: &BTreeMap<String, bool>) -> Result<(), Fault> {
    parameters.keys().try_for_each(|key| answer_header(key, "method.response."))
}

/// A header of an answer, in the words of a method's response or of a gateway response.
fn answer_header(key: &str, whose: &str) -> Result<(), Fault> {
    let named = key.starts_with(whose) && rest::answer_header(key).is_ok();
    if named { Ok(()) } else { Err(invalid(key)) }
}

/// Mappings of an integration's request; what they take from the method's request must be declared there.
pub(super) fn check_request(
    mappings: &BTreeMap<String, String>,
    declared: &BTreeMap<String, bool>,
) -> Result<(), Fault> {
    for (key, expression) in mappings {
        rest::place(key).map_err(|_| invalid(key))?;
        let value = rest::value(From::MethodRequest, expression).map_err(|_| invalid(expression))?;
        if parameter(&value).is_some_and(|key| !declared.contains_key(&key)) {
            return Err(undeclared(expression));
        }
    }
    Ok(())
}

/// The parameter of a method that a value is taken from, by the key that declares it.
fn parameter(value: &Value) -> Option<String> {
    let (place, name) = match value {
        Value::Header(name) | Value::HeaderLines(name) => ("header", name),
        Value::Query(name) | Value::QueryValues(name) => ("querystring", name),
        Value::Path(name) => ("path", name),
        Value::Static(_) | Value::Body(_) | Value::StageVariable(_) | Value::Context(_) => return None,
    };
    Some(format!("method.request.{place}.{name}"))
}

/// Mappings of an integration's response to the headers that the method's response declares.
pub(super) fn check_response(
    mappings: &BTreeMap<String, String>,
    declared: &BTreeMap<String, bool>,
) -> Result<(), Fault> {
    for (key, expression) in mappings {
        answer_header(key, "method.response.")?;
        rest::value(From::IntegrationResponse, expression).map_err(|_| invalid(expression))?;
        if !declared.contains_key(key) {
            return Err(undeclared(key));
        }
    }
    Ok(())
}

/// Mappings of a gateway response: everything that a request has but its body.
pub(super) fn check_gateway_response(mappings: &BTreeMap<String, String>) -> Result<(), Fault> {
    for (key, expression) in mappings {
        answer_header(key, "gatewayresponse.")?;
        match rest::value(From::MethodRequest, expression) {
            Ok(Value::Body(_)) | Err(_) => return Err(invalid(expression)),
            Ok(_) => {}
        }
    }
    Ok(())
}

fn invalid(what: &str) -> Fault {
    fault::mapping(&format!("Invalid mapping expression specified: {what}"))
}

fn undeclared(what: &str) -> Fault {
    fault::mapping(&format!("Invalid mapping expression parameter specified: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(names: &[&str]) -> BTreeMap<String, bool> {
        names.iter().map(|name| ((*name).to_owned(), true)).collect()
    }

    fn mapping(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn requests_are_mapped_from_what_is_declared() {
        let declared = declared(&["method.request.path.id", "method.request.header.x-a"]);
        let rows = [
            ("integration.request.path.id", "method.request.path.id", None),
            ("integration.request.header.x", "method.request.multivalueheader.x-a", None),
            ("integration.request.header.x", "'fixed'", None),
            ("integration.request.header.x", "''", None),
            ("integration.request.querystring.q", "context.identity.sourceIp", None),
            ("integration.request.querystring.q", "stageVariables.v", None),
            ("integration.request.querystring.q", "method.request.body.a[0].b", None),
            ("integration.request.querystring.q", "method.request.body", None),
            ("integration.request.cookie.q", "'a'", Some("specified: integration.request.cookie.q")),
            ("integration.request.header.x", "true", Some("specified: true")),
            ("integration.request.header.x", "'", Some("specified: '")),
            ("integration.request.header.x", "context.", Some("specified: context.")),
            ("integration.request.header.x", "method.request.bodyx", Some("specified: method.request.bodyx")),
            (
                "integration.request.header.x",
                "method.request.header.y",
                Some("parameter specified: method.request.header.y"),
            ),
        ];
        for (key, value, expected) in rows {
            let outcome = check_request(&mapping(key, value), &declared).map_err(|fault| fault.message);
            match expected {
                None => assert_eq!(outcome, Ok(()), "{key} {value}"),
                Some(text) => {
                    let message = outcome.expect_err(value);
                    assert!(message.ends_with(&format!("expression {text}]")), "{message}");
                }
            }
        }
    }

    #[test]
    fn responses_are_mapped_to_what_is_declared() {
        let declared = declared(&["method.response.header.x"]);
        let check = |key, value| check_response(&mapping(key, value), &declared).is_ok();
        assert!(check("method.response.header.x", "integration.response.header.y"));
        assert!(check("method.response.header.x", "integration.response.body.a"));
        assert!(check("method.response.header.x", "'*'"));
        assert!(!check("method.response.header.y", "'*'"));
        assert!(!check("method.response.header.x", "method.request.header.y"));
    }

    #[test]
    fn one_name_is_declared_in_one_place() {
        assert!(check_declared(&declared(&["method.request.header.a", "method.request.querystring.b"])).is_ok());
        assert!(check_declared(&declared(&["method.request.header.a", "method.request.querystring.a"])).is_err());
        assert!(check_declared(&declared(&["method.request.body.a"])).is_err());
        assert!(check_declared_response(&declared(&["method.response.header.a"])).is_ok());
        assert!(check_declared_response(&declared(&["method.response.path.a"])).is_err());
    }
}
