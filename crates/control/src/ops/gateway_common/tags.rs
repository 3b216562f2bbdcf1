//! Tags of API Gateway's resources, by ARN. Both versions sign alike and share the space of ARNs, so that either answers for
//! every resource.

use topology::arn::ApiGatewayArn;
use topology::id::{VpcLinkId, VpcLinkV1Id};
use topology::resource::Tags;
use wire::Fault;

use super::fault;
use crate::context::Context;

/// Tags of a resource: 50 at most (HTTP API quotas, 2026-11).
const TAGS_MAX: usize = 50;

/// Tags that AWS would take.
pub(crate) fn checked(tags: Tags) -> Result<Tags, Fault> {
    let fine = |(key, value): (&String, &String)| {
        !key.is_empty() && key.chars().count() <= 128 && value.chars().count() <= 256 && !key.starts_with("aws:")
    };
    if tags.len() > TAGS_MAX || !tags.iter().all(fine) {
        return Err(fault::bad_request(
            "Invalid tags: at most 50, keys of 1 to 128 characters not starting with aws:, values up to 256",
        ));
    }
    Ok(tags)
}

fn parse(arn: &str) -> Result<ApiGatewayArn, Fault> {
    arn.parse().map_err(|_| fault::bad_request(format!("Invalid resource ARN: {arn}")))
}

/// The same id among links of version 1: both versions have ARNs of one form.
fn in_version_1(id: VpcLinkId) -> Option<VpcLinkV1Id> {
    id.to_string().parse().ok()
}

/// The tags of a resource.
pub(crate) fn get(context: &Context<'_>, arn: &str) -> Result<Tags, Fault> {
    let estate = context.estate();
    let tags = match parse(arn)? {
        ApiGatewayArn::Api(id) => estate.apis.get(&id).map(|api| &api.tags),
        ApiGatewayArn::Stage(api, name) => estate.stages.get(&(api, name)).map(|stage| &stage.tags),
        ApiGatewayArn::VpcLink(id) => {
            let v1 = || estate.vpc_links_v1.get(&in_version_1(id)?).map(|link| &link.tags);
            estate.vpc_links.get(&id).map(|link| &link.tags).or_else(v1)
        }
        ApiGatewayArn::DomainName(name) => estate.domain_names.get(&name).map(|domain| &domain.tags),
        ApiGatewayArn::RestApi(id) => estate.rest_apis.get(&id).map(|api| &api.tags),
        ApiGatewayArn::RestStage(api, name) => estate.rest_stages.get(&(api, name)).map(|stage| &stage.tags),
        ApiGatewayArn::ApiKey(id) => estate.api_keys.get(&id).map(|key| &key.tags),
        ApiGatewayArn::UsagePlan(id) => estate.usage_plans.get(&id).map(|plan| &plan.tags),
        ApiGatewayArn::ClientCertificate(id) => estate.client_certificates.get(&id).map(|known| &known.tags),
    };
    let missing = || Fault::new("NotFoundException", 404, "Invalid resource identifier specified");
    tags.cloned().ok_or_else(|| missing().with_detail(format!("no resource {arn}")))
}

fn put(context: &mut Context<'_>, arn: &str, tags: Tags) -> Result<(), Fault> {
    let tags = checked(tags)?;
    let arn = parse(arn)?;
    let estate = context.edit();
    let place = match arn {
        ApiGatewayArn::Api(id) => estate.apis.edit(&id).map(|api| &mut api.tags),
        ApiGatewayArn::Stage(api, name) => estate.stages.edit(&(api, name)).map(|stage| &mut stage.tags),
        ApiGatewayArn::VpcLink(id) if estate.vpc_links.contains(&id) => {
            estate.vpc_links.edit(&id).map(|link| &mut link.tags)
        }
        ApiGatewayArn::VpcLink(id) => {
            in_version_1(id).and_then(|id| estate.vpc_links_v1.edit(&id)).map(|link| &mut link.tags)
        }
        ApiGatewayArn::DomainName(name) => estate.domain_names.edit(&name).map(|domain| &mut domain.tags),
        ApiGatewayArn::RestApi(id) => estate.rest_apis.edit(&id).map(|api| &mut api.tags),
        ApiGatewayArn::RestStage(api, name) => estate.rest_stages.edit(&(api, name)).map(|stage| &mut stage.tags),
        ApiGatewayArn::ApiKey(id) => estate.api_keys.edit(&id).map(|key| &mut key.tags),
        ApiGatewayArn::UsagePlan(id) => estate.usage_plans.edit(&id).map(|plan| &mut plan.tags),
        ApiGatewayArn::ClientCertificate(id) => estate.client_certificates.edit(&id).map(|known| &mut known.tags),
    };
    if let Some(place) = place {
        *place = tags;
    }
    Ok(())
}

/// Adds tags to a resource, or gives those that are there new values.
pub(crate) fn add(context: &mut Context<'_>, arn: &str, more: Tags) -> Result<(), Fault> {
    let mut tags = get(context, arn)?;
    tags.extend(more);
    put(context, arn, tags)
}

/// Takes tags away from a resource.
pub(crate) fn remove(context: &mut Context<'_>, arn: &str, keys: &[String]) -> Result<(), Fault> {
    let mut tags = get(context, arn)?;
    tags.retain(|key, _| !keys.contains(key));
    put(context, arn, tags)
}
