//! VPC endpoints: records with interfaces or routes; nothing of AWS is reachable through them.

use std::sync::Arc;
use topology::estate::RealmEstate;
use topology::id::{RouteTableId, SubnetId, VpcEndpointId, VpcId, Zone};
use topology::resource::network_interface::InterfaceOwner;
use topology::resource::routing::{EndpointKind, Route, RouteTarget, VpcEndpoint};
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{one, some};
use super::select::Filters;
use super::{endpoint_service, fault, network_interface, select, tags};
use crate::context::Context;
use crate::interface::{self, NewInterface, WantedIpv6};
use std::borrow::Cow;

/// How long AWS takes to make an interface endpoint.
const PENDING_S: i64 = 60;
/// The policies of endpoints that were given none; AWS writes a version for gateway endpoints alone.
const OPEN_GATEWAY_POLICY: &str =
    r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
/// The hosted zone of endpoints' own names in us-east-1, shown in every region (`docs/differences-from-aws.md`).
const HOSTED_ZONE: &str = "Z7HUB22UULQXV";
const OPEN_POLICY: &str = r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateVpcEndpointRequest,
) -> Result<shapes::VpcEndpoint, Fault> {
    let vpc = select::known(&context.estate().vpcs, &input.vpc_id, fault::VPC)?.id;
    refuse_ipv6(input.ip_address_type.as_deref(), input.dns_options)?;
    let service_name = input.service_name.ok_or_else(|| fault::missing("ServiceName"))?;
    let id = VpcEndpointId::from_bits(context.mint.wide());
    let tags = tags::at_creation(input.tag_specifications, "vpc-endpoint")?;
    let kind = match input.vpc_endpoint_type.as_deref() {
        None | Some("Gateway") if named(&input.subnet_ids) || named(&input.security_group_ids) => {
            return Err(fault::invalid_combination("Subnets and security groups are for interface endpoints"));
        }
        Some("Interface") if named(&input.route_table_ids) => {
            return Err(fault::invalid_combination("Route tables are for gateway endpoints"));
        }
        None | Some("Gateway") => gateway(context, vpc, input.route_table_ids.unwrap_or_default())?,
        Some("Interface") => {
            let groups = network_interface::known_groups(context, vpc, input.security_group_ids.unwrap_or_default())?;
            let subnets = known_subnets(context, vpc, &input.subnet_ids.unwrap_or_default())?;
            let private_dns = input.private_dns_enabled.unwrap_or(true);
            EndpointKind::Interface { subnets, groups, interfaces: Vec::new(), private_dns }
        }
        Some(other) => return Err(fault::unsupported(&format!("an endpoint of type {other}"))),
    };
    let available_from = match kind {
        EndpointKind::Interface { .. } => context.ready_at(PENDING_S),
        EndpointKind::Gateway { .. } => context.now,
    };
    let endpoint = VpcEndpoint {
        id,
        vpc,
        service_name,
        kind,
        policy: input.policy_document,
        available_from,
        created: context.now,
        tags,
    };
    context.edit().vpc_endpoints.insert(id, endpoint);
    furnish(context, id)?;
    let endpoint = select::known(&context.estate().vpc_endpoints, &id.to_string(), fault::ENDPOINT)?;
    Ok(render(context, &endpoint))
}

fn refuse_ipv6(kind: Option<&str>, dns: Option<shapes::DnsOptionsSpecification>) -> Result<(), Fault> {
    if kind.is_some_and(|kind| kind != "ipv4") {
        return Err(fault::unsupported("an IP address type other than ipv4"));
    }
    let dns = dns.and_then(|options| options.dns_record_ip_type);
    if dns.is_some_and(|kind| kind != "ipv4") {
        return Err(fault::unsupported("a DNS record type other than ipv4"));
    }
    Ok(())
}

fn named(ids: &Option<Vec<String>>) -> bool {
    ids.as_ref().is_some_and(|ids| !ids.is_empty())
}

fn gateway(context: &Context<'_>, vpc: VpcId, tables: Vec<String>) -> Result<EndpointKind, Fault> {
    let mut route_tables = Vec::new();
    for table in &tables {
        let table = select::known(&context.estate().route_tables, table, fault::ROUTE_TABLE)?;
        if table.vpc != vpc {
            return Err(fault::invalid_value(format!("route table {} belongs to another network", table.id)));
        }
        route_tables.push(table.id);
    }
    Ok(EndpointKind::Gateway { route_tables })
}

fn known_subnets(context: &Context<'_>, vpc: VpcId, ids: &[String]) -> Result<Vec<SubnetId>, Fault> {
    ids.iter()
        .map(|id| {
            let subnet = select::known(&context.estate().subnets, id, fault::SUBNET)?;
            if subnet.vpc == vpc {
                Ok(subnet.id)
            } else {
                Err(fault::invalid_value(format!("subnet {id} belongs to another network")))
            }
        })
        .collect()
}

/// Makes the interfaces of a new interface endpoint, or the routes of a new gateway endpoint.
fn furnish(context: &mut Context<'_>, id: VpcEndpointId) -> Result<(), Fault> {
    let Some(endpoint) = context.estate().vpc_endpoints.get(&id).cloned() else { return Ok(()) };
    match &endpoint.kind {
        EndpointKind::Gateway { route_tables } => {
            route_tables.iter().for_each(|table| add_route(context, *table, &endpoint));
        }
        EndpointKind::Interface { subnets, groups, .. } => {
            for subnet in subnets {
                add_interface(context, id, (*subnet, groups))?;
            }
        }
    }
    Ok(())
}

fn add_interface(
    context: &mut Context<'_>,
    id: VpcEndpointId,
    (subnet, groups): (SubnetId, &[topology::id::SecurityGroupId]),
) -> Result<(), Fault> {
    let wanted = NewInterface {
        subnet,
        address: None,
        ipv6: WantedIpv6::None,
        description: format!("VPC Endpoint Interface {id}"),
        groups: groups.to_vec(),
        owner: InterfaceOwner::VpcEndpoint(id),
        tags: Default::default(),
    };
    let (estate, mint) = context.edit_with_mint();
    let made = interface::create(estate, mint, wanted);
    let made = made.map_err(|error| network_interface::refused(&subnet.to_string(), &error))?;
    if let Some(VpcEndpoint { kind: EndpointKind::Interface { interfaces, .. }, .. }) = estate.vpc_endpoints.edit(&id) {
        interfaces.push(made);
    }
    Ok(())
}

fn add_route(context: &mut Context<'_>, table: RouteTableId, endpoint: &VpcEndpoint) {
    let Some(list) = super::prefix_list::service_list(context, &endpoint.service_name) else { return };
    if let Some(table) = context.edit().route_tables.edit(&table) {
        table.routes.push(Route { destination: list.to_string(), target: RouteTarget::VpcEndpoint(endpoint.id) });
    }
}

/// Changes what an endpoint consists of.
pub(super) fn modify(context: &mut Context<'_>, input: shapes::ModifyVpcEndpointRequest) -> Result<(), Fault> {
    let endpoint = select::known(&context.estate().vpc_endpoints, &input.vpc_endpoint_id, fault::ENDPOINT)?;
    refuse_ipv6(input.ip_address_type.as_deref(), input.dns_options)?;
    let (tables, gone_tables) = (input.add_route_table_ids, input.remove_route_table_ids);
    let subnets = (input.add_subnet_ids.unwrap_or_default(), input.remove_subnet_ids.unwrap_or_default());
    let groups =
        (input.add_security_group_ids.unwrap_or_default(), input.remove_security_group_ids.unwrap_or_default());
    if let EndpointKind::Gateway { .. } = endpoint.kind {
        let foreign = !(subnets.0.is_empty() && subnets.1.is_empty() && groups.0.is_empty() && groups.1.is_empty());
        if foreign || input.private_dns_enabled == Some(true) {
            return Err(fault::invalid_combination(
                "Subnets, security groups and private DNS are for interface endpoints",
            ));
        }
        modify_tables(context, &endpoint, (tables.unwrap_or_default(), gone_tables.unwrap_or_default()))?;
    } else {
        if named(&tables) || named(&gone_tables) {
            return Err(fault::invalid_combination("Route tables are for gateway endpoints"));
        }
        modify_groups(context, &endpoint, groups)?;
        modify_subnets(context, &endpoint, subnets)?;
    }
    if let Some(endpoint) = context.edit().vpc_endpoints.edit(&endpoint.id) {
        match (input.reset_policy == Some(true), input.policy_document) {
            (true, None) => endpoint.policy = None,
            (false, Some(policy)) => endpoint.policy = Some(policy),
            (false, None) => {}
            (true, Some(_)) => {
                return Err(fault::invalid_combination("A policy may be given or reset, not both"));
            }
        }
        if let (EndpointKind::Interface { private_dns, .. }, Some(wanted)) =
            (&mut endpoint.kind, input.private_dns_enabled)
        {
            *private_dns = wanted;
        }
    }
    Ok(())
}

fn modify_tables(
    context: &mut Context<'_>,
    endpoint: &VpcEndpoint,
    (added, removed): (Vec<String>, Vec<String>),
) -> Result<(), Fault> {
    let EndpointKind::Gateway { route_tables: mut now } = endpoint.kind.clone() else { return Ok(()) };
    let EndpointKind::Gateway { route_tables: removed } = gateway(context, endpoint.vpc, removed)? else {
        return Ok(());
    };
    let EndpointKind::Gateway { route_tables: added } = gateway(context, endpoint.vpc, added)? else { return Ok(()) };
    for table in removed {
        now.retain(|known| *known != table);
        remove_routes(context.edit(), table, endpoint.id);
    }
    for table in added {
        if !now.contains(&table) {
            now.push(table);
            add_route(context, table, endpoint);
        }
    }
    if let Some(endpoint) = context.edit().vpc_endpoints.edit(&endpoint.id) {
        endpoint.kind = EndpointKind::Gateway { route_tables: now };
    }
    Ok(())
}

/// Interfaces carry their endpoint's groups.
fn modify_groups(
    context: &mut Context<'_>,
    endpoint: &VpcEndpoint,
    (added, removed): (Vec<String>, Vec<String>),
) -> Result<(), Fault> {
    let EndpointKind::Interface { groups, interfaces, .. } = &endpoint.kind else { return Ok(()) };
    let mut ids: Vec<String> = groups.iter().map(ToString::to_string).collect();
    for id in &removed {
        select::known(&context.estate().security_groups, id, fault::GROUP)?;
    }
    ids.retain(|id| !removed.contains(id));
    ids.extend(added.into_iter().filter(|id| !groups.iter().any(|known| known.to_string() == *id)));
    let wanted = network_interface::known_groups(context, endpoint.vpc, ids)?;
    let estate = context.edit();
    for interface in interfaces {
        if let Some(interface) = estate.network_interfaces.edit(interface) {
            interface.groups.clone_from(&wanted);
        }
    }
    if let Some(VpcEndpoint { kind: EndpointKind::Interface { groups, .. }, .. }) =
        estate.vpc_endpoints.edit(&endpoint.id)
    {
        *groups = wanted;
    }
    Ok(())
}

fn modify_subnets(
    context: &mut Context<'_>,
    endpoint: &VpcEndpoint,
    (added, removed): (Vec<String>, Vec<String>),
) -> Result<(), Fault> {
    let added = known_subnets(context, endpoint.vpc, &added)?;
    let removed = known_subnets(context, endpoint.vpc, &removed)?;
    let estate = context.edit();
    let of = |subnet: &SubnetId| {
        let own = |interface: &topology::resource::network_interface::NetworkInterface| {
            interface.owner == InterfaceOwner::VpcEndpoint(endpoint.id) && interface.subnet == *subnet
        };
        estate.network_interfaces.values().filter(|interface| own(interface)).map(|one| one.id).collect::<Vec<_>>()
    };
    let gone: Vec<_> = removed.iter().flat_map(of).collect();
    for interface in &gone {
        estate.network_interfaces.remove(interface);
    }
    let mut carried = Vec::new();
    let mut new = Vec::new();
    if let Some(VpcEndpoint { kind: EndpointKind::Interface { subnets, groups, interfaces, .. }, .. }) =
        estate.vpc_endpoints.edit(&endpoint.id)
    {
        interfaces.retain(|interface| !gone.contains(interface));
        subnets.retain(|subnet| !removed.contains(subnet));
        new.extend(added.into_iter().filter(|subnet| !subnets.contains(subnet)));
        subnets.extend(new.iter().copied());
        carried.clone_from(groups);
    }
    for subnet in new {
        add_interface(context, endpoint.id, (subnet, &carried))?;
    }
    Ok(())
}

pub(super) fn delete(context: &mut Context<'_>, ids: &[String]) -> Vec<shapes::UnsuccessfulItem> {
    let mut failed = Vec::new();
    for id in ids {
        match select::known(&context.estate().vpc_endpoints, id, fault::ENDPOINT) {
            Ok(endpoint) => remove(context, &endpoint),
            Err(fault) => failed.push(shapes::UnsuccessfulItem {
                error: Some(shapes::UnsuccessfulItemError {
                    code: Some(fault.code.into_owned()),
                    message: Some(fault.message),
                }),
                resource_id: Some(id.clone()),
            }),
        }
    }
    failed
}

fn remove(context: &mut Context<'_>, endpoint: &VpcEndpoint) {
    let estate = context.edit();
    match &endpoint.kind {
        EndpointKind::Interface { interfaces, .. } => {
            for interface in interfaces {
                estate.network_interfaces.remove(interface);
            }
        }
        EndpointKind::Gateway { route_tables } => {
            route_tables.iter().for_each(|table| remove_routes(estate, *table, endpoint.id));
        }
    }
    estate.vpc_endpoints.remove(&endpoint.id);
}

fn remove_routes(estate: &mut RealmEstate, table: RouteTableId, endpoint: VpcEndpointId) {
    if let Some(table) = estate.route_tables.edit(&table) {
        table.routes.retain(|route| route.target != RouteTarget::VpcEndpoint(endpoint));
    }
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::VpcEndpoint>, Fault> {
    let found = select::by_ids(&context.estate().vpc_endpoints, ids, fault::ENDPOINT)?;
    let kept = VPC_ENDPOINTS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|endpoint| render(context, endpoint)).collect())
}

/// The names of an interface endpoint: its own in the region and in each zone, then the service's, if it leads here.
fn dns_entries(context: &Context<'_>, endpoint: &VpcEndpoint) -> Vec<shapes::DnsEntry> {
    let EndpointKind::Interface { subnets, private_dns, .. } = &endpoint.kind else { return Vec::new() };
    let region = context.region().as_str();
    let service = endpoint.service_name.strip_prefix(&format!("com.amazonaws.{region}."));
    let service = service.unwrap_or(&endpoint.service_name);
    let label = endpoint_service::dns_label(service);
    let id = endpoint.id.to_string();
    let mark = &id[id.len() - 8..];
    let entry = |name: String| shapes::DnsEntry { dns_name: Some(name), hosted_zone_id: Some(HOSTED_ZONE.to_owned()) };
    let mut zones: Vec<&Zone> =
        subnets.iter().filter_map(|id| context.estate().subnets.get(id)).map(|s| &s.zone).collect();
    zones.sort();
    zones.dedup();
    let mut entries = vec![entry(format!("{id}-{mark}.{label}.{region}.vpce.amazonaws.com"))];
    entries.extend(zones.iter().map(|zone| entry(format!("{id}-{mark}-{zone}.{label}.{region}.vpce.amazonaws.com"))));
    if *private_dns {
        entries.push(entry(endpoint_service::private_dns_name(region, service)));
    }
    entries
}

pub(super) fn render(context: &Context<'_>, endpoint: &VpcEndpoint) -> shapes::VpcEndpoint {
    let state = if endpoint.available_from <= context.now { "available" } else { "pending" };
    let open = match endpoint.kind {
        EndpointKind::Gateway { .. } => OPEN_GATEWAY_POLICY,
        EndpointKind::Interface { .. } => OPEN_POLICY,
    };
    let mut shape = shapes::VpcEndpoint {
        creation_timestamp: Some(wire::Timestamp(endpoint.created.0)),
        dns_entries: Some(dns_entries(context, endpoint)),
        groups: Some(Vec::new()),
        ip_address_type: Some("ipv4".to_owned()),
        network_interface_ids: Some(Vec::new()),
        owner_id: Some(context.account().to_string()),
        policy_document: Some(endpoint.policy.clone().unwrap_or_else(|| open.to_owned())),
        private_dns_enabled: Some(false),
        requester_managed: Some(false),
        route_table_ids: Some(Vec::new()),
        service_name: Some(endpoint.service_name.clone()),
        state: Some(state.to_owned()),
        subnet_ids: Some(Vec::new()),
        tags: tags::render(&endpoint.tags),
        vpc_endpoint_id: Some(endpoint.id.to_string()),
        vpc_id: Some(endpoint.vpc.to_string()),
        ..Default::default()
    };
    match &endpoint.kind {
        EndpointKind::Gateway { route_tables } => {
            shape.vpc_endpoint_type = Some("Gateway".to_owned());
            shape.route_table_ids = Some(route_tables.iter().map(ToString::to_string).collect());
        }
        EndpointKind::Interface { subnets, groups, interfaces, private_dns } => {
            let names = &context.estate().security_groups;
            let group = |id: &topology::id::SecurityGroupId| shapes::SecurityGroupIdentifier {
                group_id: Some(id.to_string()),
                group_name: names.get(id).map(|group| group.name.clone()),
            };
            shape.vpc_endpoint_type = Some("Interface".to_owned());
            shape.subnet_ids = Some(subnets.iter().map(ToString::to_string).collect());
            shape.groups = Some(groups.iter().map(group).collect());
            shape.network_interface_ids = Some(interfaces.iter().map(ToString::to_string).collect());
            shape.private_dns_enabled = Some(*private_dns);
            shape.dns_options = Some(shapes::DnsOptions { dns_record_ip_type: Some("ipv4".to_owned()) });
        }
    }
    shape
}

const VPC_ENDPOINTS: Filters<Arc<VpcEndpoint>> = Filters {
    by: &[
        ("ip-address-type", |_, _| one("ipv4")),
        ("service-name", |_, endpoint| one(&endpoint.service_name)),
        ("service-region", |context, _| one(context.region())),
        ("vpc-endpoint-id", |_, endpoint| one(endpoint.id)),
        ("vpc-endpoint-state", |context, endpoint| some(render(context, endpoint).state)),
        ("vpc-endpoint-type", |context, endpoint| some(render(context, endpoint).vpc_endpoint_type)),
        ("vpc-id", |_, endpoint| one(endpoint.vpc)),
    ],
    tags: Some(|endpoint| Cow::Borrowed(&endpoint.tags)),
};
