//! Versions: the parts as they were at one time. A stage publishes one, and a version that one publishes stays (REST API reference,
//! "DocumentationVersion", 2026-11).

use topology::estate::DocumentationVersionKey;
use topology::id::ApiId;
use topology::resource::documentation::DocumentationVersion;
use topology::resource::rest_stage::RestStage;
use wire::Fault;
use wire::apigateway as shapes;

use super::part;
use crate::context::Context;
use crate::ops::apigateway::patch::{REPLACE, Rule, Sentence, Table};
use crate::ops::apigateway::{fault, known_api, seconds};

/// Versions of an API's documentation: 200. Ours: each holds every part once more. Above: refused.
const VERSIONS_MAX: usize = 200;

pub(in crate::ops::apigateway) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateDocumentationVersionRequest,
) -> Result<shapes::DocumentationVersion, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    if input.documentation_version.trim().is_empty() {
        return Err(fault::bad_request("Documentation version cannot be blank"));
    }
    let key = (api, input.documentation_version);
    if context.estate().documentation_versions.contains(&key) {
        return Err(fault::conflict("Documentation version already exists"));
    }
    if of_api(context, api).count() >= VERSIONS_MAX {
        return Err(fault::bad_request(format!("An API can have at most {VERSIONS_MAX} documentation versions")));
    }
    if let Some(name) = input.stage_name.filter(|name| !name.is_empty()) {
        publish(context, &key, &name)?;
    }
    Ok(freeze(context, key, input.description))
}

/// Keeps the parts as they are now under a name.
fn freeze(
    context: &mut Context<'_>,
    key: DocumentationVersionKey,
    description: Option<String>,
) -> shapes::DocumentationVersion {
    let parts = part::of_api(context, key.0).cloned().collect();
    let version = DocumentationVersion { api: key.0, version: key.1.clone(), created: context.now, description, parts };
    let shown = render(&version);
    context.edit().documentation_versions.insert(key, version);
    shown
}

/// Gives a version to a stage that exists.
fn publish(context: &mut Context<'_>, (api, version): &DocumentationVersionKey, name: &str) -> Result<(), Fault> {
    let key = (*api, name.parse().map_err(|_| fault::no_stage())?);
    let stage = context.estate().rest_stages.get(&key).ok_or_else(fault::no_stage)?;
    let stage =
        RestStage { documentation_version: Some(version.clone()), updated: context.now, ..RestStage::clone(stage) };
    context.edit().rest_stages.insert(key, stage);
    Ok(())
}

/// The version that a stage is to have: none where nothing is said, else one that exists. AWS's words for another are not known.
pub(in crate::ops::apigateway) fn wanted(
    context: &Context<'_>,
    api: ApiId,
    version: &str,
) -> Result<Option<String>, Fault> {
    let key = (api, version.to_owned());
    match (version.is_empty(), context.estate().documentation_versions.contains(&key)) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(key.1)),
        (false, false) => Err(fault::bad_request(UNKNOWN)),
    }
}

/// As AWS says it (public reports, 2017 to 2021).
const UNKNOWN: &str = "Invalid Documentation version specified";

fn known<'c>(context: &'c Context<'_>, key: &DocumentationVersionKey) -> Result<&'c DocumentationVersion, Fault> {
    let version = context.estate().documentation_versions.get(key);
    version.map(|version| &**version).ok_or_else(|| fault::not_found(UNKNOWN))
}

/// The API of a version: where it is not there, the version is not, as recorded of parts (2024-04).
fn api_of(context: &Context<'_>, api: &str) -> Result<ApiId, Fault> {
    known_api(context, api).map_err(|_| fault::not_found(UNKNOWN))
}

pub(in crate::ops::apigateway) fn get(
    context: &Context<'_>,
    input: shapes::GetDocumentationVersionRequest,
) -> Result<shapes::DocumentationVersion, Fault> {
    let key = (api_of(context, &input.rest_api_id)?, input.documentation_version);
    known(context, &key).map(render)
}

pub(in crate::ops::apigateway) fn list(
    context: &Context<'_>,
    api: &str,
) -> Result<Vec<shapes::DocumentationVersion>, Fault> {
    let api = known_api(context, api)?;
    Ok(of_api(context, api).map(render).collect())
}

/// The versions of an API, in the order of their names.
fn of_api<'c>(context: &'c Context<'_>, api: ApiId) -> impl Iterator<Item = &'c DocumentationVersion> {
    let versions = context.estate().documentation_versions.from((api, String::new()));
    versions.take_while(move |((of, _), _)| *of == api).map(|(_, version)| &**version)
}

pub(in crate::ops::apigateway) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateDocumentationVersionRequest,
) -> Result<shapes::DocumentationVersion, Fault> {
    let key = (api_of(context, &input.rest_api_id)?, input.documentation_version);
    let mut version = known(context, &key)?.clone();
    PATHS.apply(context, &mut version, input.patch_operations)?;
    let shown = render(&version);
    context.edit().documentation_versions.insert(key, version);
    Ok(shown)
}

const PATHS: Table<DocumentationVersion> = Table {
    rules: &[Rule::new("/description", REPLACE, |_, version, change| {
        version.description = change.optional();
        Ok(())
    })],
    sentence: Sentence::Listed,
};

/// Deletes a version that no stage publishes (AWS's words: public reports, 2020-01).
pub(in crate::ops::apigateway) fn delete(
    context: &mut Context<'_>,
    input: shapes::DeleteDocumentationVersionRequest,
) -> Result<(), Fault> {
    let key = (known_api(context, &input.rest_api_id)?, input.documentation_version);
    known(context, &key)?;
    let publishes = |stage: &RestStage| stage.documentation_version.as_ref() == Some(&key.1);
    if context.estate().rest_stages.of(key.0).any(|stage| publishes(stage)) {
        let text = "Cannot delete documentation version because there are API Stages associated with it.";
        return Err(fault::bad_request(text));
    }
    context.edit().documentation_versions.remove(&key);
    Ok(())
}

fn render(version: &DocumentationVersion) -> shapes::DocumentationVersion {
    shapes::DocumentationVersion {
        created_date: Some(seconds(version.created)),
        description: version.description.clone(),
        version: Some(version.version.clone()),
    }
}
