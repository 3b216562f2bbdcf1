//! Compiles REST APIs: each stage with the deployment as it serves it, since stage variables may choose a link and a listener;
//! its canary likewise. A method becomes a route, so that everything behind it is what HTTP APIs have (REST API developer guide,
//! "Set up private integrations" and "Set up a stage", 2026-11).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::gateway::{Parts, Scene, access_log, is_of, stream, within};
use super::undeployed::Undeployed;
use super::usage;
use crate::arn::{ElbArn, ElbResource, LogGroupArn};
use crate::endpoint::{Endpoint, EndpointPart};
use crate::id::{ApiId, ClientCertificateId, DeploymentId, LinkId, LogGroupName, ResourceId, VpcLinkId, VpcLinkV1Id};
use crate::reason::Reason;
use crate::resource::rest_api::{
    Integration as Source, IntegrationType, MethodAuthorization, MethodName, Resource, RestAuthorizer,
    RestAuthorizerKind, RestConnection,
};
use crate::resource::rest_stage::{
    LoggingLevel, MethodSettings, RestAccessLog, RestDeployment, RestStage, canary_log_group, execution_log_group,
};
use crate::resource::user_pool;
use crate::snapshot::Problem;
use crate::snapshot::balancer::Listener;
use crate::snapshot::front::{LimitSource, RateLimit, Throttle};
use crate::snapshot::gateway::{
    Connection, Deployed, Integration, IntegrationRef, Link, LinkIndex, LogStream, Route, RouteAuthorization, RouteRef,
    Service, Stage,
};
use crate::snapshot::rest::{
    Canary, ClientIdentity, Deployment, Logging, Method, MethodRef, UsagePlans, UserPools, Verification,
};
use crate::snapshot::routes::{RouteKey, RouteTable, SEGMENTS_MAX, Segment};

/// Requests at once that an account may have, where a method's own burst is not limited.
const ACCOUNT_BURST: u64 = 5_000;

/// The stages of the REST APIs that are compiled.
pub(super) fn compile(
    scene: &Scene<'_>,
    known: (&Undeployed<'_>, &UsagePlans),
    is_new: impl Fn(ApiId) -> bool,
) -> HashMap<ApiId, Parts> {
    let mut parts: HashMap<ApiId, Parts> = HashMap::new();
    for source in scene.estate.rest_stages.of_those(is_new) {
        let of_api = parts.entry(source.api).or_default();
        match stage(scene, source, known) {
            Ok(compiled) => of_api.stages.push(compiled),
            Err(id) => {
                of_api.problems.push(Problem::gone_of_stage(source.api, &source.name, id));
            }
        }
    }
    parts
}

fn stage(
    scene: &Scene<'_>,
    source: &RestStage,
    (drafts, plans): (&Undeployed<'_>, &UsagePlans),
) -> Result<Stage, DeploymentId> {
    let deployment = |id: DeploymentId| scene.estate.rest_deployments.get(&id).ok_or(id);
    let behind = drafts.rest_differences(scene.estate, source.api, &deployment(source.deployment)?.frozen);
    let mut compiled = served(scene, (source, plans), deployment(source.deployment)?, source.variables.clone());
    compiled.behind = behind;
    if let Some(canary) = &source.canary {
        let mut variables = source.variables.clone();
        variables.extend(canary.variable_overrides.clone());
        let mut stage = served(scene, (source, plans), deployment(canary.deployment)?, variables);
        if let Some(rest) = stage.rest.as_mut().filter(|rest| rest.log.is_some()) {
            let name = canary_log_group(source.api, &source.name);
            rest.canary_log = Some(Arc::new(execution_log(scene, source, name)));
        }
        if let Some(rest) = &mut compiled.rest {
            rest.canary = Some(Box::new(Canary { percent: canary.percent, stage }));
        }
    }
    Ok(compiled)
}

/// A stage that serves this deployment with these variables.
fn served(
    scene: &Scene<'_>,
    (source, plans): (&RestStage, &UsagePlans),
    deployment: &Arc<RestDeployment>,
    variables: BTreeMap<String, String>,
) -> Stage {
    let deployed = deployed(scene, deployment, &variables);
    let settings = Settings::of(source);
    let methods = deployed.rest.as_ref().map(|rest| rest.methods.as_slice()).unwrap_or_default();
    let logging: Vec<Logging> = methods.iter().map(|method| settings.logging(method)).collect();
    let is_logged = logging.iter().any(|logging| logging.level != LoggingLevel::Off);
    let mut rest = crate::snapshot::rest::Stage {
        logging: if is_logged { logging } else { Vec::new() },
        log: is_logged.then(|| Arc::new(execution_log(scene, source, execution_log_group(source.api, &source.name)))),
        identity: source.client_certificate.and_then(|id| identity(scene, id)),
        ..Default::default()
    };
    usage::enter(&mut rest, (source.api, &source.name), methods, (scene.estate, plans));
    let whole = source.access_log.as_ref().and_then(RestAccessLog::whole);
    Stage {
        name: source.name.clone(),
        throttles: settings.each(methods, Settings::throttle),
        detailed_metrics: settings
            .each(methods, |settings, method| settings.for_method(method).is_some_and(|s| s.0.metrics)),
        access_log: whole.map(|whole| Arc::new(access_log((source.api, &source.name), whole))),
        behind: Vec::new(),
        variables,
        rest: Some(Box::new(rest)),
        deployed: Some(Arc::new(deployed)),
    }
}

fn identity(scene: &Scene<'_>, id: ClientCertificateId) -> Option<Arc<ClientIdentity>> {
    let kept = scene.estate.client_certificates.get(&id)?;
    Some(Arc::new(ClientIdentity { certificate: kept.certificate.clone(), key: kept.key.clone() }))
}

/// Method settings by path and method; `*` stands for all.
struct Settings<'s>(HashMap<(String, String), &'s MethodSettings>);

impl<'s> Settings<'s> {
    fn of(stage: &'s RestStage) -> Self {
        let parsed = stage.method_settings.iter().filter_map(|(key, settings)| {
            let (path, method) = key.rsplit_once('/')?;
            let path = path.replace("~1", "/").replace("~0", "~");
            let path = if path == "*" || path.starts_with('/') { path } else { format!("/{path}") };
            Some(((path, method.to_owned()), settings))
        });
        Self(parsed.collect())
    }

    /// The settings of a method, and whether they are its own.
    fn for_method(&self, method: &Method) -> Option<(&'s MethodSettings, LimitSource)> {
        let (path, method) = (&method.path, method.at.method.to_string());
        let own = |method: &str| self.0.get(&(path.clone(), method.to_owned())).map(|own| (*own, LimitSource::Route));
        let all = || self.0.get(&("*".to_owned(), "*".to_owned())).map(|all| (*all, LimitSource::Stage));
        own(&method).or_else(|| own("*")).or_else(all)
    }

    fn throttle(&self, method: &Method) -> Option<Throttle> {
        let (settings, source) = self.for_method(method)?;
        // Below zero is no limit: for the burst that leaves the account's (API Gateway quotas, 2026-11).
        let burst = u64::try_from(settings.throttling_burst_limit).unwrap_or(ACCOUNT_BURST);
        (settings.throttling_rate_limit >= 0.0)
            .then(|| Throttle { limit: RateLimit::new(settings.throttling_rate_limit, burst), source })
    }

    fn logging(&self, method: &Method) -> Logging {
        let settings = self.for_method(method).map(|(settings, _)| settings);
        let level = settings.and_then(|settings| settings.logging_level).unwrap_or_default();
        Logging { level, data_trace: settings.is_some_and(|settings| settings.data_trace) }
    }

    /// One value for each method; none where there are no settings at all.
    fn each<T>(&self, methods: &[Method], of: impl Fn(&Self, &Method) -> T) -> Vec<T> {
        if self.0.is_empty() { Vec::new() } else { methods.iter().map(|method| of(self, method)).collect() }
    }
}

fn execution_log(scene: &Scene<'_>, stage: &RestStage, name: LogGroupName) -> LogStream {
    LogStream { group: LogGroupArn { realm: scene.realm.clone(), name }, stream: stream(stage.api, &stage.name) }
}

fn deployed(scene: &Scene<'_>, source: &Arc<RestDeployment>, variables: &BTreeMap<String, String>) -> Deployed {
    let frozen = &source.frozen;
    let pools: Vec<UserPools> = frozen.authorizers.iter().map(|authorizer| user_pools(authorizer)).collect();
    let (mut routes, mut integrations, mut methods) = (Vec::new(), Vec::new(), Vec::new());
    let paths = Paths::of(&frozen.resources);
    for resource in &frozen.resources {
        let Some(segments) = paths.segments(resource.id) else { continue };
        for (name, method) in &resource.methods {
            let at = MethodRef { resource: resource.id, method: *name };
            let mut compiled = compiled(at, resource, &segments);
            let integration = method.integration.as_ref().map(|integration| {
                integrations.push(self::integration(scene, (at, integration), &mut compiled, variables));
                u32::try_from(integrations.len() - 1).unwrap_or(u32::MAX)
            });
            routes.push(Route {
                id: RouteRef::Method(at),
                key: key(*name, segments.clone()),
                authorization: authorization(&method.authorization, &pools),
                integration,
            });
            methods.push(compiled);
        }
    }
    Deployed {
        endpoint_disabled: frozen.disable_execute_api_endpoint,
        cors: None,
        table: RouteTable::new(routes.iter().map(|route| &route.key)),
        routes,
        integrations,
        authorizers: Vec::new(),
        rest: Some(Box::new(Deployment { source: Arc::clone(source), methods, pools })),
    }
}

fn compiled(at: MethodRef, resource: &Arc<Resource>, segments: &[Segment]) -> Method {
    let path = segments.iter().map(|segment| format!("/{segment}")).collect::<String>();
    Method { at, resource: Arc::clone(resource), path, endpoint: None, verification: Verification::default() }
}

/// The root is one empty segment, as in the keys of HTTP APIs.
fn key(method: MethodName, path: Vec<Segment>) -> RouteKey {
    RouteKey::Path { method: method.0, path }
}

/// The tree of resources.
struct Paths<'r>(HashMap<ResourceId, &'r Resource>);

impl<'r> Paths<'r> {
    fn of(resources: &'r [Arc<Resource>]) -> Self {
        Self(resources.iter().map(|resource| (resource.id, resource.as_ref())).collect())
    }

    /// The path of a resource; `None` where something above it is missing, or the way up has no end.
    fn segments(&self, id: ResourceId) -> Option<Vec<Segment>> {
        let mut segments = Vec::new();
        let mut at = self.0.get(&id)?;
        while let Some((above, segment)) = &at.below {
            segments.push(segment.clone());
            at = self.0.get(above).filter(|_| segments.len() <= SEGMENTS_MAX)?;
        }
        segments.reverse();
        Some(if segments.is_empty() { vec![Segment::Static(String::new())] } else { segments })
    }
}

fn user_pools(source: &RestAuthorizer) -> UserPools {
    let RestAuthorizerKind::CognitoUserPools { provider_arns } = &source.kind;
    let header = source.identity_source.strip_prefix("method.request.header.").unwrap_or("Authorization");
    UserPools {
        id: source.id,
        name: source.name.clone(),
        header: header.to_ascii_lowercase(),
        validation: source.identity_validation.clone(),
        pools: provider_arns
            .iter()
            .filter_map(|arn| user_pool::named(arn))
            .map(|(region, id)| (region, id.to_owned()))
            .collect(),
    }
}

fn authorization(wanted: &MethodAuthorization, pools: &[UserPools]) -> RouteAuthorization {
    match wanted {
        MethodAuthorization::None => RouteAuthorization::None,
        MethodAuthorization::AwsIam => RouteAuthorization::Iam,
        MethodAuthorization::CognitoUserPools { authorizer, scopes } => {
            let place = (0u32..).zip(pools).find(|(_, known)| known.id == *authorizer).map(|(at, _)| at);
            place.map_or(RouteAuthorization::Unsupported, |authorizer| RouteAuthorization::UserPools {
                authorizer,
                scopes: scopes.clone(),
            })
        }
        MethodAuthorization::Custom { .. } => RouteAuthorization::Unsupported,
    }
}

fn integration(
    scene: &Scene<'_>,
    (at, source): (MethodRef, &Source),
    method: &mut Method,
    variables: &BTreeMap<String, String>,
) -> Integration {
    let connection = match (source.kind, Endpoint::parse(&source.uri)) {
        (IntegrationType::Mock, _) => Connection::Mock,
        (_, Err(_)) => broken(Reason::IntegrationUnsupported, &source.uri),
        (_, Ok(endpoint)) => {
            let connection = match &source.connection {
                RestConnection::Internet => Connection::Internet(endpoint.clone()),
                RestConnection::VpcLink { id, target } => {
                    private(scene, (&with_variables(id, variables), target.as_deref()), &Url::of(&endpoint, variables))
                }
            };
            method.endpoint = Some(endpoint);
            connection
        }
    };
    if source.insecure_skip_verification == Some(true) {
        method.verification = Verification::Skipped;
    }
    let named = source.http_method.as_ref().filter(|name| *name != "ANY");
    Integration {
        id: IntegrationRef::Method(at),
        method: named.cloned(),
        timeout: Duration::from_millis(u64::from(source.timeout_ms)),
        connection,
        parameters: Vec::new(),
        answers: BTreeMap::new(),
    }
}

fn broken(reason: Reason, meant: &str) -> Connection {
    Connection::Broken { reason, meant: meant.to_owned() }
}

/// `${stageVariables.NAME}` as the whole of a text.
fn with_variables(text: &str, variables: &BTreeMap<String, String>) -> String {
    let name = text.strip_prefix("${stageVariables.").and_then(|rest| rest.strip_suffix('}'));
    name.and_then(|name| variables.get(name)).cloned().unwrap_or_else(|| text.to_owned())
}

/// What a `uri` says of the listener that is meant.
struct Url {
    text: String,
    host: String,
    is_https: bool,
    port: u16,
}

impl Url {
    /// The URL as the stage's variables fill it in. Variables of the path come after the host and the port.
    fn of(endpoint: &Endpoint, variables: &BTreeMap<String, String>) -> Self {
        let text = endpoint.fill(|part| match part {
            EndpointPart::StageVariable(name) => variables.get(name).map(String::as_str),
            EndpointPart::PathParameter(_) | EndpointPart::Literal(_) => None,
        });
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", &text));
        let is_https = scheme.eq_ignore_ascii_case("https");
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        let port = port.parse().unwrap_or(if is_https { 443 } else { 80 });
        let host = host.to_ascii_lowercase();
        Self { host, is_https, port, text }
    }
}

fn private(scene: &Scene<'_>, (link_text, target): (&str, Option<&str>), url: &Url) -> Connection {
    // The two versions have spaces of ids of their own; a target is what links of version 2 have.
    let second = link_text.parse::<VpcLinkId>().map(LinkId::from).ok();
    let first = link_text.parse::<VpcLinkV1Id>().map(LinkId::from).ok();
    let found = if target.is_some() { [second, first] } else { [first, second] };
    let index = found.into_iter().flatten().find_map(|id| scene.link_by_id.get(&id).copied());
    let link = index.and_then(|index| Some((index, scene.links.get(index.0 as usize)?)));
    match (link, target) {
        (Some((index, link @ Link { service: None, .. })), Some(target)) => listener(scene, (index, link), target, url),
        (Some((index, link @ Link { service: Some(service), .. })), None) => {
            of_service(scene, (index, link), *service, url)
        }
        (Some(_), _) => broken(Reason::LinkVersionMismatch, link_text),
        // A link of version 1 whose load balancer is gone, or was never one.
        (None, target) if first_is_there(scene, link_text) => {
            let reason = if target.is_some() { Reason::LinkVersionMismatch } else { Reason::LinkFailed };
            broken(reason, link_text)
        }
        (None, _) => broken(Reason::LinkNotFound, link_text),
    }
}

fn first_is_there(scene: &Scene<'_>, link: &str) -> bool {
    link.parse().is_ok_and(|id: VpcLinkV1Id| scene.estate.vpc_links_v1.contains(&id))
}

/// The listener of a link's load balancer that a URL means: the one on its port.
fn of_service(scene: &Scene<'_>, link: (LinkIndex, &Link), service: Service, url: &Url) -> Connection {
    let of_it = |at: &&Listener| {
        at.port == url.port && scene.balancers.balancer(at.balancer).is_some_and(|known| known.id == service.balancer)
    };
    let listener = scene.balancers.listeners.iter().find(of_it);
    match listener.and_then(|listener| scene.balancers.listener_by_id(listener.id)) {
        Some(found) => within(scene, link, found, (&url.text, url.is_https.then(|| Arc::from(url.host.as_str())))),
        None => broken(Reason::ListenerNotFound, &format!("port {} by {}", url.port, url.text)),
    }
}

/// The listener that a target and a URL mean: by a load balancer's ARN the one on the URL's port.
fn listener(scene: &Scene<'_>, link: (LinkIndex, &Link), target: &str, url: &Url) -> Connection {
    let listeners = &scene.balancers.listeners;
    let found = match target.parse::<ElbArn>() {
        Ok(ElbArn { realm, resource: ElbResource::Listener(name, id) }) if realm == *scene.realm => {
            let found = scene.balancers.listener_by_id(id);
            found.filter(|index| scene.balancers.listener(*index).is_some_and(|found| is_of(scene, found, &name)))
        }
        Ok(ElbArn { realm, resource: ElbResource::LoadBalancer(name) }) if realm == *scene.realm => {
            let of_it = |at: &&Listener| at.port == url.port && is_of(scene, at, &name);
            listeners.iter().find(of_it).and_then(|listener| scene.balancers.listener_by_id(listener.id))
        }
        Ok(_) => return broken(Reason::IntegrationTargetNotListener, target),
        Err(_) => return broken(Reason::IntegrationUnsupported, target),
    };
    let Some(found) = found else {
        return broken(Reason::ListenerNotFound, &format!("{target}, port {} by {}", url.port, url.text));
    };
    within(scene, link, found, (target, url.is_https.then(|| Arc::from(url.host.as_str()))))
}
