//! The only place where a gateway's refusal becomes an answer, and where every answer gets what HTTP APIs put on
//! each: `apigw-requestid` (observed on HTTP APIs), and in development `x-tidegate-trace`. REST APIs have their table in `rest`.

pub(super) mod rest;

use std::sync::Arc;

use http::Response;
use http::header::{CONNECTION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use topology::snapshot::gateway::ApiKind;
use topology::trace::{HopId, HopKind};

use super::cors::{self, MadeBy};
use super::refusal::Refusal;
use super::underway::Underway;
use crate::answer::body::Body;
use crate::answer::pages;
use crate::http::unique::unique;
use crate::shared::Shared;
use crate::trace::Recording;

const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// Closes the trace and completes the answer.
pub(crate) fn finish(
    (answer, made_by): (Result<Response<Body>, Refusal>, MadeBy),
    underway: &mut Underway<'_>,
    shared: &Arc<Shared>,
) -> Response<Body> {
    let (context, recording) = underway.parts();
    let mut response = match answer {
        Ok(response) => response,
        Err(refusal) => {
            context.refused = Some(refusal);
            match context.kind {
                ApiKind::Http => refuse(refusal, recording),
                ApiKind::Rest => rest::refuse(refusal, context, recording),
            }
        }
    };
    let headers = response.headers_mut();
    let deployed = context.found.as_ref().map(|found| found.site.deployed);
    if let (Some(told), Some(cors)) = (&context.cors, deployed.and_then(|deployed| deployed.cors.as_ref())) {
        cors::write(cors, told, made_by, headers);
    }
    if let (Some(challenge), Some(_)) = (&context.challenge, context.refused) {
        headers.insert(WWW_AUTHENTICATE, challenge.clone());
    }
    match context.kind {
        ApiKind::Http => {
            if let Ok(id) = HeaderValue::from_str(recording.id().as_str()) {
                headers.insert(REQUEST_ID, unique(id));
            }
        }
        ApiKind::Rest => rest::identify(headers, context),
    }
    if context.kind == ApiKind::Rest {
        let words = context.refused.map(|refusal| rest::words(refusal, context));
        super::rest::execution::answered(shared, context, words.as_ref(), &response);
    }
    let headers = response.headers_mut();
    if !shared.config.strict_wire {
        pages::say_trace(headers, recording.reason());
    }
    let status = response.status().as_u16();
    let ending = underway.answered(status, response.headers());
    response.body_mut().ends_with(ending);
    response
}

fn refuse(refusal: Refusal, recording: &mut Recording) -> Response<Body> {
    let (status, body, reason) = refusal.answer();
    if recording.reason().is_none() {
        recording.read_clock();
        recording.stop(HopKind::Gateway, HopId::None, reason);
    }
    let mut response = pages::gateway(status, body);
    if refusal.ends_connection() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
