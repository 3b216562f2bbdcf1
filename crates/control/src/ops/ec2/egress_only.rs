//! Egress-only internet gateways: the way out for IPv6. Records, attached to their VPC from the start.

use std::sync::Arc;

use topology::id::EgressOnlyInternetGatewayId;
use topology::resource::routing::EgressOnlyInternetGateway;
use wire::Fault;
use wire::ec2 as shapes;

use super::select::Filters;
use super::{fault, select, tags};
use crate::context::Context;
use std::borrow::Cow;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateEgressOnlyInternetGatewayRequest,
) -> Result<shapes::EgressOnlyInternetGateway, Fault> {
    let vpc = select::known(&context.estate().vpcs, &input.vpc_id, fault::VPC)?.id;
    let tags = tags::at_creation(input.tag_specifications, "egress-only-internet-gateway")?;
    let id = EgressOnlyInternetGatewayId::from_bits(context.mint.wide());
    let gateway = EgressOnlyInternetGateway { id, vpc, tags };
    let shape = render(&gateway);
    context.edit().egress_only_internet_gateways.insert(id, gateway);
    Ok(shape)
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let gateways = &context.estate().egress_only_internet_gateways;
    let gateway = select::known(gateways, id, fault::EGRESS_ONLY_GATEWAY)?.id;
    context.edit().egress_only_internet_gateways.remove(&gateway);
    Ok(())
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::EgressOnlyInternetGateway>, Fault> {
    let gateways = &context.estate().egress_only_internet_gateways;
    let found = select::by_ids(gateways, ids, fault::EGRESS_ONLY_GATEWAY)?;
    let kept = EGRESS_ONLY_INTERNET_GATEWAYS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|gateway: &Arc<EgressOnlyInternetGateway>| render(gateway)).collect())
}

fn render(gateway: &EgressOnlyInternetGateway) -> shapes::EgressOnlyInternetGateway {
    let attachment =
        shapes::InternetGatewayAttachment { state: Some("attached".to_owned()), vpc_id: Some(gateway.vpc.to_string()) };
    shapes::EgressOnlyInternetGateway {
        attachments: Some(vec![attachment]),
        egress_only_internet_gateway_id: Some(gateway.id.to_string()),
        tags: tags::render(&gateway.tags),
    }
}

/// The page names tags alone.
const EGRESS_ONLY_INTERNET_GATEWAYS: Filters<Arc<EgressOnlyInternetGateway>> =
    Filters { by: &[], tags: Some(|gateway| Cow::Borrowed(&gateway.tags)) };
