//! NAT gateways: records with an interface and AWS's states.

use std::sync::Arc;
use topology::id::{AddressAssociationId, NatGatewayId};
use topology::resource::network_interface::InterfaceOwner;
use topology::resource::routing::{NatGateway, NatGatewayState};
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::one;
use super::select::Filters;
use super::{address, fault, network_interface, select, tags};
use crate::context::Context;
use crate::interface::{self, NewInterface, WantedIpv6};
use std::borrow::Cow;

/// How long AWS takes to make and to delete a NAT gateway.
const PENDING_S: i64 = 90;
const DELETING_S: i64 = 60;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateNatGatewayRequest,
) -> Result<shapes::NatGateway, Fault> {
    if input.availability_mode.as_deref().is_some_and(|mode| mode != "zonal") {
        return Err(fault::unsupported("a regional NAT gateway"));
    }
    let subnet = input.subnet_id.as_deref().ok_or_else(|| fault::missing("subnetId"))?;
    let subnet = select::known(&context.estate().subnets, subnet, fault::SUBNET)?;
    let allocation = match (input.connectivity_type.as_deref(), input.allocation_id.as_deref()) {
        (Some("private"), None) => None,
        (Some("private"), Some(_)) => {
            return Err(fault::invalid_combination("A private NAT gateway takes no allocation id"));
        }
        (_, None) => return Err(fault::missing("allocationId")),
        (_, Some(id)) => Some(select::known(&context.estate().addresses, id, fault::ALLOCATION)?),
    };
    if let Some(taken) = allocation.as_ref().filter(|address| address.association.is_some()) {
        return Err(fault::new(
            "Resource.AlreadyAssociated",
            format!("Elastic IP address [{}] is already associated", taken.id),
        ));
    }
    let wanted_ip = input.private_ip_address.map(|text| {
        text.parse()
            .map_err(|_| fault::invalid_value(format!("Value ({text}) for parameter privateIpAddress is invalid")))
    });
    let id = NatGatewayId::from_bits(context.mint.wide());
    let wanted = NewInterface {
        subnet: subnet.id,
        address: wanted_ip.transpose()?,
        ipv6: WantedIpv6::None,
        description: format!("Interface for NAT Gateway {id}"),
        groups: Vec::new(),
        owner: InterfaceOwner::NatGateway(id),
        tags: Default::default(),
    };
    let tags = tags::at_creation(input.tag_specifications, "natgateway")?;
    let (estate, mint) = context.edit_with_mint();
    let made = interface::create(estate, mint, wanted);
    let interface = made.map_err(|error| network_interface::refused(&subnet.id.to_string(), &error))?;
    let private_ip = context.estate().network_interfaces.get(&interface).map(|interface| interface.private_ip);
    if let Some(allocation) = &allocation {
        let association = AddressAssociationId::from_bits(context.mint.wide());
        address::put(context.edit(), allocation.id, Some((association, interface)));
    }
    let nat = NatGateway {
        id,
        vpc: subnet.vpc,
        subnet: subnet.id,
        allocation: allocation.map(|address| address.id),
        interface: Some(interface),
        private_ip: private_ip.ok_or_else(|| Fault::internal("the new interface is gone"))?,
        state: NatGatewayState::Pending(context.ready_at(PENDING_S)),
        created: context.now,
        deleted: None,
        tags,
    };
    let shape = render(context, &nat);
    context.edit().nat_gateways.insert(id, nat);
    Ok(shape)
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let nat = select::known(&context.estate().nat_gateways, id, fault::NAT_GATEWAY)?;
    if nat.deleted.is_some() {
        return Ok(());
    }
    let (until, now) = (context.ready_at(DELETING_S), context.now);
    let estate = context.edit();
    if let Some(allocation) = nat.allocation {
        address::put(estate, allocation, None);
    }
    if let Some(nat) = estate.nat_gateways.edit(&nat.id) {
        nat.state = NatGatewayState::Deleting(until);
        nat.deleted = Some(now);
    }
    Ok(())
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::NatGateway>, Fault> {
    let found = select::by_ids(&context.estate().nat_gateways, ids, fault::NAT_GATEWAY)?;
    let kept = NAT_GATEWAYS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|nat| render(context, nat)).collect())
}

pub(super) fn state(state: NatGatewayState) -> &'static str {
    match state {
        NatGatewayState::Pending(_) => "pending",
        NatGatewayState::Available => "available",
        NatGatewayState::Deleting(_) => "deleting",
        NatGatewayState::Deleted(_) => "deleted",
    }
}

fn render(context: &Context<'_>, nat: &NatGateway) -> shapes::NatGateway {
    let estate = context.estate();
    let address = nat.allocation.and_then(|id| estate.addresses.get(&id));
    let association = address.and_then(|address| address.association).filter(|(_, at)| Some(*at) == nat.interface);
    let one = shapes::NatGatewayAddress {
        allocation_id: nat.allocation.map(|id| id.to_string()),
        association_id: association.map(|(id, _)| id.to_string()),
        is_primary: Some(true),
        network_interface_id: nat.interface.map(|id| id.to_string()),
        private_ip: Some(nat.private_ip.to_string()),
        public_ip: address.map(|address| address.public_ip.to_string()),
        status: Some("succeeded".to_owned()),
        ..Default::default()
    };
    let connectivity = if nat.allocation.is_some() { "public" } else { "private" };
    shapes::NatGateway {
        availability_mode: Some("zonal".to_owned()),
        connectivity_type: Some(connectivity.to_owned()),
        create_time: Some(wire::Timestamp(nat.created.0)),
        delete_time: nat.deleted.map(|moment| wire::Timestamp(moment.0)),
        failure_code: None,
        failure_message: None,
        nat_gateway_addresses: Some(vec![one]),
        nat_gateway_id: Some(nat.id.to_string()),
        state: Some(state(nat.state).to_owned()),
        subnet_id: Some(nat.subnet.to_string()),
        tags: tags::render(&nat.tags),
        vpc_id: Some(nat.vpc.to_string()),
    }
}

const NAT_GATEWAYS: Filters<Arc<NatGateway>> = Filters {
    by: &[
        ("nat-gateway-id", |_, nat| one(nat.id)),
        ("state", |_, nat| one(state(nat.state))),
        ("subnet-id", |_, nat| one(nat.subnet)),
        ("vpc-id", |_, nat| one(nat.vpc)),
    ],
    tags: Some(|nat| Cow::Borrowed(&nat.tags)),
};
