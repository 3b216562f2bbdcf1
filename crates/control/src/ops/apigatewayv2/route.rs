//! Routes of an HTTP API.

use topology::id::{ApiId, AuthorizerId, IntegrationId, RouteId};
use topology::resource::http_api::{Authorization, Route};
use topology::snapshot::routes::RouteKey;
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{deployment, fault, known_api};
use crate::context::Context;

/// Scopes of a route: 10 at most (HTTP API quotas, 2026-11).
const SCOPES_MAX: usize = 10;

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateRouteRequest) -> Result<shapes::Route, Fault> {
    let api = known_api(context, &input.api_id)?;
    refuse_keys(input.api_key_required)?;
    let key = parse_key(&input.route_key)?;
    refuse_duplicate(context, api, &key, None)?;
    let wanted = WantedAuthorization {
        kind: input.authorization_type,
        authorizer: input.authorizer_id,
        scopes: input.authorization_scopes,
    };
    let authorization = wanted.resolve(context, api, &Authorization::None)?;
    let target = input.target.as_deref().map(|target| parse_target(context, api, target)).transpose()?;
    let id = context.fresh(RouteId::from_bits, |estate, id| estate.routes.contains(id));
    let route = Route { id, api, key, authorization, target, operation_name: input.operation_name, managed: false };
    context.edit().routes.insert(id, route);
    deployment::after_change(context, api);
    get(context, &input.api_id, &id.to_string())
}

fn refuse_keys(required: Option<bool>) -> Result<(), Fault> {
    match required {
        Some(true) => Err(fault::bad_request("API keys are not supported on protocolType HTTP")),
        _ => Ok(()),
    }
}

fn parse_key(text: &str) -> Result<RouteKey, Fault> {
    text.parse().map_err(|_| {
        fault::bad_request(format!(
            "The provided route key is not formatted properly for HTTP protocol. Format should be \"<HTTP METHOD> /<RESOURCE PATH>\" or \"$default\": {text}"
        ))
    })
}

fn refuse_duplicate(context: &Context<'_>, api: ApiId, key: &RouteKey, own: Option<RouteId>) -> Result<(), Fault> {
    let taken = context.estate().routes.of(api).any(|route| route.key.is_like(key) && Some(route.id) != own);
    if taken {
        return Err(fault::conflict(format!("Route with key {key} already exists for this API")));
    }
    Ok(())
}

fn parse_target(context: &Context<'_>, api: ApiId, target: &str) -> Result<IntegrationId, Fault> {
    let id = target.strip_prefix("integrations/").and_then(|id| id.parse::<IntegrationId>().ok());
    id.filter(|id| context.estate().integrations.get(id).is_some_and(|integration| integration.api == api)).ok_or_else(
        || {
            fault::bad_request(format!(
                "Invalid target: {target}. It must be integrations/ and the id of an integration of this API"
            ))
        },
    )
}

/// What a request says of a route's authorization.
struct WantedAuthorization {
    kind: Option<String>,
    authorizer: Option<String>,
    scopes: Option<Vec<String>>,
}

impl WantedAuthorization {
    fn resolve(self, context: &Context<'_>, api: ApiId, before: &Authorization) -> Result<Authorization, Fault> {
        let kind = self.kind.as_deref().unwrap_or_else(|| kind_of(before));
        let (known, known_scopes) = match before {
            Authorization::Jwt { authorizer, scopes } => (Some(*authorizer), scopes.clone()),
            Authorization::Custom { authorizer } => (Some(*authorizer), Vec::new()),
            Authorization::None | Authorization::AwsIam => (None, Vec::new()),
        };
        let scopes = self.scopes.unwrap_or(known_scopes);
        if kind != "JWT" && !scopes.is_empty() {
            return Err(fault::bad_request(
                "Invalid Route authorization type specified. Authorization Scopes are only valid for COGNITO_USER_POOLS and JWT authorization types",
            ));
        }
        if matches!(kind, "NONE" | "AWS_IAM") && self.authorizer.as_deref().is_some_and(|id| !id.is_empty()) {
            return Err(fault::bad_request(format!("Authorizer Id is not applicable to authorization type {kind}")));
        }
        match kind {
            "NONE" => Ok(Authorization::None),
            "AWS_IAM" => Ok(Authorization::AwsIam),
            "JWT" if scopes.len() > SCOPES_MAX => {
                Err(fault::bad_request("A route can have at most 10 authorization scopes"))
            }
            "JWT" => {
                let authorizer = match self.authorizer.as_deref().filter(|id| !id.is_empty()) {
                    Some(id) => known_authorizer(context, api, id)?,
                    None => known
                        .ok_or_else(|| fault::bad_request("Authorizer Id is required for JWT authorization type"))?,
                };
                Ok(Authorization::Jwt { authorizer, scopes })
            }
            _ => Err(fault::unsupported("authorizationType CUSTOM (a Lambda authorizer)")),
        }
    }
}

fn known_authorizer(context: &Context<'_>, api: ApiId, id: &str) -> Result<AuthorizerId, Fault> {
    let known = id.parse().ok().filter(|id| context.estate().authorizers.get(id).is_some_and(|a| a.api == api));
    known.ok_or_else(|| fault::bad_request(format!("Invalid authorizer id: {id}")))
}

fn known_route(context: &Context<'_>, api: ApiId, id: &str) -> Result<RouteId, Fault> {
    let known = id.parse().ok().filter(|id| context.estate().routes.get(id).is_some_and(|route| route.api == api));
    known.ok_or_else(|| fault::not_found("Route", id))
}

pub(super) fn get(context: &Context<'_>, api: &str, id: &str) -> Result<shapes::Route, Fault> {
    let route = known_route(context, known_api(context, api)?, id)?;
    context.estate().routes.get(&route).map(|route| render(route)).ok_or_else(|| fault::not_found("Route", id))
}

pub(super) fn list(context: &Context<'_>, api: &str) -> Result<Vec<shapes::Route>, Fault> {
    let api = known_api(context, api)?;
    Ok(context.estate().routes.of(api).map(|route| render(route)).collect())
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateRouteRequest) -> Result<shapes::Route, Fault> {
    let api = known_api(context, &input.api_id)?;
    let id = known_route(context, api, &input.route_id)?;
    let before = context.estate().routes.get(&id).cloned().ok_or_else(|| fault::not_found("Route", &input.route_id))?;
    refuse_keys(input.api_key_required)?;
    let key = input.route_key.as_deref().map_or_else(|| Ok(before.key.clone()), parse_key)?;
    refuse_duplicate(context, api, &key, Some(id))?;
    let wanted = WantedAuthorization {
        kind: input.authorization_type,
        authorizer: input.authorizer_id,
        scopes: input.authorization_scopes,
    };
    let authorization = wanted.resolve(context, api, &before.authorization)?;
    let target = match input.target.as_deref() {
        None => before.target,
        Some("") => None,
        Some(target) => Some(parse_target(context, api, target)?),
    };
    if let Some(route) = context.edit().routes.edit(&id) {
        route.key = key;
        route.authorization = authorization;
        route.target = target;
        route.operation_name = input.operation_name.or_else(|| route.operation_name.take()).filter(|n| !n.is_empty());
    }
    deployment::after_change(context, api);
    get(context, &input.api_id, &input.route_id)
}

pub(super) fn delete(context: &mut Context<'_>, api: &str, id: &str) -> Result<(), Fault> {
    let api = known_api(context, api)?;
    let id = known_route(context, api, id)?;
    context.edit().routes.remove(&id);
    deployment::after_change(context, api);
    Ok(())
}

/// Only WebSocket routes have request parameters, so there is never one to delete.
pub(super) fn delete_request_parameter(
    context: &Context<'_>,
    input: &shapes::DeleteRouteRequestParameterRequest,
) -> Result<(), Fault> {
    known_route(context, known_api(context, &input.api_id)?, &input.route_id)?;
    Err(fault::not_found("RequestParameter", &input.request_parameter_key))
}

fn kind_of(authorization: &Authorization) -> &'static str {
    match authorization {
        Authorization::None => "NONE",
        Authorization::AwsIam => "AWS_IAM",
        Authorization::Jwt { .. } => "JWT",
        Authorization::Custom { .. } => "CUSTOM",
    }
}

fn render(route: &Route) -> shapes::Route {
    let (authorizer, scopes) = match &route.authorization {
        Authorization::None | Authorization::AwsIam => (None, None),
        Authorization::Jwt { authorizer, scopes } => (Some(authorizer), Some(scopes.clone()).filter(|s| !s.is_empty())),
        Authorization::Custom { authorizer } => (Some(authorizer), None),
    };
    shapes::Route {
        api_gateway_managed: route.managed.then_some(true),
        api_key_required: Some(false),
        authorization_scopes: scopes,
        authorization_type: Some(kind_of(&route.authorization).to_owned()),
        authorizer_id: authorizer.map(ToString::to_string),
        operation_name: route.operation_name.clone(),
        route_id: Some(route.id.to_string()),
        route_key: route.key.to_string(),
        target: route.target.map(|id| format!("integrations/{id}")),
    }
}
