//! Addresses of IPv6 of the nodes of a load balancer (`IpAddressType`).

use topology::net::Family;
use topology::resource::load_balancer::{BalancerZone, LoadBalancer};
use topology::resource::target_group::TargetGroup;
use wire::Fault;

use super::{action, fault, load_balancer};
use crate::context::Context;
use crate::interface;

/// Whether nodes have addresses of IPv6 too.
pub(super) fn address_type(wanted: Option<String>) -> Result<String, Fault> {
    match wanted.filter(|kind| !kind.is_empty()) {
        None => Ok("ipv4".to_owned()),
        Some(kind) if kind == "ipv4" || kind == LoadBalancer::DUAL_STACK => Ok(kind),
        Some(other) => Err(fault::configuration(wire::unserved(format_args!("IP address type '{other}'")))),
    }
}

pub(super) fn set_ip_address_type(context: &mut Context<'_>, arn: &str, kind: String) -> Result<String, Fault> {
    let balancer = fault::balancer(context, arn)?;
    let kind = address_type(Some(kind))?;
    check_groups_of(context, &balancer, &kind)?;
    set_addresses(context, &balancer.zones, &kind)?;
    if let Some(balancer) = context.edit().load_balancers.edit(&balancer.id) {
        balancer.ip_address_type.clone_from(&kind);
    }
    Ok(kind)
}

/// Target groups with addresses of IPv6 need a load balancer that has some (ELBv2 API reference, CreateTargetGroup, 2026-11; the sentence is
/// ours).
pub(super) fn check_groups_of(context: &Context<'_>, balancer: &LoadBalancer, kind: &str) -> Result<(), Fault> {
    let is_used = |group: &TargetGroup| action::users(context, group.id).any(|user| user == balancer.id);
    let mut groups = context.estate().target_groups.values().filter(|group| group.family() == Family::Ipv6);
    match groups.find(|group| kind != LoadBalancer::DUAL_STACK && is_used(group)) {
        None => Ok(()),
        Some(group) => Err(fault::configuration(format!(
            "The IP address type '{kind}' is not supported while target group '{}' has the IP address type 'ipv6'",
            group.name
        ))),
    }
}

/// Gives nodes addresses of IPv6, or takes them away.
pub(super) fn set_addresses(context: &mut Context<'_>, zones: &[BalancerZone], kind: &str) -> Result<(), Fault> {
    for zone in zones {
        let estate = context.edit();
        let Some(node) = estate.network_interfaces.get(&zone.interface).cloned() else { continue };
        match (kind == LoadBalancer::DUAL_STACK, node.ipv6_addresses.is_empty()) {
            (true, true) => {
                let assigned = interface::assign_ipv6(estate, node.id, (&[], 1));
                assigned.map_err(|error| load_balancer::no_interface(zone.subnet, &error))?;
            }
            (false, false) => {
                if let Some(node) = estate.network_interfaces.edit(&node.id) {
                    node.ipv6_addresses.clear();
                }
            }
            (true, false) | (false, true) => {}
        }
    }
    Ok(())
}
