//! Why the gateway answers by itself, and the status and body that each reason has on HTTP APIs. REST APIs have a table of their own in
//! `respond::rest`, and what access logs say is in `words`.

use http::StatusCode;
use topology::reason::Reason;

use crate::http::body::BodyFault;
use crate::http::gathered::Unread;

/// Why the gateway answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The head is malformed or ambiguous.
    Malformed,
    /// The head is too large.
    HeadersTooLarge,
    /// No such API.
    ApiNotFound,
    /// No such stage, or nothing deployed to it.
    StageNotFound,
    /// The default endpoint is disabled.
    EndpointDisabled,
    /// The host belongs on another connection.
    Misdirected,
    /// The domain name has no mapping or rule for the path.
    Unmapped,
    /// The domain asks for a client certificate, and the connection can show none.
    ClientCertificateRequired,
    /// The same, on a connection that was made for another name.
    ClientCertificateElsewhere,
    /// The client's certificate does not lead to the trust store.
    ClientCertificateInvalid,
    /// No route.
    RouteNotFound,
    /// A rate limit is used up.
    Throttled,
    /// The body is too large.
    BodyTooLarge,
    /// The authorizer wants a better token.
    Unauthorized(Reason),
    /// The authorizer does not let the caller in.
    Forbidden(Reason),
    /// The request is not signed.
    SignatureMissing,
    /// The resource policy does not let the caller in.
    PolicyDenied,
    /// The API key does not open the stage.
    KeyRefused(Reason),
    /// The key's quota is used up.
    QuotaExceeded,
    /// Required parameters are missing; the context names them.
    ParametersMissing,
    /// The body does not meet its model.
    BodyInvalid,
    /// No template is for the body.
    UnsupportedMediaType,
    /// The route has no integration.
    NoIntegration,
    /// The integration leads nowhere.
    IntegrationBroken(Reason),
    /// A mapping cannot be applied.
    MappingFailed,
    /// The link carries nothing.
    LinkClosed(Reason),
    /// Nobody answered the connection.
    Silent(Reason),
    /// The target broke off its answer before any of it was passed on.
    AnswerBroke(Reason),
    /// The integration's timeout ran out.
    TimedOut,
    /// The request body broke off or is broken.
    BodyFault(BodyFault),
    /// The client was silent within its body.
    ClientSilent,
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Broke(fault) => Self::BodyFault(fault),
            Unread::NoPlace => Self::TimedOut,
        }
    }
}

impl Refusal {
    /// The status and body of each refusal (HTTP API error catalogue; texts observed), and its reason.
    pub(super) const fn answer(self) -> (StatusCode, &'static str, Reason) {
        const BAD_REQUEST: &str = r#"{"message":"Bad Request"}"#;
        const FORBIDDEN: &str = r#"{"message":"Forbidden"}"#;
        const NOT_FOUND: &str = r#"{"message":"Not Found"}"#;
        const ERROR: &str = r#"{"message":"Internal Server Error"}"#;
        const UNAVAILABLE: &str = r#"{"message":"Service Unavailable"}"#;
        const MISDIRECTED: &str = r#"{"message":"Misdirected Request"}"#;
        const TOO_LARGE: &str = r#"{"message":"Request Entity Too Large"}"#;
        match self {
            Self::Malformed | Self::BodyFault(BodyFault::Malformed) => {
                (StatusCode::BAD_REQUEST, BAD_REQUEST, Reason::MalformedRequest)
            }
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                r#"{"message":"Request Header Fields Too Large"}"#,
                Reason::HeadersTooLarge,
            ),
            Self::ApiNotFound => (StatusCode::NOT_FOUND, NOT_FOUND, Reason::ApiNotFound),
            Self::StageNotFound => (StatusCode::NOT_FOUND, NOT_FOUND, Reason::StageNotFound),
            Self::EndpointDisabled => (StatusCode::FORBIDDEN, FORBIDDEN, Reason::ExecuteApiDisabled),
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, MISDIRECTED, Reason::TlsNameMismatch),
            Self::Unmapped => (StatusCode::FORBIDDEN, FORBIDDEN, Reason::ApiNotFound),
            Self::ClientCertificateRequired => (StatusCode::FORBIDDEN, FORBIDDEN, Reason::ClientCertRequired),
            Self::ClientCertificateElsewhere => {
                (StatusCode::MISDIRECTED_REQUEST, MISDIRECTED, Reason::ClientCertRequired)
            }
            Self::ClientCertificateInvalid => (StatusCode::FORBIDDEN, FORBIDDEN, Reason::ClientCertInvalid),
            Self::RouteNotFound => (StatusCode::NOT_FOUND, NOT_FOUND, Reason::RouteNotFound),
            Self::BodyTooLarge | Self::BodyFault(BodyFault::TooLarge) => {
                (StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE, Reason::BodyTooLarge)
            }
            Self::Throttled => (StatusCode::TOO_MANY_REQUESTS, r#"{"message":"Too Many Requests"}"#, Reason::Throttled),
            Self::Unauthorized(reason) => (StatusCode::UNAUTHORIZED, r#"{"message":"Unauthorized"}"#, reason),
            Self::Forbidden(reason) => (StatusCode::FORBIDDEN, FORBIDDEN, reason),
            // What follows is refused by REST APIs only, which word it in a table of their own.
            Self::SignatureMissing => (StatusCode::FORBIDDEN, FORBIDDEN, Reason::Sigv4Invalid),
            Self::PolicyDenied => (StatusCode::FORBIDDEN, FORBIDDEN, Reason::ResourcePolicyDenied),
            Self::KeyRefused(reason) => (StatusCode::FORBIDDEN, FORBIDDEN, reason),
            Self::QuotaExceeded => {
                (StatusCode::TOO_MANY_REQUESTS, r#"{"message":"Limit Exceeded"}"#, Reason::QuotaExceeded)
            }
            Self::ParametersMissing | Self::BodyInvalid => {
                (StatusCode::BAD_REQUEST, BAD_REQUEST, Reason::ValidationFailed)
            }
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                r#"{"message":"Unsupported Media Type"}"#,
                Reason::UnsupportedMediaType,
            ),
            Self::NoIntegration => (StatusCode::INTERNAL_SERVER_ERROR, ERROR, Reason::NoIntegration),
            Self::IntegrationBroken(
                reason @ (Reason::IntegrationUnsupported | Reason::IntegrationTargetNotListener),
            ) => (StatusCode::INTERNAL_SERVER_ERROR, ERROR, reason),
            Self::MappingFailed => (StatusCode::INTERNAL_SERVER_ERROR, ERROR, Reason::MappingFailed),
            Self::IntegrationBroken(reason)
            | Self::LinkClosed(reason)
            | Self::Silent(reason)
            | Self::AnswerBroke(reason) => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, reason),
            Self::TimedOut => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, Reason::IntegrationTimeout),
            Self::BodyFault(BodyFault::ClientGone | BodyFault::TargetBroke | BodyFault::TargetSilent) => {
                (StatusCode::BAD_REQUEST, BAD_REQUEST, Reason::ClientClosed)
            }
            Self::ClientSilent | Self::BodyFault(BodyFault::ClientSilent) => {
                (StatusCode::REQUEST_TIMEOUT, r#"{"message":"Request Timeout"}"#, Reason::ClientClosed)
            }
        }
    }

    /// Whether what follows on the connection cannot be trusted to be a request.
    pub(super) const fn ends_connection(self) -> bool {
        matches!(self, Self::Malformed | Self::HeadersTooLarge | Self::BodyFault(_) | Self::ClientSilent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_statuses_and_lengths_of_http_apis() {
        let rows = [
            (Refusal::RouteNotFound, 404, 23),
            (Refusal::EndpointDisabled, 403, 23),
            (Refusal::Unauthorized(Reason::JwtExpired), 401, 26),
            (Refusal::Forbidden(Reason::ScopeMissing), 403, 23),
            (Refusal::NoIntegration, 500, 35),
            (Refusal::Silent(Reason::SgEgressDenied), 503, 33),
            (Refusal::LinkClosed(Reason::LinkPending), 503, 33),
            (Refusal::IntegrationBroken(Reason::ListenerNotFound), 503, 33),
            (Refusal::IntegrationBroken(Reason::IntegrationUnsupported), 500, 35),
            (Refusal::BodyTooLarge, 413, 38),
        ];
        for (refusal, status, length) in rows {
            let (got, body, _) = refusal.answer();
            assert_eq!((got.as_u16(), body.len()), (status, length), "{refusal:?}");
        }
    }
}
