//! Deployments: frozen copies of routes, integrations, authorizers, CORS and the endpoint switch. A stage with `autoDeploy`
//! gets a new one after each change.

use std::sync::Arc;

use topology::estate::StageKey;
use topology::id::{ApiId, DeploymentId};
use topology::resource::http_api::{Deployment, Frozen};
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{DESCRIPTION_CHARS, check_length, fault, known_api, seconds, stage};
use crate::context::{Context, Deployments};

/// How many automatic deployments that no stage serves are kept for each API; older ones are forgotten.
const AUTO_DEPLOYMENTS_KEPT: usize = 10;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateDeploymentRequest,
) -> Result<shapes::Deployment, Fault> {
    let api = known_api(context, &input.api_id)?;
    check_length("description", input.description.as_deref(), DESCRIPTION_CHARS)?;
    let stage = input.stage_name.map(|name| stage::known(context, api, &name)).transpose()?;
    if stage.as_ref().is_some_and(|key| context.estate().stages.get(key).is_some_and(|stage| stage.auto_deploy)) {
        return Err(fault::bad_request("Deployment cannot be created for a stage with auto deploy enabled"));
    }
    let id = freeze(context, api, (input.description, false))?;
    let now = context.now;
    if let Some(stage) = stage.and_then(|key| context.edit().stages.edit(&key)) {
        stage.deployment = Some(id);
        stage.updated = now;
    }
    get(context, &input.api_id, &id.to_string())
}

/// What a deployment would freeze now.
pub(super) fn draft(context: &Context<'_>, api: ApiId) -> Result<Frozen, Fault> {
    let estate = context.estate();
    let draft = estate.apis.get(&api).ok_or_else(|| fault::not_found("API", &api.to_string()))?;
    Ok(Frozen {
        disable_execute_api_endpoint: draft.disable_execute_api_endpoint,
        cors: draft.cors.clone(),
        routes: estate.routes.of(api).map(Arc::clone).collect(),
        integrations: estate.integrations.of(api).map(Arc::clone).collect(),
        authorizers: estate.authorizers.of(api).map(Arc::clone).collect(),
    })
}

/// Copies what the API is now into a new deployment.
fn freeze(context: &mut Context<'_>, api: ApiId, about: (Option<String>, bool)) -> Result<DeploymentId, Fault> {
    let (description, auto_deployed) = about;
    let frozen = draft(context, api)?;
    let id = context.fresh(DeploymentId::from_bits, |estate, id| estate.deployments.contains(id));
    let deployment = Deployment { id, api, created: context.now, description, auto_deployed, frozen };
    context.edit().deployments.insert(id, deployment);
    Ok(id)
}

/// Makes several changes that are deployed together, by the caller, afterwards.
pub(super) fn hold<T>(
    context: &mut Context<'_>,
    changes: impl FnOnce(&mut Context<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let before = std::mem::replace(&mut context.deployments, Deployments::Held);
    let made = changes(context);
    context.deployments = before;
    made
}

/// Deploys a change to every stage of the API that asks for it, unless deployments are held.
pub(super) fn after_change(context: &mut Context<'_>, api: ApiId) {
    if context.deployments == Deployments::Held {
        return;
    }
    let deployed = context.estate().stages.of(api).filter(|stage| stage.auto_deploy);
    let stages: Vec<StageKey> = deployed.map(|stage| (api, stage.name.clone())).collect();
    if stages.is_empty() {
        return;
    }
    let Ok(id) = freeze(context, api, (Some(AUTOMATIC.to_owned()), true)) else { return };
    for key in stages {
        if let Some(stage) = context.edit().stages.edit(&key) {
            stage.deployment = Some(id);
            stage.last_deployment_status = Some(format!("Successfully deployed stage with deployment ID '{id}'"));
        }
    }
    forget_old(context, api);
}

/// What AWS writes into the description of an automatic deployment.
const AUTOMATIC: &str = "Automatic deployment triggered by changes to the Api configuration";

fn forget_old(context: &mut Context<'_>, api: ApiId) {
    let estate = context.estate();
    let served = |id| estate.stages.values().any(|stage| stage.deployment == Some(id));
    let mut idle: Vec<_> =
        estate.deployments.of(api).filter(|d| d.auto_deployed && !served(d.id)).map(|d| (d.created, d.id)).collect();
    idle.sort_unstable();
    let surplus = idle.len().saturating_sub(AUTO_DEPLOYMENTS_KEPT);
    for (_, id) in idle.into_iter().take(surplus) {
        context.edit().deployments.remove(&id);
    }
}

pub(super) fn known(context: &Context<'_>, api: ApiId, id: &str) -> Result<DeploymentId, Fault> {
    let known = id.parse().ok().filter(|id| context.estate().deployments.get(id).is_some_and(|d| d.api == api));
    known.ok_or_else(|| fault::not_found("Deployment", id))
}

pub(super) fn get(context: &Context<'_>, api: &str, id: &str) -> Result<shapes::Deployment, Fault> {
    let known = known(context, known_api(context, api)?, id)?;
    let deployment = context.estate().deployments.get(&known);
    deployment.map(|deployment| render(deployment)).ok_or_else(|| fault::not_found("Deployment", id))
}

pub(super) fn list(context: &Context<'_>, api: &str) -> Result<Vec<shapes::Deployment>, Fault> {
    let api = known_api(context, api)?;
    let mut found: Vec<_> = context.estate().deployments.of(api).collect();
    found.sort_by_key(|deployment| std::cmp::Reverse(deployment.created));
    Ok(found.into_iter().map(|deployment| render(deployment)).collect())
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateDeploymentRequest,
) -> Result<shapes::Deployment, Fault> {
    let api = known_api(context, &input.api_id)?;
    let id = known(context, api, &input.deployment_id)?;
    check_length("description", input.description.as_deref(), DESCRIPTION_CHARS)?;
    if let (Some(text), Some(deployment)) = (input.description, context.edit().deployments.edit(&id)) {
        deployment.description = Some(text).filter(|text| !text.is_empty());
    }
    get(context, &input.api_id, &input.deployment_id)
}

pub(super) fn delete(context: &mut Context<'_>, api: &str, id: &str) -> Result<(), Fault> {
    let api = known_api(context, api)?;
    let known = known(context, api, id)?;
    if context.estate().stages.values().any(|stage| stage.deployment == Some(known)) {
        return Err(fault::bad_request("Active stages pointing to this deployment must be moved or deleted"));
    }
    context.edit().deployments.remove(&known);
    Ok(())
}

fn render(deployment: &Deployment) -> shapes::Deployment {
    shapes::Deployment {
        auto_deployed: Some(deployment.auto_deployed),
        created_date: Some(seconds(deployment.created)),
        deployment_id: Some(deployment.id.to_string()),
        deployment_status: Some("DEPLOYED".to_owned()),
        deployment_status_message: None,
        description: deployment.description.clone(),
    }
}
