//! Signature Version 4: who signed a request, and whether the signature holds (AWS signature guide, 2026-11).
//!
//! Two strictnesses. `inspect`, for development mode, believes any non-empty credentials but still refuses what is
//! malformed. `verify`, for gateway mode, checks everything. Keys come from a lookup and time as an argument.
//! Streaming payload signatures and SigV4a are refused; no supported service uses them.

use crate::fault::Fault;
use crate::limits::{AUTHORIZATION_CHARS_MAX, CLOCK_SKEW_MINUTES, PRESIGNED_SECONDS_MAX, SIGNED_HEADERS_MAX, echo};
use crate::model::{Protocol, ServiceModel};
use crate::request::Request;
use crate::sigv4_canonical::{self as canonical, Payload};
use crate::time;
use crate::value::Timestamp;

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const CLOCK_SKEW_MILLIS: i64 = CLOCK_SKEW_MINUTES * 60 * 1000;

/// A secret access key. Its `Debug` is fixed text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the key's text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Where secrets are looked up.
pub trait KeyLookup {
    /// The secret of an access key id, or `None` when there is no such key.
    fn secret(&self, access_key_id: &str) -> Option<Secret>;
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The access key id as sent.
    pub access_key_id: String,
    /// The account, when the access key id is one: twelve digits.
    pub account: Option<String>,
    /// The region of the credential scope, when it names one.
    pub region: Option<String>,
}

impl Caller {
    fn of(scope: Scope) -> Self {
        let key = scope.access_key_id;
        let is_account = key.len() == 12 && key.bytes().all(|b| b.is_ascii_digit());
        Caller {
            account: is_account.then(|| key.clone()),
            region: (!scope.region.is_empty()).then_some(scope.region),
            access_key_id: key,
        }
    }
}

/// A credential scope with its key: `AKID/20150830/us-east-1/iam/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key_id: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Scope {
    /// The scope that a request claims, if it claims one at all; nothing is checked yet.
    pub(crate) fn of(request: &Request<'_>) -> Option<Scope> {
        let credential = match request.header("authorization").filter(|h| h.len() <= AUTHORIZATION_CHARS_MAX) {
            Some(header) => parameter(header.strip_prefix(ALGORITHM)?, "Credential")?.to_owned(),
            None => query(request, "X-Amz-Credential")?,
        };
        Scope::parse(&credential).ok()
    }

    fn parse(credential: &str) -> Result<Scope, Refusal> {
        let parts: Vec<&str> = credential.splitn(6, '/').collect();
        let [key, date, region, service, TERMINATOR] = parts[..] else {
            return Err(Refusal::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request, got: '{}'",
                echo(credential)
            )));
        };
        if key.is_empty() {
            return Err(Refusal::UnknownKey);
        }
        Ok(Scope {
            access_key_id: key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// The scope without the key, as it is signed.
    pub(crate) fn text(&self) -> String {
        format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

/// Everything that a signed request claims.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) scope: Scope,
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
    /// As sent, because it is signed as sent.
    pub(crate) date: String,
    at: Timestamp,
    /// Seconds that a presigned request lives.
    expires: Option<i64>,
    has_session_token: bool,
}

/// Why a caller is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// No credentials at all.
    Missing,
    /// Credentials that cannot be read.
    Incomplete(String),
    /// A key or session token that nobody knows.
    UnknownKey,
    /// A signature that does not hold, or for something else.
    Mismatch(String),
    /// A time too far from ours.
    Expired(String),
}

impl Refusal {
    /// Each protocol's name and status for it (common errors pages of EC2, STS, API Gateway and Logs, 2026-11).
    fn fault(self, protocol: Protocol) -> Fault {
        use Protocol::{Ec2Query, Json, Query, RestJson};
        let rest = if protocol == Json { 400 } else { 403 };
        let (code, status) = match (&self, protocol) {
            (Refusal::Missing, Query | Ec2Query) => ("MissingAuthenticationToken", 403),
            (Refusal::Missing, RestJson | Json) => ("MissingAuthenticationTokenException", rest),
            (Refusal::Incomplete(_), Query | Ec2Query) => ("IncompleteSignature", 400),
            (Refusal::Incomplete(_), RestJson | Json) => ("IncompleteSignatureException", rest),
            (Refusal::UnknownKey, Query) => ("InvalidClientTokenId", 403),
            (Refusal::UnknownKey | Refusal::Mismatch(_), Ec2Query) => ("AuthFailure", 401),
            (Refusal::UnknownKey, RestJson | Json) => ("UnrecognizedClientException", rest),
            (Refusal::Mismatch(_) | Refusal::Expired(_), Query) => ("SignatureDoesNotMatch", 403),
            (Refusal::Mismatch(_) | Refusal::Expired(_), RestJson | Json) => ("InvalidSignatureException", rest),
            (Refusal::Expired(_), Ec2Query) => ("RequestExpired", 400),
        };
        let (message, detail) = match self {
            Refusal::Missing => ("Missing Authentication Token".to_owned(), None),
            Refusal::UnknownKey if protocol == Ec2Query => (AUTH_FAILURE.to_owned(), None),
            Refusal::UnknownKey => ("The security token included in the request is invalid.".to_owned(), None),
            Refusal::Mismatch(why) if protocol == Ec2Query => (AUTH_FAILURE.to_owned(), Some(why)),
            Refusal::Incomplete(why) | Refusal::Mismatch(why) | Refusal::Expired(why) => (why, None),
        };
        let fault = Fault::new(code, status, message);
        match detail {
            Some(detail) => fault.with_detail(detail),
            None => fault,
        }
    }
}

impl Refusal {
    /// What went wrong, for whoever operates the server.
    fn sentence(self) -> String {
        match self {
            Refusal::Missing => "The request is not signed.".to_owned(),
            Refusal::UnknownKey => "The access key id or session token is unknown.".to_owned(),
            Refusal::Incomplete(why) | Refusal::Mismatch(why) | Refusal::Expired(why) => why,
        }
    }
}

const AUTH_FAILURE: &str = "AWS was not able to validate the provided access credentials";
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided.";

/// Who a request says it is from. Any non-empty key is believed; the signature is not computed.
///
/// # Errors
/// AWS's fault for credentials that are absent or cannot be read.
pub fn inspect(request: &Request<'_>, protocol: Protocol) -> Result<Caller, Fault> {
    match Claim::of(request) {
        Ok(claim) => Ok(Caller::of(claim.scope)),
        Err(refusal) => Err(refusal.fault(protocol)),
    }
}

/// Who signed a request for `service`, after checking that they did, and now.
///
/// # Errors
/// AWS's fault for credentials that are absent, malformed, unknown, expired, or whose signature does not hold.
pub fn verify(
    request: &Request<'_>,
    service: &ServiceModel,
    keys: &dyn KeyLookup,
    now: Timestamp,
) -> Result<Caller, Fault> {
    verified(request, service.signing_name, keys, now).map_err(|refusal| refusal.fault(service.protocol))
}

/// The signing name of requests to an API's own endpoint.
const INVOCATION: &str = "execute-api";

/// Who a request to an API's own endpoint says it is from (API Gateway developer guide, "Control access to HTTP APIs with IAM
/// authorization", 2026-11). Any non-empty key is believed; the signature is not computed.
///
/// # Errors
/// A sentence that says why nobody can be believed, without a signature in it.
pub fn inspect_invocation(request: &Request<'_>) -> Result<Caller, String> {
    let claim = Claim::of(request).map_err(Refusal::sentence)?;
    claim.check_service(INVOCATION).map_err(Refusal::sentence)?;
    Ok(Caller::of(claim.scope))
}

/// Who signed a request to an API's own endpoint in `region`, after checking that they did, and now. Its body is signed: a
/// payload that is declared unsigned is refused.
///
/// # Errors
/// A sentence that says why nobody is believed, without a signature in it.
pub fn verify_invocation(
    request: &Request<'_>,
    region: &str,
    keys: &dyn KeyLookup,
    now: Timestamp,
) -> Result<Caller, String> {
    let (claim, secret) = invocation(request, region, keys, now)?;
    claim.check_signature(request, Payload::of(request), &secret).map_err(Refusal::sentence)?;
    Ok(Caller::of(claim.scope))
}

/// The same for a request whose body is not there yet: everything is checked that its head says, and the signature too where
/// the head claims a hash of the body. Whoever passes is still to pass [`verify_invocation`] with the body.
///
/// # Errors
/// A sentence that says why nobody will be believed whatever the body is, without a signature in it.
pub fn verify_invocation_head(
    request: &Request<'_>,
    region: &str,
    keys: &dyn KeyLookup,
    now: Timestamp,
) -> Result<Caller, String> {
    let (claim, secret) = invocation(request, region, keys, now)?;
    if let Some(claimed) = Payload::claimed(request) {
        claim.check_signature(request, Some(claimed), &secret).map_err(Refusal::sentence)?;
    }
    Ok(Caller::of(claim.scope))
}

/// What an invocation claims, and the secret that its signature is to be made with.
fn invocation(
    request: &Request<'_>,
    region: &str,
    keys: &dyn KeyLookup,
    now: Timestamp,
) -> Result<(Claim, Secret), String> {
    if request.header("x-amz-content-sha256") == Some(canonical::UNSIGNED) {
        return Err("The payload must be signed.".to_owned());
    }
    let (claim, secret) = claimed(request, INVOCATION, keys, now).map_err(Refusal::sentence)?;
    if claim.scope.region != region {
        return Err(format!("Credential should be scoped to {region}, got: '{}'", echo(&claim.scope.region)));
    }
    Ok((claim, secret))
}

/// The signing name of Tidegate's own paths, which are no service of AWS.
const OWN: &str = "tidegate";

/// Who a request to one of Tidegate's own paths says it is from, if it says so at all. Any non-empty key is believed.
///
/// # Errors
/// A sentence that says why nobody can be believed, without a signature in it.
pub fn inspect_own(request: &Request<'_>) -> Result<Option<Caller>, String> {
    match Claim::of(request) {
        Ok(claim) => Ok(Some(Caller::of(claim.scope))),
        Err(Refusal::Missing) => Ok(None),
        Err(refusal) => Err(refusal.sentence()),
    }
}

/// Who signed a request to one of Tidegate's own paths, after checking that they did, and now. The body is signed. The scope
/// may leave the region open: then the server's own is meant.
///
/// # Errors
/// A sentence that says why nobody is believed, without a signature in it.
pub fn verify_own(request: &Request<'_>, keys: &dyn KeyLookup, now: Timestamp) -> Result<Caller, String> {
    if request.header("x-amz-content-sha256") == Some(canonical::UNSIGNED) {
        return Err("The payload must be signed.".to_owned());
    }
    let verified = || {
        let claim = Claim::of(request)?;
        claim.check_time(now)?;
        claim.check_service(OWN)?;
        claim.check_date()?;
        claim.check_coverage(request)?;
        let secret = keys.secret(&claim.scope.access_key_id).ok_or(Refusal::UnknownKey)?;
        claim.check_signature(request, Payload::of(request), &secret)?;
        Ok(Caller::of(claim.scope))
    };
    verified().map_err(Refusal::sentence)
}

/// Whose signature a command makes.
#[derive(Debug, Clone)]
pub struct Signer<'a> {
    /// The access key id.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret: &'a Secret,
    /// The region that is meant; empty leaves it to the server.
    pub region: &'a str,
}

impl Signer<'_> {
    /// The values of `x-amz-date` and `authorization` that sign a request to one of Tidegate's own paths. The request has its
    /// `host`, and neither of the two yet.
    #[must_use]
    pub fn sign_own(&self, request: &Request<'_>, now: Timestamp) -> Option<(String, String)> {
        self.sign(OWN, request, now)
    }

    /// The same for the service of this signing name.
    #[must_use]
    pub fn sign(&self, service: &str, request: &Request<'_>, now: Timestamp) -> Option<(String, String)> {
        let date = time::basic(now);
        let mut headers = request.headers.clone();
        headers.insert("x-amz-date", date.parse().ok()?);
        let request = Request { headers: &headers, ..*request };
        let scope = Scope {
            access_key_id: self.access_key_id.to_owned(),
            date: date.get(..8)?.to_owned(),
            region: self.region.to_owned(),
            service: service.to_owned(),
        };
        // What names the operation is signed where it is there: it changes what the request means.
        let names = ["host", "x-amz-date", "x-amz-target"].into_iter().filter(|name| headers.contains_key(*name));
        let names: Vec<String> = names.map(str::to_owned).collect();
        let signed = canonical::Signed { scope: &scope, date: &date, headers: &names };
        let signature = canonical::signature(&request, &signed, self.secret)?;
        let credential = format!("{}/{}", self.access_key_id, scope.text());
        let signed = names.join(";");
        let value = format!("{ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature}");
        Some((date, value))
    }
}

fn verified(
    request: &Request<'_>,
    signing_name: &str,
    keys: &dyn KeyLookup,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    let (claim, secret) = claimed(request, signing_name, keys, now)?;
    claim.check_signature(request, Payload::of(request), &secret)?;
    Ok(Caller::of(claim.scope))
}

/// Everything about a signature but whether it holds.
fn claimed(
    request: &Request<'_>,
    signing_name: &str,
    keys: &dyn KeyLookup,
    now: Timestamp,
) -> Result<(Claim, Secret), Refusal> {
    let claim = Claim::of(request)?;
    claim.check_time(now)?;
    claim.check_scope(signing_name)?;
    claim.check_coverage(request)?;
    // There are no temporary credentials here, so nobody can have been given a session token.
    if claim.has_session_token {
        return Err(Refusal::UnknownKey);
    }
    let secret = keys.secret(&claim.scope.access_key_id).ok_or(Refusal::UnknownKey)?;
    Ok((claim, secret))
}

impl Claim {
    fn of(request: &Request<'_>) -> Result<Claim, Refusal> {
        let mut lines = request.headers.get_all("authorization").iter();
        match lines.next() {
            // Which of them another reader takes is not known.
            Some(_) if lines.next().is_some() => Err(incomplete("The Authorization header is sent more than once")),
            Some(value) => {
                let header = value.to_str().ok().filter(|h| h.len() <= AUTHORIZATION_CHARS_MAX);
                let header = header.ok_or_else(|| incomplete("The Authorization header cannot be read"))?;
                Claim::from_header(request, header)
            }
            None if query(request, "X-Amz-Algorithm").is_some() => Claim::from_query(request),
            None => Err(Refusal::Missing),
        }
    }

    fn from_header(request: &Request<'_>, header: &str) -> Result<Claim, Refusal> {
        let (algorithm, rest) = header.trim().split_once(' ').unwrap_or((header, ""));
        if algorithm != ALGORITHM {
            return Err(Refusal::Incomplete(format!("Unsupported AWS 'algorithm': '{}'", echo(algorithm))));
        }
        let part = |name: &str| {
            let missing = || Refusal::Incomplete(format!("Authorization header requires '{name}' parameter."));
            parameter(rest, name).filter(|v| !v.is_empty()).ok_or_else(missing)
        };
        let scope = Scope::parse(part("Credential")?)?;
        let signed_headers = signed_headers(part("SignedHeaders")?)?;
        let signature = part("Signature")?.to_owned();
        let date = request.header("x-amz-date").or_else(|| request.header("date"));
        let date = date.ok_or_else(|| {
            incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        })?;
        Ok(Claim {
            at: instant(date)?,
            date: date.to_owned(),
            scope,
            signed_headers,
            signature,
            expires: None,
            has_session_token: request.headers.contains_key("x-amz-security-token"),
        })
    }

    fn from_query(request: &Request<'_>) -> Result<Claim, Refusal> {
        let part = |name: &str| {
            let missing = || Refusal::Incomplete(format!("AWS query-string parameters must include '{name}'."));
            query(request, name).filter(|v| !v.is_empty()).ok_or_else(missing)
        };
        if part("X-Amz-Algorithm")? != ALGORITHM {
            return Err(incomplete("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
        }
        let scope = Scope::parse(&part("X-Amz-Credential")?)?;
        let date = part("X-Amz-Date")?;
        let expires = part("X-Amz-Expires")?.parse().ok().filter(|s| (1..=PRESIGNED_SECONDS_MAX).contains(s));
        Ok(Claim {
            at: instant(&date)?,
            date,
            scope,
            signed_headers: signed_headers(&part("X-Amz-SignedHeaders")?)?,
            signature: part("X-Amz-Signature")?,
            expires: Some(expires.ok_or_else(|| incomplete("X-Amz-Expires must be between 1 and 604800 seconds"))?),
            has_session_token: query(request, "X-Amz-Security-Token").is_some(),
        })
    }

    fn check_signature(&self, request: &Request<'_>, payload: Option<Payload>, secret: &Secret) -> Result<(), Refusal> {
        match payload {
            Some(payload) if canonical::holds(request, self, &payload, secret) => Ok(()),
            Some(_) | None => Err(Refusal::Mismatch(MISMATCH.to_owned())),
        }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let (signed, ours) = (&self.date, time::basic(now));
        if self.at.0 > now.0.saturating_add(CLOCK_SKEW_MILLIS) {
            return Err(Refusal::Expired(format!("Signature not yet current: {signed} is still later than {ours}")));
        }
        let lives = self.expires.map_or(CLOCK_SKEW_MILLIS, |seconds| seconds * 1000);
        if self.at.0.saturating_add(lives) < now.0 {
            return Err(Refusal::Expired(format!("Signature expired: {signed} is now earlier than {ours}")));
        }
        Ok(())
    }

    fn check_service(&self, signing_name: &str) -> Result<(), Refusal> {
        if self.scope.service != signing_name {
            return Err(Refusal::Mismatch(format!(
                "Credential should be scoped to correct service: '{signing_name}'."
            )));
        }
        Ok(())
    }

    fn check_scope(&self, signing_name: &str) -> Result<(), Refusal> {
        self.check_service(signing_name)?;
        if self.scope.region.is_empty() {
            return Err(Refusal::Mismatch("Credential should be scoped to a valid region.".to_owned()));
        }
        self.check_date()
    }

    fn check_date(&self) -> Result<(), Refusal> {
        if self.date.get(..8) != Some(self.scope.date.as_str()) {
            return Err(Refusal::Mismatch(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}'",
                echo(&self.scope.date)
            )));
        }
        Ok(())
    }

    /// What changes the meaning of a request must be under the signature, or it could be swapped.
    fn check_coverage(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let is_signed = |name: &str| self.signed_headers.iter().any(|h| h == name);
        let must = ["x-amz-date", "x-amz-target", "x-amz-content-sha256", "x-amz-security-token"];
        let loose = must.iter().find(|name| request.headers.contains_key(**name) && !is_signed(name));
        match loose {
            None if is_signed("host") => Ok(()),
            None => Err(Refusal::Mismatch("'Host' must be a signed header.".to_owned())),
            Some(name) => Err(Refusal::Mismatch(format!("'{name}' must be a signed header."))),
        }
    }
}

fn incomplete(why: &str) -> Refusal {
    Refusal::Incomplete(why.to_owned())
}

fn instant(date: &str) -> Result<Timestamp, Refusal> {
    time::parse_basic(date)
        .ok_or_else(|| Refusal::Incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{}'.", echo(date))))
}

/// `Name=value` among comma-separated parameters.
fn parameter<'h>(list: &'h str, name: &str) -> Option<&'h str> {
    list.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
}

fn query(request: &Request<'_>, name: &str) -> Option<String> {
    request.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v)
}

fn signed_headers(list: &str) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = list.split(';').take(SIGNED_HEADERS_MAX + 1).map(str::to_owned).collect();
    if names.len() > SIGNED_HEADERS_MAX {
        return Err(incomplete("SignedHeaders names too many headers"));
    }
    Ok(names)
}
