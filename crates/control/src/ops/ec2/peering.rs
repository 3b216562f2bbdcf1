//! VPC peering connections between VPCs of one account and region: request, acceptance, end.
//!
//! States, how long what is over stays listed, and which step may follow which: VPC peering guide, "VPC peering connection lifecycle",
//! 2026-11. Of the options there is nothing to carry out: no DNS name of a private address is told here.

use std::borrow::Cow;
use std::sync::Arc;

use topology::id::{VpcId, VpcPeeringConnectionId};
use topology::resource::peering::{PeeringEnd, PeeringState, VpcPeeringConnection};
use topology::resource::security_group::{RulePeer, SecurityGroupRule};
use topology::resource::vpc::Vpc;
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{each, one, owner, some};
use super::select::Filters;
use super::{fault, select, tags};
use crate::context::Context;
use crate::lifecycle::{PEERING_LISTED_MS, PEERING_OFFER_MS};

/// How long AWS takes over a request and over an acceptance: a few seconds as AWS users see it.
const REQUEST_S: i64 = 2;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateVpcPeeringConnectionRequest,
) -> Result<shapes::VpcPeeringConnection, Fault> {
    if input.peer_owner_id.as_ref().is_some_and(|owner| *owner != context.account().to_string()) {
        return Err(fault::unsupported("a peering connection with a VPC of another account"));
    }
    if input.peer_region.as_deref().is_some_and(|region| region != context.region().as_str()) {
        return Err(fault::unsupported("a peering connection with a VPC of another region"));
    }
    let vpcs = &context.estate().vpcs;
    let requester = select::known(vpcs, &input.vpc_id, fault::VPC)?;
    let accepter = input.peer_vpc_id.as_deref().ok_or_else(|| fault::missing("peerVpcId"))?;
    let accepter = select::known(vpcs, accepter, fault::VPC)?;
    if requester.id == accepter.id {
        return Err(fault::invalid_value("A VPC peering connection must be between two different VPCs"));
    }
    let tags = tags::at_creation(input.tag_specifications, "vpc-peering-connection")?;
    let known = &context.estate().vpc_peering_connections;
    if let Some(known) = known.values().find(|known| known.is_live() && known.joins(requester.id, accepter.id)) {
        return Err(fault::new(
            "VpcPeeringConnectionAlreadyExists",
            format!("A VPC peering connection between the VPCs already exists: {}", known.id),
        ));
    }
    let state = if overlap(&requester, &accepter) {
        PeeringState::Ended(PeeringEnd::Failed, context.now.plus_ms(PEERING_LISTED_MS))
    } else {
        PeeringState::Initiating(context.ready_at(REQUEST_S))
    };
    let id = VpcPeeringConnectionId::from_bits(context.mint.wide());
    let expires = context.now.plus_ms(PEERING_OFFER_MS);
    let made = VpcPeeringConnection { id, requester: requester.id, accepter: accepter.id, state, expires, tags };
    let shape = render(context, &made);
    context.edit().vpc_peering_connections.insert(id, made);
    Ok(shape)
}

fn overlap(one: &Vpc, other: &Vpc) -> bool {
    one.cidrs().any(|(_, mine)| other.cidrs().any(|(_, theirs)| mine.contains(&theirs) || theirs.contains(&mine)))
}

/// Moves a connection on, if it may take this step now.
fn step(
    context: &mut Context<'_>,
    (id, to): (&str, &str),
    next: impl FnOnce(&VpcPeeringConnection, &Context<'_>) -> Option<PeeringState>,
) -> Result<Arc<VpcPeeringConnection>, Fault> {
    let known = select::known(&context.estate().vpc_peering_connections, id, fault::PEERING)?;
    let from = known.state.code();
    let state = next(&known, context).ok_or_else(|| {
        let text = format!("Invalid state transition for {id}, attempted to transition from {from} to {to}");
        fault::new("InvalidStateTransition", text)
    })?;
    if let Some(found) = context.edit().vpc_peering_connections.edit(&known.id) {
        found.state = state;
    }
    select::known(&context.estate().vpc_peering_connections, id, fault::PEERING)
}

/// A request that is not through yet may be accepted too: AWS is as quick as whoever calls next.
pub(super) fn accept(context: &mut Context<'_>, id: &str) -> Result<shapes::VpcPeeringConnection, Fault> {
    let accepted = step(context, (id, "active"), |known, context| match known.state {
        PeeringState::Initiating(_) | PeeringState::PendingAcceptance(_) => {
            Some(PeeringState::Provisioning(context.ready_at(REQUEST_S)))
        }
        PeeringState::Provisioning(_) | PeeringState::Active | PeeringState::Ended(..) => None,
    })?;
    Ok(render(context, &accepted))
}

pub(super) fn reject(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let rejected = step(context, (id, "rejected"), |known, context| match known.state {
        PeeringState::Initiating(_) | PeeringState::PendingAcceptance(_) => Some(ended(context, PeeringEnd::Rejected)),
        PeeringState::Provisioning(_) | PeeringState::Active | PeeringState::Ended(..) => None,
    });
    rejected.map(drop)
}

/// Routes through it become black holes, and rules that name groups of the other VPC fit nothing any more: both stay.
pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let deleted = step(context, (id, "deleting"), |known, context| match known.state {
        PeeringState::Ended(..) => None,
        _ => Some(ended(context, PeeringEnd::Deleted)),
    });
    deleted.map(drop)
}

fn ended(context: &Context<'_>, how: PeeringEnd) -> PeeringState {
    PeeringState::Ended(how, context.now.plus_ms(PEERING_LISTED_MS))
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::VpcPeeringConnection>, Fault> {
    let found = select::by_ids(&context.estate().vpc_peering_connections, ids, fault::PEERING)?;
    let kept = PEERINGS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|peering| render(context, peering)).collect())
}

/// Takes what is so anyway, and refuses what nothing here would follow.
pub(super) fn modify_options(
    context: &Context<'_>,
    input: &shapes::ModifyVpcPeeringConnectionOptionsRequest,
) -> Result<shapes::ModifyVpcPeeringConnectionOptionsResult, Fault> {
    let known =
        select::known(&context.estate().vpc_peering_connections, &input.vpc_peering_connection_id, fault::PEERING)?;
    let wanted = [&input.accepter_peering_connection_options, &input.requester_peering_connection_options];
    if wanted.iter().all(|side| side.is_none()) {
        return Err(fault::missing("requesterPeeringConnectionOptions"));
    }
    if !known.is_active() {
        return Err(fault::new(
            "InvalidStateTransition",
            format!("The VPC peering connection {} is not active", known.id),
        ));
    }
    for side in wanted.into_iter().flatten() {
        for (is_wanted, name) in [
            (side.allow_dns_resolution_from_remote_vpc, "AllowDnsResolutionFromRemoteVpc"),
            (side.allow_egress_from_local_classic_link_to_remote_vpc, "AllowEgressFromLocalClassicLinkToRemoteVpc"),
            (side.allow_egress_from_local_vpc_to_remote_classic_link, "AllowEgressFromLocalVpcToRemoteClassicLink"),
        ] {
            if is_wanted == Some(true) {
                return Err(fault::unsupported(name));
            }
        }
    }
    let as_it_is = |side: &Option<shapes::PeeringConnectionOptionsRequest>| {
        side.as_ref().map(|_| shapes::PeeringConnectionOptions {
            allow_dns_resolution_from_remote_vpc: Some(false),
            allow_egress_from_local_classic_link_to_remote_vpc: Some(false),
            allow_egress_from_local_vpc_to_remote_classic_link: Some(false),
        })
    };
    Ok(shapes::ModifyVpcPeeringConnectionOptionsResult {
        accepter_peering_connection_options: as_it_is(&input.accepter_peering_connection_options),
        requester_peering_connection_options: as_it_is(&input.requester_peering_connection_options),
    })
}

/// The connection by which groups of one VPC may name groups of the other: one that was accepted.
pub(super) fn between(context: &Context<'_>, one: VpcId, other: VpcId) -> Option<VpcPeeringConnectionId> {
    let mut known = context.estate().vpc_peering_connections.values();
    let is_accepted = |state| matches!(state, PeeringState::Provisioning(_) | PeeringState::Active);
    known.find(|known| is_accepted(known.state) && known.joins(one, other)).map(|known| known.id)
}

/// A group of another VPC that a rule names.
pub(super) struct Beyond {
    /// Its VPC.
    pub(super) vpc: VpcId,
    /// The connection by which it may be named, or might.
    pub(super) peering: VpcPeeringConnectionId,
    /// What became of that: a rule outlives it.
    pub(super) status: &'static str,
}

/// What a rule names of another VPC; `None` where it names nothing of one.
pub(super) fn of_rule(context: &Context<'_>, rule: &SecurityGroupRule) -> Option<Beyond> {
    let RulePeer::Group(named) = rule.peer else { return None };
    let vpc_of = |group| context.estate().security_groups.get(group).map(|group| group.vpc);
    let (own, vpc) = (vpc_of(&rule.group)?, vpc_of(&named)?);
    if own == vpc {
        return None;
    }
    let known = || context.estate().vpc_peering_connections.values().filter(|known| known.joins(own, vpc));
    let found = known().find(|known| known.is_active()).or_else(|| known().next_back())?;
    Some(Beyond { vpc, peering: found.id, status: found.state.code() })
}

/// The VPCs that this one is joined with.
pub(super) fn peers<'a>(context: &'a Context<'_>, vpc: VpcId) -> impl Iterator<Item = &'a Arc<Vpc>> {
    let estate = context.estate();
    let live = estate.vpc_peering_connections.values().filter(move |known| known.is_live() && known.is_of(vpc));
    let ends = live.flat_map(|known| [known.requester, known.accepter]);
    ends.filter(move |end| *end != vpc).filter_map(|end| estate.vpcs.get(&end))
}

fn message(context: &Context<'_>, state: PeeringState) -> String {
    let account = context.account();
    match state {
        PeeringState::Initiating(_) => format!("Initiating Request to {account}"),
        PeeringState::PendingAcceptance(_) => format!("Pending Acceptance by {account}"),
        PeeringState::Provisioning(_) => "Provisioning".to_owned(),
        PeeringState::Active => "Active".to_owned(),
        PeeringState::Ended(PeeringEnd::Failed, _) => {
            "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range".to_owned()
        }
        PeeringState::Ended(PeeringEnd::Expired, _) => "Expired".to_owned(),
        PeeringState::Ended(PeeringEnd::Rejected, _) => format!("Rejected by {account}"),
        PeeringState::Ended(PeeringEnd::Deleted, _) => format!("Deleted by {account}"),
    }
}

fn render(context: &Context<'_>, peering: &VpcPeeringConnection) -> shapes::VpcPeeringConnection {
    let is_pending = matches!(peering.state, PeeringState::Initiating(_) | PeeringState::PendingAcceptance(_));
    shapes::VpcPeeringConnection {
        // Who asks is not told the other's blocks before it accepts.
        accepter_vpc_info: Some(info(context, peering.accepter, peering.state == PeeringState::Active)),
        expiration_time: is_pending.then_some(wire::Timestamp(peering.expires.0)),
        requester_vpc_info: Some(info(context, peering.requester, true)),
        status: Some(shapes::VpcPeeringConnectionStateReason {
            code: Some(peering.state.code().to_owned()),
            message: Some(message(context, peering.state)),
        }),
        tags: tags::render(&peering.tags),
        vpc_peering_connection_id: Some(peering.id.to_string()),
    }
}

fn info(context: &Context<'_>, vpc: VpcId, with_blocks: bool) -> shapes::VpcPeeringConnectionVpcInfo {
    let found = context.estate().vpcs.get(&vpc).filter(|_| with_blocks);
    let set = found.map(|vpc| {
        vpc.cidrs().map(|(_, block)| shapes::CidrBlock { cidr_block: Some(block.to_string()) }).collect::<Vec<_>>()
    });
    let ipv6 = found.map(|vpc| {
        let block = |block: String| shapes::Ipv6CidrBlock { ipv6_cidr_block: Some(block) };
        vpc.ipv6_cidrs.iter().map(|(_, net)| block(net.to_string())).collect::<Vec<_>>()
    });
    shapes::VpcPeeringConnectionVpcInfo {
        cidr_block: found.map(|vpc| vpc.cidr.to_string()),
        cidr_block_set: set,
        ipv6_cidr_block_set: ipv6.filter(|blocks| !blocks.is_empty()),
        owner_id: Some(context.account().to_string()),
        peering_options: found.map(|_| shapes::VpcPeeringConnectionOptionsDescription {
            allow_dns_resolution_from_remote_vpc: Some(false),
            allow_egress_from_local_classic_link_to_remote_vpc: Some(false),
            allow_egress_from_local_vpc_to_remote_classic_link: Some(false),
        }),
        region: Some(context.region().to_string()),
        vpc_id: Some(vpc.to_string()),
    }
}

fn blocks(context: &Context<'_>, peering: &VpcPeeringConnection, is_accepter: bool) -> Vec<String> {
    let shape = render(context, peering);
    let info = if is_accepter { shape.accepter_vpc_info } else { shape.requester_vpc_info };
    some(info.and_then(|info| info.cidr_block))
}

const PEERINGS: Filters<Arc<VpcPeeringConnection>> = Filters {
    by: &[
        ("accepter-vpc-info.cidr-block", |context, peering| blocks(context, peering, true)),
        ("accepter-vpc-info.owner-id", owner),
        ("accepter-vpc-info.vpc-id", |_, peering| one(peering.accepter)),
        ("expiration-time", |context, peering| {
            each(render(context, peering).expiration_time.map(|at| at.to_the_second()))
        }),
        ("requester-vpc-info.cidr-block", |context, peering| blocks(context, peering, false)),
        ("requester-vpc-info.owner-id", owner),
        ("requester-vpc-info.vpc-id", |_, peering| one(peering.requester)),
        ("status-code", |_, peering| one(peering.state.code())),
        ("status-message", |context, peering| one(message(context, peering.state))),
        ("vpc-peering-connection-id", |_, peering| one(peering.id)),
    ],
    tags: Some(|peering| Cow::Borrowed(&peering.tags)),
};
