//! Custom domain names and API mappings: records until the public listener speaks TLS.

use topology::id::ApiMappingId;
use topology::resource::http_api::{ApiMapping, DomainName};
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{fault, known_api, tags};
use crate::context::Context;
use crate::ops::acm;

/// The longest mapping key (HTTP API developer guide, "Use API mappings", 2026-11).
const MAPPING_KEY_BYTES_MAX: usize = 300;
/// A hosted zone id like AWS's: one for each region there, one for all here.
const HOSTED_ZONE: &str = "Z1UJRXOUMOOFQ8";

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateDomainNameRequest,
) -> Result<shapes::DomainName, Fault> {
    let name = input.domain_name.to_ascii_lowercase();
    check_name(&name)?;
    check_routing(input.routing_mode.as_deref())?;
    if context.estate().domain_names.contains(&name) {
        return Err(fault::conflict("The domain name you provided already exists."));
    }
    let blank = DomainName {
        name: name.clone(),
        certificate_arn: String::new(),
        security_policy: "TLS_1_2".to_owned(),
        ip_address_type: "ipv4".to_owned(),
        target_label: format!("d-{}", topology::id::ApiId::from_bits(context.mint.bits())),
        tags: tags::checked(input.tags.unwrap_or_default())?,
    };
    let domain = configured(context, blank, input.domain_name_configurations.unwrap_or_default())?;
    if domain.certificate_arn.is_empty() {
        return Err(fault::bad_request("A certificate ARN must be specified"));
    }
    context.edit().domain_names.insert(name.clone(), domain);
    get(context, &name)
}

fn check_name(name: &str) -> Result<(), Fault> {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if rest.contains('.') && rest.len() <= 253 && rest.split('.').all(label) {
        return Ok(());
    }
    Err(fault::bad_request(format!("Invalid domain name: {name}")))
}

fn check_routing(mode: Option<&str>) -> Result<(), Fault> {
    match mode {
        None | Some("API_MAPPING_ONLY") => Ok(()),
        Some(other) => Err(fault::unsupported(&format!("routingMode {other}"))),
    }
}

fn configured(
    context: &Context<'_>,
    mut domain: DomainName,
    configurations: Vec<shapes::DomainNameConfiguration>,
) -> Result<DomainName, Fault> {
    let mut configurations = configurations.into_iter();
    let Some(configuration) = configurations.next() else { return Ok(domain) };
    if configurations.next().is_some() {
        return Err(fault::bad_request("Exactly one domain name configuration is supported for HTTP APIs"));
    }
    if configuration.endpoint_type.as_deref().is_some_and(|kind| kind != "REGIONAL") {
        return Err(fault::bad_request("Only REGIONAL endpoints are supported for HTTP APIs"));
    }
    if configuration.security_policy.as_deref().is_some_and(|policy| policy != "TLS_1_2") {
        return Err(fault::bad_request("Only the security policy TLS_1_2 is supported for HTTP APIs"));
    }
    if let Some(arn) = configuration.certificate_arn {
        if !acm::is_imported(context, &arn) {
            return Err(fault::bad_request(format!("The provided certificate does not exist: {arn}")));
        }
        domain.certificate_arn = arn;
    }
    if let Some(kind) = configuration.ip_address_type {
        domain.ip_address_type = kind;
    }
    Ok(domain)
}

pub(super) fn get(context: &Context<'_>, name: &str) -> Result<shapes::DomainName, Fault> {
    let domain = context.estate().domain_names.get(&name.to_ascii_lowercase());
    domain.map(|domain| render(context, domain)).ok_or_else(|| fault::not_found("domain name", name))
}

pub(super) fn list(context: &Context<'_>) -> Vec<shapes::DomainName> {
    context.estate().domain_names.values().map(|domain| render(context, domain)).collect()
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateDomainNameRequest,
) -> Result<shapes::DomainName, Fault> {
    let name = input.domain_name.to_ascii_lowercase();
    check_routing(input.routing_mode.as_deref())?;
    let before = context.estate().domain_names.get(&name).cloned();
    let before = before.ok_or_else(|| fault::not_found("domain name", &name))?;
    let configurations = input.domain_name_configurations.unwrap_or_default();
    let domain = configured(context, DomainName::clone(&before), configurations)?;
    context.edit().domain_names.insert(name.clone(), domain);
    get(context, &name)
}

pub(super) fn delete(context: &mut Context<'_>, name: &str) -> Result<(), Fault> {
    let name = name.to_ascii_lowercase();
    if context.edit().domain_names.remove(&name).is_none() {
        return Err(fault::not_found("domain name", &name));
    }
    let estate = context.edit();
    let gone: Vec<_> = estate.api_mappings.values().filter(|m| m.domain_name == name).map(|m| m.id).collect();
    for id in gone {
        estate.api_mappings.remove(&id);
    }
    Ok(())
}

pub(super) fn create_mapping(
    context: &mut Context<'_>,
    input: shapes::CreateApiMappingRequest,
) -> Result<shapes::ApiMapping, Fault> {
    let domain = input.domain_name.to_ascii_lowercase();
    get(context, &domain)?;
    let id = ApiMappingId::from_bits(context.mint.bits());
    let api = known_api(context, &input.api_id)?;
    let mapping =
        ApiMapping { id, domain_name: domain, api, stage: input.stage, key: input.api_mapping_key.unwrap_or_default() };
    put_mapping(context, mapping)
}

fn put_mapping(context: &mut Context<'_>, mapping: ApiMapping) -> Result<shapes::ApiMapping, Fault> {
    let key = &mapping.key;
    let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"$-_.+!*'()/".contains(&b));
    if !plain || key.len() > MAPPING_KEY_BYTES_MAX {
        return Err(fault::bad_request("Invalid API mapping key"));
    }
    if !context.estate().stages.contains(&(mapping.api, mapping.stage.clone())) {
        return Err(fault::bad_request("Invalid stage identifier specified"));
    }
    let same =
        |other: &ApiMapping| other.domain_name == mapping.domain_name && other.key == *key && other.id != mapping.id;
    if context.estate().api_mappings.values().any(|other| same(other)) {
        return Err(fault::conflict("ApiMapping key already exists for this domain name"));
    }
    let shape = render_mapping(&mapping);
    context.edit().api_mappings.insert(mapping.id, mapping);
    Ok(shape)
}

fn known_mapping(context: &Context<'_>, domain: &str, id: &str) -> Result<ApiMapping, Fault> {
    let domain = domain.to_ascii_lowercase();
    let mapping = id.parse().ok().and_then(|id| context.estate().api_mappings.get(&id));
    let mapping = mapping.filter(|mapping| mapping.domain_name == domain);
    mapping.map(|mapping| ApiMapping::clone(mapping)).ok_or_else(|| fault::not_found("ApiMapping", id))
}

pub(super) fn get_mapping(context: &Context<'_>, domain: &str, id: &str) -> Result<shapes::ApiMapping, Fault> {
    known_mapping(context, domain, id).map(|mapping| render_mapping(&mapping))
}

pub(super) fn list_mappings(context: &Context<'_>, domain: &str) -> Result<Vec<shapes::ApiMapping>, Fault> {
    let name = get(context, domain)?.domain_name;
    let mappings = context.estate().api_mappings.values().filter(|mapping| mapping.domain_name == name);
    Ok(mappings.map(|mapping| render_mapping(mapping)).collect())
}

pub(super) fn update_mapping(
    context: &mut Context<'_>,
    input: shapes::UpdateApiMappingRequest,
) -> Result<shapes::ApiMapping, Fault> {
    let mut mapping = known_mapping(context, &input.domain_name, &input.api_mapping_id)?;
    mapping.api = known_api(context, &input.api_id)?;
    mapping.stage = input.stage.unwrap_or(mapping.stage);
    mapping.key = input.api_mapping_key.unwrap_or(mapping.key);
    put_mapping(context, mapping)
}

pub(super) fn delete_mapping(context: &mut Context<'_>, domain: &str, id: &str) -> Result<(), Fault> {
    let mapping = known_mapping(context, domain, id)?;
    context.edit().api_mappings.remove(&mapping.id);
    Ok(())
}

fn render_mapping(mapping: &ApiMapping) -> shapes::ApiMapping {
    shapes::ApiMapping {
        api_id: mapping.api.to_string(),
        api_mapping_id: Some(mapping.id.to_string()),
        api_mapping_key: Some(mapping.key.clone()),
        stage: mapping.stage.clone(),
    }
}

fn render(context: &Context<'_>, domain: &DomainName) -> shapes::DomainName {
    let region = context.region();
    let configuration = shapes::DomainNameConfiguration {
        api_gateway_domain_name: Some(format!("{}.execute-api.{region}.amazonaws.com", domain.target_label)),
        certificate_arn: Some(domain.certificate_arn.clone()),
        certificate_name: None,
        certificate_upload_date: None,
        domain_name_status: Some("AVAILABLE".to_owned()),
        domain_name_status_message: None,
        endpoint_type: Some("REGIONAL".to_owned()),
        hosted_zone_id: Some(HOSTED_ZONE.to_owned()),
        ip_address_type: Some(domain.ip_address_type.clone()),
        security_policy: Some(domain.security_policy.clone()),
    };
    shapes::DomainName {
        api_mapping_selection_expression: Some("$request.basepath".to_owned()),
        domain_name: domain.name.clone(),
        domain_name_arn: Some(format!("arn:aws:apigateway:{region}::/domainnames/{}", domain.name)),
        domain_name_configurations: Some(vec![configuration]),
        routing_mode: Some("API_MAPPING_ONLY".to_owned()),
        tags: Some(domain.tags.clone()),
    }
}
