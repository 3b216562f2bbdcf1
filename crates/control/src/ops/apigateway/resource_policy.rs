//! Resource policies as they are written: the document as AWS keeps it, and the refusal of what traffic could not carry out (API
//! Gateway developer guide, "Control access to a REST API with API Gateway resource policies", 2026-11). The words are `topology`'s.
//! What a statement means is judged by traffic alone.

use serde_json::{Map, Value};
use topology::resource::resource_policy::{STATEMENT_MEMBERS, block, is_source_address, operator};
use wire::Fault;

use super::fault;

/// Characters of a resource policy, at most (REST API quotas, 2026-11).
const POLICY_CHARS_MAX: usize = 8_192;
/// The versions of the language (IAM user guide, "IAM JSON policy elements: Version", 2026-11).
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];

/// Why a statement is refused.
enum Wrong {
    /// It is in no policy language.
    Invalid,
    /// AWS knows it, and traffic here does not.
    Unsupported(String),
}

/// A policy without the spaces of its author, as AWS keeps it.
pub(super) fn checked(text: &str) -> Result<String, Fault> {
    let document: Value = serde_json::from_str(text).map_err(|_| invalid())?;
    let members = document.as_object().filter(|_| text.chars().count() <= POLICY_CHARS_MAX).ok_or_else(invalid)?;
    if !members.keys().all(|name| ["Version", "Id", "Statement"].contains(&name.as_str())) {
        return Err(invalid());
    }
    if members.get("Version").is_some_and(|version| !VERSIONS.iter().any(|known| version == known)) {
        return Err(invalid());
    }
    let statements = match members.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(only) => std::slice::from_ref(only),
        None => &[],
    };
    for (at, source) in (1..).zip(statements) {
        statement(source).map_err(|wrong| match wrong {
            Wrong::Invalid => invalid().with_detail(format!("statement {at}")),
            Wrong::Unsupported(what) => fault::unsupported(&format!("{what} in statement {at} of the policy")),
        })?;
    }
    Ok(document.to_string())
}

fn invalid() -> Fault {
    fault::bad_request("Invalid policy document. Please check the policy syntax and ensure that Principals are valid.")
}

fn statement(source: &Value) -> Result<(), Wrong> {
    let members = source.as_object().ok_or(Wrong::Invalid)?;
    if let Some(name) = members.keys().find(|name| !STATEMENT_MEMBERS.contains(&name.as_str())) {
        return Err(if name == "NotPrincipal" { Wrong::Unsupported(name.clone()) } else { Wrong::Invalid });
    }
    if !matches!(members.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Err(Wrong::Invalid);
    }
    principal(members.get("Principal"))?;
    one_of(members, ["Action", "NotAction"])?;
    one_of(members, ["Resource", "NotResource"])?;
    members.get("Condition").map_or(Ok(()), conditions)
}

/// `*`, alone or as an AWS principal. Whom a signature stands for is not told apart by traffic.
fn principal(source: Option<&Value>) -> Result<(), Wrong> {
    let who = match source {
        Some(Value::Object(kinds)) if kinds.len() == 1 => kinds.get("AWS"),
        other => other,
    };
    let named = who.and_then(texts).ok_or(Wrong::Invalid)?;
    match named.iter().find(|text| **text != "*") {
        None => Ok(()),
        Some(other) => Err(Wrong::Unsupported(format!("Principal {other}"))),
    }
}

/// Texts under one of two names, and not under both.
fn one_of(members: &Map<String, Value>, names: [&str; 2]) -> Result<(), Wrong> {
    match names.map(|name| members.get(name)) {
        [Some(one), None] | [None, Some(one)] => texts(one).map(|_| ()).ok_or(Wrong::Invalid),
        [Some(_), Some(_)] | [None, None] => Err(Wrong::Invalid),
    }
}

fn conditions(source: &Value) -> Result<(), Wrong> {
    for (name, keys) in source.as_object().ok_or(Wrong::Invalid)? {
        if operator(name).is_none() {
            return Err(Wrong::Unsupported(format!("Condition {name}")));
        }
        let keys = keys.as_object().filter(|keys| !keys.is_empty()).ok_or(Wrong::Invalid)?;
        for (key, values) in keys {
            if !is_source_address(key) {
                return Err(Wrong::Unsupported(format!("Condition {name} {key}")));
            }
            let values = texts(values).ok_or(Wrong::Invalid)?;
            if values.iter().any(|text| block(text).is_none()) {
                return Err(Wrong::Invalid);
            }
        }
    }
    Ok(())
}

/// A text, or a list of them that is not empty.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) if !items.is_empty() => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(statement: &str) -> Option<String> {
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
        checked(&text).err().map(|fault| fault.message)
    }

    #[test]
    fn statements_table() {
        const INVALID: &str = "Invalid policy document.";
        let with = |condition: &str| {
            format!(
                r#"{{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*", "Condition": {condition}}}"#
            )
        };
        let plain = with(r#"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1"]}}"#);
        let rows = [
            (plain.clone(), None),
            (plain.replace(r#""Principal": "*""#, r#""Principal": {"AWS": ["*"]}"#), None),
            (plain.replace("\"Resource\"", "\"NotResource\""), None),
            (with(r#"{"NotIpAddress": {"AWS:sourceip": "10.0.0.1"}}"#), None),
            (
                with(r#"{"StringEquals": {"aws:SourceVpc": "vpc-1"}}"#),
                Some("Tidegate does not serve Condition StringEquals in statement 1 of"),
            ),
            (
                with(r#"{"IpAddress": {"aws:VpcSourceIp": "10.0.0.1"}}"#),
                Some("Tidegate does not serve Condition IpAddress aws:VpcSourceIp in"),
            ),
            (with(r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}"#), Some(INVALID)),
            (with(r#"{"IpAddress": {}}"#), Some(INVALID)),
            (with("[]"), Some(INVALID)),
            (
                plain.replace(r#": "*""#, r#": {"AWS": "arn:aws:iam::1:root"}"#),
                Some("Tidegate does not serve Principal arn:aws:iam::1:root in"),
            ),
            (
                plain.replace("\"Principal\"", "\"NotPrincipal\""),
                Some("Tidegate does not serve NotPrincipal in statement 1"),
            ),
            (plain.replace("\"Principal\"", "\"Principals\""), Some(INVALID)),
            (plain.replace("\"Allow\"", "\"allow\""), Some(INVALID)),
            (plain.replace(r#""Action": "execute-api:Invoke","#, ""), Some(INVALID)),
            (plain.replace("\"Resource\":", "\"NotResource\": \"*\", \"Resource\":"), Some(INVALID)),
            ("1".to_owned(), Some(INVALID)),
        ];
        for (statement, expected) in rows {
            let refused = refusal(&statement);
            match expected {
                None => assert_eq!(refused, None, "{statement}"),
                Some(text) => {
                    assert!(refused.as_ref().is_some_and(|r| r.starts_with(text)), "{statement}: {refused:?}")
                }
            }
        }
    }
}
