//! Whether a matched request may go on: its declared size, then its route's authorizer. Rate limits came before
//! (`gateway::throttle`), so that a request that is throttled costs no authorization.

use std::sync::Arc;

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use topology::snapshot::gateway::Integration;

use super::authorize::{self, Answer, Coming, Sent};
use super::context::Context;
use super::find::Matched;
use super::respond::Refusal;
use super::throttle::Metered;
use crate::http::body::SentBody;
use crate::http::survey::Survey;
use crate::limits::REQUEST_BODY_BYTES_MAX;
use crate::shared::Shared;
use crate::trace::Recording;

/// A request that may be carried. Only [`admit`] makes one.
pub(crate) struct Admitted<'w> {
    /// What was matched.
    pub(super) matched: Matched<'w>,
    /// The route's integration.
    pub(super) integration: &'w Integration,
    _made_here: (),
}

/// A request within its rate limits, with all that the client sent, on its way to be admitted.
pub(crate) struct Applicant<'w> {
    pub(super) metered: Metered<'w>,
    pub(super) headers: HeaderMap,
    pub(super) seen: Survey,
    pub(super) body: SentBody,
    /// How often it waited for its authorizer.
    pub(super) waited: u8,
}

/// What comes of an application without waiting.
#[allow(
    clippy::large_enum_variant,
    reason = "the large variant is the usual one, and a box would cost each request an allocation"
)]
pub(crate) enum Admission<'w> {
    /// It may be carried.
    Admitted(Admitted<'w>, HeaderMap, Survey, SentBody),
    /// Something must come first; then it applies again.
    Waits(Box<Applicant<'w>>, Wait),
}

/// What an application waits for.
#[derive(Debug)]
pub(crate) enum Wait {
    /// The keys of a token's issuer.
    Keys(Coming),
    /// The request's own body, whose signature is to be verified.
    Body,
}

/// Admits the request, or says why not.
pub(crate) fn admit<'w>(
    shared: &Arc<Shared>,
    applicant: Applicant<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Admission<'w>, Refusal> {
    let Applicant { metered, headers, seen, body, waited } = applicant;
    check_size(&headers, &seen)?;
    let sent = Sent { headers: &headers, body: &body };
    let wait = match authorize::ask(shared, &metered.matched, (sent, waited), context, recording)? {
        Answer::LetIn => None,
        Answer::Keys(keys) => Some(Wait::Keys(keys)),
        Answer::Body => Some(Wait::Body),
    };
    if let Some(wait) = wait {
        return Ok(Admission::Waits(Box::new(Applicant { metered, headers, seen, body, waited }), wait));
    }
    let matched = metered.matched;
    let integration = matched.route.integration.and_then(|at| matched.place.deployed.integrations.get(at as usize));
    let integration = integration.ok_or(Refusal::NoIntegration)?;
    Ok(Admission::Admitted(Admitted { matched, integration, _made_here: () }, headers, seen, body))
}

/// Waits for what an application lacks.
pub(crate) async fn wait<'w>(
    shared: &Shared,
    mut applicant: Applicant<'w>,
    wait: Wait,
    (context, recording): (&Context<'w>, &mut Recording),
) -> Result<Applicant<'w>, Refusal> {
    match wait {
        Wait::Keys(keys) => keys.wait().await,
        Wait::Body => {
            applicant.body = applicant.body.into_read(shared.signed_bodies.begin(context.owner())).await?;
        }
    }
    applicant.waited = applicant.waited.saturating_add(1);
    recording.read_clock();
    Ok(applicant)
}

/// Whether the size that the client declares is within the bound.
pub(super) fn check_size(headers: &HeaderMap, seen: &Survey) -> Result<(), Refusal> {
    let is_above = seen.length && declared_bytes(headers).is_some_and(|bytes| bytes > REQUEST_BODY_BYTES_MAX);
    if is_above { Err(Refusal::BodyTooLarge) } else { Ok(()) }
}

fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}
