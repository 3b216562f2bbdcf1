//! OpenAPI documents of HTTP APIs: `ImportApi`, `ReimportApi`, `ExportApi` (HTTP API developer guide, "Working with OpenAPI
//! definitions for HTTP APIs", 2026-11). A document is read into a plan, the plan is carried out by the same functions as
//! single calls, so that nothing is checked twice or differently; a plan that fails leaves nothing.

mod read;
mod write;

use topology::estate::RealmEstate;
use topology::id::ApiId;
use topology::resource::http_api::Frozen;
use wire::Fault;
use wire::apigatewayv2 as shapes;

use self::read::Guard;
pub(crate) use self::read::Plan;
use super::{api, authorizer, deployment, fault, integration, known_api, route, stage};
use crate::context::Context;
use crate::ops::gateway_common::document::{BasePath, refuse_warnings, to_yaml};

pub(super) fn import(context: &mut Context<'_>, input: shapes::ImportApiRequest) -> Result<shapes::Api, Fault> {
    let plan = context.objects.take_document();
    let plan = plan.unwrap_or_else(|| read(&input.body, input.basepath.as_deref()))?;
    refuse_warnings(&plan.warnings, input.fail_on_warnings)?;
    let created = api::create(
        context,
        shapes::CreateApiRequest {
            name: plan.name.clone(),
            protocol_type: "HTTP".to_owned(),
            version: plan.version.clone(),
            description: plan.description.clone(),
            cors_configuration: plan.cors.clone(),
            disable_execute_api_endpoint: plan.disable_execute_api_endpoint,
            tags: (!plan.tags.is_empty()).then(|| plan.tags.clone()),
            ..shapes::CreateApiRequest::default()
        },
    )?;
    let id = known_api(context, &created.api_id.unwrap_or_default())?;
    build(context, id, plan)
}

pub(super) fn reimport(context: &mut Context<'_>, input: shapes::ReimportApiRequest) -> Result<shapes::Api, Fault> {
    let id = known_api(context, &input.api_id)?;
    let plan = context.objects.take_document();
    let plan = plan.unwrap_or_else(|| read(&input.body, input.basepath.as_deref()))?;
    refuse_warnings(&plan.warnings, input.fail_on_warnings)?;
    deployment::hold(context, |context| {
        clear(context.edit(), id);
        if plan.cors.is_none() {
            api::delete_cors(context, &input.api_id)?;
        }
        api::update(
            context,
            shapes::UpdateApiRequest {
                api_id: input.api_id.clone(),
                name: Some(plan.name.clone()),
                version: Some(plan.version.clone().unwrap_or_default()),
                description: Some(plan.description.clone().unwrap_or_default()),
                cors_configuration: plan.cors.clone(),
                disable_execute_api_endpoint: Some(plan.disable_execute_api_endpoint.unwrap_or(false)),
                ..shapes::UpdateApiRequest::default()
            },
        )
    })?;
    build(context, id, plan)
}

/// Reads a document. It needs nothing of the estate.
pub(crate) fn read(body: &str, base_path: Option<&str>) -> Result<Plan, Fault> {
    let named = base_path.unwrap_or("ignore");
    let base_path = BasePath::from_name(named);
    let base_path = base_path.ok_or_else(|| fault::bad_request(format!("Invalid basepath mode specified: {named}")))?;
    read::plan(body, base_path)
}

/// Makes what the plan says, and deploys it once.
fn build(context: &mut Context<'_>, id: ApiId, plan: Plan) -> Result<shapes::Api, Fault> {
    let (warnings, info) = (plan.warnings.clone(), plan.info.clone());
    deployment::hold(context, |context| carry_out(context, id, plan))?;
    deployment::after_change(context, id);
    let mut made = api::get(context, &id.to_string())?;
    made.warnings = (!warnings.is_empty()).then_some(warnings);
    made.import_info = (!info.is_empty()).then_some(info);
    Ok(made)
}

fn carry_out(context: &mut Context<'_>, id: ApiId, plan: Plan) -> Result<(), Fault> {
    let api_id = id.to_string();
    let about = |place: &str, fault: Fault| {
        let message = format!("Unable to import {place}: {}", fault.message);
        Fault { message, ..fault }
    };
    let mut authorizers = std::collections::BTreeMap::new();
    for (name, wanted) in plan.authorizers {
        let request = shapes::CreateAuthorizerRequest { api_id: api_id.clone(), ..wanted };
        let made = authorizer::create(context, request).map_err(|f| about(&format!("security scheme {name}"), f))?;
        authorizers.insert(name, made.authorizer_id.unwrap_or_default());
    }
    let mut integrations = Vec::new();
    for (place, wanted) in plan.integrations {
        let request = shapes::CreateIntegrationRequest { api_id: api_id.clone(), ..wanted };
        let made = integration::create(context, request).map_err(|f| about(&place, f))?;
        integrations.push(made.integration_id.unwrap_or_default());
    }
    for wanted in plan.routes {
        let target = wanted.integration.and_then(|at| integrations.get(at)).map(|id| format!("integrations/{id}"));
        let (kind, authorizer, scopes) = match wanted.guard {
            Guard::None => ("NONE", None, None),
            Guard::Iam => ("AWS_IAM", None, None),
            Guard::Authorizer { name, scopes } => {
                let known = authorizers.get(&name).cloned();
                let known =
                    known.ok_or_else(|| fault::bad_request(format!("Security scheme {name} is no authorizer")))?;
                ("JWT", Some(known), (!scopes.is_empty()).then_some(scopes))
            }
        };
        let request = shapes::CreateRouteRequest {
            api_id: api_id.clone(),
            route_key: wanted.key.clone(),
            target,
            operation_name: wanted.operation_name,
            authorization_type: Some(kind.to_owned()),
            authorizer_id: authorizer,
            authorization_scopes: scopes,
            ..shapes::CreateRouteRequest::default()
        };
        route::create(context, request).map_err(|f| about(&wanted.key, f))?;
    }
    Ok(())
}

/// Takes away what a document describes. Stages, deployments and mappings stay.
fn clear(estate: &mut RealmEstate, id: ApiId) {
    macro_rules! clear {
        ($($table:ident)*) => {$(
            let of_api: Vec<_> = estate.$table.keys_of(id).copied().collect();
            for gone in of_api {
                estate.$table.remove(&gone);
            }
        )*};
    }
    clear!(routes integrations authorizers);
}

pub(super) fn export(context: &Context<'_>, input: &shapes::ExportApiRequest) -> Result<Vec<u8>, Fault> {
    let id = known_api(context, &input.api_id)?;
    if input.specification != "OAS30" {
        return Err(fault::bad_request("Invalid specification specified. Valid options are OAS30"));
    }
    if input.export_version.as_deref().is_some_and(|version| version != "1.0") {
        return Err(fault::bad_request("Invalid export version specified. Valid options are 1.0"));
    }
    let frozen = match &input.stage_name {
        None => deployment::draft(context, id)?,
        Some(name) => served(context, id, name)?,
    };
    let api = context.estate().apis.get(&id).ok_or_else(|| fault::not_found("API", &input.api_id))?;
    let extensions =
        if input.include_extensions == Some(false) { write::Extensions::Left } else { write::Extensions::Kept };
    let document = write::document((api, context.realm()), &frozen, input.stage_name.as_deref(), extensions);
    match input.output_type.as_str() {
        "JSON" => serde_json::to_vec_pretty(&document).map_err(|error| Fault::internal(error.to_string())),
        "YAML" => Ok(to_yaml(&document).into_bytes()),
        _ => Err(fault::bad_request("Invalid output type specified. Valid options are JSON,YAML")),
    }
}

fn served(context: &Context<'_>, id: ApiId, name: &str) -> Result<Frozen, Fault> {
    let estate = context.estate();
    let key = stage::known(context, id, name)?;
    let deployment =
        estate.stages.get(&key).and_then(|stage| stage.deployment).and_then(|id| estate.deployments.get(&id));
    let deployment = deployment.ok_or_else(|| fault::bad_request(format!("Stage {name} has no deployment")))?;
    Ok(deployment.frozen.clone())
}
