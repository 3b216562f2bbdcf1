//! VPC links (V2): made PENDING with an interface in each subnet; only name and tags ever change (HTTP API developer guide,
//! "VPC links", 2026-11).

use std::collections::BTreeSet;

use topology::estate::RealmEstate;
use topology::id::{SecurityGroupId, SubnetId, VpcId, VpcLinkId};
use topology::reason::Reason;
use topology::resource::http_api::{Integration, IntegrationConnection, Route};
use topology::resource::rest_api;
use topology::resource::vpc_link::{VpcLink, VpcLinkState};
use topology::snapshot::routes::RouteKey;
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{NAME_CHARS, check_length, fault, seconds, tags};
use crate::context::{ApiRefusal, Context};
use crate::lifecycle::link::{PROVISIONING_S, provision};

/// Subnets of a link: 10 at most (HTTP API quotas, 2026-11).
const SUBNETS_MAX: usize = 10;
const DELETING_S: i64 = 60;

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateVpcLinkRequest) -> Result<shapes::VpcLink, Fault> {
    check_length("name", Some(&input.name), NAME_CHARS)?;
    let (vpc, subnets) = known_subnets(context, &input.subnet_ids)?;
    let groups = known_groups(context, vpc, &input.security_group_ids.unwrap_or_default())?;
    let id = context.fresh(VpcLinkId::from_bits, |estate, id| estate.vpc_links.contains(id));
    let link = VpcLink {
        id,
        name: input.name,
        vpc,
        subnets,
        groups,
        interfaces: Vec::new(),
        state: VpcLinkState::Inactive,
        created: context.now,
        last_used: context.now,
        tags: tags::checked(input.tags.unwrap_or_default())?,
    };
    let ready = context.ready_at(PROVISIONING_S);
    let (estate, mint) = context.edit_with_mint();
    estate.vpc_links.insert(id, link);
    provision(estate, mint, id, ready);
    get(context, &id.to_string())
}

fn known_subnets(context: &Context<'_>, ids: &[String]) -> Result<(VpcId, Vec<SubnetId>), Fault> {
    let invalid = |id: &String| fault::bad_request(format!("Invalid subnet id: {id}"));
    let mut found = Vec::new();
    for id in ids {
        let known = id.parse().ok().and_then(|subnet| context.estate().subnets.get(&subnet));
        found.push(known.ok_or_else(|| invalid(id))?);
    }
    let distinct: BTreeSet<_> = found.iter().map(|subnet| subnet.id).collect();
    let vpcs: BTreeSet<_> = found.iter().map(|subnet| subnet.vpc).collect();
    let Some(vpc) = vpcs.first().copied() else {
        return Err(fault::bad_request("At least one subnet id must be specified"));
    };
    if vpcs.len() > 1 {
        return Err(fault::bad_request("All subnets must belong to the same VPC"));
    }
    if distinct.len() > SUBNETS_MAX || distinct.len() != found.len() {
        return Err(fault::bad_request("A VPC link takes 1 to 10 different subnets"));
    }
    Ok((vpc, found.iter().map(|subnet| subnet.id).collect()))
}

fn known_groups(context: &Context<'_>, vpc: VpcId, ids: &[String]) -> Result<Vec<SecurityGroupId>, Fault> {
    let known = |id: &String| {
        let group = id.parse().ok().and_then(|group| context.estate().security_groups.get(&group));
        group.filter(|group| group.vpc == vpc).map(|group| group.id)
    };
    ids.iter()
        .map(|id| known(id).ok_or_else(|| fault::bad_request(format!("Invalid security group id: {id}"))))
        .collect()
}

fn known(context: &Context<'_>, id: &str) -> Result<VpcLinkId, Fault> {
    let known = id.parse().ok().filter(|id| context.estate().vpc_links.contains(id));
    known.ok_or_else(|| fault::no_link(id))
}

pub(super) fn get(context: &Context<'_>, id: &str) -> Result<shapes::VpcLink, Fault> {
    let known = known(context, id)?;
    context.estate().vpc_links.get(&known).map(|link| render(link)).ok_or_else(|| fault::no_link(id))
}

pub(super) fn list(context: &Context<'_>) -> Vec<shapes::VpcLink> {
    context.estate().vpc_links.values().map(|link| render(link)).collect()
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateVpcLinkRequest) -> Result<shapes::VpcLink, Fault> {
    let id = known(context, &input.vpc_link_id)?;
    check_length("name", input.name.as_deref(), NAME_CHARS)?;
    if let (Some(name), Some(link)) = (input.name, context.edit().vpc_links.edit(&id)) {
        link.name = name;
    }
    get(context, &input.vpc_link_id)
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let known = known(context, id)?;
    let users = referrers(context.estate(), id);
    if !users.is_empty() {
        let text = format!(
            "Cannot delete vpc link. Vpc link '{id}', is referenced in [{}] in format of [Method:Resource].",
            users.iter().cloned().collect::<Vec<_>>().join(", ")
        );
        let refusal = ApiRefusal { reason: Reason::LinkInUse, meant: users.into_iter().collect(), fix: Vec::new() };
        return Err(context.refuse(refusal, fault::bad_request(text)));
    }
    let until = context.ready_at(DELETING_S);
    if let Some(link) = context.edit().vpc_links.edit(&known)
        && !matches!(link.state, VpcLinkState::Deleting(_))
    {
        link.state = VpcLinkState::Deleting(until);
    }
    Ok(())
}

/// The routes that lead through a link, in drafts and in what stages serve, as `METHOD:route`.
fn referrers(estate: &RealmEstate, link: &str) -> BTreeSet<String> {
    let through =
        |integration: &Integration| matches!(&integration.connection, IntegrationConnection::VpcLink(id) if id == link);
    let draft = estate
        .routes
        .values()
        .filter(|route| route.target.and_then(|id| estate.integrations.get(&id)).is_some_and(|i| through(i)));
    let served = estate.stages.values().filter_map(|stage| estate.deployments.get(&stage.deployment?));
    let deployed = served.flat_map(|deployment| {
        let integrations = &deployment.frozen.integrations;
        deployment
            .frozen
            .routes
            .iter()
            .filter(move |route| integrations.iter().any(|i| Some(i.id) == route.target && through(i)))
    });
    draft.chain(deployed).map(|route| referrer(route)).chain(rest_referrers(estate, link)).collect()
}

/// The same of REST APIs, as `METHOD:resource`.
fn rest_referrers(estate: &RealmEstate, link: &str) -> Vec<String> {
    let served = estate.rest_stages.values().flat_map(|stage| {
        let canary = stage.canary.as_ref().map(|canary| canary.deployment);
        [Some(stage.deployment), canary].into_iter().flatten().filter_map(|id| estate.rest_deployments.get(&id))
    });
    let deployed = served.flat_map(|deployment| deployment.frozen.resources.iter());
    let through = |method: &rest_api::Method| {
        let connection = method.integration.as_ref().map(|integration| &integration.connection);
        matches!(connection, Some(rest_api::RestConnection::VpcLink { id, .. }) if id == link)
    };
    let named = |resource: &rest_api::Resource| {
        let methods = resource.methods.iter().filter(|(_, method)| through(method));
        methods.map(|(name, _)| format!("{name}:{}", resource.id)).collect::<Vec<_>>()
    };
    estate.resources.values().chain(deployed).flat_map(|resource| named(resource)).collect()
}

fn referrer(route: &Route) -> String {
    let method = match &route.key {
        RouteKey::Path { method: Some(method), .. } => method.as_str(),
        RouteKey::Path { method: None, .. } | RouteKey::Default => "ANY",
    };
    format!("{method}:{}", route.id)
}

fn render(link: &VpcLink) -> shapes::VpcLink {
    let (status, message) = match &link.state {
        VpcLinkState::Pending(_) => ("PENDING", "VPC link is provisioning ENIs"),
        VpcLinkState::Available => ("AVAILABLE", "VPC link is ready to route traffic"),
        VpcLinkState::Deleting(_) => ("DELETING", "VPC link is deleting ENIs"),
        VpcLinkState::Failed(why) => ("FAILED", why.as_str()),
        VpcLinkState::Inactive => ("INACTIVE", "VPC link is inactive because it carried no traffic for 60 days"),
    };
    shapes::VpcLink {
        created_date: Some(seconds(link.created)),
        name: link.name.clone(),
        security_group_ids: link.groups.iter().map(ToString::to_string).collect(),
        subnet_ids: link.subnets.iter().map(ToString::to_string).collect(),
        tags: Some(link.tags.clone()),
        vpc_link_id: link.id.to_string(),
        vpc_link_status: Some(status.to_owned()),
        vpc_link_status_message: Some(message.to_owned()),
        vpc_link_version: Some("V2".to_owned()),
    }
}
