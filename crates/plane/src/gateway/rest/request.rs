//! From a request that may be carried to what an integration gets: the URL with its variables, the headers that are passed,
//! dropped, added and mapped, the query, the body (REST API developer guide, "API Gateway important notes" and "Set up HTTP
//! integrations", 2026-11).

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderName,
    HeaderValue, MAX_FORWARDS, PROXY_AUTHENTICATE, SERVER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT, VIA,
    WWW_AUTHENTICATE,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri};
use http_body::Body as _;
use topology::endpoint::{EndpointPart, Side};
use topology::mapping::rest::{Location, Value};
use topology::resource::rest_api::{self, IntegrationType, ResponseTransferMode};
use topology::snapshot::gateway::{Integration, RouteAuthorization};
use topology::snapshot::rest::{Method as RestMethod, Verification};
use topology::trace::HopKind;

use super::Cleared;
use super::context::Sender;
use super::source::{self, Message};
use crate::fabric::outside::Scheme;
use crate::gateway::context::Context;
use crate::gateway::endpoint::{self, Filled};
use crate::gateway::find::{Aim, MethodAim};
use crate::gateway::payload::Payload;
use crate::gateway::refusal::Refusal;
use crate::http::body::{ReadBody, RequestBody};
use crate::http::forwarding::X_AMZN_TRACE_ID;
use crate::http::gathered::{Patience, Unread};
use crate::http::percent::{as_path, decode, encode, is_query_byte};
use crate::http::places::Owner;
use crate::http::survey::Survey;
use crate::http::{forwarding, gathered, hop};
use crate::limits::{REQUEST_BODY_BYTES_MAX, WHOLE_BODY_TIMEOUT};
use crate::link::parcel::Greeting;
use crate::readied::MethodPlan;
use crate::shared::Shared;
use crate::trace::Recording;

const API_ID: HeaderName = HeaderName::from_static("x-amzn-apigateway-api-id");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
/// Headers that belong to a signature, besides `Authorization` (AWS general reference, "Signature Version 4", 2026-11).
const SIGNING_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("x-amz-date"), HeaderName::from_static("x-amz-security-token")];
/// Parameters that sign a request by its query, and would let whoever sees them send it again.
const SIGNING_PARAMETERS: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];
/// What a body is taken for that does not say it.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A request that may be carried out, as it came. Only [`Opened::new`] makes one, of what was cleared.
pub(super) struct Opened<'w> {
    request: Request<'w>,
}

/// A request on its way to its integration, to be looked at, read and mapped. Nothing is answered or sent for it: that is for what
/// was decoded and found valid.
pub(super) struct Request<'w> {
    /// Where it leads.
    pub(super) leads: Aim<'w>,
    /// The method, as it was deployed.
    pub(super) method: &'w RestMethod,
    /// What was read of it.
    pub(super) plan: &'w MethodPlan,
    /// Its integration, as it was deployed and compiled.
    pub(super) source: &'w rest_api::Integration,
    pub(super) integration: &'w Integration,
    /// The client's headers.
    pub(super) headers: HeaderMap,
    pub(super) seen: Survey,
    /// The client's body.
    pub(super) body: RequestBody,
    /// The same, once it was read.
    whole: Option<Bytes>,
    /// Whose memory it takes.
    pub(super) owner: Owner,
}

impl<'w> Opened<'w> {
    /// A request with its integration.
    pub(super) fn new(
        cleared: Cleared<'w>,
        headers: HeaderMap,
        seen: Survey,
        (body, owner): (RequestBody, Owner),
    ) -> Result<Self, Refusal> {
        let MethodAim { leads, method, plan, .. } = *cleared.aim();
        let source = method.integration().ok_or(Refusal::NoIntegration)?;
        let place = leads.route.integration.ok_or(Refusal::NoIntegration)?;
        let integration = leads.site.deployed.integrations.get(place as usize).ok_or(Refusal::NoIntegration)?;
        let request = Request { leads, method, plan, source, integration, headers, seen, body, whole: None, owner };
        Ok(Self { request })
    }

    /// How its answer is transferred.
    pub(super) const fn transfer_mode(&self) -> ResponseTransferMode {
        self.request.source.response_transfer_mode
    }

    /// The request, to be decoded.
    pub(super) fn into_request(self) -> Request<'w> {
        self.request
    }
}

impl Request<'_> {
    /// What its integration is.
    pub(super) const fn integration_type(&self) -> IntegrationType {
        self.source.kind
    }

    /// Whether its caller had to sign it: what the signature consists of is then for the gateway alone.
    fn is_signed(&self) -> bool {
        self.leads.route.authorization == RouteAuthorization::Iam
    }

    /// The content type without its parameters, in lower case; JSON where none was sent.
    pub(super) fn content_type(&self) -> String {
        media_type(self.headers.get(CONTENT_TYPE))
    }

    /// The whole body, which is then still there to be sent. Reading has its deadline and its place.
    pub(super) async fn whole(&mut self, shared: &Shared) -> Result<Bytes, Refusal> {
        if let Some(whole) = &self.whole {
            return Ok(whole.clone());
        }
        if self.body.is_end_stream() {
            return Ok(Bytes::new());
        }
        if let Some(body) = self.body.as_read() {
            // It has its place already.
            return Ok(self.whole.insert(body.bytes()).clone());
        }
        let progress = self.body.progress();
        let body = std::mem::take(&mut self.body);
        let mut place = shared.whole_requests.begin(self.owner);
        let patience = Patience::with_client(WHOLE_BODY_TIMEOUT);
        let whole = gathered::whole(body, REQUEST_BODY_BYTES_MAX, (&mut place, patience)).await?;
        if let Some(progress) = progress {
            self.body = RequestBody::whole_read(ReadBody::new(whole.clone(), Some(place)), progress);
        }
        self.whole = Some(whole.clone());
        Ok(whole)
    }

    /// Makes the place of a body that was read large enough for the largest, which it may be once it is unpacked.
    pub(super) async fn reserve(&mut self, shared: &Shared) -> Result<(), Refusal> {
        if let Some(body) = self.body.as_read() {
            body.reserve(shared.whole_requests.begin(self.owner)).await.map_err(Unread::from)?;
        }
        Ok(())
    }

    /// The body that is to be sent; nothing of it is kept here.
    pub(super) fn take_body(&mut self) -> RequestBody {
        self.whole = None;
        std::mem::take(&mut self.body)
    }

    /// Puts another body in the place of the client's, which is then gone. It is whole: nobody waits for a place for it.
    pub(super) fn replace(&mut self, body: Bytes) {
        self.body = self.take_body().replaced(body.clone());
        self.whole = Some(body);
    }
}

/// A media type without its parameters, in lower case; JSON where there is none.
pub(super) fn media_type(value: Option<&HeaderValue>) -> String {
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bare = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if bare.is_empty() { "application/json".to_owned() } else { bare }
}

/// What a mapped request is made of.
pub(super) struct Mapped {
    /// Values for the variables of the URL.
    path: Vec<(String, Spelled)>,
    /// What is added to the query.
    query: Vec<(String, String)>,
    /// Headers.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The whole path, where a template set `$context.requestOverride.path`.
    whole_path: Option<String>,
}

/// A value for a variable of the URL, spelled for either side of its question mark.
struct Spelled {
    in_path: String,
    in_query: String,
}

impl Spelled {
    fn new(value: &str) -> Self {
        Self { in_path: encode(value, is_path_byte), in_query: encode(value, is_query_byte) }
    }

    fn on(&self, side: Side) -> &str {
        match side {
            Side::Path => &self.in_path,
            Side::Query => &self.in_query,
        }
    }
}

impl Mapped {
    /// Evaluates the mappings on the request as it came.
    pub(super) fn of(plan: &MethodPlan, context: &Context<'_>, payload: &Payload) -> Result<Self, Refusal> {
        let mut mapped = Self { path: Vec::new(), query: Vec::new(), headers: Vec::new(), whole_path: None };
        let message = Message::Request(payload);
        for (place, value) in &plan.request {
            match place {
                Location::Path(name) => mapped.path.push((name.clone(), spelled(context, message, value))),
                Location::Query(name) => {
                    let values = source::values(context, message, value);
                    mapped.query.extend(values.into_iter().map(|value| (name.clone(), value)));
                }
                Location::Header(name) => {
                    if let Some(value) = source::one(context, message, value) {
                        mapped.set_header(name, &value)?;
                    }
                }
            }
        }
        Ok(mapped)
    }

    /// Takes what templates set below `$context.requestOverride`.
    pub(super) fn override_with(&mut self, context: &Context<'_>) -> Result<(), Refusal> {
        let Some(rest) = &context.rest else { return Ok(()) };
        for (name, value) in &rest.overrides {
            let Some(place) = name.strip_prefix("requestOverride.") else { continue };
            match place.split_once('.') {
                None if place == "path" => self.whole_path = Some(as_path(value)),
                Some(("header", name)) => self.set_header(name, value)?,
                Some(("path", name)) => {
                    self.path.retain(|(other, _)| other != name);
                    self.path.push((name.to_owned(), Spelled::new(value)));
                }
                Some(("querystring", name)) => {
                    self.query.retain(|(other, _)| other != name);
                    self.query.push((name.to_owned(), value.clone()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Sets a header. Some may not be set by a mapping at all.
    fn set_header(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let name = HeaderName::try_from(name).map_err(|_| Refusal::MappingFailed)?;
        let value = HeaderValue::try_from(value).map_err(|_| Refusal::MappingFailed)?;
        if [CONTENT_LENGTH, TRANSFER_ENCODING, X_AMZN_TRACE_ID, API_ID].contains(&name) {
            return Err(Refusal::MappingFailed);
        }
        // Mapped or not, these concern one connection only.
        if ![EXPECT, PROXY_AUTHENTICATE, TE, VIA, CONNECTION, UPGRADE, TRAILER].contains(&name) {
            self.headers.retain(|(other, _)| *other != name);
            self.headers.push((name, value));
        }
        Ok(())
    }
}

/// A value in a URL: what the client had in its own path stays in a path as it was spelled, anything else is encoded.
fn spelled(context: &Context<'_>, message: Message<'_>, value: &Value) -> Spelled {
    let mut spelled = Spelled::new(&source::one(context, message, value).unwrap_or_default());
    if let (Value::Path(name), Some(rest)) = (value, &context.rest) {
        let raw = rest.raw_path_params.iter().find(|(other, _)| other == name);
        spelled.in_path = raw.map(|(_, raw)| raw.clone()).unwrap_or_default();
    }
    spelled
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/@!$&'()*+,;=%".contains(&byte)
}

/// A URL filled in, and the path and query as they are sent.
pub(super) struct Target {
    pub(super) filled: Filled,
    pub(super) uri: Uri,
}

impl Target {
    /// The whole URL, as it is sent.
    pub(super) fn url(&self) -> String {
        let scheme = match self.filled.origin.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        format!("{scheme}://{}{}", self.filled.authority, self.uri)
    }
}

/// Which of the client's query parameters are passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    /// All of them, and headers alike (`HTTP_PROXY`).
    All,
    /// None (`HTTP`).
    Nothing,
}

/// Fills in the URL. A variable without a value leaves nothing in its place.
pub(super) fn target(
    request: &Request<'_>,
    mapped: &Mapped,
    context: &Context<'_>,
    passed: Passed,
) -> Result<Target, Refusal> {
    let endpoint = request.method.endpoint.as_ref().ok_or(Refusal::MappingFailed)?;
    let variables = &request.leads.site.stage.variables;
    let url = endpoint.fill_by_side(|part, side| match part {
        EndpointPart::PathParameter(name) => {
            mapped.path.iter().find(|(other, _)| other == name).map(|(_, value)| value.on(side))
        }
        EndpointPart::StageVariable(name) => variables.get(name).map(String::as_str),
        EndpointPart::Literal(_) => None,
    });
    let filled = endpoint::read(endpoint, &url)?;
    let own = filled.query.clone().filter(|query| !query.is_empty());
    let client = context.uri.query().filter(|_| passed == Passed::All);
    let client = client.map(|query| if request.is_signed() { unsigned(query) } else { query.to_owned() });
    let client = client.filter(|query| !query.is_empty());
    let added = mapped
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, is_query_byte), encode(value, is_query_byte)));
    let query = own.into_iter().chain(client).chain(added).collect::<Vec<_>>().join("&");
    let path = sent_path(&filled, mapped);
    let text = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let uri = PathAndQuery::try_from(text).map_err(|_| Refusal::MappingFailed)?;
    Ok(Target { filled, uri: Uri::from(uri) })
}

/// The path that an integration gets: that of `uri` alone, or what a template put in its place, through links of either version. This is
/// the one place that decides whether the stage stands in front (`docs/differences-from-aws.md`, "path towards a private
/// integration").
fn sent_path<'t>(filled: &'t Filled, mapped: &'t Mapped) -> &'t str {
    mapped.whole_path.as_deref().unwrap_or(&filled.path)
}

/// A query without the parameters that sign a request.
fn unsigned(query: &str) -> String {
    let signs = |pair: &&str| {
        let name = decode(pair.split('=').next().unwrap_or_default());
        SIGNING_PARAMETERS.iter().any(|signing| name.eq_ignore_ascii_case(signing))
    };
    query.split('&').filter(|pair| !signs(pair)).collect::<Vec<_>>().join("&")
}

/// The headers that an integration gets.
pub(super) fn headers(
    request: &mut Request<'_>,
    mapped: Mapped,
    (target, context): (&Target, &mut Context<'_>),
    passed: Passed,
) -> Result<HeaderMap, Refusal> {
    let client = std::mem::take(&mut request.headers);
    let mut headers = match passed {
        Passed::All => passed_on(client, request, context),
        Passed::Nothing => fixed(&client, request),
    };
    let api = request.leads.site.api.id;
    let insert = |headers: &mut HeaderMap, name, text: &str| {
        HeaderValue::from_str(text).map(|value| _ = headers.insert(name, value)).map_err(|_| Refusal::MappingFailed)
    };
    insert(&mut headers, API_ID, api.as_str())?;
    insert(&mut headers, HOST, &target.filled.authority)?;
    forwarding::ensure_trace_root(&mut headers, &request.seen, context.arrived);
    context.span.iter().for_each(|span| span.write(&mut headers));
    if let Some(rest) = &mut context.rest {
        rest.trace_id = headers.get(X_AMZN_TRACE_ID).cloned();
    }
    for (name, value) in mapped.headers {
        headers.insert(name, value);
    }
    headers.entry(CONTENT_TYPE).or_insert(JSON);
    Ok(headers)
}

/// The client's headers, less those that are never passed on.
fn passed_on(mut headers: HeaderMap, request: &Request<'_>, context: &Context<'_>) -> HeaderMap {
    hop::strip_request(&mut headers, &request.seen);
    let dropped = [
        CONTENT_MD5,
        EXPECT,
        MAX_FORWARDS,
        PROXY_AUTHENTICATE,
        SERVER,
        TE,
        TRAILER,
        UPGRADE,
        WWW_AUTHENTICATE,
        HOST,
        CONTENT_ENCODING,
        VIA,
    ];
    for name in dropped {
        headers.remove(name);
    }
    // A signature is for API Gateway.
    if headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS4-")) {
        headers.remove(AUTHORIZATION);
    }
    if request.is_signed() {
        SIGNING_HEADERS.iter().for_each(|name| _ = headers.remove(name));
    }
    match context.rest.as_ref().map_or(Sender::Client, |rest| rest.sender) {
        // Who the client is was written before anything was mapped.
        Sender::Client => {}
        // There is no client to name, and an agent only where the trial has one (seen in a log of AWS's console, 2020).
        Sender::Trial => _ = agent(request).map(|agent| _ = headers.entry(USER_AGENT).or_insert(agent)),
    }
    headers
}

/// What API Gateway calls itself.
fn agent(request: &Request<'_>) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("AmazonAPIGateway_{}", request.leads.site.api.id)).ok()
}

/// What an `HTTP` integration gets of itself.
fn fixed(client: &HeaderMap, request: &Request<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, JSON);
    if let Some(agent) = agent(request) {
        headers.insert(USER_AGENT, agent);
    }
    for name in [CONTENT_TYPE, X_AMZN_TRACE_ID] {
        if let Some(value) = client.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers
}

/// The method that the integration gets.
pub(super) fn method(request: &Request<'_>, context: &Context<'_>) -> Result<Method, Refusal> {
    match &request.integration.method {
        // Checked to be a method when the integration was written.
        Some(name) => Method::from_bytes(name.as_bytes()).map_err(|_| Refusal::MappingFailed),
        None => Ok(context.method.clone()),
    }
}

/// Notes that the request goes on.
pub(super) fn note<'w>(
    request: &Request<'w>,
    target: &Target,
    body: &RequestBody,
    context: &mut Context<'w>,
    recording: &mut Recording,
) {
    if target.uri.path() != context.uri.path() {
        recording.forwarded_path(target.uri.path());
    }
    context.sent = body.progress();
    context.integration.named = Some(request.integration);
    recording.read_clock();
    context.integration.sent_micros = recording.now_micros();
    recording.pass(HopKind::Integration, request.integration.id.hop());
}

/// The name that a listener's certificate must have, and how it is greeted.
pub(super) fn greeting<'w>(request: &Request<'w>, server_name: Option<&'w Arc<str>>) -> Greeting<'w> {
    match (server_name, request.method.verification) {
        (None, _) => Greeting::Plain,
        (Some(name), Verification::Full) => Greeting::Verified(name),
        (Some(_), Verification::Skipped) => Greeting::Unverified,
    }
}
