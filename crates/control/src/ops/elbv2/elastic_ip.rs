//! Elastic IP addresses of internet-facing network load balancers: `AllocationId` of a subnet mapping (ELBv2 API reference, SubnetMapping,
//! 2026-11; the sentences are ours).

use topology::id::{AddressAssociationId, AllocationId, NetworkInterfaceId};
use topology::resource::load_balancer::{BalancerKind, BalancerZone, Scheme};
use topology::resource::routing::Address;
use wire::Fault;
use wire::elbv2 as shapes;

use super::fault;
use crate::context::Context;

/// The addresses that are asked for, one for each node or none: whether such a load balancer has any, and whether they are there.
pub(super) fn check(
    context: &Context<'_>,
    wanted: &[Option<AllocationId>],
    kind: (BalancerKind, Scheme),
) -> Result<(), Fault> {
    let named: Vec<AllocationId> = wanted.iter().copied().flatten().collect();
    if named.is_empty() {
        return Ok(());
    }
    if kind != (BalancerKind::Network, Scheme::InternetFacing) {
        return Err(fault::configuration(
            "Allocation IDs can only be specified for internet-facing Network Load Balancers",
        ));
    }
    if named.len() < wanted.len() {
        return Err(fault::configuration("You must specify an allocation ID for each subnet, or for none"));
    }
    if let Some(twice) = named.iter().enumerate().find(|(at, id)| named.iter().take(*at).any(|other| other == *id)) {
        return Err(fault::configuration(format!("The allocation ID '{}' is specified twice", twice.1)));
    }
    match named.iter().find(|id| !context.estate().addresses.contains(id)) {
        Some(unknown) => Err(not_found(&unknown.to_string())),
        None => Ok(()),
    }
}

pub(super) fn not_found(id: &str) -> Fault {
    Fault::new("AllocationIdNotFound", 400, format!("The allocation ID '{id}' does not exist"))
}

/// Gives a node its address.
pub(super) fn associate(
    context: &mut Context<'_>,
    allocation: AllocationId,
    interface: NetworkInterfaceId,
) -> Result<(), Fault> {
    let id = AddressAssociationId::from_bits(context.mint.wide());
    let found = context.edit().addresses.edit(&allocation).ok_or_else(|| not_found(&allocation.to_string()))?;
    if found.association.is_some() {
        let text = format!("The allocation ID '{allocation}' is already associated");
        return Err(Fault::new("ResourceInUse", 400, text));
    }
    found.association = Some((id, interface));
    Ok(())
}

/// A node's addresses: the Elastic IP address that it has, and the private one where it was asked for.
pub(super) fn of_node(context: &Context<'_>, zone: &BalancerZone) -> Vec<shapes::LoadBalancerAddress> {
    let is_its = |address: &Address| address.association.is_some_and(|(_, at)| at == zone.interface);
    let elastic = context.estate().addresses.values().find(|address| is_its(address));
    let elastic = elastic.map(|address| shapes::LoadBalancerAddress {
        allocation_id: Some(address.id.to_string()),
        ip_address: Some(address.public_ip.to_string()),
        private_ipv4_address: None,
    });
    let private = zone.address.map(|address| shapes::LoadBalancerAddress {
        allocation_id: None,
        ip_address: None,
        private_ipv4_address: Some(address.to_string()),
    });
    elastic.into_iter().chain(private).collect()
}
