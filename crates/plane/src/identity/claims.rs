//! What a token says, typed, and whether that suffices (HTTP API developer guide, "Control access to HTTP APIs with JWT
//! authorizers", 2026-11): `iss` exactly, `aud` or, only where there is none, `client_id`, `exp` in the future, `nbf` and `iat`
//! not, and one of the route's scopes in `scope` or `scp`; and whether it says what a listener's rule asks besides. Whether the token may be believed at all is not decided here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use topology::snapshot::balancer::{AdditionalClaim, ClaimFormat};
use topology::snapshot::gateway::JwtAuthorizer;

use super::rejection::Rejection;

/// The claims that are looked at, and all of them as text.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    issuer: Option<String>,
    /// `aud`; `None` when the token has none, which an empty list is not.
    audience: Option<Vec<String>>,
    client: Option<String>,
    expires: f64,
    not_before: Option<f64>,
    issued: Option<f64>,
    scopes: Vec<String>,
    /// Claims that are lists of strings. With `others`, what `text` does not tell.
    lists: BTreeMap<String, Vec<String>>,
    /// The names of claims that are neither strings nor lists of them.
    others: Vec<String>,
    /// All claims as `$context.authorizer.claims` shows them.
    pub(crate) text: Arc<BTreeMap<String, String>>,
}

impl Claims {
    /// Reads the payload. A claim of a type that it may not have makes the token malformed.
    pub(crate) fn read(payload: &Map<String, Value>) -> Result<Self, Rejection> {
        let mut scopes = strings(payload, "scope", Split::AtBlanks)?.unwrap_or_default();
        scopes.extend(strings(payload, "scp", Split::AtBlanks)?.unwrap_or_default());
        Ok(Self {
            issuer: string(payload, "iss")?,
            audience: strings(payload, "aud", Split::No)?,
            client: string(payload, "client_id")?,
            expires: time(payload, "exp")?.ok_or(Rejection::NoExpiry)?,
            not_before: time(payload, "nbf")?,
            issued: time(payload, "iat")?,
            scopes,
            lists: payload.iter().filter_map(|(name, value)| Some((name.clone(), items(value)?))).collect(),
            others: payload.iter().filter(|(_, value)| is_other(value)).map(|(name, _)| name.clone()).collect(),
            text: Arc::new(payload.iter().map(|(name, value)| (name.clone(), as_text(value))).collect()),
        })
    }

    /// Whether they suffice for an authorizer, now.
    pub(crate) fn check(&self, authorizer: &JwtAuthorizer, now: Duration) -> Result<(), Rejection> {
        self.check_issuer(&authorizer.issuer)?;
        self.check_times(now)?;
        self.check_audience(&authorizer.audiences)
    }

    /// `iss`
    pub(crate) fn check_issuer(&self, asked: &str) -> Result<(), Rejection> {
        match &self.issuer {
            Some(issuer) if issuer == asked => Ok(()),
            offered => Err(Rejection::Issuer { asked: asked.to_owned(), offered: offered.clone() }),
        }
    }

    /// `exp`, `nbf` and `iat`. There is no leeway.
    pub(crate) fn check_times(&self, now: Duration) -> Result<(), Rejection> {
        let now = now.as_secs_f64();
        if self.expires <= now {
            return Err(Rejection::Expired { at: self.expires, now });
        }
        for (claim, at) in [("nbf", self.not_before), ("iat", self.issued)] {
            if let Some(at) = at.filter(|at| *at > now) {
                return Err(Rejection::NotYetValid { claim, at, now });
            }
        }
        Ok(())
    }

    fn check_audience(&self, asked: &[String]) -> Result<(), Rejection> {
        let (claim, offered) = match (&self.audience, &self.client) {
            (Some(audience), _) => ("aud", audience.as_slice()),
            (None, Some(client)) => ("client_id", std::slice::from_ref(client)),
            (None, None) => ("aud", [].as_slice()),
        };
        if offered.iter().any(|audience| asked.contains(audience)) {
            return Ok(());
        }
        Err(Rejection::Audience { asked: asked.to_vec(), claim, offered: offered.to_vec() })
    }

    /// One of the route's scopes, where it has any.
    pub(crate) fn check_scopes(&self, asked: &[String]) -> Result<(), Rejection> {
        if asked.is_empty() || asked.iter().any(|scope| self.scopes.contains(scope)) {
            return Ok(());
        }
        Err(Rejection::Scope { asked: asked.to_vec(), offered: self.scopes.clone() })
    }
}

impl Claims {
    /// What a listener's rule asks besides (ALB user guide, "Verify JWTs using an Application Load Balancer", 2026-11).
    pub(crate) fn check_claim(&self, asked: &AdditionalClaim) -> Result<(), Rejection> {
        let name = &asked.name;
        let Some(text) = self.text.get(name) else { return Err(Rejection::ClaimAbsent { name: name.clone() }) };
        let list = self.lists.get(name).map(Vec::as_slice);
        let is_text = list.is_none() && !self.others.contains(name);
        let words = || text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (is_met, offered) = match (asked.format, list) {
            (ClaimFormat::SingleString, None) if is_text => (asked.values.contains(text), vec![text.clone()]),
            (ClaimFormat::SpaceSeparated, None) if is_text => {
                let words = words();
                (asked.values.iter().all(|value| words.contains(value)), words)
            }
            (ClaimFormat::StringArray, Some(list)) => {
                (list.iter().any(|item| asked.values.contains(item)), list.to_vec())
            }
            _ => return Err(Rejection::ClaimForm { name: name.clone(), asked: asked.format.as_str() }),
        };
        if is_met {
            return Ok(());
        }
        Err(Rejection::ClaimValue { name: name.clone(), asked: asked.values.clone(), offered })
    }
}

fn items(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn is_other(value: &Value) -> bool {
    !value.is_string() && items(value).is_none()
}

/// Whether a text holds several strings.
#[derive(Clone, Copy)]
enum Split {
    No,
    AtBlanks,
}

fn string(payload: &Map<String, Value>, name: &str) -> Result<Option<String>, Rejection> {
    match payload.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Rejection::ClaimType("iss or client_id")),
    }
}

fn strings(payload: &Map<String, Value>, name: &str, split: Split) -> Result<Option<Vec<String>>, Rejection> {
    let wrong = || Rejection::ClaimType("aud, scope or scp");
    match (payload.get(name), split) {
        (None, _) => Ok(None),
        (Some(Value::String(text)), Split::No) => Ok(Some(vec![text.clone()])),
        (Some(Value::String(text)), Split::AtBlanks) => Ok(Some(text.split_whitespace().map(str::to_owned).collect())),
        (Some(Value::Array(items)), _) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect::<Result<_, _>>()
            .map(Some),
        (Some(_), _) => Err(wrong()),
    }
}

/// Seconds since 1970, whole or not (RFC 7519, section 2).
fn time(payload: &Map<String, Value>, name: &str) -> Result<Option<f64>, Rejection> {
    let wrong = Rejection::ClaimType("exp, nbf or iat");
    match payload.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => number.as_f64().filter(|at| at.is_finite()).map(Some).ok_or(wrong),
        Some(_) => Err(wrong),
    }
}

/// As access logs and mappings show a claim: lists as `[a b]` (seen on HTTP APIs), objects as JSON.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(as_text).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use topology::id::AuthorizerId;
    use topology::snapshot::gateway::IdentitySource;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);
    const ISSUER: &str = "https://issuer.example";

    fn authorizer(audiences: &[&str]) -> JwtAuthorizer {
        JwtAuthorizer {
            id: AuthorizerId::from_bits(1),
            name: "tokens".into(),
            source: IdentitySource::Header("authorization".into()),
            issuer: ISSUER.into(),
            audiences: audiences.iter().map(|audience| (*audience).to_owned()).collect(),
        }
    }

    fn outcome(mut changes: Value, audiences: &[&str], scopes: &[&str]) -> &'static str {
        let mut payload = json!({ "iss": ISSUER, "aud": "a", "exp": 1_000_001 });
        let (Value::Object(payload), Value::Object(changes)) = (&mut payload, &mut changes) else { unreachable!() };
        for (name, value) in std::mem::take(changes) {
            // A null takes the claim away.
            if value.is_null() {
                payload.remove(&name)
            } else {
                payload.insert(name, value)
            };
        }
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let checked = Claims::read(payload)
            .and_then(|claims| claims.check(&authorizer(audiences), NOW).and_then(|()| claims.check_scopes(&scopes)));
        checked.map_or_else(|rejection| rejection.reason().code(), |()| "passed")
    }

    #[test]
    fn additional_claims_table() {
        use ClaimFormat::{SingleString, SpaceSeparated, StringArray};
        let payload = json!({
            "exp": 1, "text": "a b", "one": "a", "number": 1, "list": ["a", "b"], "mixed": ["a", 1], "empty": [],
        });
        let claims = Claims::read(payload.as_object().unwrap()).unwrap();
        let rows: &[(&str, ClaimFormat, &[&str], &str)] = &[
            ("one", SingleString, &["a"], "met"),
            ("one", SingleString, &["x", "a"], "met"),
            ("one", SingleString, &["A"], "value"),
            ("text", SingleString, &["a b"], "met"),
            ("text", SingleString, &["a"], "value"),
            ("text", SpaceSeparated, &["a"], "met"),
            ("text", SpaceSeparated, &["b", "a"], "met"),
            ("text", SpaceSeparated, &["a", "c"], "value"),
            ("list", StringArray, &["b", "x"], "met"),
            ("list", StringArray, &["x"], "value"),
            ("empty", StringArray, &["x"], "value"),
            ("list", SingleString, &["[a b]"], "form"),
            ("list", SpaceSeparated, &["a"], "form"),
            ("text", StringArray, &["a b"], "form"),
            ("mixed", StringArray, &["a"], "form"),
            ("number", SingleString, &["1"], "form"),
            ("number", StringArray, &["1"], "form"),
            ("absent", SingleString, &["a"], "absent"),
        ];
        for (name, format, values, expected) in rows {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            let asked = AdditionalClaim { name: (*name).to_owned(), format: *format, values };
            let outcome = match claims.check_claim(&asked) {
                Ok(()) => "met",
                Err(Rejection::ClaimAbsent { .. }) => "absent",
                Err(Rejection::ClaimForm { .. }) => "form",
                Err(Rejection::ClaimValue { .. }) => "value",
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(outcome, *expected, "{asked:?}");
        }
    }

    #[test]
    fn claims_table() {
        let rows = [
            (json!({}), "passed"),
            (json!({ "iss": null }), "JWT_ISSUER"),
            (json!({ "iss": "https://issuer.example/" }), "JWT_ISSUER"),
            (json!({ "iss": "HTTPS://issuer.example" }), "JWT_ISSUER"),
            (json!({ "iss": "" }), "JWT_ISSUER"),
            (json!({ "iss": [ISSUER] }), "TOKEN_MALFORMED"),
            (json!({ "iss": 1 }), "TOKEN_MALFORMED"),
            (json!({ "exp": null }), "TOKEN_MALFORMED"),
            (json!({ "exp": "1000001" }), "TOKEN_MALFORMED"),
            (json!({ "exp": true }), "TOKEN_MALFORMED"),
            (json!({ "exp": [1_000_001] }), "TOKEN_MALFORMED"),
            (json!({ "exp": 1_000_000 }), "JWT_EXPIRED"),
            (json!({ "exp": 999_999.9 }), "JWT_EXPIRED"),
            (json!({ "exp": 1_000_000.1 }), "passed"),
            (json!({ "exp": 0 }), "JWT_EXPIRED"),
            (json!({ "exp": -1 }), "JWT_EXPIRED"),
            (json!({ "exp": u64::MAX }), "passed"),
            (json!({ "nbf": 1_000_000 }), "passed"),
            (json!({ "nbf": 1_000_000.5 }), "JWT_NOT_YET_VALID"),
            (json!({ "nbf": 1_000_001 }), "JWT_NOT_YET_VALID"),
            (json!({ "nbf": "1" }), "TOKEN_MALFORMED"),
            (json!({ "iat": 1_000_000 }), "passed"),
            (json!({ "iat": 1_000_001 }), "JWT_NOT_YET_VALID"),
            (json!({ "iat": {} }), "TOKEN_MALFORMED"),
            (json!({ "aud": null }), "JWT_AUDIENCE"),
            (json!({ "aud": "A" }), "JWT_AUDIENCE"),
            (json!({ "aud": "a " }), "JWT_AUDIENCE"),
            (json!({ "aud": "" }), "JWT_AUDIENCE"),
            (json!({ "aud": [] }), "JWT_AUDIENCE"),
            (json!({ "aud": ["x", "a"] }), "passed"),
            (json!({ "aud": ["x", 1] }), "TOKEN_MALFORMED"),
            (json!({ "aud": { "a": 1 } }), "TOKEN_MALFORMED"),
            (json!({ "aud": "x", "client_id": "a" }), "JWT_AUDIENCE"),
            (json!({ "aud": [], "client_id": "a" }), "JWT_AUDIENCE"),
            (json!({ "aud": null, "client_id": "a" }), "passed"),
            (json!({ "aud": null, "client_id": "x" }), "JWT_AUDIENCE"),
            (json!({ "aud": null, "client_id": ["a"] }), "TOKEN_MALFORMED"),
            (json!({ "scope": 1 }), "TOKEN_MALFORMED"),
            (json!({ "scp": [1] }), "TOKEN_MALFORMED"),
        ];
        for (changes, expected) in rows {
            assert_eq!(outcome(changes.clone(), &["a", "b"], &[]), expected, "{changes}");
        }
        assert_eq!(outcome(json!({}), &[], &[]), "JWT_AUDIENCE", "no audience lets nobody in");
    }

    #[test]
    fn one_scope_of_the_route_suffices() {
        let rows = [
            (json!({ "scope": "read write" }), "passed"),
            (json!({ "scope": ["x", "write"] }), "passed"),
            (json!({ "scp": "write" }), "passed"),
            (json!({ "scp": ["write"] }), "passed"),
            (json!({ "scope": "x", "scp": "write" }), "passed"),
            (json!({ "scope": "writer" }), "SCOPE_MISSING"),
            (json!({ "scope": "WRITE" }), "SCOPE_MISSING"),
            (json!({ "scope": "" }), "SCOPE_MISSING"),
            (json!({ "scope": ["read write"] }), "SCOPE_MISSING"),
            (json!({}), "SCOPE_MISSING"),
        ];
        for (changes, expected) in rows {
            assert_eq!(outcome(changes.clone(), &["a"], &["write", "admin"]), expected, "{changes}");
        }
    }

    #[test]
    fn claims_are_shown_as_text() {
        let payload = json!({ "exp": 5, "s": "x", "l": ["a", 1], "b": true, "o": { "k": [1] } });
        let claims = Claims::read(payload.as_object().unwrap()).unwrap();
        let shown: Vec<_> = claims.text.iter().map(|(name, text)| format!("{name}={text}")).collect();
        assert_eq!(shown, ["b=true", "exp=5", "l=[a 1]", r#"o={"k":[1]}"#, "s=x"]);
    }
}
