//! Stages of an HTTP API.

use std::collections::BTreeMap;

use topology::estate::StageKey;
use topology::id::{ApiId, StageName};
use topology::resource::http_api::{AccessLogSettings, RouteSettings, Stage};
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{DESCRIPTION_CHARS, check_length, deployment, fault, known_api, seconds, tags};
use crate::context::Context;
use crate::ops::gateway_common::{access_log, variables};

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateStageRequest) -> Result<shapes::Stage, Fault> {
    let api = known_api(context, &input.api_id)?;
    let name = new_name(&input.stage_name)?;
    check_length("description", input.description.as_deref(), DESCRIPTION_CHARS)?;
    let key: StageKey = (api, name.clone());
    if context.estate().stages.contains(&key) {
        return Err(fault::conflict("Stage already exists"));
    }
    let auto_deploy = input.auto_deploy.unwrap_or(false);
    let now = context.now;
    let mut stage = Stage {
        api,
        name,
        auto_deploy,
        deployment: wanted_deployment(context, api, (input.deployment_id.as_deref(), auto_deploy))?,
        description: input.description,
        variables: BTreeMap::new(),
        access_log: input.access_log_settings.map(|settings| access_log(context, settings)).transpose()?.flatten(),
        default_route_settings: input.default_route_settings.map(route_settings).transpose()?,
        route_settings: BTreeMap::new(),
        last_deployment_status: None,
        created: now,
        updated: now,
        managed: false,
        tags: tags::checked(input.tags.unwrap_or_default())?,
    };
    merge_variables(&mut stage.variables, input.stage_variables.unwrap_or_default())?;
    merge_route_settings(context, &mut stage, input.route_settings.unwrap_or_default())?;
    context.edit().stages.insert(key, stage);
    if auto_deploy {
        deployment::after_change(context, api);
    }
    get(context, &input.api_id, &input.stage_name)
}

fn new_name(name: &str) -> Result<StageName, Fault> {
    name.parse().map_err(|_| fault::bad_request("Stage name only allows a-zA-Z0-9_- and $default"))
}

fn wanted_deployment(
    context: &Context<'_>,
    api: ApiId,
    wanted: (Option<&str>, bool),
) -> Result<Option<topology::id::DeploymentId>, Fault> {
    match wanted {
        (Some(_), true) => Err(fault::bad_request("Deployment ID cannot be set on stage with auto deploy enabled")),
        (Some(id), false) => deployment::known(context, api, id).map(Some),
        (None, _) => Ok(None),
    }
}

/// The settings as they are kept; empty ones are none.
fn access_log(context: &Context<'_>, input: shapes::AccessLogSettings) -> Result<Option<AccessLogSettings>, Fault> {
    let (destination, format) = (input.destination_arn.unwrap_or_default(), input.format.unwrap_or_default());
    if destination.is_empty() && format.is_empty() {
        return Ok(None);
    }
    access_log::checked(context, &destination, &format).map(Some)
}

/// Numbers that are absent become 0: AWS stores them so, and then lets nothing pass.
fn route_settings(input: shapes::RouteSettings) -> Result<RouteSettings, Fault> {
    let logs = input.logging_level.as_deref().is_some_and(|level| level != "OFF");
    if logs || input.data_trace_enabled == Some(true) {
        return Err(fault::bad_request("Execution logs are not supported on protocolType HTTP"));
    }
    let burst = input.throttling_burst_limit.unwrap_or(0);
    let rate = input.throttling_rate_limit.unwrap_or(0.0);
    if burst < 0 || !rate.is_finite() || rate < 0.0 {
        return Err(fault::bad_request("Throttling limits must not be negative"));
    }
    Ok(RouteSettings {
        detailed_metrics: input.detailed_metrics_enabled.unwrap_or(false),
        throttling_burst_limit: burst,
        throttling_rate_limit: rate,
    })
}

fn merge_variables(known: &mut BTreeMap<String, String>, wanted: BTreeMap<String, String>) -> Result<(), Fault> {
    for (name, value) in wanted {
        variables::check(&name, &value)?;
        if value.is_empty() {
            known.remove(&name);
        } else {
            known.insert(name, value);
        }
    }
    variables::check_number(known)
}

fn merge_route_settings(
    context: &Context<'_>,
    stage: &mut Stage,
    wanted: BTreeMap<String, shapes::RouteSettings>,
) -> Result<(), Fault> {
    for (key, settings) in wanted {
        // Settings of the default route may be there before it (recorded, 2026-03).
        let known = key == "$default" || context.estate().routes.of(stage.api).any(|r| r.key.to_string() == key);
        if !known {
            return Err(Fault::new(
                "NotFoundException",
                404,
                format!("Unable to find Route by key {key} within the provided RouteSettings"),
            ));
        }
        stage.route_settings.insert(key, route_settings(settings)?);
    }
    Ok(())
}

fn known_stage(context: &Context<'_>, api: &str, name: &str) -> Result<StageKey, Fault> {
    known(context, known_api(context, api)?, name)
}

/// A stage that exists.
pub(super) fn known(context: &Context<'_>, api: ApiId, name: &str) -> Result<StageKey, Fault> {
    let key = name.parse().ok().map(|name| (api, name)).filter(|key| context.estate().stages.contains(key));
    key.ok_or_else(|| fault::not_found("Stage", name))
}

pub(super) fn get(context: &Context<'_>, api: &str, name: &str) -> Result<shapes::Stage, Fault> {
    let key = known_stage(context, api, name)?;
    context.estate().stages.get(&key).map(|stage| render(stage)).ok_or_else(|| fault::not_found("Stage", name))
}

pub(super) fn list(context: &Context<'_>, api: &str) -> Result<Vec<shapes::Stage>, Fault> {
    let api = known_api(context, api)?;
    Ok(context.estate().stages.of(api).map(|stage| render(stage)).collect())
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateStageRequest) -> Result<shapes::Stage, Fault> {
    let key = known_stage(context, &input.api_id, &input.stage_name)?;
    check_length("description", input.description.as_deref(), DESCRIPTION_CHARS)?;
    let before = context.estate().stages.get(&key).cloned();
    let before = before.ok_or_else(|| fault::not_found("Stage", &input.stage_name))?;
    let mut stage = Stage::clone(&before);
    stage.auto_deploy = input.auto_deploy.unwrap_or(stage.auto_deploy);
    let wanted = (input.deployment_id.as_deref(), stage.auto_deploy);
    stage.deployment = wanted_deployment(context, key.0, wanted)?.or(stage.deployment);
    stage.description = input.description.or(stage.description).filter(|text| !text.is_empty());
    if let Some(settings) = input.access_log_settings {
        stage.access_log = access_log(context, settings)?;
    }
    if let Some(settings) = input.default_route_settings {
        stage.default_route_settings = Some(route_settings(settings)?);
    }
    merge_variables(&mut stage.variables, input.stage_variables.unwrap_or_default())?;
    merge_route_settings(context, &mut stage, input.route_settings.unwrap_or_default())?;
    stage.updated = context.now;
    let newly_automatic = stage.auto_deploy && !before.auto_deploy;
    context.edit().stages.insert(key.clone(), stage);
    if newly_automatic {
        deployment::after_change(context, key.0);
    }
    get(context, &input.api_id, &input.stage_name)
}

pub(super) fn delete(context: &mut Context<'_>, api: &str, name: &str) -> Result<(), Fault> {
    let key = known_stage(context, api, name)?;
    if context.estate().api_mappings.values().any(|mapping| (mapping.api, &mapping.stage) == (key.0, &key.1)) {
        return Err(fault::bad_request("Stage cannot be deleted because it is referenced by an API mapping"));
    }
    context.edit().stages.remove(&key);
    Ok(())
}

pub(super) fn delete_access_log(context: &mut Context<'_>, api: &str, name: &str) -> Result<(), Fault> {
    let key = known_stage(context, api, name)?;
    if let Some(stage) = context.edit().stages.edit(&key) {
        stage.access_log = None;
    }
    Ok(())
}

pub(super) fn delete_route_settings(
    context: &mut Context<'_>,
    input: &shapes::DeleteRouteSettingsRequest,
) -> Result<(), Fault> {
    let key = known_stage(context, &input.api_id, &input.stage_name)?;
    let known = context.estate().stages.get(&key).is_some_and(|s| s.route_settings.contains_key(&input.route_key));
    if !known {
        return Err(fault::not_found("RouteSettings", &input.route_key));
    }
    if let Some(stage) = context.edit().stages.edit(&key) {
        stage.route_settings.remove(&input.route_key);
    }
    Ok(())
}

fn render_settings(settings: &RouteSettings) -> shapes::RouteSettings {
    shapes::RouteSettings {
        data_trace_enabled: None,
        detailed_metrics_enabled: Some(settings.detailed_metrics),
        logging_level: None,
        throttling_burst_limit: Some(settings.throttling_burst_limit),
        throttling_rate_limit: Some(settings.throttling_rate_limit),
    }
}

fn render(stage: &Stage) -> shapes::Stage {
    let untouched = shapes::RouteSettings { detailed_metrics_enabled: Some(false), ..Default::default() };
    let settings = stage.route_settings.iter().map(|(key, settings)| (key.clone(), render_settings(settings)));
    shapes::Stage {
        access_log_settings: stage.access_log.as_ref().map(|log| shapes::AccessLogSettings {
            destination_arn: Some(log.destination.to_string()),
            format: Some(log.format.to_string()),
        }),
        api_gateway_managed: stage.managed.then_some(true),
        auto_deploy: Some(stage.auto_deploy),
        created_date: Some(seconds(stage.created)),
        default_route_settings: Some(stage.default_route_settings.as_ref().map_or(untouched, render_settings)),
        deployment_id: stage.deployment.map(|id| id.to_string()),
        description: stage.description.clone(),
        last_deployment_status_message: stage.last_deployment_status.clone().filter(|_| stage.auto_deploy),
        last_updated_date: Some(seconds(stage.updated)),
        route_settings: Some(settings.collect()),
        stage_name: stage.name.to_string(),
        stage_variables: Some(stage.variables.clone()),
        tags: Some(stage.tags.clone()),
    }
}
