//! Custom domain names: their certificate, their trust store, and how they route.

use topology::arn::CertificateArn;
use topology::id::HostName;
use topology::resource::domain::{DomainName, RoutingMode};
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{fault, tags, truststore};
use crate::context::Context;
use crate::ops::acm;

/// A hosted zone id like AWS's: one for each region there, one for all here.
const HOSTED_ZONE: &str = "Z1UJRXOUMOOFQ8";

pub(crate) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateDomainNameRequest,
) -> Result<shapes::DomainName, Fault> {
    let name = new_name(&input.domain_name)?;
    let routing_mode = routing_mode(input.routing_mode.as_deref())?.unwrap_or_default();
    if context.estate().domain_names.contains(&name) {
        return Err(fault::conflict("The domain name you provided already exists."));
    }
    let target_label = format!("d-{}", topology::id::ApiId::from_bits(context.mint.bits()));
    let tags = tags::checked(input.tags.unwrap_or_default())?;
    let wanted = wanted(context, name.as_str(), input.domain_name_configurations.unwrap_or_default())?;
    let certificate_arn =
        wanted.certificate.ok_or_else(|| fault::bad_request("A certificate ARN must be specified"))?;
    let mut domain = DomainName {
        name: name.clone(),
        certificate_arn,
        ownership_certificate_arn: wanted.ownership_certificate,
        security_policy: "TLS_1_2".to_owned(),
        ip_address_type: wanted.ip_address_type.unwrap_or_else(|| "ipv4".to_owned()),
        mutual_tls: None,
        routing_mode,
        target_label,
        tags,
    };
    if let Some(wanted) = input.mutual_tls_authentication {
        truststore::apply(context, &mut domain, wanted)?;
    }
    context.edit().domain_names.insert(name.clone(), domain);
    get(context, name.as_str())
}

fn new_name(name: &str) -> Result<HostName, Fault> {
    let name = name.to_ascii_lowercase();
    let rest = name.strip_prefix("*.").unwrap_or(&name);
    // Invoke hosts are found by themselves; a domain name must not stand for one.
    let reserved = rest.split('.').any(|label| label == "execute-api");
    if reserved || rest == "amazonaws.com" || rest.ends_with(".amazonaws.com") {
        return Err(fault::bad_request(format!("The domain name {name} is reserved")));
    }
    name.parse().map_err(|_| fault::bad_request(format!("Invalid domain name: {name}")))
}

fn routing_mode(mode: Option<&str>) -> Result<Option<RoutingMode>, Fault> {
    let Some(wanted) = mode else { return Ok(None) };
    let known = RoutingMode::ALL.into_iter().find(|(_, name)| *name == wanted);
    known.map(|(mode, _)| Some(mode)).ok_or_else(|| fault::bad_request(format!("Invalid routing mode: {wanted}")))
}

/// What a request says of a domain name's configuration; `None` leaves what is there.
#[derive(Default)]
struct Wanted {
    certificate: Option<CertificateArn>,
    ownership_certificate: Option<CertificateArn>,
    ip_address_type: Option<String>,
}

fn wanted(
    context: &Context<'_>,
    name: &str,
    configurations: Vec<shapes::DomainNameConfiguration>,
) -> Result<Wanted, Fault> {
    let mut configurations = configurations.into_iter();
    let Some(configuration) = configurations.next() else { return Ok(Wanted::default()) };
    if configurations.next().is_some() {
        return Err(fault::bad_request("Exactly one domain name configuration is supported for HTTP APIs"));
    }
    if configuration.endpoint_type.as_deref().is_some_and(|kind| kind != "REGIONAL") {
        return Err(fault::bad_request("Only REGIONAL endpoints are supported for HTTP APIs"));
    }
    if configuration.security_policy.as_deref().is_some_and(|policy| policy != "TLS_1_2") {
        return Err(fault::bad_request("Only the security policy TLS_1_2 is supported for HTTP APIs"));
    }
    let known = |arn: &str| {
        let missing = || fault::bad_request(format!("The provided certificate does not exist: {arn}"));
        let found = acm::found(context, arn).ok_or_else(missing)?;
        if !found.is_issued(context.now) {
            return Err(fault::bad_request(format!("The provided certificate is not issued yet: {arn}")));
        }
        Ok(found)
    };
    let mut wanted = Wanted { ip_address_type: configuration.ip_address_type, ..Wanted::default() };
    if let Some(arn) = configuration.certificate_arn {
        let certificate = known(&arn)?;
        if !certificate.covers(name) {
            let text = format!("The provided certificate does not match the domain name {name}: {arn}");
            return Err(fault::bad_request(text));
        }
        wanted.certificate = Some(acm::arn(context, certificate.id));
    }
    if let Some(arn) = configuration.ownership_verification_certificate_arn {
        wanted.ownership_certificate = Some(acm::arn(context, known(&arn)?.id));
    }
    Ok(wanted)
}

pub(crate) fn get(context: &Context<'_>, name: &str) -> Result<shapes::DomainName, Fault> {
    known(context, name).map(|domain| render(context, domain))
}

/// A domain name that exists.
pub(crate) fn known<'c>(context: &'c Context<'_>, name: &str) -> Result<&'c DomainName, Fault> {
    let found = name.parse().ok().and_then(|name| context.estate().domain_names.get(&name));
    found.map(|domain| &**domain).ok_or_else(|| fault::not_found("domain name", name))
}

pub(crate) fn list(context: &Context<'_>) -> Vec<shapes::DomainName> {
    context.estate().domain_names.values().map(|domain| render(context, domain)).collect()
}

pub(crate) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateDomainNameRequest,
) -> Result<shapes::DomainName, Fault> {
    let mode = routing_mode(input.routing_mode.as_deref())?;
    let before = known(context, &input.domain_name)?.clone();
    let configurations = input.domain_name_configurations.unwrap_or_default();
    let wanted = wanted(context, before.name.as_str(), configurations)?;
    let mut domain = before;
    domain.certificate_arn = wanted.certificate.unwrap_or(domain.certificate_arn);
    domain.ownership_certificate_arn = wanted.ownership_certificate.or(domain.ownership_certificate_arn);
    domain.ip_address_type = wanted.ip_address_type.unwrap_or(domain.ip_address_type);
    domain.routing_mode = mode.unwrap_or(domain.routing_mode);
    if let Some(wanted) = input.mutual_tls_authentication {
        truststore::apply(context, &mut domain, wanted)?;
    }
    let shown = render(context, &domain);
    context.edit().domain_names.insert(domain.name.clone(), domain);
    Ok(shown)
}

pub(crate) fn delete(context: &mut Context<'_>, name: &str) -> Result<(), Fault> {
    let name = known(context, name)?.name.clone();
    let estate = context.edit();
    estate.domain_names.remove(&name);
    let gone: Vec<_> = estate.api_mappings.values().filter(|m| m.domain_name == name).map(|m| m.id).collect();
    for id in gone {
        estate.api_mappings.remove(&id);
    }
    let gone: Vec<_> = estate.routing_rules.values().filter(|r| r.domain_name == name).map(|r| r.id).collect();
    for id in gone {
        estate.routing_rules.remove(&id);
    }
    Ok(())
}

fn render(context: &Context<'_>, domain: &DomainName) -> shapes::DomainName {
    let region = context.region();
    let configuration = shapes::DomainNameConfiguration {
        api_gateway_domain_name: Some(format!("{}.execute-api.{region}.amazonaws.com", domain.target_label)),
        certificate_arn: Some(domain.certificate_arn.to_string()),
        certificate_name: None,
        certificate_upload_date: None,
        domain_name_status: Some("AVAILABLE".to_owned()),
        domain_name_status_message: None,
        endpoint_type: Some("REGIONAL".to_owned()),
        hosted_zone_id: Some(HOSTED_ZONE.to_owned()),
        ip_address_type: Some(domain.ip_address_type.clone()),
        ownership_verification_certificate_arn: domain.ownership_certificate_arn.as_ref().map(ToString::to_string),
        security_policy: Some(domain.security_policy.clone()),
    };
    shapes::DomainName {
        api_mapping_selection_expression: Some("$request.basepath".to_owned()),
        domain_name: domain.name.to_string(),
        domain_name_arn: Some(format!("arn:aws:apigateway:{region}::/domainnames/{}", domain.name)),
        domain_name_configurations: Some(vec![configuration]),
        mutual_tls_authentication: domain.mutual_tls.as_ref().map(truststore::render),
        routing_mode: Some(domain.routing_mode.as_str().to_owned()),
        tags: Some(domain.tags.clone()),
    }
}
