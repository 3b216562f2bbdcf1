//! Resource policies as they are written: the document as AWS keeps it, and the refusal of what traffic could not carry out (API
//! Gateway developer guide, "Control access to a REST API with API Gateway resource policies", 2026-11). What they say is `topology`'s.

use serde::Deserialize as _;
use serde_json::Value;
use topology::resource::resource_policy::{ResourcePolicy, Tree, Wrong};
use wire::Fault;

use super::fault;

/// Characters of a resource policy, at most (REST API quotas, 2026-11).
const POLICY_CHARS_MAX: usize = 8_192;

/// A policy without the spaces of its author, as AWS keeps it.
pub(super) fn checked(text: &str) -> Result<ResourcePolicy, Fault> {
    let document: Value = serde_json::from_str(text).map_err(|_| invalid())?;
    if text.chars().count() > POLICY_CHARS_MAX {
        return Err(invalid());
    }
    let policy = ResourcePolicy::new(document.to_string());
    policy.check(|_| Tree::deserialize(&document).ok()).map_err(|wrong| match wrong {
        Wrong::Document => invalid(),
        Wrong::Statement(at) => invalid().with_detail(format!("statement {at}")),
        Wrong::Unserved(at, what) => fault::unsupported(&format!("{what} in statement {at} of the policy")),
    })?;
    Ok(policy)
}

fn invalid() -> Fault {
    fault::bad_request("Invalid policy document. Please check the policy syntax and ensure that Principals are valid.")
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
