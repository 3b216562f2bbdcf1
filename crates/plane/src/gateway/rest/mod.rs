//! The pipeline of REST APIs. It shares connections, links, limits, authorizers and reports with HTTP APIs and differs in
//! everything that a caller sees (API Gateway REST API developer guide, 2026-11). One file for each step; each step consumes what
//! only the one before can make:
//!
//! | step | file | refuses with | makes |
//! |---|---|---|---|
//! | stage | `gateway::find` | 403, 404, 421 | `RestSite` |
//! | declared size | `gateway::admit` | 413 | `Bounded` |
//! | canary | `mod` | | the `RestSite` that serves |
//! | method | `gateway::find` | 403 `MISSING_AUTHENTICATION_TOKEN` | `MatchedMethod` |
//! | resource policy | `policy` | 403 `ACCESS_DENIED` | `Permitted` |
//! | authorization | `authorize` | 401, 403, 500 | `Authorized` |
//! | API key, quota, limits of the plan | `key` | 403 `INVALID_API_KEY`, 429 `QUOTA_EXCEEDED`, 429 `THROTTLED` | `Keyed` |
//! | limits of method and account | `gateway::throttle` | 429 `THROTTLED` | `MeteredMethod` |
//! | what the client says of itself | `client` | | `Told` |
//! | the request, of all these | `request` | 500 | `Opened` |
//! | coding of the body | `compress` | 413, 415 | `Decoded` |
//! | parameters, body | `validate` | 400 | `Valid`, which gives leave to send one request |
//! | integration request | `request` | 415, 500 | what is sent |
//! | integration | `carry`, `gateway::outbound` | 500, 504 | its answer |
//! | integration and method response | `answer` | 500 | the client's answer |
//! | compression | `compress` | | the same, smaller |
//!
//! A refusal becomes a gateway response in `gateway::respond::rest`. A trial of a method (`trial`) enters where a request
//! is made of what was [`Cleared`].

mod answer;
mod authorize;
mod carry;
mod client;
mod compress;
mod content;
pub(crate) mod context;
pub(super) mod execution;
pub(super) mod key;
pub(crate) mod log;
mod mock;
mod policy;
mod request;
pub(crate) mod source;
mod template;
pub(crate) mod trial;
pub(super) mod validate;

use std::sync::Arc;

use http::{HeaderMap, Response};
use topology::resource::rest_api::{IntegrationType, ResponseTransferMode};
use topology::snapshot::gateway::RouteAuthorization;
use topology::snapshot::rest::Canary;
use topology::trace::HopKind;

use self::client::Told;
use self::context::RestContext;
use self::log::Log;
use self::request::Opened;
use super::admit::{self, Bounded};
use super::context::Context;
use super::find::{self, Aim, MatchedMethod, MethodAim, RestSite};
use super::refusal::Refusal;
use super::throttle::{self, MeteredMethod};
use crate::answer::body::Body;
use crate::entropy;
use crate::http::body::{RequestBody, SentBody};
use crate::http::survey::Survey;
use crate::shared::Shared;
use crate::trace::Recording;

/// Judges a body by a model for `crate::fuzzing`.
pub(crate) fn attempt_model(schema: &str, body: &[u8]) {
    crate::readied::schema::attempt(schema, body);
}

/// Reads a resource policy for `crate::fuzzing`.
pub(crate) fn attempt_policy(text: &str) {
    policy::attempt(text);
}

/// A request whose stage was found.
pub(super) struct Arrived<'w> {
    /// The API and stage.
    pub(super) site: RestSite<'w>,
    /// What the client sent.
    pub(super) headers: HeaderMap,
    /// What stands in it.
    pub(super) seen: Survey,
    /// Its body.
    pub(super) body: SentBody,
}

/// Serves a request, step by step.
pub(super) async fn serve<'w>(
    shared: &Arc<Shared>,
    Arrived { site, mut headers, mut seen, body }: Arrived<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let bounded = admit::check_size(context.lines())?;
    let site = choose(site, &headers, context)?;
    let matched = method(site, context, recording)?;
    let permitted = policy::check(matched, context, recording)?;
    let waiting = (&headers, body);
    let (authorized, body) = authorize::check(shared, permitted, waiting, context, recording).await?;
    let keyed = key::check(shared, authorized, context, recording).await?;
    let metered = throttle::take_of_method(shared, keyed, context, recording)?;
    let told = client::complete(&mut headers, &mut seen, (metered.aim(), context));
    execution::begin(context);
    let body = RequestBody::from_client(body, recording.start());
    let opened = Opened::new(Cleared::Guarded(metered, bounded, told), headers, seen, (body, context.owner()))?;
    let transfer = opened.transfer_mode();
    let response = carry_out(shared, opened, context, recording).await?;
    match transfer {
        ResponseTransferMode::Buffered => compress::answer(shared, response, context).await,
        // What streams is not encoded.
        ResponseTransferMode::Stream => Ok(response),
    }
}

/// What may be carried out. Both values can be made by their own steps only.
enum Cleared<'w> {
    /// Everything that guards the stage let it pass, its size is bounded, and nothing in it names another client.
    Guarded(MeteredMethod<'w>, Bounded, Told),
    /// It is a trial, which nothing guards.
    Trial(trial::Exempt<'w>),
}

impl<'w> Cleared<'w> {
    /// Where it leads.
    const fn aim(&self) -> &MethodAim<'w> {
        match self {
            Self::Guarded(metered, ..) => metered.aim(),
            Self::Trial(exempt) => exempt.aim(),
        }
    }
}

/// Decodes and validates a request and lets its integration answer it.
async fn carry_out<'w>(
    shared: &Arc<Shared>,
    opened: Opened<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let decoded = compress::decode(shared, opened, recording).await?;
    let valid = validate::check(shared, decoded, context, recording).await?;
    match valid.integration_type() {
        IntegrationType::Mock => mock::answer(shared, valid, context, recording).await,
        IntegrationType::HttpProxy => carry::proxy(shared, valid, context, recording).await,
        IntegrationType::Http => carry::custom(shared, valid, context, recording).await,
    }
}

/// The stage, or its canary for its part of the requests. The context learns what is served.
fn choose<'w>(found: RestSite<'w>, headers: &HeaderMap, context: &mut Context<'w>) -> Result<RestSite<'w>, Refusal> {
    let site = found.site();
    let rest = site.stage.rest.as_deref().ok_or(Refusal::StageNotFound)?;
    let canary = rest.canary.as_deref();
    let chosen = canary.filter(|canary| is_chosen(canary)).zip(site.stage_world.canary.as_deref());
    let served = match chosen {
        None => found,
        Some((canary, stage_world)) => found.on_canary(canary, stage_world)?,
    };
    let site = served.site();
    let stage = site.stage.rest.as_deref().ok_or(Refusal::StageNotFound)?;
    let read = site.deployed.rest.as_deref().zip(site.stage_world.rest.as_ref()).ok_or(Refusal::StageNotFound)?;
    let is_canary = canary.map(|_| chosen.is_some());
    let query = context.uri.query().unwrap_or_default();
    context.rest = Some(Box::new(RestContext::new(stage, read, is_canary, (headers, &context.spelling, query))));
    if let Some(found) = &mut context.found {
        found.site = *site;
    }
    Ok(served)
}

/// Hundredths of a percent, drawn for each request.
fn is_chosen(canary: &Canary) -> bool {
    f64::from(entropy::below(10_000)) < canary.percent * 100.0
}

fn method<'w>(
    site: RestSite<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<MatchedMethod<'w>, Refusal> {
    override_method(context);
    let matched = find::method(site, context)?;
    let leads = &matched.aim().leads;
    let (path, id) = (context.route_path().to_owned(), context.request_id);
    if let Some(rest) = &mut context.rest {
        rest.matched(matched.aim().method, &leads.route.key, &path);
        let logging = rest.stage.logging.get(leads.route_at as usize).copied().unwrap_or_default();
        let token_header = token_header(leads);
        rest.log = Log::begin(rest.stage, (logging, id), || log::secrets(&rest.params, token_header));
    }
    recording.pass(HopKind::Route, leads.route.id.hop());
    Ok(matched)
}

/// The header in which the method's authorizer finds its token.
fn token_header<'w>(leads: &Aim<'w>) -> Option<&'w str> {
    let RouteAuthorization::UserPools { authorizer, .. } = &leads.route.authorization else { return None };
    let pools = leads.site.deployed.rest.as_ref()?.pools.get(*authorizer as usize)?;
    Some(&pools.header)
}

/// `X-HTTP-Method-Override` takes the place of the method (REST API developer guide, "API Gateway important notes", 2026-11). What a
/// caller signed is then no longer what is judged, so that only requests without a signature can do so.
fn override_method(context: &mut Context<'_>) {
    let named = context.rest.as_ref().and_then(|rest| rest.header("x-http-method-override"));
    let method = named.and_then(|name| http::Method::from_bytes(name.trim().as_bytes()).ok());
    if let Some(method) = method {
        context.method = method;
    }
}
