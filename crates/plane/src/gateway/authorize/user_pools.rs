//! Authorizers of REST APIs that ask for tokens of Amazon Cognito user pools (API Gateway developer guide, "Control access to
//! REST APIs using Amazon Cognito user pools as an authorizer", 2026-11). A pool is an issuer like any other: keys, caches and
//! verification are those of JWT authorizers. A method without scopes takes ID tokens, one with scopes access tokens.

use std::sync::Arc;

use regex::Regex;
use topology::reason::Reason;
use topology::snapshot::gateway::IdentitySource;
use topology::snapshot::rest::UserPools;
use topology::trace::{HopId, HopKind};

use super::{Answer, LetIn, Sent, Wait};
use crate::gateway::context::{Caller, Context};
use crate::gateway::refusal::Refusal;
use crate::identity::issuer::{Patience, WAITS_MAX};
use crate::identity::rejection::Rejection;
use crate::identity::token::Token;
use crate::identity::voucher::Voucher;
use crate::identity::{Bearer, source};
use crate::shared::Shared;
use crate::trace::Recording;

/// The issuers of an authorizer's pools: `https://cognito-idp.{region}.amazonaws.com/{poolId}`, or below the endpoint that was
/// configured in its place.
pub(crate) fn issuers<'p>(pools: &'p UserPools, endpoint: Option<&'p str>) -> impl Iterator<Item = String> + 'p {
    pools.pools.iter().map(move |(region, pool)| match endpoint {
        Some(endpoint) => format!("{}/{pool}", endpoint.trim_end_matches('/')),
        None => format!("https://cognito-idp.{region}.amazonaws.com/{pool}"),
    })
}

/// Asks for a token of one of the pools.
pub(in crate::gateway) fn ask_user_pools(
    shared: &Arc<Shared>,
    (pools, scopes, audience): (&UserPools, &[String], Option<&Regex>),
    (sent, waited): (Sent<'_>, u8),
    context: &mut Context<'_>,
    recording: &mut Recording,
) -> Result<Answer, Refusal> {
    let hop = HopId::Authorizer(pools.id);
    let patience = if waited < WAITS_MAX { Patience::Waits } else { Patience::Decides };
    match bearer(shared, (pools, scopes, audience), sent, (context, patience)) {
        Ok(Bearer::Verified(verified)) => {
            context.caller = Caller::Token(Arc::clone(&verified.claims.text));
            recording.pass(HopKind::Authorizer, hop);
            Ok(Answer::LetIn(LetIn(())))
        }
        Ok(Bearer::Coming(keys)) => Ok(Answer::Waits(Wait::Keys(keys))),
        Err(rejection) => {
            let reason: Reason = rejection.reason();
            recording.stop(HopKind::Authorizer, hop, reason);
            recording.detail(&rejection.detail());
            context.authorizer_error = rejection.variable();
            Err(Refusal::Unauthorized(reason))
        }
    }
}

fn bearer(
    shared: &Arc<Shared>,
    (pools, scopes, audience): (&UserPools, &[String], Option<&Regex>),
    sent: Sent<'_>,
    (context, patience): (&Context<'_>, Patience),
) -> Result<Bearer, Rejection> {
    let text = source::token(&IdentitySource::Header(pools.header.clone()), sent.headers, &context.uri)?;
    let known: Vec<String> = issuers(pools, shared.config.cognito_endpoint.as_deref()).collect();
    let issuer = match known.as_slice() {
        [only] => only.clone(),
        several => {
            // The token says whose it is; that it is theirs is verified below.
            let token = Token::parse(&text)?;
            let named = several.iter().find(|issuer| token.claims.check_issuer(issuer).is_ok());
            named.cloned().ok_or_else(|| match token.claims.check_issuer(&several.join(" or ")) {
                Err(rejection) => rejection,
                Ok(()) => Rejection::Malformed("names no issuer"),
            })?
        }
    };
    let found = shared.identity.verified(&text, Voucher::Issuer(&issuer), patience)?;
    let Bearer::Verified(token) = &found else { return Ok(found) };
    token.claims.check_issuer(&issuer)?;
    token.claims.check_times(shared.identity.now())?;
    let kind = token.claims.text.get("token_use").map(String::as_str);
    match (scopes.is_empty(), kind) {
        (true, Some("id")) => check_audience(audience, token.claims.text.get("aud"))?,
        (true, _) => {
            return Err(Rejection::Malformed("is no ID token (token_use), which a method without scopes asks for"));
        }
        (false, Some("access")) => token.claims.check_scopes(scopes)?,
        (false, _) => {
            return Err(Rejection::Malformed("is no access token (token_use), which a method with scopes asks for"));
        }
    }
    Ok(found)
}

/// `identityValidationExpression` is for the audience of an ID token.
fn check_audience(asked: Option<&Regex>, audience: Option<&String>) -> Result<(), Rejection> {
    let Some(pattern) = asked else { return Ok(()) };
    if pattern.is_match(audience.map_or("", String::as_str)) {
        return Ok(());
    }
    let offered = audience.cloned().into_iter().collect();
    Err(Rejection::Audience { asked: vec![pattern.to_string()], claim: "aud", offered })
}
