//! Integrations of methods: HTTP, HTTP_PROXY and MOCK (REST API reference, "Integration"; REST API developer guide, "Private
//! integrations", 2026-11). AWS and AWS_PROXY call AWS services and Lambda functions, which are not here. How one is
//! reached is `connection`'s, responses are `integration_response`'s.

use std::collections::BTreeMap;

use topology::resource::rest_api::{
    ContentHandling, Integration, IntegrationType, Method, PassthroughBehavior, ResponseTransferMode, RestConnection,
};
use wire::Fault;
use wire::apigateway as shapes;

use super::method;
use super::patch::{ENTRY, MEMBER, REPLACE, Rule, Sentence, Table};
use super::{NO_CONTENT_TYPE, NO_PARAMETER, connection, expression, fault, integration_response, template};
use crate::context::Context;

/// Milliseconds that a backend may take (REST API quotas, 2026-11).
const TIMEOUT_MS: std::ops::RangeInclusive<u32> = 50..=29_000;
/// What it may take when nothing is said.
pub(super) const TIMEOUT_MS_DEFAULT: u32 = 29_000;

const TYPES: [(&str, IntegrationType); 3] =
    [("HTTP", IntegrationType::Http), ("HTTP_PROXY", IntegrationType::HttpProxy), ("MOCK", IntegrationType::Mock)];
const BEHAVIORS: [(&str, PassthroughBehavior); 3] = [
    ("WHEN_NO_MATCH", PassthroughBehavior::WhenNoMatch),
    ("WHEN_NO_TEMPLATES", PassthroughBehavior::WhenNoTemplates),
    ("NEVER", PassthroughBehavior::Never),
];
const MODES: [(&str, ResponseTransferMode); 2] =
    [("BUFFERED", ResponseTransferMode::Buffered), ("STREAM", ResponseTransferMode::Stream)];
pub(super) const HANDLINGS: [(&str, ContentHandling); 2] =
    [("CONVERT_TO_BINARY", ContentHandling::ConvertToBinary), ("CONVERT_TO_TEXT", ContentHandling::ConvertToText)];

/// The choice that is written so, where the model or this table has checked it.
pub(super) fn chosen<T: Copy>(choices: &[(&str, T)], text: Option<&str>) -> Option<T> {
    choices.iter().find(|(name, _)| Some(*name) == text).map(|(_, choice)| *choice)
}

/// How a choice is written.
pub(super) fn written<T: PartialEq>(choices: &[(&str, T)], choice: &T) -> Option<String> {
    choices.iter().find(|(_, known)| known == choice).map(|(name, _)| (*name).to_owned())
}

/// An integration as it was asked for, before its references are known to lead somewhere.
struct Wanted {
    connection_type: Option<String>,
    connection_id: Option<String>,
    target: Option<String>,
    rest: Integration,
}

pub(super) fn put(
    context: &mut Context<'_>,
    input: shapes::PutIntegrationRequest,
) -> Result<shapes::Integration, Fault> {
    let at = method::place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
    let mut method = method::known(context, at)?.clone();
    let integration = wanted(context, input)?.checked(context, &method)?;
    let shown = render(&integration);
    method.integration = Some(integration);
    method::insert(context, at, method);
    Ok(shown)
}

fn wanted(context: &Context<'_>, input: shapes::PutIntegrationRequest) -> Result<Wanted, Fault> {
    let kind = chosen(&TYPES, Some(&input.type_)).ok_or_else(|| {
        fault::unsupported(&format!("the integration type {} (AWS services and Lambda functions)", input.type_))
    })?;
    if input.credentials.is_some() {
        return Err(fault::unsupported("credentials (roles for AWS integrations)"));
    }
    let behavior = input.passthrough_behavior.as_deref();
    let passthrough_behavior = match behavior {
        None => PassthroughBehavior::default(),
        Some(text) => chosen(&BEHAVIORS, behavior).ok_or_else(|| {
            fault::bad_request(format!(
                "Invalid passthroughBehavior specified: {text}. Valid options are WHEN_NO_MATCH,WHEN_NO_TEMPLATES,NEVER"
            ))
        })?,
    };
    Ok(Wanted {
        connection_type: input.connection_type,
        connection_id: input.connection_id,
        target: input.integration_target,
        rest: Integration {
            kind,
            http_method: input.integration_http_method.filter(|method| !method.is_empty()),
            uri: input.uri.unwrap_or_default(),
            connection: RestConnection::Internet,
            request_parameters: input.request_parameters.unwrap_or_default(),
            request_templates: template::wanted(context, input.request_templates),
            passthrough_behavior,
            cache_namespace: input.cache_namespace.unwrap_or(input.resource_id),
            cache_key_parameters: input.cache_key_parameters.unwrap_or_default(),
            content_handling: chosen(&HANDLINGS, input.content_handling.as_deref()),
            timeout_ms: input.timeout_in_millis.map(timeout).transpose()?.unwrap_or(TIMEOUT_MS_DEFAULT),
            insecure_skip_verification: input.tls_config.map(|tls| tls.insecure_skip_verification.unwrap_or(false)),
            response_transfer_mode: chosen(&MODES, input.response_transfer_mode.as_deref()).unwrap_or_default(),
            responses: BTreeMap::new(),
        },
    })
}

fn timeout(ms: i64) -> Result<u32, Fault> {
    let fits = u32::try_from(ms).ok().filter(|ms| TIMEOUT_MS.contains(ms));
    fits.ok_or_else(|| {
        let (least, most) = (TIMEOUT_MS.start(), TIMEOUT_MS.end());
        fault::bad_request(format!("Timeout should be between {least} ms and {most} ms"))
    })
}

impl Wanted {
    fn of(integration: &Integration) -> Self {
        let (connection_type, connection_id, target) = match &integration.connection {
            RestConnection::Internet => ("INTERNET", None, None),
            RestConnection::VpcLink { id, target } => ("VPC_LINK", Some(id.clone()), target.clone()),
        };
        let connection_type = Some(connection_type.to_owned());
        Self { connection_type, connection_id, target, rest: integration.clone() }
    }

    /// The integration, once it is whole and everything that it refers to is there.
    fn checked(self, context: &mut Context<'_>, method: &Method) -> Result<Integration, Fault> {
        let connection = connection::checked(context, (self.connection_type, self.connection_id, self.target))?;
        let rest = self.rest;
        match &rest.http_method {
            Some(name) => {
                method::method_name(name)?;
            }
            None if rest.kind == IntegrationType::Mock => {}
            None => return Err(fault::bad_request("Enumeration value for HttpMethod must be non-empty")),
        }
        if rest.kind != IntegrationType::Mock {
            check_uri(&rest.uri)?;
        }
        if rest.response_transfer_mode == ResponseTransferMode::Stream && rest.kind != IntegrationType::HttpProxy {
            return Err(fault::bad_request("Response transfer mode STREAM is only supported for proxy integrations"));
        }
        template::check(&rest)?;
        expression::check_request(&rest.request_parameters, &method.request_parameters)?;
        Ok(Integration { connection, ..rest })
    }
}

/// An absolute URL. Its host may stand in a stage variable, and its path may have places.
fn check_uri(uri: &str) -> Result<(), Fault> {
    let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://")).unwrap_or_default();
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let spelled = !host.is_empty() && uri.bytes().all(|b| b.is_ascii_graphic());
    if spelled { Ok(()) } else { Err(fault::bad_request("Invalid HTTP endpoint specified for URI")) }
}

/// The integration of a method.
pub(super) fn known<'c>(context: &'c Context<'_>, at: method::MethodKey) -> Result<&'c Integration, Fault> {
    method::known(context, at)?.integration.as_ref().ok_or_else(fault::no_integration)
}

pub(super) fn get(context: &Context<'_>, api: &str, at: (&str, &str)) -> Result<shapes::Integration, Fault> {
    known(context, method::place(context, api, at)?).map(render)
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateIntegrationRequest,
) -> Result<shapes::Integration, Fault> {
    let at = method::place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
    let mut wanted = Wanted::of(known(context, at)?);
    PATHS.apply(context, &mut wanted, input.patch_operations)?;
    let mut method = method::known(context, at)?.clone();
    let integration = wanted.checked(context, &method)?;
    let shown = render(&integration);
    method.integration = Some(integration);
    method::insert(context, at, method);
    Ok(shown)
}

const PATHS: Table<Wanted> = Table {
    rules: &[
        Rule::new("/httpMethod", REPLACE, |_, wanted, change| {
            wanted.rest.http_method = change.optional();
            Ok(())
        }),
        Rule::new("/uri", REPLACE, |_, wanted, change| {
            wanted.rest.uri = change.text().to_owned();
            Ok(())
        }),
        Rule::new("/connectionType", REPLACE, |_, wanted, change| {
            let kind = change.one_of(&[("INTERNET", "INTERNET"), ("VPC_LINK", "VPC_LINK")])?;
            if kind == "INTERNET" {
                (wanted.connection_id, wanted.target) = (None, None);
            }
            wanted.connection_type = Some(kind.to_owned());
            Ok(())
        }),
        Rule::new("/connectionId", REPLACE, |_, wanted, change| {
            wanted.connection_id = change.optional();
            Ok(())
        }),
        Rule::new("/integrationTarget", REPLACE, |_, wanted, change| {
            wanted.target = change.optional();
            Ok(())
        }),
        Rule::new("/passthroughBehavior", REPLACE, |_, wanted, change| {
            wanted.rest.passthrough_behavior = change.one_of(&BEHAVIORS)?;
            Ok(())
        }),
        Rule::new("/contentHandling", REPLACE, |_, wanted, change| {
            wanted.rest.content_handling = change.optional().map(|_| change.one_of(&HANDLINGS)).transpose()?;
            Ok(())
        }),
        Rule::new("/timeoutInMillis", REPLACE, |_, wanted, change| {
            wanted.rest.timeout_ms = timeout(change.parsed()?)?;
            Ok(())
        }),
        Rule::new("/cacheNamespace", REPLACE, |_, wanted, change| {
            wanted.rest.cache_namespace = change.text().to_owned();
            Ok(())
        }),
        Rule::new("/cacheKeyParameters/{name}", MEMBER, |_, wanted, change| {
            change.edit_list(&mut wanted.rest.cache_key_parameters, change.key());
            Ok(())
        }),
        Rule::texts("/requestParameters/{name}", |wanted| &mut wanted.rest.request_parameters, NO_PARAMETER),
        Rule::new("/requestTemplates/{type}", ENTRY, |context, wanted, change| {
            let template = context.objects.template(change.text());
            change.edit(&mut wanted.rest.request_templates, template, NO_CONTENT_TYPE)
        }),
        Rule::new("/tlsConfig/insecureSkipVerification", REPLACE, |_, wanted, change| {
            wanted.rest.insecure_skip_verification = Some(change.flag());
            Ok(())
        }),
        Rule::new("/responseTransferMode", REPLACE, |_, wanted, change| {
            wanted.rest.response_transfer_mode = change.one_of(&MODES)?;
            Ok(())
        }),
        Rule::new("/credentials", REPLACE, |_, _, _| {
            Err(fault::unsupported("credentials (roles for AWS integrations)"))
        }),
    ],
    sentence: Sentence::Listed,
};

pub(super) fn delete(context: &mut Context<'_>, api: &str, at: (&str, &str)) -> Result<(), Fault> {
    let at = method::place(context, api, at)?;
    known(context, at)?;
    let mut method = method::known(context, at)?.clone();
    method.integration = None;
    method::insert(context, at, method);
    Ok(())
}

pub(super) fn render(integration: &Integration) -> shapes::Integration {
    let (connection_type, connection_id, target) = match &integration.connection {
        RestConnection::Internet => ("INTERNET", None, None),
        RestConnection::VpcLink { id, target } => ("VPC_LINK", Some(id.clone()), target.clone()),
    };
    let responses = integration.responses.iter();
    let responses: BTreeMap<_, _> = responses
        .map(|(status, response)| (status.to_string(), integration_response::render(*status, response)))
        .collect();
    let is_http = integration.kind != IntegrationType::Mock;
    let some = |map: &BTreeMap<String, String>| Some(map.clone()).filter(|map| !map.is_empty());
    shapes::Integration {
        cache_key_parameters: Some(integration.cache_key_parameters.clone()),
        cache_namespace: Some(integration.cache_namespace.clone()),
        connection_id,
        connection_type: is_http.then(|| connection_type.to_owned()),
        content_handling: integration.content_handling.and_then(|handling| written(&HANDLINGS, &handling)),
        http_method: integration.http_method.clone(),
        integration_responses: Some(responses).filter(|responses| !responses.is_empty()),
        integration_target: target,
        passthrough_behavior: written(&BEHAVIORS, &integration.passthrough_behavior),
        request_parameters: some(&integration.request_parameters),
        request_templates: template::shown(&integration.request_templates),
        response_transfer_mode: written(&MODES, &integration.response_transfer_mode),
        timeout_in_millis: Some(i64::from(integration.timeout_ms)),
        tls_config: integration
            .insecure_skip_verification
            .map(|skip| shapes::TlsConfig { insecure_skip_verification: Some(skip) }),
        type_: written(&TYPES, &integration.kind),
        uri: Some(integration.uri.clone()).filter(|uri| !uri.is_empty()),
    }
}
