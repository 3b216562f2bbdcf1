//! Parts from a document: its `x-amazon-apigateway-documentation` (API Gateway developer guide, "Import API documentation", 2026-11).
//! Where one of them cannot stand a warning says so, and the others are taken. The version that a document names was that of its
//! export; importing makes none.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use topology::estate::DocumentationPartKey;
use topology::id::{ApiId, DocumentationPartId};
use topology::resource::documentation::{DocumentationLocation, DocumentationPart};
use wire::Fault;
use wire::apigateway as shapes;

use super::part;
use crate::context::Context;
use crate::ops::apigateway::{known_api, openapi};
use crate::ops::gateway_common::api_parts::remove_of_api;
use crate::ops::gateway_common::document::{plain, refuse_warnings};

/// The member of a document that holds its documentation.
pub(in crate::ops::apigateway) const EXTENSION: &str = "x-amazon-apigateway-documentation";

/// Parts that are named as left out: 1,000. Ours. Further ones are left out without a line.
const WARNINGS_MAX: usize = 1_000;

/// Parts that a document describes, in its order, and what it describes that is none.
#[derive(Debug, Default)]
pub(crate) struct PlannedParts {
    parts: Vec<(DocumentationLocation, Map<String, Value>)>,
    /// A line for each.
    pub(in crate::ops::apigateway) warnings: Vec<String>,
}

/// Reads a document's documentation alone. It needs nothing of the estate.
pub(crate) fn read(body: &[u8]) -> Result<PlannedParts, Fault> {
    Ok(planned(&openapi::document(body)?))
}

/// The parts that a document describes. Of two at one location the later adds to the earlier.
pub(in crate::ops::apigateway) fn planned(document: &Map<String, Value>) -> PlannedParts {
    let mut planned = PlannedParts::default();
    let mut places = BTreeMap::new();
    let parts = document.get(EXTENSION).and_then(|documentation| documentation.get("documentationParts"));
    for (at, part) in parts.and_then(Value::as_array).into_iter().flatten().enumerate() {
        match read_part(part) {
            Ok((location, properties)) => {
                let place = *places.entry(location.clone()).or_insert(planned.parts.len());
                match planned.parts.get_mut(place) {
                    Some((_, known)) => known.extend(properties),
                    None => planned.parts.push((location, properties)),
                }
            }
            Err(fault) if planned.warnings.len() < WARNINGS_MAX => {
                planned.warnings.push(format!("Documentation part {at} is left out: {}", fault.message));
            }
            Err(_) => {}
        }
    }
    planned
}

fn read_part(part: &Value) -> Result<(DocumentationLocation, Map<String, Value>), Fault> {
    let told = |member: &str| part.get("location").and_then(|location| location.get(member)).and_then(plain);
    let location = part::located(shapes::DocumentationPartLocation {
        method: told("method"),
        name: told("name"),
        path: told("path"),
        status_code: told("statusCode"),
        type_: told("type").unwrap_or_default(),
    })?;
    let properties = match part.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        // As the parts themselves have them.
        Some(Value::String(text)) => part::checked(text)?,
        _ => return Err(part::no_map()),
    };
    Ok((location, properties))
}

pub(in crate::ops::apigateway) fn import(
    context: &mut Context<'_>,
    input: shapes::ImportDocumentationPartsRequest,
) -> Result<shapes::DocumentationPartIds, Fault> {
    let planned = context.objects.take_document().unwrap_or_else(|| read(&input.body))?;
    let api = known_api(context, &input.rest_api_id)?;
    refuse_warnings(&planned.warnings, input.fail_on_warnings)?;
    if input.mode.as_deref() == Some("overwrite") {
        clear(context, api);
    }
    let warnings = planned.warnings.clone();
    let ids = carry_out(context, api, planned)?;
    Ok(shapes::DocumentationPartIds {
        ids: Some(ids),
        warnings: Some(warnings).filter(|warnings| !warnings.is_empty()),
    })
}

/// Takes every part of an API away. Versions keep theirs.
pub(in crate::ops::apigateway) fn clear(context: &mut Context<'_>, api: ApiId) {
    let estate = context.edit();
    remove_of_api!(estate, api, documentation_parts);
}

/// Makes the parts, or adds what they say to those that are there; answers their ids, in the document's order.
pub(in crate::ops::apigateway) fn carry_out(
    context: &mut Context<'_>,
    api: ApiId,
    planned: PlannedParts,
) -> Result<Vec<String>, Fault> {
    let mut taken = part::ids(context, api);
    let parts = planned.parts.into_iter();
    let ids = parts.map(|(location, properties)| merge(context, (api, location), (properties, &mut taken))).collect();
    part::check_bounds(context, api)?;
    Ok(ids)
}

fn merge(
    context: &mut Context<'_>,
    key: DocumentationPartKey,
    (properties, taken): (Map<String, Value>, &mut BTreeSet<DocumentationPartId>),
) -> String {
    let text = |properties: Map<String, Value>| Value::Object(properties).to_string();
    let Some(known) = context.estate().documentation_parts.get(&key) else {
        return part::put(context, key, (text(properties), taken)).id.unwrap_or_default();
    };
    let mut part = DocumentationPart::clone(known);
    let mut merged = part::checked(&part.properties).unwrap_or_default();
    merged.extend(properties);
    part.properties = text(merged);
    let id = part.id.to_string();
    context.edit().documentation_parts.insert(key, part);
    id
}
