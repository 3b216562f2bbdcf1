//! JWT authorizers (API reference of API Gateway V2, "Authorizer", and HTTP API quotas, 2026-11). The issuer is not contacted
//! when one is written: its keys are looked for when a token comes (docs/differences-from-aws.md).

use topology::id::{ApiId, AuthorizerId};
use topology::issuer::{IssuerWay, way};
use topology::resource::http_api::{Authorization, Authorizer, AuthorizerKind};
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{NAME_CHARS, check_length, deployment, fault, known_api};
use crate::context::Context;
use crate::settings::LocalIssuers;
use topology::snapshot::gateway::IdentitySource;

/// Audiences of an authorizer: 50 at most (HTTP API quotas, 2026-11).
const AUDIENCES_MAX: usize = 50;
/// Authorizers of an API: 10 at most (HTTP API quotas, 2026-11).
const AUTHORIZERS_MAX: usize = 10;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateAuthorizerRequest,
) -> Result<shapes::Authorizer, Fault> {
    let api = known_api(context, &input.api_id)?;
    check_kind(Some(&input.authorizer_type))?;
    check_members(&input)?;
    let jwt =
        input.jwt_configuration.ok_or_else(|| fault::bad_request("JwtConfiguration is required for JWT authorizers"));
    let kind = jwt_of(context, jwt?)?;
    check_name(context, api, &input.name, None)?;
    if context.estate().authorizers.of(api).count() >= AUTHORIZERS_MAX {
        return Err(fault::too_many("An API can have at most 10 authorizers"));
    }
    check_sources(&input.identity_source)?;
    let id = context.fresh(AuthorizerId::from_bits, |estate, id| estate.authorizers.contains(id));
    let authorizer = Authorizer { id, api, name: input.name, identity_source: input.identity_source, kind };
    context.edit().authorizers.insert(id, authorizer);
    deployment::after_change(context, api);
    get(context, &input.api_id, &id.to_string())
}

fn check_kind(kind: Option<&str>) -> Result<(), Fault> {
    match kind {
        None | Some("JWT") => Ok(()),
        Some(_) => Err(fault::unsupported("authorizers of type REQUEST (Lambda authorizers)")),
    }
}

/// Refuses what only Lambda authorizers have.
fn check_members(input: &shapes::CreateAuthorizerRequest) -> Result<(), Fault> {
    let given = [
        ("authorizerCredentialsArn", input.authorizer_credentials_arn.is_some()),
        ("authorizerPayloadFormatVersion", input.authorizer_payload_format_version.is_some()),
        ("authorizerResultTtlInSeconds", input.authorizer_result_ttl_in_seconds.is_some()),
        ("authorizerUri", input.authorizer_uri.is_some()),
        ("enableSimpleResponses", input.enable_simple_responses.is_some()),
        ("identityValidationExpression", input.identity_validation_expression.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(fault::unsupported(&format!("the parameter {name}"))),
        None => Ok(()),
    }
}

fn jwt_of(context: &Context<'_>, input: shapes::JWTConfiguration) -> Result<AuthorizerKind, Fault> {
    let issuer = input.issuer.filter(|issuer| !issuer.is_empty());
    let issuer = issuer.ok_or_else(|| fault::bad_request("Issuer is required for JWT authorizers"))?;
    let is_taken = match way(&issuer) {
        Some(IssuerWay::Encrypted) => true,
        Some(IssuerWay::Local) => context.settings.local_issuers == LocalIssuers::Allowed,
        None => false,
    };
    if !is_taken {
        return Err(fault::bad_request(format!("Invalid issuer: {issuer}. Issuer must have a valid HTTPS URL")));
    }
    let audience = input.audience.unwrap_or_default();
    if audience.len() > AUDIENCES_MAX {
        return Err(fault::bad_request("An authorizer can have at most 50 audiences"));
    }
    Ok(AuthorizerKind::Jwt { issuer: Some(issuer), audience })
}

fn check_sources(sources: &[String]) -> Result<(), Fault> {
    match sources {
        [one] if IdentitySource::parse(one).is_some() => Ok(()),
        _ => Err(fault::bad_request(
            "A JWT authorizer needs exactly one identity source, a header or a query string parameter",
        )),
    }
}

fn check_name(context: &Context<'_>, api: ApiId, name: &str, own: Option<AuthorizerId>) -> Result<(), Fault> {
    check_length("name", Some(name), NAME_CHARS)?;
    let taken = context.estate().authorizers.of(api).any(|a| a.name == name && Some(a.id) != own);
    if taken {
        Err(fault::bad_request("Authorizer name must be unique. Authorizer already exists in this API."))
    } else {
        Ok(())
    }
}

fn known(context: &Context<'_>, api: ApiId, id: &str) -> Result<AuthorizerId, Fault> {
    let known = id.parse().ok().filter(|id| context.estate().authorizers.get(id).is_some_and(|a| a.api == api));
    known.ok_or_else(|| fault::not_found("Authorizer", id))
}

pub(super) fn get(context: &Context<'_>, api: &str, id: &str) -> Result<shapes::Authorizer, Fault> {
    let known = known(context, known_api(context, api)?, id)?;
    let authorizer = context.estate().authorizers.get(&known);
    authorizer.map(|authorizer| render(authorizer)).ok_or_else(|| fault::not_found("Authorizer", id))
}

pub(super) fn list(context: &Context<'_>, api: &str) -> Result<Vec<shapes::Authorizer>, Fault> {
    let api = known_api(context, api)?;
    Ok(context.estate().authorizers.of(api).map(|a| render(a)).collect())
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateAuthorizerRequest,
) -> Result<shapes::Authorizer, Fault> {
    let api = known_api(context, &input.api_id)?;
    let id = known(context, api, &input.authorizer_id)?;
    check_kind(input.authorizer_type.as_deref())?;
    let kind = input.jwt_configuration.map(|jwt| jwt_of(context, jwt)).transpose()?;
    if let Some(name) = &input.name {
        check_name(context, api, name, Some(id))?;
    }
    if let Some(sources) = &input.identity_source {
        check_sources(sources)?;
    }
    if let Some(authorizer) = context.edit().authorizers.edit(&id) {
        authorizer.kind = kind.unwrap_or_else(|| authorizer.kind.clone());
        authorizer.name = input.name.unwrap_or_else(|| authorizer.name.clone());
        authorizer.identity_source = input.identity_source.unwrap_or_else(|| authorizer.identity_source.clone());
    }
    deployment::after_change(context, api);
    get(context, &input.api_id, &input.authorizer_id)
}

pub(super) fn delete(context: &mut Context<'_>, api: &str, id: &str) -> Result<(), Fault> {
    let api = known_api(context, api)?;
    let known = known(context, api, id)?;
    let uses = |authorization: &Authorization| match authorization {
        Authorization::Jwt { authorizer, .. } | Authorization::Custom { authorizer } => *authorizer == known,
        Authorization::None | Authorization::AwsIam => false,
    };
    if context.estate().routes.of(api).any(|route| uses(&route.authorization)) {
        return Err(fault::conflict(format!("Cannot delete authorizer '{id}', is referenced by a route")));
    }
    context.edit().authorizers.remove(&known);
    deployment::after_change(context, api);
    Ok(())
}

fn render(authorizer: &Authorizer) -> shapes::Authorizer {
    let AuthorizerKind::Jwt { issuer, audience } = &authorizer.kind;
    shapes::Authorizer {
        authorizer_id: Some(authorizer.id.to_string()),
        authorizer_type: Some("JWT".to_owned()),
        identity_source: Some(authorizer.identity_source.clone()),
        jwt_configuration: Some(shapes::JWTConfiguration { audience: Some(audience.clone()), issuer: issuer.clone() }),
        name: authorizer.name.clone(),
    }
}
