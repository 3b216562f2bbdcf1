//! What each `Describe*` operation can be filtered by, one table for each: the names of its page in the EC2 API reference
//! (2026-11), with the spellings that the pages call aliases. A name that speaks of what cannot be here (instances, Outposts,
//! transit gateways) is known and fits nothing, as on AWS where there is none. A name whose value AWS has and we do not keep
//! (when an interface was attached, public DNS names) is absent, and so refused.

use std::borrow::Cow;
use std::sync::Arc;

use topology::id::Zone;
use topology::net::Traffic;
use topology::resource::Tags;
use topology::resource::network_interface::NetworkInterface;
use topology::resource::routing::{
    Address, EgressOnlyInternetGateway, InternetGateway, NatGateway, RouteTable, VpcEndpoint,
};
use topology::resource::security_group::{RulePeer, SecurityGroup, SecurityGroupRule};
use topology::resource::vpc::{DhcpOptions, NetworkAcl, NetworkAclEntry, Subnet, Vpc};
use topology::verdict::Direction;
use wire::ec2 as shapes;

use super::select::Filters;
use super::{
    address, dhcp_options, endpoint, endpoint_service, internet_gateway, nat_gateway, network_acl, network_interface,
    permission, place, prefix_list, route_table, security_group, subnet,
};
use crate::context::Context;
use crate::interface;

fn one(value: impl ToString) -> Vec<String> {
    vec![value.to_string()]
}

fn some<T: ToString>(value: Option<T>) -> Vec<String> {
    value.iter().map(T::to_string).collect()
}

fn each<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

fn owner<T>(context: &Context<'_>, _: &T) -> Vec<String> {
    one(context.account())
}

fn available<T>(_: &Context<'_>, _: &T) -> Vec<String> {
    one("available")
}

/// What nothing here has.
fn nothing<T>(_: &Context<'_>, _: &T) -> Vec<String> {
    Vec::new()
}

pub(super) const ADDRESSES: Filters<Arc<Address>> = Filters {
    by: &[
        ("allocation-id", |_, address| one(address.id)),
        ("association-id", |context, address| some(address::render(context, address).association_id)),
        ("domain", |_, _| one("vpc")),
        ("instance-id", nothing),
        ("network-border-group", |context, _| one(context.region())),
        ("network-interface-id", |context, address| some(address::render(context, address).network_interface_id)),
        ("network-interface-owner-id", |context, address| {
            some(address::render(context, address).network_interface_owner_id)
        }),
        ("private-ip-address", |context, address| some(address::render(context, address).private_ip_address)),
        ("public-ip", |_, address| one(address.public_ip)),
    ],
    tags: Some(|address| Cow::Borrowed(&address.tags)),
};

pub(super) const ZONES: Filters<Zone> = Filters {
    by: &[
        ("group-long-name", nothing),
        ("group-name", |context, _| one(context.region())),
        ("message", nothing),
        ("opt-in-status", |_, _| one("opt-in-not-required")),
        ("parent-zone-id", nothing),
        ("parent-zone-name", nothing),
        ("region-name", |context, _| one(context.region())),
        ("state", available),
        ("zone-id", |_, zone| one(zone.id())),
        ("zone-name", |_, zone| one(zone)),
        ("zone-type", |_, _| one("availability-zone")),
    ],
    tags: None,
};

pub(super) const REGIONS: Filters<&'static str> = Filters {
    by: &[
        ("endpoint", |_, region| one(place::endpoint(region))),
        ("opt-in-status", |_, _| one("opt-in-not-required")),
        ("region-name", |_, region| one(region)),
    ],
    tags: None,
};

pub(super) const DHCP_OPTIONS: Filters<Arc<DhcpOptions>> = Filters {
    by: &[
        ("dhcp-options-id", |_, options| one(options.id)),
        ("key", |context, options| each(dhcp_options::configurations(context, options).into_iter().map(|one| one.key))),
        ("value", |context, options| {
            dhcp_options::configurations(context, options).into_iter().flat_map(|one| one.values).collect()
        }),
        ("owner-id", owner),
    ],
    tags: Some(|options| Cow::Borrowed(&options.tags)),
};

pub(super) const INTERNET_GATEWAYS: Filters<Arc<InternetGateway>> = Filters {
    by: &[
        ("attachment.state", |_, gateway| some(gateway.vpc.map(|_| internet_gateway::ATTACHED))),
        ("attachment.vpc-id", |_, gateway| some(gateway.vpc)),
        ("internet-gateway-id", |_, gateway| one(gateway.id)),
        ("owner-id", owner),
    ],
    tags: Some(|gateway| Cow::Borrowed(&gateway.tags)),
};

/// The page names tags alone.
pub(super) const EGRESS_ONLY_INTERNET_GATEWAYS: Filters<Arc<EgressOnlyInternetGateway>> =
    Filters { by: &[], tags: Some(|gateway| Cow::Borrowed(&gateway.tags)) };

pub(super) const MANAGED_PREFIX_LISTS: Filters<prefix_list::Listed> = Filters {
    by: &[
        ("owner-id", |context, list| one(list.owner(context))),
        ("prefix-list-id", |_, list| one(list.id())),
        ("prefix-list-name", |_, list| one(list.name())),
    ],
    tags: Some(|list| Cow::Owned(list.tags())),
};

pub(super) const PREFIX_LISTS: Filters<prefix_list::Listed> = Filters {
    by: &[("prefix-list-id", |_, list| one(list.id())), ("prefix-list-name", |_, list| one(list.name()))],
    tags: None,
};

pub(super) const NAT_GATEWAYS: Filters<Arc<NatGateway>> = Filters {
    by: &[
        ("nat-gateway-id", |_, nat| one(nat.id)),
        ("state", |_, nat| one(nat_gateway::state(nat.state))),
        ("subnet-id", |_, nat| one(nat.subnet)),
        ("vpc-id", |_, nat| one(nat.vpc)),
    ],
    tags: Some(|nat| Cow::Borrowed(&nat.tags)),
};

/// Every entry of an ACL as an answer shows it, the final denies included.
fn entries<T: ToString>(acl: &NetworkAcl, part: impl Fn(shapes::NetworkAclEntry) -> Option<T>) -> Vec<String> {
    each(network_acl::rendered_entries(acl).filter_map(part))
}

/// A protocol counts under its number and under its name.
fn protocols(acl: &NetworkAcl) -> Vec<String> {
    let names = acl.entries.iter().filter_map(|entry: &NetworkAclEntry| match entry.protocol {
        1 => Some("icmp".to_owned()),
        6 => Some("tcp".to_owned()),
        17 => Some("udp".to_owned()),
        _ => None,
    });
    names.chain(entries(acl, |entry| entry.protocol)).collect()
}

pub(super) const NETWORK_ACLS: Filters<Arc<NetworkAcl>> = Filters {
    by: &[
        ("association.association-id", |_, acl| each(acl.associations.iter().map(|(id, _)| id))),
        ("association.network-acl-id", |_, acl| each(acl.associations.iter().map(|_| acl.id))),
        ("association.subnet-id", |_, acl| each(acl.associations.iter().map(|(_, subnet)| subnet))),
        ("default", |_, acl| one(acl.is_default)),
        ("entry.cidr", |_, acl| entries(acl, |entry| entry.cidr_block)),
        ("entry.egress", |_, acl| entries(acl, |entry| entry.egress)),
        ("entry.icmp.code", |_, acl| entries(acl, |entry| entry.icmp_type_code?.code)),
        ("entry.icmp.type", |_, acl| entries(acl, |entry| entry.icmp_type_code?.type_)),
        ("entry.ipv6-cidr", |_, acl| entries(acl, |entry| entry.ipv6_cidr_block)),
        ("entry.port-range.from", |_, acl| entries(acl, |entry| entry.port_range?.from)),
        ("entry.port-range.to", |_, acl| entries(acl, |entry| entry.port_range?.to)),
        ("entry.protocol", |_, acl| protocols(acl)),
        ("entry.rule-action", |_, acl| entries(acl, |entry| entry.rule_action)),
        ("entry.rule-number", |_, acl| entries(acl, |entry| entry.rule_number)),
        ("network-acl-id", |_, acl| one(acl.id)),
        ("owner-id", owner),
        ("vpc-id", |_, acl| one(acl.vpc)),
    ],
    tags: Some(|acl| Cow::Borrowed(&acl.tags)),
};

fn association(context: &Context<'_>, interface: &NetworkInterface) -> shapes::NetworkInterfaceAssociation {
    address::association_of(context, interface.id).unwrap_or_default()
}

fn attachment(context: &Context<'_>, interface: &NetworkInterface) -> shapes::NetworkInterfaceAttachment {
    network_interface::render(context, interface).attachment.unwrap_or_default()
}

fn zone(context: &Context<'_>, interface: &NetworkInterface) -> Option<Zone> {
    context.estate().subnets.get(&interface.subnet).map(|subnet| subnet.zone.clone())
}

pub(super) const NETWORK_INTERFACES: Filters<Arc<NetworkInterface>> = Filters {
    by: &[
        ("addresses.association.owner-id", |context, interface| some(association(context, interface).ip_owner_id)),
        ("addresses.association.public-ip", |context, interface| some(association(context, interface).public_ip)),
        ("addresses.primary", |_, interface| each(interface.addresses().map(|ip| ip == interface.private_ip))),
        ("addresses.private-ip-address", |_, interface| each(interface.addresses())),
        ("association.allocation-id", |context, interface| some(association(context, interface).allocation_id)),
        ("association.association-id", |context, interface| some(association(context, interface).association_id)),
        ("association.ip-owner-id", |context, interface| some(association(context, interface).ip_owner_id)),
        ("association.public-ip", |context, interface| some(association(context, interface).public_ip)),
        ("attachment.attachment-id", |context, interface| some(attachment(context, interface).attachment_id)),
        ("attachment.delete-on-termination", |context, interface| {
            some(attachment(context, interface).delete_on_termination)
        }),
        ("attachment.device-index", |context, interface| some(attachment(context, interface).device_index)),
        ("attachment.instance-id", nothing),
        ("attachment.instance-owner-id", |context, interface| some(attachment(context, interface).instance_owner_id)),
        ("attachment.status", |context, interface| some(attachment(context, interface).status)),
        ("availability-zone", |context, interface| some(zone(context, interface))),
        ("availability-zone-id", |context, interface| some(zone(context, interface).map(|zone| zone.id()))),
        ("description", |_, interface| one(&interface.description)),
        ("group-id", |_, interface| each(&interface.groups)),
        ("group-name", |context, interface| {
            let groups = interface.groups.iter().filter_map(|id| context.estate().security_groups.get(id));
            each(groups.map(|group| &group.name))
        }),
        ("interface-type", |context, interface| some(network_interface::render(context, interface).interface_type)),
        ("ipv6-addresses.ipv6-address", nothing),
        ("mac-address", |_, interface| one(interface.mac)),
        ("network-interface-id", |_, interface| one(interface.id)),
        // Interfaces of EC2's managed operators; none is.
        ("operator.managed", |_, _| one(false)),
        ("operator.principal", nothing),
        ("owner-id", owner),
        ("private-dns-name", |context, interface| some(network_interface::render(context, interface).private_dns_name)),
        ("private-ip-address", |_, interface| each(interface.addresses())),
        ("requester-id", |context, interface| some(network_interface::render(context, interface).requester_id)),
        ("requester-managed", |_, interface| one(interface.owner.is_service())),
        ("source-dest-check", |_, interface| one(interface.source_dest_check)),
        ("status", |context, interface| some(network_interface::render(context, interface).status)),
        ("subnet-id", |_, interface| one(interface.subnet)),
        ("vpc-id", |_, interface| one(interface.vpc)),
    ],
    tags: Some(|interface| Cow::Borrowed(&interface.tags)),
};

fn routes<T: ToString>(
    context: &Context<'_>,
    table: &RouteTable,
    part: impl Fn(shapes::Route) -> Option<T>,
) -> Vec<String> {
    each(table.routes.iter().filter_map(|route| part(route_table::render_route(context, route))))
}

pub(super) const ROUTE_TABLES: Filters<Arc<RouteTable>> = Filters {
    by: &[
        ("association.gateway-id", nothing),
        ("association.main", |_, table| each(table.associations.iter().map(|one| one.subnet.is_none()))),
        ("association.route-table-association-id", |_, table| each(table.associations.iter().map(|one| one.id))),
        ("association.route-table-id", |_, table| each(table.associations.iter().map(|_| table.id))),
        ("association.subnet-id", |_, table| each(table.associations.iter().filter_map(|one| one.subnet))),
        ("owner-id", owner),
        ("route-table-id", |_, table| one(table.id)),
        ("route.destination-cidr-block", |context, table| routes(context, table, |route| route.destination_cidr_block)),
        ("route.destination-ipv6-cidr-block", |context, table| {
            routes(context, table, |route| route.destination_ipv6_cidr_block)
        }),
        ("route.destination-prefix-list-id", |context, table| {
            routes(context, table, |route| route.destination_prefix_list_id)
        }),
        ("route.egress-only-internet-gateway-id", |context, table| {
            routes(context, table, |route| route.egress_only_internet_gateway_id)
        }),
        ("route.gateway-id", |context, table| routes(context, table, |route| route.gateway_id)),
        ("route.instance-id", nothing),
        ("route.nat-gateway-id", |context, table| routes(context, table, |route| route.nat_gateway_id)),
        ("route.origin", |context, table| routes(context, table, |route| route.origin)),
        ("route.state", |context, table| routes(context, table, |route| route.state)),
        ("route.transit-gateway-id", nothing),
        ("route.vpc-peering-connection-id", nothing),
        ("vpc-id", |_, table| one(table.vpc)),
    ],
    tags: Some(|table| Cow::Borrowed(&table.tags)),
};

fn rules<T: ToString, L: IntoIterator<Item = T>>(
    context: &Context<'_>,
    of: (&SecurityGroup, Direction),
    part: impl Fn(&SecurityGroupRule) -> L,
) -> Vec<String> {
    each(security_group::rules_of(context, of.0.id, of.1).flat_map(|rule| part(rule)))
}

/// A protocol counts under its number and under its name.
fn traffic_names(traffic: Traffic) -> Vec<String> {
    let number = match traffic {
        Traffic::Tcp(_) => Some(6),
        Traffic::Udp(_) => Some(17),
        Traffic::Icmp { .. } => Some(1),
        Traffic::Icmpv6 { .. } => Some(58),
        Traffic::All | Traffic::Other(_) => None,
    };
    std::iter::once(traffic.protocol()).chain(number.map(|number| number.to_string())).collect()
}

/// The tables of both directions are the same but for the prefix of their names.
macro_rules! group_filters {
    ($(($suffix:literal, |$context:ident, $rule:ident| $part:expr),)*) => {&[
        ("description", |_, group| one(&group.description)),
        ("group-id", |_, group| one(group.id)),
        ("group-name", |_, group| one(&group.name)),
        ("owner-id", owner),
        ("vpc-id", |_, group| one(group.vpc)),
        $(
            (concat!("ip-permission.", $suffix), |$context, group| {
                rules($context, (group, Direction::Ingress), |$rule| $part)
            }),
            (concat!("egress.ip-permission.", $suffix), |$context, group| {
                rules($context, (group, Direction::Egress), |$rule| $part)
            }),
        )*
    ]};
}

/// Several filters on rules need not hold for one rule (the page says so).
pub(super) const SECURITY_GROUPS: Filters<Arc<SecurityGroup>> = Filters {
    by: group_filters! {
        ("cidr", |context, rule| if let RulePeer::Ipv4(net) = rule.peer { Some(net) } else { None }),
        ("from-port", |context, rule| Some(rule.traffic.from_to().0)),
        ("group-id", |context, rule| if let RulePeer::Group(id) = rule.peer { Some(id) } else { None }),
        ("group-name", |context, rule| match rule.peer {
            RulePeer::Group(id) => context.estate().security_groups.get(&id).map(|group| group.name.clone()),
            _ => None,
        }),
        ("ipv6-cidr", |context, rule| if let RulePeer::Ipv6(net) = rule.peer { Some(net) } else { None }),
        ("prefix-list-id", |context, rule| if let RulePeer::PrefixList(id) = rule.peer { Some(id) } else { None }),
        ("protocol", |context, rule| traffic_names(rule.traffic)),
        ("to-port", |context, rule| Some(rule.traffic.from_to().1)),
        ("user-id", |context, rule| matches!(rule.peer, RulePeer::Group(_)).then(|| context.account())),
    },
    tags: Some(|group| Cow::Borrowed(&group.tags)),
};

pub(super) const SECURITY_GROUP_RULES: Filters<Arc<SecurityGroupRule>> = Filters {
    by: &[
        ("group-id", |_, rule| one(rule.group)),
        ("security-group-rule-id", |context, rule| some(permission::render_one(context, rule).security_group_rule_id)),
    ],
    tags: Some(|rule| Cow::Borrowed(&rule.tags)),
};

fn free_addresses(context: &Context<'_>, subnet: &Subnet) -> Vec<String> {
    one(interface::available_addresses(context.estate(), subnet.id, subnet.cidr))
}

pub(super) const SUBNETS: Filters<Arc<Subnet>> = Filters {
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
        ("subnet-arn", |context, subnet| one(subnet::arn(context, subnet))),
        ("subnet-id", |_, subnet| one(subnet.id)),
        ("vpc-id", |_, subnet| one(subnet.vpc)),
    ],
    tags: Some(|subnet| Cow::Borrowed(&subnet.tags)),
};

pub(super) const TAGS: Filters<shapes::TagDescription> = Filters {
    by: &[
        ("key", |_, tag| some(tag.key.as_ref())),
        ("resource-id", |_, tag| some(tag.resource_id.as_ref())),
        ("resource-type", |_, tag| some(tag.resource_type.as_ref())),
        ("value", |_, tag| some(tag.value.as_ref())),
    ],
    tags: Some(|tag| Cow::Owned(tag.key.clone().zip(tag.value.clone()).into_iter().collect::<Tags>())),
};

pub(super) const VPC_ENDPOINT_SERVICES: Filters<shapes::ServiceDetail> = Filters {
    by: &[
        ("owner", |_, service| some(service.owner.as_ref())),
        ("service-name", |_, service| some(service.service_name.as_ref())),
        ("service-region", |_, service| some(service.service_region.as_ref())),
        ("service-type", |_, service| some(endpoint_service::kind(service))),
        ("supported-ip-address-types", |_, service| each(service.supported_ip_address_types.iter().flatten())),
    ],
    // AWS's own services have no tags that another account sees.
    tags: Some(|_| Cow::Owned(Tags::new())),
};

pub(super) const VPC_ENDPOINTS: Filters<Arc<VpcEndpoint>> = Filters {
    by: &[
        ("ip-address-type", |_, _| one("ipv4")),
        ("service-name", |_, endpoint| one(&endpoint.service_name)),
        ("service-region", |context, _| one(context.region())),
        ("vpc-endpoint-id", |_, endpoint| one(endpoint.id)),
        ("vpc-endpoint-state", |context, endpoint| some(endpoint::render(context, endpoint).state)),
        ("vpc-endpoint-type", |context, endpoint| some(endpoint::render(context, endpoint).vpc_endpoint_type)),
        ("vpc-id", |_, endpoint| one(endpoint.vpc)),
    ],
    tags: Some(|endpoint| Cow::Borrowed(&endpoint.tags)),
};

pub(super) const VPCS: Filters<Arc<Vpc>> = Filters {
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
        ("ipv6-cidr-block-association.ipv6-pool", |_, vpc| each(vpc.ipv6_cidrs.iter().map(|_| super::vpc::IPV6_POOL))),
        ("ipv6-cidr-block-association.state", |_, vpc| each(vpc.ipv6_cidrs.iter().map(|_| "associated"))),
        ("is-default", |_, vpc| one(vpc.is_default)),
        ("isDefault", |_, vpc| one(vpc.is_default)),
        ("owner-id", owner),
        ("state", available),
        ("vpc-id", |_, vpc| one(vpc.id)),
    ],
    tags: Some(|vpc| Cow::Borrowed(&vpc.tags)),
};
