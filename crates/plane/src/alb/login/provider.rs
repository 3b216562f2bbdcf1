//! What a load balancer asks a provider: tokens for a code or for a refresh token, then claims for the access token (OpenID Connect Core
//! 1.0, sections 3.1.3, 5.3 and 12). The ID token comes over TLS from the token endpoint itself, which is what vouches for it (section
//! 3.1.3.7, 6); its issuer, audience and time are judged.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Map, Value};
use topology::snapshot::balancer::Provider;

use super::session::Session;
use crate::alb::gate::ErrorReason;
use crate::fabric::outside::Outside;
use crate::http::percent::encode;
use crate::identity::fetch::{self, GetError};
use crate::identity::json;
use crate::limits::{LOGIN_CLAIMS_BYTES_MAX, LOGIN_EXCHANGE_TIMEOUT};

/// What tokens are asked for with.
pub(super) enum Grant<'a> {
    /// A code that a client brought, and where it was sent to.
    Code {
        /// `code`
        code: &'a str,
        /// `redirect_uri`
        redirect_uri: &'a str,
    },
    /// A user who is logged in.
    Refresh(&'a Session),
}

/// Why there are no tokens or claims, and the sentence for the operator.
#[derive(Debug)]
pub(super) struct Failed {
    /// What an access log calls it.
    pub(super) error: ErrorReason,
    /// What went wrong; no secret, no token.
    pub(super) detail: String,
}

fn failed(error: ErrorReason, detail: impl Into<String>) -> Failed {
    Failed { error, detail: detail.into() }
}

/// A byte that needs no escape in a form.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The user that a grant stands for, now.
pub(super) async fn user(
    outside: &Outside,
    oidc: &Provider<'_>,
    grant: Grant<'_>,
    now: Duration,
) -> Result<Session, Failed> {
    let tokens = tokens(outside, oidc, &grant).await?;
    let invalid = || failed(ErrorReason::AuthInvalidTokenResponse, "the token endpoint gave no access token");
    let text = |name: &str| tokens.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let access_token = text("access_token").ok_or_else(invalid)?.to_owned();
    let subject = match text("id_token") {
        Some(token) => Some(check_id_token(token, oidc, now)?),
        // A refresh need not give another (section 12.2).
        None if matches!(grant, Grant::Refresh(_)) => None,
        None => return Err(failed(ErrorReason::AuthInvalidIdToken, "the token endpoint gave no ID token")),
    };
    let claims = claims(outside, oidc, &access_token).await?;
    let own = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
    let expected = match (&grant, subject) {
        (Grant::Refresh(session), Some(subject)) if subject != session.subject => return Err(invalid()),
        (Grant::Refresh(session), _) => session.subject.clone(),
        (Grant::Code { .. }, Some(subject)) => subject,
        (Grant::Code { .. }, None) => return Err(invalid()),
    };
    if own.is_empty() || own != expected {
        return Err(failed(ErrorReason::AuthInvalidUserinfoResponse, "the user info endpoint tells of another sub"));
    }
    let claims = Value::Object(claims).to_string();
    if claims.len() + access_token.len() > LOGIN_CLAIMS_BYTES_MAX {
        let detail = format!("claims and access token are longer than {LOGIN_CLAIMS_BYTES_MAX} bytes");
        return Err(failed(ErrorReason::AuthUserinfoResponseSizeExceeded, detail));
    }
    let lasts = tokens.get("expires_in").and_then(Value::as_u64);
    let (made_s, kept) = match grant {
        Grant::Code { .. } => (now.as_secs(), None),
        Grant::Refresh(session) => (session.made_s, session.refresh_token.clone()),
    };
    let session = Session {
        made_s,
        expires_s: lasts.map(|lasts| now.as_secs().saturating_add(lasts)),
        access_token,
        refresh_token: text("refresh_token").map(str::to_owned).or(kept),
        subject: own,
        claims,
    };
    let untold = || failed(ErrorReason::AuthInvalidUserinfoResponse, "sub cannot be told in a header");
    session.told().is_some().then_some(session).ok_or_else(untold)
}

async fn tokens(outside: &Outside, oidc: &Provider<'_>, grant: &Grant<'_>) -> Result<Map<String, Value>, Failed> {
    let mut pairs = match grant {
        Grant::Code { code, redirect_uri } => {
            vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri)]
        }
        Grant::Refresh(session) => vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", session.refresh_token.as_deref().unwrap_or_default()),
        ],
    };
    if oidc.client_secret.is_none() {
        // A public client says who it is in the form (RFC 6749, sections 3.2.1 and 6).
        pairs.push(("client_id", oidc.client_id));
    }
    let form: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encode(value, is_plain))).collect();
    let mut request = Request::new(Full::new(Bytes::from(form.join("&"))));
    *request.method_mut() = Method::POST;
    if let Some(secret) = oidc.client_secret {
        let pair = format!("{}:{}", encode(oidc.client_id, is_plain), encode(secret.reveal(), is_plain));
        let mut basic = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
            .map_err(|_| failed(ErrorReason::AuthUnhandledException, "the client's secret cannot be sent"))?;
        basic.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, basic);
    }
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let document = fetch::ask(outside, &oidc.token_endpoint, (request, LOGIN_EXCHANGE_TIMEOUT)).await;
    let document = document.map_err(|why| {
        let error = match why {
            GetError::Status(_) => ErrorReason::AuthTokenEpRequestFailed,
            GetError::TooLong | GetError::TooMany | GetError::Content(_) => ErrorReason::AuthInvalidTokenResponse,
            GetError::Url | GetError::Outside(_) | GetError::Http(_) | GetError::Timeout(_) => {
                ErrorReason::AuthTokenEpRequestTimeout
            }
        };
        failed(error, format!("the token endpoint {}: {why}", oidc.token_endpoint))
    })?;
    json::object(&document).ok_or_else(|| {
        failed(ErrorReason::AuthInvalidTokenResponse, "the token endpoint answered no plain JSON object")
    })
}

async fn claims(outside: &Outside, oidc: &Provider<'_>, access_token: &str) -> Result<Map<String, Value>, Failed> {
    let mut request = Request::new(Full::default());
    let mut bearer = HeaderValue::try_from(format!("Bearer {access_token}"))
        .map_err(|_| failed(ErrorReason::AuthInvalidTokenResponse, "the access token is no header's value"))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let document = fetch::ask(outside, &oidc.user_info_endpoint, (request, LOGIN_EXCHANGE_TIMEOUT)).await;
    let document = document.map_err(|why| {
        let error = match why {
            GetError::Status(_) => ErrorReason::AuthUserinfoEpRequestFailed,
            GetError::TooLong => ErrorReason::AuthUserinfoResponseSizeExceeded,
            GetError::TooMany | GetError::Content(_) => ErrorReason::AuthInvalidUserinfoResponse,
            GetError::Url | GetError::Outside(_) | GetError::Http(_) | GetError::Timeout(_) => {
                ErrorReason::AuthUserinfoEpRequestTimeout
            }
        };
        failed(error, format!("the user info endpoint {}: {why}", oidc.user_info_endpoint))
    })?;
    let invalid = "the user info endpoint answered no plain JSON object";
    json::object(&document).ok_or_else(|| failed(ErrorReason::AuthInvalidUserinfoResponse, invalid))
}

/// `sub` of an ID token for this client, now.
fn check_id_token(token: &str, oidc: &Provider<'_>, now: Duration) -> Result<String, Failed> {
    let refuse = |what: &str| failed(ErrorReason::AuthInvalidIdToken, format!("the ID token {what}"));
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(refuse("has not three parts"));
    };
    let payload = URL_SAFE_NO_PAD.decode(payload).ok().and_then(|bytes| json::object(&bytes));
    let payload = payload.ok_or_else(|| refuse("holds no plain JSON object"))?;
    if payload.get("iss").and_then(Value::as_str) != Some(&*oidc.issuer) {
        return Err(refuse("is of another issuer"));
    }
    let is_ours = match payload.get("aud") {
        Some(Value::String(one)) => *one == oidc.client_id,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(oidc.client_id)),
        _ => false,
    };
    if !is_ours {
        return Err(refuse("is for another client"));
    }
    if payload.get("exp").and_then(Value::as_f64).is_none_or(|at| at <= now.as_secs_f64()) {
        return Err(refuse("has ended"));
    }
    let subject = payload.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
    subject.map(str::to_owned).ok_or_else(|| refuse("has no sub"))
}
