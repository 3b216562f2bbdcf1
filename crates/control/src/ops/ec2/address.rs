//! Elastic IP addresses: records, from a block that documentation reserves (RFC 5737), so that nothing is ever there.

use std::net::Ipv4Addr;
use std::sync::Arc;

use topology::estate::RealmEstate;
use topology::id::{AddressAssociationId, AllocationId, NetworkInterfaceId};
use topology::resource::network_interface::NetworkInterface;
use topology::resource::routing::Address;
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{one, some};
use super::select::Filters;
use super::{fault, select, tags};
use crate::context::Context;
use std::borrow::Cow;

/// 203.0.113.0/24 and 198.51.100.0/24.
const BLOCKS: [u32; 2] = [0xcb00_7100, 0xc633_6400];

pub(super) fn allocate(
    context: &mut Context<'_>,
    input: shapes::AllocateAddressRequest,
) -> Result<shapes::AllocateAddressResult, Fault> {
    if input.domain.as_deref().is_some_and(|domain| domain != "vpc") {
        return Err(fault::invalid_value("Only addresses of the domain vpc can be allocated"));
    }
    let group = context.region().to_string();
    if input.network_border_group.is_some_and(|wanted| wanted != group) {
        return Err(fault::invalid_value("The network border group must be that of the region"));
    }
    let taken: Vec<Ipv4Addr> = context.estate().addresses.values().map(|address| address.public_ip).collect();
    let mut all = BLOCKS.iter().flat_map(|block| (1..255).map(move |host| Ipv4Addr::from(block + host)));
    let public_ip = all
        .find(|address| !taken.contains(address))
        .ok_or_else(|| fault::new("AddressLimitExceeded", "The maximum number of addresses has been reached."))?;
    let id = AllocationId::from_bits(context.mint.wide());
    let tags = tags::at_creation(input.tag_specifications, "elastic-ip")?;
    context.edit().addresses.insert(id, Address { id, public_ip, association: None, tags });
    Ok(shapes::AllocateAddressResult {
        allocation_id: Some(id.to_string()),
        domain: Some("vpc".to_owned()),
        network_border_group: Some(group),
        public_ip: Some(public_ip.to_string()),
    })
}

fn named(context: &Context<'_>, id: Option<&str>, public_ip: Option<&str>) -> Result<Arc<Address>, Fault> {
    match (id, public_ip) {
        (Some(id), _) => select::known(&context.estate().addresses, id, fault::ALLOCATION),
        (None, Some(ip)) => {
            let found = context.estate().addresses.values().find(|address| address.public_ip.to_string() == ip);
            found.cloned().ok_or_else(|| fault::new("InvalidAddress.NotFound", format!("Address '{ip}' not found.")))
        }
        (None, None) => Err(fault::missing("allocationId")),
    }
}

pub(super) fn release(context: &mut Context<'_>, input: &shapes::ReleaseAddressRequest) -> Result<(), Fault> {
    let address = named(context, input.allocation_id.as_deref(), input.public_ip.as_deref())?;
    if address.association.is_some() {
        return Err(fault::new("InvalidIPAddress.InUse", format!("Address {} is in use.", address.public_ip)));
    }
    context.edit().addresses.remove(&address.id);
    Ok(())
}

pub(super) fn associate(
    context: &mut Context<'_>,
    input: &shapes::AssociateAddressRequest,
) -> Result<AddressAssociationId, Fault> {
    let address = named(context, input.allocation_id.as_deref(), input.public_ip.as_deref())?;
    let interface = meant(context, input)?;
    match input.private_ip_address.as_deref() {
        Some(ip) if !interface.private_ips().any(|own| own.to_string() == ip) => {
            return Err(fault::invalid_value("The private address is not one of the interface's"));
        }
        Some(ip) if ip != interface.private_ip.to_string() => {
            return Err(fault::unsupported("an Elastic IP address of a secondary private address"));
        }
        _ => {}
    }
    if let Some((id, known)) = address.association {
        if known == interface.id {
            return Ok(id);
        }
        if input.allow_reassociation != Some(true) {
            return Err(fault::new(
                "Resource.AlreadyAssociated",
                format!("resource {} is already associated with associate-id {id}", address.id),
            ));
        }
    }
    let id = AddressAssociationId::from_bits(context.mint.wide());
    put(context.edit(), address.id, Some((id, interface.id)));
    Ok(id)
}

/// The interface that is named, or that of the instance that is.
fn meant(context: &Context<'_>, input: &shapes::AssociateAddressRequest) -> Result<Arc<NetworkInterface>, Fault> {
    let estate = context.estate();
    match (input.network_interface_id.as_deref(), input.instance_id.as_deref()) {
        (Some(id), None) => select::known(&estate.network_interfaces, id, fault::INTERFACE),
        (None, Some(id)) => {
            let instance = select::known(&estate.instances, id, fault::INSTANCE)?;
            let interface = instance.interface.and_then(|interface| estate.network_interfaces.get(&interface));
            let text = format!("The instance '{id}' is not in a valid state for this operation.");
            interface.cloned().ok_or_else(|| fault::new("InvalidInstanceID", text))
        }
        (Some(_), Some(_)) => {
            Err(fault::invalid_combination("You may specify either an instance ID or a network interface ID, not both"))
        }
        (None, None) => Err(fault::missing("networkInterfaceId")),
    }
}

/// Sets what an address is associated with.
pub(super) fn put(
    estate: &mut RealmEstate,
    address: AllocationId,
    association: Option<(AddressAssociationId, NetworkInterfaceId)>,
) {
    if let Some(address) = estate.addresses.edit(&address) {
        address.association = association;
    }
}

pub(super) fn disassociate(context: &mut Context<'_>, input: &shapes::DisassociateAddressRequest) -> Result<(), Fault> {
    let address = match (input.association_id.as_deref(), input.public_ip.as_deref()) {
        (Some(id), _) => {
            let of = |address: &Address| address.association.is_some_and(|(known, _)| known.to_string() == id);
            let found = context.estate().addresses.values().find(|address| of(address));
            found.cloned().ok_or_else(|| fault::ADDRESS_ASSOCIATION.unknown(id))?
        }
        (None, ip) => named(context, None, ip)?,
    };
    if let Some((_, interface)) = address.association
        && context.estate().network_interfaces.get(&interface).is_some_and(|interface| interface.owner.is_service())
    {
        return Err(fault::new("AuthFailure", "You do not have permission to access the specified resource."));
    }
    put(context.edit(), address.id, None);
    Ok(())
}

/// The association of an interface as DescribeNetworkInterfaces shows it.
pub(super) fn association_of(
    context: &Context<'_>,
    interface: NetworkInterfaceId,
) -> Option<shapes::NetworkInterfaceAssociation> {
    let mut addresses = context.estate().addresses.values();
    addresses.find_map(|address| {
        let (id, at) = address.association?;
        (at == interface).then(|| shapes::NetworkInterfaceAssociation {
            allocation_id: Some(address.id.to_string()),
            association_id: Some(id.to_string()),
            ip_owner_id: Some(context.account().to_string()),
            public_dns_name: None,
            public_ip: Some(address.public_ip.to_string()),
        })
    })
}

pub(super) fn describe(
    context: &Context<'_>,
    input: shapes::DescribeAddressesRequest,
) -> Result<Vec<shapes::Address>, Fault> {
    let mut found = select::by_ids(&context.estate().addresses, input.allocation_ids, fault::ALLOCATION)?;
    if let Some(ips) = input.public_ips.filter(|ips| !ips.is_empty()) {
        for ip in &ips {
            named(context, None, Some(ip))?;
        }
        found.retain(|address| ips.contains(&address.public_ip.to_string()));
    }
    let kept = ADDRESSES.apply(context, found, input.filters)?;
    Ok(kept.iter().map(|address| render(context, address)).collect())
}

pub(super) fn describe_attribute(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
) -> Result<Vec<shapes::AddressAttribute>, Fault> {
    let found = select::by_ids(&context.estate().addresses, ids, fault::ALLOCATION)?;
    // No address has a reverse name here, and AWS lists an address without one with its ids alone.
    Ok(found
        .iter()
        .map(|address| shapes::AddressAttribute {
            allocation_id: Some(address.id.to_string()),
            public_ip: Some(address.public_ip.to_string()),
            ..Default::default()
        })
        .collect())
}

pub(super) fn render(context: &Context<'_>, address: &Address) -> shapes::Address {
    let interface = address.association.and_then(|(_, id)| context.estate().network_interfaces.get(&id));
    shapes::Address {
        allocation_id: Some(address.id.to_string()),
        association_id: address.association.map(|(id, _)| id.to_string()),
        instance_id: interface.and_then(|interface| interface.owner.instance()).map(|id| id.to_string()),
        domain: Some("vpc".to_owned()),
        network_border_group: Some(context.region().to_string()),
        network_interface_id: interface.map(|interface| interface.id.to_string()),
        network_interface_owner_id: interface.map(|_| context.account().to_string()),
        private_ip_address: interface.map(|interface| interface.private_ip.to_string()),
        public_ip: Some(address.public_ip.to_string()),
        tags: tags::render(&address.tags),
    }
}

const ADDRESSES: Filters<Arc<Address>> = Filters {
    by: &[
        ("allocation-id", |_, address| one(address.id)),
        ("association-id", |context, address| some(render(context, address).association_id)),
        ("domain", |_, _| one("vpc")),
        ("instance-id", |context, address| some(render(context, address).instance_id)),
        ("network-border-group", |context, _| one(context.region())),
        ("network-interface-id", |context, address| some(render(context, address).network_interface_id)),
        ("network-interface-owner-id", |context, address| some(render(context, address).network_interface_owner_id)),
        ("private-ip-address", |context, address| some(render(context, address).private_ip_address)),
        ("public-ip", |_, address| one(address.public_ip)),
    ],
    tags: Some(|address| Cow::Borrowed(&address.tags)),
};
