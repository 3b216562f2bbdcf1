//! The services that endpoints lead to, as far as stacks ask for them. Nothing of AWS is reachable; what is answered is what
//! clients need to make an endpoint: names, kinds, zones and DNS names (AWS PrivateLink guide, "AWS services that integrate
//! with AWS PrivateLink", 2026-11; which of them are listed is our choice, see `docs/differences-from-aws.md`).

use topology::id::Zone;
use topology::resource::Tags;
use wire::Fault;
use wire::ec2 as shapes;

use super::fault;
use super::filters::{each, some};
use super::select::Filters;
use crate::context::Context;
use std::borrow::Cow;

const GATEWAY: &str = "Gateway";
const INTERFACE: &str = "Interface";

/// The services with gateway endpoints; each has interface endpoints too.
const GATEWAY_SERVICES: [&str; 2] = ["dynamodb", "s3"];

/// The services with interface endpoints.
const INTERFACE_SERVICES: [&str; 38] = [
    "acm-pca",
    "application-autoscaling",
    "athena",
    "autoscaling",
    "cloudformation",
    "codebuild",
    "codedeploy",
    "dynamodb",
    "ec2",
    "ec2messages",
    "ecr.api",
    "ecr.dkr",
    "ecs",
    "ecs-agent",
    "ecs-telemetry",
    "elasticache",
    "elasticfilesystem",
    "elasticloadbalancing",
    "events",
    "execute-api",
    "firehose",
    "glue",
    "kinesis-streams",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "rds",
    "rds-data",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "ssmmessages",
    "states",
    "sts",
    "xray",
];

/// The kind of a service's endpoints.
pub(super) fn kind(service: &shapes::ServiceDetail) -> Option<String> {
    service.service_type.iter().flatten().find_map(|kind| kind.service_type.clone())
}

fn all(context: &Context<'_>) -> Vec<shapes::ServiceDetail> {
    let gateways = GATEWAY_SERVICES.iter().map(|service| detail(context, (service, GATEWAY)));
    gateways.chain(INTERFACE_SERVICES.iter().map(|service| detail(context, (service, INTERFACE)))).collect()
}

/// A service in a DNS name: where its own name has two parts, they stand the other way round.
pub(super) fn dns_label(service: &str) -> String {
    service.split_once('.').map_or_else(|| service.to_owned(), |(family, part)| format!("{part}.{family}"))
}

/// The name under which a service is reached from inside a VPC with private DNS.
pub(super) fn private_dns_name(region: &str, service: &str) -> String {
    // Each registry of images has a name of its own.
    let wildcard = if service == "ecr.dkr" { "*." } else { "" };
    format!("{wildcard}{}.{region}.amazonaws.com", dns_label(service))
}

fn detail(context: &Context<'_>, (service, kind): (&str, &str)) -> shapes::ServiceDetail {
    let region = context.region().as_str();
    let zones = Zone::all(context.region());
    let name = format!("com.amazonaws.{region}.{service}");
    let private = (kind == INTERFACE).then(|| private_dns_name(region, service));
    let base = match kind {
        GATEWAY => format!("{service}.{region}.amazonaws.com"),
        _ => format!("{}.{region}.vpce.amazonaws.com", dns_label(service)),
    };
    shapes::ServiceDetail {
        acceptance_required: Some(false),
        availability_zone_ids: Some(zones.iter().map(Zone::id).collect()),
        availability_zones: Some(zones.iter().map(ToString::to_string).collect()),
        base_endpoint_dns_names: Some(vec![base]),
        manages_vpc_endpoints: Some(false),
        owner: Some("amazon".to_owned()),
        private_dns_names: private.clone().map(|name| vec![shapes::PrivateDnsDetails { private_dns_name: Some(name) }]),
        private_dns_name: private,
        service_id: Some(service_id(&name, kind)),
        service_name: Some(name),
        service_region: Some(region.to_owned()),
        service_type: Some(vec![shapes::ServiceTypeDetail { service_type: Some(kind.to_owned()) }]),
        supported_ip_address_types: Some(vec!["ipv4".to_owned()]),
        tags: Some(Vec::new()),
        vpc_endpoint_policy_supported: Some(true),
    }
}

/// An id that is the same on each server: made of the service's name (FNV-1a over 128 bits, cut to the 17 digits of an id).
fn service_id(name: &str, kind: &str) -> String {
    const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = name.bytes().chain(kind.bytes()).fold(START, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("vpce-svc-{:017x}", hash & 0xf_ffff_ffff_ffff_ffff)
}

pub(super) fn describe(
    context: &Context<'_>,
    input: shapes::DescribeVpcEndpointServicesRequest,
) -> Result<shapes::DescribeVpcEndpointServicesResult, Fault> {
    if let Some(other) = input.service_regions.iter().flatten().find(|region| *region != context.region().as_str()) {
        return Err(fault::unsupported(&format!("the service region {other}")));
    }
    let mut found = all(context);
    if let Some(names) = input.service_names.filter(|names| !names.is_empty()) {
        let is = |service: &shapes::ServiceDetail, name: &String| service.service_name.as_ref() == Some(name);
        if let Some(unknown) = names.iter().find(|name| !found.iter().any(|service| is(service, name))) {
            return Err(fault::new(
                "InvalidServiceName",
                format!("The Vpc Endpoint Service '{unknown}' does not exist"),
            ));
        }
        found.retain(|service| names.iter().any(|name| is(service, name)));
    }
    let kept = VPC_ENDPOINT_SERVICES.apply(context, found, input.filters)?;
    let (details, next_token) = super::select::page(kept, input.max_results, input.next_token.as_deref())?;
    let mut names: Vec<String> = details.iter().filter_map(|service| service.service_name.clone()).collect();
    names.sort();
    names.dedup();
    Ok(shapes::DescribeVpcEndpointServicesResult {
        next_token,
        service_details: Some(details),
        service_names: Some(names),
    })
}

const VPC_ENDPOINT_SERVICES: Filters<shapes::ServiceDetail> = Filters {
    by: &[
        ("owner", |_, service| some(service.owner.as_ref())),
        ("service-name", |_, service| some(service.service_name.as_ref())),
        ("service-region", |_, service| some(service.service_region.as_ref())),
        ("service-type", |_, service| some(kind(service))),
        ("supported-ip-address-types", |_, service| each(service.supported_ip_address_types.iter().flatten())),
    ],
    // AWS's own services have no tags that another account sees.
    tags: Some(|_| Cow::Owned(Tags::new())),
};
