//! Internet gateways: one for each VPC at most. Records.

use std::sync::Arc;
use topology::id::InternetGatewayId;
use topology::resource::routing::InternetGateway;
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{one, owner, some};
use super::select::Filters;
use super::{fault, select, tags};
use crate::context::Context;
use std::borrow::Cow;

/// What EC2 says of a gateway that a VPC has, although its model knows only `attached`.
pub(super) const ATTACHED: &str = "available";

pub(super) fn create(
    context: &mut Context<'_>,
    specifications: Option<Vec<shapes::TagSpecification>>,
) -> Result<shapes::InternetGateway, Fault> {
    let id = InternetGatewayId::from_bits(context.mint.wide());
    let tags = tags::at_creation(specifications, "internet-gateway")?;
    let gateway = InternetGateway { id, vpc: None, tags };
    let shape = render(context, &gateway);
    context.edit().internet_gateways.insert(id, gateway);
    Ok(shape)
}

pub(super) fn attach(context: &mut Context<'_>, id: &str, vpc: &str) -> Result<(), Fault> {
    let gateway = select::known(&context.estate().internet_gateways, id, fault::INTERNET_GATEWAY)?;
    let vpc = select::known(&context.estate().vpcs, vpc, fault::VPC)?.id;
    if gateway.vpc.is_some() {
        return Err(fault::new(
            "Resource.AlreadyAssociated",
            format!(
                "resource {id} is already attached to network {}",
                gateway.vpc.map(|vpc| vpc.to_string()).unwrap_or_default()
            ),
        ));
    }
    if context.estate().internet_gateways.values().any(|other| other.vpc == Some(vpc)) {
        return Err(fault::invalid_value(format!("Network {vpc} already has an internet gateway attached")));
    }
    if let Some(gateway) = context.edit().internet_gateways.edit(&gateway.id) {
        gateway.vpc = Some(vpc);
    }
    Ok(())
}

pub(super) fn detach(context: &mut Context<'_>, id: &str, vpc: &str) -> Result<(), Fault> {
    let gateway = select::known(&context.estate().internet_gateways, id, fault::INTERNET_GATEWAY)?;
    let vpc = select::known(&context.estate().vpcs, vpc, fault::VPC)?.id;
    if gateway.vpc != Some(vpc) {
        return Err(fault::new("Gateway.NotAttached", format!("resource {id} is not attached to network {vpc}")));
    }
    let estate = context.estate();
    let public = |interface| estate.network_interfaces.get(&interface).is_some_and(|interface| interface.vpc == vpc);
    let mapped =
        estate.addresses.values().any(|address| address.association.is_some_and(|(_, interface)| public(interface)));
    if mapped {
        return Err(fault::new(
            "DependencyViolation",
            format!(
                "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
            ),
        ));
    }
    if let Some(gateway) = context.edit().internet_gateways.edit(&gateway.id) {
        gateway.vpc = None;
    }
    Ok(())
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let gateway = select::known(&context.estate().internet_gateways, id, fault::INTERNET_GATEWAY)?;
    if gateway.vpc.is_some() {
        return Err(fault::dependency("internetGateway", id));
    }
    context.edit().internet_gateways.remove(&gateway.id);
    Ok(())
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::InternetGateway>, Fault> {
    let found = select::by_ids(&context.estate().internet_gateways, ids, fault::INTERNET_GATEWAY)?;
    let kept = INTERNET_GATEWAYS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|gateway| render(context, gateway)).collect())
}

fn render(context: &Context<'_>, gateway: &InternetGateway) -> shapes::InternetGateway {
    let attachment = gateway.vpc.map(|vpc| shapes::InternetGatewayAttachment {
        state: Some(ATTACHED.to_owned()),
        vpc_id: Some(vpc.to_string()),
    });
    shapes::InternetGateway {
        attachments: Some(attachment.into_iter().collect()),
        internet_gateway_id: Some(gateway.id.to_string()),
        owner_id: Some(context.account().to_string()),
        tags: tags::render(&gateway.tags),
    }
}

const INTERNET_GATEWAYS: Filters<Arc<InternetGateway>> = Filters {
    by: &[
        ("attachment.state", |_, gateway| some(gateway.vpc.map(|_| ATTACHED))),
        ("attachment.vpc-id", |_, gateway| some(gateway.vpc)),
        ("internet-gateway-id", |_, gateway| one(gateway.id)),
        ("owner-id", owner),
    ],
    tags: Some(|gateway| Cow::Borrowed(&gateway.tags)),
};
