//! Subnets.

use std::sync::Arc;
use topology::id::{SubnetCidrAssociationId, Zone};
use topology::net::Ipv6Net;
use topology::resource::vpc::Subnet;
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{available, nothing, one, owner, some};
use super::select::Filters;
use super::vpc::parse_block;
use super::{cidr_block, fault, select, tags};
use crate::context::Context;
use crate::{interface, realm};
use std::borrow::Cow;

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateSubnetRequest) -> Result<shapes::Subnet, Fault> {
    let vpc = select::known(&context.estate().vpcs, &input.vpc_id, fault::VPC)?;
    let text = input.cidr_block.ok_or_else(|| fault::missing("cidrBlock"))?;
    let cidr = parse_block(&text, "InvalidSubnet.Range")?;
    if !vpc.cidrs().any(|(_, block)| block.contains(&cidr)) {
        return Err(fault::new("InvalidSubnet.Range", format!("The CIDR '{text}' is invalid.")));
    }
    let overlaps = |other: &Subnet| other.vpc == vpc.id && (other.cidr.contains(&cidr) || cidr.contains(&other.cidr));
    if context.estate().subnets.values().any(|other| overlaps(other)) {
        return Err(fault::new("InvalidSubnet.Conflict", format!("The CIDR '{text}' conflicts with another subnet")));
    }
    let zone = wanted_zone(context, input.availability_zone.as_deref(), input.availability_zone_id.as_deref())?;
    let ipv6 = input.ipv6_cidr_block.map(|text| cidr_block::subnet_ipv6(context, &vpc, &text)).transpose()?;
    let tags = tags::at_creation(input.tag_specifications, "subnet")?;
    let (estate, mint) = context.edit_with_mint();
    let id = realm::create_subnet(estate, mint, (vpc.id, cidr, zone));
    let ipv6_cidr = ipv6.map(|net| (SubnetCidrAssociationId::from_bits(context.mint.wide()), net));
    if let Some(subnet) = context.edit().subnets.edit(&id) {
        subnet.tags = tags;
        subnet.ipv6_cidr = ipv6_cidr;
    }
    let subnet = select::known(&context.estate().subnets, &id.to_string(), fault::SUBNET)?;
    Ok(render(context, &subnet))
}

fn wanted_zone(context: &Context<'_>, name: Option<&str>, id: Option<&str>) -> Result<Zone, Fault> {
    let zones = Zone::all(context.region());
    let invalid = |text: &str| {
        fault::invalid_value(format!(
            "Value ({text}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {}.",
            zones.iter().map(Zone::as_str).collect::<Vec<_>>().join(", ")
        ))
    };
    match (name, id) {
        (Some(_), Some(_)) => {
            Err(fault::invalid_combination("You can specify either AvailabilityZone or AvailabilityZoneId, not both"))
        }
        (Some(name), None) => zones.iter().find(|zone| zone.as_str() == name).cloned().ok_or_else(|| invalid(name)),
        (None, Some(id)) => zones.iter().find(|zone| zone.id() == id).cloned().ok_or_else(|| invalid(id)),
        (None, None) => zones.first().cloned().ok_or_else(|| invalid("")),
    }
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::Subnet>, Fault> {
    let found = select::by_ids(&context.estate().subnets, ids, fault::SUBNET)?;
    let kept = SUBNETS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|subnet| render(context, subnet)).collect())
}

pub(super) fn modify_attribute(
    context: &mut Context<'_>,
    input: &shapes::ModifySubnetAttributeRequest,
) -> Result<(), Fault> {
    let known = select::known(&context.estate().subnets, &input.subnet_id, fault::SUBNET)?;
    let wanted = |value: &Option<shapes::AttributeBooleanValue>| value.as_ref().and_then(|value| value.value);
    let public_ip = wanted(&input.map_public_ip_on_launch);
    let ipv6 = wanted(&input.assign_ipv6_address_on_creation);
    let dns64 = wanted(&input.enable_dns64);
    let dns_a = wanted(&input.enable_resource_name_dns_a_record_on_launch);
    let dns_aaaa = wanted(&input.enable_resource_name_dns_aaaa_record_on_launch);
    let hostname = input.private_dns_hostname_type_on_launch.as_ref();
    let named = [public_ip, ipv6, dns64, dns_a, dns_aaaa].iter().flatten().count() + usize::from(hostname.is_some());
    match named {
        0 => return Err(fault::missing("MapPublicIpOnLaunch")),
        1 => {}
        _ => return Err(fault::invalid_combination("Fields for multiple attribute types specified")),
    }
    if ipv6 == Some(true) && known.ipv6_cidr.is_none() {
        return Err(fault::invalid_value(format!(
            "Invalid value 'true' for assign-ipv6-address-on-creation: the subnet ({}) has no IPv6 CIDR block",
            known.id
        )));
    }
    if let Some(subnet) = context.edit().subnets.edit(&known.id) {
        subnet.map_public_ip_on_launch = public_ip.unwrap_or(subnet.map_public_ip_on_launch);
        subnet.assign_ipv6 = ipv6.unwrap_or(subnet.assign_ipv6);
        subnet.enable_dns64 = dns64.unwrap_or(subnet.enable_dns64);
        subnet.resource_name_dns_a = dns_a.unwrap_or(subnet.resource_name_dns_a);
        subnet.resource_name_dns_aaaa = dns_aaaa.unwrap_or(subnet.resource_name_dns_aaaa);
        if let Some(kind) = hostname {
            subnet.private_dns_hostname_type.clone_from(kind);
        }
    }
    Ok(())
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let subnet = select::known(&context.estate().subnets, id, fault::SUBNET)?.id;
    if context.estate().network_interfaces.values().any(|interface| interface.subnet == subnet) {
        return Err(fault::dependency("subnet", id));
    }
    let estate = context.edit();
    let acls: Vec<_> = estate.network_acls.values().map(|acl| acl.id).collect();
    for acl in acls {
        let associated = |acl: &topology::resource::vpc::NetworkAcl| acl.associations.iter().any(|(_, s)| *s == subnet);
        if estate.network_acls.get(&acl).is_some_and(|acl| associated(acl))
            && let Some(acl) = estate.network_acls.edit(&acl)
        {
            acl.associations.retain(|(_, associated)| *associated != subnet);
        }
    }
    let tables: Vec<_> = estate.route_tables.values().map(|table| table.id).collect();
    for table in tables {
        let associated = estate
            .route_tables
            .get(&table)
            .is_some_and(|table| table.associations.iter().any(|association| association.subnet == Some(subnet)));
        if associated && let Some(table) = estate.route_tables.edit(&table) {
            table.associations.retain(|association| association.subnet != Some(subnet));
        }
    }
    estate.subnets.remove(&subnet);
    Ok(())
}

pub(super) fn arn(context: &Context<'_>, subnet: &Subnet) -> String {
    format!("arn:aws:ec2:{}:{}:subnet/{}", context.region(), context.account(), subnet.id)
}

pub(super) fn render_ipv6_block(
    (id, cidr): (SubnetCidrAssociationId, Ipv6Net),
    state: &str,
) -> shapes::SubnetIpv6CidrBlockAssociation {
    shapes::SubnetIpv6CidrBlockAssociation {
        association_id: Some(id.to_string()),
        ipv6_cidr_block: Some(cidr.to_string()),
        ipv6_cidr_block_state: Some(shapes::SubnetCidrBlockState {
            state: Some(state.to_owned()),
            status_message: None,
        }),
    }
}

fn render(context: &Context<'_>, subnet: &Subnet) -> shapes::Subnet {
    let ipv6_block = subnet.ipv6_cidr.map(|block| render_ipv6_block(block, "associated"));
    shapes::Subnet {
        assign_ipv6_address_on_creation: Some(subnet.assign_ipv6),
        availability_zone: Some(subnet.zone.to_string()),
        availability_zone_id: Some(subnet.zone.id()),
        available_ip_address_count: Some(interface::available_addresses(context.estate(), subnet.id, subnet.cidr)),
        cidr_block: Some(subnet.cidr.to_string()),
        default_for_az: Some(subnet.default_for_az),
        enable_dns64: Some(subnet.enable_dns64),
        ipv6_cidr_block_association_set: Some(ipv6_block.into_iter().collect()),
        ipv6_native: Some(false),
        map_customer_owned_ip_on_launch: Some(false),
        map_public_ip_on_launch: Some(subnet.map_public_ip_on_launch),
        owner_id: Some(context.account().to_string()),
        private_dns_name_options_on_launch: Some(shapes::PrivateDnsNameOptionsOnLaunch {
            enable_resource_name_dns_aaaa_record: Some(subnet.resource_name_dns_aaaa),
            enable_resource_name_dns_a_record: Some(subnet.resource_name_dns_a),
            hostname_type: Some(subnet.private_dns_hostname_type.clone()),
        }),
        state: Some("available".to_owned()),
        subnet_arn: Some(arn(context, subnet)),
        subnet_id: Some(subnet.id.to_string()),
        tags: tags::render(&subnet.tags),
        vpc_id: Some(subnet.vpc.to_string()),
    }
}

fn free_addresses(context: &Context<'_>, subnet: &Subnet) -> Vec<String> {
    one(interface::available_addresses(context.estate(), subnet.id, subnet.cidr))
}

const SUBNETS: Filters<Arc<Subnet>> = Filters {
    by: &[
        ("availability-zone", |_, subnet| one(&subnet.zone)),
        ("availabilityZone", |_, subnet| one(&subnet.zone)),
        ("availability-zone-id", |_, subnet| one(subnet.zone.id())),
        ("availabilityZoneId", |_, subnet| one(subnet.zone.id())),
        ("available-ip-address-count", |context, subnet| free_addresses(context, subnet)),
        ("cidr", |_, subnet| one(subnet.cidr)),
        ("cidr-block", |_, subnet| one(subnet.cidr)),
        ("cidrBlock", |_, subnet| one(subnet.cidr)),
        ("customer-owned-ipv4-pool", nothing),
        ("default-for-az", |_, subnet| one(subnet.default_for_az)),
        ("defaultForAz", |_, subnet| one(subnet.default_for_az)),
        ("enable-dns64", |_, subnet| one(subnet.enable_dns64)),
        ("enable-lni-at-device-index", nothing),
        ("ipv6-cidr-block-association.association-id", |_, subnet| some(subnet.ipv6_cidr.map(|(id, _)| id))),
        ("ipv6-cidr-block-association.ipv6-cidr-block", |_, subnet| some(subnet.ipv6_cidr.map(|(_, net)| net))),
        ("ipv6-cidr-block-association.state", |_, subnet| some(subnet.ipv6_cidr.map(|_| "associated"))),
        ("ipv6-native", |_, _| one(false)),
        ("map-customer-owned-ip-on-launch", |_, _| one(false)),
        ("map-public-ip-on-launch", |_, subnet| one(subnet.map_public_ip_on_launch)),
        ("outpost-arn", nothing),
        ("owner-id", owner),
        ("private-dns-name-options-on-launch.enable-resource-name-dns-a-record", |_, subnet| {
            one(subnet.resource_name_dns_a)
        }),
        ("private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record", |_, subnet| {
            one(subnet.resource_name_dns_aaaa)
        }),
        ("private-dns-name-options-on-launch.hostname-type", |_, subnet| one(&subnet.private_dns_hostname_type)),
        ("state", available),
        ("subnet-arn", |context, subnet| one(arn(context, subnet))),
        ("subnet-id", |_, subnet| one(subnet.id)),
        ("vpc-id", |_, subnet| one(subnet.vpc)),
    ],
    tags: Some(|subnet| Cow::Borrowed(&subnet.tags)),
};
