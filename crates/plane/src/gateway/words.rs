//! What an access log says about each refusal: `$context.error.*` and `$context.integration.error`. Exhaustive on purpose: a
//! new refusal must find its words here.
//!
//! `ACCESS_DENIED` with `Forbidden` was seen in public logs of HTTP APIs; the other kinds are the names of gateway responses
//! (REST API developer guide, "Gateway response types", 2026-11), assumed for HTTP APIs. The texts of integration errors are
//! ours and end with the reason code of the trace.

use std::borrow::Cow;

use topology::reason::Reason;

use super::refusal::Refusal;

/// The words of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    /// The message of the body that the client got.
    pub(crate) message: Cow<'static, str>,
    /// The kind of error.
    pub(crate) response_type: &'static str,
    /// What went wrong at the integration, if it was reached for.
    pub(crate) integration_error: Option<String>,
}

impl Refusal {
    /// The words of this refusal.
    pub(crate) fn words(self) -> Words {
        let (_, body, reason) = self.answer();
        let (response_type, integration) = self.kind();
        Words {
            message: Cow::Borrowed(message(body)),
            response_type,
            integration_error: integration.map(|text| format!("{text}: {}", reason.code())),
        }
    }

    pub(super) const fn kind(self) -> (&'static str, Option<&'static str>) {
        const MISCONFIGURED: Option<&str> = Some("The integration is not configured properly");
        match self {
            Self::Malformed
            | Self::HeadersTooLarge
            | Self::BodyFault(_)
            | Self::ClientSilent
            | Self::Misdirected
            | Self::ClientCertificateElsewhere => ("DEFAULT_4XX", None),
            Self::Unauthorized(_) => ("UNAUTHORIZED", None),
            Self::SignatureMissing => ("MISSING_AUTHENTICATION_TOKEN", None),
            Self::KeyRefused(_) => ("INVALID_API_KEY", None),
            Self::QuotaExceeded => ("QUOTA_EXCEEDED", None),
            Self::ParametersMissing => ("BAD_REQUEST_PARAMETERS", None),
            Self::BodyInvalid => ("BAD_REQUEST_BODY", None),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", None),
            Self::BodyTooLarge => ("REQUEST_TOO_LARGE", None),
            Self::ApiNotFound | Self::StageNotFound | Self::RouteNotFound => ("RESOURCE_NOT_FOUND", None),
            Self::Throttled => ("THROTTLED", None),
            Self::EndpointDisabled
            | Self::Forbidden(_)
            | Self::PolicyDenied
            | Self::Unmapped
            | Self::ClientCertificateRequired
            | Self::ClientCertificateInvalid => ("ACCESS_DENIED", None),
            Self::MappingFailed => ("API_CONFIGURATION_ERROR", None),
            Self::NoIntegration
            | Self::IntegrationBroken(Reason::IntegrationUnsupported | Reason::IntegrationTargetNotListener) => {
                ("API_CONFIGURATION_ERROR", MISCONFIGURED)
            }
            Self::IntegrationBroken(_) => ("INTEGRATION_FAILURE", MISCONFIGURED),
            Self::LinkClosed(_) => ("INTEGRATION_FAILURE", Some("The VPC link carries no traffic")),
            Self::Silent(_) => ("INTEGRATION_FAILURE", Some("The integration could not be reached")),
            Self::AnswerBroke(_) => ("INTEGRATION_FAILURE", Some("The integration's answer broke off")),
            Self::TimedOut => ("INTEGRATION_TIMEOUT", Some("The integration did not answer in time")),
        }
    }
}

/// `{"message":"Not Found"}` says `Not Found`.
fn message(body: &'static str) -> &'static str {
    let inner = body.strip_prefix(r#"{"message":""#).and_then(|rest| rest.strip_suffix(r#""}"#));
    inner.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_words() {
        let rows = [
            (Refusal::RouteNotFound, "Not Found", "RESOURCE_NOT_FOUND", None),
            (Refusal::EndpointDisabled, "Forbidden", "ACCESS_DENIED", None),
            (Refusal::Throttled, "Too Many Requests", "THROTTLED", None),
            (
                Refusal::Silent(Reason::SgEgressDenied),
                "Service Unavailable",
                "INTEGRATION_FAILURE",
                Some("The integration could not be reached: SG_EGRESS_DENIED"),
            ),
            (
                Refusal::TimedOut,
                "Service Unavailable",
                "INTEGRATION_TIMEOUT",
                Some("The integration did not answer in time: INTEGRATION_TIMEOUT"),
            ),
        ];
        for (refusal, message, response_type, integration_error) in rows {
            let integration_error = integration_error.map(str::to_owned);
            let message = Cow::Borrowed(message);
            assert_eq!(refusal.words(), Words { message, response_type, integration_error }, "{refusal:?}");
        }
    }
}
