//! Authorization of REST APIs: IAM by the judge that HTTP APIs have, user pools by their tokens (API Gateway developer guide,
//! "Control and manage access to REST APIs", 2026-11). Where keys or a body are lacking, it waits and asks again. Lambda
//! authorizers are not carried out: their methods fail closed.

use std::sync::Arc;

use http::HeaderMap;
use topology::reason::Reason;
use topology::snapshot::gateway::RouteAuthorization;

use super::policy::Permitted;
use crate::gateway::authorize::{self, Answer, LetIn, Sent};
use crate::gateway::context::Context;
use crate::gateway::find::{Aim, MethodAim};
use crate::gateway::refusal::Refusal;
use crate::http::body::SentBody;
use crate::shared::Shared;
use crate::trace::Recording;

/// A request whose caller is let in. Only [`check`] makes one.
pub(super) struct Authorized<'w> {
    aim: MethodAim<'w>,
    _let_in: LetIn,
}

impl<'w> Authorized<'w> {
    /// Where it leads.
    pub(super) const fn aim(&self) -> &MethodAim<'w> {
        &self.aim
    }
}

/// Asks the method's authorizer; the body comes back, read or not.
pub(super) async fn check<'w>(
    shared: &Arc<Shared>,
    permitted: Permitted<'w>,
    (headers, mut body): (&HeaderMap, SentBody),
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<(Authorized<'w>, SentBody), Refusal> {
    let aim = *permitted.aim();
    let Aim { site, route, .. } = aim.leads;
    let mut waited = 0;
    loop {
        let sent = Sent { headers, body: &body };
        let asked = match &route.authorization {
            RouteAuthorization::UserPools { authorizer, scopes } => {
                let pools = site.deployed.rest.as_ref().and_then(|rest| rest.pools.get(*authorizer as usize));
                let pools = pools.ok_or(Refusal::Forbidden(Reason::AuthorizerUnsupported))?;
                let audience = aim.readied.audiences.get(*authorizer as usize).and_then(Option::as_ref);
                authorize::ask_user_pools(shared, (pools, scopes, audience), (sent, waited), context, recording)
            }
            RouteAuthorization::None
            | RouteAuthorization::Iam
            | RouteAuthorization::Jwt { .. }
            | RouteAuthorization::Unsupported => authorize::ask(shared, &aim.leads, (sent, waited), context, recording),
        };
        match asked.map_err(|refusal| unsigned(refusal, headers, context))? {
            Answer::LetIn(let_in) => return Ok((Authorized { aim, _let_in: let_in }, body)),
            Answer::Waits(wait) => body = wait.over(shared, body, context, recording).await?,
        }
        // It comes to an end: keys are waited for twice, a body is read once.
        waited = u8::saturating_add(waited, 1);
    }
}

/// A request without any signature is told that it lacks one.
fn unsigned(refusal: Refusal, headers: &HeaderMap, context: &Context<'_>) -> Refusal {
    let by_query = context.uri.query().is_some_and(|query| query.contains("X-Amz-Signature="));
    let is_signed = headers.contains_key(http::header::AUTHORIZATION) || by_query;
    match refusal {
        Refusal::Forbidden(Reason::Sigv4Invalid) if !is_signed => Refusal::SignatureMissing,
        other => other,
    }
}
