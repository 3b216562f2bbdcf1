//! What a rule asks of a request before its action: the validation of a token, or the authentication of a user (ELBv2 API
//! reference, JwtValidationActionConfig, AuthenticateOidcActionConfig and AuthenticateCognitoActionConfig, 2026-11).

use topology::issuer::IssuerWay;
use topology::resource::gate::{
    AdditionalClaim, Check, ClaimFormat, Gate, GateError, JwtValidation, JwtValidationParts, Orders, endpoint_way,
};
use topology::resource::oidc::{
    ClientSecret, Cognito, CognitoParts, ExtraParams, Oidc, OidcParts, Session, Unauthenticated,
};
use wire::Fault;
use wire::elbv2 as shapes;

use super::fault;
use crate::context::Context;
use crate::settings::LocalIssuers;

/// Whether an action of this type stands before another, where it is supported.
pub(super) fn is_gate(action: &shapes::Action) -> bool {
    ["jwt-validation", "authenticate-oidc", "authenticate-cognito"].contains(&action.type_.as_str())
}

/// The member with a config that an action of another type has.
pub(super) fn stray(action: &shapes::Action) -> Option<&'static str> {
    let is = |kind| action.type_ == kind;
    match action {
        _ if action.jwt_validation_config.is_some() && !is("jwt-validation") => Some("JwtValidationConfig"),
        _ if action.authenticate_oidc_config.is_some() && !is("authenticate-oidc") => Some("AuthenticateOidcConfig"),
        _ if action.authenticate_cognito_config.is_some() && !is("authenticate-cognito") => {
            Some("AuthenticateCognitoConfig")
        }
        _ => None,
    }
}

/// Parses an action that stands before another. What it replaces may lend it a secret.
pub(super) fn parse(
    context: &Context<'_>,
    action: shapes::Action,
    (before, orders): (Option<&Gate>, Orders),
) -> Result<Gate, Fault> {
    let lacking = |config| fault::invalid_action(format!("A {} action needs a {config}", action.type_));
    let check = match action.type_.as_str() {
        "jwt-validation" => {
            let config = action.jwt_validation_config.ok_or_else(|| lacking("JwtValidationConfig"))?;
            jwt_validation(context, config)?
        }
        "authenticate-cognito" => {
            let config = action.authenticate_cognito_config.ok_or_else(|| lacking("AuthenticateCognitoConfig"))?;
            authenticate_cognito(config)?
        }
        _ => {
            let config = action.authenticate_oidc_config.ok_or_else(|| lacking("AuthenticateOidcConfig"))?;
            authenticate_oidc(context, config, before)?
        }
    };
    Gate::new(check, orders).map_err(|error| fault::gate(&error))
}

/// What a call says of a session.
struct Asked {
    cookie_name: Option<String>,
    scope: Option<String>,
    timeout_s: Option<i64>,
    unauthenticated: Option<String>,
}

impl Asked {
    /// The session, with AWS's defaults.
    fn read(self) -> Result<Session, GateError> {
        let usual = Session::default();
        let timeout = |wanted| u32::try_from(wanted).map_err(|_| GateError::SessionTimeout(wanted));
        let unauthenticated = self.unauthenticated.as_deref().map(Unauthenticated::parse);
        Ok(Session {
            cookie_name: self.cookie_name.unwrap_or(usual.cookie_name),
            scope: self.scope.unwrap_or(usual.scope),
            timeout_s: self.timeout_s.map(timeout).transpose()?.unwrap_or(usual.timeout_s),
            unauthenticated: unauthenticated.transpose()?.unwrap_or(usual.unauthenticated),
        })
    }
}

fn authenticate_cognito(config: shapes::AuthenticateCognitoActionConfig) -> Result<Check, Fault> {
    let session = Asked {
        cookie_name: config.session_cookie_name,
        scope: config.scope,
        timeout_s: config.session_timeout,
        unauthenticated: config.on_unauthenticated_request,
    };
    let made = session.read().and_then(|session| {
        Cognito::new(CognitoParts {
            pool_arn: config.user_pool_arn,
            client_id: config.user_pool_client_id,
            domain: config.user_pool_domain,
            extra_params: config.authentication_request_extra_params.unwrap_or_default(),
            session,
        })
    });
    made.map(|cognito| Check::Cognito(Box::new(cognito))).map_err(|error| fault::gate(&error))
}

fn authenticate_oidc(
    context: &Context<'_>,
    config: shapes::AuthenticateOidcActionConfig,
    before: Option<&Gate>,
) -> Result<Check, Fault> {
    let refuse = |error: GateError| fault::gate(&error);
    let known = match before.map(|gate| &gate.check) {
        Some(Check::Oidc(oidc)) if config.use_existing_client_secret == Some(true) => Some(oidc.client_secret.clone()),
        _ => None,
    };
    let given = config.client_secret.map(ClientSecret::new);
    let client_secret = given.or(known).ok_or_else(|| refuse(GateError::NoSecret))?;
    let session = Asked {
        cookie_name: config.session_cookie_name,
        scope: config.scope,
        timeout_s: config.session_timeout,
        unauthenticated: config.on_unauthenticated_request,
    };
    let parts = OidcParts {
        issuer: config.issuer,
        authorization_endpoint: config.authorization_endpoint,
        token_endpoint: config.token_endpoint,
        user_info_endpoint: config.user_info_endpoint,
        client_id: config.client_id,
        client_secret,
        extra_params: config.authentication_request_extra_params.unwrap_or_default(),
        session: session.read().map_err(refuse)?,
    };
    match parts.local() {
        Some((member, url)) if context.settings.local_issuers != LocalIssuers::Allowed => {
            Err(refuse(GateError::Endpoint(member, url.to_owned())))
        }
        _ => Oidc::new(parts).map(|oidc| Check::Oidc(Box::new(oidc))).map_err(refuse),
    }
}

fn jwt_validation(context: &Context<'_>, config: shapes::JwtValidationActionConfig) -> Result<Check, Fault> {
    let is_local = endpoint_way(&config.jwks_endpoint) == Some(IssuerWay::Local);
    if is_local && context.settings.local_issuers != LocalIssuers::Allowed {
        return Err(fault::gate(&GateError::Endpoint("JwksEndpoint", config.jwks_endpoint)));
    }
    let claims = config.additional_claims.unwrap_or_default().into_iter().map(|claim| {
        let format = ClaimFormat::parse(&claim.format)?;
        Ok(AdditionalClaim { name: claim.name, format, values: claim.values })
    });
    let claims = claims.collect::<Result<_, _>>().map_err(|error| fault::gate(&error))?;
    let parts = JwtValidationParts { jwks_endpoint: config.jwks_endpoint, issuer: config.issuer, claims };
    JwtValidation::new(parts).map(Check::Jwt).map_err(|error| fault::gate(&error))
}

/// The action as it is given back, without its secret.
pub(super) fn render(gate: &Gate) -> shapes::Action {
    let shape = match &gate.check {
        Check::Jwt(validation) => render_jwt(validation),
        Check::Oidc(oidc) => render_oidc(oidc),
        Check::Cognito(cognito) => render_cognito(cognito),
    };
    let (order, _) = gate.orders();
    shapes::Action { order: Some(order.into()), type_: gate.check.type_name().to_owned(), ..shape }
}

fn render_jwt(validation: &JwtValidation) -> shapes::Action {
    let claims = validation.claims.iter().map(|claim| shapes::JwtValidationActionAdditionalClaim {
        format: claim.format.as_str().to_owned(),
        name: claim.name.clone(),
        values: claim.values.clone(),
    });
    let claims: Vec<_> = claims.collect();
    let config = shapes::JwtValidationActionConfig {
        additional_claims: Some(claims).filter(|claims| !claims.is_empty()),
        issuer: validation.issuer.clone(),
        jwks_endpoint: validation.jwks_endpoint.clone(),
    };
    shapes::Action { jwt_validation_config: Some(config), ..Default::default() }
}

fn render_oidc(oidc: &Oidc) -> shapes::Action {
    let session = &oidc.session;
    let config = shapes::AuthenticateOidcActionConfig {
        authentication_request_extra_params: params(&oidc.extra_params),
        authorization_endpoint: oidc.authorization_endpoint.clone(),
        client_id: oidc.client_id.clone(),
        client_secret: None,
        issuer: oidc.issuer.clone(),
        on_unauthenticated_request: Some(session.unauthenticated.as_str().to_owned()),
        scope: Some(session.scope.clone()),
        session_cookie_name: Some(session.cookie_name.clone()),
        session_timeout: Some(session.timeout_s.into()),
        token_endpoint: oidc.token_endpoint.clone(),
        use_existing_client_secret: None,
        user_info_endpoint: oidc.user_info_endpoint.clone(),
    };
    shapes::Action { authenticate_oidc_config: Some(config), ..Default::default() }
}

fn render_cognito(cognito: &Cognito) -> shapes::Action {
    let session = &cognito.session;
    let config = shapes::AuthenticateCognitoActionConfig {
        authentication_request_extra_params: params(&cognito.extra_params),
        on_unauthenticated_request: Some(session.unauthenticated.as_str().to_owned()),
        scope: Some(session.scope.clone()),
        session_cookie_name: Some(session.cookie_name.clone()),
        session_timeout: Some(session.timeout_s.into()),
        user_pool_arn: cognito.pool_arn.clone(),
        user_pool_client_id: cognito.client_id.clone(),
        user_pool_domain: cognito.domain.clone(),
    };
    shapes::Action { authenticate_cognito_config: Some(config), ..Default::default() }
}

fn params(params: &ExtraParams) -> Option<ExtraParams> {
    Some(params.clone()).filter(|params| !params.is_empty())
}
