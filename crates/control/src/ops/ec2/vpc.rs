//! VPCs and DHCP options.

use std::sync::Arc;

use topology::net::Ipv4Net;
use topology::resource::vpc::{DhcpOptions, Vpc};
use wire::Fault;
use wire::ec2 as shapes;

use super::select::{self, Filters};
use super::{fault, tags};
use crate::context::Context;
use crate::realm;

/// A block that a VPC or subnet may have: canonical, /16 to /28.
pub(super) fn parse_block(text: &str, code: &'static str) -> Result<Ipv4Net, Fault> {
    let malformed = || {
        fault::invalid_value(format!(
            "Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        ))
    };
    let net: Ipv4Net = text.parse().map_err(|_| malformed())?;
    if !(16..=28).contains(&net.prefix_len()) {
        return Err(fault::new(code, format!("The CIDR '{text}' is invalid.")));
    }
    Ok(net.trunc())
}

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateVpcRequest) -> Result<shapes::Vpc, Fault> {
    let text = input.cidr_block.ok_or_else(|| fault::missing("cidrBlock"))?;
    let cidr = parse_block(&text, "InvalidVpc.Range")?;
    if input.amazon_provided_ipv6_cidr_block == Some(true) {
        return Err(fault::unsupported("an IPv6 CIDR block"));
    }
    let tags = tags::at_creation(input.tag_specifications, "vpc")?;
    let (estate, mint) = context.edit_with_mint();
    let id = realm::create_vpc(estate, mint, cidr, false);
    let id = id.ok_or_else(|| Fault::internal("the realm has no DHCP options"))?;
    if let Some(vpc) = context.edit().vpcs.edit(&id) {
        vpc.tags = tags;
        vpc.instance_tenancy = input.instance_tenancy.unwrap_or_else(|| "default".to_owned());
    }
    let vpc = select::known(&context.estate().vpcs, &id.to_string(), fault::VPC)?;
    let mut shape = render(context, &vpc);
    shape.state = Some("pending".to_owned());
    Ok(shape)
}

pub(super) fn create_default(context: &mut Context<'_>) -> Result<shapes::Vpc, Fault> {
    if context.estate().vpcs.values().any(|vpc| vpc.is_default) {
        return Err(fault::new(
            "DefaultVpcAlreadyExists",
            "A Default VPC already exists for this account in this region.",
        ));
    }
    let region = context.region().clone();
    let (estate, mint) = context.edit_with_mint();
    let id = realm::create_default_vpc(estate, mint, &region);
    let id = id.ok_or_else(|| Fault::internal("the realm has no DHCP options"))?;
    let vpc = select::known(&context.estate().vpcs, &id.to_string(), fault::VPC)?;
    Ok(render(context, &vpc))
}

const FILTERS: &[&str] = &[
    "cidr",
    "cidr-block",
    "cidr-block-association.cidr-block",
    "cidr-block-association.association-id",
    "cidr-block-association.state",
    "dhcp-options-id",
    "is-default",
    "isDefault",
    "owner-id",
    "state",
    "vpc-id",
];

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    filters: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::Vpc>, Fault> {
    let found = select::by_ids(&context.estate().vpcs, ids, fault::VPC)?;
    let known = Filters { names: FILTERS, tags: |vpc: &Arc<Vpc>| Some(&vpc.tags) };
    let kept = known.apply(found, filters, |vpc, name| {
        vec![match name {
            "cidr" | "cidr-block" | "cidr-block-association.cidr-block" => vpc.cidr.to_string(),
            "cidr-block-association.association-id" => vpc.cidr_association.to_string(),
            "cidr-block-association.state" => "associated".to_owned(),
            "dhcp-options-id" => vpc.dhcp_options.to_string(),
            "is-default" | "isDefault" => vpc.is_default.to_string(),
            "owner-id" => context.account().to_string(),
            "state" => "available".to_owned(),
            _ => vpc.id.to_string(),
        }]
    })?;
    Ok(kept.iter().map(|vpc| render(context, vpc)).collect())
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let vpc = select::known(&context.estate().vpcs, id, fault::VPC)?.id;
    let estate = context.estate();
    let used = estate.subnets.values().any(|s| s.vpc == vpc)
        || estate.internet_gateways.values().any(|g| g.vpc == Some(vpc))
        || estate.network_interfaces.values().any(|i| i.vpc == vpc)
        || estate.security_groups.values().any(|g| g.vpc == vpc && !g.is_default())
        || estate.network_acls.values().any(|acl| acl.vpc == vpc && !acl.is_default)
        || estate.vpc_endpoints.values().any(|endpoint| endpoint.vpc == vpc)
        || estate
            .route_tables
            .values()
            .any(|table| table.vpc == vpc && table.associations.iter().all(|association| association.subnet.is_some()));
    if used {
        return Err(fault::dependency("vpc", id));
    }
    let estate = context.edit();
    let groups: Vec<_> = estate.security_groups.values().filter(|g| g.vpc == vpc).map(|g| g.id).collect();
    for group in groups {
        super::security_group::remove(estate, group);
    }
    let tables: Vec<_> = estate.route_tables.values().filter(|t| t.vpc == vpc).map(|t| t.id).collect();
    for table in tables {
        estate.route_tables.remove(&table);
    }
    let acls: Vec<_> = estate.network_acls.values().filter(|acl| acl.vpc == vpc).map(|acl| acl.id).collect();
    for acl in acls {
        estate.network_acls.remove(&acl);
    }
    estate.vpcs.remove(&vpc);
    Ok(())
}

pub(super) fn attribute(
    context: &Context<'_>,
    input: &shapes::DescribeVpcAttributeRequest,
) -> Result<shapes::DescribeVpcAttributeResult, Fault> {
    let vpc = select::known(&context.estate().vpcs, &input.vpc_id, fault::VPC)?;
    let mut answer = shapes::DescribeVpcAttributeResult { vpc_id: Some(vpc.id.to_string()), ..Default::default() };
    let value = |value| Some(shapes::AttributeBooleanValue { value: Some(value) });
    match input.attribute.as_str() {
        "enableDnsSupport" => answer.enable_dns_support = value(vpc.enable_dns_support),
        "enableDnsHostnames" => answer.enable_dns_hostnames = value(vpc.enable_dns_hostnames),
        _ => answer.enable_network_address_usage_metrics = value(vpc.enable_network_address_usage_metrics),
    }
    Ok(answer)
}

pub(super) fn modify_attribute(
    context: &mut Context<'_>,
    input: &shapes::ModifyVpcAttributeRequest,
) -> Result<(), Fault> {
    let id = select::known(&context.estate().vpcs, &input.vpc_id, fault::VPC)?.id;
    let wanted = |value: &Option<shapes::AttributeBooleanValue>| value.as_ref().and_then(|value| value.value);
    let (support, hostnames) = (wanted(&input.enable_dns_support), wanted(&input.enable_dns_hostnames));
    let metrics = wanted(&input.enable_network_address_usage_metrics);
    if [support, hostnames, metrics].iter().flatten().count() > 1 {
        return Err(fault::invalid_combination("Fields for multiple attribute types specified"));
    }
    if let Some(vpc) = context.edit().vpcs.edit(&id) {
        vpc.enable_dns_support = support.unwrap_or(vpc.enable_dns_support);
        vpc.enable_dns_hostnames = hostnames.unwrap_or(vpc.enable_dns_hostnames);
        vpc.enable_network_address_usage_metrics = metrics.unwrap_or(vpc.enable_network_address_usage_metrics);
    }
    Ok(())
}

pub(super) fn render(context: &Context<'_>, vpc: &Vpc) -> shapes::Vpc {
    let block = shapes::VpcCidrBlockAssociation {
        association_id: Some(vpc.cidr_association.to_string()),
        cidr_block: Some(vpc.cidr.to_string()),
        cidr_block_state: Some(shapes::VpcCidrBlockState {
            state: Some("associated".to_owned()),
            status_message: None,
        }),
    };
    shapes::Vpc {
        cidr_block: Some(vpc.cidr.to_string()),
        cidr_block_association_set: Some(vec![block]),
        dhcp_options_id: Some(vpc.dhcp_options.to_string()),
        instance_tenancy: Some(vpc.instance_tenancy.clone()),
        ipv6_cidr_block_association_set: None,
        is_default: Some(vpc.is_default),
        owner_id: Some(context.account().to_string()),
        state: Some("available".to_owned()),
        tags: tags::render(&vpc.tags),
        vpc_id: Some(vpc.id.to_string()),
    }
}

pub(super) fn describe_dhcp_options(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    filters: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::DhcpOptions>, Fault> {
    let found = select::by_ids(&context.estate().dhcp_options, ids, fault::DHCP_OPTIONS)?;
    let known =
        Filters { names: &["dhcp-options-id", "owner-id"], tags: |options: &Arc<DhcpOptions>| Some(&options.tags) };
    let kept = known.apply(found, filters, |options, name| {
        vec![if name == "owner-id" { context.account().to_string() } else { options.id.to_string() }]
    })?;
    let domain = if context.region().as_str() == "us-east-1" {
        "ec2.internal".to_owned()
    } else {
        format!("{}.compute.internal", context.region())
    };
    let configuration = |key: &str, value: &str| shapes::DhcpConfiguration {
        key: Some(key.to_owned()),
        values: Some(vec![shapes::AttributeValue { value: Some(value.to_owned()) }]),
    };
    let shape = |options: &Arc<DhcpOptions>| shapes::DhcpOptions {
        dhcp_configurations: Some(vec![
            configuration("domain-name", &domain),
            configuration("domain-name-servers", "AmazonProvidedDNS"),
        ]),
        dhcp_options_id: Some(options.id.to_string()),
        owner_id: Some(context.account().to_string()),
        tags: tags::render(&options.tags),
    };
    Ok(kept.iter().map(shape).collect())
}
