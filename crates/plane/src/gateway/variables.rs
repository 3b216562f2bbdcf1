//! What `$context` variables are worth in mappings, templates and access logs, as far as the request got.

use std::borrow::Cow;

use topology::snapshot::gateway::ApiKind;
use topology::variable::{Known, Variable};

use super::context::{Caller, Context};
use crate::clock;

/// What a variable is worth now; `None` where it has no value (yet).
pub(crate) fn worth<'a>(context: &'a Context<'_>, variable: &'a Variable) -> Option<Cow<'a, str>> {
    match variable {
        Variable::Known(known) => of_known(context, *known),
        Variable::Claim(name) => match &context.caller {
            Caller::Token(claims) => claims.get(name).map(|claim| Cow::Borrowed(claim.as_str())),
            Caller::Anyone | Caller::Principal(_) => None,
        },
        Variable::Other(_) => None,
    }
}

fn of_known<'a>(context: &'a Context<'_>, known: Known) -> Option<Cow<'a, str>> {
    if let Some(value) = context.rest.as_ref().and_then(|rest| rest.of_trial(known)) {
        return value;
    }
    let owned = |text: String| Some(Cow::Owned(text));
    match known {
        Known::RequestId if context.kind == ApiKind::Rest => owned(context.request_id.uuid()),
        Known::RequestId | Known::ExtendedRequestId => owned(context.request_id.to_string()),
        Known::HttpMethod => Some(Cow::Borrowed(context.method.as_str())),
        Known::Path => Some(Cow::Borrowed(context.path())),
        // HTTP APIs always say so, whatever the client spoke.
        Known::Protocol => Some(Cow::Borrowed("HTTP/1.1")),
        Known::RequestTime => owned(clock::common_log_time(context.arrived)),
        Known::RequestTimeEpoch if context.kind == ApiKind::Rest => owned(context.arrived.as_millis().to_string()),
        Known::RequestTimeEpoch => owned(context.arrived.as_secs().to_string()),
        Known::SourceIp => owned(context.peer.ip().to_string()),
        Known::UserAgent => context.user_agent.as_ref().map(|agent| String::from_utf8_lossy(agent.as_bytes())),
        Known::DomainName => context.names().and_then(|names| names.host.to_str().ok()).map(Cow::Borrowed),
        Known::DomainPrefix => {
            let host = context.names()?.host.to_str().ok()?;
            Some(Cow::Borrowed(host.split('.').next().unwrap_or_default()))
        }
        Known::BasePathMatched => context.asked.as_ref().map(|asked| Cow::Borrowed(asked.base_path)),
        Known::ClientCertPem
        | Known::ClientCertSubject
        | Known::ClientCertIssuer
        | Known::ClientCertSerial
        | Known::ClientCertNotBefore
        | Known::ClientCertNotAfter => of_certificate(context, known),
        Known::AccountId | Known::ApiId | Known::Stage => of_place(context, known),
        Known::RouteKey if context.kind == ApiKind::Http => of_place(context, known),
        Known::IdentityAccountId | Known::IdentityCaller | Known::IdentityUserArn => of_principal(context, known),
        Known::AuthorizerError => context.authorizer_error.as_deref().map(Cow::Borrowed),
        Known::AuthorizerPrincipalId => of_principal(context, Known::IdentityCaller),
        Known::IntegrationStatus => owned(context.integration.status?.to_string()),
        Known::ApiKey
        | Known::ApiKeyId
        | Known::DeploymentId
        | Known::IsCanaryRequest
        | Known::ResourceId
        | Known::ResourcePath
        | Known::ValidationErrorString
        | Known::XrayTraceId => context.rest.as_ref()?.variable(known),
        Known::IntegrationLatency => owned((context.integration.took_micros? / 1000).to_string()),
        // The rest is known at the end of the answer, or is not of this kind of request.
        _ => None,
    }
}

fn of_place<'a>(context: &'a Context<'_>, known: Known) -> Option<Cow<'a, str>> {
    let found = context.found.as_ref()?;
    Some(match known {
        Known::AccountId => Cow::Owned(found.site.realm.snapshot.realm.account.to_string()),
        Known::ApiId => Cow::Borrowed(found.site.api.id.as_str()),
        Known::Stage => Cow::Borrowed(found.site.stage.name.as_str()),
        Known::RouteKey => Cow::Owned(found.route?.key.to_string()),
        _ => return None,
    })
}

fn of_certificate<'a>(context: &'a Context<'_>, known: Known) -> Option<Cow<'a, str>> {
    // Only where the domain asked for it: a certificate that nobody judged says nothing.
    let certificate = context.arrival.client_certificate().filter(|_| context.asked.is_some())?;
    Some(Cow::Borrowed(match known {
        Known::ClientCertPem => &certificate.pem,
        Known::ClientCertSubject => &certificate.subject,
        Known::ClientCertIssuer => &certificate.issuer,
        Known::ClientCertSerial => &certificate.serial,
        Known::ClientCertNotBefore => &certificate.not_before,
        Known::ClientCertNotAfter => &certificate.not_after,
        _ => return None,
    }))
}

fn of_principal<'a>(context: &'a Context<'_>, known: Known) -> Option<Cow<'a, str>> {
    let Caller::Principal(principal) = &context.caller else { return None };
    Some(Cow::Borrowed(match known {
        Known::IdentityAccountId => &principal.account,
        Known::IdentityUserArn => &principal.arn,
        _ => &principal.id,
    }))
}
