//! `MOCK` integrations: the request's template says which status the integration has, and an integration response does the rest
//! (REST API developer guide, "Set up mock integrations in API Gateway", 2026-11).

use std::sync::Arc;

use http::{Response, StatusCode};
use serde_json::Value;
use topology::trace::{Hop, HopKind};

use super::validate::Valid;
use super::{answer, execution, template};
use crate::answer::body::Body;
use crate::gateway::context::Context;
use crate::gateway::refusal::Refusal;
use crate::shared::Shared;
use crate::trace::Recording;

/// Answers a request. Without a whole-numbered `statusCode` the API is set up wrongly: 500.
pub(super) async fn answer<'w>(
    shared: &Arc<Shared>,
    valid: Valid<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    // It answers itself: leave to send is not used.
    let (mut request, _) = valid.into_parts();
    let plan = request.plan;
    context.integration.named = Some(request.integration);
    let whole = request.whole(shared).await?;
    context.sent = request.body.progress();
    execution::say_sent(context, &whole);
    let text = template::request(shared, whole, (&request, plan), context, recording).await?;
    let told: Option<Value> = serde_json::from_slice(&text).ok();
    let status = told.as_ref().and_then(|told| told.get("statusCode")).and_then(Value::as_u64);
    let status = status.and_then(|status| u16::try_from(status).ok()).and_then(|s| StatusCode::from_u16(s).ok());
    let Some(status) = status else {
        let why = "the template of a MOCK integration must give {\"statusCode\": NUMBER}";
        return Err(template::failed(&request, why, context, recording));
    };
    recording.read_clock();
    let hop = Hop::pass(HopKind::Integration, request.integration.id.hop(), 0);
    recording.hop(hop.with_status(status.as_u16()));
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    context.integration.status = Some(status.as_u16());
    answer::mapped(shared, (response, &request, plan), context, recording).await
}
