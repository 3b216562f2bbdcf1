//! Bodies and answers of the API port, in one type, whoever made them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use serde_json::{Value, json};

use super::guard::Foreign;
use super::limits::BODY_TIMEOUT;

/// Whatever can go wrong while a body is sent.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, BodyError>;
/// An answer.
pub(crate) type Answer = Response<AnswerBody>;

/// A body that is known whole.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> AnswerBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// An answer whose body comes from elsewhere.
pub(crate) fn carried<B>(answer: Response<B>) -> Answer
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    answer.map(|body| body.map_err(Into::into).boxed_unsync())
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &Value) -> Answer {
    let mut text = value.to_string();
    text.push('\n');
    typed(status, "application/json", text)
}

/// A text answer.
pub(crate) fn text(status: StatusCode, text: String) -> Answer {
    typed(status, "text/plain; charset=utf-8", text)
}

/// A page of metrics, in OpenMetrics' text form.
pub(crate) fn metrics(text: String) -> Answer {
    typed(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
}

/// A refusal of our own paths.
pub(crate) fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    json(status, &json!({ "code": code, "message": message }))
}

/// The refusal of a request that another site or machine sent.
pub(crate) fn foreign(foreign: Foreign) -> Answer {
    refusal(StatusCode::FORBIDDEN, "FORBIDDEN", foreign.sentence())
}

/// An answer with a request id.
pub(crate) fn named(mut answer: Answer, request_id: &str) -> Answer {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert("x-amzn-requestid", id);
    }
    answer
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(whole(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// Why a request's body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is above the bound.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// The connection broke, or the framing is wrong.
    Broken,
}

impl Unread {
    /// The status that says so.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    /// The sentence that says so.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::TooLarge => "The request body is too large",
            Self::TooSlow => "The request body did not arrive in time",
            Self::Broken => "The request body could not be read",
        }
    }
}

/// The whole body of a request, bounded in size and time.
pub(crate) async fn read(body: Incoming, bytes_max: usize) -> Result<Bytes, Unread> {
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, bytes_max).collect()).await;
    match read {
        Err(_) => Err(Unread::TooSlow),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Broken),
    }
}
