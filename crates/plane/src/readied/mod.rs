//! What is read of a deployment once, when the world that first serves it is built: mapping expressions, selection patterns, schemas
//! and gateway responses. Templates and the resource policy were read when they were written. A deployment is frozen, so that worlds hand this on. What cannot be read answers
//! an error to those requests that need it, and spoils nothing else.

pub(crate) mod policy;
pub(crate) mod schema;
pub(crate) mod validation;

use std::collections::BTreeMap;

use http::header::HeaderName;
use regex::{Regex, RegexBuilder};
use topology::mapping::rest::{self as mapping, From, Location, Value};
use topology::resource::rest_api::{
    ContentHandling, GatewayResponse, GatewayResponseType, Integration, IntegrationResponse,
};
use topology::resource::rest_stage::FrozenRest;
use topology::snapshot::rest::{Deployment, Method};
use topology::template::{AnswerTemplates, Templates};

use self::schema::Models;
use self::validation::Validation;
use crate::limits::SELECTION_PATTERN_BYTES_MAX;

/// A deployment, read.
#[derive(Debug)]
pub(crate) struct Readied {
    /// The methods, at the places of the deployment's.
    pub(crate) methods: Vec<MethodPlan>,
    /// The gateway responses that were customized.
    pub(crate) gateway_responses: BTreeMap<GatewayResponseType, GatewayAnswer>,
    /// What the audience of ID tokens must match, at the places of the deployment's authorizers.
    pub(crate) audiences: Vec<Option<Regex>>,
}

/// A customized gateway response.
#[derive(Debug)]
pub(crate) struct GatewayAnswer {
    /// Its status, where it was set.
    pub(crate) status: Option<u16>,
    /// Headers and where their values come from.
    pub(crate) headers: Vec<(HeaderName, Value)>,
    /// Templates by content type.
    pub(crate) templates: Vec<(String, String)>,
}

/// How a method's requests and answers are mapped.
#[derive(Debug, Default)]
pub(crate) struct MethodPlan {
    /// What of the request goes where.
    pub(crate) request: Vec<(Location, Value)>,
    /// What becomes of its body.
    pub(crate) templates: Templates,
    /// The integration responses, by status.
    pub(crate) answers: Vec<AnswerPlan>,
    /// What is asked of its requests.
    pub(crate) validation: Validation,
    /// The first mapping that cannot be read.
    pub(crate) broken: Option<String>,
}

/// An integration response.
#[derive(Debug)]
pub(crate) struct AnswerPlan {
    /// The status that the client gets.
    pub(crate) status: u16,
    /// For which statuses of the integration; none is the default response.
    pub(crate) pattern: Option<Regex>,
    /// Headers and where their values come from.
    pub(crate) headers: Vec<(HeaderName, Value)>,
    /// What becomes of the body.
    pub(crate) templates: AnswerTemplates,
    /// `contentHandling`
    pub(crate) handling: Option<ContentHandling>,
}

impl Readied {
    /// Reads a deployment.
    pub(crate) fn new(deployment: &Deployment) -> Self {
        let frozen = &deployment.source.frozen;
        let responses = &frozen.gateway_responses;
        let models = Models::new(&frozen.models);
        // That of an old store is read before the first request needs it.
        let _policy = policy::of(frozen);
        Self {
            audiences: deployment.pools.iter().map(|pools| pools.validation.as_deref().map(whole)).collect(),
            methods: deployment.methods.iter().map(|method| MethodPlan::new(method, frozen, &models)).collect(),
            gateway_responses: responses.iter().map(|response| (response.kind, GatewayAnswer::new(response))).collect(),
        }
    }
}

impl GatewayAnswer {
    fn new(source: &GatewayResponse) -> Self {
        Self {
            status: source.status,
            headers: headers(&source.parameters, From::MethodRequest),
            templates: source.templates.iter().map(|(kind, text)| (kind.clone(), text.clone())).collect(),
        }
    }
}

impl MethodPlan {
    fn new(method: &Method, frozen: &FrozenRest, models: &Models) -> Self {
        let Some(source) = method.source() else { return Self::default() };
        let validation = Validation::read(source, frozen, models);
        let Some(integration) = &source.integration else { return Self { validation, ..Self::default() } };
        let mut plan = Self {
            validation,
            templates: integration.request_templates.clone(),
            answers: integration.responses.iter().map(|(status, source)| AnswerPlan::new(*status, source)).collect(),
            ..Self::default()
        };
        plan.read_request(integration);
        plan
    }

    fn read_request(&mut self, integration: &Integration) {
        for (key, value) in &integration.request_parameters {
            match mapping::place(key).and_then(|place| Ok((place, mapping::value(From::MethodRequest, value)?))) {
                Ok(read) => self.request.push(read),
                Err(error) => self.broken = Some(error.to_string()),
            }
        }
        for (key, expression) in integration.responses.values().flat_map(|response| &response.parameters) {
            if let Err(error) = read_header(key, expression, From::IntegrationResponse) {
                self.broken.get_or_insert(error);
            }
        }
    }

    /// Whether a mapping of the request looks into its body.
    pub(crate) fn reads_body(&self) -> bool {
        self.request.iter().any(|(_, value)| matches!(value, Value::Body(_)))
    }
}

impl AnswerPlan {
    fn new(status: u16, source: &IntegrationResponse) -> Self {
        let pattern = source.selection_pattern.as_deref().filter(|pattern| !pattern.is_empty());
        Self {
            status,
            pattern: pattern.map(whole),
            headers: headers(&source.parameters, From::IntegrationResponse),
            templates: source.templates.clone(),
            handling: source.content_handling,
        }
    }
}

/// A pattern that the whole text must match, as Java matches. One that is no pattern here matches nothing.
fn whole(pattern: &str) -> Regex {
    let built = RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(SELECTION_PATTERN_BYTES_MAX).build();
    // Two anchors in the wrong order: a pattern that is known and never matches.
    built.unwrap_or_else(|_| Regex::new("$.^").expect("a fixed pattern"))
}

fn read_header(key: &str, value: &str, from: From) -> Result<(HeaderName, Value), String> {
    let name = mapping::answer_header(key).map_err(|error| error.to_string())?;
    let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
    Ok((name, mapping::value(from, value).map_err(|error| error.to_string())?))
}

fn headers(source: &BTreeMap<String, String>, from: From) -> Vec<(HeaderName, Value)> {
    source.iter().filter_map(|(key, value)| read_header(key, value, from).ok()).collect()
}
