//! Network interfaces.

use std::sync::Arc;

use topology::id::{SecurityGroupId, VpcId};
use topology::resource::network_interface::{InterfaceOwner, NetworkInterface};
use wire::Fault;
use wire::ec2 as shapes;

use super::select::{self, Filters};
use super::{fault, tags};
use crate::context::Context;
use crate::interface::{self, InterfaceError, NewInterface};

/// Groups of an interface: 5 by AWS's default quota, 16 at most (VPC quotas, 2026-11).
const GROUPS_MAX: usize = 16;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateNetworkInterfaceRequest,
) -> Result<shapes::NetworkInterface, Fault> {
    let subnet = select::known(&context.estate().subnets, &input.subnet_id, fault::SUBNET)?;
    if input.secondary_private_ip_address_count.unwrap_or(0) > 0 {
        return Err(fault::unsupported("a secondary private address"));
    }
    let listed = input.private_ip_addresses.unwrap_or_default();
    if listed.len() > 1 {
        return Err(fault::unsupported("a secondary private address"));
    }
    let text = input.private_ip_address.or_else(|| listed.into_iter().next().and_then(|one| one.private_ip_address));
    let address = text
        .map(|text| {
            text.parse()
                .map_err(|_| fault::invalid_value(format!("Value ({text}) for parameter privateIpAddress is invalid")))
        })
        .transpose()?;
    let groups = known_groups(context, subnet.vpc, input.groups.unwrap_or_default())?;
    let wanted = NewInterface {
        subnet: subnet.id,
        address,
        description: input.description.unwrap_or_default(),
        groups,
        owner: InterfaceOwner::User,
        tags: tags::at_creation(input.tag_specifications, "network-interface")?,
    };
    let (estate, mint) = context.edit_with_mint();
    let made = interface::create(estate, mint, wanted);
    let id = made.map_err(|error| refused(&input.subnet_id, &error))?;
    let interface = select::known(&context.estate().network_interfaces, &id.to_string(), fault::INTERFACE)?;
    let mut shape = render(context, &interface);
    shape.status = Some("pending".to_owned());
    Ok(shape)
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

const FILTERS: &[&str] = &[
    "addresses.private-ip-address",
    "attachment.instance-owner-id",
    "attachment.status",
    "availability-zone",
    "description",
    "group-id",
    "group-name",
    "interface-type",
    "mac-address",
    "network-interface-id",
    "owner-id",
    "private-ip-address",
    "requester-id",
    "requester-managed",
    "source-dest-check",
    "status",
    "subnet-id",
    "vpc-id",
];

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    filters: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::NetworkInterface>, Fault> {
    let found = select::by_ids(&context.estate().network_interfaces, ids, fault::INTERFACE)?;
    let known = Filters { names: FILTERS, tags: |interface: &Arc<NetworkInterface>| Some(&interface.tags) };
    let kept = known.apply(found, filters, |interface, name| values(context, interface, name))?;
    Ok(kept.iter().map(|interface| render(context, interface)).collect())
}

fn values(context: &Context<'_>, interface: &NetworkInterface, name: &str) -> Vec<String> {
    let estate = context.estate();
    let service = Service::of(interface.owner);
    vec![match name {
        "private-ip-address" | "addresses.private-ip-address" => interface.private_ip.to_string(),
        "attachment.instance-owner-id" => return service.attachment_owner.map(str::to_owned).into_iter().collect(),
        "attachment.status" => return interface.attachment.map(|_| "attached".to_owned()).into_iter().collect(),
        "availability-zone" => {
            return estate.subnets.get(&interface.subnet).map(|subnet| subnet.zone.to_string()).into_iter().collect();
        }
        "description" => interface.description.clone(),
        "group-id" => return interface.groups.iter().map(ToString::to_string).collect(),
        "group-name" => {
            let groups = interface.groups.iter().filter_map(|id| estate.security_groups.get(id));
            return groups.map(|group| group.name.clone()).collect();
        }
        "interface-type" => service.interface_type.to_owned(),
        "mac-address" => interface.mac.to_string(),
        "network-interface-id" => interface.id.to_string(),
        "owner-id" => context.account().to_string(),
        "requester-id" => return service.requester.map(str::to_owned).into_iter().collect(),
        "requester-managed" => interface.owner.is_service().to_string(),
        "source-dest-check" => interface.source_dest_check.to_string(),
        "status" => status(interface).to_owned(),
        "subnet-id" => interface.subnet.to_string(),
        _ => interface.vpc.to_string(),
    }]
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
    let attached = context.estate().attachments.values().any(|attachment| attachment.interface == interface.id);
    if interface.owner.is_service() || attached {
        return Err(fault::new(
            "InvalidNetworkInterface.InUse",
            format!("Network interface '{id}' is currently in use."),
        ));
    }
    let estate = context.edit();
    estate.network_interfaces.remove(&interface.id);
    super::address::forget_interface(estate, interface.id);
    Ok(())
}

pub(super) fn modify_attribute(
    context: &mut Context<'_>,
    input: shapes::ModifyNetworkInterfaceAttributeRequest,
) -> Result<(), Fault> {
    let interface = select::known(&context.estate().network_interfaces, &input.network_interface_id, fault::INTERFACE)?;
    if interface.owner.is_service() {
        return Err(fault::new("AuthFailure", "You do not have permission to access the specified resource."));
    }
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

fn render(context: &Context<'_>, interface: &NetworkInterface) -> shapes::NetworkInterface {
    let estate = context.estate();
    let service = Service::of(interface.owner);
    let zone = estate.subnets.get(&interface.subnet).map(|subnet| subnet.zone.clone());
    let groups = interface.groups.iter().map(|id| shapes::GroupIdentifier {
        group_id: Some(id.to_string()),
        group_name: estate.security_groups.get(id).map(|group| group.name.clone()),
    });
    let association = super::address::association_of(context, interface.id);
    let dns = format!("ip-{}.ec2.internal", interface.private_ip.to_string().replace('.', "-"));
    let attachment = interface.attachment.map(|id| shapes::NetworkInterfaceAttachment {
        attach_time: None,
        attachment_id: Some(id.to_string()),
        delete_on_termination: Some(false),
        device_index: Some(1),
        instance_owner_id: service.attachment_owner.map(str::to_owned),
        status: Some("attached".to_owned()),
    });
    shapes::NetworkInterface {
        association: association.clone(),
        attachment,
        availability_zone: zone.as_ref().map(ToString::to_string),
        availability_zone_id: zone.as_ref().map(topology::id::Zone::id),
        description: Some(interface.description.clone()),
        groups: Some(groups.collect()),
        interface_type: Some(service.interface_type.to_owned()),
        ipv6_addresses: Some(Vec::new()),
        mac_address: Some(interface.mac.to_string()),
        network_interface_id: Some(interface.id.to_string()),
        owner_id: Some(context.account().to_string()),
        private_dns_name: Some(dns.clone()),
        private_ip_address: Some(interface.private_ip.to_string()),
        private_ip_addresses: Some(vec![shapes::NetworkInterfacePrivateIpAddress {
            association,
            primary: Some(true),
            private_dns_name: Some(dns),
            private_ip_address: Some(interface.private_ip.to_string()),
        }]),
        requester_id: service.requester.map(str::to_owned),
        requester_managed: Some(interface.owner.is_service()),
        source_dest_check: Some(interface.source_dest_check),
        status: Some(status(interface).to_owned()),
        subnet_id: Some(interface.subnet.to_string()),
        tag_set: tags::render(&interface.tags),
        vpc_id: Some(interface.vpc.to_string()),
    }
}
