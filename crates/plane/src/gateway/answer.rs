//! What the gateway makes of an integration's answer: parameter mappings by its status (HTTP API developer guide, "Transform
//! API requests and responses for HTTP APIs", 2026-11). Answers of the gateway's own are not mapped.

use http::{Response, StatusCode};
use topology::reason::Reason;
use topology::snapshot::gateway::ParameterMapping;
use topology::trace::{HopId, HopKind};

use super::context::Context;
use super::mapping::{self, Sources};
use super::payload::Payload;
use super::refusal::Refusal;
use crate::answer::body::Body;
use crate::http::body::BodyFault;
use crate::http::gathered::Unread;
use crate::limits::MAPPED_BODY_BYTES_MAX;
use crate::shared::Shared;
use crate::trace::Recording;

/// Notes how the integration went; the mappings for its answer's status, where there are any.
pub(crate) fn mappings<'w>(
    response: &Response<Body>,
    context: &mut Context<'w>,
    recording: &Recording,
) -> Option<&'w [ParameterMapping]> {
    let status = response.status().as_u16();
    context.integration.status = Some(status);
    context.integration.took_micros = Some(recording.now_micros().saturating_sub(context.integration.sent_micros));
    context.integration.named?.answers.get(&status).map(Vec::as_slice)
}

/// Maps an answer.
pub(crate) async fn map(
    (response, mappings): (Response<Body>, &[ParameterMapping]),
    shared: &Shared,
    context: &Context<'_>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let (mut head, mut body) = response.into_parts();
    let mut payload = Payload::default();
    if mappings.iter().any(ParameterMapping::reads_body) {
        let place = shared.mapped_answers.begin(context.owner());
        let (whole, beginning) =
            body.gather(MAPPED_BODY_BYTES_MAX, place).await.map_err(|unread| broke(unread, recording))?;
        (body, payload) = (whole, Payload::new(beginning));
    }
    let lines = body.lines();
    let message = (&head.headers, &lines);
    let mapped = mapping::evaluate(mappings, &Sources { context, message, payload: &payload });
    let Some(mapped) = mapped else { return Ok(Response::from_parts(head, body)) };
    if let Some(status) = mapped.apply_to_answer(&mut head.headers)? {
        head.status = status;
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED) {
            // These have no body (RFC 9110, section 6.4.1).
            body = Body::default();
        }
    }
    Ok(Response::from_parts(head, body))
}

fn broke(unread: Unread, recording: &mut Recording) -> Refusal {
    let Unread::Broke(fault) = unread else { return Refusal::TimedOut };
    let reason = if fault == BodyFault::TargetSilent { Reason::TargetTimeout } else { Reason::TargetClosed };
    recording.read_clock();
    recording.stop(HopKind::Target, HopId::None, reason);
    Refusal::AnswerBroke(reason)
}
