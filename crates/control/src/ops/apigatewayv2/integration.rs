//! Integrations of an HTTP API: `HTTP_PROXY`, over the internet or through a VPC link.

use std::collections::BTreeMap;

use topology::arn::{ElbArn, ElbResource};
use topology::endpoint::Endpoint;
use topology::id::{ApiId, IntegrationId, VpcLinkId};
use topology::mapping::{self, MappingError, Side};
use topology::reason::Reason;
use topology::resource::http_api::{Integration, IntegrationConnection};
use topology::snapshot::routes::Method;
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{deployment, fault, known_api};
use crate::context::{ApiRefusal, Context};

/// 30 s when no timeout is given (HTTP API quotas, 2026-11).
const TIMEOUT_DEFAULT_MS: i64 = 30_000;
/// Mappings of one message. AWS documents no bound; this one is far above any use.
const MAPPINGS_MAX: usize = 256;
const NOT_A_LISTENER: &str =
    "For VpcLink VPC_LINK, integration uri should be a valid ELB listener ARN or a valid Cloud Map service ARN.";

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateIntegrationRequest,
) -> Result<shapes::Integration, Fault> {
    let api = known_api(context, &input.api_id)?;
    let id = context.fresh(IntegrationId::from_bits, |estate, id| estate.integrations.contains(id));
    let blank = blank(id, api);
    let wanted = Wanted {
        kind: Some(input.integration_type),
        connection_type: Some(input.connection_type.unwrap_or_else(|| "INTERNET".to_owned())),
        connection_id: input.connection_id,
        uri: input.integration_uri,
        method: input.integration_method,
        payload_format_version: input.payload_format_version,
        timeout_ms: Some(input.timeout_in_millis.unwrap_or(TIMEOUT_DEFAULT_MS)),
        request_parameters: input.request_parameters,
        response_parameters: input.response_parameters,
        tls: input.tls_config,
        description: input.description,
    };
    let integration = wanted.apply(context, blank)?;
    context.edit().integrations.insert(id, integration);
    deployment::after_change(context, api);
    get(context, &input.api_id, &id.to_string())
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateIntegrationRequest,
) -> Result<shapes::Integration, Fault> {
    let api = known_api(context, &input.api_id)?;
    let id = known_integration(context, api, &input.integration_id)?;
    let before = context.estate().integrations.get(&id).cloned();
    let before = before.ok_or_else(|| fault::not_found("Integration", &input.integration_id))?;
    let wanted = Wanted {
        kind: input.integration_type,
        connection_type: input.connection_type,
        connection_id: input.connection_id,
        uri: input.integration_uri,
        method: input.integration_method,
        payload_format_version: input.payload_format_version,
        timeout_ms: input.timeout_in_millis,
        request_parameters: input.request_parameters,
        response_parameters: input.response_parameters,
        tls: input.tls_config,
        description: input.description,
    };
    let integration = wanted.apply(context, Integration::clone(&before))?;
    context.edit().integrations.insert(id, integration);
    deployment::after_change(context, api);
    get(context, &input.api_id, &input.integration_id)
}

/// What a request says; `None` leaves what is there.
struct Wanted {
    kind: Option<String>,
    connection_type: Option<String>,
    connection_id: Option<String>,
    uri: Option<String>,
    method: Option<String>,
    payload_format_version: Option<String>,
    timeout_ms: Option<i64>,
    request_parameters: Option<BTreeMap<String, String>>,
    response_parameters: Option<BTreeMap<String, BTreeMap<String, String>>>,
    tls: Option<shapes::TlsConfigInput>,
    description: Option<String>,
}

impl Wanted {
    fn apply(self, context: &mut Context<'_>, before: Integration) -> Result<Integration, Fault> {
        self.refuse_unsupported()?;
        let connection_id = self.connection_id.or(match &before.connection {
            IntegrationConnection::VpcLink(id) => Some(id.clone()),
            IntegrationConnection::Internet => None,
        });
        let connection = match self.connection_type.as_deref() {
            Some("INTERNET") => IntegrationConnection::Internet,
            None if before.connection == IntegrationConnection::Internet => IntegrationConnection::Internet,
            _ => IntegrationConnection::VpcLink(known_link(context, connection_id)?),
        };
        let uri = self.uri.unwrap_or(before.uri);
        check_uri(context, &connection, &uri)?;
        let method = self.method.unwrap_or(before.method);
        if method.is_empty() {
            return Err(fault::bad_request("HttpMethod must be specified for integrations of type HTTP_PROXY"));
        }
        if method != "ANY" && Method::from_name(&method).is_none() {
            let text = "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY";
            return Err(fault::bad_request(text));
        }
        let mut request_parameters = before.request_parameters;
        merge(Side::Request, &mut request_parameters, self.request_parameters.unwrap_or_default())?;
        let mut response_parameters = before.response_parameters;
        for (status, mappings) in self.response_parameters.unwrap_or_default() {
            mapping::status(&status).map_err(|error| fault::bad_request(error.to_string()))?;
            if mappings.is_empty() {
                response_parameters.remove(&status);
                continue;
            }
            let known = response_parameters.entry(status.clone()).or_default();
            merge(Side::Response, known, mappings)?;
            if known.is_empty() {
                response_parameters.remove(&status);
            }
        }
        let tls = match self.tls {
            None => before.tls_server_name,
            Some(tls) => tls.server_name_to_verify.filter(|name| !name.is_empty()),
        };
        if tls.is_some() && connection == IntegrationConnection::Internet {
            // The URL says whether TLS is spoken, and to whom.
            return Err(fault::bad_request("TlsConfig is only valid for connectionType VPC_LINK"));
        }
        Ok(Integration {
            connection,
            uri,
            method,
            request_parameters,
            response_parameters,
            tls_server_name: tls,
            payload_format_version: self.payload_format_version.unwrap_or(before.payload_format_version),
            // The model admits 50 to 30,000.
            timeout_ms: self.timeout_ms.and_then(|ms| u32::try_from(ms).ok()).unwrap_or(before.timeout_ms),
            description: self.description.or(before.description).filter(|text| !text.is_empty()),
            id: before.id,
            api: before.api,
            managed: before.managed,
        })
    }

    fn refuse_unsupported(&self) -> Result<(), Fault> {
        match self.kind.as_deref() {
            None | Some("HTTP_PROXY") => {}
            Some("AWS_PROXY") => return Err(fault::unsupported("integrationType AWS_PROXY")),
            Some(other) => {
                return Err(fault::bad_request(format!("IntegrationType {other} is not valid for protocolType HTTP")));
            }
        }
        if self.payload_format_version.as_deref().is_some_and(|version| version != "1.0") {
            return Err(fault::bad_request("PayloadFormatVersion of an HTTP_PROXY integration must be 1.0"));
        }
        Ok(())
    }
}

/// Merges mappings as a PATCH does: an empty value takes one that is there away.
fn merge(side: Side, known: &mut BTreeMap<String, String>, wanted: BTreeMap<String, String>) -> Result<(), Fault> {
    for (key, value) in wanted {
        let removal = key.starts_with("remove:") && !known.contains_key(&key);
        if value.is_empty() && !removal {
            known.remove(&key);
            continue;
        }
        mapping::parse(side, &key, &value).map_err(|error| bad_mapping(&error))?;
        known.insert(key, value);
    }
    if known.len() > MAPPINGS_MAX {
        return Err(fault::bad_request(format!("An integration can have at most {MAPPINGS_MAX} parameter mappings")));
    }
    Ok(())
}

/// What an integration is before the request has said anything.
fn blank(id: IntegrationId, api: ApiId) -> Integration {
    Integration {
        id,
        api,
        connection: IntegrationConnection::Internet,
        uri: String::new(),
        method: String::new(),
        payload_format_version: "1.0".to_owned(),
        timeout_ms: 0,
        request_parameters: BTreeMap::new(),
        response_parameters: BTreeMap::new(),
        tls_server_name: None,
        description: None,
        managed: false,
    }
}

fn known_link(context: &Context<'_>, id: Option<String>) -> Result<String, Fault> {
    let id = id.ok_or_else(|| fault::bad_request("ConnectionId must be specified for connectionType VPC_LINK"))?;
    let known = id.parse::<VpcLinkId>().is_ok_and(|link| context.estate().vpc_links.contains(&link));
    if known { Ok(id) } else { Err(fault::bad_request(format!("Invalid connection id {id}"))) }
}

fn check_uri(context: &mut Context<'_>, connection: &IntegrationConnection, uri: &str) -> Result<(), Fault> {
    if uri.is_empty() {
        return Err(fault::bad_request("Either integrationSubtype or integrationUri must be specified"));
    }
    match connection {
        IntegrationConnection::Internet => {
            Endpoint::parse(uri).map(|_| ()).map_err(|error| fault::bad_request(error.to_string()))
        }
        IntegrationConnection::VpcLink(_) => check_listener(context, uri),
    }
}

/// The ARN of a listener of the caller that is there, or a Cloud Map service's; for anything else the refusal names the listeners that were meant.
fn check_listener(context: &mut Context<'_>, uri: &str) -> Result<(), Fault> {
    if uri.starts_with("arn:aws:servicediscovery:") {
        return Ok(());
    }
    if let Ok(ElbArn { realm, resource: ElbResource::Listener(balancer, listener) }) = uri.parse() {
        let found = context.estate().listeners.get(&listener);
        if realm == *context.realm() && found.is_some_and(|found| found.load_balancer == balancer.id) {
            return Ok(());
        }
        let refusal =
            ApiRefusal { reason: Reason::ListenerNotFound, meant: listeners_meant(context, uri), fix: Vec::new() };
        return Err(context.refuse(refusal, fault::bad_request(NOT_A_LISTENER)));
    }
    let meant = listeners_meant(context, uri);
    let fix = meant
        .iter()
        .map(|arn| format!("aws apigatewayv2 create-integration --api-id API_ID --integration-type HTTP_PROXY --integration-method ANY --connection-type VPC_LINK --connection-id VPC_LINK_ID --payload-format-version 1.0 --integration-uri {arn}"))
        .collect();
    let refusal = ApiRefusal { reason: Reason::IntegrationTargetNotListener, meant, fix };
    Err(context.refuse(refusal, fault::bad_request(NOT_A_LISTENER)))
}

/// The listeners of the load balancer that a wrong URI names, by ARN or by DNS name.
fn listeners_meant(context: &Context<'_>, uri: &str) -> Vec<String> {
    let estate = context.estate();
    let by_arn = match uri.parse() {
        Ok(ElbArn { resource: ElbResource::LoadBalancer(name) | ElbResource::Listener(name, _), .. }) => Some(name.id),
        _ => None,
    };
    let balancer = estate.load_balancers.values().find(|lb| Some(lb.id) == by_arn || uri.contains(&lb.dns_name));
    let Some(balancer) = balancer else { return Vec::new() };
    let arn = |listener| {
        let resource = ElbResource::Listener(balancer.full_name(), listener);
        ElbArn { realm: context.realm().clone(), resource }.to_string()
    };
    estate.listeners.values().filter(|l| l.load_balancer == balancer.id).map(|l| arn(l.id)).collect()
}

fn known_integration(context: &Context<'_>, api: ApiId, id: &str) -> Result<IntegrationId, Fault> {
    let known = id.parse().ok().filter(|id| context.estate().integrations.get(id).is_some_and(|i| i.api == api));
    known.ok_or_else(|| fault::not_found("Integration", id))
}

pub(super) fn get(context: &Context<'_>, api: &str, id: &str) -> Result<shapes::Integration, Fault> {
    let known = known_integration(context, known_api(context, api)?, id)?;
    let integration = context.estate().integrations.get(&known);
    integration.map(|integration| render(integration)).ok_or_else(|| fault::not_found("Integration", id))
}

pub(super) fn list(context: &Context<'_>, api: &str) -> Result<Vec<shapes::Integration>, Fault> {
    let api = known_api(context, api)?;
    Ok(context.estate().integrations.of(api).map(|i| render(i)).collect())
}

pub(super) fn delete(context: &mut Context<'_>, api: &str, id: &str) -> Result<(), Fault> {
    let api = known_api(context, api)?;
    let known = known_integration(context, api, id)?;
    let users: Vec<String> =
        context.estate().routes.values().filter(|r| r.target == Some(known)).map(|r| r.id.to_string()).collect();
    if !users.is_empty() {
        return Err(fault::conflict(format!(
            "Cannot delete Integration because it is referenced by the following Routes with Ids: [{}]",
            users.join(", ")
        )));
    }
    context.edit().integrations.remove(&known);
    deployment::after_change(context, api);
    Ok(())
}

fn render(integration: &Integration) -> shapes::Integration {
    let (connection_type, connection_id) = match &integration.connection {
        IntegrationConnection::Internet => ("INTERNET", None),
        IntegrationConnection::VpcLink(id) => ("VPC_LINK", Some(id.clone())),
    };
    let (parameters, answers) = (&integration.request_parameters, &integration.response_parameters);
    shapes::Integration {
        api_gateway_managed: integration.managed.then_some(true),
        connection_id,
        connection_type: Some(connection_type.to_owned()),
        description: integration.description.clone(),
        integration_id: Some(integration.id.to_string()),
        integration_method: Some(integration.method.clone()),
        integration_type: Some("HTTP_PROXY".to_owned()),
        integration_uri: Some(integration.uri.clone()),
        payload_format_version: Some(integration.payload_format_version.clone()),
        request_parameters: (!parameters.is_empty()).then(|| parameters.clone()),
        response_parameters: (!answers.is_empty()).then(|| answers.clone()),
        timeout_in_millis: Some(i64::from(integration.timeout_ms)),
        tls_config: integration
            .tls_server_name
            .clone()
            .map(|name| shapes::TlsConfig { server_name_to_verify: Some(name) }),
    }
}

/// What is no mapping at all is told as a validation's result (seen on AWS); a header that none may touch, by itself.
fn bad_mapping(error: &MappingError) -> Fault {
    match error {
        MappingError::Key(_) | MappingError::Value(_) => fault::bad_request(format!(
            "Invalid mapping expression specified: Validation Result: warnings : [], errors : [{error}]"
        )),
        MappingError::Restricted(_) | MappingError::Status(_) => fault::bad_request(error.to_string()),
    }
}
