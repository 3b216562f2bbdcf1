//! Compiles APIs, stages, deployments and links. A deployment is frozen, but what its integrations name is not: links and
//! listeners are looked up as they are now.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher as _;
use std::sync::Arc;
use std::time::Duration;

use super::change::Kept;
use super::undeployed::Undeployed;
use super::{domain, rest, usage};
use crate::arn::{ElbArn, ElbResource, LoadBalancerName};
use crate::endpoint::Endpoint;
use crate::estate::RealmEstate;
use crate::hash::Map;
use crate::id::{ApiId, DeploymentId, LinkId, Realm, StageName, VpcLinkId, VpcLinkV1Id};
use crate::mapping::{self, Side};
use crate::reason::Reason;
use crate::resource::http_api::{
    self, AccessLogSettings, Authorization, Authorizer, AuthorizerKind, Frozen, IntegrationConnection, RouteSettings,
};
use crate::resource::vpc_link::{VpcLink, VpcLinkState, VpcLinkV1};
use crate::snapshot::Problem;
use crate::snapshot::balancer::{Balancers, Listener, ListenerIndex};
use crate::snapshot::fabric::Fabric;
use crate::snapshot::front::{Cors, LimitSource, Origin, RateLimit, Throttle};
use crate::snapshot::gateway::{
    AccessLog, Api, ApiKind, Connection, Deployed, Gateway, IdentitySource, Integration, IntegrationRef, JwtAuthorizer,
    Link, LinkIndex, LogStream, Route, RouteAuthorization, RouteRef, Service, Stage,
};
use crate::snapshot::rest::UsagePlans;
use crate::snapshot::routes::RouteTable;

/// What is compiled of an API: its stages, and what was found wrong with them.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) stages: Vec<Stage>,
    pub(super) problems: Vec<Problem>,
}

/// What integrations are looked up in.
pub(super) struct Scene<'a> {
    pub(super) realm: &'a Realm,
    pub(super) estate: &'a RealmEstate,
    pub(super) balancers: &'a Balancers,
    pub(super) links: &'a [Link],
    pub(super) link_by_id: &'a HashMap<LinkId, LinkIndex>,
}

pub(super) fn compile(
    (realm, estate): (&Realm, &RealmEstate),
    (fabric, balancers): (&Fabric, &Balancers),
    kept: Option<Kept<'_>>,
) -> Gateway {
    let mut gateway = Gateway::default();
    let count = estate.vpc_links.len() + estate.vpc_links_v1.len();
    gateway.links.reserve(count);
    gateway.link_by_id.reserve(count);
    let links = estate.vpc_links.values().map(|resource| link(resource, fabric));
    for link in links.chain(estate.vpc_links_v1.values().filter_map(|resource| link_v1(estate, resource))) {
        gateway.link_by_id.insert(link.id, LinkIndex(u32::try_from(gateway.links.len()).unwrap_or(u32::MAX)));
        gateway.links.push(link);
    }
    let scene = Scene { realm, estate, balancers, links: &gateway.links, link_by_id: &gateway.link_by_id };
    let usage = match kept.and_then(|kept| kept.unless(kept.change.usage)) {
        Some(before) => Arc::clone(&before.gateway.usage),
        None => Arc::new(usage::compile(estate)),
    };
    let apis = apis(&scene, &usage, kept.filter(|kept| stay(*kept, (balancers, &gateway.links))));
    gateway.domains = match kept.and_then(|kept| kept.unless(kept.change.domains)) {
        Some(before) => Arc::clone(&before.gateway.domains),
        None => domain::compile(estate).into(),
    };
    (gateway.apis, gateway.usage) = (apis, usage);
    gateway
}

/// The APIs. Where all links and listeners are found where they were, those that a change has no bearing on are taken over.
fn apis(scene: &Scene<'_>, usage: &UsagePlans, kept: Option<Kept<'_>>) -> Arc<[Arc<Api>]> {
    let is_kept = |kept: &Kept<'_>, api: &Api| {
        !(kept.change.apis.contains(&api.id) || api.kind == ApiKind::Rest && kept.change.plans)
    };
    if let Some(before) = kept.and_then(|kept| kept.unless(!kept.change.apis.is_empty() || kept.change.plans)) {
        return Arc::clone(&before.gateway.apis);
    }
    let (realm, estate) = (scene.realm, scene.estate);
    let apis: Map<ApiId, &Arc<Api>> = kept
        .iter()
        .flat_map(|kept| kept.compiled.gateway.apis.iter().filter(|api| is_kept(kept, api)))
        .map(|api| (api.id, api))
        .collect();
    let is_new = |id: ApiId| !apis.contains_key(&id);
    let drafts = Undeployed::of(estate, is_new);
    let mut stages = http_stages(scene, &drafts, is_new);
    let mut rest_stages = rest::compile(scene, (&drafts, usage), is_new);
    let made = |(id, name): (ApiId, &String), kind, parts: &mut HashMap<ApiId, Parts>| {
        apis.get(&id).map(|kept| Arc::clone(kept)).unwrap_or_else(|| {
            let host = format!("{id}.execute-api.{}.amazonaws.com", realm.region);
            let Parts { stages, mut problems } = parts.remove(&id).unwrap_or_default();
            problems.extend(stages.iter().flat_map(|stage| broken(id, stage)));
            Arc::new(Api { id, name: name.clone(), kind, host, stages, problems })
        })
    };
    let http = estate.apis.values().map(|api| made((api.id, &api.name), ApiKind::Http, &mut stages));
    let rest = estate.rest_apis.values().map(|api| made((api.id, &api.name), ApiKind::Rest, &mut rest_stages));
    http.chain(rest).collect()
}

/// Whether links and listeners, where APIs look them up, are found where they were.
fn stay(Kept { compiled, change }: Kept<'_>, (balancers, links): (&Balancers, &[Link])) -> bool {
    let link = |link: &Link| (link.id, link.vpc);
    let is_there = |old: &[Link]| old.iter().map(link).eq(links.iter().map(link));
    let ways = |balancers: &Balancers| {
        balancers
            .listeners
            .iter()
            .map(|l| (l.id, l.port, balancers.balancer(l.balancer).map(|b| (b.id, b.vpc))))
            .collect::<Vec<_>>()
    };
    let same_ways = std::ptr::eq(&*compiled.balancers, balancers) || ways(&compiled.balancers) == ways(balancers);
    !change.links_v1 && is_there(&compiled.gateway.links) && same_ways
}

/// The integrations of a stage that lead nowhere, those of its canary among them.
fn broken(api: ApiId, stage: &Stage) -> impl Iterator<Item = Problem> {
    let deployed = [Some(stage), stage.canary()].into_iter().flatten().filter_map(|stage| stage.deployed.as_ref());
    let integrations = deployed.flat_map(|deployed| &deployed.integrations);
    integrations.filter_map(move |integration| match &integration.connection {
        Connection::Broken { reason, meant } => {
            let id = format!("{api}/{}/{}", stage.name, integration.id);
            Some(Problem { id, text: format!("{reason}: {meant}") })
        }
        Connection::Private { .. } | Connection::Internet(_) | Connection::Mock => None,
    })
}

/// The stages of the HTTP APIs that are compiled.
fn http_stages(scene: &Scene<'_>, drafts: &Undeployed<'_>, is_new: impl Fn(ApiId) -> bool) -> HashMap<ApiId, Parts> {
    let estate = scene.estate;
    let mut deployed: HashMap<DeploymentId, Arc<Deployed>> = HashMap::new();
    let mut parts: HashMap<_, Parts> = HashMap::new();
    for stage in estate.stages.of_those(is_new) {
        let of_api = parts.entry(stage.api).or_default();
        let serves = stage.deployment.and_then(|id| {
            if let Some(known) = deployed.get(&id) {
                return Some(Arc::clone(known));
            }
            let Some(deployment) = estate.deployments.get(&id) else {
                of_api.problems.push(Problem::gone_of_stage(stage.api, &stage.name, id));
                return None;
            };
            let compiled = Arc::new(deployment_of(scene, &deployment.frozen));
            deployed.insert(id, Arc::clone(&compiled));
            Some(compiled)
        });
        of_api.stages.push(Stage {
            name: stage.name.clone(),
            throttles: serves.as_ref().map(|deployed| throttles(stage, &deployed.routes)).unwrap_or_default(),
            access_log: stage
                .access_log
                .clone()
                .map(|settings| Arc::new(access_log((stage.api, &stage.name), settings))),
            detailed_metrics: serves.as_ref().map(|deployed| detailed(stage, &deployed.routes)).unwrap_or_default(),
            deployed: serves,
            variables: stage.variables.clone(),
            behind: behind(estate, drafts, stage),
            rest: None,
        });
    }
    parts
}

fn link(resource: &VpcLink, fabric: &Fabric) -> Link {
    Link {
        id: resource.id.into(),
        name: resource.name.clone(),
        vpc: resource.vpc,
        interfaces: resource.interfaces.iter().filter_map(|id| fabric.interface_by_id(*id)).collect(),
        service: None,
        closed: closed(&resource.state),
    }
}

/// Nothing where the load balancer is gone, or was never one that links of this version lead to.
fn link_v1(estate: &RealmEstate, resource: &VpcLinkV1) -> Option<Link> {
    let ElbResource::LoadBalancer(name) = &resource.target_arn.resource else { return None };
    let balancer = estate.load_balancers.get(&name.id).filter(|balancer| balancer.full_name() == *name)?;
    let is_judged = balancer.judges_private_link && !balancer.groups.is_empty();
    Some(Link {
        id: resource.id.into(),
        name: resource.name.clone(),
        vpc: balancer.vpc,
        interfaces: Vec::new(),
        service: Some(Service { balancer: balancer.id, is_judged }),
        closed: closed(&resource.state),
    })
}

/// Why a link in this state carries nothing, if it does not.
const fn closed(state: &VpcLinkState) -> Option<Reason> {
    match state {
        VpcLinkState::Available => None,
        VpcLinkState::Pending(_) => Some(Reason::LinkPending),
        // A link on its way out is as good as gone.
        VpcLinkState::Deleting(_) => Some(Reason::LinkNotFound),
        VpcLinkState::Failed(_) => Some(Reason::LinkFailed),
        VpcLinkState::Inactive => Some(Reason::LinkInactive),
    }
}

/// The access log of a stage with these settings.
pub(super) fn access_log((api, stage): (ApiId, &StageName), settings: AccessLogSettings) -> AccessLog {
    let at = LogStream { group: settings.destination, stream: stream(api, stage) };
    AccessLog { at: Arc::new(at), format: settings.format }
}

/// One stream for each stage, named by 32 hexadecimal digits as AWS's are (seen in public logs). Derived from the stage, so
/// that it stays the same after a restart.
pub(super) fn stream(api: ApiId, stage: &StageName) -> String {
    let half = |salt: u8| {
        let mut hasher = crate::hash::IdHasher::default();
        hasher.write_u8(salt);
        hasher.write(api.as_str().as_bytes());
        hasher.write(stage.as_str().as_bytes());
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(1), half(2))
}

/// Which routes have metrics of their own: by their own settings, else by the stage's default ones.
fn detailed(stage: &http_api::Stage, routes: &[Route]) -> Vec<bool> {
    let of = |settings: &RouteSettings| settings.detailed_metrics;
    let default = stage.default_route_settings.as_ref().is_some_and(of);
    if !default && !stage.route_settings.values().any(of) {
        return Vec::new();
    }
    routes.iter().map(|route| stage.route_settings.get(&route.key.to_string()).map_or(default, of)).collect()
}

/// What the stage does not serve yet.
fn behind(estate: &RealmEstate, drafts: &Undeployed<'_>, stage: &http_api::Stage) -> Vec<String> {
    let served = stage.deployment.and_then(|id| estate.deployments.get(&id)).filter(|_| !stage.auto_deploy);
    served.map(|served| drafts.differences(estate, stage.api, &served.frozen)).unwrap_or_default()
}

/// The limits of a stage's routes: a route's own settings, else the stage's default ones. Nothing is inherited member by
/// member (HTTP API developer guide, "Throttle requests to your HTTP APIs", 2026-11).
fn throttles(stage: &http_api::Stage, routes: &[Route]) -> Vec<Option<Throttle>> {
    if stage.route_settings.is_empty() && stage.default_route_settings.is_none() {
        return Vec::new();
    }
    let limit = |settings: &RouteSettings, source| {
        let burst = u64::try_from(settings.throttling_burst_limit).unwrap_or(0);
        Throttle { limit: RateLimit::new(settings.throttling_rate_limit, burst), source }
    };
    let of = |route: &Route| {
        let own = stage.route_settings.get(&route.key.to_string()).map(|own| limit(own, LimitSource::Route));
        own.or_else(|| stage.default_route_settings.as_ref().map(|default| limit(default, LimitSource::Stage)))
    };
    routes.iter().map(of).collect()
}

fn cors(resource: &http_api::Cors) -> Cors {
    let list = |values: &Option<Vec<String>>| values.as_deref().unwrap_or_default().join(",");
    let origins = resource.allow_origins.as_deref().unwrap_or_default();
    Cors {
        origins: origins.iter().map(|origin| Origin::parse(origin)).collect(),
        methods: list(&resource.allow_methods),
        headers: list(&resource.allow_headers),
        expose: list(&resource.expose_headers),
        max_age_s: resource.max_age_s,
        credentials: resource.allow_credentials == Some(true),
    }
}

fn deployment_of(scene: &Scene<'_>, frozen: &Frozen) -> Deployed {
    let integrations = frozen.integrations.iter().map(|i| integration(scene, i)).collect();
    let places: HashMap<_, u32> = frozen.integrations.iter().map(|integration| integration.id).zip(0..).collect();
    let index = |id| places.get(&id).copied();
    let authorizers: Vec<JwtAuthorizer> = frozen.authorizers.iter().filter_map(|a| authorizer(a)).collect();
    let routes = frozen.routes.iter().map(|route| Route {
        id: RouteRef::Route(route.id),
        key: route.key.clone(),
        authorization: authorization(&route.authorization, &authorizers),
        integration: route.target.and_then(index),
    });
    Deployed {
        endpoint_disabled: frozen.disable_execute_api_endpoint,
        cors: frozen.cors.as_ref().map(cors),
        table: RouteTable::new(frozen.routes.iter().map(|route| &route.key)),
        routes: routes.collect(),
        integrations,
        authorizers,
        rest: None,
    }
}

/// An authorizer that lacks what it needs compiles to none, and its routes fail closed.
fn authorizer(resource: &Authorizer) -> Option<JwtAuthorizer> {
    let AuthorizerKind::Jwt { issuer, audience } = &resource.kind;
    let [source] = resource.identity_source.as_slice() else { return None };
    Some(JwtAuthorizer {
        id: resource.id,
        name: resource.name.clone(),
        source: IdentitySource::parse(source)?,
        issuer: issuer.clone()?,
        audiences: audience.clone(),
    })
}

fn authorization(wanted: &Authorization, authorizers: &[JwtAuthorizer]) -> RouteAuthorization {
    match wanted {
        Authorization::None => RouteAuthorization::None,
        Authorization::AwsIam => RouteAuthorization::Iam,
        Authorization::Jwt { authorizer, scopes } => {
            let place = (0u32..).zip(authorizers).find(|(_, known)| known.id == *authorizer).map(|(at, _)| at);
            place.map_or(RouteAuthorization::Unsupported, |authorizer| RouteAuthorization::Jwt {
                authorizer,
                scopes: scopes.clone(),
            })
        }
        Authorization::Custom { .. } => RouteAuthorization::Unsupported,
    }
}

fn integration(scene: &Scene<'_>, resource: &http_api::Integration) -> Integration {
    let parsed = |side, mappings: &BTreeMap<String, String>| {
        let mappings = mappings.iter().filter_map(|(key, value)| mapping::parse(side, key, value).ok());
        mappings.collect::<Vec<_>>()
    };
    let answers = resource
        .response_parameters
        .iter()
        .filter_map(|(status, mappings)| Some((mapping::status(status).ok()?, parsed(Side::Response, mappings))));
    Integration {
        id: IntegrationRef::Integration(resource.id),
        method: (resource.method != "ANY").then(|| resource.method.clone()),
        timeout: Duration::from_millis(u64::from(resource.timeout_ms)),
        connection: connection(scene, resource),
        parameters: parsed(Side::Request, &resource.request_parameters),
        answers: answers.collect(),
    }
}

fn connection(scene: &Scene<'_>, resource: &http_api::Integration) -> Connection {
    let broken = |reason, meant: &str| Connection::Broken { reason, meant: meant.to_owned() };
    let IntegrationConnection::VpcLink(link_text) = &resource.connection else {
        let endpoint = Endpoint::parse(&resource.uri).map(Connection::Internet);
        return endpoint.unwrap_or_else(|_| broken(Reason::IntegrationUnsupported, &resource.uri));
    };
    let link = link_text.parse().ok().and_then(|id: VpcLinkId| scene.link_by_id.get(&id.into()).copied());
    let Some((index, link)) = link.and_then(|index| Some((index, scene.links.get(index.0 as usize)?))) else {
        let is_first = link_text.parse().is_ok_and(|id: VpcLinkV1Id| scene.estate.vpc_links_v1.contains(&id));
        let reason = if is_first { Reason::LinkVersionMismatch } else { Reason::LinkNotFound };
        return broken(reason, link_text);
    };
    let listener = match resource.uri.parse::<ElbArn>() {
        Ok(ElbArn { realm, resource: ElbResource::Listener(name, id) }) if realm == *scene.realm => {
            let found = scene.balancers.listener_by_id(id);
            found.filter(|index| scene.balancers.listener(*index).is_some_and(|found| is_of(scene, found, &name)))
        }
        Ok(ElbArn { resource: ElbResource::Listener(..), .. }) => None,
        Ok(_) => return broken(Reason::IntegrationTargetNotListener, &resource.uri),
        // A Cloud Map service: taken by the control plane, not carried here.
        Err(_) => return broken(Reason::IntegrationUnsupported, &resource.uri),
    };
    let Some(listener) = listener else { return broken(Reason::ListenerNotFound, &resource.uri) };
    within(scene, (index, link), listener, (&resource.uri, resource.tls_server_name.as_deref().map(Arc::from)))
}

/// Whether a listener is of the load balancer of this name.
pub(super) fn is_of(scene: &Scene<'_>, listener: &Listener, name: &LoadBalancerName) -> bool {
    scene
        .balancers
        .balancer(listener.balancer)
        .is_some_and(|balancer| (balancer.id, balancer.kind) == (name.id, name.kind))
}

/// The way to a listener, which must be in the link's VPC.
pub(super) fn within(
    scene: &Scene<'_>,
    (index, link): (LinkIndex, &Link),
    listener: ListenerIndex,
    (meant, server_name): (&str, Option<Arc<str>>),
) -> Connection {
    let broken = |reason| Connection::Broken { reason, meant: meant.to_owned() };
    match scene.balancers.listener(listener).and_then(|l| scene.balancers.balancer(l.balancer)) {
        Some(balancer) if balancer.vpc == link.vpc => Connection::Private { link: index, listener, server_name },
        Some(_) => broken(Reason::ListenerNotInLinkVpc),
        None => broken(Reason::ListenerNotFound),
    }
}
