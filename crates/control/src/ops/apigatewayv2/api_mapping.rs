//! API mappings of custom domain names.

use topology::id::{ApiId, ApiMappingId, StageName};
use topology::resource::domain::ApiMapping;
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{domain, fault};
use crate::context::Context;

/// The longest mapping key (HTTP API developer guide, "Use API mappings", 2026-11).
const MAPPING_KEY_BYTES_MAX: usize = 300;
/// Mappings of a domain name whose key has several segments: 200 (same page).
const MULTI_LEVEL_MAX: usize = 200;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateApiMappingRequest,
) -> Result<shapes::ApiMapping, Fault> {
    let domain = domain::known(context, &input.domain_name)?.name.clone();
    let id = context.fresh(ApiMappingId::from_bits, |estate, id| estate.api_mappings.contains(id));
    let api = known_api(context, &input.api_id)?;
    let stage = wanted_stage(&input.stage)?;
    let mapping = ApiMapping { id, domain_name: domain, api, stage, key: input.api_mapping_key.unwrap_or_default() };
    put(context, mapping)
}

/// A name that a stage may have; whether there is such a stage is asked once the mapping is put in its place.
pub(crate) fn wanted_stage(name: &str) -> Result<StageName, Fault> {
    name.parse().map_err(|_| no_stage())
}

fn no_stage() -> Fault {
    fault::bad_request("Invalid stage identifier specified")
}

/// An API of either kind: both are served below domain names.
pub(crate) fn any_api(context: &Context<'_>, api: &str) -> Option<ApiId> {
    let estate = context.estate();
    api.parse().ok().filter(|id| estate.apis.contains(id) || estate.rest_apis.contains(id))
}

fn known_api(context: &Context<'_>, api: &str) -> Result<ApiId, Fault> {
    any_api(context, api).ok_or_else(|| fault::not_found("API", api))
}

/// Puts a mapping in its place, once it is checked.
pub(crate) fn put(context: &mut Context<'_>, mapping: ApiMapping) -> Result<shapes::ApiMapping, Fault> {
    let key = &mapping.key;
    let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"$-_.+!*'()/".contains(&b));
    if !plain || key.len() > MAPPING_KEY_BYTES_MAX {
        return Err(fault::bad_request("Invalid API mapping key"));
    }
    // A key of empty segments would never be found: paths are compared segment by segment.
    if !key.is_empty() && key.split('/').any(str::is_empty) {
        return Err(fault::bad_request("API mapping key should not start with a '/' or have consecutive '/'s."));
    }
    let (estate, stage) = (context.estate(), (mapping.api, mapping.stage.clone()));
    if !estate.stages.contains(&stage) && !estate.rest_stages.contains(&stage) {
        return Err(no_stage());
    }
    let same =
        |other: &ApiMapping| other.domain_name == mapping.domain_name && other.key == *key && other.id != mapping.id;
    if context.estate().api_mappings.values().any(|other| same(other)) {
        return Err(fault::conflict("ApiMapping key already exists for this domain name"));
    }
    let deep = |held: &ApiMapping| held.domain_name == mapping.domain_name && held.key.contains('/');
    let held = context.estate().api_mappings.values().filter(|held| held.id != mapping.id && deep(held)).count();
    if mapping.key.contains('/') && held >= MULTI_LEVEL_MAX {
        let text = format!("A domain name can have at most {MULTI_LEVEL_MAX} mappings with several levels");
        return Err(fault::bad_request(text));
    }
    let shape = render(&mapping);
    context.edit().api_mappings.insert(mapping.id, mapping);
    Ok(shape)
}

fn known(context: &Context<'_>, domain: &str, id: &str) -> Result<ApiMapping, Fault> {
    let mapping = id.parse().ok().and_then(|id| context.estate().api_mappings.get(&id));
    let mapping = mapping.filter(|mapping| mapping.domain_name.as_str().eq_ignore_ascii_case(domain));
    mapping.map(|mapping| ApiMapping::clone(mapping)).ok_or_else(|| fault::not_found("ApiMapping", id))
}

pub(super) fn get(context: &Context<'_>, domain: &str, id: &str) -> Result<shapes::ApiMapping, Fault> {
    known(context, domain, id).map(|mapping| render(&mapping))
}

pub(super) fn list(context: &Context<'_>, domain: &str) -> Result<Vec<shapes::ApiMapping>, Fault> {
    let name = &domain::known(context, domain)?.name;
    let mappings = context.estate().api_mappings.values().filter(|mapping| mapping.domain_name == *name);
    Ok(mappings.map(|mapping| render(mapping)).collect())
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateApiMappingRequest,
) -> Result<shapes::ApiMapping, Fault> {
    let mut mapping = known(context, &input.domain_name, &input.api_mapping_id)?;
    mapping.api = known_api(context, &input.api_id)?;
    if let Some(stage) = input.stage {
        mapping.stage = wanted_stage(&stage)?;
    }
    mapping.key = input.api_mapping_key.unwrap_or(mapping.key);
    put(context, mapping)
}

pub(super) fn delete(context: &mut Context<'_>, domain: &str, id: &str) -> Result<(), Fault> {
    let mapping = known(context, domain, id)?;
    context.edit().api_mappings.remove(&mapping.id);
    Ok(())
}

fn render(mapping: &ApiMapping) -> shapes::ApiMapping {
    shapes::ApiMapping {
        api_id: mapping.api.to_string(),
        api_mapping_id: Some(mapping.id.to_string()),
        api_mapping_key: Some(mapping.key.clone()),
        stage: mapping.stage.to_string(),
    }
}
