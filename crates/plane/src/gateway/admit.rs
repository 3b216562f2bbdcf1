//! Whether a matched request may go on: its declared size, then its route's authorizer. Rate limits came before
//! (`gateway::throttle`), so that a request that is throttled costs no authorization.

use std::sync::Arc;

use http::HeaderMap;
use topology::snapshot::gateway::Integration;

use super::authorize::{self, Answer, LetIn, Sent, Wait};
use super::context::Context;
use super::find::Aim;
use super::refusal::Refusal;
use super::throttle::Metered;
use crate::http::body::SentBody;
use crate::http::framing::FramingLines;
use crate::http::survey::Survey;
use crate::limits::REQUEST_BODY_BYTES_MAX;
use crate::shared::Shared;
use crate::trace::Recording;

/// A request that may be carried. Only [`admit`] makes one.
pub(super) struct Admitted<'w> {
    aim: Aim<'w>,
    integration: &'w Integration,
    _guards: (Bounded, LetIn),
}

impl<'w> Admitted<'w> {
    /// Where it leads.
    pub(super) const fn aim(&self) -> &Aim<'w> {
        &self.aim
    }

    /// The route's integration.
    pub(super) const fn integration(&self) -> &'w Integration {
        self.integration
    }
}

/// A request within its rate limits, with all that the client sent, on its way to be admitted.
pub(super) struct Applicant<'w> {
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
pub(super) enum Admission<'w> {
    /// It may be carried.
    Admitted(Admitted<'w>, HeaderMap, Survey, SentBody),
    /// Something must come first; then it applies again.
    Waits(Box<Applicant<'w>>, Wait),
}

/// Admits the request, or says why not.
pub(super) fn admit<'w>(
    shared: &Arc<Shared>,
    applicant: Applicant<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Admission<'w>, Refusal> {
    let Applicant { metered, headers, seen, body, waited } = applicant;
    let bounded = check_size(context.lines())?;
    let sent = Sent { headers: &headers, body: &body };
    let answer = authorize::ask(shared, metered.aim(), (sent, waited), context, recording)?;
    match answer {
        Answer::LetIn(let_in) => Ok(Admission::Admitted(admitted(metered, (bounded, let_in))?, headers, seen, body)),
        Answer::Waits(wait) => Ok(Admission::Waits(Box::new(Applicant { metered, headers, seen, body, waited }), wait)),
    }
}

fn admitted(metered: Metered<'_>, guards: (Bounded, LetIn)) -> Result<Admitted<'_>, Refusal> {
    let aim = *metered.aim();
    let integration = aim.route.integration.and_then(|at| aim.site.deployed.integrations.get(at as usize));
    Ok(Admitted { aim, integration: integration.ok_or(Refusal::NoIntegration)?, _guards: guards })
}

/// Waits for what an application lacks.
pub(super) async fn wait<'w>(
    shared: &Shared,
    mut applicant: Applicant<'w>,
    wait: Wait,
    context: &Context<'w>,
    recording: &mut Recording,
) -> Result<Applicant<'w>, Refusal> {
    applicant.body = wait.over(shared, applicant.body, context, recording).await?;
    applicant.waited = applicant.waited.saturating_add(1);
    Ok(applicant)
}

/// That the size which the client declares is within the bound. Only [`check_size`] makes one.
#[derive(Debug)]
pub(super) struct Bounded(());

/// Whether the size that the client declares is within the bound.
pub(super) fn check_size(lines: &FramingLines) -> Result<Bounded, Refusal> {
    let is_above = lines.bytes().is_some_and(|bytes| bytes > REQUEST_BODY_BYTES_MAX);
    if is_above { Err(Refusal::BodyTooLarge) } else { Ok(Bounded(())) }
}
