//! OpenAPI documents of REST APIs: `ImportRestApi`, `PutRestApi`, `GetExport` (API Gateway developer guide, "Develop REST APIs
//! using OpenAPI", 2026-11). A document is read into a plan, and the plan is carried out by the same functions as single calls; a
//! plan that fails leaves nothing.

mod build;
mod documented;
mod methods;
mod order;
mod read;
mod write;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use topology::estate::RealmEstate;
use topology::id::ApiId;
use topology::resource::rest_api::RestApi;
use topology::resource::rest_stage::FrozenRest;
use wire::Fault;
use wire::apigateway as shapes;

pub(crate) use self::read::Plan;
use super::documentation::import;
use super::{fault, known_api, rest_api, stage};
use crate::context::Context;
use crate::ops::gateway_common::document::{BasePath, Unread, parse, refuse_warnings, to_yaml};

/// Bytes of a document: 6 MB (REST API quotas, 2026-11).
const DOCUMENT_BYTES_MAX: usize = 6_000_000;

/// What a document says of an answer that passes without a template.
const PASSTHROUGH: &str = "__passthrough__";

/// Models that every API has; a document that does not name them leaves them.
const PRESETS: [&str; 2] = ["Empty", "Error"];

pub(super) fn import(context: &mut Context<'_>, input: shapes::ImportRestApiRequest) -> Result<shapes::RestApi, Fault> {
    let plan = context.objects.take_document();
    let plan = plan.unwrap_or_else(|| read(&input.body, input.parameters.as_ref()))?;
    refuse_warnings(&plan.warnings, input.fail_on_warnings)?;
    let made = rest_api::create(context, plan.api.clone())?;
    let id = known_api(context, &made.id.unwrap_or_default())?;
    let warnings = plan.warnings.clone();
    build::carry_out(context, id, plan)?;
    let api = rest_api::shown_when_made(context, id)?;
    Ok(shapes::RestApi { warnings: Some(warnings).filter(|warnings| !warnings.is_empty()), ..api })
}

pub(super) fn put(context: &mut Context<'_>, input: shapes::PutRestApiRequest) -> Result<shapes::RestApi, Fault> {
    // What cannot be read is refused before the API is looked up (recorded, 2026-03).
    let plan = context.objects.take_document();
    let plan = plan.unwrap_or_else(|| read(&input.body, input.parameters.as_ref()))?;
    let id = known_api(context, &input.rest_api_id)?;
    refuse_warnings(&plan.warnings, input.fail_on_warnings)?;
    let overwrites = input.mode.as_deref() == Some("overwrite");
    if overwrites {
        clear(context.edit(), id);
        // Where the document's documentation is passed over, what there is stays.
        if plan.documentation.is_some() {
            import::clear(context, id);
        }
    }
    describe(context, id, (&plan.api, overwrites))?;
    let warnings = plan.warnings.clone();
    build::carry_out(context, id, plan)?;
    let api = rest_api::get(context, id.as_str())?;
    Ok(shapes::RestApi { warnings: Some(warnings).filter(|warnings| !warnings.is_empty()), ..api })
}

/// Reads a document. It needs nothing of the estate.
pub(crate) fn read(body: &[u8], parameters: Option<&BTreeMap<String, String>>) -> Result<Plan, Fault> {
    let document = document(body)?;
    let mut base_path = BasePath::Ignore;
    let (mut types, mut documentation) = (None, Some(import::planned(&document)));
    for (name, value) in parameters.into_iter().flatten() {
        let invalid = || fault::bad_request(format!("Invalid parameter specified: {name}={value}"));
        match (name.as_str(), value.as_str()) {
            ("basepath", mode) => base_path = BasePath::from_name(mode).ok_or_else(invalid)?,
            ("ignore", "documentation") => documentation = None,
            ("endpointConfigurationTypes", kind) => types = Some(vec![kind.to_owned()]),
            _ => return Err(invalid()),
        }
    }
    let mut plan = read::plan(&document, base_path)?;
    plan.warnings.extend(documentation.iter().flat_map(|planned| planned.warnings.clone()));
    plan.documentation = documentation;
    if types.is_some() {
        plan.api.endpoint_configuration = Some(shapes::EndpointConfiguration { types, ..Default::default() });
    }
    Ok(plan)
}

/// Reads a text as a document of any kind.
pub(super) fn document(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    if body.len() > DOCUMENT_BYTES_MAX {
        return Err(fault::bad_request(format!("The document has more than {DOCUMENT_BYTES_MAX} bytes")));
    }
    let text = std::str::from_utf8(body).map_err(|_| Unread::invalid("the document is not UTF-8"))?;
    Ok(parse(text)?)
}

/// Takes away what a document describes. Stages, deployments, plans and mappings stay.
fn clear(estate: &mut RealmEstate, id: ApiId) {
    let root = estate.rest_apis.get(&id).map(|api| api.root);
    macro_rules! clear {
        ($($table:ident: $goes:expr;)*) => {$(
            for key in estate.$table.keys_of(id).cloned().collect::<Vec<_>>() {
                if estate.$table.get(&key).is_some_and(|value| $goes(value)) {
                    estate.$table.remove(&key);
                }
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
    if overwrites {
        api.binary_media_types.clear();
    }
    // Merging keeps those that there are (recorded, 2026-03).
    for media in made.binary_media_types {
        if !api.binary_media_types.contains(&media) {
            api.binary_media_types.push(media);
        }
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

pub(super) fn export(context: &Context<'_>, input: &shapes::GetExportRequest) -> Result<shapes::ExportResponse, Fault> {
    let id = known_api(context, &input.rest_api_id)?;
    let stage = stage::known(context, &input.rest_api_id, &input.stage_name)?.1;
    let form = match input.export_type.as_str() {
        "oas30" => write::Form::Three,
        "swagger" => write::Form::Two,
        other => return Err(fault::bad_request(format!("Invalid export type specified: {other}"))),
    };
    let extensions = extensions(input.parameters.as_ref())?;
    let served = context.estate().rest_deployments.get(&stage.deployment).ok_or_else(fault::no_deployment)?;
    let frozen: &FrozenRest = &served.frozen;
    let api = context.estate().rest_apis.get(&id).ok_or_else(|| fault::no_api(context, &input.rest_api_id))?;
    let version = stage.documentation_version.as_ref();
    let version = version.and_then(|version| context.estate().documentation_versions.get(&(id, version.clone())));
    let documentation = version.map(|version| &**version);
    let place = write::Exported { api, realm: context.realm(), stage: &input.stage_name, documentation };
    let document = write::document(&place, frozen, (form, extensions));
    let yaml = input.accepts.as_deref().is_some_and(|media| media.contains("yaml"));
    let broken = |error: &dyn std::fmt::Display| Fault::internal(error.to_string());
    let (body, ending) = if yaml {
        (to_yaml(&document).into_bytes(), "yaml")
    } else {
        (serde_json::to_vec_pretty(&document).map_err(|e| broken(&e))?, "json")
    };
    let version = place.version();
    Ok(shapes::ExportResponse {
        body: Some(body),
        content_disposition: Some(format!(
            "attachment; filename=\"{}_{}.{ending}\"",
            input.export_type,
            safe(&version)
        )),
        // Whatever the form (recorded, 2026-03).
        content_type: Some("application/octet-stream".to_owned()),
    })
}

/// A name that may stand in a header and in a file system.
fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.:".contains(c) { c } else { '_' }).collect()
}

/// Which of AWS's extensions a document shows: those that are asked for, and the documentation where nothing is.
fn extensions(parameters: Option<&BTreeMap<String, String>>) -> Result<write::Extensions, Fault> {
    let mut shown = write::Extensions::FOR_READERS;
    for (name, value) in parameters.into_iter().flatten() {
        if name != "extensions" {
            return Err(fault::bad_request(format!("Invalid parameter specified: {name}={value}")));
        }
        shown = write::Extensions::default();
        for extension in value.split(',') {
            match extension.trim() {
                "integrations" => shown.integrations = true,
                "authorizers" => shown.authorizers = true,
                "documentation" => shown.documentation = true,
                "apigateway" => shown = write::Extensions::ALL,
                // Postman's need nothing of ours.
                "postman" | "" => {}
                other => return Err(fault::bad_request(format!("Invalid extension specified: {other}"))),
            }
        }
    }
    Ok(shown)
}
