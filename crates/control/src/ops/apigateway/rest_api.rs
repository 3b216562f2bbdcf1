//! REST APIs themselves. A new one has a root resource and two models (REST API reference, "RestApi", 2026-11).

use topology::id::{ApiId, ModelId, ResourceId};
use topology::resource::rest_api::{ApiKeySource, EndpointType, Model, Resource, RestApi};
use topology::time::Moment;
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{ENTRY, MEMBER, Op, REPLACE, Rule, Sentence, Table};
use super::{fault, known_api, resource_policy, seconds};
use crate::context::Context;
use crate::ops::gateway_common::api_parts::{self, remove_of_api};
use crate::ops::gateway_common::{api_id, tags};

/// Bytes of `minimumCompressionSize`, at most (REST API reference, 2026-11).
const COMPRESSION_BYTES_MAX: i64 = 10_485_760;

const ENDPOINT_TYPES: [(&str, EndpointType); 3] =
    [("REGIONAL", EndpointType::Regional), ("EDGE", EndpointType::Edge), ("PRIVATE", EndpointType::Private)];
const KEY_SOURCES: [(&str, ApiKeySource); 2] =
    [("HEADER", ApiKeySource::Header), ("AUTHORIZER", ApiKeySource::Authorizer)];
const ADDRESS_TYPES: [&str; 2] = ["ipv4", "dualstack"];

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateRestApiRequest) -> Result<shapes::RestApi, Fault> {
    let id = api_id::wanted(context, input.tags.as_ref())?;
    let root = ResourceId::root_from_bits(context.mint.bits());
    let api = checked(input, (id, root, context.now))?;
    let shown = render(&api);
    let (estate, mint) = context.edit_with_mint();
    for (name, description, schema) in PRESET_MODELS {
        let model = Model {
            id: ModelId::from_bits(mint.bits()),
            api: id,
            name: name.to_owned(),
            description: Some(description.to_owned()),
            content_type: "application/json".to_owned(),
            schema: schema.to_owned(),
        };
        estate.models.insert((id, name.to_owned()), model);
    }
    estate.rest_apis.insert(id, api);
    estate.resources.insert((id, root), Resource { id: root, api: id, below: None, methods: Default::default() });
    Ok(without_empty_tags(shown))
}

/// An API as a request describes it.
pub(super) fn checked(
    input: shapes::CreateRestApiRequest,
    (id, root, created): (ApiId, ResourceId, Moment),
) -> Result<RestApi, Fault> {
    if input.description.as_deref() == Some("") {
        return Err(fault::bad_request("Description cannot be an empty string"));
    }
    let (endpoint_type, ip_address_type) = endpoint(input.endpoint_configuration.unwrap_or_default())?;
    let minimum_compression_size = input.minimum_compression_size.map(compression).transpose()?;
    let policy =
        input.policy.filter(|text| !text.is_empty()).map(|text| resource_policy::checked(&text)).transpose()?;
    let source = input.api_key_source.as_deref();
    Ok(RestApi {
        id,
        name: checked_name(input.name)?,
        description: input.description,
        version: input.version,
        root,
        api_key_source: KEY_SOURCES.iter().find(|(text, _)| Some(*text) == source).map(|(_, s)| *s).unwrap_or_default(),
        binary_media_types: input.binary_media_types.unwrap_or_default(),
        minimum_compression_size,
        policy,
        endpoint_type,
        ip_address_type,
        disable_execute_api_endpoint: input.disable_execute_api_endpoint.unwrap_or(false),
        created,
        tags: tags::checked(input.tags.unwrap_or_default())?,
    })
}

/// The models of a new API: name, description and schema as AWS makes them (recorded, 2026-03).
const PRESET_MODELS: [(&str, &str, &str); 2] = [
    (
        "Empty",
        "This is a default empty schema model",
        "{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty Schema\",\n  \"type\" : \"object\"\n}",
    ),
    (
        "Error",
        "This is a default error schema model",
        "{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Error Schema\",\n  \"type\" : \"object\",\n  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}",
    ),
];

fn checked_name(name: String) -> Result<String, Fault> {
    if name.trim().is_empty() { Err(fault::bad_request("API name must be non-empty")) } else { Ok(name) }
}

/// The one endpoint type, and the address type that goes with it.
fn endpoint(input: shapes::EndpointConfiguration) -> Result<(EndpointType, String), Fault> {
    let kind = match input.types.as_deref() {
        None => EndpointType::Edge,
        Some([]) => {
            let text = "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.";
            return Err(fault::bad_request(text));
        }
        Some([only]) => endpoint_type(only)?,
        Some(_) => return Err(fault::bad_request("Cannot create an api with multiple Endpoint Types.")),
    };
    let addresses = input.ip_address_type.unwrap_or_else(|| default_addresses(kind).to_owned());
    check_addresses(kind, &addresses)?;
    Ok((kind, addresses))
}

fn endpoint_type(text: &str) -> Result<EndpointType, Fault> {
    let known = ENDPOINT_TYPES.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
    known.ok_or_else(|| fault::bad_request("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE"))
}

const fn default_addresses(kind: EndpointType) -> &'static str {
    match kind {
        EndpointType::Private => "dualstack",
        EndpointType::Edge | EndpointType::Regional => "ipv4",
    }
}

fn check_addresses(kind: EndpointType, addresses: &str) -> Result<(), Fault> {
    if !ADDRESS_TYPES.contains(&addresses) {
        return Err(fault::bad_request("ipAddressType must be either ipv4 or dualstack."));
    }
    if kind == EndpointType::Private && addresses != default_addresses(kind) {
        return Err(fault::bad_request("Only dualstack ipAddressType is supported for Private APIs."));
    }
    Ok(())
}

fn compression(bytes: i64) -> Result<u32, Fault> {
    let fits = (0..=COMPRESSION_BYTES_MAX).contains(&bytes);
    let text = "Invalid minimum compression size, must be between 0 and 10485760";
    u32::try_from(bytes).ok().filter(|_| fits).ok_or_else(|| fault::bad_request(text))
}

pub(super) fn get(context: &Context<'_>, api: &str) -> Result<shapes::RestApi, Fault> {
    let id = known_api(context, api)?;
    context.estate().rest_apis.get(&id).map(|api| render(api)).ok_or_else(|| fault::no_api(context, api))
}

/// An API as the answer that makes it shows it.
pub(super) fn shown_when_made(context: &Context<'_>, id: ApiId) -> Result<shapes::RestApi, Fault> {
    get(context, id.as_str()).map(without_empty_tags)
}

/// Without tags there is no member, but where one API is asked for or changed (recorded, 2026-03).
fn without_empty_tags(shown: shapes::RestApi) -> shapes::RestApi {
    shapes::RestApi { tags: shown.tags.filter(|tags| !tags.is_empty()), ..shown }
}

pub(super) fn list(context: &Context<'_>) -> Vec<shapes::RestApi> {
    context.estate().rest_apis.values().map(|api| without_empty_tags(render(api))).collect()
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateRestApiRequest) -> Result<shapes::RestApi, Fault> {
    let id = known_api(context, &input.rest_api_id)?;
    let before = context.estate().rest_apis.get(&id);
    let mut api = before.map(|api| RestApi::clone(api)).ok_or_else(|| fault::no_api(context, &input.rest_api_id))?;
    PATHS.apply(context, &mut api, input.patch_operations)?;
    check_addresses(api.endpoint_type, &api.ip_address_type)?;
    let shown = render(&api);
    context.edit().rest_apis.insert(id, api);
    Ok(shown)
}

const PATHS: Table<RestApi> = Table {
    rules: &[
        Rule::new("/name", REPLACE, |_, api, change| {
            api.name = checked_name(change.text().to_owned())?;
            Ok(())
        }),
        Rule::new("/description", REPLACE, |_, api, change| {
            api.description = change.optional();
            Ok(())
        }),
        Rule::new("/version", REPLACE, |_, api, change| {
            api.version = change.optional();
            Ok(())
        }),
        Rule::new("/policy", REPLACE, |_, api, change| {
            api.policy = change.optional().map(|text| resource_policy::checked(&text)).transpose()?;
            Ok(())
        }),
        Rule::new("/apiKeySource", REPLACE, |_, api, change| {
            api.api_key_source = change.one_of(&KEY_SOURCES)?;
            Ok(())
        }),
        Rule::new("/minimumCompressionSize", REPLACE, |_, api, change| {
            // What is no number fits no more than one that is too large (recorded, 2026-03).
            let size = change.optional().map(|text| text.parse().unwrap_or(-1));
            api.minimum_compression_size = size.map(compression).transpose()?;
            Ok(())
        }),
        Rule::new("/disableExecuteApiEndpoint", REPLACE, |_, api, change| {
            api.disable_execute_api_endpoint = change.flag();
            Ok(())
        }),
        Rule::new("/binaryMediaTypes/{type}", ENTRY, |_, api, change| {
            let known = api.binary_media_types.iter().position(|known| known == change.key());
            match (change.op, known) {
                (Op::Replace, None) => return Err(change.invalid()),
                // The value goes to the end, not to the place of the path's type (recorded, 2026-03).
                (Op::Replace, Some(at)) => {
                    api.binary_media_types.remove(at);
                    api.binary_media_types.push(change.text().to_owned());
                }
                _ => change.edit_list(&mut api.binary_media_types, change.key()),
            }
            Ok(())
        }),
        Rule::new("/endpointConfiguration/types/{type}", ENTRY, |_, api, change| {
            if change.op != Op::Replace {
                let text = "Invalid patch operation specified. Must be 'add'|'remove'|'replace'";
                return Err(fault::bad_request(text));
            }
            // The one type there is, by its place in the list or by its name.
            if change.key() != "0" && endpoint_type(change.key())? != api.endpoint_type {
                return Err(change.invalid());
            }
            api.endpoint_type = endpoint_type(change.text())?;
            if api.endpoint_type == EndpointType::Private {
                api.ip_address_type = default_addresses(api.endpoint_type).to_owned();
            }
            Ok(())
        }),
        Rule::new("/endpointConfiguration/ipAddressType", REPLACE, |_, api, change| {
            check_addresses(api.endpoint_type, change.text())?;
            api.ip_address_type = change.text().to_owned();
            Ok(())
        }),
        Rule::new("/endpointConfiguration/vpcEndpointIds", MEMBER, |_, _, _| {
            Err(fault::unsupported("endpointConfiguration.vpcEndpointIds"))
        }),
    ],
    sentence: Sentence::Plain,
};

pub(super) fn delete(context: &mut Context<'_>, api: &str) -> Result<(), Fault> {
    let id = known_api(context, api)?;
    api_parts::refuse_mapped(context, id)?;
    forget(context, id);
    Ok(())
}

/// Takes an API away with everything that is part of it.
fn forget(context: &mut Context<'_>, id: ApiId) {
    let estate = context.edit();
    estate.rest_apis.remove(&id);
    remove_of_api!(estate, id, resources models request_validators rest_authorizers gateway_responses documentation_parts documentation_versions rest_deployments rest_stages);
    super::forget_stages(estate, |(api, _)| *api == id);
}

fn render(api: &RestApi) -> shapes::RestApi {
    let named = |text: &str| Some(text.to_owned());
    let endpoint = ENDPOINT_TYPES.iter().find(|(_, kind)| *kind == api.endpoint_type).map(|(text, _)| *text);
    let source = KEY_SOURCES.iter().find(|(_, source)| *source == api.api_key_source).map(|(text, _)| *text);
    shapes::RestApi {
        api_key_source: source.and_then(named),
        binary_media_types: Some(api.binary_media_types.clone()).filter(|types| !types.is_empty()),
        created_date: Some(seconds(api.created)),
        description: api.description.clone(),
        disable_execute_api_endpoint: Some(api.disable_execute_api_endpoint),
        endpoint_configuration: Some(shapes::EndpointConfiguration {
            ip_address_type: named(&api.ip_address_type),
            types: endpoint.map(|text| vec![text.to_owned()]),
        }),
        id: Some(api.id.to_string()),
        minimum_compression_size: api.minimum_compression_size.map(i64::from),
        name: named(&api.name),
        // AWS answers the document as the inside of a JSON string: every quote has its backslash.
        policy: api.policy.as_ref().map(|policy| policy.as_str().replace('\\', "\\\\").replace('"', "\\\"")),
        root_resource_id: Some(api.root.to_string()),
        tags: Some(api.tags.clone()),
        version: api.version.clone(),
        warnings: None,
    }
}
