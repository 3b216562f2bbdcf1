//! The names and values of parameter maps, as far as AWS checks them when they are written (REST API developer guide,
//! "Parameter mapping", 2026-11). What they do to a request is traffic's business.

use std::collections::BTreeMap;

use wire::Fault;

use super::fault;

/// Where a parameter of a request may be.
const REQUEST_PLACES: [&str; 3] = ["header", "querystring", "path"];

/// Names that a method declares: `method.request.{header|querystring|path}.NAME`, each NAME once.
pub(super) fn check_declared(parameters: &BTreeMap<String, bool>) -> Result<(), Fault> {
    let mut names = Vec::new();
    for key in parameters.keys() {
        let name = named(key, "method.request.", &REQUEST_PLACES);
        let (_, name) = name.ok_or_else(|| invalid(key))?;
        if names.contains(&name) {
            return Err(fault::bad_request("Parameter names must be unique across querystring, header and path"));
        }
        names.push(name);
    }
    Ok(())
}

/// Names that a method response declares: `method.response.header.NAME`.
pub(super) fn check_declared_response(parameters: &BTreeMap<String, bool>) -> Result<(), Fault> {
    let fits = |key: &&String| named(key, "method.response.", &["header"]).is_none();
    parameters.keys().find(fits).map_or(Ok(()), |key| Err(invalid(key)))
}

/// Mappings of an integration's request; what they take from the method's request must be declared there.
pub(super) fn check_request(
    mappings: &BTreeMap<String, String>,
    declared: &BTreeMap<String, bool>,
) -> Result<(), Fault> {
    for (key, value) in mappings {
        named(key, "integration.request.", &REQUEST_PLACES).ok_or_else(|| invalid(key))?;
        if is_general(value) || is_body(value, "method.request.") {
            continue;
        }
        let places = ["header", "querystring", "path", "multivalueheader", "multivaluequerystring"];
        let (place, name) = named(value, "method.request.", &places).ok_or_else(|| invalid(value))?;
        let place = place.strip_prefix("multivalue").unwrap_or(place);
        if !declared.contains_key(&format!("method.request.{place}.{name}")) {
            return Err(undeclared(value));
        }
    }
    Ok(())
}

/// Mappings of an integration's response to the headers that the method's response declares.
pub(super) fn check_response(
    mappings: &BTreeMap<String, String>,
    declared: &BTreeMap<String, bool>,
) -> Result<(), Fault> {
    for (key, value) in mappings {
        named(key, "method.response.", &["header"]).ok_or_else(|| invalid(key))?;
        let of_answer = || named(value, "integration.response.", &["header", "multivalueheader"]).is_some();
        if !is_general(value) && !is_body(value, "integration.response.") && !of_answer() {
            return Err(invalid(value));
        }
        if !declared.contains_key(key) {
            return Err(undeclared(key));
        }
    }
    Ok(())
}

/// Mappings of a gateway response.
pub(super) fn check_gateway_response(mappings: &BTreeMap<String, String>) -> Result<(), Fault> {
    for (key, value) in mappings {
        named(key, "gatewayresponse.", &["header"]).ok_or_else(|| invalid(key))?;
        if !is_general(value) && named(value, "method.request.", &REQUEST_PLACES).is_none() {
            return Err(invalid(value));
        }
    }
    Ok(())
}

/// What can be said everywhere: fixed text, the context and stage variables.
fn is_general(value: &str) -> bool {
    let fixed = value.len() >= 2 && value.starts_with('\'') && value.ends_with('\'');
    let after = |prefix| value.strip_prefix(prefix).is_some_and(is_name);
    fixed || after("context.") || after("stageVariables.")
}

fn is_body(value: &str, prefix: &str) -> bool {
    let path = value.strip_prefix(prefix).and_then(|rest| rest.strip_prefix("body"));
    path.is_some_and(|path| path.is_empty() || path.len() > 1 && path.starts_with(['.', '[']))
}

/// Place and name of `{prefix}{place}.{name}`, for one of these places.
fn named<'a>(text: &'a str, prefix: &str, places: &[&str]) -> Option<(&'a str, &'a str)> {
    let (place, name) = text.strip_prefix(prefix)?.split_once('.')?;
    (places.contains(&place) && is_name(name)).then_some((place, name))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && !b"'\"\\,;{}".contains(&b))
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
