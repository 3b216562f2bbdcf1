//! Resources: the tree of an API's paths (REST API reference, "Resource"; REST API developer guide, "Resources", 2026-11).

use std::collections::BTreeMap;
use std::sync::Arc;

use topology::id::{ApiId, ResourceId};
use topology::resource::rest_api::Resource;
use topology::snapshot::routes::{RouteKey, Segment};
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{REPLACE, Rule, Sentence, Table};
use super::{fault, known_api, method};
use crate::context::Context;

/// Resources of an API: 300 by AWS's default quota (REST API quotas, 2026-11).
const RESOURCES_MAX: usize = 300;
/// Segments of a path, so that no walk up the tree is long. AWS documents no bound.
const DEPTH_MAX: usize = topology::snapshot::routes::SEGMENTS_MAX;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateResourceRequest,
) -> Result<shapes::Resource, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    let parent = known(context, api, &input.parent_id)?.id;
    let part = path_part(&input.path_part)?;
    check_place(context, api, (None, parent, &part))?;
    if context.settings.quotas && of_api(context, api).count() >= RESOURCES_MAX {
        return Err(fault::too_many(
            "Maximum number of resources for this API has been reached. Please contact AWS if you need additional resources.",
        ));
    }
    let id = context.fresh(ResourceId::from_bits, |estate, id| estate.resources.contains(&(api, *id)));
    let made = Resource { id, api, below: Some((parent, part)), methods: BTreeMap::new() };
    context.edit().resources.insert((api, id), made);
    get(context, &input.rest_api_id, &id.to_string(), None)
}

/// A path part: a literal, `{name}` or `{name+}`.
fn path_part(text: &str) -> Result<Segment, Fault> {
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:$~,@".contains(&b));
    let part = text.parse().ok().filter(|part| match part {
        Segment::Static(text) => plain(text),
        Segment::Variable(_) | Segment::Greedy(_) => true,
    });
    part.ok_or_else(|| {
        fault::bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.",
        )
    })
}

/// Whether `part` may stand below `parent`; `moved` is the resource that is about to, where it is there already.
fn check_place(context: &Context<'_>, api: ApiId, to: (Option<ResourceId>, ResourceId, &Segment)) -> Result<(), Fault> {
    let (moved, parent, part) = to;
    let estate = context.estate();
    let above = estate.resources.get(&(api, parent)).and_then(|resource| resource.below.as_ref());
    if let Some((_, greedy @ Segment::Greedy(_))) = above {
        return Err(fault::bad_request(format!(
            "Cannot create a child of a resource with a greedy path variable: {greedy}"
        )));
    }
    if lineage(context, api, parent).len() > DEPTH_MAX {
        return Err(too_deep());
    }
    let others = of_api(context, api).filter(|resource| Some(resource.id) != moved && is_below(resource, parent));
    let siblings: Vec<&Segment> = others.filter_map(|resource| resource.below.as_ref()).map(|(_, part)| part).collect();
    if siblings.iter().any(|sibling| sibling.is_like(part)) {
        let text = format!("Another resource with the same parent already has this name: {part}");
        return Err(fault::conflict(text));
    }
    let is_variable = |part: &Segment| !matches!(part, Segment::Static(_));
    match siblings.into_iter().find(|sibling| is_variable(part) && is_variable(sibling)) {
        Some(sibling) => Err(fault::bad_request(format!(
            "A sibling ({sibling}) of this resource already has a variable path part -- only one is allowed"
        ))),
        None => Ok(()),
    }
}

/// The resources of an API.
pub(super) fn of_api<'c>(context: &'c Context<'_>, api: ApiId) -> impl Iterator<Item = &'c Arc<Resource>> {
    // The lowest id there is.
    let first = (api, ResourceId::from_bits(0));
    context.estate().resources.from(first).take_while(move |((of, _), _)| *of == api).map(|(_, resource)| resource)
}

/// A resource of an API that exists.
pub(super) fn known<'c>(context: &'c Context<'_>, api: ApiId, id: &str) -> Result<&'c Arc<Resource>, Fault> {
    let found = id.parse().ok().and_then(|resource| context.estate().resources.get(&(api, resource)));
    found.ok_or_else(|| fault::no_resource(id))
}

/// A resource and everything above it, from itself up to the root.
fn lineage<'c>(context: &'c Context<'_>, api: ApiId, from: ResourceId) -> Vec<&'c Resource> {
    way_up(from, |id| context.estate().resources.get(&(api, id)).map(|resource| &**resource))
}

fn way_up<'r>(from: ResourceId, find: impl Fn(ResourceId) -> Option<&'r Resource>) -> Vec<&'r Resource> {
    std::iter::successors(find(from), |resource| resource.below.as_ref().and_then(|(above, _)| find(*above))).collect()
}

/// The path of a resource: `/` for the root, `/pets/{id}` for others.
pub(super) fn path(context: &Context<'_>, resource: &Resource) -> String {
    spell(&lineage(context, resource.api, resource.id))
}

/// The key of a resource's requests, whatever their method.
pub(super) fn key(context: &Context<'_>, resource: &Resource) -> RouteKey {
    let way = lineage(context, resource.api, resource.id);
    let parts = way.iter().rev().filter_map(|resource| resource.below.as_ref());
    let path: Vec<Segment> = parts.map(|(_, part)| part.clone()).collect();
    // The root is one empty segment.
    let path = if path.is_empty() { vec![Segment::Static(String::new())] } else { path };
    RouteKey::Path { method: None, path }
}

/// The path of a resource among those that were frozen.
pub(super) fn path_among(resources: &[Arc<Resource>], resource: &Resource) -> String {
    let find = |id| resources.iter().find(|known| known.id == id).map(|resource| &**resource);
    spell(&way_up(resource.id, find))
}

fn spell(way: &[&Resource]) -> String {
    let parts = way.iter().rev().filter_map(|resource| resource.below.as_ref());
    let path: String = parts.map(|(_, part)| format!("/{part}")).collect();
    if path.is_empty() { "/".to_owned() } else { path }
}

/// The API of a resource: where it is not there, the resource is not, as recorded of methods and integrations (2026-03).
fn api_of(context: &Context<'_>, api: &str, id: &str) -> Result<ApiId, Fault> {
    known_api(context, api).map_err(|_| fault::no_resource(id))
}

pub(super) fn get(
    context: &Context<'_>,
    api: &str,
    id: &str,
    embed: Option<&[String]>,
) -> Result<shapes::Resource, Fault> {
    let api = api_of(context, api, id)?;
    known(context, api, id).map(|resource| render(context, resource, embed))
}

pub(super) fn list(context: &Context<'_>, api: &str, embed: Option<&[String]>) -> Result<Vec<shapes::Resource>, Fault> {
    let api = known_api(context, api)?;
    Ok(of_api(context, api).map(|resource| render(context, resource, embed)).collect())
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateResourceRequest,
) -> Result<shapes::Resource, Fault> {
    let api = api_of(context, &input.rest_api_id, &input.resource_id)?;
    let mut resource = Resource::clone(known(context, api, &input.resource_id)?);
    PATHS.apply(context, &mut resource, input.patch_operations)?;
    if let Some((parent, part)) = &resource.below {
        check_place(context, api, (Some(resource.id), *parent, part))?;
        let has_children = of_api(context, api).any(|other| is_below(other, resource.id));
        if matches!(part, Segment::Greedy(_)) && has_children {
            let text = format!("Cannot create a child of a resource with a greedy path variable: {part}");
            return Err(fault::bad_request(text));
        }
    }
    context.edit().resources.insert((api, resource.id), resource);
    if of_api(context, api).any(|resource| lineage(context, api, resource.id).len() > DEPTH_MAX + 1) {
        return Err(too_deep());
    }
    get(context, &input.rest_api_id, &input.resource_id, None)
}

fn too_deep() -> Fault {
    fault::bad_request(format!("A resource path can have at most {DEPTH_MAX} parts"))
}

fn is_below(resource: &Resource, parent: ResourceId) -> bool {
    resource.below.as_ref().is_some_and(|(above, _)| *above == parent)
}

/// In the order in which AWS lists them.
const PATHS: Table<Resource> = Table {
    rules: &[
        Rule::new("/parentId", REPLACE, |context, resource, change| match &mut resource.below {
            None => Err(fault::bad_request("Root resource cannot update its parentId.")),
            Some((parent, _)) => {
                let wanted = known(context, resource.api, change.text())?.id;
                if lineage(context, resource.api, wanted).iter().any(|above| above.id == resource.id) {
                    return Err(fault::bad_request("Resources cannot be cyclical."));
                }
                *parent = wanted;
                Ok(())
            }
        }),
        Rule::new("/pathPart", REPLACE, |_, resource, change| match &mut resource.below {
            None => Err(fault::bad_request("Root resource cannot update its pathPart.")),
            Some((_, part)) => {
                *part = path_part(change.text())?;
                Ok(())
            }
        }),
    ],
    sentence: Sentence::Listed,
};

/// Deletes a resource with everything below it.
pub(super) fn delete(context: &mut Context<'_>, api: &str, id: &str) -> Result<(), Fault> {
    let api = api_of(context, api, id)?;
    let resource = known(context, api, id)?;
    if resource.below.is_none() {
        return Err(fault::bad_request("Root resource cannot be deleted."));
    }
    let top = resource.id;
    let gone: Vec<ResourceId> = of_api(context, api)
        .filter(|resource| lineage(context, api, resource.id).iter().any(|above| above.id == top))
        .map(|resource| resource.id)
        .collect();
    let estate = context.edit();
    for id in gone {
        estate.resources.remove(&(api, id));
    }
    Ok(())
}

/// Without `embed=methods` the methods are there by name only.
fn render(context: &Context<'_>, resource: &Resource, embed: Option<&[String]>) -> shapes::Resource {
    let whole = embed.is_some_and(|parts| parts.iter().any(|part| part == "methods"));
    let methods: BTreeMap<String, shapes::Method> = resource
        .methods
        .iter()
        .map(|(name, kept)| {
            let shown = if whole { method::render(*name, kept) } else { shapes::Method::default() };
            (name.to_string(), shown)
        })
        .collect();
    shapes::Resource {
        id: Some(resource.id.to_string()),
        parent_id: resource.below.as_ref().map(|(parent, _)| parent.to_string()),
        path: Some(path(context, resource)),
        path_part: resource.below.as_ref().map(|(_, part)| part.to_string()),
        resource_methods: Some(methods).filter(|methods| !methods.is_empty()),
    }
}
