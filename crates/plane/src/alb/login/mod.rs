//! Users that a rule authenticates by a provider: the authorization code flow of OpenID Connect, with the load balancer as the client (ALB
//! user guide, "Authenticate users using an Application Load Balancer", 2026-11). A client of nobody is sent to the provider with a sealed
//! state; the nonce in it must come back in a cookie of the same client, so that nobody is logged in as someone else. What a provider is asked
//! stands in `provider`, who is logged in in `session`, what targets are told in
//! `targets/signer`.

mod provider;
mod session;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{HOST, HeaderName, HeaderValue, SET_COOKIE};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response};
use serde::{Deserialize, Serialize};
use topology::id::ListenerRuleId;
use topology::path::pairs;
use topology::reason::Reason;
use topology::snapshot::balancer::{Listener, Provider, Rule, Unauthenticated};
use topology::trace::{Hop, HopId, HopKind};

use self::provider::{Failed, Grant, is_plain};
use self::session::{Found, Session, cookie, set};
use super::gate::{ErrorReason, Shut};
use super::{Visit, hop_of};
use crate::answer::body::Body;
use crate::answer::pages;
use crate::http::body::RequestBody;
use crate::http::percent::{decode, encode};
use crate::limits::{LOGIN_MAX, LOGIN_RETURN_BYTES_MAX};
use crate::shared::Shared;
use crate::targets::signer::Told;
use crate::trace::Recording;

/// Where a provider sends clients back to.
const CALLBACK: &str = "/oauth2/idpresponse";
/// The cookie that binds a login to a client.
const NONCE: &str = "AWSALBAuthNonce";
const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-amzn-oidc-accesstoken");
const IDENTITY: HeaderName = HeaderName::from_static("x-amzn-oidc-identity");
const DATA: HeaderName = HeaderName::from_static("x-amzn-oidc-data");

/// A login under way: what the provider hands back.
#[derive(Serialize, Deserialize)]
struct Underway {
    /// Since 1970.
    made_s: u64,
    rule: ListenerRuleId,
    nonce: String,
    /// Path and query of the request that asked for it.
    to: String,
}

/// What a state is sealed for.
fn purpose(listener: &Listener) -> String {
    format!("login\n{}", listener.arn)
}

/// The ARN of a listener's load balancer.
fn balancer_arn(listener: &Listener) -> String {
    let bare = listener.arn.rsplit_once('/').map_or("", |(bare, _)| bare);
    bare.replacen(":listener/", ":loadbalancer/", 1)
}

/// Whom a rule asks, if it asks for users.
fn provider_of<'r>(rule: &'r Rule, shared: &'r Shared) -> Option<Provider<'r>> {
    rule.gate.as_deref()?.provider(shared.config.cognito_endpoint.as_deref())
}

fn asks_for_users(rule: &Rule) -> bool {
    rule.gate.as_deref().is_some_and(|check| check.session().is_some())
}

/// Whether a request is a client's way back from a provider. Then no rule is asked.
pub(super) fn is_callback(listener: &Listener, request: &Request<RequestBody>) -> bool {
    request.uri().path() == CALLBACK && listener.rules.iter().any(asks_for_users)
}

/// Cookies that an answer sets. Boxed, since the future of a request holds them while a target answers.
pub(crate) type Cookies = Option<Box<HeaderMap>>;

fn kept(lines: Vec<HeaderValue>) -> Cookies {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(SET_COOKIE, line);
    }
    Some(Box::new(headers))
}

/// Why nobody is known to have sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nobody {
    /// It says nothing of anybody.
    Unknown,
    /// Whoever it was is logged in no longer.
    Ended,
}

/// Finds out who sent a request, and tells its target. What comes back is for the client.
pub(super) async fn pass(
    shared: &Arc<Shared>,
    (visit, rule, oidc): (&Visit<'_>, &Rule, &Provider<'_>),
    request: &mut Request<RequestBody>,
    recording: &mut Recording,
) -> Result<Cookies, Shut> {
    let headers = request.headers_mut();
    for name in [ACCESS_TOKEN, IDENTITY, DATA] {
        headers.remove(name);
    }
    let (balancer, now, hop) = (balancer_arn(visit.listener), shared.identity.now(), hop_of(visit, Some(rule)));
    let user = user(shared, (oidc, &balancer), request.headers(), now).await;
    recording.read_clock();
    match (user, oidc.session.unauthenticated) {
        (Ok((session, cookies)), _) => {
            let told = tell(shared, (oidc, &balancer), &session, request.headers_mut(), now);
            told.ok_or(Shut::Refused(ErrorReason::AuthUnhandledException))?;
            recording.pass(HopKind::Authorizer, hop);
            Ok(cookies)
        }
        (Err(_), Unauthenticated::Allow) => {
            recording.pass(HopKind::Authorizer, hop);
            Ok(None)
        }
        (Err(Nobody::Unknown), Unauthenticated::Deny) => {
            recording.stop(HopKind::Authorizer, hop, Reason::TokenMissing);
            recording.detail("nobody is logged in, and the rule denies such requests");
            Err(Shut::Answered(Box::new(pages::alb(401))))
        }
        (Err(Nobody::Ended), Unauthenticated::Deny) | (Err(_), Unauthenticated::Authenticate) => {
            let login = login(shared, (visit, rule, oidc), request, now);
            let login = login.ok_or(Shut::Refused(ErrorReason::AuthUnhandledException))?;
            recording.hop(Hop::pass(HopKind::Authorizer, hop, recording.now_micros()).with_status(302));
            Err(Shut::Answered(Box::new(login)))
        }
    }
}

/// Who sent a request, asked of the provider anew where their access token has ended and can be renewed.
async fn user(
    shared: &Shared,
    (oidc, balancer): (&Provider<'_>, &str),
    headers: &HeaderMap,
    now: Duration,
) -> Result<(Box<Session>, Cookies), Nobody> {
    let session = match Session::find(headers, (oidc, balancer), (&shared.user_seal, now.as_secs())) {
        Found::User(session) => session,
        Found::Ended => return Err(Nobody::Ended),
        Found::Nobody => return Err(Nobody::Unknown),
    };
    if !session.is_stale(now.as_secs()) || session.refresh_token.is_none() {
        return Ok((session, None));
    }
    match provider::user(shared.identity.outside(), oidc, Grant::Refresh(&session), now).await {
        Ok(renewed) => {
            let lines = renewed.cookies((oidc, balancer), &shared.user_seal).ok_or(Nobody::Ended)?;
            Ok((Box::new(renewed), kept(lines)))
        }
        Err(failed) => {
            tracing::debug!(error = failed.error.as_str(), detail = failed.detail, "a session is not renewed");
            Err(Nobody::Ended)
        }
    }
}

/// Tells the target who sent a request.
fn tell(
    shared: &Shared,
    (oidc, balancer): (&Provider<'_>, &str),
    session: &Session,
    headers: &mut HeaderMap,
    now: Duration,
) -> Option<()> {
    let told = Told { signer: balancer, issuer: &oidc.issuer, client: oidc.client_id, claims: &session.claims };
    let signed = shared.signer.sign(&told, now.as_secs())?;
    let (token, subject) = session.told()?;
    headers.insert(ACCESS_TOKEN, token);
    headers.insert(IDENTITY, subject);
    headers.insert(DATA, HeaderValue::try_from(signed).ok()?);
    Some(())
}

/// Where a provider sends clients of this request back to.
fn redirect_uri(request: &Request<RequestBody>) -> String {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("https://{host}{CALLBACK}")
}

/// Sends a client to the provider.
fn login(
    shared: &Shared,
    (visit, rule, oidc): (&Visit<'_>, &Rule, &Provider<'_>),
    request: &Request<RequestBody>,
    now: Duration,
) -> Option<Response<Body>> {
    let mut random = [0; 24];
    rand::fill(&mut random).ok()?;
    let nonce = URL_SAFE_NO_PAD.encode(random);
    let to = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let to = if to.len() > LOGIN_RETURN_BYTES_MAX { "/" } else { to }.to_owned();
    let underway = Underway { made_s: now.as_secs(), rule: rule.id, nonce, to };
    let state = shared.user_seal.seal(&purpose(visit.listener), &underway)?;
    let redirect_uri = redirect_uri(request);
    let query = [
        ("client_id", oidc.client_id),
        ("redirect_uri", &redirect_uri),
        ("response_type", "code"),
        ("scope", &oidc.session.scope),
    ];
    let extra = oidc.extra_params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut location = oidc.authorization_endpoint.clone().into_owned();
    for (name, value) in query.into_iter().chain(extra).chain([("state", state.as_str())]) {
        location.push(if location.contains('?') { '&' } else { '?' });
        location.push_str(&format!("{}={}", encode(name, is_plain), encode(value, is_plain)));
    }
    let mut response = pages::redirect(302, HeaderValue::try_from(location).ok()?);
    response.headers_mut().append(SET_COOKIE, set(NONCE, &underway.nonce, LOGIN_MAX)?);
    Some(response)
}

/// An answer with the cookies that it sets.
pub(super) fn told(mut response: Response<Body>, cookies: Cookies) -> Response<Body> {
    for line in cookies.iter().flat_map(|cookies| cookies.get_all(SET_COOKIE)) {
        response.headers_mut().append(SET_COOKIE, line.clone());
    }
    response
}

/// Answers a client that a provider sent back.
pub(super) async fn callback(
    shared: &Arc<Shared>,
    visit: &Visit<'_>,
    request: &Request<RequestBody>,
    recording: &mut Recording,
) -> Result<Cookies, Shut> {
    let ended = logged_in(shared, visit, request).await;
    recording.read_clock();
    match ended {
        Ok((hop, response)) => {
            recording.hop(Hop::pass(HopKind::Authorizer, hop, recording.now_micros()).with_status(302));
            Err(Shut::Answered(Box::new(response)))
        }
        Err((hop, failed)) => {
            recording.stop(HopKind::Authorizer, hop, failed.error.reason());
            recording.detail(&format!("{}: {}", failed.error.as_str(), failed.detail));
            Err(Shut::Refused(failed.error))
        }
    }
}

type Ended = Result<(HopId, Response<Body>), (HopId, Failed)>;

async fn logged_in(shared: &Arc<Shared>, visit: &Visit<'_>, request: &Request<RequestBody>) -> Ended {
    let now = shared.identity.now();
    let query = request.uri().query().unwrap_or_default();
    let underway = underway(shared, visit, (request.headers(), query), now);
    let underway = underway.map_err(|failed| (HopId::Listener(visit.listener.id), failed))?;
    let rule = visit.listener.rules.iter().find(|rule| rule.id == underway.rule);
    let hop = hop_of(visit, rule);
    let failed = |error, detail: &str| (hop, Failed { error, detail: detail.to_owned() });
    let oidc = rule.and_then(|rule| provider_of(rule, shared));
    let gone = "the rule that asked for the login asks no more";
    let oidc = &oidc.ok_or_else(|| failed(ErrorReason::AuthInvalidStateParam, gone))?;
    if value(query, "error").is_some() {
        return Err(failed(ErrorReason::AuthProviderError, "the provider answered with an error"));
    }
    let code = value(query, "code").filter(|code| !code.is_empty());
    let code = code.ok_or_else(|| failed(ErrorReason::AuthMissingCodeParam, "there is no code"))?;
    let redirect_uri = redirect_uri(request);
    let grant = Grant::Code { code: &code, redirect_uri: &redirect_uri };
    let session = provider::user(shared.identity.outside(), oidc, grant, now).await.map_err(|failed| (hop, failed))?;
    let cookies = session.cookies((oidc, &balancer_arn(visit.listener)), &shared.user_seal);
    let home = redirect_uri.strip_suffix(CALLBACK).unwrap_or_default();
    let location = HeaderValue::try_from(format!("{home}{}", underway.to)).ok();
    let (Some(cookies), Some(location), Some(over)) = (cookies, location, set(NONCE, "", Duration::ZERO)) else {
        let detail = "the session is too large for its cookies";
        return Err(failed(ErrorReason::AuthUserinfoResponseSizeExceeded, detail));
    };
    let mut response = pages::redirect(302, location);
    for line in cookies.into_iter().chain([over]) {
        response.headers_mut().append(SET_COOKIE, line);
    }
    Ok((hop, response))
}

fn value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    pairs(query).find(|(key, _)| decode(key) == name).map(|(_, value)| decode(value))
}

/// The login that a client comes back from: one of this listener and of this client, and not too old.
fn underway(
    shared: &Shared,
    visit: &Visit<'_>,
    (headers, query): (&HeaderMap, &str),
    now: Duration,
) -> Result<Underway, Failed> {
    let failed = |error, detail: &str| Failed { error, detail: detail.to_owned() };
    let invalid = |detail| failed(ErrorReason::AuthInvalidStateParam, detail);
    let state = value(query, "state").filter(|state| !state.is_empty());
    let state = state.ok_or_else(|| failed(ErrorReason::AuthMissingStateParam, "there is no state"))?;
    let underway: Option<Underway> = shared.user_seal.open(&purpose(visit.listener), &state);
    let underway = underway.ok_or_else(|| invalid("the state is none of this listener's"))?;
    let nonce = cookie(headers, NONCE);
    let nonce = nonce.ok_or_else(|| failed(ErrorReason::AuthMissingNonce, "the state is another client's"))?;
    if nonce != underway.nonce {
        let detail = "the state is another client's, or of a login before the client's last";
        return Err(failed(ErrorReason::AuthInvalidNonce, detail));
    }
    if now.as_secs().saturating_sub(underway.made_s) >= LOGIN_MAX.as_secs() {
        return Err(invalid("the login took too long"));
    }
    Ok(underway)
}
