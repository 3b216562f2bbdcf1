//! Responses of integrations: how an answer of the backend becomes one to the client (REST API reference,
//! "IntegrationResponse", 2026-11).

use std::collections::BTreeMap;

use topology::resource::rest_api::IntegrationResponse;
use wire::Fault;
use wire::apigateway as shapes;

use super::integration::{HANDLINGS, check_templates, chosen, written};
use super::method::{self, Place};
use super::method_response::{self, status};
use super::patch::{REPLACE, Refusal, Rule, Table};
use super::{NO_CONTENT_TYPE, NO_PARAMETER, expression, fault, integration};
use crate::context::Context;

pub(super) fn put(
    context: &mut Context<'_>,
    input: shapes::PutIntegrationResponseRequest,
) -> Result<shapes::IntegrationResponse, Fault> {
    let at = method::place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
    let response = IntegrationResponse {
        selection_pattern: input.selection_pattern,
        parameters: input.response_parameters.unwrap_or_default(),
        templates: input.response_templates.unwrap_or_default(),
        content_handling: chosen(&HANDLINGS, input.content_handling.as_deref()),
    };
    keep(context, at, (status(&input.status_code)?, response))
}

/// Puts a response into its integration, once the method has a response for it that declares what is mapped.
fn keep(
    context: &mut Context<'_>,
    at: Place,
    made: (u16, IntegrationResponse),
) -> Result<shapes::IntegrationResponse, Fault> {
    let (status, response) = made;
    integration::known(context, at)?;
    let declared = method_response::known(context, at, status)?;
    expression::check_response(&response.parameters, &declared.parameters)?;
    check_templates(&response.templates)?;
    let shown = render(status, &response);
    if let Some(integration) = &mut method::edit(context, at)?.integration {
        integration.responses.insert(status, response);
    }
    Ok(shown)
}

fn known<'c>(context: &'c Context<'_>, at: Place, status: u16) -> Result<&'c IntegrationResponse, Fault> {
    integration::known(context, at)?.responses.get(&status).ok_or_else(fault::no_status)
}

pub(super) fn get(
    context: &Context<'_>,
    input: &shapes::GetIntegrationResponseRequest,
) -> Result<shapes::IntegrationResponse, Fault> {
    let at = method::place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
    let status = status(&input.status_code)?;
    known(context, at, status).map(|response| render(status, response))
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateIntegrationResponseRequest,
) -> Result<shapes::IntegrationResponse, Fault> {
    let at = method::place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
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
        Rule::texts("/responseTemplates/{type}", |response| &mut response.templates, NO_CONTENT_TYPE),
    ],
    refusal: Refusal::Listed,
};

pub(super) fn delete(context: &mut Context<'_>, input: &shapes::DeleteIntegrationResponseRequest) -> Result<(), Fault> {
    let at = method::place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
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
        response_templates: some(&response.templates),
        selection_pattern: response.selection_pattern.clone(),
        status_code: Some(status.to_string()),
    }
}
