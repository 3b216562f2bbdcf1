//! From host and path to an API, its stage and its route (HTTP API developer guide, "Create routes for HTTP APIs" and
//! "Stages for HTTP APIs", 2026-11). Custom domain names are `domain`'s.
//!
//! Invoke URLs come in three forms: by host, `{apiId}.execute-api.{anything}`; `/_aws/execute-api/{apiId}/{stage}/…`; and
//! `/restapis/{apiId}/{stage}/_user_request_/…`. In the path forms the stage `$default` may be named.

use http::header::HOST;
use http::{HeaderMap, Uri};
use topology::id::{ApiId, StageName};
use topology::path;
use topology::reason::Reason;
use topology::snapshot::gateway::{Api, ApiKind, Deployed, Route, RouteRef};
use topology::snapshot::rest::{Canary, Deployment, Method as RestMethod, MethodRef};
use topology::trace::{HopId, HopKind};

use super::arrival::{self, Belongs};
use super::context::{ClientPath, Context, Found, Site};
use super::domain;
use super::refusal::Refusal;
use crate::http::framing::{self, Framed, Malformed};
use crate::http::survey::Survey;
use crate::readied::{MethodPlan, Readied};
use crate::trace::Recording;
use crate::world::{StageWorld, World};

/// Where a request leads. Every step may look at it, and no step lets anybody pass for it: that is for the values below and for
/// those that are made of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aim<'w> {
    /// The API and stage.
    pub(super) site: Site<'w>,
    /// The route or method.
    pub(super) route: &'w Route,
    /// Its place in the deployment.
    pub(super) route_at: u32,
}

/// Where a request to a REST API leads, and what was deployed and read of its method. As with [`Aim`], nobody passes for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct MethodAim<'w> {
    /// Where it leads.
    pub(super) leads: Aim<'w>,
    /// What was deployed.
    pub(super) deployment: &'w Deployment,
    /// What was read of it.
    pub(super) readied: &'w Readied,
    /// The method, as it was deployed.
    pub(super) method: &'w RestMethod,
    /// What was read of that.
    pub(super) plan: &'w MethodPlan,
}

/// Whose pipeline serves a request whose stage was found. Only [`site`] says so.
pub(super) enum Served<'w> {
    /// That of HTTP APIs.
    Http(HttpSite<'w>),
    /// That of REST APIs.
    Rest(RestSite<'w>),
}

/// A stage of an HTTP API that was found for a request.
pub(super) struct HttpSite<'w> {
    site: Site<'w>,
    _entry: Entry,
}

/// A stage of a REST API that was found for a request.
pub(super) struct RestSite<'w> {
    site: Site<'w>,
    _entry: Entry,
}

/// What every request was asked before anything was looked up for it.
struct Entry(Framed, Belongs);

/// A request whose route of an HTTP API was found. Only [`route`] makes one.
pub(super) struct Matched<'w> {
    aim: Aim<'w>,
}

/// A request whose method of a REST API was found. Only [`method`] makes one.
pub(super) struct MatchedMethod<'w> {
    aim: MethodAim<'w>,
}

impl<'w> HttpSite<'w> {
    /// What the stage serves.
    pub(super) const fn deployed(&self) -> &'w Deployed {
        self.site.deployed
    }

    /// The API.
    pub(super) const fn api(&self) -> ApiId {
        self.site.api.id
    }
}

impl<'w> RestSite<'w> {
    /// The API and stage, to look at.
    pub(super) const fn site(&self) -> &Site<'w> {
        &self.site
    }

    /// The canary of the same stage in its place.
    pub(super) fn on_canary(self, canary: &'w Canary, stage_world: &'w StageWorld) -> Result<Self, Refusal> {
        let deployed = canary.stage.deployed.as_deref().ok_or(Refusal::StageNotFound)?;
        Ok(Self { site: Site { stage: &canary.stage, stage_world, deployed, ..self.site }, ..self })
    }
}

impl<'w> Matched<'w> {
    /// Where it leads.
    pub(super) const fn aim(&self) -> &Aim<'w> {
        &self.aim
    }
}

impl<'w> MatchedMethod<'w> {
    /// Where it leads.
    pub(super) const fn aim(&self) -> &MethodAim<'w> {
        &self.aim
    }
}

/// What an invoke URL names.
#[derive(Debug, PartialEq, Eq)]
struct Invocation {
    api: ApiId,
    /// Whether the URL itself says `$default`.
    default_stage: bool,
    path: ClientPath,
}

/// Whether a request is for the data plane, by its host or its path.
pub(crate) fn is_invocation(uri: &Uri, headers: &HeaderMap) -> bool {
    is_execute_api(host(uri, headers)) || by_path(uri.path()).is_some()
}

/// Finds the API and the stage, or the documented refusal. The context learns them.
pub(super) fn site<'w>(
    world: &'w World,
    context: &mut Context<'w>,
    (headers, seen): (&HeaderMap, &Survey),
    recording: &mut Recording,
) -> Result<Served<'w>, Refusal> {
    if context.unreadable.is_some() {
        return Err(Refusal::Malformed);
    }
    let framed = framing::check((&context.method, &context.uri, context.version), (headers, context.lines()), seen)
        .map_err(|malformed| match malformed {
            Malformed::TooLarge => Refusal::HeadersTooLarge,
            Malformed::NoHost | Malformed::ManyHosts | Malformed::Target | Malformed::Coding | Malformed::Length => {
                Refusal::Malformed
            }
        })?;
    let host = name_of(context.host(headers));
    let entry = Entry(framed, arrival::check_host(&context.arrival, host)?);
    let asked = if is_execute_api(host) { None } else { world.domain(host) };
    let site = match asked {
        Some(domain) => domain::site(world, context, (domain, headers), recording)?.site(),
        None => invoked(world, context, headers, recording)?,
    };
    Ok(match site.api.kind {
        ApiKind::Http => Served::Http(HttpSite { site, _entry: entry }),
        ApiKind::Rest => Served::Rest(RestSite { site, _entry: entry }),
    })
}

/// The stage that an invoke URL names.
fn invoked<'w>(
    world: &'w World,
    context: &mut Context<'w>,
    headers: &HeaderMap,
    recording: &mut Recording,
) -> Result<Site<'w>, Refusal> {
    let Some(named) = invocation(context.host(headers), context.uri.path()) else {
        recording.stop(HopKind::Gateway, HopId::None, Reason::ApiNotFound);
        recording.detail(&format!("the host was {:?}", context.host(headers)));
        return Err(Refusal::ApiNotFound);
    };
    recording.api(named.api);
    let (realm, api, api_world) = world.api(named.api).ok_or(Refusal::ApiNotFound)?;
    context.kind = api.kind;
    let path = named.path.of(&context.uri);
    let (at, route_path_at) = checked_stage(api, (path, named.default_stage))?.ok_or(Refusal::StageNotFound)?;
    let (stage, stage_world) = api.stages.get(at).zip(api_world.stages.get(at)).ok_or(Refusal::StageNotFound)?;
    recording.stage(stage.name.as_str());
    let deployed = stage.deployed.as_deref().ok_or(Refusal::StageNotFound)?;
    let site = Site { realm, api, api_world, stage, stage_world, deployed };
    context.found = Some(Found { site, route: None, path: named.path, route_path_at });
    if deployed.endpoint_disabled {
        return Err(Refusal::EndpointDisabled);
    }
    recording.pass(HopKind::Gateway, HopId::Api(api.id));
    Ok(site)
}

/// Finds the route, or the documented refusal. The context learns it.
///
/// Where the path can be read in another way that leads to another route, the request is refused: a backend that resolves dot
/// segments or merges slashes must not serve what another route guards.
pub(super) fn route<'w>(
    HttpSite { site, .. }: HttpSite<'w>,
    context: &mut Context<'w>,
) -> Result<Matched<'w>, Refusal> {
    let (method, path) = (context.method.as_str(), context.route_path());
    let deployed = site.deployed;
    let found = deployed.table.find(method, path);
    check_readings(path, found, |reading| deployed.table.find(method, reading))?;
    Ok(Matched { aim: aim(site, found, context)? })
}

/// Finds the method of a REST API, or the documented refusal. The context learns it. Other readings of the path are judged as for routes.
pub(super) fn method<'w>(
    RestSite { site, .. }: RestSite<'w>,
    context: &mut Context<'w>,
) -> Result<MatchedMethod<'w>, Refusal> {
    let (method, path) = (context.method.as_str(), context.route_path());
    let deployed = site.deployed;
    let found = deployed.table.find_method(method, path);
    check_readings(path, found, |reading| deployed.table.find_method(method, reading))?;
    Ok(MatchedMethod { aim: of_method(aim(site, found, context)?)? })
}

/// Where a trial leads, which names its method, so that no path has to be matched. The context learns it.
pub(super) fn named<'w>(
    site: Site<'w>,
    method: MethodRef,
    context: &mut Context<'w>,
) -> Result<MethodAim<'w>, Refusal> {
    let mut routes = (0u32..).zip(&site.deployed.routes);
    let named = routes.find(|(_, route)| route.id == RouteRef::Method(method));
    of_method(aim(site, named.map(|(at, _)| at), context)?)
}

/// The method that stands there, with what was read of it. It stands there wherever a REST API has a route.
fn of_method(leads: Aim<'_>) -> Result<MethodAim<'_>, Refusal> {
    let (site, at) = (leads.site, leads.route_at as usize);
    let served = site.deployed.rest.as_deref().zip(site.stage_world.rest.as_deref());
    let (deployment, readied) = served.ok_or(Refusal::NoIntegration)?;
    let method = deployment.methods.get(at).zip(readied.methods.get(at));
    let (method, plan) = method.ok_or(Refusal::NoIntegration)?;
    Ok(MethodAim { leads, deployment, readied, method, plan })
}

/// What stands at this place of the deployment, if anything was found. The context learns it.
fn aim<'w>(site: Site<'w>, found: Option<u32>, context: &mut Context<'w>) -> Result<Aim<'w>, Refusal> {
    let found = found.and_then(|at| Some((at, site.deployed.routes.get(at as usize)?)));
    let (route_at, route) = found.ok_or(Refusal::RouteNotFound)?;
    if let Some(found) = &mut context.found {
        found.route = Some(route);
    }
    Ok(Aim { site, route, route_at })
}

/// Refuses a path that leads somewhere and, read in another way, somewhere else. What leads nowhere has its own refusal.
pub(super) fn check_readings<T: PartialEq>(
    path: &str,
    found: Option<T>,
    find: impl Fn(&str) -> Option<T>,
) -> Result<(), Refusal> {
    let leads_elsewhere = |reading: &String| find(reading) != found;
    if found.is_some() && path::readings(path).iter().any(leads_elsewhere) { Err(Refusal::Malformed) } else { Ok(()) }
}

/// The place of the stage, and where the path without it begins. Refuses a path that another reading takes out of its stage.
pub(super) fn checked_stage(api: &Api, (path, default_stage): (&str, bool)) -> Result<Option<(usize, usize)>, Refusal> {
    let of = |path: &str| stage(api, (path, default_stage));
    let found = of(path);
    check_readings(path, found.map(|(at, _)| at), |reading| of(reading).map(|(at, _)| at))?;
    Ok(found)
}

/// The place of the stage, and where the path without it begins. A stage's own name wins over `$default`, unless the URL itself named it.
fn stage(api: &Api, (path, default_stage): (&str, bool)) -> Option<(usize, usize)> {
    let only_default = matches!(api.stages.as_slice(), [only] if only.name.is_default());
    if !default_stage && !only_default {
        let rest = path.strip_prefix('/').unwrap_or(path);
        let first = rest.split('/').next().unwrap_or_default();
        if let Some(at) = api.stages.iter().position(|s| s.name == *first && !s.name.is_default()) {
            return Some((at, 1 + first.len()));
        }
    }
    api.stages.iter().position(|stage| stage.name.is_default()).map(|at| (at, 0))
}

fn host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> &'r str {
    match headers.get(HOST) {
        Some(host) => host.to_str().unwrap_or_default(),
        None => uri.authority().map_or("", |authority| authority.as_str()),
    }
}

/// A host without its port, and without the brackets of an address.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default()
}

/// Whether a host is an API's own: `{apiId}.execute-api.{anything}`.
pub(crate) fn is_execute_api(host: &str) -> bool {
    let after = host.get(first_label(host).len() + 1..).unwrap_or_default();
    after.get(..11).is_some_and(|label| label.eq_ignore_ascii_case("execute-api"))
        && matches!(after.as_bytes().get(11), None | Some(b'.' | b':'))
}

fn first_label(host: &str) -> &str {
    // Most often an API's id; looking there first is cheaper than searching.
    let ends = |at: usize| host.as_bytes().get(at) == Some(&b'.');
    let end = if ends(ApiId::LEN) && !host.as_bytes()[..ApiId::LEN].contains(&b'.') {
        ApiId::LEN
    } else {
        host.find('.').unwrap_or(host.len())
    };
    host.get(..end).unwrap_or_default()
}

fn invocation(host: &str, path: &str) -> Option<Invocation> {
    if !is_execute_api(host) {
        return by_path(path);
    }
    let label = first_label(host);
    let api = label.parse().or_else(|_| label.to_ascii_lowercase().parse()).ok()?;
    Some(Invocation { api, default_stage: false, path: ClientPath::From(0) })
}

fn by_path(path: &str) -> Option<Invocation> {
    if let Some(rest) = path.strip_prefix("/_aws/execute-api/") {
        let (api, rest) = cut(rest);
        let api = api.parse().ok()?;
        let (first, after) = cut(rest.strip_prefix('/').unwrap_or(rest));
        let default_stage = is_default(first);
        let left = if default_stage { after } else { rest };
        return Some(Invocation { api, default_stage, path: ClientPath::From(path.len() - left.len()) });
    }
    let (api, rest) = cut(path.strip_prefix("/restapis/")?);
    let api = api.parse().ok()?;
    let (stage, rest) = cut(rest.strip_prefix('/')?);
    let rest = rest.strip_prefix("/_user_request_").filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    let default_stage = is_default(stage);
    let path = if default_stage {
        ClientPath::From(path.len() - rest.len())
    } else {
        ClientPath::Made(format!("/{stage}{rest}").into())
    };
    Some(Invocation { api, default_stage, path })
}

/// The first segment, and the rest from its slash on.
fn cut(text: &str) -> (&str, &str) {
    text.split_at(text.find('/').unwrap_or(text.len()))
}

fn is_default(stage: &str) -> bool {
    stage == StageName::DEFAULT || stage.eq_ignore_ascii_case("%24default")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocation_table() {
        type Row = (&'static str, &'static str, Option<(bool, &'static str)>);
        let rows: &[Row] = &[
            ("abcdefghij.execute-api.us-east-1.amazonaws.com", "/x", Some((false, "/x"))),
            ("ABCDEFGHIJ.Execute-API.localhost:4566", "/", Some((false, "/"))),
            ("abcdefghij.execute-api.us-east-1.localhost.localstack.cloud:4566", "/x", Some((false, "/x"))),
            ("abcdefghij.execute-api:80", "/x", Some((false, "/x"))),
            ("abcdefghij.execute-apis.com", "/x", None),
            ("abc.execute-api.com", "/x", None),
            ("localhost:4566", "/x", None),
            ("localhost", "/_aws/execute-api/abcdefghij/prod/x", Some((false, "/prod/x"))),
            ("localhost", "/_aws/execute-api/abcdefghij/$default/x", Some((true, "/x"))),
            ("localhost", "/_aws/execute-api/abcdefghij/%24default", Some((true, "/"))),
            ("localhost", "/_aws/execute-api/abcdefghij", Some((false, "/"))),
            ("localhost", "/_aws/execute-api/abcdefghij/", Some((false, "/"))),
            ("localhost", "/_aws/execute-api/short/x", None),
            ("localhost", "/restapis/abcdefghij/prod/_user_request_/x", Some((false, "/prod/x"))),
            ("localhost", "/restapis/abcdefghij/prod/_user_request_", Some((false, "/prod"))),
            ("localhost", "/restapis/abcdefghij/$default/_user_request_/x", Some((true, "/x"))),
            ("localhost", "/restapis/abcdefghij/prod/x", None),
            ("localhost", "/restapis/abcdefghij/prod/_user_request_x", None),
            (
                "abcdefghij.execute-api.localhost",
                "/_aws/execute-api/klmnopqrst/x",
                Some((false, "/_aws/execute-api/klmnopqrst/x")),
            ),
        ];
        for (host, path, expected) in rows {
            let found = invocation(host, path);
            assert!(found.as_ref().is_none_or(|f| f.api.to_string() == "abcdefghij"), "{host} {path}");
            let uri = path.parse().unwrap();
            let found = found.as_ref().map(|found| (found.default_stage, found.path.of(&uri)));
            assert_eq!(found, *expected, "{host} {path}");
        }
    }
}
