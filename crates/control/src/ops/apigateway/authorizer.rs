//! Authorizers of REST APIs (REST API reference, "Authorizer", 2026-11): Cognito user pools. TOKEN and REQUEST call Lambda
//! functions, which are not here. Nothing is asked of a pool when an authorizer is made.

use topology::id::{ApiId, AuthorizerId};
use topology::resource::rest_api::{MethodAuthorization, RestAuthorizer, RestAuthorizerKind};
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{MEMBER, REPLACE, Rule, Sentence, Table};
use super::{fault, known_api, method, resource};
use crate::context::Context;

/// Seconds that a result may be kept, and that it is when nothing is said (REST API reference, 2026-11).
const RESULT_TTL_S_MAX: i64 = 3600;
const RESULT_TTL_S_DEFAULT: i64 = 300;
/// Where a token is when nothing is said.
const IDENTITY_SOURCE: &str = "method.request.header.Authorization";
/// Authorizers of an API: 10 by AWS's default quota (REST API quotas, 2026-11).
const AUTHORIZERS_MAX: usize = 10;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateAuthorizerRequest,
) -> Result<shapes::Authorizer, Fault> {
    // Another status and text than elsewhere (recorded, 2026-03).
    let text = "Unable to complete operation due to concurrent modification. Please try again later.";
    let api = known_api(context, &input.rest_api_id).map_err(|_| fault::conflict(text))?;
    if input.type_ != "COGNITO_USER_POOLS" {
        return Err(fault::unsupported(&format!("the authorizer type {} (Lambda functions)", input.type_)));
    }
    if input.authorizer_uri.is_some() || input.authorizer_credentials.is_some() {
        return Err(fault::unsupported("authorizerUri or authorizerCredentials (Lambda functions)"));
    }
    let others = context.estate().rest_authorizers.of(api).count();
    if context.settings.quotas && others >= AUTHORIZERS_MAX {
        return Err(fault::too_many("Maximum number of Authorizers for this API has been reached"));
    }
    let authorizer = RestAuthorizer {
        id: context.fresh(AuthorizerId::from_bits, |estate, id| estate.rest_authorizers.contains(id)),
        api,
        name: input.name,
        identity_source: input.identity_source.unwrap_or_else(|| IDENTITY_SOURCE.to_owned()),
        identity_validation: input.identity_validation_expression.filter(|text| !text.is_empty()),
        result_ttl_s: ttl(input.authorizer_result_ttl_in_seconds.unwrap_or(RESULT_TTL_S_DEFAULT))?,
        kind: RestAuthorizerKind::CognitoUserPools { provider_arns: input.provider_arns.unwrap_or_default() },
    };
    keep(context, authorizer)
}

/// Puts an authorizer into its API, once it is whole.
fn keep(context: &mut Context<'_>, authorizer: RestAuthorizer) -> Result<shapes::Authorizer, Fault> {
    check(context, &authorizer)?;
    let shown = render(&authorizer);
    context.edit().rest_authorizers.insert(authorizer.id, authorizer);
    Ok(shown)
}

fn ttl(seconds: i64) -> Result<u32, Fault> {
    let fits = u32::try_from(seconds).ok().filter(|_| seconds <= RESULT_TTL_S_MAX);
    let text = "Authorizer result TTL must be between 0 and 3600 seconds";
    fits.ok_or_else(|| fault::bad_request(text))
}

fn check(context: &Context<'_>, authorizer: &RestAuthorizer) -> Result<(), Fault> {
    let name = &authorizer.name;
    if name.trim().is_empty() {
        return Err(fault::bad_request("Authorizer name cannot be empty"));
    }
    let mut others = context.estate().rest_authorizers.values();
    if others.any(|other| (other.api, &other.name) == (authorizer.api, name) && other.id != authorizer.id) {
        return Err(fault::bad_request(format!(
            "Authorizer name must be unique. Authorizer {name} already exists in this RestApi."
        )));
    }
    let header = authorizer.identity_source.strip_prefix("method.request.header.").unwrap_or_default();
    let is_header = !header.is_empty() && header.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !is_header {
        return Err(fault::bad_request(format!(
            "Invalid identity source specified: {}. Must be method.request.header.NAME",
            authorizer.identity_source
        )));
    }
    let RestAuthorizerKind::CognitoUserPools { provider_arns } = &authorizer.kind;
    if provider_arns.is_empty() || !provider_arns.iter().all(|arn| is_pool(arn)) {
        return Err(fault::bad_request("Invalid Cognito User Pool ARN specified in the request"));
    }
    Ok(())
}

/// `arn:aws:cognito-idp:REGION:ACCOUNT:userpool/REGION_ID`
fn is_pool(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", "aws", "cognito-idp", region, account, resource] = parts[..] else { return false };
    let account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let pool = resource.strip_prefix("userpool/").and_then(|id| id.strip_prefix(region)?.strip_prefix('_'));
    let spelled = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    account && pool.is_some_and(spelled)
}

fn known<'c>(context: &'c Context<'_>, api: ApiId, id: &str) -> Result<&'c RestAuthorizer, Fault> {
    let found = id.parse().ok().and_then(|id| context.estate().rest_authorizers.get(&id));
    found.filter(|authorizer| authorizer.api == api).map(|authorizer| &**authorizer).ok_or_else(no_authorizer)
}

fn no_authorizer() -> Fault {
    fault::not_found("Invalid Authorizer identifier specified")
}

/// The API of an authorizer: where it is not there, the authorizer is not, as recorded of models, validators and documentation parts
/// (2024-04 to 2026-03).
fn api_of(context: &Context<'_>, api: &str) -> Result<ApiId, Fault> {
    known_api(context, api).map_err(|_| no_authorizer())
}

pub(super) fn get(context: &Context<'_>, api: &str, id: &str) -> Result<shapes::Authorizer, Fault> {
    known(context, api_of(context, api)?, id).map(render)
}

pub(super) fn list(context: &Context<'_>, api: &str) -> Result<Vec<shapes::Authorizer>, Fault> {
    let api = known_api(context, api)?;
    Ok(context.estate().rest_authorizers.of(api).map(|authorizer| render(authorizer)).collect())
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateAuthorizerRequest,
) -> Result<shapes::Authorizer, Fault> {
    let api = api_of(context, &input.rest_api_id)?;
    let mut authorizer = known(context, api, &input.authorizer_id)?.clone();
    PATHS.apply(context, &mut authorizer, input.patch_operations)?;
    keep(context, authorizer)
}

const PATHS: Table<RestAuthorizer> = Table {
    rules: &[
        Rule::new("/name", REPLACE, |_, authorizer, change| {
            authorizer.name = change.text().to_owned();
            Ok(())
        }),
        Rule::new("/providerARNs", MEMBER, |_, authorizer, change| {
            let RestAuthorizerKind::CognitoUserPools { provider_arns } = &mut authorizer.kind;
            change.edit_list(provider_arns, change.text());
            Ok(())
        }),
        Rule::new("/identitySource", REPLACE, |_, authorizer, change| {
            authorizer.identity_source = change.text().to_owned();
            Ok(())
        }),
        Rule::new("/identityValidationExpression", REPLACE, |_, authorizer, change| {
            authorizer.identity_validation = change.optional();
            Ok(())
        }),
        Rule::new("/authorizerResultTtlInSeconds", REPLACE, |_, authorizer, change| {
            authorizer.result_ttl_s = ttl(change.parsed()?)?;
            Ok(())
        }),
        Rule::new("/type", REPLACE, |_, _, change| match change.text() {
            "COGNITO_USER_POOLS" => Ok(()),
            other => Err(fault::unsupported(&format!("the authorizer type {other} (Lambda functions)"))),
        }),
    ],
    sentence: Sentence::Listed,
};

pub(super) fn delete(context: &mut Context<'_>, api: &str, id: &str) -> Result<(), Fault> {
    let api = api_of(context, api)?;
    let (id, name) = known(context, api, id).map(|authorizer| (authorizer.id, authorizer.name.clone()))?;
    let guards = |authorization: &MethodAuthorization| method::spelled(authorization).1 == Some(id);
    let user = resource::of_api(context, api).find_map(|resource| {
        let users = method::named_where(context, resource, |method| guards(&method.authorization));
        users.into_iter().next()
    });
    if let Some(user) = user {
        return Err(fault::conflict(format!("Cannot delete authorizer '{name}', is referenced in method: {user}")));
    }
    context.edit().rest_authorizers.remove(&id);
    Ok(())
}

fn render(authorizer: &RestAuthorizer) -> shapes::Authorizer {
    let RestAuthorizerKind::CognitoUserPools { provider_arns } = &authorizer.kind;
    shapes::Authorizer {
        auth_type: Some("cognito_user_pools".to_owned()),
        authorizer_result_ttl_in_seconds: Some(i64::from(authorizer.result_ttl_s)),
        id: Some(authorizer.id.to_string()),
        identity_source: Some(authorizer.identity_source.clone()),
        identity_validation_expression: authorizer.identity_validation.clone(),
        name: Some(authorizer.name.clone()),
        provider_arns: Some(provider_arns.clone()),
        type_: Some("COGNITO_USER_POOLS".to_owned()),
    }
}
