//! APIs, stages, deployments and links of one realm, compiled.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::Problem;
use super::balancer::ListenerIndex;
use super::domain::Domain;
use super::fabric::InterfaceIndex;
use super::front::{Cors, Throttle};
use super::rest::{self, MethodRef};
use super::routes::{RouteKey, RouteTable};
use crate::access_log::AccessLogFormat;
use crate::arn::LogGroupArn;
use crate::endpoint::Endpoint;
use crate::id::{ApiId, AuthorizerId, IntegrationId, LinkId, LoadBalancerId, RouteId, StageName, VpcId};
use crate::reason::Reason;
use crate::trace::HopId;
use crate::variable::Variable;

/// Every API and link of one realm.
#[derive(Debug, Default, PartialEq)]
pub struct Gateway {
    /// The APIs: HTTP APIs, then REST APIs, each by id.
    pub apis: Arc<[Arc<Api>]>,
    /// The links.
    pub links: Vec<Link>,
    /// The custom domain names.
    pub domains: Arc<[Domain]>,
    /// API keys and usage plans of REST APIs.
    pub usage: Arc<rest::UsagePlans>,
    pub(crate) link_by_id: HashMap<LinkId, LinkIndex>,
}

impl Gateway {
    /// The link at this place.
    #[must_use]
    pub fn link(&self, index: LinkIndex) -> Option<&Link> {
        self.links.get(index.0 as usize)
    }

    /// The place of the link of this id.
    #[must_use]
    pub fn link_by_id(&self, id: LinkId) -> Option<LinkIndex> {
        self.link_by_id.get(&id).copied()
    }
}

/// The place of a link in [`Gateway::links`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkIndex(pub u32);

/// A VPC link that may carry traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// Its name.
    pub name: String,
    /// The VPC of its subnets, or of the load balancer that it leads to.
    pub vpc: VpcId,
    /// Its interfaces, one for each subnet; none of a link of version 1.
    pub interfaces: Vec<InterfaceIndex>,
    /// Where a link of version 1 leads; `None` for one of version 2, which leads anywhere in its VPC.
    pub service: Option<Service>,
    /// Why it carries nothing, if so.
    pub closed: Option<Reason>,
}

/// What a link of version 1 leads to: a network load balancer, past every interface of the VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// The load balancer.
    pub balancer: LoadBalancerId,
    /// Whether the load balancer's groups judge what comes
    /// (`EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic`).
    pub is_judged: bool,
}

/// From where connections through links of version 1 come, as groups see them. AWS says that they come from addresses of the service, and
/// not which; this one is of the shared address space (RFC 6598), which only a rule for every address admits by chance.
pub const SERVICE_ADDRESS: Ipv4Addr = Ipv4Addr::new(100, 127, 255, 254);

/// An API.
#[derive(Debug, PartialEq)]
pub struct Api {
    /// Its id.
    pub id: ApiId,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ApiKind,
    /// `{id}.execute-api.{region}.amazonaws.com`: the host that backends see.
    pub host: String,
    /// The stages by name; `$default` is one of them.
    pub stages: Vec<Stage>,
    /// Stages that dangle.
    pub problems: Vec<Problem>,
}

/// The kind of an API: how its requests are found, carried and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiKind {
    /// An HTTP API.
    #[default]
    Http,
    /// A REST API.
    Rest,
}

impl Api {
    /// The stage of this name.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == *name)
    }
}

/// A stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: StageName,
    /// What it serves; `None` before the first deployment.
    pub deployed: Option<Arc<Deployed>>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// How the API's draft differs from what the stage serves, in words.
    pub behind: Vec<String>,
    /// The rate limit of each of the deployment's routes, at the same places.
    pub throttles: Vec<Option<Throttle>>,
    /// Where each request leaves a line, and which.
    pub access_log: Option<Arc<AccessLog>>,
    /// Whether each of the deployment's routes has metrics of its own, at the same places; empty where none has.
    pub detailed_metrics: Vec<bool>,
    /// What only stages of REST APIs have.
    pub rest: Option<Box<rest::Stage>>,
}

/// A log stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStream {
    /// The log group.
    pub group: LogGroupArn,
    /// The log stream in it.
    pub stream: String,
}

impl Stage {
    /// The stage as its canary's requests see it.
    #[must_use]
    pub fn canary(&self) -> Option<&Self> {
        Some(&self.rest.as_ref()?.canary.as_ref()?.stage)
    }
}

/// A stage's access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// Where its lines go.
    pub at: Arc<LogStream>,
    /// What a line says.
    pub format: AccessLogFormat,
}

/// A deployment, compiled.
#[derive(Debug, PartialEq)]
pub struct Deployed {
    /// Whether the default endpoint is disabled.
    pub endpoint_disabled: bool,
    /// CORS, where it is configured.
    pub cors: Option<Cors>,
    /// Finds the route of a method and path.
    pub table: RouteTable,
    /// The routes that the table's numbers name.
    pub routes: Vec<Route>,
    /// The integrations that routes name.
    pub integrations: Vec<Integration>,
    /// The JWT authorizers that routes name, as they were deployed.
    pub authorizers: Vec<JwtAuthorizer>,
    /// What only deployments of REST APIs have.
    pub rest: Option<Box<rest::Deployment>>,
}

/// A JWT authorizer (HTTP API developer guide, "Control access to HTTP APIs with JWT authorizers", 2026-11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtAuthorizer {
    /// Its id.
    pub id: AuthorizerId,
    /// Its name.
    pub name: String,
    /// Where the token is.
    pub source: IdentitySource,
    /// What `iss` must be, exactly; keys are looked up below it.
    pub issuer: String,
    /// One of these must be in `aud`, or be `client_id` where there is no `aud`. None lets nobody in.
    pub audiences: Vec<String>,
}

/// Where a request carries its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    /// `$request.header.NAME`, by lower-case name.
    Header(String),
    /// `$request.querystring.NAME`.
    Query(String),
}

impl IdentitySource {
    /// Reads one entry of `identitySource`; `None` when it is neither form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let named = |prefix: &str| text.strip_prefix(prefix).filter(|name| !name.is_empty());
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        match (named("$request.header."), named("$request.querystring.")) {
            (Some(name), _) => name.bytes().all(is_token).then(|| Self::Header(name.to_ascii_lowercase())),
            (None, Some(name)) => Some(Self::Query(name.to_owned())),
            (None, None) => None,
        }
    }
}

impl std::fmt::Display for IdentitySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(f, "$request.header.{name}"),
            Self::Query(name) => write!(f, "$request.querystring.{name}"),
        }
    }
}

/// How a route is authorized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteAuthorization {
    /// Anyone.
    None,
    /// By a signature for `execute-api`.
    Iam,
    /// By a token.
    Jwt {
        /// The place of the authorizer in [`Deployed::authorizers`].
        authorizer: u32,
        /// One of these suffices; none asks for none.
        scopes: Vec<String>,
    },
    /// By a token of a user pool; REST APIs only.
    UserPools {
        /// The place of the authorizer in [`rest::Deployment::pools`].
        authorizer: u32,
        /// One of these must be in an access token; none asks for an ID token.
        scopes: Vec<String>,
    },
    /// By a kind that is not carried out here: the route fails closed.
    Unsupported,
}

/// A route of an HTTP API, or a method of a REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteRef {
    /// A route.
    Route(RouteId),
    /// A method of a resource.
    Method(MethodRef),
}

impl RouteRef {
    /// As a hop of a trace names it.
    #[must_use]
    pub const fn hop(self) -> HopId {
        match self {
            Self::Route(id) => HopId::Route(id),
            Self::Method(at) => HopId::Method(at),
        }
    }
}

/// An integration of an HTTP API by its id, or that of a REST API's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntegrationRef {
    /// By its id.
    Integration(IntegrationId),
    /// The one of a method.
    Method(MethodRef),
}

impl fmt::Display for IntegrationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integration(id) => id.fmt(f),
            Self::Method(at) => at.fmt(f),
        }
    }
}

impl IntegrationRef {
    /// As a hop of a trace names it.
    #[must_use]
    pub const fn hop(self) -> HopId {
        match self {
            Self::Integration(id) => HopId::Integration(id),
            Self::Method(at) => HopId::MethodIntegration(at),
        }
    }
}

/// A route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its id.
    pub id: RouteRef,
    /// Its key.
    pub key: RouteKey,
    /// How it is authorized.
    pub authorization: RouteAuthorization,
    /// The place of its integration in [`Deployed::integrations`].
    pub integration: Option<u32>,
}

/// Where an integration leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Connection {
    /// Through a link to a listener in the link's VPC.
    Private {
        /// The link.
        link: LinkIndex,
        /// The listener.
        listener: ListenerIndex,
        /// The name that the listener's certificate must have (`tlsConfig`); `None` speaks plain HTTP.
        server_name: Option<Arc<str>>,
    },
    /// To a public endpoint.
    Internet(Endpoint),
    /// Nowhere: the gateway answers itself (`MOCK`).
    Mock,
    /// It leads nowhere; the text names what was meant.
    Broken {
        /// Why.
        reason: Reason,
        /// The id or ARN that was meant.
        meant: String,
    },
}

/// An integration.
#[derive(Debug, Clone, PartialEq)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationRef,
    /// The method that the backend gets; `None` is the client's.
    pub method: Option<String>,
    /// How long the backend may take (50–30,000 ms; 30,000 when unset).
    pub timeout: Duration,
    /// Where it leads.
    pub connection: Connection,
    /// What is done to the request, in the order of the keys.
    pub parameters: Vec<ParameterMapping>,
    /// What is done to the answer, by its status, in the order of the keys.
    pub answers: BTreeMap<u16, Vec<ParameterMapping>>,
}

/// What a mapping changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterTarget {
    /// The path.
    Path,
    /// A header, by lower-case name.
    Header(String),
    /// A query parameter.
    Query(String),
    /// The status of the answer.
    Status,
}

/// How a mapping changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterChange {
    /// Adds after what is there.
    Append,
    /// Takes the place of what is there.
    Overwrite,
    /// Takes it away.
    Remove,
}

/// One parameter mapping (HTTP API developer guide, "Transform API requests and responses", 2026-11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterMapping {
    /// What is changed.
    pub target: ParameterTarget,
    /// How.
    pub change: ParameterChange,
    /// The value, in parts that are joined. Empty for a removal.
    pub value: Vec<ValuePart>,
}

/// One step of the way into a JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyStep {
    /// A member of an object.
    Member(String),
    /// An element of an array, from 0.
    Element(usize),
}

impl ParameterMapping {
    /// Whether the value depends on the body.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        self.value.iter().any(|part| matches!(part, ValuePart::Body(_)))
    }
}

/// A part of a mapping's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuePart {
    /// Text as it stands.
    Literal(String),
    /// `$request.path`: the path without the stage.
    RequestPath,
    /// `$request.path.NAME`: a path parameter.
    PathParameter(String),
    /// `$request.header.NAME` or `$response.header.NAME`, by lower-case name.
    Header(String),
    /// `$request.body` or `$response.body`, and the way into it.
    Body(Vec<BodyStep>),
    /// `$request.querystring.NAME`.
    QueryString(String),
    /// `$context.NAME`.
    Context(Variable),
    /// `$stageVariables.NAME`.
    StageVariable(String),
}
