//! Authorization of HTTP APIs: JWT authorizers and IAM (HTTP API developer guide, "Control and manage access to HTTP APIs",
//! 2026-11). What is decided here leaves a hop in the trace, who calls in the context, and for a refusal the challenge to the
//! client.
//!
//! A token that was verified before is judged without waiting and almost without allocating. Where keys or a body are lacking,
//! the request waits outside, in `gateway::admit`, and asks again. Lambda authorizers are not carried out: their routes fail closed.

mod user_pools;

pub(in crate::gateway) use user_pools::ask_user_pools;
pub(crate) use user_pools::issuers as pool_issuers;

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use topology::reason::Reason;
use topology::snapshot::gateway::{JwtAuthorizer, RouteAuthorization};
use topology::trace::{HopId, HopKind};

use super::context::{Caller, Context, Principal};
use super::find::Aim;
use super::refusal::Refusal;
use crate::http::body::SentBody;
use crate::identity::issuer::{Coming, Patience, WAITS_MAX};
use crate::identity::rejection::Rejection;
use crate::identity::signature::{BodyNeed, SignedRequest, Signer};
use crate::identity::voucher::Voucher;
use crate::identity::{Bearer, source};
use crate::shared::Shared;
use crate::trace::Recording;

/// What the client sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    /// Its headers.
    pub(super) headers: &'a HeaderMap,
    /// Its body.
    pub(super) body: &'a SentBody,
}

/// That the route's authorizer lets the caller in. Only the askers in this directory make one.
#[derive(Debug)]
pub(super) struct LetIn(());

/// What asking comes to.
#[derive(Debug)]
pub(super) enum Answer {
    /// The caller is let in; the context knows them.
    LetIn(LetIn),
    /// Something must come first; then it is asked again.
    Waits(Wait),
}

/// What a request waits for before its authorizer is asked again.
#[derive(Debug)]
pub(super) enum Wait {
    /// The keys of a token's issuer, which are on their way.
    Keys(Coming),
    /// The request's own body, whose signature is to be verified.
    Body,
}

impl Wait {
    /// Waits. The body comes back, read or not.
    pub(super) async fn over(
        self,
        shared: &Shared,
        body: SentBody,
        context: &Context<'_>,
        recording: &mut Recording,
    ) -> Result<SentBody, Refusal> {
        let body = match self {
            Self::Keys(keys) => {
                keys.wait().await;
                body
            }
            Self::Body => body.into_read(shared.signed_bodies.begin(context.owner())).await?,
        };
        recording.read_clock();
        Ok(body)
    }
}

/// Asks the route's authorizer. `waited` is how often the request waited for it.
pub(super) fn ask(
    shared: &Arc<Shared>,
    aim: &Aim<'_>,
    (sent, waited): (Sent<'_>, u8),
    context: &mut Context<'_>,
    recording: &mut Recording,
) -> Result<Answer, Refusal> {
    match &aim.route.authorization {
        RouteAuthorization::None => Ok(Answer::LetIn(LetIn(()))),
        // Pools of users are asked by REST APIs, in `user_pools`.
        RouteAuthorization::Unsupported | RouteAuthorization::UserPools { .. } => {
            recording.stop(HopKind::Authorizer, aim.route.id.hop(), Reason::AuthorizerUnsupported);
            Err(Refusal::Forbidden(Reason::AuthorizerUnsupported))
        }
        RouteAuthorization::Iam => ask_signature(shared, aim, sent, context, recording),
        RouteAuthorization::Jwt { authorizer, scopes } => {
            let Some(authorizer) = aim.site.deployed.authorizers.get(*authorizer as usize) else {
                recording.stop(HopKind::Authorizer, aim.route.id.hop(), Reason::AuthorizerUnsupported);
                return Err(Refusal::Forbidden(Reason::AuthorizerUnsupported));
            };
            let patience = if waited < WAITS_MAX { Patience::Waits } else { Patience::Decides };
            match bearer(shared, (authorizer, scopes), sent.headers, (context, patience)) {
                Ok(Bearer::Verified(verified)) => {
                    context.caller = Caller::Token(Arc::clone(&verified.claims.text));
                    recording.pass(HopKind::Authorizer, HopId::Authorizer(authorizer.id));
                    Ok(Answer::LetIn(LetIn(())))
                }
                Ok(Bearer::Coming(keys)) => Ok(Answer::Waits(Wait::Keys(keys))),
                Err(rejection) => {
                    recording.stop(HopKind::Authorizer, HopId::Authorizer(authorizer.id), rejection.reason());
                    Err(reject(&rejection, scopes, context, recording))
                }
            }
        }
    }
}

fn bearer(
    shared: &Arc<Shared>,
    (authorizer, scopes): (&JwtAuthorizer, &[String]),
    headers: &HeaderMap,
    (context, patience): (&Context<'_>, Patience),
) -> Result<Bearer, Rejection> {
    let text = source::token(&authorizer.source, headers, &context.uri)?;
    let found = shared.identity.verified(&text, Voucher::Issuer(&authorizer.issuer), patience)?;
    if let Bearer::Verified(verified) = &found {
        verified.claims.check(authorizer, shared.identity.now())?;
        verified.claims.check_scopes(scopes)?;
    }
    Ok(found)
}

#[cold]
fn reject(rejection: &Rejection, scopes: &[String], context: &mut Context<'_>, recording: &mut Recording) -> Refusal {
    recording.detail(&rejection.detail());
    context.challenge = Some(rejection.challenge(scopes));
    context.authorizer_error = rejection.variable();
    match rejection {
        Rejection::Scope { .. } => Refusal::Forbidden(rejection.reason()),
        _ => Refusal::Unauthorized(rejection.reason()),
    }
}

fn ask_signature(
    shared: &Shared,
    aim: &Aim<'_>,
    sent: Sent<'_>,
    context: &mut Context<'_>,
    recording: &mut Recording,
) -> Result<Answer, Refusal> {
    let hop = aim.route.id.hop();
    let Some(judge) = &shared.config.signatures else {
        recording.stop(HopKind::Authorizer, hop, Reason::AuthorizerUnsupported);
        return Err(Refusal::Forbidden(Reason::AuthorizerUnsupported));
    };
    if sent.headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
        // Which of them another reader takes is not known.
        return Err(refuse_signature("Authorization is sent more than once", hop, context, recording));
    }
    let body = sent.body.read();
    // A signature may cover the lines that frame the body.
    let headers = context.lines().among(sent.headers);
    let request = SignedRequest {
        method: &context.method,
        uri: &context.uri,
        headers: &headers,
        body: body.unwrap_or_default(),
        realm: &aim.site.realm.snapshot.realm,
    };
    let need = if body.is_some() { Ok(BodyNeed::Head) } else { judge.judge_head(&request) };
    let judged = match need {
        Ok(BodyNeed::Whole) => return Ok(Answer::Waits(Wait::Body)),
        Ok(BodyNeed::Head) => judge.judge(&request),
        Err(why) => Err(why),
    };
    match judged {
        Ok(Signer { account, access_key_id, arn }) => {
            context.caller = Caller::Principal(Arc::new(Principal { account, id: access_key_id, arn }));
            recording.pass(HopKind::Authorizer, hop);
            Ok(Answer::LetIn(LetIn(())))
        }
        Err(why) => Err(refuse_signature(&why, hop, context, recording)),
    }
}

fn refuse_signature(why: &str, hop: HopId, context: &mut Context<'_>, recording: &mut Recording) -> Refusal {
    recording.stop(HopKind::Authorizer, hop, Reason::Sigv4Invalid);
    recording.detail(why);
    context.authorizer_error = Some(UNREADABLE_SIGNATURE.to_owned());
    Refusal::Forbidden(Reason::Sigv4Invalid)
}

/// `$context.authorizer.error` of a refused signature (HTTP API developer guide, "Troubleshooting", 2026-11).
const UNREADABLE_SIGNATURE: &str =
    "The request for the IAM Authorizer doesn't match the format that API Gateway expects.";
