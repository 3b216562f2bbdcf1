//! What REST APIs answer themselves: one table from refusals to gateway responses, and the responses that an API customized
//! (REST API developer guide, "Gateway responses", 2026-11; bodies and their spacing as seen on AWS). Templates of gateway
//! responses are no Velocity: variables are replaced, nothing else.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Response, StatusCode};
use topology::reason::Reason;
use topology::resource::rest_api::GatewayResponseType as Kind;
use topology::trace::{HopId, HopKind};

use crate::answer::body::Body;
use crate::gateway::context::Context;
use crate::gateway::refusal::Refusal;
use crate::gateway::rest::source;
use crate::gateway::words::Words;
use crate::http::body::BodyFault;
use crate::http::unique::unique;
use crate::readied::GatewayAnswer;
use crate::trace::Recording;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXTENDED_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
/// How an answer is framed is not for a gateway response to say.
const FRAMING: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING, UPGRADE];
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// How a default body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `{"message":"…"}`
    Tight,
    /// `{"message": "…"}`
    Wide,
    /// `{"Message":"…"}`
    Capital,
    /// `{"message":null}`
    Null,
    /// Plain text, before any API was asked.
    Plain,
}

/// What a refusal is for REST APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    /// The gateway response that may be customized; none for what is refused before an API is asked.
    kind: Option<Kind>,
    /// The status, where nothing is customized.
    status: u16,
    message: &'static str,
    shape: Shape,
    error_type: &'static str,
}

const fn row(kind: Kind, status: u16, message: &'static str, shape: Shape, error_type: &'static str) -> Row {
    Row { kind: Some(kind), status, message, shape, error_type }
}

const fn early(status: u16, message: &'static str) -> Row {
    Row { kind: None, status, message, shape: Shape::Tight, error_type: "BadRequestException" }
}

impl Row {
    /// The table. `INTEGRATION_FAILURE` answers 500 where it is not customized, although its default status is 504 (seen on AWS).
    const fn of(refusal: Refusal) -> Self {
        use Shape::{Capital, Null, Plain, Tight, Wide};
        const INTERNAL: &str = "InternalServerErrorException";
        const ERROR: &str = "Internal server error";
        match refusal {
            Refusal::Malformed | Refusal::BodyFault(BodyFault::Malformed) => early(400, "Bad Request"),
            Refusal::HeadersTooLarge => early(431, "Request Header Fields Too Large"),
            Refusal::Misdirected | Refusal::ClientCertificateElsewhere => early(421, "Misdirected Request"),
            Refusal::ClientSilent
            | Refusal::BodyFault(
                BodyFault::ClientSilent | BodyFault::ClientGone | BodyFault::TargetBroke | BodyFault::TargetSilent,
            ) => early(408, "Request Timeout"),
            Refusal::ApiNotFound
            | Refusal::StageNotFound
            | Refusal::EndpointDisabled
            | Refusal::Unmapped
            | Refusal::ClientCertificateRequired
            | Refusal::ClientCertificateInvalid => {
                Self { kind: None, status: 403, message: "Forbidden", shape: Tight, error_type: "ForbiddenException" }
            }
            Refusal::RouteNotFound | Refusal::SignatureMissing => row(
                Kind::MissingAuthenticationToken,
                403,
                "Missing Authentication Token",
                Tight,
                "MissingAuthenticationTokenException",
            ),
            Refusal::BodyTooLarge | Refusal::BodyFault(BodyFault::TooLarge) => Self {
                kind: None,
                status: 413,
                message: "HTTP content length exceeded 10485760 bytes.",
                shape: Plain,
                error_type: "",
            },
            Refusal::PolicyDenied => row(
                Kind::AccessDenied,
                403,
                "User is not authorized to access this resource",
                Capital,
                "AccessDeniedException",
            ),
            Refusal::Unauthorized(_) => row(Kind::Unauthorized, 401, "Unauthorized", Tight, "UnauthorizedException"),
            Refusal::Forbidden(Reason::Sigv4Invalid) => row(
                Kind::InvalidSignature,
                403,
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
                Tight,
                "InvalidSignatureException",
            ),
            Refusal::Forbidden(_) => {
                row(Kind::AuthorizerConfigurationError, 500, "", Null, "AuthorizerConfigurationException")
            }
            Refusal::KeyRefused(_) => row(Kind::InvalidApiKey, 403, "Forbidden", Tight, "ForbiddenException"),
            Refusal::QuotaExceeded => row(Kind::QuotaExceeded, 429, "Limit Exceeded", Tight, "LimitExceededException"),
            Refusal::Throttled => row(Kind::Throttled, 429, "Too Many Requests", Tight, "TooManyRequestsException"),
            Refusal::ParametersMissing => {
                row(Kind::BadRequestParameters, 400, "Missing required request parameters", Wide, "BadRequestException")
            }
            Refusal::BodyInvalid => row(Kind::BadRequestBody, 400, "Invalid request body", Wide, "BadRequestException"),
            Refusal::UnsupportedMediaType => {
                row(Kind::UnsupportedMediaType, 415, "Unsupported Media Type", Wide, "BadRequestException")
            }
            Refusal::NoIntegration | Refusal::MappingFailed => {
                row(Kind::ApiConfigurationError, 500, ERROR, Wide, INTERNAL)
            }
            Refusal::IntegrationBroken(_) | Refusal::LinkClosed(_) | Refusal::Silent(_) | Refusal::AnswerBroke(_) => {
                row(Kind::IntegrationFailure, 500, ERROR, Wide, INTERNAL)
            }
            Refusal::TimedOut => row(Kind::IntegrationTimeout, 504, "Endpoint request timed out", Wide, INTERNAL),
        }
    }

    fn body(&self, message: &str) -> String {
        let quoted = || quote(message);
        match self.shape {
            Shape::Tight => format!(r#"{{"message":{}}}"#, quoted()),
            Shape::Wide => format!(r#"{{"message": {}}}"#, quoted()),
            Shape::Capital => format!(r#"{{"Message":{}}}"#, quoted()),
            Shape::Null => r#"{"message":null}"#.to_owned(),
            Shape::Plain => message.to_owned(),
        }
    }
}

fn quote(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// What the client is told: what was found out about this request, else the table's text.
fn message<'c>(row: &Row, context: &'c Context<'_>) -> Cow<'c, str> {
    let found = context.rest.as_ref().and_then(|rest| rest.message.as_deref());
    found.map_or(Cow::Borrowed(row.message), Cow::Borrowed)
}

/// The words of a refusal for access logs and templates.
pub(crate) fn words(refusal: Refusal, context: &Context<'_>) -> Words {
    let row = Row::of(refusal);
    Words {
        message: Cow::Owned(message(&row, context).into_owned()),
        response_type: row.kind.map_or("DEFAULT_4XX", Kind::as_str),
        integration_error: refusal.words().integration_error,
    }
}

/// Answers a refusal.
pub(super) fn refuse(refusal: Refusal, context: &Context<'_>, recording: &mut Recording) -> Response<Body> {
    let row = Row::of(refusal);
    if recording.reason().is_none() {
        let (_, _, reason) = refusal.answer();
        recording.read_clock();
        recording.stop(HopKind::Gateway, HopId::None, reason);
    }
    let custom = customized(&row, context);
    let status = custom.and_then(|custom| custom.status).unwrap_or(row.status);
    let template = custom.and_then(|custom| template(custom, context));
    let (kind, body) = match template {
        Some((kind, template)) => (kind, filled(template, (refusal, context))),
        None if row.shape == Shape::Plain => ("text; charset=utf-8", row.body(row.message)),
        None => ("application/json", row.body(&message(&row, context))),
    };
    let mut response = Response::new(Body::full(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(kind) {
        headers.insert(CONTENT_TYPE, kind);
    }
    if !row.error_type.is_empty() {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(row.error_type));
    }
    let own = |name: &HeaderName| !FRAMING.contains(name);
    for (name, value) in custom.iter().flat_map(|custom| &custom.headers).filter(|(name, _)| own(name)) {
        let value = source::of_request(context, value).and_then(|value| HeaderValue::try_from(value.as_ref()).ok());
        if let Some(value) = value {
            headers.insert(name.clone(), value);
        }
    }
    if refusal.ends_connection() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The API's own response for this kind, else the one for its class.
fn customized<'c>(row: &Row, context: &'c Context<'_>) -> Option<&'c GatewayAnswer> {
    let answers = &context.rest.as_ref()?.readied.gateway_responses;
    let class = if row.status < 500 { Kind::Default4xx } else { Kind::Default5xx };
    answers.get(&row.kind?).or_else(|| answers.get(&class))
}

/// The template for what the client accepts, else for JSON, else the first.
fn template<'c>(custom: &'c GatewayAnswer, context: &Context<'_>) -> Option<(&'c str, &'c str)> {
    let accepted = context.rest.as_ref().and_then(|rest| rest.header("accept")).unwrap_or_default();
    let of = |wanted: &str| custom.templates.iter().find(|(kind, _)| kind == wanted);
    let first = accepted.split([',', ';']).next().unwrap_or_default().trim();
    let found = of(first).or_else(|| of("application/json")).or_else(|| custom.templates.first())?;
    Some((&found.0, &found.1))
}

/// Replaces `$context.…`, `$stageVariables.…` and `$method.request.…`. What has no value leaves nothing.
fn filled(template: &str, (refusal, context): (Refusal, &Context<'_>)) -> String {
    let words = words(refusal, context);
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let after = &after[1..];
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(after.len());
        let name = after[..end].trim_end_matches(['.', '-']);
        let is_known = ["context.", "stageVariables.", "method.request."].iter().any(|p| name.starts_with(p));
        if !is_known {
            out.push('$');
            rest = after;
            continue;
        }
        match name {
            "context.error.message" => out.push_str(&words.message),
            "context.error.messageString" => out.push_str(&quote(&words.message)),
            "context.error.responseType" => out.push_str(words.response_type),
            name => out.push_str(&source::named(context, name).unwrap_or_default()),
        }
        rest = &after[name.len()..];
    }
    out.push_str(rest);
    out
}

/// Puts the request's ids on an answer; the text that refuses a large body has none.
pub(super) fn identify(headers: &mut HeaderMap, context: &Context<'_>) {
    if context.refused.is_some_and(|refusal| Row::of(refusal).shape == Shape::Plain) {
        return;
    }
    let ids = [(REQUEST_ID, context.request_id.uuid()), (EXTENDED_REQUEST_ID, context.request_id.to_string())];
    for (name, id) in ids {
        if let Ok(id) = HeaderValue::try_from(id) {
            headers.insert(name, unique(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_spaced_as_on_aws() {
        let rows = [
            (Refusal::RouteNotFound, 403, r#"{"message":"Missing Authentication Token"}"#),
            (Refusal::StageNotFound, 403, r#"{"message":"Forbidden"}"#),
            (Refusal::KeyRefused(Reason::ApiKeyMissing), 403, r#"{"message":"Forbidden"}"#),
            (Refusal::QuotaExceeded, 429, r#"{"message":"Limit Exceeded"}"#),
            (Refusal::Throttled, 429, r#"{"message":"Too Many Requests"}"#),
            (Refusal::Unauthorized(Reason::JwtExpired), 401, r#"{"message":"Unauthorized"}"#),
            (Refusal::Forbidden(Reason::AuthorizerUnsupported), 500, r#"{"message":null}"#),
            (Refusal::BodyInvalid, 400, r#"{"message": "Invalid request body"}"#),
            (Refusal::UnsupportedMediaType, 415, r#"{"message": "Unsupported Media Type"}"#),
            (Refusal::Silent(Reason::SgIngressDenied), 500, r#"{"message": "Internal server error"}"#),
            (Refusal::LinkClosed(Reason::LinkPending), 500, r#"{"message": "Internal server error"}"#),
            (Refusal::TimedOut, 504, r#"{"message": "Endpoint request timed out"}"#),
            (Refusal::BodyTooLarge, 413, "HTTP content length exceeded 10485760 bytes."),
        ];
        for (refusal, status, body) in rows {
            let row = Row::of(refusal);
            assert_eq!((row.status, row.body(row.message).as_str()), (status, body), "{refusal:?}");
        }
    }
}
