//! Responses of integrations: how an answer of the backend becomes one to the client (REST API reference,
//! "IntegrationResponse", 2026-11).

use std::collections::BTreeMap;

use topology::resource::rest_api::{IntegrationResponse, MethodName};
use wire::Fault;
use wire::apigateway as shapes;

use super::integration::{HANDLINGS, chosen, written};
use super::method::{self, MethodKey};
use super::method_response::status;
use super::patch::{ENTRY, REPLACE, Rule, Sentence, Table};
use super::{NO_CONTENT_TYPE, NO_PARAMETER, expression, fault, integration, template};
use crate::context::Context;

/// The place of an integration. A name that no method has is told as one that is not there (recorded, 2026-03).
fn place(context: &Context<'_>, api: &str, at: (&str, &str), missing: fn(&str) -> Fault) -> Result<MethodKey, Fault> {
    let is_method = at.1.parse::<MethodName>().is_ok();
    let found = method::place(context, api, if is_method { at } else { (at.0, "ANY") })?;
    if is_method { Ok(found) } else { Err(missing(at.1)) }
}

pub(super) fn put(
    context: &mut Context<'_>,
    input: shapes::PutIntegrationResponseRequest,
) -> Result<shapes::IntegrationResponse, Fault> {
    let at = place(context, &input.rest_api_id, (&input.resource_id, &input.http_method), fault::no_method)?;
    let response = IntegrationResponse {
        selection_pattern: input.selection_pattern,
        parameters: input.response_parameters.unwrap_or_default(),
        templates: template::wanted_of_answer(context, input.response_templates),
        content_handling: chosen(&HANDLINGS, input.content_handling.as_deref()),
    };
    keep(context, at, (status(&input.status_code)?, response))
}

/// Puts a response into its integration, once what is mapped is declared by the method's response.
fn keep(
    context: &mut Context<'_>,
    at: MethodKey,
    made: (u16, IntegrationResponse),
) -> Result<shapes::IntegrationResponse, Fault> {
    let (status, response) = made;
    let integration = integration::known(context, at)?;
    // The method need not have a response for it yet; what is mapped must be declared all the same.
    let declared = method::known(context, at)?.responses.get(&status).map(|declared| &declared.parameters);
    expression::check_response(&response.parameters, declared.unwrap_or(&BTreeMap::new()))?;
    template::check_response(integration, &response.templates)?;
    let shown = render(status, &response);
    if let Some(integration) = &mut method::edit(context, at)?.integration {
        integration.responses.insert(status, response);
    }
    Ok(shown)
}

fn known<'c>(context: &'c Context<'_>, at: MethodKey, status: u16) -> Result<&'c IntegrationResponse, Fault> {
    integration::known(context, at)?.responses.get(&status).ok_or_else(fault::no_status)
}

pub(super) fn get(
    context: &Context<'_>,
    input: &shapes::GetIntegrationResponseRequest,
) -> Result<shapes::IntegrationResponse, Fault> {
    let at = place(context, &input.rest_api_id, (&input.resource_id, &input.http_method), fault::no_method)?;
    let status = status(&input.status_code)?;
    known(context, at, status).map(|response| render(status, response))
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateIntegrationResponseRequest,
) -> Result<shapes::IntegrationResponse, Fault> {
    let at = place(context, &input.rest_api_id, (&input.resource_id, &input.http_method), fault::no_method)?;
    let status = status(&input.status_code)?;
    let mut response = known(context, at, status)?.clone();
    PATHS.apply(context, &mut response, input.patch_operations)?;
    keep(context, at, (status, response))
}

const PATHS: Table<IntegrationResponse> = Table {
    rules: &[
        Rule::new("/selectionPattern", REPLACE, |_, response, change| {
            response.selection_pattern = Some(change.text().to_owned());
            Ok(())
        }),
        Rule::new("/contentHandling", REPLACE, |_, response, change| {
            response.content_handling = change.optional().map(|_| change.one_of(&HANDLINGS)).transpose()?;
            Ok(())
        }),
        Rule::texts("/responseParameters/{name}", |response| &mut response.parameters, NO_PARAMETER),
        Rule::new("/responseTemplates/{type}", ENTRY, |context, response, change| {
            change.edit(&mut response.templates, template::of_answer(context, change.text()), NO_CONTENT_TYPE)
        }),
    ],
    sentence: Sentence::Listed,
};

pub(super) fn delete(context: &mut Context<'_>, input: &shapes::DeleteIntegrationResponseRequest) -> Result<(), Fault> {
    let at = place(context, &input.rest_api_id, (&input.resource_id, &input.http_method), |_| fault::no_integration())?;
    let status = status(&input.status_code)?;
    known(context, at, status)?;
    if let Some(integration) = &mut method::edit(context, at)?.integration {
        integration.responses.remove(&status);
    }
    Ok(())
}

pub(super) fn render(status: u16, response: &IntegrationResponse) -> shapes::IntegrationResponse {
    let some = |map: &BTreeMap<String, String>| Some(map.clone()).filter(|map| !map.is_empty());
    shapes::IntegrationResponse {
        content_handling: response.content_handling.and_then(|handling| written(&HANDLINGS, &handling)),
        response_parameters: some(&response.parameters),
        response_templates: template::shown_of_answer(&response.templates),
        selection_pattern: response.selection_pattern.clone(),
        status_code: Some(status.to_string()),
    }
}
