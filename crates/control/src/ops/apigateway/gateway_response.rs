//! Gateway responses: what the gateway itself answers (REST API developer guide, "Gateway responses", 2026-11). Every type is
//! there; only those that were customized are kept.

use std::collections::BTreeMap;

use topology::id::ApiId;
use topology::resource::rest_api::{GatewayResponse, GatewayResponseType};
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{ENTRY, REPLACE, Rule, Sentence, Table};
use super::{NO_CONTENT_TYPE, NO_PARAMETER, expression, fault, known_api, template};
use crate::context::Context;

/// The template of a response that has none of its own (recorded, 2026-03).
const TEMPLATE: (&str, &str) = ("application/json", "{\"message\":$context.error.messageString}");

fn default_templates() -> BTreeMap<String, String> {
    BTreeMap::from([(TEMPLATE.0.to_owned(), TEMPLATE.1.to_owned())])
}

/// A type as the model has checked it.
fn kind(text: &str) -> Result<GatewayResponseType, Fault> {
    text.parse().map_err(|_| fault::bad_request("Invalid gateway response type specified"))
}

pub(super) fn put(
    context: &mut Context<'_>,
    input: shapes::PutGatewayResponseRequest,
) -> Result<shapes::GatewayResponse, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    let response = GatewayResponse {
        api,
        kind: kind(&input.response_type)?,
        status: input.status_code.and_then(|status| status.parse().ok()),
        parameters: input.response_parameters.unwrap_or_default(),
        templates: input.response_templates.unwrap_or_default(),
    };
    keep(context, response)
}

fn keep(context: &mut Context<'_>, response: GatewayResponse) -> Result<shapes::GatewayResponse, Fault> {
    expression::check_gateway_response(&response.parameters)?;
    template::sizes(response.templates.values().map(String::as_str))?;
    let shown = render(&response, false);
    context.edit().gateway_responses.insert((response.api, response.kind), response);
    Ok(shown)
}

/// The response of a type, and whether it is the one that every API has.
fn known(context: &Context<'_>, api: ApiId, kind: GatewayResponseType) -> (GatewayResponse, bool) {
    let none = || GatewayResponse { api, kind, status: None, parameters: BTreeMap::new(), templates: BTreeMap::new() };
    match context.estate().gateway_responses.get(&(api, kind)) {
        Some(response) => (GatewayResponse::clone(response), false),
        None => (none(), true),
    }
}

/// What a type without a response of its own shows: what the one for its class hands down (recorded, 2026-03).
fn shown(context: &Context<'_>, api: ApiId, kind: GatewayResponseType) -> shapes::GatewayResponse {
    let (own, is_default) = known(context, api, kind);
    let class = match kind.default_status() {
        Some(500..) => GatewayResponseType::Default5xx,
        Some(_) => GatewayResponseType::Default4xx,
        None => return render(&own, is_default),
    };
    match context.estate().gateway_responses.get(&(api, class)).filter(|_| is_default) {
        Some(class) => render(&GatewayResponse { kind, ..GatewayResponse::clone(class) }, true),
        None => render(&own, is_default),
    }
}

pub(super) fn get(context: &Context<'_>, api: &str, text: &str) -> Result<shapes::GatewayResponse, Fault> {
    Ok(shown(context, known_api(context, api)?, kind(text)?))
}

/// Every type, customized or not.
pub(super) fn list(context: &Context<'_>, api: &str) -> Result<Vec<shapes::GatewayResponse>, Fault> {
    let api = known_api(context, api)?;
    Ok(GatewayResponseType::ALL.iter().map(|kind| shown(context, api, *kind)).collect())
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateGatewayResponseRequest,
) -> Result<shapes::GatewayResponse, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    let (mut response, _) = known(context, api, kind(&input.response_type)?);
    // A patch sees the template that is shown.
    if response.templates.is_empty() {
        response.templates = default_templates();
    }
    PATHS.apply(context, &mut response, input.patch_operations)?;
    if response.templates == default_templates() {
        response.templates.clear();
    }
    keep(context, response)
}

const PATHS: Table<GatewayResponse> = Table {
    rules: &[
        Rule::new("/statusCode", REPLACE, |_, response, change| {
            let status: u16 = change.parsed()?;
            if !(100..=599).contains(&status) {
                return Err(change.invalid());
            }
            response.status = Some(status);
            Ok(())
        }),
        Rule::new("/responseParameters/{name}", ENTRY, |_, response, change| {
            change.refuse_empty("responseParameters")?;
            change.edit(&mut response.parameters, change.text().to_owned(), NO_PARAMETER)
        }),
        Rule::new("/responseTemplates/{type}", ENTRY, |_, response, change| {
            change.refuse_empty("responseTemplates")?;
            change.edit(&mut response.templates, change.text().to_owned(), NO_CONTENT_TYPE)
        }),
    ],
    sentence: Sentence::Path,
};

pub(super) fn delete(context: &mut Context<'_>, api: &str, text: &str) -> Result<(), Fault> {
    let key = (known_api(context, api)?, kind(text)?);
    if !context.estate().gateway_responses.contains(&key) {
        return Err(fault::not_found("Gateway response type not defined on api"));
    }
    context.edit().gateway_responses.remove(&key);
    Ok(())
}

fn render(response: &GatewayResponse, is_default: bool) -> shapes::GatewayResponse {
    let templates = Some(&response.templates).filter(|templates| !templates.is_empty());
    shapes::GatewayResponse {
        default_response: Some(is_default),
        response_parameters: Some(response.parameters.clone()),
        response_templates: Some(templates.cloned().unwrap_or_else(default_templates)),
        response_type: Some(response.kind.as_str().to_owned()),
        status_code: response.status.or(response.kind.default_status()).map(|status| status.to_string()),
    }
}
