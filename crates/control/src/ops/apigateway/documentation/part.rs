//! Parts: what is said of one location of an API. The location is what a part is known by, so that it never changes, and no two
//! parts have the same one (REST API reference, "DocumentationPart", 2026-11).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use topology::estate::DocumentationPartKey;
use topology::id::{ApiId, DocumentationPartId};
use topology::resource::documentation::{DocumentationLocation, DocumentationPart, DocumentedKind, NoLocation, Said};
use wire::Fault;
use wire::apigateway as shapes;

use crate::context::Context;
use crate::ops::apigateway::patch::{REPLACE, Rule, Sentence, Table};
use crate::ops::apigateway::{fault, known_api};

/// Parts of an API: 2,000 by AWS's default quota (REST API quotas, 2026-11).
const PARTS_QUOTA: usize = 2_000;
/// Parts that an API may have without that quota: ten times as many, so that what looks through them stays cheap. Ours. Above:
/// refused.
const PARTS_MAX: usize = 20_000;
/// Bytes of what one part says: 256 KiB. Ours; merging counts too. Above: refused.
const PART_BYTES_MAX: usize = 256 * 1024;
/// Bytes of what all parts of an API say: 4 MiB, which is as much as one call can bring. Ours: every version holds them once more, and an
/// export writes them. Above: refused.
const PARTS_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(in crate::ops::apigateway) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateDocumentationPartRequest,
) -> Result<shapes::DocumentationPart, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    let location = located(input.location)?;
    checked(&input.properties)?;
    let key = (api, location);
    if context.estate().documentation_parts.contains(&key) {
        let location = key.1;
        return Err(fault::conflict(format!(
            "Documentation part already exists for the specified location: {location}."
        )));
    }
    let mut taken = ids(context, api);
    let made = put(context, key, (input.properties, &mut taken));
    check_bounds(context, api)?;
    Ok(made)
}

/// The ids of an API's parts.
pub(super) fn ids(context: &Context<'_>, api: ApiId) -> BTreeSet<DocumentationPartId> {
    of_api(context, api).map(|part| part.id).collect()
}

/// Puts a part at its location, by an id that no other part of the API has.
pub(super) fn put(
    context: &mut Context<'_>,
    key: DocumentationPartKey,
    (properties, taken): (String, &mut BTreeSet<DocumentationPartId>),
) -> shapes::DocumentationPart {
    let id = context.fresh(DocumentationPartId::from_bits, |_, id| taken.contains(id));
    taken.insert(id);
    let (api, location) = key.clone();
    let part = DocumentationPart { id, api, location, properties };
    let shown = render(&part);
    context.edit().documentation_parts.insert(key, part);
    shown
}

/// Refuses a draft in which an API has more parts than it may, or they say more.
pub(super) fn check_bounds(context: &Context<'_>, api: ApiId) -> Result<(), Fault> {
    let count = of_api(context, api).count();
    if context.settings.quotas && count > PARTS_QUOTA {
        return Err(fault::too_many("Maximum number of Documentation parts for this API has been reached"));
    }
    if count > PARTS_MAX {
        return Err(fault::bad_request(format!("An API can have at most {PARTS_MAX} documentation parts")));
    }
    check_size(context, api)
}

/// Refuses a draft in which the parts of an API say more than they may.
fn check_size(context: &Context<'_>, api: ApiId) -> Result<(), Fault> {
    let sizes = || of_api(context, api).map(|part| part.properties.len());
    if sizes().any(|bytes| bytes > PART_BYTES_MAX) {
        return Err(fault::bad_request(format!("A documentation part can have at most {PART_BYTES_MAX} bytes")));
    }
    if sizes().sum::<usize>() > PARTS_BYTES_MAX {
        let text = format!("The documentation parts of an API can have at most {PARTS_BYTES_MAX} bytes");
        return Err(fault::bad_request(text));
    }
    Ok(())
}

/// Where a request means. AWS's words for what is no location are not known.
pub(super) fn located(input: shapes::DocumentationPartLocation) -> Result<DocumentationLocation, Fault> {
    let wanted = input.type_;
    let unknown = |_| fault::bad_request(format!("Invalid documentation part location: type '{wanted}'"));
    let kind: DocumentedKind = wanted.parse().map_err(unknown)?;
    let said = Said { path: input.path, method: input.method, status: input.status_code, name: input.name };
    DocumentationLocation::new(kind, said).map_err(|why| {
        let why = match why {
            NoLocation::Foreign(member) => format!("{member} is not a valid field for type '{wanted}'"),
            NoLocation::Nameless => format!("name is required for type '{wanted}'"),
            NoLocation::Malformed(member) => format!("invalid {member}"),
        };
        fault::bad_request(format!("Invalid documentation part location: {why}"))
    })
}

/// What a part says, which is a map.
pub(in crate::ops::apigateway) fn checked(properties: &str) -> Result<Map<String, Value>, Fault> {
    serde_json::from_str(properties).map_err(|_| no_map())
}

pub(super) fn no_map() -> Fault {
    fault::bad_request("Invalid documentation part properties: they must be a JSON object")
}

/// The parts of an API, in the order of their locations.
pub(super) fn of_api<'c>(context: &'c Context<'_>, api: ApiId) -> impl Iterator<Item = &'c Arc<DocumentationPart>> {
    let parts = context.estate().documentation_parts.from((api, DocumentationLocation::API));
    parts.take_while(move |((of, _), _)| *of == api).map(|(_, part)| part)
}

fn known<'c>(context: &'c Context<'_>, api: ApiId, id: &str) -> Result<&'c Arc<DocumentationPart>, Fault> {
    let id: DocumentationPartId = id.parse().map_err(|_| no_part())?;
    of_api(context, api).find(|part| part.id == id).ok_or_else(no_part)
}

fn no_part() -> Fault {
    fault::not_found("Invalid Documentation part identifier specified")
}

/// The API of a part: where it is not there, the part is not (recorded, 2024-04).
fn api_of(context: &Context<'_>, api: &str) -> Result<ApiId, Fault> {
    known_api(context, api).map_err(|_| no_part())
}

pub(in crate::ops::apigateway) fn get(
    context: &Context<'_>,
    api: &str,
    id: &str,
) -> Result<shapes::DocumentationPart, Fault> {
    known(context, api_of(context, api)?, id).map(|part| render(part))
}

/// The parts that are asked for, in the order of their locations.
pub(in crate::ops::apigateway) fn list(
    context: &Context<'_>,
    input: &shapes::GetDocumentationPartsRequest,
) -> Result<Vec<shapes::DocumentationPart>, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    let is = |wanted: &Option<String>, value: Option<&str>| wanted.is_none() || wanted.as_deref() == value;
    let meant = |part: &&Arc<DocumentationPart>| {
        let location = &part.location;
        let named =
            input.name_query.as_deref().is_none_or(|start| location.name().unwrap_or_default().starts_with(start));
        let documented = checked(&part.properties).is_ok_and(|properties| !properties.is_empty());
        let status = match input.location_status.as_deref() {
            Some("DOCUMENTED") => documented,
            Some("UNDOCUMENTED") => !documented,
            _ => true,
        };
        is(&input.type_, Some(location.kind().as_str())) && is(&input.path, location.path()) && named && status
    };
    Ok(of_api(context, api).filter(meant).map(|part| render(part)).collect())
}

pub(in crate::ops::apigateway) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateDocumentationPartRequest,
) -> Result<shapes::DocumentationPart, Fault> {
    let api = api_of(context, &input.rest_api_id)?;
    let mut part = DocumentationPart::clone(known(context, api, &input.documentation_part_id)?);
    PATHS.apply(context, &mut part, input.patch_operations)?;
    let shown = render(&part);
    context.edit().documentation_parts.insert((api, part.location.clone()), part);
    check_size(context, api)?;
    Ok(shown)
}

const PATHS: Table<DocumentationPart> = Table {
    rules: &[Rule::new("/properties", REPLACE, |_, part, change| {
        checked(change.text())?;
        part.properties = change.text().to_owned();
        Ok(())
    })],
    sentence: Sentence::Listed,
};

/// Deletes a part. An unknown API is named here, and there alone (recorded, 2024-04).
pub(in crate::ops::apigateway) fn delete(context: &mut Context<'_>, api: &str, id: &str) -> Result<(), Fault> {
    let api = known_api(context, api)?;
    let location = known(context, api, id)?.location.clone();
    context.edit().documentation_parts.remove(&(api, location));
    Ok(())
}

fn render(part: &DocumentationPart) -> shapes::DocumentationPart {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let location = &part.location;
    shapes::DocumentationPart {
        id: Some(part.id.to_string()),
        location: Some(shapes::DocumentationPartLocation {
            method: owned(location.method()),
            name: owned(location.name()),
            path: owned(location.path()),
            status_code: owned(location.status()),
            type_: location.kind().as_str().to_owned(),
        }),
        properties: Some(part.properties.clone()),
    }
}
