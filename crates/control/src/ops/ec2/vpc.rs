//! VPCs.

use std::sync::Arc;
use topology::id::VpcCidrAssociationId;
use topology::net::{Ipv4Net, Ipv6Net};
use topology::resource::vpc::Vpc;
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{available, each, one, owner};
use super::select::Filters;
use super::{cidr_block, dhcp_options, fault, select, tags};
use crate::agent;
use crate::context::Context;
use crate::realm;
use std::borrow::Cow;

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
    cidr_block::check_border_group(context, input.ipv6_cidr_block_network_border_group.as_deref())?;
    let tags = tags::at_creation(input.tag_specifications, "vpc")?;
    let (estate, mint) = context.edit_with_mint();
    let id = realm::create_vpc(estate, mint, cidr, false);
    let id = id.ok_or_else(|| Fault::internal("the realm has no DHCP options"))?;
    if let Some(vpc) = context.edit().vpcs.edit(&id) {
        vpc.tags = tags;
        vpc.instance_tenancy = input.instance_tenancy.unwrap_or_else(|| "default".to_owned());
    }
    if input.amazon_provided_ipv6_cidr_block == Some(true) {
        let vpc = select::known(&context.estate().vpcs, &id.to_string(), fault::VPC)?;
        cidr_block::add_ipv6(context, &vpc)?;
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

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::Vpc>, Fault> {
    let found = select::by_ids(&context.estate().vpcs, ids, fault::VPC)?;
    let kept = VPCS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|vpc| render(context, vpc)).collect())
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let vpc = select::known(&context.estate().vpcs, id, fault::VPC)?.id;
    let estate = context.estate();
    let used = estate.subnets.values().any(|s| s.vpc == vpc)
        || estate.internet_gateways.values().any(|g| g.vpc == Some(vpc))
        || estate.egress_only_internet_gateways.values().any(|g| g.vpc == vpc)
        || estate.network_interfaces.values().any(|i| i.vpc == vpc)
        || estate.security_groups.values().any(|g| g.vpc == vpc && !g.is_default())
        || estate.network_acls.values().any(|acl| acl.vpc == vpc && !acl.is_default)
        || estate.vpc_endpoints.values().any(|endpoint| endpoint.vpc == vpc)
        || estate.vpc_peering_connections.values().any(|peering| peering.is_live() && peering.is_of(vpc))
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
    agent::remove_of(estate, vpc);
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

/// The pool that AWS's own IPv6 blocks come from.
pub(super) const IPV6_POOL: &str = "Amazon";

/// A block as the list of a VPC and the calls on it show it.
pub(super) fn render_block(
    (id, cidr): (VpcCidrAssociationId, Ipv4Net),
    state: &str,
) -> shapes::VpcCidrBlockAssociation {
    shapes::VpcCidrBlockAssociation {
        association_id: Some(id.to_string()),
        cidr_block: Some(cidr.to_string()),
        cidr_block_state: Some(block_state(state)),
    }
}

fn block_state(state: &str) -> shapes::VpcCidrBlockState {
    shapes::VpcCidrBlockState { state: Some(state.to_owned()), status_message: None }
}

pub(super) fn render_ipv6_block(
    context: &Context<'_>,
    (id, cidr): (VpcCidrAssociationId, Ipv6Net),
    state: &str,
) -> shapes::VpcIpv6CidrBlockAssociation {
    shapes::VpcIpv6CidrBlockAssociation {
        association_id: Some(id.to_string()),
        ipv6_cidr_block: Some(cidr.to_string()),
        ipv6_cidr_block_state: Some(block_state(state)),
        ipv6_pool: Some(IPV6_POOL.to_owned()),
        network_border_group: Some(context.region().to_string()),
    }
}

pub(super) fn render(context: &Context<'_>, vpc: &Vpc) -> shapes::Vpc {
    let blocks = vpc.cidrs().map(|block| render_block(block, "associated"));
    let ipv6_blocks = vpc.ipv6_cidrs.iter().map(|block| render_ipv6_block(context, *block, "associated"));
    shapes::Vpc {
        cidr_block: Some(vpc.cidr.to_string()),
        cidr_block_association_set: Some(blocks.collect()),
        dhcp_options_id: Some(dhcp_options::of(vpc)),
        instance_tenancy: Some(vpc.instance_tenancy.clone()),
        ipv6_cidr_block_association_set: (!vpc.ipv6_cidrs.is_empty()).then(|| ipv6_blocks.collect()),
        is_default: Some(vpc.is_default),
        owner_id: Some(context.account().to_string()),
        state: Some("available".to_owned()),
        tags: tags::render(&vpc.tags),
        vpc_id: Some(vpc.id.to_string()),
    }
}

const VPCS: Filters<Arc<Vpc>> = Filters {
    by: &[
        ("cidr", |_, vpc| one(vpc.cidr)),
        ("cidr-block", |_, vpc| one(vpc.cidr)),
        ("cidrBlock", |_, vpc| one(vpc.cidr)),
        ("cidr-block-association.association-id", |_, vpc| each(vpc.cidrs().map(|(id, _)| id))),
        ("cidr-block-association.cidr-block", |_, vpc| each(vpc.cidrs().map(|(_, net)| net))),
        ("cidr-block-association.state", |_, vpc| each(vpc.cidrs().map(|_| "associated"))),
        ("dhcp-options-id", |_, vpc| one(dhcp_options::of(vpc))),
        ("ipv6-cidr-block-association.association-id", |_, vpc| each(vpc.ipv6_cidrs.iter().map(|(id, _)| id))),
        ("ipv6-cidr-block-association.ipv6-cidr-block", |_, vpc| each(vpc.ipv6_cidrs.iter().map(|(_, net)| net))),
        ("ipv6-cidr-block-association.ipv6-pool", |_, vpc| each(vpc.ipv6_cidrs.iter().map(|_| IPV6_POOL))),
        ("ipv6-cidr-block-association.state", |_, vpc| each(vpc.ipv6_cidrs.iter().map(|_| "associated"))),
        ("is-default", |_, vpc| one(vpc.is_default)),
        ("isDefault", |_, vpc| one(vpc.is_default)),
        ("owner-id", owner),
        ("state", available),
        ("vpc-id", |_, vpc| one(vpc.id)),
    ],
    tags: Some(|vpc| Cow::Borrowed(&vpc.tags)),
};
