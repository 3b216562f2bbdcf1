//! What a request must pass before its rule's action: the validation of a token (ALB user guide, "Verify JWTs using an Application
//! Load Balancer", 2026-11), or the authentication of a user (`oidc`). A gate that AWS would refuse cannot be made. Whether its listener speaks HTTPS is asked by `listener` and
//! `control`, whether this machine may be its endpoint by `control`.
//!
//! ```compile_fail
//! // What is checked comes in by the constructor, which wants an issuer.
//! let nobody = topology::resource::gate::JwtValidation(topology::resource::gate::JwtValidationParts::default());
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::oidc::{Cognito, Oidc, Provider, Session};
use crate::issuer;

/// A gate in front of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredGate", into = "StoredGate")]
pub struct Gate {
    /// What is asked of a request.
    pub check: Check,
    orders: Orders,
}

/// `Order` of the gate, then of the action behind it, as they were given: 1–50000.
pub type Orders = (u16, u16);

/// The highest `Order` of an action (ELBv2 API reference, Action, 2026-11).
pub const ORDER_MAX: u16 = 50_000;

/// `Order` of an action that stands alone: 1–50000. It changes nothing, and is answered as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Order(u16);

impl TryFrom<u16> for Order {
    type Error = GateError;
    fn try_from(order: u16) -> Result<Self, GateError> {
        if (1..=ORDER_MAX).contains(&order) { Ok(Self(order)) } else { Err(GateError::Order) }
    }
}

impl From<Order> for u16 {
    fn from(order: Order) -> Self {
        order.0
    }
}

impl Gate {
    /// A gate with its place before the action.
    ///
    /// # Errors
    /// When the places are none, or the gate's is not before the action's.
    pub fn new(check: Check, orders: Orders) -> Result<Self, GateError> {
        let (before, after) = orders;
        let fits = (1..=ORDER_MAX).contains(&before) && before < after && after <= ORDER_MAX;
        if fits { Ok(Self { check, orders }) } else { Err(GateError::Order) }
    }

    /// Its `Order`, and that of the action behind it.
    #[must_use]
    pub const fn orders(&self) -> Orders {
        self.orders
    }
}

/// What is asked of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Check {
    /// `jwt-validation`
    Jwt(JwtValidation),
    /// `authenticate-oidc`
    Oidc(Box<Oidc>),
    /// `authenticate-cognito`
    Cognito(Box<Cognito>),
}

impl Check {
    /// The type of the action that AWS gives it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt-validation",
            Self::Oidc(_) => "authenticate-oidc",
            Self::Cognito(_) => "authenticate-cognito",
        }
    }

    /// Whom it asks who a user is, if it asks for one. User pools are served at this URL, or by AWS.
    #[must_use]
    pub fn provider(&self, user_pools: Option<&str>) -> Option<Provider<'_>> {
        match self {
            Self::Jwt(_) => None,
            Self::Oidc(oidc) => Some(oidc.provider()),
            Self::Cognito(cognito) => Some(cognito.provider(user_pools)),
        }
    }

    /// How users stay known, if it asks for one.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Jwt(_) => None,
            Self::Oidc(oidc) => Some(&oidc.session),
            Self::Cognito(cognito) => Some(&cognito.session),
        }
    }
}

/// How it is kept.
#[derive(Serialize, Deserialize)]
struct StoredGate {
    check: Check,
    orders: Orders,
}

impl TryFrom<StoredGate> for Gate {
    type Error = GateError;
    fn try_from(kept: StoredGate) -> Result<Self, GateError> {
        Self::new(kept.check, kept.orders)
    }
}

impl From<Gate> for StoredGate {
    fn from(gate: Gate) -> Self {
        Self { check: gate.check, orders: gate.orders }
    }
}

/// Why there can be no such gate. Each names the member that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateError {
    /// Its place is not before the action's.
    Order,
    /// A text is empty, or longer than [`JwtValidation::CHARS_MAX`].
    Length(&'static str),
    /// The endpoint that this member names is no URL with HTTPS, a host and a path.
    Endpoint(&'static str, String),
    /// A text is empty, longer than [`Oidc::CHARS_MAX`], or has control characters.
    Text(&'static str),
    /// No name of a cookie.
    CookieName(String),
    /// A session that lasts too long, or not at all.
    SessionTimeout(i64),
    /// Nothing that can be done with a request of nobody.
    Unauthenticated(String),
    /// More parameters than [`Oidc::PARAMS_MAX`], or [`Oidc::PARAMS_BYTES_MAX`].
    TooManyParams,
    /// A parameter that the load balancer sends itself.
    OwnParam(String),
    /// No ARN of a user pool.
    UserPoolArn(String),
    /// No domain of a user pool.
    UserPoolDomain(String),
    /// There is no secret, neither a new one nor one to use again.
    NoSecret,
    /// More than [`JwtValidation::CLAIMS_MAX`] additional claims.
    TooManyClaims,
    /// A claim that is validated anyway.
    Reserved(String),
    /// A claim that is named twice.
    Twice(String),
    /// A claim without values, or with more than [`JwtValidation::VALUES_MAX`].
    Values(String),
    /// A format that no claim has.
    Format(String),
    /// A value with a blank, among values that blanks part.
    Blank(String),
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order => write!(f, "'Order' must be between 1 and {ORDER_MAX}, and ascend to the last action"),
            Self::Length(member) => {
                write!(f, "'{member}' must have between 1 and {} characters", JwtValidation::CHARS_MAX)
            }
            Self::Endpoint(member, url) => {
                write!(f, "{member} '{url}' must be a full URL with the HTTPS protocol, the domain and the path")
            }
            Self::Text(member) => {
                write!(f, "'{member}' must have between 1 and {} characters, and no control characters", Oidc::CHARS_MAX)
            }
            Self::CookieName(name) => write!(f, "SessionCookieName '{name}' must be the name of a cookie"),
            Self::SessionTimeout(seconds) => {
                write!(f, "SessionTimeout '{seconds}' must be between 1 and {} seconds", Session::TIMEOUT_S_MAX)
            }
            Self::Unauthenticated(name) => {
                write!(f, "OnUnauthenticatedRequest '{name}' must be one of 'deny, allow, authenticate'")
            }
            Self::TooManyParams => write!(
                f,
                "'AuthenticationRequestExtraParams' can have at most {} items and {} bytes",
                Oidc::PARAMS_MAX,
                Oidc::PARAMS_BYTES_MAX
            ),
            Self::OwnParam(name) => write!(
                f,
                "The name '{name}' of 'AuthenticationRequestExtraParams' must not be one of 'client_id, redirect_uri, response_type, scope, state'"
            ),
            Self::UserPoolArn(arn) => write!(f, "UserPoolArn '{arn}' must be the ARN of an Amazon Cognito user pool"),
            Self::UserPoolDomain(domain) => {
                write!(f, "UserPoolDomain '{domain}' must be the domain prefix or the domain name of a user pool")
            }
            Self::NoSecret => f.write_str(
                "A ClientSecret must be specified, or UseExistingClientSecret where the action that is replaced has one",
            ),
            Self::TooManyClaims => {
                write!(f, "'AdditionalClaims' can have at most {} items", JwtValidation::CLAIMS_MAX)
            }
            Self::Reserved(name) => {
                write!(f, "The name '{name}' of an additional claim must not be one of 'exp, iss, nbf, iat'")
            }
            Self::Twice(name) => write!(f, "The additional claim '{name}' is specified more than once"),
            Self::Values(name) => write!(
                f,
                "'Values' of the additional claim '{name}' must have between 1 and {} items",
                JwtValidation::VALUES_MAX
            ),
            Self::Format(format) => write!(
                f,
                "Format '{format}' of an additional claim must be one of 'single-string, string-array, space-separated-values'"
            ),
            Self::Blank(value) => {
                write!(f, "The value '{value}' of a claim with the format 'space-separated-values' cannot have spaces")
            }
        }
    }
}

impl std::error::Error for GateError {}

/// How the value of a claim is to be read (`Format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimFormat {
    /// `single-string`: a string, equal to one of the values.
    SingleString,
    /// `string-array`: a list of strings, one of them among the values.
    StringArray,
    /// `space-separated-values`: a string whose words include all of the values.
    SpaceSeparated,
}

impl ClaimFormat {
    /// As AWS names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SingleString => "single-string",
            Self::StringArray => "string-array",
            Self::SpaceSeparated => "space-separated-values",
        }
    }

    /// From AWS's name.
    ///
    /// # Errors
    /// When it names none.
    pub fn parse(name: &str) -> Result<Self, GateError> {
        let all = [Self::SingleString, Self::StringArray, Self::SpaceSeparated];
        all.into_iter().find(|format| format.as_str() == name).ok_or_else(|| GateError::Format(name.to_owned()))
    }
}

/// A claim that is validated besides `iss`, `exp`, `nbf` and `iat` (`JwtValidationActionAdditionalClaim`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdditionalClaim {
    /// Its name.
    pub name: String,
    /// How its value is read.
    pub format: ClaimFormat,
    /// What its value may be: 1–10 texts of 1–256 characters.
    pub values: Vec<String>,
}

/// What the validation of a token is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JwtValidationParts {
    /// Where the issuer's keys are: a URL of at most [`JwtValidation::CHARS_MAX`] characters.
    pub jwks_endpoint: String,
    /// What `iss` must be: at most [`JwtValidation::CHARS_MAX`] characters.
    pub issuer: String,
    /// Further claims, at most [`JwtValidation::CLAIMS_MAX`].
    pub claims: Vec<AdditionalClaim>,
}

/// `jwt-validation` (ELBv2 API reference, JwtValidationActionConfig, 2026-11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "JwtValidationParts", into = "JwtValidationParts")]
pub struct JwtValidation(JwtValidationParts);

impl JwtValidation {
    /// Characters of a URL, an issuer, a claim's name or its value.
    pub const CHARS_MAX: usize = 256;
    /// Additional claims.
    pub const CLAIMS_MAX: usize = 10;
    /// Values of a claim.
    pub const VALUES_MAX: usize = 10;

    /// Checks the parts.
    ///
    /// # Errors
    /// When one of them is not what its documentation says.
    pub fn new(parts: JwtValidationParts) -> Result<Self, GateError> {
        check_length("JwksEndpoint", &parts.jwks_endpoint)?;
        check_length("Issuer", &parts.issuer)?;
        if endpoint_way(&parts.jwks_endpoint).is_none() {
            return Err(GateError::Endpoint("JwksEndpoint", parts.jwks_endpoint));
        }
        if parts.claims.len() > Self::CLAIMS_MAX {
            return Err(GateError::TooManyClaims);
        }
        let mut names = BTreeSet::new();
        for claim in &parts.claims {
            check_claim(claim)?;
            if !names.insert(&claim.name) {
                return Err(GateError::Twice(claim.name.clone()));
            }
        }
        Ok(Self(parts))
    }
}

/// The way to an endpoint; `None` for what is none. A URL without a path is refused, one with a query is not.
#[must_use]
pub fn endpoint_way(url: &str) -> Option<issuer::IssuerWay> {
    let (bare, query) = url.split_once('?').unwrap_or((url, ""));
    let has_path = bare.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    let is_plain = query.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\\".contains(&byte));
    issuer::way(bare).filter(|_| has_path && is_plain)
}

fn check_length(member: &'static str, text: &str) -> Result<(), GateError> {
    let fits = !text.is_empty() && text.chars().count() <= JwtValidation::CHARS_MAX;
    if fits { Ok(()) } else { Err(GateError::Length(member)) }
}

fn check_claim(claim: &AdditionalClaim) -> Result<(), GateError> {
    check_length("AdditionalClaims.Name", &claim.name)?;
    if ["exp", "iss", "nbf", "iat"].contains(&claim.name.as_str()) {
        return Err(GateError::Reserved(claim.name.clone()));
    }
    if !(1..=JwtValidation::VALUES_MAX).contains(&claim.values.len()) {
        return Err(GateError::Values(claim.name.clone()));
    }
    for value in &claim.values {
        check_length("AdditionalClaims.Values", value)?;
        if claim.format == ClaimFormat::SpaceSeparated && value.contains(' ') {
            return Err(GateError::Blank(value.clone()));
        }
    }
    Ok(())
}

impl Deref for JwtValidation {
    type Target = JwtValidationParts;
    fn deref(&self) -> &JwtValidationParts {
        &self.0
    }
}

impl TryFrom<JwtValidationParts> for JwtValidation {
    type Error = GateError;
    fn try_from(parts: JwtValidationParts) -> Result<Self, GateError> {
        Self::new(parts)
    }
}

impl From<JwtValidation> for JwtValidationParts {
    fn from(validation: JwtValidation) -> Self {
        validation.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Gate, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// A kept gate with these orders, this endpoint and these claims.
    fn kept(orders: &str, endpoint: &str, claims: &str) -> String {
        format!(
            r#"{{"check":{{"Jwt":{{"jwks_endpoint":"{endpoint}","issuer":"https://i.example","claims":[{claims}]}}}},"orders":{orders}}}"#
        )
    }

    fn claim(name: &str, format: &str, values: &[&str]) -> String {
        let values = values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(",");
        format!(r#"{{"name":"{name}","format":"{format}","values":[{values}]}}"#)
    }

    const KEYS: &str = "https://i.example/keys";

    #[test]
    fn what_was_kept_is_read_and_kept_in_the_same_form() {
        let long = "x".repeat(256);
        for json in [
            kept("[1,2]", KEYS, ""),
            kept("[49999,50000]", "https://i.example:8443/", &claim(&long, "StringArray", &[&long, "b c"])),
            kept("[1,2]", "http://127.0.0.1:80/keys?p=1", &claim("scope", "SpaceSeparated", &["a", "b"])),
        ] {
            assert_eq!(serde_json::to_string(&read(&json).unwrap()).unwrap(), json);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let long = "x".repeat(257);
        let many = vec![claim("a", "SingleString", &["b"]); 11].join(",");
        let rows = [
            (kept("[2,2]", KEYS, ""), "'Order' must be between"),
            (kept("[0,2]", KEYS, ""), "'Order' must be between"),
            (kept("[1,50001]", KEYS, ""), "'Order' must be between"),
            (kept("[1,2]", "", ""), "'JwksEndpoint' must have between"),
            (kept("[1,2]", &format!("https://i.example/{long}"), ""), "'JwksEndpoint' must have between"),
            (kept("[1,2]", "https://i.example", ""), "must be a full URL"),
            (kept("[1,2]", "http://i.example/keys", ""), "must be a full URL"),
            (kept("[1,2]", "i.example/keys", ""), "must be a full URL"),
            (kept("[1,2]", "https://i.example/keys?a b", ""), "must be a full URL"),
            (kept("[1,2]", "https://i.example/keys#a", ""), "must be a full URL"),
            (kept("[1,2]", KEYS, &many), "'AdditionalClaims' can have at most 10"),
            (kept("[1,2]", KEYS, &claim("iat", "SingleString", &["b"])), "'iat' of an additional claim"),
            (kept("[1,2]", KEYS, &claim("", "SingleString", &["b"])), "'AdditionalClaims.Name' must have"),
            (kept("[1,2]", KEYS, &claim("a", "SingleString", &[])), "'Values' of the additional claim 'a'"),
            (kept("[1,2]", KEYS, &claim("a", "SingleString", &["b"; 11])), "'Values' of the additional claim 'a'"),
            (kept("[1,2]", KEYS, &claim("a", "SingleString", &[""])), "'AdditionalClaims.Values' must have"),
            (kept("[1,2]", KEYS, &claim("a", "SingleString", &[&long])), "'AdditionalClaims.Values' must have"),
            (kept("[1,2]", KEYS, &claim("a", "SpaceSeparated", &["b c"])), "'b c' of a claim"),
            (
                kept("[1,2]", KEYS, &vec![claim("a", "SingleString", &["b"]); 2].join(",")),
                "'a' is specified more than once",
            ),
        ];
        for (json, words) in rows {
            let refused = read(&json).unwrap_err();
            assert!(refused.contains(words), "{json}: {refused}");
        }
    }

    #[test]
    fn formats_have_names() {
        for name in ["single-string", "string-array", "space-separated-values"] {
            assert_eq!(ClaimFormat::parse(name).unwrap().as_str(), name);
        }
        assert!(ClaimFormat::parse("colour").unwrap_err().to_string().contains("'colour'"));
    }
}
