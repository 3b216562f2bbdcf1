//! VPC links of REST APIs (V1): each leads to one network load balancer. They live and die like links of version 2, and carry
//! nothing here (REST API reference, "VpcLink", 2026-11).

use std::collections::BTreeSet;

use topology::arn::{ElbArn, ElbResource};
use topology::estate::RealmEstate;
use topology::id::VpcLinkV1Id;
use topology::reason::Reason;
use topology::resource::load_balancer::{BalancerKind, LoadBalancer};
use topology::resource::rest_api::{Integration, Resource, RestConnection};
use topology::resource::vpc_link::{VpcLinkState, VpcLinkV1};
use wire::Fault;
use wire::apigateway as shapes;

use super::fault;
use super::patch::{Op, REPLACE, Rule, Sentence, Table};
use crate::context::{ApiRefusal, Context};
use crate::ops::gateway_common::tags;

/// How long AWS takes to provision a link of this version, and to take it down.
const PROVISIONING_S: i64 = 180;
const DELETING_S: i64 = 60;

/// What AWS says of a target that is no network load balancer (public reports, 2026-11).
const MALFORMED: &str = "NLB ARN is malformed";

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateVpcLinkRequest) -> Result<shapes::VpcLink, Fault> {
    if input.name.is_empty() {
        return Err(fault::bad_request("Name cannot be empty"));
    }
    let target_arn = target(context, input.target_arns)?;
    let is_network = |balancer: &LoadBalancer| balancer.kind() == BalancerKind::Network;
    // AWS takes any load balancer's ARN and fails later.
    let state = match balancer(context, &target_arn) {
        Some(balancer) if is_network(balancer) => VpcLinkState::Pending(context.ready_at(PROVISIONING_S)),
        _ => VpcLinkState::Failed(MALFORMED.to_owned()),
    };
    let id = context.fresh(VpcLinkV1Id::from_bits, |estate, id| estate.vpc_links_v1.contains(id));
    let tags = tags::checked(input.tags.unwrap_or_default())?;
    let link = VpcLinkV1 { id, name: input.name, description: input.description, target_arn, state, tags };
    // The answer to this call shows no tags and always PENDING (recorded on AWS, 2026-03).
    let shown =
        shapes::VpcLink { status: Some("PENDING".to_owned()), status_message: None, tags: None, ..render(&link) };
    context.edit().vpc_links_v1.insert(id, link);
    Ok(shown)
}

fn target(context: &Context<'_>, arns: Vec<String>) -> Result<ElbArn, Fault> {
    let mut arns = arns.into_iter();
    let (Some(arn), None) = (arns.next(), arns.next()) else {
        return Err(fault::bad_request("More than one target arn specified for vpc link."));
    };
    match arn.parse::<ElbArn>() {
        Ok(named) if named.realm == *context.realm() => Ok(named),
        _ => Err(fault::bad_request(format!("Invalid ARN. ARN is not well formed {arn}"))),
    }
}

fn balancer<'a>(context: &'a Context<'_>, arn: &ElbArn) -> Option<&'a LoadBalancer> {
    let ElbResource::LoadBalancer(name) = &arn.resource else { return None };
    let found = context.estate().load_balancers.get(&name.id)?;
    (found.full_name() == *name).then_some(&**found)
}

fn known<'a>(context: &'a Context<'_>, id: &str) -> Result<&'a VpcLinkV1, Fault> {
    let found = id.parse().ok().and_then(|id: VpcLinkV1Id| context.estate().vpc_links_v1.get(&id));
    found.map(|link| &**link).ok_or_else(|| fault::not_found("Invalid Vpc Link identifier specified"))
}

pub(super) fn get(context: &Context<'_>, id: &str) -> Result<shapes::VpcLink, Fault> {
    known(context, id).map(render)
}

/// Links as a list shows them: without tags (recorded on AWS, 2026-03).
pub(super) fn list(context: &Context<'_>) -> Vec<shapes::VpcLink> {
    let links = context.estate().vpc_links_v1.values();
    links.map(|link| shapes::VpcLink { tags: None, ..render(link) }).collect()
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateVpcLinkRequest) -> Result<shapes::VpcLink, Fault> {
    let mut link = VpcLinkV1::clone(known(context, &input.vpc_link_id)?);
    PATHS.apply(context, &mut link, input.patch_operations)?;
    let shown = render(&link);
    context.edit().vpc_links_v1.insert(link.id, link);
    Ok(shown)
}

const PATHS: Table<VpcLinkV1> = Table {
    rules: &[
        Rule::new("/name", REPLACE, |_, link, change| {
            link.name = change.optional().ok_or_else(|| fault::bad_request("Name cannot be empty"))?;
            Ok(())
        }),
        Rule::new("/description", REPLACE, |_, link, change| {
            link.description = change.optional();
            Ok(())
        }),
        Rule::new("/targetArns/{arn+}", &[Op::Add, Op::Remove, Op::Replace], |_, _, _| {
            Err(fault::bad_request("Target arns are not allowed to be changed/added."))
        }),
    ],
    sentence: Sentence::Listed,
};

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let known = known(context, id)?.id;
    let users = referrers(context.estate(), id);
    if !users.is_empty() {
        let text = format!(
            "Cannot delete vpc link. Vpc link '{id}', is referenced in [{}] in format of [RESTApiId:Method:Resource:Stage].",
            users.iter().cloned().collect::<Vec<_>>().join(", ")
        );
        let refusal = ApiRefusal { reason: Reason::LinkInUse, meant: users.into_iter().collect(), fix: Vec::new() };
        return Err(context.refuse(refusal, fault::bad_request(text)));
    }
    let until = context.ready_at(DELETING_S);
    if let Some(link) = context.edit().vpc_links_v1.edit(&known)
        && !matches!(link.state, VpcLinkState::Deleting(_))
    {
        link.state = VpcLinkState::Deleting(until);
    }
    Ok(())
}

/// The methods that lead through a link, in drafts and in what stages serve. A draft names no stage.
fn referrers(estate: &RealmEstate, link: &str) -> BTreeSet<String> {
    let through = |integration: &Option<Integration>| {
        let connection = integration.as_ref().map(|integration| &integration.connection);
        matches!(connection, Some(RestConnection::VpcLink { id, .. }) if id == link)
    };
    let named = |resource: &Resource, stage: &str| {
        let using = resource.methods.iter().filter(|(_, method)| through(&method.integration));
        let line = |name| format!("{}:{name}:{}:{stage}", resource.api, resource.id);
        using.map(|(name, _)| line(name)).collect::<Vec<_>>()
    };
    let served = estate.rest_stages.values().filter_map(|stage| {
        let deployment = estate.rest_deployments.get(&stage.deployment)?;
        Some((stage, deployment))
    });
    let deployed = served.flat_map(|(stage, deployment)| {
        deployment.frozen.resources.iter().flat_map(|resource| named(resource, stage.name.as_str())).collect::<Vec<_>>()
    });
    let deployed: BTreeSet<String> = deployed.collect();
    let is_served = |line: &String| deployed.iter().any(|known| known.starts_with(line.as_str()));
    let drafts = estate.resources.values().flat_map(|resource| named(resource, ""));
    let drafts: Vec<String> = drafts.filter(|line| !is_served(line)).collect();
    deployed.into_iter().chain(drafts).collect()
}

fn render(link: &VpcLinkV1) -> shapes::VpcLink {
    let (status, message) = match &link.state {
        VpcLinkState::Pending(_) => ("PENDING", None),
        VpcLinkState::Available | VpcLinkState::Inactive => ("AVAILABLE", Some("Your vpc link is ready for use")),
        VpcLinkState::Deleting(_) => ("DELETING", None),
        VpcLinkState::Failed(why) => ("FAILED", Some(why.as_str())),
    };
    shapes::VpcLink {
        description: link.description.clone(),
        id: Some(link.id.to_string()),
        name: Some(link.name.clone()),
        status: Some(status.to_owned()),
        status_message: message.map(str::to_owned),
        tags: Some(link.tags.clone()),
        target_arns: Some(vec![link.target_arn.to_string()]),
    }
}
