//! Responses of methods: what may be answered under a status (REST API reference, "MethodResponse", 2026-11).

use topology::id::ApiId;
use topology::resource::rest_api::{MethodResponse, SaidEmpty};
use wire::Fault;
use wire::apigateway as shapes;

use super::method::{self, MethodKey};
use super::patch::{ENTRY, Rule, Sentence, Table};
use super::{NO_CONTENT_TYPE, NO_PARAMETER, expression, fault};
use crate::context::Context;

/// A status as the model has checked it.
pub(super) fn status(text: &str) -> Result<u16, Fault> {
    text.parse().map_err(|_| fault::no_status())
}

pub(super) fn put(
    context: &mut Context<'_>,
    input: shapes::PutMethodResponseRequest,
) -> Result<shapes::MethodResponse, Fault> {
    let at = method::place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
    let status = status(&input.status_code)?;
    if method::known(context, at)?.responses.contains_key(&status) {
        return Err(fault::conflict("Response already exists for this resource"));
    }
    let said = SaidEmpty { parameters: input.response_parameters.is_some(), models: input.response_models.is_some() };
    let response = MethodResponse {
        parameters: input.response_parameters.unwrap_or_default(),
        models: input.response_models.unwrap_or_default(),
        said,
    };
    keep(context, at, (status, response))
}

/// Puts a response into its method, once everything that it refers to is there.
fn keep(
    context: &mut Context<'_>,
    at: MethodKey,
    made: (u16, MethodResponse),
) -> Result<shapes::MethodResponse, Fault> {
    let (status, response) = made;
    check(context, at.resource.0, &response)?;
    let shown = render(status, &response);
    method::edit(context, at)?.responses.insert(status, response);
    Ok(shown)
}

fn check(context: &Context<'_>, api: ApiId, response: &MethodResponse) -> Result<(), Fault> {
    expression::check_declared_response(&response.parameters)?;
    method::check_models(context, api, &response.models)
}

/// The response of a method under a status.
pub(super) fn known<'c>(context: &'c Context<'_>, at: MethodKey, status: u16) -> Result<&'c MethodResponse, Fault> {
    method::known(context, at)?.responses.get(&status).ok_or_else(fault::no_status)
}

pub(super) fn get(
    context: &Context<'_>,
    input: &shapes::GetMethodResponseRequest,
) -> Result<shapes::MethodResponse, Fault> {
    let at = method::place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
    let status = status(&input.status_code)?;
    known(context, at, status).map(|response| render(status, response))
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateMethodResponseRequest,
) -> Result<shapes::MethodResponse, Fault> {
    let at = method::place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
    let status = status(&input.status_code)?;
    let mut response = known(context, at, status)?.clone();
    PATHS.apply(context, &mut response, input.patch_operations)?;
    keep(context, at, (status, response))
}

const PATHS: Table<MethodResponse> = Table {
    rules: &[
        Rule::new("/responseParameters/{name}", ENTRY, |_, response, change| {
            let required = change.flag();
            change.edit(&mut response.parameters, required, NO_PARAMETER)
        }),
        Rule::texts("/responseModels/{type}", |response| &mut response.models, NO_CONTENT_TYPE),
    ],
    sentence: Sentence::Plain,
};

pub(super) fn delete(context: &mut Context<'_>, input: &shapes::DeleteMethodResponseRequest) -> Result<(), Fault> {
    let at = method::place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
    let status = status(&input.status_code)?;
    known(context, at, status)?;
    method::edit(context, at)?.responses.remove(&status);
    Ok(())
}

pub(super) fn render(status: u16, response: &MethodResponse) -> shapes::MethodResponse {
    let said = response.said;
    shapes::MethodResponse {
        response_models: Some(response.models.clone()).filter(|models| said.models || !models.is_empty()),
        response_parameters: Some(response.parameters.clone())
            .filter(|parameters| said.parameters || !parameters.is_empty()),
        status_code: Some(status.to_string()),
    }
}
