//! Route tables, routes and associations. What routes through VPC peering connections lead to is judged; the others are records.

use std::sync::Arc;

use topology::id::{RouteTableAssociationId, RouteTableId, VpcId};
use topology::net::{Ipv4Net, Ipv6Net};
use topology::resource::routing::{Route, RouteTable, RouteTableAssociation, RouteTarget};
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{each, nothing, one, owner};
use super::select::Filters;
use super::{fault, prefix_list, select, tags};
use crate::context::Context;
use std::borrow::Cow;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateRouteTableRequest,
) -> Result<shapes::RouteTable, Fault> {
    let vpc = select::known(&context.estate().vpcs, &input.vpc_id, fault::VPC)?;
    let id = RouteTableId::from_bits(context.mint.wide());
    let blocks = vpc.cidrs().map(|(_, cidr)| cidr.to_string());
    let blocks = blocks.chain(vpc.ipv6_cidrs.iter().map(|(_, cidr)| cidr.to_string()));
    let local = blocks.map(|destination| Route { destination, target: RouteTarget::Local });
    let table = RouteTable {
        id,
        vpc: vpc.id,
        routes: local.collect(),
        associations: Vec::new(),
        tags: tags::at_creation(input.tag_specifications, "route-table")?,
    };
    let shape = render(context, &table);
    context.edit().route_tables.insert(id, table);
    Ok(shape)
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let table = select::known(&context.estate().route_tables, id, fault::ROUTE_TABLE)?;
    if !table.associations.is_empty() {
        return Err(fault::dependency("routeTable", id));
    }
    context.edit().route_tables.remove(&table.id);
    Ok(())
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::RouteTable>, Fault> {
    let found = select::by_ids(&context.estate().route_tables, ids, fault::ROUTE_TABLE)?;
    let kept = ROUTE_TABLES.apply(context, found, wanted)?;
    Ok(kept.iter().map(|table| render(context, table)).collect())
}

/// What a request says of a route.
#[derive(Debug, Default)]
pub(super) struct WantedRoute {
    pub(super) table: String,
    pub(super) cidr: Option<String>,
    pub(super) ipv6_cidr: Option<String>,
    pub(super) prefix_list: Option<String>,
    pub(super) gateway: Option<String>,
    pub(super) egress_only: Option<String>,
    pub(super) nat_gateway: Option<String>,
    pub(super) interface: Option<String>,
    pub(super) peering: Option<String>,
    pub(super) local: bool,
}

/// The requests that name a target.
macro_rules! route_from {
    ($($request:ident: $local:expr;)*) => {$(
        impl From<shapes::$request> for WantedRoute {
            fn from(input: shapes::$request) -> Self {
                let local: fn(&shapes::$request) -> bool = $local;
                Self {
                    local: local(&input),
                    table: input.route_table_id,
                    cidr: input.destination_cidr_block,
                    ipv6_cidr: input.destination_ipv6_cidr_block,
                    prefix_list: input.destination_prefix_list_id,
                    gateway: input.gateway_id,
                    egress_only: input.egress_only_internet_gateway_id,
                    nat_gateway: input.nat_gateway_id,
                    interface: input.network_interface_id,
                    peering: input.vpc_peering_connection_id,
                }
            }
        }
    )*};
}
route_from! {
    CreateRouteRequest: |_| false;
    ReplaceRouteRequest: |input| input.local_target == Some(true);
}

impl From<shapes::DeleteRouteRequest> for WantedRoute {
    fn from(input: shapes::DeleteRouteRequest) -> Self {
        Self {
            table: input.route_table_id,
            cidr: input.destination_cidr_block,
            ipv6_cidr: input.destination_ipv6_cidr_block,
            prefix_list: input.destination_prefix_list_id,
            ..Self::default()
        }
    }
}

impl WantedRoute {
    /// The destination in canonical form.
    fn destination(&self, context: &Context<'_>) -> Result<String, Fault> {
        let malformed = |text: &str| {
            fault::invalid_value(format!(
                "Value ({text}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."
            ))
        };
        match (&self.cidr, &self.ipv6_cidr, &self.prefix_list) {
            (Some(text), None, None) => {
                text.parse::<Ipv4Net>().map(|net| net.trunc().to_string()).map_err(|_| malformed(text))
            }
            (None, Some(text), None) => {
                text.parse::<Ipv6Net>().map(|net| net.trunc().to_string()).map_err(|_| malformed(text))
            }
            (None, None, Some(id)) => prefix_list::known(context, id).map(|list| list.id().to_string()),
            (None, None, None) => Err(fault::missing("destinationCidrBlock")),
            _ => Err(fault::invalid_combination("Exactly one destination must be specified")),
        }
    }

    fn target(&self, context: &Context<'_>, vpc: VpcId) -> Result<RouteTarget, Fault> {
        let estate = context.estate();
        if let Some(id) = &self.egress_only {
            return self.egress_only_target(context, (id, vpc));
        }
        if let Some(id) = &self.peering {
            return self.peering_target(context, (id, vpc));
        }
        match (&self.gateway, &self.nat_gateway, &self.interface, self.local) {
            (None, None, None, true) => Ok(RouteTarget::Local),
            (Some(id), None, None, false) if id.starts_with("vpce-") => {
                Ok(RouteTarget::VpcEndpoint(select::known(&estate.vpc_endpoints, id, fault::ENDPOINT)?.id))
            }
            (Some(id), None, None, false) => {
                let gateway = select::known(&estate.internet_gateways, id, fault::INTERNET_GATEWAY).map_err(|_| {
                    fault::new("InvalidGatewayID.NotFound", format!("The gateway ID '{id}' does not exist"))
                })?;
                if gateway.vpc != Some(vpc) {
                    let table = &self.table;
                    return Err(fault::invalid_value(format!(
                        "route table {table} and network gateway {id} belong to different networks"
                    )));
                }
                Ok(RouteTarget::InternetGateway(gateway.id))
            }
            (None, Some(id), None, false) => {
                let gateway = select::known(&estate.nat_gateways, id, fault::NAT_GATEWAY)?;
                if gateway.vpc != vpc {
                    let table = &self.table;
                    return Err(fault::invalid_value(format!(
                        "route table {table} and NAT gateway {id} belong to different networks"
                    )));
                }
                Ok(RouteTarget::NatGateway(gateway.id))
            }
            (None, None, Some(id), false) => {
                Ok(RouteTarget::NetworkInterface(select::known(&estate.network_interfaces, id, fault::INTERFACE)?.id))
            }
            (None, None, None, false) => Err(fault::missing("gatewayId")),
            _ => Err(fault::invalid_combination("Exactly one target must be specified")),
        }
    }

    /// Refuses a route that has another target beside one of these.
    fn check_alone(&self) -> Result<(), Fault> {
        let plain = self.gateway.is_none() && self.nat_gateway.is_none() && self.interface.is_none() && !self.local;
        if plain && (self.egress_only.is_none() || self.peering.is_none()) {
            return Ok(());
        }
        Err(fault::invalid_combination("Exactly one target must be specified"))
    }

    /// A peering connection of the table's VPC that is not over.
    fn peering_target(&self, context: &Context<'_>, (id, vpc): (&str, VpcId)) -> Result<RouteTarget, Fault> {
        self.check_alone()?;
        let peering = select::known(&context.estate().vpc_peering_connections, id, fault::PEERING)?;
        if !peering.is_of(vpc) {
            return Err(fault::invalid_value(format!(
                "route table {} and vpc peering connection {id} belong to different networks",
                self.table
            )));
        }
        if !peering.is_live() {
            return Err(fault::new(
                "InvalidVpcPeeringConnectionState",
                format!("The vpcPeeringConnection '{id}' is in the state {}", peering.state.code()),
            ));
        }
        Ok(RouteTarget::VpcPeeringConnection(peering.id))
    }

    /// The way out for IPv6 takes nothing else.
    fn egress_only_target(&self, context: &Context<'_>, (id, vpc): (&str, VpcId)) -> Result<RouteTarget, Fault> {
        self.check_alone()?;
        let gateways = &context.estate().egress_only_internet_gateways;
        let gateway = select::known(gateways, id, fault::EGRESS_ONLY_GATEWAY)?;
        if gateway.vpc != vpc {
            return Err(fault::invalid_value(format!(
                "route table {} and network gateway {id} belong to different networks",
                self.table
            )));
        }
        if self.ipv6_cidr.is_none() {
            return Err(fault::invalid_value(format!(
                "Route destination doesn't support target {id}: an egress-only internet gateway is for IPv6 alone"
            )));
        }
        Ok(RouteTarget::EgressOnlyInternetGateway(gateway.id))
    }
}

pub(super) fn create_route(context: &mut Context<'_>, wanted: &WantedRoute) -> Result<(), Fault> {
    let table = select::known(&context.estate().route_tables, &wanted.table, fault::ROUTE_TABLE)?;
    let destination = wanted.destination(context)?;
    let target = wanted.target(context, table.vpc)?;
    if table.routes.iter().any(|route| route.destination == destination) {
        return Err(fault::new("RouteAlreadyExists", format!("The route identified by {destination} already exists.")));
    }
    if let Some(table) = context.edit().route_tables.edit(&table.id) {
        table.routes.push(Route { destination, target });
    }
    Ok(())
}

fn no_route(destination: &str, table: &str) -> Fault {
    fault::new(
        "InvalidRoute.NotFound",
        format!("no route with destination-cidr-block {destination} in route table {table}"),
    )
}

pub(super) fn replace_route(context: &mut Context<'_>, wanted: &WantedRoute) -> Result<(), Fault> {
    let table = select::known(&context.estate().route_tables, &wanted.table, fault::ROUTE_TABLE)?;
    let destination = wanted.destination(context)?;
    let target = wanted.target(context, table.vpc)?;
    let place = table.routes.iter().position(|route| route.destination == destination);
    let place = place.ok_or_else(|| no_route(&destination, &wanted.table))?;
    if let Some(route) = context.edit().route_tables.edit(&table.id).and_then(|table| table.routes.get_mut(place)) {
        route.target = target;
    }
    Ok(())
}

pub(super) fn delete_route(context: &mut Context<'_>, wanted: &WantedRoute) -> Result<(), Fault> {
    let table = select::known(&context.estate().route_tables, &wanted.table, fault::ROUTE_TABLE)?;
    let destination = wanted.destination(context)?;
    let found = table.routes.iter().find(|route| route.destination == destination);
    let found = found.ok_or_else(|| no_route(&destination, &wanted.table))?;
    if found.target == RouteTarget::Local {
        return Err(fault::invalid_value(format!(
            "cannot remove local route {destination} in route table {}",
            wanted.table
        )));
    }
    if let Some(table) = context.edit().route_tables.edit(&table.id) {
        table.routes.retain(|route| route.destination != destination);
    }
    Ok(())
}

pub(super) fn associate(
    context: &mut Context<'_>,
    input: &shapes::AssociateRouteTableRequest,
) -> Result<shapes::AssociateRouteTableResult, Fault> {
    let associated_by = |id: RouteTableAssociationId| shapes::AssociateRouteTableResult {
        association_id: Some(id.to_string()),
        association_state: Some(associated()),
    };
    let table = select::known(&context.estate().route_tables, &input.route_table_id, fault::ROUTE_TABLE)?;
    if input.gateway_id.is_some() {
        return Err(fault::unsupported("the association of a route table with a gateway"));
    }
    let subnet = input.subnet_id.as_deref().ok_or_else(|| fault::missing("subnetId"))?;
    let subnet = select::known(&context.estate().subnets, subnet, fault::SUBNET)?;
    if subnet.vpc != table.vpc {
        return Err(fault::invalid_value(format!(
            "route table {} and subnet {} belong to different networks",
            table.id, subnet.id
        )));
    }
    if let Some(same) = table.associations.iter().find(|association| association.subnet == Some(subnet.id)) {
        return Ok(associated_by(same.id));
    }
    let explicit = |table: &RouteTable| table.associations.iter().any(|a| a.subnet == Some(subnet.id));
    if context.estate().route_tables.values().any(|other| explicit(other)) {
        return Err(fault::new(
            "Resource.AlreadyAssociated",
            format!("the specified association for route table {} conflicts with an existing association", table.id),
        ));
    }
    let id = RouteTableAssociationId::from_bits(context.mint.wide());
    if let Some(table) = context.edit().route_tables.edit(&table.id) {
        table.associations.push(RouteTableAssociation { id, subnet: Some(subnet.id) });
    }
    Ok(associated_by(id))
}

/// The table that holds an association, and the association.
fn association(context: &Context<'_>, id: &str) -> Result<(Arc<RouteTable>, RouteTableAssociation), Fault> {
    let unknown = || fault::ASSOCIATION.unknown(id);
    let wanted: RouteTableAssociationId = id.parse().map_err(|_| unknown())?;
    let tables = context.estate().route_tables.values();
    let mut found = tables.filter_map(|table| {
        let association = table.associations.iter().find(|association| association.id == wanted)?;
        Some((Arc::clone(table), association.clone()))
    });
    found.next().ok_or_else(unknown)
}

pub(super) fn disassociate(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let (table, association) = association(context, id)?;
    if association.subnet.is_none() {
        return Err(fault::invalid_value(format!("cannot disassociate the main route table association {id}")));
    }
    if let Some(table) = context.edit().route_tables.edit(&table.id) {
        table.associations.retain(|other| other.id != association.id);
    }
    Ok(())
}

pub(super) fn replace_association(
    context: &mut Context<'_>,
    id: &str,
    table: &str,
) -> Result<shapes::ReplaceRouteTableAssociationResult, Fault> {
    let (from, association) = association(context, id)?;
    let to = select::known(&context.estate().route_tables, table, fault::ROUTE_TABLE)?;
    if from.vpc != to.vpc {
        return Err(fault::invalid_value(format!(
            "route table {} and association {id} belong to different networks",
            to.id
        )));
    }
    let new = RouteTableAssociationId::from_bits(context.mint.wide());
    let estate = context.edit();
    if let Some(table) = estate.route_tables.edit(&from.id) {
        table.associations.retain(|other| other.id != association.id);
    }
    if let Some(table) = estate.route_tables.edit(&to.id) {
        table.associations.push(RouteTableAssociation { id: new, subnet: association.subnet });
    }
    Ok(shapes::ReplaceRouteTableAssociationResult {
        association_state: Some(associated()),
        new_association_id: Some(new.to_string()),
    })
}

/// A route whose target is gone is a black hole.
fn is_active(context: &Context<'_>, target: RouteTarget) -> bool {
    let estate = context.estate();
    match target {
        RouteTarget::Local => true,
        RouteTarget::InternetGateway(id) => {
            estate.internet_gateways.get(&id).is_some_and(|gateway| gateway.vpc.is_some())
        }
        RouteTarget::EgressOnlyInternetGateway(id) => estate.egress_only_internet_gateways.contains(&id),
        RouteTarget::NatGateway(id) => estate.nat_gateways.get(&id).is_some_and(|nat| nat.deleted.is_none()),
        RouteTarget::NetworkInterface(id) => estate.network_interfaces.contains(&id),
        RouteTarget::VpcEndpoint(id) => estate.vpc_endpoints.contains(&id),
        RouteTarget::VpcPeeringConnection(id) => {
            estate.vpc_peering_connections.get(&id).is_some_and(|peering| peering.is_active())
        }
    }
}

pub(super) fn render_route(context: &Context<'_>, route: &Route) -> shapes::Route {
    let state = if is_active(context, route.target) { "active" } else { "blackhole" };
    let origin = if route.target == RouteTarget::Local { "CreateRouteTable" } else { "CreateRoute" };
    let mut shape =
        shapes::Route { origin: Some(origin.to_owned()), state: Some(state.to_owned()), ..Default::default() };
    let destination = Some(route.destination.clone());
    if route.destination.starts_with("pl-") {
        shape.destination_prefix_list_id = destination;
    } else if route.destination.contains(':') {
        shape.destination_ipv6_cidr_block = destination;
    } else {
        shape.destination_cidr_block = destination;
    }
    match route.target {
        RouteTarget::Local => shape.gateway_id = Some("local".to_owned()),
        RouteTarget::InternetGateway(id) => shape.gateway_id = Some(id.to_string()),
        RouteTarget::VpcEndpoint(id) => shape.gateway_id = Some(id.to_string()),
        RouteTarget::EgressOnlyInternetGateway(id) => shape.egress_only_internet_gateway_id = Some(id.to_string()),
        RouteTarget::NatGateway(id) => shape.nat_gateway_id = Some(id.to_string()),
        RouteTarget::NetworkInterface(id) => shape.network_interface_id = Some(id.to_string()),
        RouteTarget::VpcPeeringConnection(id) => shape.vpc_peering_connection_id = Some(id.to_string()),
    }
    shape
}

fn associated() -> shapes::RouteTableAssociationState {
    shapes::RouteTableAssociationState { state: Some("associated".to_owned()), status_message: None }
}

fn render(context: &Context<'_>, table: &RouteTable) -> shapes::RouteTable {
    let associations = table.associations.iter().map(|association| shapes::RouteTableAssociation {
        association_state: Some(associated()),
        gateway_id: None,
        main: Some(association.subnet.is_none()),
        route_table_association_id: Some(association.id.to_string()),
        route_table_id: Some(table.id.to_string()),
        subnet_id: association.subnet.map(|subnet| subnet.to_string()),
    });
    shapes::RouteTable {
        associations: Some(associations.collect()),
        owner_id: Some(context.account().to_string()),
        propagating_vgws: Some(Vec::new()),
        route_table_id: Some(table.id.to_string()),
        routes: Some(table.routes.iter().map(|route| render_route(context, route)).collect()),
        tags: tags::render(&table.tags),
        vpc_id: Some(table.vpc.to_string()),
    }
}

fn routes<T: ToString>(
    context: &Context<'_>,
    table: &RouteTable,
    part: impl Fn(shapes::Route) -> Option<T>,
) -> Vec<String> {
    each(table.routes.iter().filter_map(|route| part(render_route(context, route))))
}

const ROUTE_TABLES: Filters<Arc<RouteTable>> = Filters {
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
        ("route.vpc-peering-connection-id", |context, table| {
            routes(context, table, |route| route.vpc_peering_connection_id)
        }),
        ("vpc-id", |_, table| one(table.vpc)),
    ],
    tags: Some(|table| Cow::Borrowed(&table.tags)),
};
