//! Stages: what of an API is served, by which deployment (REST API reference, "Stage"; REST API developer guide, "Canary release
//! deployments", 2026-11). There is no cache cluster here: one is refused, and its settings have no effect, as on a stage without
//! one. The paths of a patch are `stage_patch`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use topology::estate::StageKey;
use topology::id::{ApiId, DeploymentId, StageName};
use topology::resource::Tags;
use topology::resource::log_group::LogGroup;
use topology::resource::rest_stage::{Canary, RestStage, canary_log_group, execution_log_group};
use wire::Fault;
use wire::apigateway as shapes;

use super::documentation::version;
use super::stage_patch::{self, Wanted};
use super::{deployment, fault, known_api, method_settings, seconds};
use crate::context::Context;
use crate::ops::gateway_common::{DESCRIPTION_CHARS, check_length, tags, variables};

/// What a deployment says of the stage that it goes to; `None` leaves what is there.
pub(super) struct NewStage {
    pub(super) deployment: DeploymentId,
    pub(super) description: Option<String>,
    pub(super) variables: Option<BTreeMap<String, String>>,
    pub(super) tracing: Option<bool>,
}

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateStageRequest) -> Result<shapes::Stage, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    let key = (api, new_name(&input.stage_name)?);
    if context.estate().rest_stages.contains(&key) {
        return Err(fault::conflict("Stage already exists"));
    }
    refuse_cache_cluster(input.cache_cluster_enabled)?;
    let deployment = known_deployment(context, api, &input.deployment_id)?;
    let wanted = NewStage {
        deployment,
        description: input.description,
        variables: input.variables,
        tracing: input.tracing_enabled,
    };
    let mut stage = blank(context, &key, deployment)?;
    fill(&mut stage, wanted)?;
    stage.documentation_version = version::wanted(context, api, &input.documentation_version.unwrap_or_default())?;
    stage.tags = tags::checked(input.tags.unwrap_or_default())?;
    stage.canary = input.canary_settings.map(|canary| checked_canary(context, &stage, canary)).transpose()?;
    let shown = render(&stage);
    context.edit().rest_stages.insert(key, stage);
    Ok(shown)
}

/// No stage has a cache here.
pub(super) fn refuse_cache_cluster(wanted: Option<bool>) -> Result<(), Fault> {
    if wanted == Some(true) { Err(fault::unsupported("cacheClusterEnabled")) } else { Ok(()) }
}

pub(super) fn new_name(name: &str) -> Result<StageName, Fault> {
    let name = name.parse().ok().filter(|name: &StageName| !name.is_default());
    name.ok_or_else(|| fault::bad_request("Stage name only allows a-zA-Z0-9_-"))
}

pub(super) fn known_deployment(context: &Context<'_>, api: ApiId, id: &str) -> Result<DeploymentId, Fault> {
    let known = deployment::known(context, api, id);
    known.map(|deployment| deployment.id).map_err(|_| fault::bad_request("Deployment id does not exist"))
}

/// A stage of which nothing but its deployment is said.
fn blank(context: &Context<'_>, key: &StageKey, deployment: DeploymentId) -> Result<RestStage, Fault> {
    Ok(RestStage {
        api: key.0,
        name: key.1.clone(),
        deployment,
        description: None,
        variables: BTreeMap::new(),
        method_settings: BTreeMap::new(),
        access_log: None,
        canary: None,
        tracing: false,
        documentation_version: None,
        client_certificate: None,
        created: context.now,
        updated: context.now,
        tags: BTreeMap::new(),
    })
}

fn fill(stage: &mut RestStage, wanted: NewStage) -> Result<(), Fault> {
    check_length("description", wanted.description.as_deref(), DESCRIPTION_CHARS)?;
    stage.deployment = wanted.deployment;
    stage.description = wanted.description.or(stage.description.take());
    if let Some(wanted) = wanted.variables {
        stage.variables = variables::checked(wanted)?;
    }
    stage.tracing = wanted.tracing.unwrap_or(stage.tracing);
    Ok(())
}

/// Moves a stage to a new deployment, or makes the stage.
pub(super) fn deploy(context: &mut Context<'_>, key: StageKey, wanted: NewStage) -> Result<(), Fault> {
    let mut stage = match context.estate().rest_stages.get(&key) {
        Some(stage) => RestStage::clone(stage),
        None => blank(context, &key, wanted.deployment)?,
    };
    fill(&mut stage, wanted)?;
    stage.updated = context.now;
    context.edit().rest_stages.insert(key, stage);
    Ok(())
}

/// Gives a part of a stage's traffic to a new deployment; the rest of it stays where it is.
pub(super) fn release(
    context: &mut Context<'_>,
    key: StageKey,
    what: (NewStage, shapes::DeploymentCanarySettings),
) -> Result<(), Fault> {
    let (wanted, canary) = what;
    let mut stage =
        context.estate().rest_stages.get(&key).map(|stage| RestStage::clone(stage)).ok_or_else(fault::no_stage)?;
    let canary = shapes::CanarySettings {
        deployment_id: Some(wanted.deployment.to_string()),
        percent_traffic: canary.percent_traffic,
        stage_variable_overrides: canary.stage_variable_overrides,
        use_stage_cache: canary.use_stage_cache,
    };
    stage.canary = Some(checked_canary(context, &stage, canary)?);
    make_log_groups(context, &stage);
    let deployment = stage.deployment;
    fill(&mut stage, NewStage { deployment, ..wanted })?;
    stage.updated = context.now;
    context.edit().rest_stages.insert(key, stage);
    Ok(())
}

fn checked_canary(context: &Context<'_>, stage: &RestStage, wanted: shapes::CanarySettings) -> Result<Canary, Fault> {
    let deployment = wanted.deployment_id.map(|id| known_deployment(context, stage.api, &id)).transpose()?;
    Ok(Canary {
        percent: checked_percent(wanted.percent_traffic.unwrap_or(0.0))?,
        deployment: deployment.unwrap_or(stage.deployment),
        variable_overrides: variables::checked(wanted.stage_variable_overrides.unwrap_or_default())?,
        use_stage_cache: wanted.use_stage_cache.unwrap_or(false),
    })
}

pub(super) fn checked_percent(percent: f64) -> Result<f64, Fault> {
    let fits = (0.0..=100.0).contains(&percent);
    if fits { Ok(percent) } else { Err(fault::bad_request("Percent traffic must be between 0.0 and 100.0")) }
}

/// A stage that exists, with its key. Where its API is not there, the stage is not, as recorded of models, validators and
/// documentation parts (2024-04 to 2026-03).
pub(super) fn known<'c>(
    context: &'c Context<'_>,
    api: &str,
    name: &str,
) -> Result<(StageKey, &'c Arc<RestStage>), Fault> {
    let key: StageKey = match (known_api(context, api), name.parse()) {
        (Ok(api), Ok(name)) => (api, name),
        _ => return Err(fault::no_stage()),
    };
    let stage = context.estate().rest_stages.get(&key).ok_or_else(fault::no_stage)?;
    Ok((key, stage))
}

pub(super) fn get(context: &Context<'_>, api: &str, name: &str) -> Result<shapes::Stage, Fault> {
    known(context, api, name).map(|(_, stage)| render(stage))
}

/// The stages of an API, or those of them that a deployment serves.
pub(super) fn list(context: &Context<'_>, api: &str, deployment: Option<&str>) -> Result<Vec<shapes::Stage>, Fault> {
    let api = known_api(context, api)?;
    let of_api = context.estate().rest_stages.of(api);
    let wanted = of_api.filter(|stage| deployment.is_none_or(|id| stage.deployment.to_string() == id));
    Ok(wanted.map(|stage| render(stage)).collect())
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateStageRequest) -> Result<shapes::Stage, Fault> {
    let (key, before) = known(context, &input.rest_api_id, &input.stage_name)?;
    let mut draft = Wanted::of(before);
    stage_patch::PATHS.apply(context, &mut draft, input.patch_operations)?;
    let mut stage = draft.checked()?;
    stage.updated = context.now;
    let shown = render(&stage);
    make_log_groups(context, &stage);
    context.edit().rest_stages.insert(key, stage);
    Ok(shown)
}

/// The log groups of a stage that is logged, and of its canary. API Gateway makes them itself, and leaves them behind.
fn make_log_groups(context: &mut Context<'_>, stage: &RestStage) {
    if !stage.is_logged() {
        return;
    }
    let of_canary = stage.canary.as_ref().map(|_| canary_log_group(stage.api, &stage.name));
    for name in std::iter::once(execution_log_group(stage.api, &stage.name)).chain(of_canary) {
        if context.estate().log_groups.contains(&name) {
            continue;
        }
        let (created, class) = (context.now, "STANDARD".to_owned());
        let group = LogGroup { name: name.clone(), created, retention_days: None, class, tags: Tags::new() };
        context.edit().log_groups.insert(name, group);
    }
}

/// Deletes a stage. Usage plans forget it: AWS documents neither that nor a refusal (`docs/differences-from-aws.md`).
pub(super) fn delete(context: &mut Context<'_>, api: &str, name: &str) -> Result<(), Fault> {
    let (key, _) = known(context, api, name)?;
    if context.estate().api_mappings.values().any(|mapping| (mapping.api, &mapping.stage) == (key.0, &key.1)) {
        return Err(fault::bad_request("Stage cannot be deleted because it is referenced by an API mapping"));
    }
    let estate = context.edit();
    estate.rest_stages.remove(&key);
    super::forget_stages(estate, |stage| *stage == key);
    Ok(())
}

fn render(stage: &RestStage) -> shapes::Stage {
    let settings = stage.method_settings.iter().map(|(key, settings)| (key.clone(), method_settings::render(settings)));
    shapes::Stage {
        access_log_settings: stage.access_log.as_ref().map(|log| shapes::AccessLogSettings {
            destination_arn: log.destination.as_ref().map(ToString::to_string),
            format: log.format.as_ref().map(ToString::to_string),
        }),
        cache_cluster_enabled: Some(false),
        cache_cluster_status: Some("NOT_AVAILABLE".to_owned()),
        canary_settings: stage.canary.as_ref().map(render_canary),
        client_certificate_id: stage.client_certificate.map(|id| id.to_string()),
        created_date: Some(seconds(stage.created)),
        deployment_id: Some(stage.deployment.to_string()),
        description: stage.description.clone(),
        documentation_version: stage.documentation_version.clone(),
        last_updated_date: Some(seconds(stage.updated)),
        method_settings: Some(settings.collect()),
        stage_name: Some(stage.name.to_string()),
        tags: Some(stage.tags.clone()).filter(|tags| !tags.is_empty()),
        tracing_enabled: Some(stage.tracing),
        variables: Some(stage.variables.clone()).filter(|variables| !variables.is_empty()),
    }
}

fn render_canary(canary: &Canary) -> shapes::CanarySettings {
    let overrides = &canary.variable_overrides;
    shapes::CanarySettings {
        deployment_id: Some(canary.deployment.to_string()),
        percent_traffic: Some(canary.percent),
        stage_variable_overrides: Some(overrides.clone()).filter(|overrides| !overrides.is_empty()),
        use_stage_cache: Some(canary.use_stage_cache),
    }
}
