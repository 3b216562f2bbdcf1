//! A trial of a method: a request that no client sent, carried out on the draft of an API (`topology::trial`). It enters after
//! everything that guards a stage - resource policy, authorizer, API key, quota, limits - and goes the way of every other request
//! from there: the same validation, mappings, links, security groups and load balancers, and the same gateway responses where one
//! of them refuses (API Gateway developer guide, "Test a REST API method"; variables, headers and lines as seen in public logs of
//! AWS's console, 2016 to 2024).
//!
//! It stands on a world beside the served one, which shares the health, connections and turns of the served one and none of its
//! counts. Only its trace is kept.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri, Version};
use http_body_util::BodyExt as _;
use topology::snapshot::gateway::ApiKind;
use topology::trace::{HopId, HopKind, RequestId};
use topology::trial::{STAGE, Trial, Tried, TriedLine};

use super::context::{RestContext, Sender};
use super::execution;
use super::log::{self, Log};
use super::request::Opened;
use super::{Cleared, carry_out};
use crate::answer::body::Body;
use crate::clock;
use crate::front::arrival::Arrival;
use crate::gateway::admit::{self, Bounded};
use crate::gateway::context::{Caller, ClientPath, Context, Found, Principal, Site};
use crate::gateway::cors::MadeBy;
use crate::gateway::find::{self, MethodAim};
use crate::gateway::refusal::Refusal;
use crate::gateway::respond;
use crate::gateway::underway::Underway;
use crate::http::body::{RequestBody, SentBody};
use crate::http::framing::{self, FramingLines};
use crate::http::survey::Survey;
use crate::http1::spelling::Spelling;
use crate::limits::REQUEST_BODY_BYTES_MAX;
use crate::shared::Shared;
use crate::trace::Recording;
use crate::world::{RealmWorld, StageWorld, World};

/// A request that nothing guards. Only [`enter`] makes one.
pub(super) struct Exempt<'w> {
    aim: MethodAim<'w>,
    _bounded: Bounded,
}

impl<'w> Exempt<'w> {
    /// Where it leads.
    pub(super) const fn aim(&self) -> &MethodAim<'w> {
        &self.aim
    }
}

/// What a trial sees.
struct Aside {
    realm: RealmWorld,
    /// The trial's stage, which counts for nobody.
    stage: Option<StageWorld>,
}

impl Aside {
    fn new(world: &World, trial: &Trial) -> Self {
        let realm = world.aside(&trial.realm);
        let found = realm.apis().find(|(api, _)| api.id == trial.api);
        let stage = found.and_then(|(api, state)| {
            let at = api.stages.iter().position(|stage| stage.name == *STAGE)?;
            state.stages.get(at).map(StageWorld::uncounted)
        });
        Self { realm, stage }
    }

    fn site(&self, trial: &Trial) -> Option<Site<'_>> {
        let (api, api_world) = self.realm.apis().find(|(api, _)| api.id == trial.api)?;
        let stage = api.stages.iter().find(|stage| stage.name == *STAGE)?;
        let (stage_world, deployed) = (self.stage.as_ref()?, stage.deployed.as_deref()?);
        Some(Site { realm: &self.realm, api, api_world, stage, stage_world, deployed })
    }
}

/// Carries out a trial for a caller at this address. Each step has its own deadline.
pub(crate) async fn run(shared: &Arc<Shared>, trial: Trial, peer: SocketAddr) -> Tried {
    let world = shared.world.load_full();
    let aside = Aside::new(&world, &trial);
    let path = trial.target.split('?').next().unwrap_or_default();
    let recording = Recording::begin(&shared.home.traces, world.snapshot.revision, &trial.verb, path);
    let (head, malformed) =
        Head::of(&trial).map_or_else(|refusal| (Head::default(), Some(refusal)), |head| (head, None));
    let Head { method, uri, mut headers } = head;
    // Its body is here; what its headers say of that is shown, and no more.
    let lines = FramingLines::take(&mut headers);
    let arrival = Arc::new(Arrival::plain(peer));
    let told = (&mut headers, Spelling::framed(lines));
    let mut underway = Underway::begin(shared, recording, ((method, uri, Version::HTTP_11), told), arrival);
    let (context, recording) = underway.parts();
    context.kind = ApiKind::Rest;
    let answer = match (malformed, aside.site(&trial)) {
        (Some(refusal), _) => Err(refusal),
        (None, None) => Err(Refusal::StageNotFound),
        (None, Some(site)) => answer(shared, (&trial, site, headers), context, recording).await,
    };
    let (id, start) = (recording.id(), recording.start());
    let response = respond::finish((answer, MadeBy::Gateway), &mut underway, shared);
    let latency = clock::now().duration_since(start);
    let lines =
        underway.context.rest.as_mut().and_then(|rest| rest.log.take()).map(Log::into_lines).unwrap_or_default();
    tried(response, (id, latency), lines).await
}

/// The head of the request.
#[derive(Default)]
struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    /// What is no head is malformed, as it would be from a client.
    fn of(trial: &Trial) -> Result<Self, Refusal> {
        let method = Method::from_bytes(trial.verb.as_bytes()).map_err(|_| Refusal::Malformed)?;
        let target = PathAndQuery::try_from(trial.target.as_str()).map_err(|_| Refusal::Malformed)?;
        if !target.path().starts_with('/') {
            return Err(Refusal::Malformed);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &trial.headers {
            let name = HeaderName::try_from(name).map_err(|_| Refusal::Malformed)?;
            let value = HeaderValue::try_from(value).map_err(|_| Refusal::Malformed)?;
            headers.try_append(name, value).map_err(|_| Refusal::HeadersTooLarge)?;
        }
        Ok(Self { method, uri: Uri::from(target), headers })
    }
}

/// From the method on, as every other request.
async fn answer<'w>(
    shared: &Arc<Shared>,
    (trial, site, headers): (&Trial, Site<'w>, HeaderMap),
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let seen = context.seen;
    let exempt = enter((trial, site), (&headers, &seen), context, recording)?;
    execution::begin(context);
    let body = Bytes::copy_from_slice(&trial.body);
    execution::say_sent(context, &body);
    let body = RequestBody::from_client(SentBody::whole(body), recording.start());
    let request = Opened::new(Cleared::Trial(exempt), headers, seen, (body, context.owner()))?;
    carry_out(shared, request, context, recording).await
}

/// Finds what is tried. This is all that a trial needs to go on; what guards a stage is not asked.
fn enter<'w>(
    (trial, site): (&Trial, Site<'w>),
    (headers, seen): (&HeaderMap, &Survey),
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Exempt<'w>, Refusal> {
    recording.api(site.api.id);
    recording.stage(STAGE);
    context.found = Some(Found { site, route: None, path: ClientPath::From(0), route_path_at: 0 });
    let stage = site.stage.rest.as_deref().ok_or(Refusal::StageNotFound)?;
    let served = site.deployed.rest.as_deref().zip(site.stage_world.rest.as_ref()).ok_or(Refusal::StageNotFound)?;
    let query = context.uri.query().unwrap_or_default();
    let mut rest = Box::new(RestContext::new(stage, served, None, (headers, &context.spelling, query)));
    rest.sender = Sender::Trial;
    let lines = context.lines();
    let stays = |(name, _): &&(String, String)| headers.contains_key(name) || lines.named(name).is_some();
    rest.params.header = trial.headers.iter().filter(stays).cloned().collect();
    rest.log = Some(Log::kept(log::secrets(&rest.params, None)));
    context.rest = Some(rest);
    let caller = &trial.caller;
    let principal = Principal { account: caller.account.clone(), id: caller.id.clone(), arn: caller.arn.clone() };
    context.caller = Caller::Principal(Arc::new(principal));
    if !framing::is_small(&context.method, &context.uri, seen) {
        return Err(Refusal::HeadersTooLarge);
    }
    let bounded = admit::check_size(context.lines())?;
    if trial.body.len() as u64 > REQUEST_BODY_BYTES_MAX {
        return Err(Refusal::BodyTooLarge);
    }
    recording.pass(HopKind::Gateway, HopId::Api(site.api.id));
    let aim = find::named(site, trial.method, context)?;
    let path = context.route_path().to_owned();
    if let Some(rest) = &mut context.rest {
        rest.matched(aim.method, &aim.leads.route.key, &path);
        // Without a path of its own a trial has the resource's, whose variables stand for nothing.
        let has_value = |name: &str, value: &str| value != format!("{{{name}}}") && value != format!("{{{name}+}}");
        rest.raw_path_params.retain(|(name, value)| has_value(name, value));
        rest.params.path.retain(|(name, value)| has_value(name, value));
    }
    recording.pass(HopKind::Route, aim.leads.route.id.hop());
    Ok(Exempt { aim, _bounded: bounded })
}

/// The answer, whole. It was read before, so that nothing can break off.
async fn tried(response: Response<Body>, (id, latency): (RequestId, Duration), lines: Vec<(u64, String)>) -> Tried {
    let (head, body) = response.into_parts();
    let headers = body.lines().among(&head.headers).into_owned();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Tried {
        request_id: id,
        status: head.status.as_u16(),
        headers: headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: body.into(),
        lines: lines.into_iter().map(|(at_unix_ms, text)| TriedLine { at_unix_ms, text }).collect(),
        latency_ms: u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
    }
}
