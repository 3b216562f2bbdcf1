//! Deployments: frozen copies of an API. Nothing that is edited afterwards reaches a stage before its next deployment (REST API
//! reference, "Deployment", 2026-11).

use std::collections::BTreeMap;
use std::sync::Arc;

use topology::id::{ApiId, DeploymentId};
use topology::resource::rest_api::Resource;
use topology::resource::rest_stage::{FrozenRest, RestDeployment, RestStage};
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{REPLACE, Rule, Sentence, Table};
use super::stage::{self, NewStage};
use super::{fault, known_api, method, resource, seconds, template};
use crate::context::Context;

pub(super) fn create(
    context: &mut Context<'_>,
    mut input: shapes::CreateDeploymentRequest,
) -> Result<shapes::Deployment, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    let stage_name = input.stage_name.take();
    let canary = input.canary_settings.take();
    if canary.is_some() {
        check_canary(context, api, stage_name.as_deref())?;
    }
    let stage_name = stage_name.filter(|name| !name.is_empty()).map(|name| stage::new_name(&name)).transpose()?;
    stage::refuse_cache_cluster(input.cache_cluster_enabled)?;
    let id = freeze(context, api, input.description)?;
    let wanted = NewStage {
        deployment: id,
        description: input.stage_description,
        variables: input.variables,
        tracing: input.tracing_enabled,
    };
    match (stage_name, canary) {
        (Some(name), Some(canary)) => stage::release(context, (api, name), (wanted, canary))?,
        (Some(name), None) => stage::deploy(context, (api, name), wanted)?,
        // What else is said of a stage has none to go to.
        (None, _) => {}
    }
    get(context, &input.rest_api_id, &id.to_string(), None)
}

/// A canary goes to a part of a stage's traffic, so that the stage must be there.
fn check_canary(context: &Context<'_>, api: ApiId, stage: Option<&str>) -> Result<(), Fault> {
    let Some(name) = stage.filter(|name| !name.is_empty()) else {
        return Err(fault::bad_request(format!(
            "Invalid deployment content specified.Non null and non empty stageName must be provided for canary deployment. Provided value is {}",
            stage.unwrap_or("null")
        )));
    };
    if name.parse().is_ok_and(|stage| context.estate().rest_stages.contains(&(api, stage))) {
        return Ok(());
    }
    Err(fault::bad_request(format!(
        "Invalid deployment content specified.Stage {name} must already be created before making a canary release deployment"
    )))
}

/// Copies what the API is now into a new deployment.
fn freeze(context: &mut Context<'_>, api: ApiId, description: Option<String>) -> Result<DeploymentId, Fault> {
    let frozen = draft(context, api)?;
    let methods = || frozen.resources.iter().flat_map(|resource| resource.methods.values());
    if methods().next().is_none() {
        return Err(fault::bad_request("The REST API doesn't contain any methods"));
    }
    if methods().any(|method| method.integration.is_none()) {
        return Err(fault::bad_request("No integration defined for method"));
    }
    template::check_all(&frozen.resources, resource::path_among)?;
    let id = context.fresh(DeploymentId::from_bits, |estate, id| estate.rest_deployments.contains(id));
    let deployment = RestDeployment { id, api, created: context.now, description, frozen };
    context.edit().rest_deployments.insert(id, deployment);
    Ok(id)
}

/// What a deployment would freeze now.
pub(super) fn draft(context: &Context<'_>, id: ApiId) -> Result<FrozenRest, Fault> {
    let estate = context.estate();
    let api = estate.rest_apis.get(&id).ok_or_else(|| fault::no_api(context, &id.to_string()))?;
    macro_rules! of_api {
        ($table:ident) => {
            estate.$table.of(id).map(Arc::clone).collect()
        };
    }
    Ok(FrozenRest {
        disable_execute_api_endpoint: api.disable_execute_api_endpoint,
        api_key_source: api.api_key_source,
        binary_media_types: api.binary_media_types.clone(),
        minimum_compression_size: api.minimum_compression_size,
        policy: api.policy.clone(),
        resources: of_api!(resources),
        models: of_api!(models),
        validators: of_api!(request_validators),
        authorizers: of_api!(rest_authorizers),
        gateway_responses: of_api!(gateway_responses),
    })
}

/// A deployment of an API that exists.
pub(super) fn known<'c>(context: &'c Context<'_>, api: ApiId, id: &str) -> Result<&'c Arc<RestDeployment>, Fault> {
    let found = id.parse().ok().and_then(|id| context.estate().rest_deployments.get(&id));
    found.filter(|deployment| deployment.api == api).ok_or_else(fault::no_deployment)
}

/// The API of a deployment: where it is not there, the deployment is not, as recorded of models, validators and documentation parts
/// (2024-04 to 2026-03).
fn api_of(context: &Context<'_>, api: &str) -> Result<ApiId, Fault> {
    known_api(context, api).map_err(|_| fault::no_deployment())
}

pub(super) fn get(
    context: &Context<'_>,
    api: &str,
    id: &str,
    embed: Option<&[String]>,
) -> Result<shapes::Deployment, Fault> {
    let deployment = known(context, api_of(context, api)?, id)?;
    let with_summary = embed.is_some_and(|parts| parts.iter().any(|part| part.eq_ignore_ascii_case("apisummary")));
    let mut shown = render(deployment);
    shown.api_summary = with_summary.then(|| summary(&deployment.frozen.resources));
    Ok(shown)
}

pub(super) fn list(context: &Context<'_>, api: &str) -> Result<Vec<shapes::Deployment>, Fault> {
    let api = known_api(context, api)?;
    let mut found: Vec<_> = context.estate().rest_deployments.of(api).collect();
    found.sort_by_key(|deployment| deployment.created);
    Ok(found.into_iter().map(|deployment| render(deployment)).collect())
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateDeploymentRequest,
) -> Result<shapes::Deployment, Fault> {
    let api = api_of(context, &input.rest_api_id)?;
    let mut deployment = RestDeployment::clone(known(context, api, &input.deployment_id)?);
    PATHS.apply(context, &mut deployment, input.patch_operations)?;
    let shown = render(&deployment);
    context.edit().rest_deployments.insert(deployment.id, deployment);
    Ok(shown)
}

const PATHS: Table<RestDeployment> = Table {
    rules: &[Rule::new("/description", REPLACE, |_, deployment, change| {
        deployment.description = change.optional();
        Ok(())
    })],
    sentence: Sentence::Listed,
};

pub(super) fn delete(context: &mut Context<'_>, api: &str, id: &str) -> Result<(), Fault> {
    let api = api_of(context, api)?;
    let id = known(context, api, id)?.id;
    let canary_of = |stage: &RestStage| stage.canary.as_ref().map(|c| c.deployment);
    let serves = |stage: &Arc<RestStage>| stage.deployment == id || canary_of(stage) == Some(id);
    if context.estate().rest_stages.values().any(serves) {
        return Err(fault::bad_request("Active stages pointing to this deployment must be moved or deleted"));
    }
    context.edit().rest_deployments.remove(&id);
    Ok(())
}

/// Methods by path, with what guards them.
fn summary(resources: &[Arc<Resource>]) -> BTreeMap<String, BTreeMap<String, shapes::MethodSnapshot>> {
    let with_methods = resources.iter().filter(|resource| !resource.methods.is_empty());
    let of_resource = |resource: &Arc<Resource>| {
        let methods = resource.methods.iter().map(|(name, method)| {
            let (authorization, ..) = method::spelled(&method.authorization);
            let snapshot = shapes::MethodSnapshot {
                api_key_required: Some(method.api_key_required),
                authorization_type: Some(authorization.to_owned()),
            };
            (name.to_string(), snapshot)
        });
        (resource::path_among(resources, resource), methods.collect())
    };
    with_methods.map(of_resource).collect()
}

fn render(deployment: &RestDeployment) -> shapes::Deployment {
    shapes::Deployment {
        api_summary: None,
        created_date: Some(seconds(deployment.created)),
        description: deployment.description.clone(),
        id: Some(deployment.id.to_string()),
    }
}
