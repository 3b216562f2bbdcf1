//! What a rule asks of a request before its action: a token whose issuer vouches for it and which says what the rule wants (ALB user
//! guide, "Verify JWTs using an Application Load Balancer", and "Access logs", error reason codes, 2026-11). The token is judged where
//! the gateway's are, in `identity`; here stands only what an ALB makes of the judgement.

use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use topology::reason::Reason;
use topology::snapshot::balancer::{Check, JwtValidation, Rule};
use topology::trace::{HopId, HopKind};

use super::login::{self, Cookies};
use super::report::Report;
use super::{Visit, hop_of};
use crate::answer::body::Body;
use crate::http::body::RequestBody;
use crate::identity::fetch::{FetchError, GetError};
use crate::identity::issuer::{Patience, WAITS_MAX};
use crate::identity::rejection::Rejection;
use crate::identity::voucher::Voucher;
use crate::identity::{Bearer, source};
use crate::shared::Shared;
use crate::trace::Recording;

/// What an access log calls an error of this kind (`error_reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorReason {
    /// No `Authorization`.
    JwtHeaderNotPresent,
    /// No token follows `Bearer `, or it is none.
    JwtRequestFormatInvalid,
    /// The keys cannot be had, or not in time.
    JwksRequestTimeout,
    /// There are too many keys, or bytes of them.
    JwksResponseSizeExceeded,
    /// The endpoint answers with an error.
    JwksRequestFailed,
    /// It answers with something else than keys that can be used.
    JwksResponseInvalid,
    /// The signature does not fit, or cannot.
    JwtSignatureValidationError,
    /// A claim is absent.
    JwtClaimNotPresent,
    /// A claim has another form.
    JwtClaimFormatInvalid,
    /// A claim says something else.
    JwtClaimValueInvalid,
    /// Anything else about a token.
    JwtValidationInternalError,
    /// A state that is missing.
    AuthMissingStateParam,
    /// One that is none of the listener's, or too old.
    AuthInvalidStateParam,
    /// The cookie that binds a login to its client is missing.
    AuthMissingNonce,
    /// It is another login's.
    AuthInvalidNonce,
    /// A code that is missing.
    AuthMissingCodeParam,
    /// The provider sent an error in the place of a code. AWS has no reason of its own for it.
    AuthProviderError,
    /// The token endpoint answers with an error.
    AuthTokenEpRequestFailed,
    /// It cannot be reached, or not in time.
    AuthTokenEpRequestTimeout,
    /// It answers with something else than tokens.
    AuthInvalidTokenResponse,
    /// The ID token is missing, or not for this client.
    AuthInvalidIdToken,
    /// The user info endpoint answers with an error.
    AuthUserinfoEpRequestFailed,
    /// It cannot be reached, or not in time.
    AuthUserinfoEpRequestTimeout,
    /// It answers with something else than claims of this user.
    AuthInvalidUserinfoResponse,
    /// What it answers is too large.
    AuthUserinfoResponseSizeExceeded,
    /// Anything else about a user.
    AuthUnhandledException,
}

impl ErrorReason {
    /// As AWS writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::JwtHeaderNotPresent => "JWTHeaderNotPresent",
            Self::JwtRequestFormatInvalid => "JWTRequestFormatInvalid",
            Self::JwksRequestTimeout => "JWKSRequestTimeout",
            Self::JwksResponseSizeExceeded => "JWKSResponseSizeExceeded",
            Self::JwksRequestFailed => "JWKSRequestFailed",
            Self::JwksResponseInvalid => "JWKSResponseInvalid",
            Self::JwtSignatureValidationError => "JWTSignatureValidationError",
            Self::JwtClaimNotPresent => "JWTClaimNotPresent",
            Self::JwtClaimFormatInvalid => "JWTClaimFormatInvalid",
            Self::JwtClaimValueInvalid => "JWTClaimValueInvalid",
            Self::JwtValidationInternalError => "JWTValidationInternalError",
            Self::AuthMissingStateParam => "AuthMissingStateParam",
            Self::AuthInvalidStateParam => "AuthInvalidStateParam",
            Self::AuthMissingNonce => "AuthMissingAWSALBAuthNonce",
            Self::AuthInvalidNonce => "AuthInvalidAWSALBAuthNonce",
            Self::AuthMissingCodeParam | Self::AuthProviderError => "AuthMissingCodeParam",
            Self::AuthTokenEpRequestFailed => "AuthTokenEpRequestFailed",
            Self::AuthTokenEpRequestTimeout => "AuthTokenEpRequestTimeout",
            Self::AuthInvalidTokenResponse => "AuthInvalidTokenResponse",
            Self::AuthInvalidIdToken => "AuthInvalidIdToken",
            Self::AuthUserinfoEpRequestFailed => "AuthUserinfoEpRequestFailed",
            Self::AuthUserinfoEpRequestTimeout => "AuthUserinfoEpRequestTimeout",
            Self::AuthInvalidUserinfoResponse => "AuthInvalidUserinfoResponse",
            Self::AuthUserinfoResponseSizeExceeded => "AuthUserinfoResponseSizeExceeded",
            Self::AuthUnhandledException => "AuthUnhandledException",
        }
    }

    /// The status that the client gets.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::JwksRequestTimeout
            | Self::JwksResponseSizeExceeded
            | Self::JwtValidationInternalError
            | Self::AuthTokenEpRequestTimeout
            | Self::AuthUserinfoEpRequestTimeout
            | Self::AuthUserinfoResponseSizeExceeded
            | Self::AuthUnhandledException => 500,
            Self::AuthProviderError
            | Self::AuthTokenEpRequestFailed
            | Self::AuthInvalidTokenResponse
            | Self::AuthUserinfoEpRequestFailed
            | Self::AuthInvalidUserinfoResponse => 561,
            Self::JwksRequestFailed | Self::JwksResponseInvalid => 562,
            Self::JwtHeaderNotPresent
            | Self::JwtRequestFormatInvalid
            | Self::JwtSignatureValidationError
            | Self::JwtClaimNotPresent
            | Self::JwtClaimFormatInvalid
            | Self::JwtClaimValueInvalid
            | Self::AuthMissingStateParam
            | Self::AuthInvalidStateParam
            | Self::AuthMissingNonce
            | Self::AuthInvalidNonce
            | Self::AuthMissingCodeParam
            | Self::AuthInvalidIdToken => 401,
        }
    }

    /// The reason code of a login that failed so.
    pub(crate) const fn reason(self) -> Reason {
        if self.status() == 401 { Reason::TokenMalformed } else { Reason::IssuerUnreachable }
    }

    fn of(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::Missing { .. } => Self::JwtHeaderNotPresent,
            Rejection::Malformed(_) => Self::JwtRequestFormatInvalid,
            Rejection::Algorithm { .. } | Rejection::KeyUnknown { .. } | Rejection::BadSignature { .. } => {
                Self::JwtSignatureValidationError
            }
            Rejection::NoExpiry | Rejection::ClaimAbsent { .. } | Rejection::Issuer { offered: None, .. } => {
                Self::JwtClaimNotPresent
            }
            Rejection::ClaimType(_) | Rejection::ClaimForm { .. } => Self::JwtClaimFormatInvalid,
            Rejection::Issuer { offered: Some(_), .. }
            | Rejection::Expired { .. }
            | Rejection::NotYetValid { .. }
            | Rejection::ClaimValue { .. }
            | Rejection::Audience { .. }
            | Rejection::Scope { .. } => Self::JwtClaimValueInvalid,
            Rejection::Unreachable(error) => Self::of_keys(error),
        }
    }

    const fn of_keys(error: &FetchError) -> Self {
        match error {
            FetchError::Jwks { why, .. } => match why {
                GetError::Url | GetError::Outside(_) | GetError::Http(_) | GetError::Timeout(_) => {
                    Self::JwksRequestTimeout
                }
                GetError::TooLong | GetError::TooMany => Self::JwksResponseSizeExceeded,
                GetError::Status(_) => Self::JwksRequestFailed,
                GetError::Content(_) => Self::JwksResponseInvalid,
            },
            FetchError::Discovery { .. } | FetchError::Lost => Self::JwtValidationInternalError,
        }
    }
}

/// Why a gate does not open.
#[derive(Debug)]
pub(crate) enum Shut {
    /// The request is answered with this error.
    Refused(ErrorReason),
    /// It is answered so.
    Answered(Box<Response<Body>>),
    /// The caller waits no longer.
    TimedOut,
}

/// Whether anything is asked of a request, or it is a client's way back from a login.
pub(crate) fn asks(visit: &Visit<'_>, rule: Option<&Rule>, request: &Request<RequestBody>) -> bool {
    rule.is_some_and(|rule| rule.gate.is_some()) || login::is_callback(visit.listener, request)
}

/// Asks of a request what its rule asks, while its caller waits. What comes back is for the client.
pub(crate) async fn pass(
    shared: &Arc<Shared>,
    visit: &Visit<'_>,
    rule: Option<&Rule>,
    request: &mut Request<RequestBody>,
    (recording, report): (&mut Recording, &mut Report<'_>),
) -> Result<Cookies, Shut> {
    let outcome = tokio::time::timeout(visit.timeout, asked(shared, visit, rule, request, (recording, report))).await;
    let outcome = outcome.unwrap_or_else(|_| {
        recording.read_clock();
        recording.stop(HopKind::Authorizer, hop_of(visit, rule), Reason::IntegrationTimeout);
        Err(Shut::TimedOut)
    });
    if let Err(Shut::Refused(error)) = &outcome {
        report.failed(error.as_str());
    }
    outcome
}

async fn asked(
    shared: &Arc<Shared>,
    visit: &Visit<'_>,
    rule: Option<&Rule>,
    request: &mut Request<RequestBody>,
    (recording, report): (&mut Recording, &mut Report<'_>),
) -> Result<Cookies, Shut> {
    if login::is_callback(visit.listener, request) {
        report.acts("authenticate");
        return login::callback(shared, visit, request, recording).await;
    }
    let Some((of, check)) = rule.and_then(|rule| Some((rule, rule.gate.as_deref()?))) else { return Ok(None) };
    let provider = match check {
        Check::Jwt(validation) => {
            let judged = judged(shared, validation, request.headers()).await;
            return told(judged, hop_of(visit, rule), recording).map(|()| None);
        }
        Check::Oidc(oidc) => oidc.provider(),
        Check::Cognito(cognito) => cognito.provider(shared.config.cognito_endpoint.as_deref()),
    };
    report.acts("authenticate");
    login::pass(shared, (visit, of, &provider), request, recording).await
}

fn told(judged: Result<(), Rejection>, hop: HopId, recording: &mut Recording) -> Result<(), Shut> {
    recording.read_clock();
    let Err(rejection) = judged else {
        recording.pass(HopKind::Authorizer, hop);
        return Ok(());
    };
    let error = ErrorReason::of(&rejection);
    recording.stop(HopKind::Authorizer, hop, rejection.reason());
    recording.detail(&format!("{}: {}", error.as_str(), rejection.detail()));
    Err(Shut::Refused(error))
}

async fn judged(shared: &Arc<Shared>, validation: &JwtValidation, headers: &HeaderMap) -> Result<(), Rejection> {
    let mut waited = 0;
    loop {
        let patience = if waited < WAITS_MAX { Patience::Waits } else { Patience::Decides };
        match ask(shared, validation, headers, patience)? {
            Bearer::Verified(_) => return Ok(()),
            Bearer::Coming(keys) => keys.wait().await,
        }
        waited += 1;
    }
}

fn ask(
    shared: &Arc<Shared>,
    validation: &JwtValidation,
    headers: &HeaderMap,
    patience: Patience,
) -> Result<Bearer, Rejection> {
    let text = source::bearer(headers)?;
    let voucher = Voucher::Endpoint { url: &validation.jwks_endpoint, issuer: &validation.issuer };
    let found = shared.identity.verified(text, voucher, patience)?;
    if let Bearer::Verified(token) = &found {
        token.claims.check_issuer(&validation.issuer)?;
        token.claims.check_times(shared.identity.now())?;
        validation.claims.iter().try_for_each(|claim| token.claims.check_claim(claim))?;
    }
    Ok(found)
}
