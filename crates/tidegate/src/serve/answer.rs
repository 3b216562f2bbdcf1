//! Bodies and answers of the API port, in one type, whoever made them.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::guard::Foreign;
use super::limits::BODY_TIMEOUT;
use crate::mailbox::Stopped;

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

/// The wish in a body; without one, an empty object.
pub(super) fn wish<T: DeserializeOwned>(body: &Bytes) -> Result<T, Declined> {
    serde_json::from_slice(if body.is_empty() { b"{}" } else { body })
        .map_err(|error| Declined::new(StatusCode::BAD_REQUEST, "MALFORMED", error.to_string()))
}

/// The answer of a server whose control thread has ended.
pub(super) fn stopped(stopped: Stopped) -> Answer {
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "STOPPED", &stopped.to_string())
}

/// Why one of our own paths does not do what it is asked, before it is an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declined {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Declined {
    /// With this status, code and sentence.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

impl From<Declined> for Answer {
    fn from(declined: Declined) -> Self {
        refusal(declined.status, declined.code, &declined.message)
    }
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
    match tokio::time::timeout(BODY_TIMEOUT, gather(body, bytes_max)).await {
        Err(_) => Err(Unread::TooSlow),
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Broken),
    }
}

/// A body in one buffer that grows as it comes, so that it takes what its bytes take, whatever pieces the sender made of them;
/// `None` for one above the bound.
pub(crate) async fn gather<B>(mut body: B, bytes_max: usize) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if whole.len() + data.len() > bytes_max {
            return Ok(None);
        }
        whole.extend_from_slice(&data);
    }
    Ok(Some(whole.freeze()))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// Pieces of one byte, each in a large buffer of its own.
    struct Crumbs(VecDeque<Bytes>);

    impl Body for Crumbs {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    #[tokio::test]
    async fn a_body_takes_what_its_bytes_take() {
        let crumbs = || Crumbs((0..1000).map(|_| Bytes::from(vec![b'x'; 4096]).split_to(1)).collect());
        let whole = gather(crumbs(), 1000).await.unwrap().unwrap();
        assert_eq!(whole, "x".repeat(1000));
        assert_eq!(whole.try_into_mut().map(|buffer| buffer.capacity() < 4096), Ok(true));
        assert_eq!(gather(crumbs(), 999).await.unwrap(), None);
    }
}
