//! Base path mappings: API mappings of one level, as REST APIs' operations spell them (REST API reference, "BasePathMapping",
//! 2026-11).

use topology::id::{ApiMappingId, StageName};
use topology::resource::domain::ApiMapping;
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{REPLACE, Rule, Sentence, Table};
use super::{domain, fault};
use crate::context::Context;
use crate::ops::apigatewayv2::api_mapping;

/// How AWS names the empty base path.
const NONE: &str = "(none)";

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateBasePathMappingRequest,
) -> Result<shapes::BasePathMapping, Fault> {
    let domain_name = domain::name(context, &input.domain_name)?;
    let mapping = ApiMapping {
        id: context.fresh(ApiMappingId::from_bits, |estate, id| estate.api_mappings.contains(id)),
        domain_name,
        api: api_mapping::any_api(context, &input.rest_api_id)
            .ok_or_else(|| fault::bad_request("Invalid REST API identifier specified"))?,
        stage: wanted_stage(input.stage.as_deref())?,
        key: base_path(input.base_path.as_deref().unwrap_or_default())?,
    };
    put(context, mapping)
}

/// A mapping without a stage would take the stage from the path, for every stage that the API has.
fn wanted_stage(name: Option<&str>) -> Result<StageName, Fault> {
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| fault::unsupported("a base path mapping without a stage"))?;
    api_mapping::wanted_stage(name)
}

fn base_path(text: &str) -> Result<String, Fault> {
    if text.contains('/') {
        return Err(fault::bad_request(
            "API Gateway V1 doesn't support the slash character (/) in base path mappings. To create a multi-level base path \
             mapping, use API Gateway V2.",
        ));
    }
    Ok(if text == NONE { String::new() } else { text.to_owned() })
}

fn put(context: &mut Context<'_>, mapping: ApiMapping) -> Result<shapes::BasePathMapping, Fault> {
    let taken = |other: &ApiMapping| {
        (&other.domain_name, &other.key) == (&mapping.domain_name, &mapping.key) && other.id != mapping.id
    };
    if context.estate().api_mappings.values().any(|other| taken(other)) {
        return Err(fault::conflict("Base path already exists for this domain name"));
    }
    let shown = render(&mapping);
    api_mapping::put(context, mapping)?;
    Ok(shown)
}

fn known(context: &Context<'_>, name: &str, path: &str) -> Result<ApiMapping, Fault> {
    let no_mapping = || fault::not_found("Invalid base path mapping identifier specified");
    let path = base_path(path).map_err(|_| no_mapping())?;
    let mut mappings = context.estate().api_mappings.values();
    let found = mappings.find(|mapping| mapping.domain_name.as_str().eq_ignore_ascii_case(name) && mapping.key == path);
    found.map(|mapping| ApiMapping::clone(mapping)).ok_or_else(no_mapping)
}

pub(super) fn get(context: &Context<'_>, name: &str, path: &str) -> Result<shapes::BasePathMapping, Fault> {
    known(context, name, path).map(|mapping| render(&mapping))
}

pub(super) fn list(context: &Context<'_>, name: &str) -> Result<Vec<shapes::BasePathMapping>, Fault> {
    let name = domain::name(context, name)?;
    let mappings = context.estate().api_mappings.values().filter(|mapping| mapping.domain_name == name);
    Ok(mappings.map(|mapping| render(mapping)).collect())
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateBasePathMappingRequest,
) -> Result<shapes::BasePathMapping, Fault> {
    let mut mapping = known(context, &input.domain_name, &input.base_path)?;
    PATHS.apply(context, &mut mapping, input.patch_operations)?;
    put(context, mapping)
}

const PATHS: Table<ApiMapping> = Table {
    rules: &[
        Rule::new("/basePath", REPLACE, |_, mapping, change| {
            mapping.key = base_path(change.text())?;
            Ok(())
        }),
        Rule::new("/restapiId", REPLACE, |context, mapping, change| {
            let api = api_mapping::any_api(context, change.text());
            mapping.api = api.ok_or_else(|| fault::bad_request("Invalid REST API identifier specified"))?;
            Ok(())
        }),
        Rule::new("/stage", REPLACE, |_, mapping, change| {
            mapping.stage = wanted_stage(change.optional().as_deref())?;
            Ok(())
        }),
    ],
    sentence: Sentence::Listed,
};

pub(super) fn delete(context: &mut Context<'_>, name: &str, path: &str) -> Result<(), Fault> {
    let mapping = known(context, name, path)?;
    context.edit().api_mappings.remove(&mapping.id);
    Ok(())
}

fn render(mapping: &ApiMapping) -> shapes::BasePathMapping {
    let base_path = if mapping.key.is_empty() { NONE } else { &mapping.key };
    shapes::BasePathMapping {
        base_path: Some(base_path.to_owned()),
        rest_api_id: Some(mapping.api.to_string()),
        stage: Some(mapping.stage.to_string()),
    }
}
