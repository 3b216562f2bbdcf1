//! Blocks that VPCs and subnets get after they were made: more IPv4 blocks of a VPC, which subnets may lie in, and IPv6 blocks.

use std::sync::Arc;

use topology::estate::RealmEstate;
use topology::id::{SubnetCidrAssociationId, SubnetId, VpcCidrAssociationId, VpcId};
use topology::net::Ipv6Net;
use topology::resource::routing::{Route, RouteTarget};
use topology::resource::vpc::{Subnet, Vpc};
use wire::Fault;
use wire::ec2 as shapes;

use super::vpc::{self, parse_block};
use super::{fault, peering, select, subnet};
use crate::context::Context;
use crate::realm;

/// Blocks of a VPC in each family: 5 by default (VPC quotas, 2026-11).
const BLOCKS_MAX: usize = 5;
/// The prefix length of the blocks that AWS gives to VPCs.
const VPC_IPV6_PREFIX: u8 = 56;
/// 2001:db8::/32 is for documentation (RFC 3849): nothing is ever there.
const IPV6_POOL_START: u128 = 0x2001_0db8 << 96;

pub(super) fn associate_vpc(
    context: &mut Context<'_>,
    input: &shapes::AssociateVpcCidrBlockRequest,
) -> Result<shapes::AssociateVpcCidrBlockResult, Fault> {
    let vpc = select::known(&context.estate().vpcs, &input.vpc_id, fault::VPC)?;
    let mut answer = shapes::AssociateVpcCidrBlockResult { vpc_id: Some(vpc.id.to_string()), ..Default::default() };
    match (&input.cidr_block, input.amazon_provided_ipv6_cidr_block == Some(true)) {
        (Some(text), false) => {
            let (id, cidr) = add_ipv4(context, &vpc, text)?;
            answer.cidr_block_association = Some(vpc::render_block((id, cidr), "associating"));
        }
        (None, true) => {
            check_border_group(context, input.ipv6_cidr_block_network_border_group.as_deref())?;
            let block = add_ipv6(context, &vpc)?;
            answer.ipv6_cidr_block_association = Some(vpc::render_ipv6_block(context, block, "associating"));
        }
        (None, false) => return Err(fault::missing("cidrBlock")),
        (Some(_), true) => {
            return Err(fault::invalid_combination(
                "Only one of cidrBlock and amazonProvidedIpv6CidrBlock may be specified",
            ));
        }
    }
    Ok(answer)
}

/// A region's addresses are all announced from one group here.
pub(super) fn check_border_group(context: &Context<'_>, wanted: Option<&str>) -> Result<(), Fault> {
    match wanted {
        Some(group) if group != context.region().as_str() => {
            Err(fault::invalid_value("The network border group must be that of the region"))
        }
        _ => Ok(()),
    }
}

fn check_count(vpc: &Vpc, count: usize) -> Result<(), Fault> {
    if count < BLOCKS_MAX {
        return Ok(());
    }
    let text = format!("This network '{}' has met its maximum number of allowed CIDRs: {BLOCKS_MAX}", vpc.id);
    Err(fault::new("CidrLimitExceeded", text))
}

fn add_ipv4(
    context: &mut Context<'_>,
    vpc: &Vpc,
    text: &str,
) -> Result<(VpcCidrAssociationId, topology::net::Ipv4Net), Fault> {
    let cidr = parse_block(text, "InvalidVpc.Range")?;
    if vpc.cidrs().any(|(_, other)| other.contains(&cidr) || cidr.contains(&other)) {
        return Err(fault::new("InvalidVpc.Range", format!("The CIDR '{text}' is invalid.")));
    }
    let of_peer = |peer: &Arc<Vpc>| peer.cidrs().any(|(_, other)| other.contains(&cidr) || cidr.contains(&other));
    if peering::peers(context, vpc.id).any(of_peer) {
        let text = format!("The CIDR '{text}' overlaps with one of a VPC that this VPC has a peering connection with.");
        return Err(fault::new("InvalidVpc.Range", text));
    }
    check_count(vpc, vpc.cidrs().count())?;
    let id = VpcCidrAssociationId::from_bits(context.mint.wide());
    let estate = context.edit();
    if let Some(vpc) = estate.vpcs.edit(&vpc.id) {
        vpc.secondary_cidrs.push((id, cidr));
    }
    add_local_route(estate, vpc.id, &cidr.to_string());
    Ok((id, cidr))
}

/// Gives a VPC the first free block.
pub(super) fn add_ipv6(context: &mut Context<'_>, vpc: &Vpc) -> Result<(VpcCidrAssociationId, Ipv6Net), Fault> {
    check_count(vpc, vpc.ipv6_cidrs.len())?;
    let taken: Vec<Ipv6Net> =
        context.estate().vpcs.values().flat_map(|vpc| &vpc.ipv6_cidrs).map(|(_, cidr)| *cidr).collect();
    let block = |at: u128| {
        let start = IPV6_POOL_START + (at << (128 - VPC_IPV6_PREFIX));
        Ipv6Net::new(start.into(), VPC_IPV6_PREFIX).ok()
    };
    let free = (1..=taken.len() as u128 + 1).filter_map(block).find(|block| !taken.contains(block));
    let block = free.ok_or_else(|| Fault::internal("no IPv6 block is free"))?;
    let id = VpcCidrAssociationId::from_bits(context.mint.wide());
    let estate = context.edit();
    if let Some(vpc) = estate.vpcs.edit(&vpc.id) {
        vpc.ipv6_cidrs.push((id, block));
    }
    add_local_route(estate, vpc.id, &block.to_string());
    if vpc.ipv6_cidrs.is_empty() {
        let (estate, mint) = context.edit_with_mint();
        realm::open_for_ipv6(estate, mint, vpc.id);
    }
    Ok((id, block))
}

/// Every table of a VPC leads to every block of it, its own routes first.
fn add_local_route(estate: &mut RealmEstate, vpc: VpcId, destination: &str) {
    let tables: Vec<_> = estate.route_tables.values().filter(|table| table.vpc == vpc).map(|table| table.id).collect();
    for id in tables {
        if let Some(table) = estate.route_tables.edit(&id) {
            let own = table.routes.iter().filter(|route| route.target == RouteTarget::Local).count();
            table.routes.insert(own, Route { destination: destination.to_owned(), target: RouteTarget::Local });
        }
    }
}

fn remove_local_route(estate: &mut RealmEstate, vpc: VpcId, destination: &str) {
    let tables: Vec<_> = estate.route_tables.values().filter(|table| table.vpc == vpc).map(|table| table.id).collect();
    for id in tables {
        if let Some(table) = estate.route_tables.edit(&id) {
            table.routes.retain(|route| route.target != RouteTarget::Local || route.destination != destination);
        }
    }
}

pub(super) fn disassociate_vpc(
    context: &mut Context<'_>,
    id: &str,
) -> Result<shapes::DisassociateVpcCidrBlockResult, Fault> {
    let unknown = || fault::VPC_CIDR_ASSOCIATION.unknown(id);
    let wanted: VpcCidrAssociationId = id.parse().map_err(|_| unknown())?;
    let holds =
        |vpc: &Vpc| vpc.cidrs().any(|(id, _)| id == wanted) || vpc.ipv6_cidrs.iter().any(|(id, _)| *id == wanted);
    let vpc = context.estate().vpcs.values().find(|vpc| holds(vpc)).cloned().ok_or_else(unknown)?;
    if vpc.cidr_association == wanted {
        return Err(fault::new(
            "OperationNotPermitted",
            format!(
                "The vpc CIDR block with association ID {id} may not be disassociated. It is the primary IPv4 CIDR block of the VPC"
            ),
        ));
    }
    let ipv4 = vpc.secondary_cidrs.iter().find(|(id, _)| *id == wanted).copied();
    let ipv6 = vpc.ipv6_cidrs.iter().find(|(id, _)| *id == wanted).copied();
    let within = |subnet: &Subnet| {
        subnet.vpc == vpc.id
            && (ipv4.is_some_and(|(_, cidr)| cidr.contains(&subnet.cidr))
                || ipv6.is_some_and(|(_, cidr)| subnet.ipv6_cidr.is_some_and(|(_, own)| cidr.contains(&own))))
    };
    if context.estate().subnets.values().any(|subnet| within(subnet)) {
        return Err(fault::new(
            "InvalidCidrBlock.InUse",
            format!("The vpc CIDR block with association ID {id} is in use by a subnet"),
        ));
    }
    let estate = context.edit();
    if let Some(vpc) = estate.vpcs.edit(&vpc.id) {
        vpc.secondary_cidrs.retain(|(id, _)| *id != wanted);
        vpc.ipv6_cidrs.retain(|(id, _)| *id != wanted);
    }
    let destinations = [ipv4.map(|(_, cidr)| cidr.to_string()), ipv6.map(|(_, cidr)| cidr.to_string())];
    for destination in destinations.into_iter().flatten() {
        remove_local_route(estate, vpc.id, &destination);
    }
    Ok(shapes::DisassociateVpcCidrBlockResult {
        cidr_block_association: ipv4.map(|block| vpc::render_block(block, "disassociating")),
        ipv6_cidr_block_association: ipv6.map(|block| vpc::render_ipv6_block(context, block, "disassociating")),
        vpc_id: Some(vpc.id.to_string()),
    })
}

/// Which prefix lengths a subnet's block may have: /44 to /64 in steps of 4 (EC2 API reference, CreateSubnet, 2026-11).
fn is_subnet_prefix(length: u8) -> bool {
    (44..=64).contains(&length) && length.is_multiple_of(4)
}

/// An IPv6 block that a subnet of this VPC may have.
pub(super) fn subnet_ipv6(context: &Context<'_>, vpc: &Vpc, text: &str) -> Result<Ipv6Net, Fault> {
    let net: Ipv6Net = text.parse().map_err(|_| {
        fault::invalid_value(format!(
            "Value ({text}) for parameter ipv6CidrBlock is invalid. This is not a valid IPv6 CIDR block."
        ))
    })?;
    let net = net.trunc();
    let within = vpc.ipv6_cidrs.iter().any(|(_, cidr)| cidr.contains(&net));
    if !within || !is_subnet_prefix(net.prefix_len()) {
        return Err(fault::new("InvalidSubnet.Range", format!("The CIDR '{text}' is invalid.")));
    }
    let overlaps = |(_, other): (SubnetCidrAssociationId, Ipv6Net)| other.contains(&net) || net.contains(&other);
    let mut others = context.estate().subnets.values().filter(|subnet| subnet.vpc == vpc.id);
    if others.any(|subnet| subnet.ipv6_cidr.is_some_and(overlaps)) {
        return Err(fault::new("InvalidSubnet.Conflict", format!("The CIDR '{text}' conflicts with another subnet")));
    }
    Ok(net)
}

pub(super) fn associate_subnet(
    context: &mut Context<'_>,
    input: &shapes::AssociateSubnetCidrBlockRequest,
) -> Result<shapes::AssociateSubnetCidrBlockResult, Fault> {
    let subnet = select::known(&context.estate().subnets, &input.subnet_id, fault::SUBNET)?;
    let vpc = select::known(&context.estate().vpcs, &subnet.vpc.to_string(), fault::VPC)?;
    let text = input.ipv6_cidr_block.as_deref().ok_or_else(|| fault::missing("ipv6CidrBlock"))?;
    if subnet.ipv6_cidr.is_some() {
        return Err(fault::new(
            "CidrLimitExceeded",
            format!("This subnet '{}' has met its maximum number of allowed IPv6 CIDRs: 1", subnet.id),
        ));
    }
    let net = subnet_ipv6(context, &vpc, text)?;
    let block = (SubnetCidrAssociationId::from_bits(context.mint.wide()), net);
    if let Some(subnet) = context.edit().subnets.edit(&subnet.id) {
        subnet.ipv6_cidr = Some(block);
    }
    Ok(shapes::AssociateSubnetCidrBlockResult {
        ipv6_cidr_block_association: Some(subnet::render_ipv6_block(block, "associating")),
        subnet_id: Some(subnet.id.to_string()),
    })
}

/// Why a subnet keeps its IPv6 block, where it has to.
fn kept_by(estate: &RealmEstate, subnet: SubnetId) -> Option<&'static str> {
    if estate.subnets.get(&subnet).is_some_and(|subnet| subnet.assign_ipv6) {
        return Some("its subnet has assign-ipv6-address-on-creation set to true");
    }
    let mut there = estate.network_interfaces.values().filter(|interface| interface.subnet == subnet);
    there.any(|interface| !interface.ipv6_addresses.is_empty()).then_some("network interfaces have addresses of it")
}

pub(super) fn disassociate_subnet(
    context: &mut Context<'_>,
    id: &str,
) -> Result<shapes::DisassociateSubnetCidrBlockResult, Fault> {
    let unknown = || fault::SUBNET_CIDR_ASSOCIATION.unknown(id);
    let wanted: SubnetCidrAssociationId = id.parse().map_err(|_| unknown())?;
    let found = context.estate().subnets.values().find_map(|subnet| {
        let block = subnet.ipv6_cidr.filter(|(id, _)| *id == wanted)?;
        Some((subnet.id, block))
    });
    let (subnet, block) = found.ok_or_else(unknown)?;
    let why = kept_by(context.estate(), subnet);
    if let Some(why) = why {
        let text =
            format!("The subnet IPv6 CIDR block with association ID {id} may not be disassociated, because {why}.");
        return Err(fault::new("InvalidCidrBlock.InUse", text));
    }
    if let Some(subnet) = context.edit().subnets.edit(&subnet) {
        subnet.ipv6_cidr = None;
    }
    Ok(shapes::DisassociateSubnetCidrBlockResult {
        ipv6_cidr_block_association: Some(subnet::render_ipv6_block(block, "disassociating")),
        subnet_id: Some(subnet.to_string()),
    })
}
