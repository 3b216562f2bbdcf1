//! HTTP APIs.

use topology::id::{ApiId, IntegrationId, RouteId, StageName};
use topology::resource::http_api::{Api, Authorization, Cors, Integration, IntegrationConnection, Route, Stage};
use topology::snapshot::routes::RouteKey;
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{DESCRIPTION_CHARS, NAME_CHARS, VERSION_CHARS};
use super::{check_length, deployment, fault, known_api, seconds, tags};
use crate::context::Context;
use crate::ops::gateway_common::api_id;
use crate::ops::gateway_common::api_parts::{self, remove_of_api};

/// The only route selection that an HTTP API has, in its two spellings; it is answered as it was given, and in the first one where
/// none was (recorded, 2026-03).
const ROUTE_SELECTIONS: [&str; 2] = ["$request.method $request.path", "${request.method} ${request.path}"];
/// What AWS answers although an HTTP API has no keys.
const API_KEY_SELECTION: &str = "$request.header.x-api-key";

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateApiRequest) -> Result<shapes::Api, Fault> {
    if input.protocol_type != "HTTP" {
        return Err(fault::unsupported("protocolType WEBSOCKET"));
    }
    check_lengths(Some(&input.name), input.description.as_deref(), input.version.as_deref())?;
    let route_selection_expression = selection(input.route_selection_expression, ROUTE_SELECTIONS[0])?;
    let quick = quick_create(input.target.as_deref(), input.route_key.as_deref())?;
    let id = api_id::wanted(context, input.tags.as_ref())?;
    let api = Api {
        id,
        name: input.name,
        description: input.description,
        version: input.version,
        cors: input.cors_configuration.map(cors).transpose()?,
        disable_execute_api_endpoint: input.disable_execute_api_endpoint.unwrap_or(false),
        ip_address_type: input.ip_address_type.unwrap_or_else(|| "ipv4".to_owned()),
        route_selection_expression,
        api_key_selection_expression: input
            .api_key_selection_expression
            .unwrap_or_else(|| API_KEY_SELECTION.to_owned()),
        created: context.now,
        tags: tags::checked(input.tags.unwrap_or_default())?,
    };
    context.edit().apis.insert(id, api);
    if let Some((uri, key)) = quick {
        furnish(context, id, uri, key);
    }
    get(context, &id.to_string())
}

fn check_lengths(name: Option<&str>, description: Option<&str>, version: Option<&str>) -> Result<(), Fault> {
    check_length("name", name, NAME_CHARS)?;
    check_length("description", description, DESCRIPTION_CHARS)?;
    check_length("version", version, VERSION_CHARS)
}

fn selection(wanted: Option<String>, before: &str) -> Result<String, Fault> {
    match wanted {
        None => Ok(before.to_owned()),
        Some(given) if ROUTE_SELECTIONS.contains(&given.as_str()) => Ok(given),
        Some(_) => {
            let [only, _] = ROUTE_SELECTIONS;
            Err(fault::bad_request(format!("The RouteSelectionExpression for HTTP APIs must be {only}")))
        }
    }
}

fn quick_create(target: Option<&str>, key: Option<&str>) -> Result<Option<(String, RouteKey)>, Fault> {
    let Some(target) = target else {
        return match key {
            None => Ok(None),
            Some(_) => Err(fault::bad_request("RouteKey can only be specified with Target")),
        };
    };
    if !target.starts_with("http://") && !target.starts_with("https://") {
        return Err(fault::unsupported("a target other than an HTTP URL"));
    }
    let key = key.unwrap_or("$default").parse().map_err(|_| fault::bad_request("Invalid route key"))?;
    Ok(Some((target.to_owned(), key)))
}

/// Makes the integration, route and stage of a quick create.
fn furnish(context: &mut Context<'_>, api: ApiId, uri: String, key: RouteKey) {
    let now = context.now;
    let integration = context.fresh(IntegrationId::from_bits, |estate, id| estate.integrations.contains(id));
    let route = context.fresh(RouteId::from_bits, |estate, id| estate.routes.contains(id));
    let estate = context.edit();
    let made = Integration {
        id: integration,
        api,
        connection: IntegrationConnection::Internet,
        uri,
        method: "ANY".to_owned(),
        payload_format_version: "1.0".to_owned(),
        timeout_ms: 30_000,
        request_parameters: Default::default(),
        response_parameters: Default::default(),
        tls_server_name: None,
        description: None,
        managed: true,
    };
    estate.integrations.insert(integration, made);
    let authorization = Authorization::None;
    let made =
        Route { id: route, api, key, authorization, target: Some(integration), operation_name: None, managed: true };
    estate.routes.insert(route, made);
    let stage = Stage {
        api,
        name: StageName::at_root(),
        auto_deploy: true,
        deployment: None,
        description: None,
        variables: Default::default(),
        access_log: None,
        default_route_settings: None,
        route_settings: Default::default(),
        last_deployment_status: None,
        created: now,
        updated: now,
        managed: true,
        tags: Default::default(),
    };
    estate.stages.insert((api, stage.name.clone()), stage);
    deployment::after_change(context, api);
}

pub(super) fn get(context: &Context<'_>, api: &str) -> Result<shapes::Api, Fault> {
    let id = known_api(context, api)?;
    let api = context.estate().apis.get(&id).ok_or_else(|| fault::not_found("API", api))?;
    Ok(render(context, api))
}

pub(super) fn list(context: &Context<'_>) -> Vec<shapes::Api> {
    context.estate().apis.values().map(|api| render(context, api)).collect()
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateApiRequest) -> Result<shapes::Api, Fault> {
    let id = known_api(context, &input.api_id)?;
    check_lengths(input.name.as_deref(), input.description.as_deref(), input.version.as_deref())?;
    let before = context.estate().apis.get(&id).map(|api| api.route_selection_expression.clone());
    let selection = selection(input.route_selection_expression, &before.unwrap_or_default())?;
    if input.target.is_some() || input.route_key.is_some() {
        return Err(fault::unsupported("updating a quick create by Target or RouteKey"));
    }
    let cors = input.cors_configuration.map(cors).transpose()?;
    if let Some(api) = context.edit().apis.edit(&id) {
        api.route_selection_expression = selection;
        api.name = input.name.unwrap_or_else(|| api.name.clone());
        api.description = input.description.or_else(|| api.description.take()).filter(|text| !text.is_empty());
        api.version = input.version.or_else(|| api.version.take()).filter(|text| !text.is_empty());
        api.cors = cors.or_else(|| api.cors.take());
        api.disable_execute_api_endpoint =
            input.disable_execute_api_endpoint.unwrap_or(api.disable_execute_api_endpoint);
        api.ip_address_type = input.ip_address_type.unwrap_or_else(|| api.ip_address_type.clone());
        if let Some(expression) = input.api_key_selection_expression {
            api.api_key_selection_expression = expression;
        }
    }
    deployment::after_change(context, id);
    get(context, &input.api_id)
}

pub(super) fn delete(context: &mut Context<'_>, api: &str) -> Result<(), Fault> {
    let id = known_api(context, api)?;
    api_parts::refuse_mapped(context, id)?;
    let estate = context.edit();
    estate.apis.remove(&id);
    remove_of_api!(estate, id, routes integrations authorizers stages deployments);
    Ok(())
}

pub(super) fn delete_cors(context: &mut Context<'_>, api: &str) -> Result<(), Fault> {
    let id = known_api(context, api)?;
    if let Some(api) = context.edit().apis.edit(&id) {
        api.cors = None;
    }
    deployment::after_change(context, id);
    Ok(())
}

/// Checks a CORS configuration (HTTP API developer guide, "Configure CORS for HTTP APIs", 2026-11).
fn cors(input: shapes::Cors) -> Result<Cors, Fault> {
    let origins = input.allow_origins.as_deref().unwrap_or_default();
    for origin in origins {
        let scheme = origin.split_once("://");
        let exact = scheme.is_some_and(|(scheme, host)| !scheme.is_empty() && !host.is_empty() && !host.contains('/'));
        let partial = origin.contains('*') && !["*", "https://*", "http://*"].contains(&origin.as_str());
        if origin != "*" && !exact || partial {
            return Err(fault::bad_request(format!("Invalid format for origin: {origin}")));
        }
    }
    if input.allow_credentials == Some(true) && origins.iter().any(|origin| origin == "*") {
        return Err(fault::bad_request("allowCredentials is not supported for allowOrigins *"));
    }
    if input.max_age.is_some_and(|age| !(-1..=86_400).contains(&age)) {
        return Err(fault::bad_request("maxAge must be between -1 and 86400"));
    }
    Ok(Cors {
        allow_credentials: input.allow_credentials,
        allow_headers: input.allow_headers,
        allow_methods: input.allow_methods,
        allow_origins: input.allow_origins,
        expose_headers: input.expose_headers,
        max_age_s: input.max_age,
    })
}

fn render(context: &Context<'_>, api: &Api) -> shapes::Api {
    let cors = api.cors.clone().map(|cors| shapes::Cors {
        allow_credentials: cors.allow_credentials,
        allow_headers: cors.allow_headers,
        allow_methods: cors.allow_methods,
        allow_origins: cors.allow_origins,
        expose_headers: cors.expose_headers,
        max_age: cors.max_age_s,
    });
    shapes::Api {
        import_info: None,
        warnings: None,
        api_endpoint: Some(format!("https://{}.execute-api.{}.amazonaws.com", api.id, context.region())),
        api_gateway_managed: None,
        api_id: Some(api.id.to_string()),
        api_key_selection_expression: Some(api.api_key_selection_expression.clone()),
        cors_configuration: cors,
        created_date: Some(seconds(api.created)),
        description: api.description.clone(),
        disable_execute_api_endpoint: Some(api.disable_execute_api_endpoint),
        ip_address_type: Some(api.ip_address_type.clone()),
        name: api.name.clone(),
        protocol_type: "HTTP".to_owned(),
        route_selection_expression: api.route_selection_expression.clone(),
        tags: Some(api.tags.clone()),
        version: api.version.clone(),
    }
}
