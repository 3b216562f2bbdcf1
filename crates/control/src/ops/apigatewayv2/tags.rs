//! Tags of APIs, stages, links and domain names, by ARN.

use topology::arn::ApiGatewayArn;
use topology::resource::Tags;
use wire::Fault;

use super::fault;
use crate::context::Context;

pub(super) use crate::ops::gateway_common::tags::checked;

fn parse(arn: &str) -> Result<ApiGatewayArn, Fault> {
    arn.parse().map_err(|_| fault::bad_request(format!("Invalid resource ARN: {arn}")))
}

pub(super) fn get(context: &Context<'_>, arn: &str) -> Result<Tags, Fault> {
    let estate = context.estate();
    let tags = match parse(arn)? {
        ApiGatewayArn::Api(id) => estate.apis.get(&id).map(|api| &api.tags),
        ApiGatewayArn::Stage(api, name) => estate.stages.get(&(api, name)).map(|stage| &stage.tags),
        ApiGatewayArn::VpcLink(id) => estate.vpc_links.get(&id).map(|link| &link.tags),
        ApiGatewayArn::DomainName(name) => estate.domain_names.get(&name).map(|domain| &domain.tags),
    };
    tags.cloned().ok_or_else(|| fault::not_found("resource", arn))
}

fn put(context: &mut Context<'_>, arn: &str, tags: Tags) -> Result<(), Fault> {
    let tags = checked(tags)?;
    let arn = parse(arn)?;
    let estate = context.edit();
    let place = match arn {
        ApiGatewayArn::Api(id) => estate.apis.edit(&id).map(|api| &mut api.tags),
        ApiGatewayArn::Stage(api, name) => estate.stages.edit(&(api, name)).map(|stage| &mut stage.tags),
        ApiGatewayArn::VpcLink(id) => estate.vpc_links.edit(&id).map(|link| &mut link.tags),
        ApiGatewayArn::DomainName(name) => estate.domain_names.edit(&name).map(|domain| &mut domain.tags),
    };
    if let Some(place) = place {
        *place = tags;
    }
    Ok(())
}

pub(super) fn add(context: &mut Context<'_>, arn: &str, more: Tags) -> Result<(), Fault> {
    let mut tags = get(context, arn)?;
    tags.extend(more);
    put(context, arn, tags)
}

pub(super) fn remove(context: &mut Context<'_>, arn: &str, keys: &[String]) -> Result<(), Fault> {
    let mut tags = get(context, arn)?;
    tags.retain(|key, _| !keys.contains(key));
    put(context, arn, tags)
}
