//! Custom domain names as REST APIs' operations spell them. The names are the same as those of version 2, whose operations do the
//! work (REST API reference, "DomainName", 2026-11).

use topology::id::HostName;
use wire::Fault;
use wire::apigateway as shapes;
use wire::apigatewayv2 as v2;

use super::fault;
use super::patch::{REPLACE, Rule, Sentence, Table};
use crate::context::Context;
use crate::ops::apigatewayv2::domain;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateDomainNameRequest,
) -> Result<shapes::DomainName, Fault> {
    let endpoint = input.endpoint_configuration.unwrap_or_default();
    regional(endpoint.types.as_deref().unwrap_or_default())?;
    let mutual = input.mutual_tls_authentication.map(|wanted| v2::MutualTlsAuthenticationInput {
        truststore_uri: wanted.truststore_uri,
        truststore_version: wanted.truststore_version,
    });
    let configuration = v2::DomainNameConfiguration {
        certificate_arn: input.regional_certificate_arn,
        endpoint_type: Some("REGIONAL".to_owned()),
        ip_address_type: endpoint.ip_address_type,
        ownership_verification_certificate_arn: input.ownership_verification_certificate_arn,
        security_policy: input.security_policy,
        ..Default::default()
    };
    let wanted = v2::CreateDomainNameRequest {
        domain_name: input.domain_name,
        domain_name_configurations: Some(vec![configuration]),
        mutual_tls_authentication: mutual,
        routing_mode: input.routing_mode,
        tags: input.tags,
    };
    domain::create(context, wanted).map(render)
}

/// Edge and private endpoints would be another place to listen than there is.
fn regional(types: &[String]) -> Result<(), Fault> {
    match types {
        [only] if only == "REGIONAL" => Ok(()),
        // AWS's default is the edge, which has a certificate of its own.
        _ => Err(fault::unsupported("a domain name with another endpoint type than REGIONAL")),
    }
}

pub(super) fn get(context: &Context<'_>, name: &str) -> Result<shapes::DomainName, Fault> {
    known(context, name).map(render)
}

fn known(context: &Context<'_>, name: &str) -> Result<v2::DomainName, Fault> {
    domain::get(context, name).map_err(|_| no_domain())
}

fn no_domain() -> Fault {
    fault::not_found("Invalid domain name identifier specified")
}

/// The name of one that exists.
pub(super) fn name(context: &Context<'_>, name: &str) -> Result<HostName, Fault> {
    domain::known(context, name).map(|domain| domain.name.clone()).map_err(|_| no_domain())
}

pub(super) fn list(context: &Context<'_>) -> Vec<shapes::DomainName> {
    domain::list(context).into_iter().map(render).collect()
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateDomainNameRequest,
) -> Result<shapes::DomainName, Fault> {
    known(context, &input.domain_name)?;
    let mut wanted = v2::UpdateDomainNameRequest { domain_name: input.domain_name, ..Default::default() };
    PATHS.apply(context, &mut wanted, input.patch_operations)?;
    domain::update(context, wanted).map(render)
}

type Wanted = v2::UpdateDomainNameRequest;

fn configuration(wanted: &mut Wanted) -> &mut v2::DomainNameConfiguration {
    let configurations = wanted.domain_name_configurations.get_or_insert_with(|| vec![Default::default()]);
    // One was put there if there was none.
    &mut configurations[0]
}

const PATHS: Table<Wanted> = Table {
    rules: &[
        Rule::new("/regionalCertificateArn", REPLACE, |_, wanted, change| {
            configuration(wanted).certificate_arn = Some(change.text().to_owned());
            Ok(())
        }),
        Rule::new("/ownershipVerificationCertificateArn", REPLACE, |_, wanted, change| {
            configuration(wanted).ownership_verification_certificate_arn = Some(change.text().to_owned());
            Ok(())
        }),
        Rule::new("/securityPolicy", REPLACE, |_, wanted, change| {
            configuration(wanted).security_policy = Some(change.text().to_owned());
            Ok(())
        }),
        Rule::new("/endpointConfiguration/ipAddressType", REPLACE, |_, wanted, change| {
            configuration(wanted).ip_address_type = Some(change.text().to_owned());
            Ok(())
        }),
        Rule::new("/endpointConfiguration/types/{type}", REPLACE, |_, _, change| regional(&[change.text().to_owned()])),
        Rule::new("/mutualTlsAuthentication/truststoreUri", REPLACE, |_, wanted, change| {
            mutual(wanted).truststore_uri = Some(change.text().to_owned());
            Ok(())
        }),
        Rule::new("/mutualTlsAuthentication/truststoreVersion", REPLACE, |_, wanted, change| {
            mutual(wanted).truststore_version = Some(change.text().to_owned());
            Ok(())
        }),
        Rule::new("/routingMode", REPLACE, |_, wanted, change| {
            wanted.routing_mode = Some(change.text().to_owned());
            Ok(())
        }),
    ],
    sentence: Sentence::Listed,
};

fn mutual(wanted: &mut Wanted) -> &mut v2::MutualTlsAuthenticationInput {
    wanted.mutual_tls_authentication.get_or_insert_default()
}

pub(super) fn delete(context: &mut Context<'_>, name: &str) -> Result<(), Fault> {
    known(context, name)?;
    domain::delete(context, name)
}

fn render(domain: v2::DomainName) -> shapes::DomainName {
    let mut configurations = domain.domain_name_configurations.unwrap_or_default();
    let configuration = configurations.pop().unwrap_or_default();
    shapes::DomainName {
        domain_name: Some(domain.domain_name),
        domain_name_arn: domain.domain_name_arn,
        domain_name_status: configuration.domain_name_status,
        endpoint_configuration: Some(shapes::EndpointConfiguration {
            ip_address_type: configuration.ip_address_type,
            types: Some(vec!["REGIONAL".to_owned()]),
        }),
        mutual_tls_authentication: domain.mutual_tls_authentication.map(|mutual| shapes::MutualTlsAuthentication {
            truststore_uri: mutual.truststore_uri,
            truststore_version: mutual.truststore_version,
            truststore_warnings: mutual.truststore_warnings,
        }),
        ownership_verification_certificate_arn: configuration.ownership_verification_certificate_arn,
        regional_certificate_arn: configuration.certificate_arn,
        regional_domain_name: configuration.api_gateway_domain_name,
        regional_hosted_zone_id: configuration.hosted_zone_id,
        routing_mode: domain.routing_mode,
        security_policy: configuration.security_policy,
        tags: domain.tags,
    }
}
