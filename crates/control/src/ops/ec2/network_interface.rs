//! Network interfaces.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use topology::id::Zone;

use topology::id::{SecurityGroupId, VpcId};
use topology::names::private_name;
use topology::resource::network_interface::{InterfaceOwner, NetworkInterface};
use wire::Fault;
use wire::ec2 as shapes;

use super::address;
use super::filters::{each, nothing, one, owner, some};
use super::select::Filters;
use super::{fault, select, tags};
use crate::context::Context;
use crate::interface::{self, IPV6_MAX, InterfaceError, MoreAddresses, NewInterface, WantedIpv6};
use std::borrow::Cow;

/// Groups of an interface: 5 by AWS's default quota, 16 at most (VPC quotas, 2026-11).
const GROUPS_MAX: usize = 16;
/// Secondary addresses of an interface: 49 beside the primary one, as the largest instance types have (EC2 user guide, "IP
/// addresses per network interface", 2026-11).
const SECONDARY_MAX: usize = 49;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateNetworkInterfaceRequest,
) -> Result<shapes::NetworkInterface, Fault> {
    let subnet = select::known(&context.estate().subnets, &input.subnet_id, fault::SUBNET)?;
    let wanted = WantedAddresses::parse(
        (input.private_ip_address, input.private_ip_addresses.unwrap_or_default()),
        input.secondary_private_ip_address_count,
    )?;
    let listed = input.ipv6_addresses.unwrap_or_default().into_iter().map(|one| one.ipv6_address);
    let ipv6 = wanted_ipv6(listed, input.ipv6_address_count)?;
    let groups = known_groups(context, subnet.vpc, input.groups.unwrap_or_default())?;
    let new = NewInterface {
        subnet: subnet.id,
        address: wanted.primary,
        ipv6,
        description: input.description.unwrap_or_default(),
        groups,
        owner: InterfaceOwner::User,
        tags: tags::at_creation(input.tag_specifications, "network-interface")?,
    };
    let (estate, mint) = context.edit_with_mint();
    let made = interface::create(estate, mint, new)
        .and_then(|id| interface::assign(estate, id, &wanted.secondary).map(|()| id));
    let id = made.map_err(|error| refused(&input.subnet_id, &error))?;
    let interface = select::known(&context.estate().network_interfaces, &id.to_string(), fault::INTERFACE)?;
    let mut shape = render(context, &interface);
    shape.status = Some("pending".to_owned());
    Ok(shape)
}

/// The addresses that a request asks for.
struct WantedAddresses {
    primary: Option<Ipv4Addr>,
    secondary: MoreAddresses,
}

impl WantedAddresses {
    /// The primary address stands alone or is marked in the list; a count comes on top (EC2 API reference,
    /// CreateNetworkInterface, 2026-11).
    fn parse(
        (alone, listed): (Option<String>, Vec<shapes::PrivateIpAddressSpecification>),
        count: Option<i64>,
    ) -> Result<Self, Fault> {
        let count =
            usize::try_from(count.unwrap_or(0)).ok().filter(|count| *count <= SECONDARY_MAX).ok_or_else(|| {
                fault::invalid_value(format!("SecondaryPrivateIpAddressCount must be between 0 and {SECONDARY_MAX}"))
            })?;
        if count > 0 && listed.iter().any(|one| one.primary != Some(true)) {
            return Err(fault::invalid_combination("Secondary private addresses may be listed or counted, not both"));
        }
        let mut primary = alone.as_deref().map(parse_address).transpose()?;
        let mut named = Vec::new();
        for one in listed {
            let address = parse_address(&one.private_ip_address.unwrap_or_default())?;
            match (one.primary == Some(true), primary) {
                (true, Some(other)) if other != address => {
                    return Err(fault::invalid_combination("Only one primary private IP address can be specified"));
                }
                (true, _) => primary = Some(address),
                (false, _) => named.push(address),
            }
        }
        if named.len() > SECONDARY_MAX {
            let text = format!("More than {SECONDARY_MAX} secondary private addresses");
            return Err(fault::new("PrivateIpAddressLimitExceeded", text));
        }
        Ok(Self { primary, secondary: MoreAddresses { named, count } })
    }
}

/// Which IPv6 addresses are asked for: listed or counted, not both; where nothing is said the subnet decides.
pub(super) fn wanted_ipv6(
    listed: impl Iterator<Item = Option<String>>,
    count: Option<i64>,
) -> Result<WantedIpv6, Fault> {
    let named = listed.map(|text| parse_ipv6(&text.unwrap_or_default())).collect::<Result<Vec<_>, _>>()?;
    let counted = usize::try_from(count.unwrap_or(0)).ok().filter(|count| *count <= IPV6_MAX);
    let counted =
        counted.ok_or_else(|| fault::invalid_value(format!("Ipv6AddressCount must be between 0 and {IPV6_MAX}")))?;
    if named.len() > IPV6_MAX {
        let text = format!("More than {IPV6_MAX} IPv6 addresses");
        return Err(fault::new("AddressLimitExceeded", text));
    }
    match (named.is_empty(), count) {
        (true, None) => Ok(WantedIpv6::AsTheSubnet),
        (false, Some(1..)) => Err(fault::invalid_combination("IPv6 addresses may be listed or counted, not both")),
        (_, _) => Ok(WantedIpv6::These(named, counted)),
    }
}

fn parse_ipv6(text: &str) -> Result<Ipv6Addr, Fault> {
    text.parse().map_err(|_| fault::invalid_value(format!("Value ({text}) for parameter ipv6Address is invalid")))
}

/// An interface that is the caller's to change.
fn own(context: &Context<'_>, id: &str) -> Result<Arc<NetworkInterface>, Fault> {
    let interface = select::known(&context.estate().network_interfaces, id, fault::INTERFACE)?;
    if interface.owner.is_service() {
        return Err(fault::new("AuthFailure", "You do not have permission to access the specified resource."));
    }
    Ok(interface)
}

/// Gives an interface more IPv6 addresses; one where neither a list nor a count says which.
pub(super) fn assign_ipv6(
    context: &mut Context<'_>,
    input: shapes::AssignIpv6AddressesRequest,
) -> Result<shapes::AssignIpv6AddressesResult, Fault> {
    let interface = own(context, &input.network_interface_id)?;
    let listed = input.ipv6_addresses.unwrap_or_default().into_iter().map(Some);
    let (named, count) = match wanted_ipv6(listed, input.ipv6_address_count)? {
        WantedIpv6::These(named, count) => (named, count),
        WantedIpv6::AsTheSubnet | WantedIpv6::None => (Vec::new(), 1),
    };
    if interface.ipv6_addresses.len() + named.len() + count > IPV6_MAX {
        let text = format!("An interface has {IPV6_MAX} IPv6 addresses at most");
        return Err(fault::new("AddressLimitExceeded", text));
    }
    let made = interface::assign_ipv6(context.edit(), interface.id, (&named, count));
    let assigned = made.map_err(|error| refused(&interface.subnet.to_string(), &error))?;
    Ok(shapes::AssignIpv6AddressesResult {
        assigned_ipv6_addresses: Some(assigned.iter().map(ToString::to_string).collect()),
        network_interface_id: Some(interface.id.to_string()),
    })
}

/// Takes IPv6 addresses of an interface away, all that are named or none.
pub(super) fn unassign_ipv6(
    context: &mut Context<'_>,
    input: shapes::UnassignIpv6AddressesRequest,
) -> Result<shapes::UnassignIpv6AddressesResult, Fault> {
    let interface = own(context, &input.network_interface_id)?;
    let texts = input.ipv6_addresses.filter(|list| !list.is_empty()).ok_or_else(|| fault::missing("ipv6Addresses"))?;
    let gone = texts.iter().map(|text| parse_ipv6(text)).collect::<Result<BTreeSet<_>, _>>()?;
    if let Some(other) = gone.iter().find(|address| !interface.ipv6_addresses.contains(address)) {
        return Err(fault::invalid_value(format!(
            "Some of the specified IPv6 addresses are not assigned to interface {}: {other}",
            interface.id
        )));
    }
    if let Some(interface) = context.edit().network_interfaces.edit(&interface.id) {
        interface.ipv6_addresses.retain(|address| !gone.contains(address));
    }
    Ok(shapes::UnassignIpv6AddressesResult {
        network_interface_id: Some(interface.id.to_string()),
        unassigned_ipv6_addresses: Some(gone.iter().map(ToString::to_string).collect()),
    })
}

fn parse_address(text: &str) -> Result<Ipv4Addr, Fault> {
    text.parse().map_err(|_| fault::invalid_value(format!("Value ({text}) for parameter privateIpAddress is invalid")))
}

/// What EC2 says when an interface cannot be made.
pub(super) fn refused(subnet: &str, error: &InterfaceError) -> Fault {
    match error {
        InterfaceError::NoSubnet => fault::SUBNET.unknown(subnet),
        InterfaceError::AddressInUse => {
            fault::new("InvalidIPAddress.InUse", "The specified address is already in use.")
        }
        InterfaceError::AddressOutside => {
            fault::invalid_value("The specified address is not within the subnet's usable range")
        }
        InterfaceError::NoIpv6 => {
            fault::invalid_value(format!("The subnet '{subnet}' does not have an IPv6 CIDR block associated with it"))
        }
        InterfaceError::SubnetFull => {
            fault::new("InsufficientFreeAddressesInSubnet", format!("The subnet '{subnet}' has no free addresses"))
        }
    }
}

/// The groups that ids name in a VPC; its default group when there are none.
pub(super) fn known_groups(context: &Context<'_>, vpc: VpcId, ids: Vec<String>) -> Result<Vec<SecurityGroupId>, Fault> {
    if ids.is_empty() {
        return Ok(interface::default_group(context.estate(), vpc).into_iter().collect());
    }
    if ids.len() > GROUPS_MAX {
        return Err(fault::new(
            "SecurityGroupsPerInterfaceLimitExceeded",
            "The maximum number of security groups per interface has been reached.",
        ));
    }
    ids.iter()
        .map(|id| {
            let group = select::known(&context.estate().security_groups, id, fault::GROUP)?;
            if group.vpc != vpc {
                return Err(fault::invalid_value(
                    "You have specified two resources that belong to different networks.",
                ));
            }
            Ok(group.id)
        })
        .collect()
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::NetworkInterface>, Fault> {
    let found = select::by_ids(&context.estate().network_interfaces, ids, fault::INTERFACE)?;
    let kept = NETWORK_INTERFACES.apply(context, found, wanted)?;
    Ok(kept.iter().map(|interface| render(context, interface)).collect())
}

/// How AWS shows an interface that one of its services owns. Requester and attachment owner of VPC links are our reading
/// (`docs/differences-from-aws.md`).
struct Service {
    interface_type: &'static str,
    requester: Option<&'static str>,
    attachment_owner: Option<&'static str>,
}

impl Service {
    const fn of(owner: InterfaceOwner) -> Self {
        let (interface_type, requester, attachment_owner) = match owner {
            InterfaceOwner::User | InterfaceOwner::Attachment => ("interface", None, None),
            InterfaceOwner::Instance(_) => ("interface", None, None),
            InterfaceOwner::LoadBalancer(_) => ("interface", Some("amazon-elb"), Some("amazon-elb")),
            InterfaceOwner::VpcLink(_) => ("api_gateway_managed", Some("amazon-apigateway"), Some("amazon-aws")),
            InterfaceOwner::NatGateway(_) => ("nat_gateway", Some("amazon-aws"), Some("amazon-aws")),
            InterfaceOwner::VpcEndpoint(_) => ("vpc_endpoint", Some("amazon-aws"), Some("amazon-aws")),
        };
        Self { interface_type, requester, attachment_owner }
    }
}

fn status(interface: &NetworkInterface) -> &'static str {
    if interface.owner == InterfaceOwner::User { "available" } else { "in-use" }
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let interface = select::known(&context.estate().network_interfaces, id, fault::INTERFACE)?;
    let attached = context.estate().attachments.values().any(|attachment| attachment.interface == interface.id)
        || context.estate().listener_sockets.values().any(|socket| socket.interface == interface.id);
    if interface.attachment.is_some() || attached {
        return Err(fault::new(
            "InvalidNetworkInterface.InUse",
            format!("Network interface '{id}' is currently in use."),
        ));
    }
    let estate = context.edit();
    interface::remove(estate, interface.id);
    Ok(())
}

pub(super) fn modify_attribute(
    context: &mut Context<'_>,
    input: shapes::ModifyNetworkInterfaceAttributeRequest,
) -> Result<(), Fault> {
    let interface = own(context, &input.network_interface_id)?;
    let groups = input.groups.map(|ids| known_groups(context, interface.vpc, ids)).transpose()?;
    if let Some(interface) = context.edit().network_interfaces.edit(&interface.id) {
        interface.groups = groups.unwrap_or_else(|| interface.groups.clone());
        if let Some(text) = input.description.and_then(|value| value.value) {
            interface.description = text;
        }
        if let Some(check) = input.source_dest_check.and_then(|value| value.value) {
            interface.source_dest_check = check;
        }
    }
    Ok(())
}

pub(super) fn attribute(
    context: &Context<'_>,
    input: &shapes::DescribeNetworkInterfaceAttributeRequest,
) -> Result<shapes::DescribeNetworkInterfaceAttributeResult, Fault> {
    let interface = select::known(&context.estate().network_interfaces, &input.network_interface_id, fault::INTERFACE)?;
    let shape = render(context, &interface);
    let mut answer = shapes::DescribeNetworkInterfaceAttributeResult {
        network_interface_id: shape.network_interface_id,
        ..Default::default()
    };
    match input.attribute.as_deref() {
        Some("description") => answer.description = Some(shapes::AttributeValue { value: shape.description }),
        Some("groupSet") => answer.groups = shape.groups,
        Some("sourceDestCheck") => {
            answer.source_dest_check = Some(shapes::AttributeBooleanValue { value: shape.source_dest_check });
        }
        Some("attachment") => answer.attachment = shape.attachment,
        Some("associatePublicIpAddress") => answer.associate_public_ip_address = Some(false),
        _ => return Err(fault::missing("attribute")),
    }
    Ok(answer)
}

pub(super) fn render(context: &Context<'_>, interface: &NetworkInterface) -> shapes::NetworkInterface {
    let estate = context.estate();
    let service = Service::of(interface.owner);
    let zone = estate.subnets.get(&interface.subnet).map(|subnet| subnet.zone.clone());
    let groups = interface.groups.iter().map(|id| shapes::GroupIdentifier {
        group_id: Some(id.to_string()),
        group_name: estate.security_groups.get(id).map(|group| group.name.clone()),
    });
    let association = super::address::association_of(context, interface.id);
    let dns = |ip: Ipv4Addr| private_name(ip, context.region());
    let addresses = interface.private_ips().map(|ip| shapes::NetworkInterfacePrivateIpAddress {
        association: association.clone().filter(|_| ip == interface.private_ip),
        primary: Some(ip == interface.private_ip),
        private_dns_name: Some(dns(ip)),
        private_ip_address: Some(ip.to_string()),
    });
    // None is primary: that is asked for by EnablePrimaryIpv6, which is not carried out.
    let ipv6 = interface.ipv6_addresses.iter().map(|address| shapes::NetworkInterfaceIpv6Address {
        ipv6_address: Some(address.to_string()),
        is_primary_ipv6: Some(false),
    });
    let attachment = attached_to(context, interface);
    shapes::NetworkInterface {
        association: association.clone(),
        attachment,
        availability_zone: zone.as_ref().map(ToString::to_string),
        availability_zone_id: zone.as_ref().map(topology::id::Zone::id),
        description: Some(interface.description.clone()),
        groups: Some(groups.collect()),
        interface_type: Some(service.interface_type.to_owned()),
        ipv6_address: interface.ipv6_addresses.first().map(ToString::to_string),
        ipv6_addresses: Some(ipv6.collect()),
        mac_address: Some(interface.mac.to_string()),
        network_interface_id: Some(interface.id.to_string()),
        owner_id: Some(context.account().to_string()),
        private_dns_name: Some(dns(interface.private_ip)),
        private_ip_address: Some(interface.private_ip.to_string()),
        private_ip_addresses: Some(addresses.collect()),
        requester_id: service.requester.map(str::to_owned),
        requester_managed: Some(interface.owner.is_service()),
        source_dest_check: Some(interface.source_dest_check),
        status: Some(status(interface).to_owned()),
        subnet_id: Some(interface.subnet.to_string()),
        tag_set: tags::render(&interface.tags),
        vpc_id: Some(interface.vpc.to_string()),
    }
}

/// An instance's is its first; how a service's is numbered is our reading.
fn attached_to(context: &Context<'_>, interface: &NetworkInterface) -> Option<shapes::NetworkInterfaceAttachment> {
    let instance = interface.owner.instance().and_then(|id| context.estate().instances.get(&id));
    let owner = Service::of(interface.owner).attachment_owner.map(str::to_owned);
    Some(shapes::NetworkInterfaceAttachment {
        attach_time: instance.map(|instance| wire::Timestamp(instance.launched.0)),
        attachment_id: Some(interface.attachment?.to_string()),
        delete_on_termination: Some(instance.is_some()),
        device_index: Some(if instance.is_some() { 0 } else { 1 }),
        instance_id: instance.map(|instance| instance.id.to_string()),
        instance_owner_id: owner.or_else(|| instance.map(|_| context.account().to_string())),
        status: Some("attached".to_owned()),
    })
}

fn association(context: &Context<'_>, interface: &NetworkInterface) -> shapes::NetworkInterfaceAssociation {
    address::association_of(context, interface.id).unwrap_or_default()
}

fn attachment(context: &Context<'_>, interface: &NetworkInterface) -> shapes::NetworkInterfaceAttachment {
    render(context, interface).attachment.unwrap_or_default()
}

fn zone(context: &Context<'_>, interface: &NetworkInterface) -> Option<Zone> {
    context.estate().subnets.get(&interface.subnet).map(|subnet| subnet.zone.clone())
}

const NETWORK_INTERFACES: Filters<Arc<NetworkInterface>> = Filters {
    by: &[
        ("addresses.association.owner-id", |context, interface| some(association(context, interface).ip_owner_id)),
        ("addresses.association.public-ip", |context, interface| some(association(context, interface).public_ip)),
        ("addresses.primary", |_, interface| each(interface.private_ips().map(|ip| ip == interface.private_ip))),
        ("addresses.private-ip-address", |_, interface| each(interface.private_ips())),
        ("association.allocation-id", |context, interface| some(association(context, interface).allocation_id)),
        ("association.association-id", |context, interface| some(association(context, interface).association_id)),
        ("association.ip-owner-id", |context, interface| some(association(context, interface).ip_owner_id)),
        ("association.public-ip", |context, interface| some(association(context, interface).public_ip)),
        ("attachment.attachment-id", |context, interface| some(attachment(context, interface).attachment_id)),
        ("attachment.delete-on-termination", |context, interface| {
            some(attachment(context, interface).delete_on_termination)
        }),
        ("attachment.device-index", |context, interface| some(attachment(context, interface).device_index)),
        ("attachment.instance-id", |context, interface| some(attachment(context, interface).instance_id)),
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
        ("interface-type", |context, interface| some(render(context, interface).interface_type)),
        ("ipv6-addresses.ipv6-address", |_, interface| each(&interface.ipv6_addresses)),
        ("mac-address", |_, interface| one(interface.mac)),
        ("network-interface-id", |_, interface| one(interface.id)),
        // Interfaces of EC2's managed operators; none is.
        ("operator.managed", |_, _| one(false)),
        ("operator.principal", nothing),
        ("owner-id", owner),
        ("private-dns-name", |context, interface| some(render(context, interface).private_dns_name)),
        ("private-ip-address", |_, interface| each(interface.private_ips())),
        ("requester-id", |context, interface| some(render(context, interface).requester_id)),
        ("requester-managed", |_, interface| one(interface.owner.is_service())),
        ("source-dest-check", |_, interface| one(interface.source_dest_check)),
        ("status", |context, interface| some(render(context, interface).status)),
        ("subnet-id", |_, interface| one(interface.subnet)),
        ("vpc-id", |_, interface| one(interface.vpc)),
    ],
    tags: Some(|interface| Cow::Borrowed(&interface.tags)),
};
