//! VPC endpoints: records with interfaces or routes; nothing of AWS is reachable through them.

use std::sync::Arc;

use topology::id::{RouteTableId, SubnetId, VpcEndpointId, VpcId};
use topology::resource::network_interface::InterfaceOwner;
use topology::resource::routing::{EndpointKind, Route, RouteTarget, VpcEndpoint};
use wire::Fault;
use wire::ec2 as shapes;

use super::select::{self, Filters};
use super::{fault, network_interface, tags};
use crate::context::Context;
use crate::interface::{self, NewInterface};

/// How long AWS takes to make an interface endpoint.
const PENDING_S: i64 = 60;
const OPEN_POLICY: &str = r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateVpcEndpointRequest,
) -> Result<shapes::VpcEndpoint, Fault> {
    let vpc = select::known(&context.estate().vpcs, &input.vpc_id, fault::VPC)?.id;
    if input.ip_address_type.as_deref().is_some_and(|kind| kind != "ipv4") {
        return Err(fault::unsupported("an IP address type other than ipv4"));
    }
    let dns = input.dns_options.and_then(|options| options.dns_record_ip_type);
    if dns.is_some_and(|kind| kind != "ipv4") {
        return Err(fault::unsupported("a DNS record type other than ipv4"));
    }
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

/// Makes the interfaces of an interface endpoint, or the routes of a gateway endpoint.
fn furnish(context: &mut Context<'_>, id: VpcEndpointId) -> Result<(), Fault> {
    let Some(endpoint) = context.estate().vpc_endpoints.get(&id).cloned() else { return Ok(()) };
    match &endpoint.kind {
        EndpointKind::Gateway { route_tables } => {
            let list = super::prefix_list::service_list(context, &endpoint.service_name);
            let destination = list.map(|list| list.to_string());
            for table in route_tables {
                add_route(context, *table, (destination.clone(), id));
            }
        }
        EndpointKind::Interface { subnets, groups, .. } => {
            let mut made = Vec::new();
            for subnet in subnets {
                let wanted = NewInterface {
                    subnet: *subnet,
                    address: None,
                    description: format!("VPC Endpoint Interface {id}"),
                    groups: groups.clone(),
                    owner: InterfaceOwner::VpcEndpoint(id),
                    tags: Default::default(),
                };
                let (estate, mint) = context.edit_with_mint();
                let interface = interface::create(estate, mint, wanted);
                made.push(interface.map_err(|error| network_interface::refused(&subnet.to_string(), &error))?);
            }
            if let Some(VpcEndpoint { kind: EndpointKind::Interface { interfaces, .. }, .. }) =
                context.edit().vpc_endpoints.edit(&id)
            {
                *interfaces = made;
            }
        }
    }
    Ok(())
}

fn add_route(context: &mut Context<'_>, table: RouteTableId, route: (Option<String>, VpcEndpointId)) {
    let (Some(destination), endpoint) = route else { return };
    if let Some(table) = context.edit().route_tables.edit(&table) {
        table.routes.push(Route { destination, target: RouteTarget::VpcEndpoint(endpoint) });
    }
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
            for table in route_tables {
                if let Some(table) = estate.route_tables.edit(table) {
                    table.routes.retain(|route| route.target != RouteTarget::VpcEndpoint(endpoint.id));
                }
            }
        }
    }
    estate.vpc_endpoints.remove(&endpoint.id);
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    filters: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::VpcEndpoint>, Fault> {
    let found = select::by_ids(&context.estate().vpc_endpoints, ids, fault::ENDPOINT)?;
    let names = &["service-name", "vpc-endpoint-id", "vpc-endpoint-state", "vpc-endpoint-type", "vpc-id"];
    let known = Filters { names, tags: |endpoint: &Arc<VpcEndpoint>| Some(&endpoint.tags) };
    let kept = known.apply(found, filters, |endpoint, name| {
        let shape = render(context, endpoint);
        let value = match name {
            "service-name" => shape.service_name,
            "vpc-endpoint-id" => shape.vpc_endpoint_id,
            "vpc-endpoint-state" => shape.state,
            "vpc-endpoint-type" => shape.vpc_endpoint_type,
            _ => shape.vpc_id,
        };
        value.into_iter().collect()
    })?;
    Ok(kept.iter().map(|endpoint| render(context, endpoint)).collect())
}

fn render(context: &Context<'_>, endpoint: &VpcEndpoint) -> shapes::VpcEndpoint {
    let state = if endpoint.available_from <= context.now { "available" } else { "pending" };
    let mut shape = shapes::VpcEndpoint {
        creation_timestamp: Some(wire::Timestamp(endpoint.created.0)),
        ip_address_type: Some("ipv4".to_owned()),
        network_interface_ids: Some(Vec::new()),
        owner_id: Some(context.account().to_string()),
        policy_document: Some(endpoint.policy.clone().unwrap_or_else(|| OPEN_POLICY.to_owned())),
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
