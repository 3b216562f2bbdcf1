//! Load balancers: made `provisioning` with a node's interface in each subnet.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use topology::id::{AllocationId, LoadBalancerId, SecurityGroupId, SubnetId, VpcId};
use topology::resource::Tags;
use topology::resource::attribute::{Flag, Owner};
use topology::resource::load_balancer::{
    BalancerAttributes, BalancerKind, BalancerState, BalancerZone, LoadBalancer, Scheme,
};
use topology::resource::network_interface::InterfaceOwner;
use topology::resource::vpc::Subnet;
use wire::Fault;
use wire::elbv2 as shapes;

use super::{dual_stack, elastic_ip, fault, tags};
use crate::context::Context;
use crate::interface::{self, InterfaceError, NewInterface, WantedIpv6};

/// How long AWS takes to provision a load balancer.
const PROVISIONING_S: i64 = 120;
/// A hosted zone id like AWS's: one for each region there, one for all here.
const HOSTED_ZONE: &str = "Z35SXDOTRQ7X7K";
const DELETION_PROTECTION: Flag = Flag::of(Owner::ApplicationBalancer, "deletion_protection.enabled");

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateLoadBalancerInput,
) -> Result<shapes::LoadBalancer, Fault> {
    fault::check_name("Load balancer", &input.name)?;
    if input.name.starts_with("internal-") {
        return Err(fault::validation(format!("Load balancer name '{}' cannot begin with 'internal-'", input.name)));
    }
    let kind = kind(input.type_.as_deref())?;
    let scheme = match input.scheme.as_deref() {
        Some("internal") => Scheme::Internal,
        _ => Scheme::InternetFacing,
    };
    let ip_address_type = dual_stack::address_type(input.ip_address_type)?;
    let wanted = wanted_subnets(input.subnets, input.subnet_mappings)?;
    check_addresses(context, &wanted, (kind, scheme))?;
    let subnets = known_subnets(context, kind, wanted)?;
    let vpc = vpc_of(&subnets)?;
    let groups = known_groups(context, kind, (vpc, input.security_groups.unwrap_or_default()))?;
    let tags = tags::parse(input.tags)?;
    if let Some(existing) = context.estate().load_balancers.values().find(|lb| lb.name == input.name) {
        let same_subnets = existing.zones.iter().map(|z| z.subnet).collect::<BTreeSet<_>>()
            == subnets.iter().map(|wanted| wanted.subnet.id).collect::<BTreeSet<_>>();
        if (existing.kind(), existing.scheme) == (kind, scheme)
            && same_subnets
            && existing.groups == groups
            && existing.ip_address_type == ip_address_type
            && existing.tags == tags
        {
            return Ok(render(context, existing));
        }
        return Err(Fault::new(
            "DuplicateLoadBalancerName",
            400,
            format!("A load balancer with the same name '{}' exists, but with different settings", input.name),
        ));
    }
    check_internet(context, scheme, vpc)?;
    let id = LoadBalancerId::from_bits(context.mint.bits());
    let dns_name = dns_name(context, (id, kind), (&input.name, scheme));
    let balancer = LoadBalancer {
        id,
        name: input.name,
        scheme,
        vpc,
        zones: Vec::new(),
        groups,
        judges_private_link: true,
        ip_address_type,
        dns_name,
        created: context.now,
        state: BalancerState::Provisioning(context.ready_at(PROVISIONING_S)),
        attributes: BalancerAttributes::new(kind),
        tags,
    };
    context.edit().load_balancers.insert(id, balancer);
    set_zones(context, id, &subnets)?;
    let balancer = context.estate().load_balancers.get(&id).cloned();
    balancer.map(|lb| render(context, &lb)).ok_or_else(|| Fault::internal("the new load balancer is gone"))
}

fn kind(wanted: Option<&str>) -> Result<BalancerKind, Fault> {
    match wanted {
        None | Some("" | "application") => Ok(BalancerKind::Application),
        Some("network") => Ok(BalancerKind::Network),
        Some(other) => Err(fault::configuration(wire::unserved(format_args!("load balancers with type '{other}'")))),
    }
}

/// The two kinds order their labels differently (seen in public reports, 2026-11).
fn dns_name(
    context: &mut Context<'_>,
    (id, kind): (LoadBalancerId, BalancerKind),
    (name, scheme): (&str, Scheme),
) -> String {
    match kind {
        BalancerKind::Application => {
            let prefix = if scheme == Scheme::Internal { "internal-" } else { "" };
            format!("{prefix}{name}-{}.{}.elb.amazonaws.com", context.mint.decimal(10), context.region())
        }
        BalancerKind::Network => format!("{name}-{id}.elb.{}.amazonaws.com", context.region()),
    }
}

/// A subnet that is to get a node, and the node's private and Elastic IP address where they are asked for.
struct Wanted<S> {
    subnet: S,
    address: Option<Ipv4Addr>,
    allocation: Option<AllocationId>,
}

impl<S> Wanted<S> {
    const fn anywhere(subnet: S) -> Self {
        Self { subnet, address: None, allocation: None }
    }
}

fn wanted_subnets(
    subnets: Option<Vec<String>>,
    mappings: Option<Vec<shapes::SubnetMapping>>,
) -> Result<Vec<Wanted<String>>, Fault> {
    let mapped = mappings.filter(|list| !list.is_empty());
    match (subnets.filter(|list| !list.is_empty()), mapped) {
        (Some(_), Some(_)) => Err(fault::validation("You can specify either subnets or subnet mappings, not both")),
        (Some(subnets), None) => Ok(subnets.into_iter().map(Wanted::anywhere).collect()),
        (None, Some(mappings)) => mappings.into_iter().map(mapped_subnet).collect(),
        (None, None) => Err(fault::validation("You must specify subnets")),
    }
}

fn mapped_subnet(mapping: shapes::SubnetMapping) -> Result<Wanted<String>, Fault> {
    let subnet = mapping.subnet_id.ok_or_else(|| fault::validation("A subnet ID must be specified"))?;
    let wanted = mapping.private_ipv4_address.filter(|text| !text.is_empty());
    let address = wanted.map(|text| text.parse().map_err(|_| no_address(&text))).transpose()?;
    let wanted = mapping.allocation_id.filter(|text| !text.is_empty());
    let allocation = wanted.map(|text| text.parse().map_err(|_| elastic_ip::not_found(&text))).transpose()?;
    Ok(Wanted { subnet, address, allocation })
}

fn no_address(text: &str) -> Fault {
    fault::validation(format!("The private IPv4 address '{text}' is not valid"))
}

/// Only internal network load balancers let their addresses be chosen (ELBv2 API reference, SubnetMapping, 2026-11; the sentence is ours).
fn check_addresses(
    context: &Context<'_>,
    wanted: &[Wanted<String>],
    kind: (BalancerKind, Scheme),
) -> Result<(), Fault> {
    let allocations: Vec<_> = wanted.iter().map(|one| one.allocation).collect();
    elastic_ip::check(context, &allocations, kind)?;
    if kind == (BalancerKind::Network, Scheme::Internal) || wanted.iter().all(|one| one.address.is_none()) {
        return Ok(());
    }
    Err(fault::configuration("Private IPv4 addresses can only be specified for internal Network Load Balancers"))
}

fn known_subnets(
    context: &Context<'_>,
    kind: BalancerKind,
    wanted: Vec<Wanted<String>>,
) -> Result<Vec<Wanted<Arc<Subnet>>>, Fault> {
    let mut found: Vec<Wanted<Arc<Subnet>>> = Vec::new();
    for Wanted { subnet: id, address, allocation } in wanted {
        let known = id.parse::<SubnetId>().ok().and_then(|subnet| context.estate().subnets.get(&subnet));
        let not_found = || Fault::new("SubnetNotFound", 400, format!("The subnet ID '{id}' does not exist"));
        let subnet = known.ok_or_else(not_found)?;
        if found.iter().all(|other| other.subnet.id != subnet.id) {
            found.push(Wanted { subnet: Arc::clone(subnet), address, allocation });
        }
    }
    let zones: BTreeSet<_> = found.iter().map(|one| &one.subnet.zone).collect();
    if zones.len() < found.len() {
        return Err(fault::configuration(
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        ));
    }
    if found.is_empty() {
        return Err(fault::validation("At least one subnet must be specified"));
    }
    if found.len() < 2 && kind == BalancerKind::Application {
        return Err(fault::validation("At least two subnets in two different Availability Zones must be specified"));
    }
    Ok(found)
}

fn vpc_of(subnets: &[Wanted<Arc<Subnet>>]) -> Result<VpcId, Fault> {
    let vpcs: BTreeSet<_> = subnets.iter().map(|one| one.subnet.vpc).collect();
    match vpcs.into_iter().collect::<Vec<_>>().as_slice() {
        [vpc] => Ok(*vpc),
        _ => Err(fault::configuration("All subnets must belong to the same VPC")),
    }
}

fn known_groups(
    context: &Context<'_>,
    kind: BalancerKind,
    (vpc, ids): (VpcId, Vec<String>),
) -> Result<Vec<SecurityGroupId>, Fault> {
    if ids.is_empty() {
        return Ok(match kind {
            BalancerKind::Application => interface::default_group(context.estate(), vpc).into_iter().collect(),
            BalancerKind::Network => Vec::new(),
        });
    }
    let known = |id: &String| {
        let group = id.parse().ok().and_then(|group| context.estate().security_groups.get(&group));
        group.filter(|group| group.vpc == vpc).map(|group| group.id)
    };
    let invalid =
        |id: &String| Fault::new("InvalidSecurityGroup", 400, format!("One or more security groups are invalid: {id}"));
    ids.iter().map(|id| known(id).ok_or_else(|| invalid(id))).collect()
}

fn check_internet(context: &Context<'_>, scheme: Scheme, vpc: VpcId) -> Result<(), Fault> {
    let attached = context.estate().internet_gateways.values().any(|gateway| gateway.vpc == Some(vpc));
    if scheme == Scheme::Internal || attached {
        return Ok(());
    }
    Err(Fault::new("InvalidSubnet", 400, format!("VPC {vpc} has no internet gateway")))
}

/// Gives the load balancer a node in each of these subnets and takes its other nodes away.
fn set_zones(context: &mut Context<'_>, id: LoadBalancerId, subnets: &[Wanted<Arc<Subnet>>]) -> Result<(), Fault> {
    let Some(balancer) = context.estate().load_balancers.get(&id).cloned() else { return Ok(()) };
    let mut zones = Vec::new();
    for Wanted { subnet, address, allocation } in subnets {
        if let Some(kept) = balancer.zones.iter().find(|zone| zone.subnet == subnet.id) {
            zones.push(kept.clone());
            continue;
        }
        let wanted = NewInterface {
            subnet: subnet.id,
            address: *address,
            ipv6: if balancer.is_dual_stack() { WantedIpv6::These(Vec::new(), 1) } else { WantedIpv6::None },
            description: format!("ELB {}", balancer.full_name()),
            groups: balancer.groups.clone(),
            owner: InterfaceOwner::LoadBalancer(id),
            tags: Tags::new(),
        };
        let (estate, mint) = context.edit_with_mint();
        let made = interface::create(estate, mint, wanted);
        let interface = made.map_err(|error| no_interface(subnet.id, &error))?;
        if let Some(allocation) = allocation {
            elastic_ip::associate(context, *allocation, interface)?;
        }
        let (zone, address) = (subnet.zone.clone(), *address);
        zones.push(BalancerZone { zone, subnet: subnet.id, interface, address });
    }
    zones.sort_by(|a, b| a.zone.cmp(&b.zone));
    let estate = context.edit();
    for gone in balancer.zones.iter().filter(|old| zones.iter().all(|new| new.interface != old.interface)) {
        interface::remove(estate, gone.interface);
    }
    if let Some(balancer) = estate.load_balancers.edit(&id) {
        balancer.zones = zones;
    }
    Ok(())
}

pub(super) fn no_interface(subnet: SubnetId, error: &InterfaceError) -> Fault {
    match error {
        InterfaceError::NoSubnet => {
            Fault::new("SubnetNotFound", 400, format!("The subnet ID '{subnet}' does not exist"))
        }
        InterfaceError::NoIpv6 => fault::validation("You must specify subnets with an associated IPv6 CIDR block"),
        InterfaceError::SubnetFull => {
            Fault::new("InvalidSubnet", 400, format!("Not enough IP space available in {subnet}"))
        }
        InterfaceError::AddressInUse => {
            fault::configuration(format!("The private IPv4 address is already in use in subnet '{subnet}'"))
        }
        InterfaceError::AddressOutside => {
            fault::configuration(format!("The private IPv4 address is not one of subnet '{subnet}'"))
        }
    }
}

/// The load balancers that a request selects.
pub(super) fn select(
    context: &Context<'_>,
    arns: Option<&[String]>,
    names: Option<&[String]>,
) -> Result<Vec<shapes::LoadBalancer>, Fault> {
    let found: Vec<Arc<LoadBalancer>> = match (arns.unwrap_or_default(), names.unwrap_or_default()) {
        ([], []) => context.estate().load_balancers.values().map(Arc::clone).collect(),
        ([], names) => names.iter().map(|name| by_name(context, name)).collect::<Result<_, _>>()?,
        (arns, []) => arns.iter().map(|arn| fault::balancer(context, arn)).collect::<Result<_, _>>()?,
        _ => {
            return Err(fault::validation(
                "Load balancer names and load balancer ARNs cannot be specified at the same time",
            ));
        }
    };
    Ok(found.iter().map(|balancer| render(context, balancer)).collect())
}

fn by_name(context: &Context<'_>, name: &str) -> Result<Arc<LoadBalancer>, Fault> {
    let found = context.estate().load_balancers.values().find(|lb| lb.name == name);
    found.cloned().ok_or_else(|| fault::balancer_not_found(name))
}

pub(super) fn delete(context: &mut Context<'_>, arn: &str) -> Result<(), Fault> {
    let balancer = match fault::balancer(context, arn) {
        Ok(balancer) => balancer,
        // Deleting what is gone is no error.
        Err(fault) if fault.code == "LoadBalancerNotFound" => return Ok(()),
        Err(fault) => return Err(fault),
    };
    if balancer.attributes.is_on(DELETION_PROTECTION) {
        return Err(Fault::new(
            "OperationNotPermitted",
            400,
            format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled"),
        ));
    }
    if context.estate().target_groups.values().any(|group| group.alb() == Some(balancer.id)) {
        let text = format!("Load balancer '{arn}' cannot be deleted because it is a target of a target group");
        return Err(Fault::new("ResourceInUse", 400, text));
    }
    if context.estate().vpc_links_v1.values().any(|link| link.target_arn.to_string() == arn) {
        let text =
            format!("Load balancer '{arn}' cannot be deleted because it is currently associated with another service");
        return Err(Fault::new("ResourceInUse", 400, text));
    }
    let estate = context.edit();
    let listeners: Vec<_> =
        estate.listeners.values().filter(|listener| listener.load_balancer == balancer.id).map(|l| l.id).collect();
    for listener in listeners {
        super::listener::remove(estate, listener);
    }
    for zone in &balancer.zones {
        interface::remove(estate, zone.interface);
    }
    estate.load_balancers.remove(&balancer.id);
    Ok(())
}

pub(super) fn set_groups(
    context: &mut Context<'_>,
    input: shapes::SetSecurityGroupsInput,
) -> Result<shapes::SetSecurityGroupsOutput, Fault> {
    let balancer = fault::balancer(context, &input.load_balancer_arn)?;
    let ids = input.security_groups;
    let judges = match input.enforce_security_group_inbound_rules_on_private_link_traffic.as_deref() {
        None => balancer.judges_private_link,
        Some(_) if balancer.kind() != BalancerKind::Network => {
            let text =
                "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic is supported only for Network Load Balancers";
            return Err(fault::configuration(text));
        }
        Some("on") => true,
        Some("off") => false,
        Some(other) => {
            let member = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic";
            return Err(fault::validation(format!("The value '{other}' of {member} must be one of 'on, off'")));
        }
    };
    if balancer.kind() == BalancerKind::Network && balancer.groups.is_empty() {
        let text = "You cannot set security groups for a Network Load Balancer that was created without any";
        return Err(fault::configuration(text));
    }
    if ids.is_empty() {
        return Err(configuration_of_groups());
    }
    let groups = known_groups(context, balancer.kind(), (balancer.vpc, ids))?;
    let estate = context.edit();
    for zone in &balancer.zones {
        if let Some(interface) = estate.network_interfaces.edit(&zone.interface) {
            interface.groups.clone_from(&groups);
        }
    }
    let ids = groups.iter().map(ToString::to_string).collect();
    let mut said = None;
    if let Some(found) = estate.load_balancers.edit(&balancer.id) {
        found.groups = groups;
        found.judges_private_link = judges;
        said = enforcement(found);
    }
    Ok(shapes::SetSecurityGroupsOutput {
        enforce_security_group_inbound_rules_on_private_link_traffic: said,
        security_group_ids: Some(ids),
    })
}

fn configuration_of_groups() -> Fault {
    fault::configuration("At least one security group must be specified")
}

pub(super) fn set_subnets(
    context: &mut Context<'_>,
    input: shapes::SetSubnetsInput,
) -> Result<shapes::LoadBalancer, Fault> {
    let balancer = fault::balancer(context, &input.load_balancer_arn)?;
    let wanted = wanted_subnets(input.subnets, input.subnet_mappings)?;
    check_addresses(context, &wanted, (balancer.kind(), balancer.scheme))?;
    let subnets = known_subnets(context, balancer.kind(), wanted)?;
    if vpc_of(&subnets)? != balancer.vpc {
        return Err(fault::configuration("The subnets must belong to the VPC of the load balancer"));
    }
    // Nodes that stay get or lose their addresses first, and new ones are as the load balancer is then.
    if let Some(kind) = input.ip_address_type.filter(|kind| !kind.is_empty()) {
        let kind = dual_stack::address_type(Some(kind))?;
        dual_stack::check_groups_of(context, &balancer, &kind)?;
        let (estate, is_kept) =
            (context.edit(), |zone: &BalancerZone| subnets.iter().any(|one| one.subnet.id == zone.subnet));
        if let Some(balancer) = estate.load_balancers.edit(&balancer.id) {
            balancer.ip_address_type.clone_from(&kind);
        }
        let kept: Vec<_> = balancer.zones.iter().filter(|zone| is_kept(zone)).cloned().collect();
        dual_stack::set_addresses(context, &kept, &kind)?;
    }
    set_zones(context, balancer.id, &subnets)?;
    fault::balancer(context, &input.load_balancer_arn).map(|balancer| render(context, &balancer))
}

/// What is said of links of version 1, by network load balancers that have groups.
pub(super) fn enforcement(balancer: &LoadBalancer) -> Option<String> {
    let is_said = balancer.kind() == BalancerKind::Network && !balancer.groups.is_empty();
    is_said.then(|| if balancer.judges_private_link { "on" } else { "off" }.to_owned())
}

pub(super) fn render(context: &Context<'_>, balancer: &LoadBalancer) -> shapes::LoadBalancer {
    let zones = balancer.zones.iter().map(|zone| shapes::AvailabilityZone {
        load_balancer_addresses: Some(elastic_ip::of_node(context, zone)),
        subnet_id: Some(zone.subnet.to_string()),
        zone_name: Some(zone.zone.to_string()),
    });
    let scheme = match balancer.scheme {
        Scheme::Internal => "internal",
        Scheme::InternetFacing => "internet-facing",
    };
    let state = match balancer.state {
        BalancerState::Active => "active",
        BalancerState::Provisioning(_) => "provisioning",
    };
    shapes::LoadBalancer {
        availability_zones: Some(zones.collect()),
        canonical_hosted_zone_id: Some(HOSTED_ZONE.to_owned()),
        created_time: Some(wire::Timestamp(balancer.created.0)),
        dns_name: Some(balancer.dns_name.clone()),
        enforce_security_group_inbound_rules_on_private_link_traffic: enforcement(balancer),
        ip_address_type: Some(balancer.ip_address_type.clone()),
        load_balancer_arn: Some(fault::balancer_arn(context, balancer)),
        load_balancer_name: Some(balancer.name.clone()),
        scheme: Some(scheme.to_owned()),
        security_groups: Some(balancer.groups.iter().map(ToString::to_string).collect()),
        state: Some(shapes::LoadBalancerState { code: Some(state.to_owned()), reason: None }),
        type_: Some(balancer.kind().as_str().to_owned()),
        vpc_id: Some(balancer.vpc.to_string()),
    }
}
