//! Methods of resources (REST API reference, "Method", 2026-11). Their responses are `method_response`'s, their integration is
//! `integration`'s.

use std::collections::BTreeMap;

use topology::estate::ResourceKey;
use topology::id::{ApiId, AuthorizerId};
use topology::resource::rest_api::{Method, MethodAuthorization, MethodName, Resource, RestAuthorizerKind};
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{ENTRY, MEMBER, REPLACE, Rule, Sentence, Table};
use super::{NO_CONTENT_TYPE, NO_PARAMETER, expression, fault, integration, known_api, method_response, resource};
use crate::context::Context;

/// Where a method is: its resource and its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct MethodKey {
    pub(super) resource: ResourceKey,
    pub(super) name: MethodName,
}

/// The place that three labels of a path name, whether or not there is a method. Where the API is not there, the resource is not
/// (recorded, 2026-03).
pub(super) fn place(context: &Context<'_>, api: &str, at: (&str, &str)) -> Result<MethodKey, Fault> {
    let api = known_api(context, api).map_err(|_| fault::no_resource(at.0))?;
    let (id, method) = at;
    let resource = (api, resource::known(context, api, id)?.id);
    Ok(MethodKey { resource, name: method_name(method)? })
}

pub(super) fn method_name(text: &str) -> Result<MethodName, Fault> {
    let invalid = "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY";
    text.parse().map_err(|_| fault::bad_request(invalid))
}

/// The method at a place.
pub(super) fn known<'c>(context: &'c Context<'_>, at: MethodKey) -> Result<&'c Method, Fault> {
    let resource = context.estate().resources.get(&at.resource);
    let method = resource.and_then(|resource| resource.methods.get(&at.name));
    method.ok_or_else(|| fault::no_method(&at.name.to_string()))
}

/// The method at a place, to be changed where it stands: what is in it need not be copied for each change of a document.
pub(super) fn edit<'c>(context: &'c mut Context<'_>, at: MethodKey) -> Result<&'c mut Method, Fault> {
    let resource = context.edit().resources.edit(&at.resource);
    let method = resource.and_then(|resource| resource.methods.get_mut(&at.name));
    method.ok_or_else(|| fault::no_method(&at.name.to_string()))
}

/// Puts a method, new or changed, where it belongs.
pub(super) fn insert(context: &mut Context<'_>, at: MethodKey, method: Method) {
    if let Some(resource) = context.edit().resources.edit(&at.resource) {
        resource.methods.insert(at.name, method);
    }
}

/// A method as it was asked for, before its references are known to lead somewhere.
struct Wanted {
    authorization: String,
    authorizer: Option<String>,
    scopes: Vec<String>,
    validator: Option<String>,
    rest: Method,
}

pub(super) fn put(context: &mut Context<'_>, input: shapes::PutMethodRequest) -> Result<shapes::Method, Fault> {
    let at = place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
    if known(context, at).is_ok() {
        return Err(fault::conflict("Method already exists for this resource"));
    }
    let wanted = Wanted {
        authorization: input.authorization_type,
        authorizer: input.authorizer_id,
        scopes: input.authorization_scopes.unwrap_or_default(),
        validator: input.request_validator_id,
        rest: Method {
            authorization: MethodAuthorization::None,
            api_key_required: input.api_key_required.unwrap_or(false),
            operation_name: input.operation_name,
            request_parameters: input.request_parameters.unwrap_or_default(),
            request_models: input.request_models.unwrap_or_default(),
            request_validator: None,
            responses: BTreeMap::new(),
            integration: None,
        },
    };
    let method = wanted.checked(context, at.resource.0)?;
    let shown = render(at.name, &method);
    insert(context, at, method);
    Ok(shown)
}

impl Wanted {
    fn of(method: &Method) -> Self {
        let (authorization, authorizer, scopes) = spelled(&method.authorization);
        Self {
            authorization: authorization.to_owned(),
            authorizer: authorizer.map(|id| id.to_string()),
            scopes: scopes.to_vec(),
            validator: method.request_validator.map(|id| id.to_string()),
            rest: method.clone(),
        }
    }

    /// The method, once everything that it refers to is there.
    fn checked(self, context: &Context<'_>, api: ApiId) -> Result<Method, Fault> {
        expression::check_declared(&self.rest.request_parameters)?;
        check_models(context, api, &self.rest.request_models)?;
        let known = |text: &str| {
            let id = text.parse().ok()?;
            context.estate().request_validators.get(&id).filter(|validator| validator.api == api).map(|_| id)
        };
        let validator =
            self.validator.as_deref().filter(|id| !id.is_empty()).map(|id| {
                known(id).ok_or_else(|| fault::bad_request("Invalid Request Validator identifier specified"))
            });
        let authorizer = self.authorizer.as_deref().filter(|id| !id.is_empty());
        let authorization = authorization(context, api, (&self.authorization, authorizer, self.scopes))?;
        Ok(Method { authorization, request_validator: validator.transpose()?, ..self.rest })
    }
}

fn authorization(
    context: &Context<'_>,
    api: ApiId,
    wanted: (&str, Option<&str>, Vec<String>),
) -> Result<MethodAuthorization, Fault> {
    let (kind, authorizer, scopes) = wanted;
    let known = || -> Option<(AuthorizerId, &RestAuthorizerKind)> {
        let id = authorizer?.parse().ok()?;
        let authorizer = context.estate().rest_authorizers.get(&id).filter(|authorizer| authorizer.api == api)?;
        Some((id, &authorizer.kind))
    };
    match (kind, known()) {
        ("NONE", _) => Ok(MethodAuthorization::None),
        ("AWS_IAM", _) => Ok(MethodAuthorization::AwsIam),
        ("COGNITO_USER_POOLS", Some((authorizer, RestAuthorizerKind::CognitoUserPools { .. }))) => {
            Ok(MethodAuthorization::CognitoUserPools { authorizer, scopes })
        }
        // Lambda authorizers cannot be made here, so that no id is one of theirs.
        ("CUSTOM" | "COGNITO_USER_POOLS", _) => Err(fault::bad_request(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.",
        )),
        _ => Err(fault::bad_request(
            "Invalid authorization type specified. Valid options are NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS",
        )),
    }
}

/// Models that a method or its response names.
pub(super) fn check_models(context: &Context<'_>, api: ApiId, models: &BTreeMap<String, String>) -> Result<(), Fault> {
    let unknown = models.values().find(|name| !context.estate().models.contains(&(api, (*name).clone())));
    unknown.map_or(Ok(()), |name| Err(fault::bad_request(format!("Invalid model identifier specified: {name}"))))
}

pub(super) fn get(context: &Context<'_>, api: &str, at: (&str, &str)) -> Result<shapes::Method, Fault> {
    let at = place(context, api, at)?;
    known(context, at).map(|method| render(at.name, method))
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateMethodRequest) -> Result<shapes::Method, Fault> {
    let at = place(context, &input.rest_api_id, (&input.resource_id, &input.http_method))?;
    let mut wanted = Wanted::of(known(context, at)?);
    PATHS.apply(context, &mut wanted, input.patch_operations)?;
    let method = wanted.checked(context, at.resource.0)?;
    let shown = render(at.name, &method);
    insert(context, at, method);
    Ok(shown)
}

const PATHS: Table<Wanted> = Table {
    rules: &[
        Rule::new("/authorizationType", REPLACE, |_, method, change| {
            method.authorization = change.text().to_owned();
            Ok(())
        }),
        Rule::new("/authorizerId", REPLACE, |_, method, change| {
            method.authorizer = change.optional();
            Ok(())
        }),
        Rule::new("/authorizationScopes", MEMBER, |_, method, change| {
            change.edit_list(&mut method.scopes, change.text());
            Ok(())
        }),
        Rule::new("/apiKeyRequired", REPLACE, |_, method, change| {
            method.rest.api_key_required = change.flag();
            Ok(())
        }),
        Rule::new("/operationName", REPLACE, |_, method, change| {
            method.rest.operation_name = change.optional();
            Ok(())
        }),
        Rule::new("/requestValidatorId", REPLACE, |_, method, change| {
            method.validator = change.optional();
            Ok(())
        }),
        Rule::new("/requestParameters/{name}", ENTRY, |_, method, change| {
            let required = change.flag();
            change.edit(&mut method.rest.request_parameters, required, NO_PARAMETER)
        }),
        Rule::texts("/requestModels/{type}", |method| &mut method.rest.request_models, NO_CONTENT_TYPE),
    ],
    sentence: Sentence::Plain,
};

pub(super) fn delete(context: &mut Context<'_>, api: &str, at: (&str, &str)) -> Result<(), Fault> {
    let at = place(context, api, at)?;
    known(context, at)?;
    if let Some(resource) = context.edit().resources.edit(&at.resource) {
        resource.methods.remove(&at.name);
    }
    Ok(())
}

/// Methods of a resource that `of` holds for, as AWS names them in messages: `/pets/GET`, `//ANY`.
pub(super) fn named_where(context: &Context<'_>, resource: &Resource, of: impl Fn(&Method) -> bool) -> Vec<String> {
    let path = resource::path(context, resource);
    resource.methods.iter().filter(|(_, method)| of(method)).map(|(name, _)| format!("{path}/{name}")).collect()
}

/// An authorization as the API spells it.
pub(super) fn spelled(authorization: &MethodAuthorization) -> (&'static str, Option<AuthorizerId>, &[String]) {
    match authorization {
        MethodAuthorization::None => ("NONE", None, &[]),
        MethodAuthorization::AwsIam => ("AWS_IAM", None, &[]),
        MethodAuthorization::CognitoUserPools { authorizer, scopes } => {
            ("COGNITO_USER_POOLS", Some(*authorizer), scopes)
        }
        MethodAuthorization::Custom { authorizer } => ("CUSTOM", Some(*authorizer), &[]),
    }
}

pub(super) fn render(name: MethodName, method: &Method) -> shapes::Method {
    let (authorization, authorizer, scopes) = spelled(&method.authorization);
    let responses = method.responses.iter();
    let responses: BTreeMap<_, _> =
        responses.map(|(status, response)| (status.to_string(), method_response::render(*status, response))).collect();
    shapes::Method {
        api_key_required: Some(method.api_key_required),
        authorization_scopes: Some(scopes.to_vec()).filter(|scopes| !scopes.is_empty()),
        authorization_type: Some(authorization.to_owned()),
        authorizer_id: authorizer.map(|id| id.to_string()),
        http_method: Some(name.to_string()),
        method_integration: method.integration.as_ref().map(integration::render),
        method_responses: Some(responses).filter(|responses| !responses.is_empty()),
        operation_name: method.operation_name.clone(),
        request_models: Some(method.request_models.clone()).filter(|models| !models.is_empty()),
        request_parameters: Some(method.request_parameters.clone()).filter(|parameters| !parameters.is_empty()),
        request_validator_id: method.request_validator.map(|id| id.to_string()),
    }
}
