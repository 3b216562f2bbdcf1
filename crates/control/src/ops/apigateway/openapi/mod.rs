//! OpenAPI documents of REST APIs: `ImportRestApi`, `PutRestApi`, `GetExport` (API Gateway developer guide, "Develop REST APIs
//! using OpenAPI", 2026-11). A document is read into a plan, and the plan is carried out by the same functions as single calls; a
//! plan that fails leaves nothing.

mod read;
mod write;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use topology::estate::{RealmEstate, Table};
use topology::id::{ApiId, AuthorizerId, RequestValidatorId};
use topology::resource::rest_api::{RequestValidator, RestApi, RestAuthorizer};
use topology::resource::rest_stage::FrozenRest;
use wire::Fault;
use wire::apigateway as shapes;

use self::read::{Plan, PlannedMethod};
use super::{
    authorizer, fault, gateway_response, integration, integration_response, known_api, method, method_response, model,
    resource, rest_api, stage, validator,
};
use crate::context::Context;
use crate::ops::gateway_common::document::BasePath;

/// Bytes of a document: 6 MB (REST API quotas, 2026-11).
const DOCUMENT_BYTES_MAX: usize = 6_000_000;

/// Models that every API has; a document that does not name them leaves them.
const PRESETS: [&str; 2] = ["Empty", "Error"];

type Parameters = Option<BTreeMap<String, String>>;

pub(super) fn import(context: &mut Context<'_>, input: shapes::ImportRestApiRequest) -> Result<shapes::RestApi, Fault> {
    let plan = planned(&input.body, input.parameters, input.fail_on_warnings)?;
    let made = rest_api::create(context, plan.api.clone())?;
    let id = known_api(context, &made.id.unwrap_or_default())?;
    carry_out(context, id, plan)?;
    rest_api::get(context, id.as_str())
}

pub(super) fn put(context: &mut Context<'_>, input: shapes::PutRestApiRequest) -> Result<shapes::RestApi, Fault> {
    let id = known_api(context, &input.rest_api_id)?;
    let plan = planned(&input.body, input.parameters, input.fail_on_warnings)?;
    let overwrites = input.mode.as_deref() == Some("overwrite");
    if overwrites {
        clear(context.edit(), id);
    }
    describe(context, id, (&plan.api, overwrites))?;
    carry_out(context, id, plan)?;
    rest_api::get(context, id.as_str())
}

fn planned(body: &[u8], parameters: Parameters, fail_on_warnings: Option<bool>) -> Result<Plan, Fault> {
    if body.len() > DOCUMENT_BYTES_MAX {
        return Err(fault::bad_request(format!("The document has more than {DOCUMENT_BYTES_MAX} bytes")));
    }
    let text = std::str::from_utf8(body).map_err(|_| fault::bad_request("Invalid OpenAPI input."))?;
    let mut base_path = BasePath::Ignore;
    let mut types = None;
    for (name, value) in parameters.unwrap_or_default() {
        let invalid = || fault::bad_request(format!("Invalid parameter specified: {name}={value}"));
        match (name.as_str(), value.as_str()) {
            ("basepath", mode) => base_path = BasePath::from_name(mode).ok_or_else(invalid)?,
            // There is no documentation here that could be passed over.
            ("ignore", "documentation") => {}
            ("endpointConfigurationTypes", kind) => types = Some(vec![kind.to_owned()]),
            _ => return Err(invalid()),
        }
    }
    let mut plan = read::plan(text, base_path).map_err(fault::bad_request)?;
    if types.is_some() {
        plan.api.endpoint_configuration = Some(shapes::EndpointConfiguration { types, ..Default::default() });
    }
    if fail_on_warnings == Some(true) && !plan.warnings.is_empty() {
        return Err(fault::bad_request(format!("Warnings found during import:\n\t{}", plan.warnings.join("\n\t"))));
    }
    Ok(plan)
}

/// Takes away what a document describes. Stages, deployments, plans and mappings stay.
fn clear(estate: &mut RealmEstate, id: ApiId) {
    let root = estate.rest_apis.get(&id).map(|api| api.root);
    macro_rules! clear {
        ($($table:ident: $goes:expr;)*) => {$(
            let of_api = estate.$table.iter().filter(|(_, value)| value.api == id && $goes(value));
            for gone in of_api.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
                estate.$table.remove(&gone);
            }
        )*};
    }
    clear! {
        resources: |resource: &topology::resource::rest_api::Resource| Some(resource.id) != root;
        models: |model: &topology::resource::rest_api::Model| !PRESETS.contains(&model.name.as_str());
        request_validators: |_| true;
        rest_authorizers: |_| true;
        gateway_responses: |_| true;
    }
    if let Some(root) = root.and_then(|root| estate.resources.edit(&(id, root))) {
        root.methods.clear();
    }
}

/// Writes on the API itself what the document says of it. Overwriting also takes away what the document does not say.
fn describe(
    context: &mut Context<'_>,
    id: ApiId,
    (wanted, overwrites): (&shapes::CreateRestApiRequest, bool),
) -> Result<(), Fault> {
    let Some(before) = context.estate().rest_apis.get(&id).map(|api| RestApi::clone(api)) else {
        return Err(Fault::internal("the API is gone"));
    };
    let made = rest_api::checked(
        shapes::CreateRestApiRequest { tags: None, ..wanted.clone() },
        (id, before.root, before.created),
    )?;
    let Some(api) = context.edit().rest_apis.edit(&id) else { return Err(Fault::internal("the API is gone")) };
    let said = |there: bool| there || overwrites;
    api.name = made.name;
    if said(made.description.is_some()) {
        api.description = made.description;
    }
    if said(made.version.is_some()) {
        api.version = made.version;
    }
    if said(wanted.binary_media_types.is_some()) {
        api.binary_media_types = made.binary_media_types;
    }
    if said(wanted.minimum_compression_size.is_some()) {
        api.minimum_compression_size = made.minimum_compression_size;
    }
    if said(wanted.policy.is_some()) {
        api.policy = made.policy;
    }
    if wanted.api_key_source.is_some() {
        api.api_key_source = made.api_key_source;
    }
    if wanted.disable_execute_api_endpoint.is_some() {
        api.disable_execute_api_endpoint = made.disable_execute_api_endpoint;
    }
    if wanted.endpoint_configuration.is_some() {
        (api.endpoint_type, api.ip_address_type) = (made.endpoint_type, made.ip_address_type);
    }
    Ok(())
}

fn about(place: &str, fault: Fault) -> Fault {
    Fault { message: format!("Unable to import {place}: {}", fault.message), ..fault }
}

fn carry_out(context: &mut Context<'_>, id: ApiId, plan: Plan) -> Result<(), Fault> {
    models(context, id, plan.models)?;
    let mut validators = BTreeMap::new();
    for (name, wanted) in plan.validators {
        let request = shapes::CreateRequestValidatorRequest { rest_api_id: id.to_string(), ..wanted };
        let made = validator::create(context, request).map_err(|f| about(&format!("validator {name}"), f))?;
        validators.insert(name.clone(), keep_id::<RequestValidator>(context, (id, &name), made.id.unwrap_or_default()));
    }
    let mut authorizers = BTreeMap::new();
    for (name, wanted) in plan.authorizers {
        let request = shapes::CreateAuthorizerRequest { rest_api_id: id.to_string(), ..wanted };
        let made = authorizer::create(context, request).map_err(|f| about(&format!("security scheme {name}"), f))?;
        authorizers.insert(name.clone(), keep_id::<RestAuthorizer>(context, (id, &name), made.id.unwrap_or_default()));
    }
    for wanted in plan.gateway_responses {
        let place = format!("gateway response {}", wanted.response_type);
        let request = shapes::PutGatewayResponseRequest { rest_api_id: id.to_string(), ..wanted };
        gateway_response::put(context, request).map_err(|f| about(&place, f))?;
    }
    for path in &plan.paths {
        resource_at(context, id, path)?;
    }
    for wanted in plan.methods {
        let place = format!("{} {}", wanted.method.http_method, wanted.path);
        one_method(context, id, wanted, (&validators, &authorizers)).map_err(|f| about(&place, f))?;
    }
    Ok(())
}

/// Makes the models, those first that others refer to. A model that is there already gets its schema.
fn models(
    context: &mut Context<'_>,
    id: ApiId,
    mut wanted: BTreeMap<String, shapes::CreateModelRequest>,
) -> Result<(), Fault> {
    while !wanted.is_empty() {
        let left = wanted.len();
        let mut refused = None;
        for (name, request) in std::mem::take(&mut wanted) {
            let mut schema = serde_json::from_str(request.schema.as_deref().unwrap_or_default()).unwrap_or_default();
            read::with_references(&mut schema, id.as_str());
            let before = context.estate().models.get(&(id, name.clone())).cloned();
            context.edit().models.remove(&(id, name.clone()));
            let ready = shapes::CreateModelRequest {
                rest_api_id: id.to_string(),
                schema: Some(schema.to_string()),
                ..request.clone()
            };
            if let Err(fault) = model::create(context, ready) {
                if let Some(before) = before {
                    context.edit().models.insert((id, name.clone()), (*before).clone());
                }
                refused = Some(about(&format!("model {name}"), fault));
                wanted.insert(name, request);
            }
        }
        // A round that made nothing leads nowhere.
        if let Some(fault) = refused.filter(|_| wanted.len() == left) {
            return Err(fault);
        }
    }
    Ok(())
}

/// What has a name of its own within an API, and an id that others name it by.
trait Named: Clone {
    /// Its kind of id.
    type Id: Copy + Ord + FromStr + std::fmt::Display;
    /// Where the estate has its kind.
    fn table(estate: &mut RealmEstate) -> &mut Table<Self::Id, Self>;
    /// Its API and name.
    fn name(&self) -> (ApiId, &str);
    /// Its id.
    fn id(&mut self) -> &mut Self::Id;
}

impl Named for RequestValidator {
    type Id = RequestValidatorId;
    fn table(estate: &mut RealmEstate) -> &mut Table<Self::Id, Self> {
        &mut estate.request_validators
    }
    fn name(&self) -> (ApiId, &str) {
        (self.api, &self.name)
    }
    fn id(&mut self) -> &mut Self::Id {
        &mut self.id
    }
}

impl Named for RestAuthorizer {
    type Id = AuthorizerId;
    fn table(estate: &mut RealmEstate) -> &mut Table<Self::Id, Self> {
        &mut estate.rest_authorizers
    }
    fn name(&self) -> (ApiId, &str) {
        (self.api, &self.name)
    }
    fn id(&mut self) -> &mut Self::Id {
        &mut self.id
    }
}

/// What is made under a name that there is keeps the id that there was, because methods that the document does not name may use it.
fn keep_id<T: Named>(context: &mut Context<'_>, (api, name): (ApiId, &str), made: String) -> String {
    let table = T::table(context.edit());
    let Ok(made) = made.parse::<T::Id>() else { return made };
    let is_old = |(id, known): &(&T::Id, &Arc<T>)| known.name() == (api, name) && **id != made;
    let Some(old) = table.iter().find(is_old).map(|(id, _)| *id) else { return made.to_string() };
    if let Some(new) = table.remove(&made) {
        let mut kept = T::clone(&new);
        *kept.id() = old;
        table.insert(old, kept);
    }
    old.to_string()
}

/// The id of the resource at a path, made where it is not there.
fn resource_at(context: &mut Context<'_>, id: ApiId, path: &str) -> Result<String, Fault> {
    let root = context.estate().rest_apis.get(&id).map(|api| api.root.to_string());
    let mut at = root.ok_or_else(|| Fault::internal("the API is gone"))?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let known = resource::of_api(context, id).find(|resource| {
            resource.below.as_ref().is_some_and(|(parent, own)| parent.as_str() == at && own.to_string() == part)
        });
        at = match known.map(|resource| resource.id.to_string()) {
            Some(known) => known,
            None => {
                let request = shapes::CreateResourceRequest {
                    parent_id: at,
                    path_part: part.to_owned(),
                    rest_api_id: id.to_string(),
                };
                let made = resource::create(context, request).map_err(|f| about(&format!("path {path}"), f))?;
                made.id.unwrap_or_default()
            }
        };
    }
    Ok(at)
}

fn one_method(
    context: &mut Context<'_>,
    id: ApiId,
    wanted: PlannedMethod,
    (validators, authorizers): (&BTreeMap<String, String>, &BTreeMap<String, String>),
) -> Result<(), Fault> {
    let (rest_api_id, resource_id) = (id.to_string(), resource_at(context, id, &wanted.path)?);
    let http_method = wanted.method.http_method.clone();
    // A method that is there is made anew.
    let place = (resource_id.as_str(), http_method.as_str());
    if method::get(context, &rest_api_id, place).is_ok() {
        method::delete(context, &rest_api_id, place)?;
    }
    method::put(
        context,
        shapes::PutMethodRequest {
            authorizer_id: wanted.authorizer.and_then(|name| authorizers.get(&name).cloned()),
            request_validator_id: wanted.validator.and_then(|name| validators.get(&name).cloned()),
            resource_id: resource_id.clone(),
            rest_api_id: rest_api_id.clone(),
            ..wanted.method
        },
    )?;
    for response in wanted.responses {
        let (rest_api_id, resource_id) = (rest_api_id.clone(), resource_id.clone());
        method_response::put(context, shapes::PutMethodResponseRequest { rest_api_id, resource_id, ..response })?;
    }
    if let Some(request) = wanted.integration {
        let (rest_api_id, resource_id) = (rest_api_id.clone(), resource_id.clone());
        let http_method = http_method.clone();
        integration::put(context, shapes::PutIntegrationRequest { rest_api_id, resource_id, http_method, ..request })?;
    }
    for response in wanted.integration_responses {
        let (rest_api_id, resource_id) = (rest_api_id.clone(), resource_id.clone());
        let http_method = http_method.clone();
        let request = shapes::PutIntegrationResponseRequest { rest_api_id, resource_id, http_method, ..response };
        integration_response::put(context, request)?;
    }
    Ok(())
}

pub(super) fn export(context: &Context<'_>, input: &shapes::GetExportRequest) -> Result<shapes::ExportResponse, Fault> {
    let id = known_api(context, &input.rest_api_id)?;
    let served = stage::known(context, &input.rest_api_id, &input.stage_name)?.1.deployment;
    let form = match input.export_type.as_str() {
        "oas30" => write::Form::Three,
        "swagger" => write::Form::Two,
        other => return Err(fault::bad_request(format!("Invalid export type specified: {other}"))),
    };
    let extensions = extensions(input.parameters.as_ref())?;
    let served = context.estate().rest_deployments.get(&served).ok_or_else(fault::no_deployment)?;
    let frozen: &FrozenRest = &served.frozen;
    let api = context.estate().rest_apis.get(&id).ok_or_else(|| fault::no_api(context, &input.rest_api_id))?;
    let place = write::Place { api, realm: context.realm(), stage: &input.stage_name };
    let document = write::document(&place, frozen, (form, extensions));
    let yaml = input.accepts.as_deref().is_some_and(|media| media.contains("yaml"));
    let broken = |error: &dyn std::fmt::Display| Fault::internal(error.to_string());
    let (body, ending, media) = if yaml {
        (serde_norway::to_string(&document).map_err(|e| broken(&e))?.into_bytes(), "yaml", "application/yaml")
    } else {
        (serde_json::to_vec_pretty(&document).map_err(|e| broken(&e))?, "json", "application/json")
    };
    let version = api.version.as_deref().unwrap_or("1");
    Ok(shapes::ExportResponse {
        body: Some(body),
        content_disposition: Some(format!("attachment; filename=\"{}_{version}.{ending}\"", safe(&api.name))),
        content_type: Some(media.to_owned()),
    })
}

/// A name that may stand in a header and in a file system.
fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

/// Which of AWS's extensions a document shows: none, unless asked.
fn extensions(parameters: Option<&BTreeMap<String, String>>) -> Result<write::Extensions, Fault> {
    let mut shown = write::Extensions::default();
    for (name, value) in parameters.into_iter().flatten() {
        if name != "extensions" {
            return Err(fault::bad_request(format!("Invalid parameter specified: {name}={value}")));
        }
        for extension in value.split(',') {
            match extension.trim() {
                "integrations" => shown.integrations = true,
                "authorizers" => shown.authorizers = true,
                "apigateway" => shown = write::Extensions::ALL,
                // Postman's need nothing of ours.
                "postman" | "" => {}
                other => return Err(fault::bad_request(format!("Invalid extension specified: {other}"))),
            }
        }
    }
    Ok(shown)
}
