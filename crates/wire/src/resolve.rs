//! Which service and operation a request means, before anything of it is believed.
//!
//! The evidence, in this order: `X-Amz-Target` (json), the service in the SigV4 credential scope, `Action` and `Version`
//! (query, ec2-query), the path (rest-json). What nobody supports answers as AWS does in that protocol:
//!
//! | request | answer |
//! |---|---|
//! | an operation or service that AWS has and we do not serve | 501 `NotImplemented`, in its protocol |
//! | form with an action that AWS does not have, or for an unknown service | 400 `InvalidAction` |
//! | form with another API version, classic load balancers included | 400 `NoSuchVersion` |
//! | form without an action or version | 400 `MissingAction`, `MissingParameter` |
//! | target that AWS does not have | 400 `UnknownOperationException` |
//! | path that no operation of API Gateway has, below `/v2/` or in REST APIs (v1) | 403 `MissingAuthenticationTokenException` |
//! | paths of an unknown service | 404 `UnknownOperationException` |

use crate::fault::Fault;
use crate::generated::ServiceId;
use crate::limits::{BODY_BYTES_MAX, FORM_FIELDS_MAX, echo};
use crate::model::{OperationModel, Protocol, ServiceModel};
use crate::request::Request;
use crate::rest_json;
use crate::sigv4::Scope;
use crate::unserved;

/// The API version of classic load balancers, which share their service name with v2.
const CLASSIC_LOAD_BALANCING: &str = "2012-06-01";

/// How to speak to a caller: enough to render a fault before, or without, a known operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The protocol.
    pub protocol: Protocol,
    /// The XML namespace of query answers; empty elsewhere.
    pub namespace: &'static str,
    /// Where an error stands in an XML answer.
    pub root: ErrorRoot,
}

/// Where an error stands in an XML answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorRoot {
    /// Where the protocol has it.
    OfProtocol,
    /// It is the whole of the document, as S3's clients read it.
    Error,
}

impl Dialect {
    /// The dialect of a service.
    #[must_use]
    pub fn of(service: ServiceId) -> Self {
        let model = service.model();
        Dialect { protocol: model.protocol, namespace: model.namespace, root: ErrorRoot::OfProtocol }
    }

    pub(crate) const fn plain(protocol: Protocol) -> Self {
        Dialect { protocol, namespace: "", root: ErrorRoot::OfProtocol }
    }
}

/// A request whose operation is known.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The operation.
    pub operation: &'static OperationModel,
    /// The region of the credential scope.
    pub region: Option<String>,
    pub(crate) input: Input,
}

impl Resolved {
    /// How to answer.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        Dialect::of(self.operation.service)
    }
}

/// Where the operation's members are.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// In the pairs of a form, body and query string together.
    Form(Vec<(String, String)>),
    /// In the request itself.
    Whole,
}

/// A request that means nothing we support, with the way to say so.
#[derive(Debug, Clone)]
pub struct Unresolved {
    /// How the caller speaks.
    pub dialect: Dialect,
    /// What to answer.
    pub fault: Fault,
}

impl Unresolved {
    fn new(dialect: Dialect, fault: Fault) -> Box<Self> {
        Box::new(Unresolved { dialect, fault })
    }
}

/// Finds the operation of a request.
///
/// # Errors
/// The fault and the dialect to say it in; see the table above.
pub fn resolve(request: &Request<'_>) -> Result<Resolved, Box<Unresolved>> {
    let scope = Scope::of(request);
    if let Some((dialect, fault)) = scope.as_ref().and_then(of_others) {
        return Err(Unresolved::new(dialect, fault));
    }
    let (operation, input) = match request.header("x-amz-target") {
        Some(target) => (by_target(target)?, Input::Whole),
        None if is_form(request) => by_form(request, scope.as_ref())?,
        None => (by_path(request, scope.as_ref())?, Input::Whole),
    };
    Ok(Resolved { operation, region: scope.map(|s| s.region), input })
}

/// What is said to a client of a service of AWS's that is not ours.
fn of_others(scope: &Scope) -> Option<(Dialect, Fault)> {
    let is_ours = ServiceId::ALL.iter().any(|service| service.model().signing_name == scope.service);
    if is_ours { None } else { unserved::service(&scope.service) }
}

fn by_target(target: &str) -> Result<&'static OperationModel, Box<Unresolved>> {
    let (prefix, name) = target.split_once('.').unwrap_or((target, ""));
    let service = ServiceId::ALL.iter().map(|s| s.model()).find(|s| s.target_prefix == Some(prefix));
    service.and_then(|s| s.operation(name)).ok_or_else(|| {
        let unknown = || {
            let message = format!("The operation {} is not known", echo(target));
            Fault::new("UnknownOperationException", 400, message)
        };
        let fault = service.and_then(|s| unserved::operation(s.id, name)).unwrap_or_else(unknown);
        Unresolved::new(Dialect::plain(Protocol::Json), fault)
    })
}

/// A form is a POST of one, or a GET of the root with an action in its query string.
fn is_form(request: &Request<'_>) -> bool {
    request.media_type().eq_ignore_ascii_case("application/x-www-form-urlencoded")
        || (request.uri.path() == "/" && request.query_pairs().any(|(name, _)| name == "Action"))
}

fn by_form(request: &Request<'_>, scope: Option<&Scope>) -> Result<(&'static OperationModel, Input), Box<Unresolved>> {
    let (action, version, pairs) = form(request)?;
    let service = form_service(scope, version.as_deref());
    let dialect = service.map_or(Dialect::plain(Protocol::Query), |s| Dialect::of(s.id));
    let refuse = |code, message: String| Err(Unresolved::new(dialect, Fault::new(code, 400, message)));
    let Some(action) = action else {
        return refuse("MissingAction", "The request is missing an action or a required parameter.".to_owned());
    };
    let Some(version) = version else {
        return refuse("MissingParameter", "The request must contain the parameter Version".to_owned());
    };
    let Some(service) = service else {
        return refuse("InvalidAction", invalid_action(&action));
    };
    if version != service.version {
        let about = match version.as_str() {
            CLASSIC_LOAD_BALANCING if service.id == ServiceId::Elbv2 => {
                "Classic Load Balancers (version 2012-06-01) are not supported; use version 2015-12-01.".to_owned()
            }
            other => format!("The requested version ({}) of the service does not exist", echo(other)),
        };
        return refuse("NoSuchVersion", about);
    }
    match service.operation(&action) {
        Some(operation) => Ok((operation, Input::Form(pairs))),
        None => match unserved::operation(service.id, &action) {
            Some(fault) => Err(Unresolved::new(dialect, fault)),
            None => refuse("InvalidAction", invalid_action(&action)),
        },
    }
}

fn invalid_action(action: &str) -> String {
    format!("The action {} is not valid for this web service.", echo(action))
}

type Form = (Option<String>, Option<String>, Vec<(String, String)>);

/// Action, version and all pairs of body and query string.
fn form(request: &Request<'_>) -> Result<Form, Box<Unresolved>> {
    let is_bounded = request.body.len() <= BODY_BYTES_MAX;
    let body = if is_bounded { request.body } else { &[] };
    let in_body = form_urlencoded::parse(body).map(|(k, v)| (k.into_owned(), v.into_owned()));
    // One more than the limit is kept, so that the decoder sees that it was passed.
    let pairs: Vec<(String, String)> = request.query_pairs().chain(in_body).take(FORM_FIELDS_MAX + 1).collect();
    let value = |name: &str| pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone());
    let (action, version) = (value("Action"), value("Version"));
    if !is_bounded {
        let fault = Fault::new("RequestEntityTooLarge", 413, "The request body is too large");
        return Err(Unresolved::new(Dialect::plain(Protocol::Query), fault));
    }
    Ok((action, version, pairs))
}

/// The scope decides; without one the version does, as each supported service has its own.
fn form_service(scope: Option<&Scope>, version: Option<&str>) -> Option<&'static ServiceModel> {
    let mut forms =
        ServiceId::ALL.iter().map(|s| s.model()).filter(|s| matches!(s.protocol, Protocol::Query | Protocol::Ec2Query));
    match scope {
        Some(scope) => forms.find(|s| s.signing_name == scope.service),
        None if version == Some(CLASSIC_LOAD_BALANCING) => Some(ServiceId::Elbv2.model()),
        None => forms.find(|s| Some(s.version) == version),
    }
}

fn by_path(request: &Request<'_>, scope: Option<&Scope>) -> Result<&'static OperationModel, Box<Unresolved>> {
    let (method, path) = (request.method.as_str(), request.uri.path());
    let dialect = Dialect::plain(Protocol::RestJson);
    if let Some(gateway) = gateway_of(scope, path) {
        let all = gateway.operations.iter();
        let bound = all.filter(|o| o.method == method && rest_json::is_bound(o.uri, request));
        // The one that is told apart by more of the query string is meant.
        let found = bound.max_by_key(|o| rest_json::fixed_pairs(o.uri).count());
        return found.ok_or_else(|| {
            let unserved = unserved::operation_at(gateway.id, request);
            Unresolved::new(dialect, unserved.unwrap_or_else(|| rest_json::no_such_path(method, path)))
        });
    }
    if let Some(form) = scope.and_then(|s| form_service(Some(s), None)) {
        let fault = Fault::new("MissingAction", 400, "The request is missing an action or a required parameter.");
        return Err(Unresolved::new(Dialect::of(form.id), fault));
    }
    let what = match scope {
        Some(scope) => crate::fault::unserved(format_args!("the service {}", echo(&scope.service))),
        None => "The request names no service".to_owned(),
    };
    Err(Unresolved::new(dialect, Fault::new("UnknownOperationException", 404, what)))
}

/// Which version of API Gateway a path is for: both sign alike, and everything below `/v2/` is V2's.
fn gateway_of(scope: Option<&Scope>, path: &str) -> Option<&'static ServiceModel> {
    let (v1, v2) = (ServiceId::ApiGateway.model(), ServiceId::ApiGatewayV2.model());
    match scope {
        Some(scope) if scope.service != v1.signing_name => None,
        _ if path.starts_with("/v2/") => Some(v2),
        Some(_) => Some(v1),
        None => is_rest_api(path).then_some(v1),
    }
}

/// Whether an unsigned request's path is one of apigateway v1's.
fn is_rest_api(path: &str) -> bool {
    const ROOTS: [&str; 9] = [
        "account",
        "apikeys",
        "clientcertificates",
        "domainnames",
        "restapis",
        "sdktypes",
        "tags",
        "usageplans",
        "vpclinks",
    ];
    path.split('/').nth(1).is_some_and(|root| ROOTS.contains(&root))
}
