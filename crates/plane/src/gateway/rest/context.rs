//! What is known of a request to a REST API besides what every request has: its method as it was deployed, its parameters, its
//! API key, and what its refusal says in particular. The steps of `gateway::rest` fill it in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use topology::id::ApiKeyId;
use topology::path::pairs;
use topology::snapshot::rest::{Deployment, Method, Stage};
use topology::snapshot::routes::{RouteKey, Segment, path_parameter};
use topology::variable::Known;

use super::log::{self, Log};
use crate::http::percent::decode;
use crate::http1::spelling::Spelling;
use crate::readied::Readied;
use crate::vtl::Params;

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A client, to a stage.
    Client,
    /// Nobody: it is a trial of a method (see `trial`).
    Trial,
}

/// One request to a REST API.
#[derive(Debug)]
pub(crate) struct RestContext<'w> {
    /// Who sent it.
    pub(crate) sender: Sender,
    /// What its stage has.
    pub(crate) stage: &'w Stage,
    /// What is served.
    pub(crate) deployment: &'w Deployment,
    /// What was read of that.
    pub(crate) readied: &'w Arc<Readied>,
    /// Whether the stage's canary serves; unsaid where it has none.
    pub(crate) is_canary: Option<bool>,
    /// The method, once matched.
    pub(crate) method: Option<&'w Method>,
    /// Its parameters, decoded.
    pub(crate) params: Params,
    /// Its path parameters, as they were sent.
    pub(crate) raw_path_params: Vec<(String, String)>,
    /// The API key that was sent.
    pub(crate) key_value: Option<String>,
    /// Its id.
    pub(crate) key: Option<ApiKeyId>,
    /// What the client is told in particular.
    pub(crate) message: Option<String>,
    /// What validation found.
    pub(crate) validation: Option<String>,
    /// The trace id, as it was sent on.
    pub(crate) trace_id: Option<HeaderValue>,
    /// What templates set below `$context.requestOverride` and `$context.responseOverride`.
    pub(crate) overrides: BTreeMap<String, String>,
    /// What its execution log says, where it has one.
    pub(crate) log: Option<Log>,
}

impl<'w> RestContext<'w> {
    /// A request whose stage was found.
    pub(super) fn new(
        stage: &'w Stage,
        (deployment, readied): (&'w Deployment, &'w Arc<Readied>),
        is_canary: Option<bool>,
        (headers, spelling, query): (&HeaderMap, &Spelling, &str),
    ) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let names = spelling.names();
        let spelled = |name: &HeaderName, value: &HeaderValue| (names.spelled(name).to_owned(), text(value));
        let lines = spelling.lines().iter().map(|(name, value)| spelled(&name, value));
        let header = headers.iter().map(|(name, value)| spelled(name, value)).chain(lines);
        let querystring = pairs(query).map(|(name, value)| (decode(name).into_owned(), decode(value).into_owned()));
        Self {
            sender: Sender::Client,
            stage,
            deployment,
            readied,
            is_canary,
            method: None,
            params: Params { path: Vec::new(), querystring: querystring.collect(), header: header.collect() },
            raw_path_params: Vec::new(),
            key_value: None,
            key: None,
            message: None,
            validation: None,
            trace_id: None,
            overrides: BTreeMap::new(),
            log: None,
        }
    }

    /// The method was matched: its key takes the path apart.
    pub(super) fn matched(&mut self, method: &'w Method, key: &RouteKey, path: &str) {
        self.method = Some(method);
        let RouteKey::Path { path: segments, .. } = key else { return };
        // A slash at the end counts for nothing.
        let path = path.strip_suffix('/').unwrap_or(path);
        for segment in segments {
            let (Segment::Variable(name) | Segment::Greedy(name)) = segment else { continue };
            let raw = path_parameter(key, path, name).unwrap_or_default();
            self.raw_path_params.push((name.clone(), raw.to_owned()));
            self.params.path.push((name.clone(), percent_decoded(raw)));
        }
    }

    /// Adds a line to the execution log.
    pub(super) fn say(&mut self, text: &str) {
        self.log.iter_mut().for_each(|log| log.line(text));
    }

    /// Adds a line that shows what was sent.
    pub(super) fn show(&mut self, what: &str, text: impl Fn() -> String) {
        self.log.iter_mut().for_each(|log| log.data(what, &text));
    }

    /// The client's request, where it may be shown.
    pub(super) fn say_request(&mut self) {
        let Some(log) = &mut self.log else { return };
        log.data("Method request path", || log::pairs(&self.params.path));
        log.data("Method request query string", || log::pairs(&self.params.querystring));
        log.data("Method request headers", || log::pairs(&self.params.header));
    }

    /// The last line of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        last(&self.params.header, |other| other.eq_ignore_ascii_case(name))
    }

    /// What a variable is worth that is fixed for trials, if it is one and this is a trial: a value, or none.
    pub(crate) fn of_trial(&self, known: Known) -> Option<Option<Cow<'_, str>>> {
        match self.sender {
            Sender::Client => None,
            Sender::Trial => of_trial(self, known),
        }
    }

    /// What a variable is worth that only REST APIs have.
    pub(crate) fn variable(&self, known: Known) -> Option<Cow<'_, str>> {
        let owned = |text: String| Some(Cow::Owned(text));
        match known {
            Known::ApiKey => self.key_value.as_deref().map(Cow::Borrowed),
            Known::ApiKeyId => owned(self.key?.to_string()),
            Known::DeploymentId => owned(self.deployment.source.id.to_string()),
            Known::IsCanaryRequest => owned(self.is_canary?.to_string()),
            Known::ResourceId => owned(self.method?.at.resource.to_string()),
            Known::ResourcePath => self.method.map(|method| Cow::Borrowed(method.path.as_str())),
            Known::ValidationErrorString => self.validation.as_deref().map(Cow::Borrowed),
            Known::XrayTraceId => self.trace_id.as_ref()?.to_str().ok().map(Cow::Borrowed),
            _ => None,
        }
    }
}

/// The value that counts of those under one name.
pub(super) fn last(pairs: &[(String, String)], is_named: impl Fn(&str) -> bool) -> Option<&str> {
    pairs.iter().rev().find(|(name, _)| is_named(name)).map(|(_, value)| value.as_str())
}

/// A part of a path, decoded: a plus is a plus.
fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What a variable is worth that has the same value in every trial, or none; unsaid where it is worth what it always is.
fn of_trial<'r>(rest: &'r RestContext<'_>, known: Known) -> Option<Option<Cow<'r, str>>> {
    let fixed = |text: &'static str| Some(Some(Cow::Borrowed(text)));
    match known {
        Known::SourceIp => fixed("test-invoke-source-ip"),
        Known::ApiKey => fixed("test-invoke-api-key"),
        Known::ApiKeyId => fixed("test-invoke-api-key-id"),
        Known::DomainName => fixed("testPrefix.testDomainName"),
        Known::DomainPrefix => fixed("testPrefix"),
        Known::Path => Some(rest.method.map(|method| Cow::Borrowed(method.path.as_str()))),
        // Nothing was deployed, and no authorizer was asked.
        Known::DeploymentId | Known::AuthorizerPrincipalId => Some(None),
        _ => None,
    }
}
