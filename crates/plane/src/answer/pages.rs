//! Generated answers: the JSON of HTTP APIs and the HTML of ALBs, byte for byte.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SERVER};
use http::{HeaderMap, Response, StatusCode};
use topology::reason::Reason;

use super::body::Body;

/// The `server` of answers that an ALB makes itself.
pub(crate) const ALB_SERVER: HeaderValue = HeaderValue::from_static("awselb/2.0");

/// What became of a request, in development mode.
const TRACE: HeaderName = HeaderName::from_static("x-tidegate-trace");

/// Says in a header what became of a request: the code of the reason, or that it passed.
pub(crate) fn say_trace(headers: &mut HeaderMap, reason: Option<Reason>) {
    headers.insert(TRACE, HeaderValue::from_static(reason.map_or("passed", Reason::code)));
}

/// Leaves out the body of an answer to a HEAD. Any other but a 304 says that it has none where it has none (RFC 9110, section 8.6).
pub(crate) fn fit(response: &mut Response<Body>, for_head: bool) {
    if for_head {
        response.body_mut().leave_out();
    } else if response.status() != StatusCode::NOT_MODIFIED {
        response.body_mut().describe();
    }
}

/// An HTTP API's own answer: `{"message":"…"}` (observed on HTTP APIs, no blank after the colon).
pub(crate) fn gateway(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The pages of an ALB by status: the text of title and heading.
const fn title(status: u16) -> &'static str {
    match status {
        301 => "301 Moved Permanently",
        302 => "302 Found",
        400 => "400 Bad Request",
        401 => "401 Authorization Required",
        405 => "405 Not Allowed",
        408 => "408 Request Time-out",
        413 => "413 Request Entity Too Large",
        414 => "414 Request-URI Too Large",
        421 => "421 Misdirected Request",
        500 => "500 Internal Server Error",
        501 => "501 Not Implemented",
        502 => "502 Bad Gateway",
        503 => "503 Service Temporarily Unavailable",
        504 => "504 Gateway Time-out",
        505 => "505 HTTP Version Not Supported",
        // 463, 464, 507, 561 and 562 have no reason phrase of their own.
        _ => "",
    }
}

/// An ALB's error page. Statuses without a known page have an empty body.
pub(crate) fn alb(status: u16) -> Response<Body> {
    let title = title(status);
    let body = if title.is_empty() { Bytes::new() } else { page(title) };
    let mut response = Response::new(Body::full(body));
    // Every caller passes a status of the table or one of AWS's own, all within 100–999.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(SERVER, ALB_SERVER);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// An ALB's redirect.
pub(crate) fn redirect(status: u16, location: HeaderValue) -> Response<Body> {
    let mut response = alb(status);
    response.headers_mut().insert(LOCATION, location);
    response
}

fn page(title: &str) -> Bytes {
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    Bytes::from(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::framing::{Framing, WithFraming as _};

    #[test]
    fn alb_pages_have_the_lengths_that_were_seen() {
        let rows = [
            (400, 122),
            (401, 144),
            (562, 0),
            (405, 122),
            (408, 132),
            (413, 148),
            (414, 142),
            (500, 142),
            (501, 130),
            (502, 122),
            (503, 162),
            (504, 132),
            (301, 134),
            (302, 110),
            (463, 0),
        ];
        for (status, length) in rows {
            let response = alb(status);
            assert_eq!(response.body().framing(), Framing::Length(length), "{status}");
            assert_eq!(response.headers()[SERVER], "awselb/2.0");
            assert_eq!(response.status(), status);
        }
    }

    #[test]
    fn a_gateway_answer_is_compact_json() {
        let response = gateway(StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#);
        assert_eq!(response.body().framing(), Framing::Length(23));
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    }
}
