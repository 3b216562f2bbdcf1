//! Request validators: which parts of a request are checked (REST API reference, "RequestValidator", 2026-11).

use topology::id::{ApiId, RequestValidatorId};
use topology::resource::rest_api::RequestValidator;
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{REPLACE, Rule, Sentence, Table};
use super::{fault, known_api, method, resource};
use crate::context::Context;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateRequestValidatorRequest,
) -> Result<shapes::RequestValidator, Fault> {
    // Another status and text than elsewhere (recorded, 2026-03).
    let missing = |_| fault::bad_request("Invalid REST API identifier specified");
    let api = known_api(context, &input.rest_api_id).map_err(missing)?;
    let validator = RequestValidator {
        id: context.fresh(RequestValidatorId::from_bits, |estate, id| estate.request_validators.contains(id)),
        api,
        name: checked_name(input.name.unwrap_or_default())?,
        body: input.validate_request_body.unwrap_or(false),
        parameters: input.validate_request_parameters.unwrap_or(false),
    };
    let shown = render(&validator);
    context.edit().request_validators.insert(validator.id, validator);
    Ok(shown)
}

fn checked_name(name: String) -> Result<String, Fault> {
    let blank = || fault::bad_request("Request Validator name cannot be blank");
    if name.trim().is_empty() { Err(blank()) } else { Ok(name) }
}

fn known<'c>(context: &'c Context<'_>, api: ApiId, id: &str) -> Result<&'c RequestValidator, Fault> {
    let found = id.parse().ok().and_then(|id| context.estate().request_validators.get(&id));
    found.filter(|validator| validator.api == api).map(|validator| &**validator).ok_or_else(no_validator)
}

fn no_validator() -> Fault {
    fault::not_found("Invalid Request Validator identifier specified")
}

/// The API of a validator: where it is not there, the validator is not (recorded, 2026-03).
fn api_of(context: &Context<'_>, api: &str) -> Result<ApiId, Fault> {
    known_api(context, api).map_err(|_| no_validator())
}

pub(super) fn get(context: &Context<'_>, api: &str, id: &str) -> Result<shapes::RequestValidator, Fault> {
    known(context, api_of(context, api)?, id).map(render)
}

pub(super) fn list(context: &Context<'_>, api: &str) -> Result<Vec<shapes::RequestValidator>, Fault> {
    let api = known_api(context, api)?;
    Ok(context.estate().request_validators.of(api).map(|validator| render(validator)).collect())
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateRequestValidatorRequest,
) -> Result<shapes::RequestValidator, Fault> {
    let api = api_of(context, &input.rest_api_id)?;
    let mut validator = known(context, api, &input.request_validator_id)?.clone();
    PATHS.apply(context, &mut validator, input.patch_operations)?;
    let shown = render(&validator);
    context.edit().request_validators.insert(validator.id, validator);
    Ok(shown)
}

/// In the order in which AWS lists them.
const PATHS: Table<RequestValidator> = Table {
    rules: &[
        Rule::new("/name", REPLACE, |_, validator, change| {
            validator.name = checked_name(change.text().to_owned())?;
            Ok(())
        }),
        Rule::new("/validateRequestParameters", REPLACE, |_, validator, change| {
            validator.parameters = change.flag();
            Ok(())
        }),
        Rule::new("/validateRequestBody", REPLACE, |_, validator, change| {
            validator.body = change.flag();
            Ok(())
        }),
    ],
    sentence: Sentence::Listed,
};

/// Deletes a validator that no method has; AWS's words for one that is in use are not known.
pub(super) fn delete(context: &mut Context<'_>, api: &str, id: &str) -> Result<(), Fault> {
    let api = api_of(context, api)?;
    let id = known(context, api, id)?.id;
    let mut users = resource::of_api(context, api)
        .flat_map(|resource| method::named_where(context, resource, |method| method.request_validator == Some(id)));
    if let Some(user) = users.next() {
        return Err(fault::conflict(format!(
            "Cannot delete request validator '{id}', is referenced in method request: {user}"
        )));
    }
    drop(users);
    context.edit().request_validators.remove(&id);
    Ok(())
}

fn render(validator: &RequestValidator) -> shapes::RequestValidator {
    shapes::RequestValidator {
        id: Some(validator.id.to_string()),
        name: Some(validator.name.clone()),
        validate_request_body: Some(validator.body),
        validate_request_parameters: Some(validator.parameters),
    }
}
