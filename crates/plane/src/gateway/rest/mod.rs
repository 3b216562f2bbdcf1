//! The pipeline of REST APIs. It shares connections, links, limits, authorizers and reports with HTTP APIs and differs in
//! everything that a caller sees (API Gateway REST API developer guide, 2026-11). One file for each step; each step consumes what
//! only the one before can make:
//!
//! | step | file | refuses with | makes |
//! |---|---|---|---|
//! | canary | `mod` | | the stage that serves |
//! | method | `gateway::find` | 403 `MISSING_AUTHENTICATION_TOKEN` | `Matched` |
//! | integration request | `request` | 415, 500 | what is sent |
//! | integration | `carry` | 500, 504 | its answer |
//! | integration and method response | `answer` | 500 | the client's answer |
//!
//! A refusal becomes a gateway response in `gateway::respond::rest`.

mod answer;
mod carry;
mod content;
pub(crate) mod context;
mod mock;
pub(crate) mod readied;
mod request;
pub(crate) mod source;
mod template;

use std::sync::Arc;

use http::{HeaderMap, Response};
use topology::resource::rest_api::IntegrationType;
use topology::snapshot::rest::Canary;
use topology::trace::HopKind;

use self::context::RestContext;
use self::request::Request;
use super::admit;
use super::context::{Context, Place};

use super::find::{self, Matched};
use super::respond::Refusal;
use crate::entropy;
use crate::http::body::{Body, RequestBody, SentBody};
use crate::http::survey::Survey;
use crate::shared::Shared;
use crate::trace::Recording;

/// A request whose stage was found.
pub(crate) struct Arrived<'w> {
    /// The API and stage.
    pub(super) place: Place<'w>,
    /// What the client sent.
    pub(super) headers: HeaderMap,
    /// What stands in it.
    pub(super) seen: Survey,
    /// Its body.
    pub(super) body: SentBody,
}

/// Serves a request, step by step.
pub(crate) async fn serve<'w>(
    shared: &Arc<Shared>,
    arrived: Option<Arrived<'w>>,
    (context, recording): (&mut Context<'w>, &mut Recording),
) -> Result<Response<Body>, Refusal> {
    // It is there: a request is served once.
    let Some(Arrived { place, headers, seen, body }) = arrived else { return Err(Refusal::Malformed) };
    admit::check_size(&headers, &seen)?;
    let place = choose(place, &headers, context)?;
    let matched = method(place, context, recording)?;
    let body = RequestBody::from_client(body, recording.start());
    let request = Request::new(matched, headers, seen, body)?;
    match request.integration_type() {
        IntegrationType::Mock => mock::answer(shared, request, (context, recording)).await,
        IntegrationType::HttpProxy => carry::proxy(shared, request, (context, recording)).await,
        IntegrationType::Http => carry::custom(shared, request, (context, recording)).await,
    }
}

/// The stage, or its canary for its part of the requests. The context learns what is served.
fn choose<'w>(place: Place<'w>, headers: &HeaderMap, context: &mut Context<'w>) -> Result<Place<'w>, Refusal> {
    let rest = place.stage.rest.as_deref().ok_or(Refusal::StageNotFound)?;
    let canary = rest.canary.as_deref();
    let chosen = canary.filter(|canary| is_chosen(canary)).zip(place.stage_world.canary.as_deref());
    let place = match chosen {
        None => place,
        Some((canary, stage_world)) => {
            let deployed = canary.stage.deployed.as_deref().ok_or(Refusal::StageNotFound)?;
            Place { stage: &canary.stage, stage_world, deployed, ..place }
        }
    };
    let stage = place.stage.rest.as_deref().ok_or(Refusal::StageNotFound)?;
    let served = place.deployed.rest.as_deref().zip(place.stage_world.rest.as_ref()).ok_or(Refusal::StageNotFound)?;
    let is_canary = canary.map(|_| chosen.is_some());
    let query = context.uri.query().unwrap_or_default();
    context.rest = Some(Box::new(RestContext::new(stage, served, is_canary, (headers, query))));
    if let Some(found) = &mut context.found {
        found.place = place;
    }
    Ok(place)
}

/// Hundredths of a percent, drawn for each request.
fn is_chosen(canary: &Canary) -> bool {
    f64::from(entropy::below(10_000)) < canary.percent * 100.0
}

fn method<'w>(place: Place<'w>, context: &mut Context<'w>, recording: &mut Recording) -> Result<Matched<'w>, Refusal> {
    let matched = find::method(place, context)?;
    let path = context.route_path().to_owned();
    if let Some(rest) = &mut context.rest {
        rest.matched(matched.route_at, &matched.route.key, &path);
    }
    recording.pass(HopKind::Route, matched.route.id.hop());
    Ok(matched)
}
