//! What a client sends to a listener's socket, made into what the listener takes: a head that can be read in one way only, within the
//! bounds of load balancers (ALB user guide, "Quotas", 2026-11), without what concerned the client's connection alone.

use http::header::{EXPECT, HOST, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Request, Uri, Version};
use tokio::time::Instant;
use topology::reason::Reason;

use super::desync::Rejected;
use crate::http::body::{RequestBody, SentBody};
use crate::http::framing::{self, Framing, Malformed};
use crate::http::hop;
use crate::http::survey::Survey;
use crate::http1::head::{HeadFault, Unread, UnreadableTarget};
use crate::http1::spelling::Spelling;
use crate::limits::{LISTENER_HEADER_BYTES_MAX, LISTENER_HEADERS_BYTES_MAX, LISTENER_LINE_BYTES_MAX};

/// A request that the listener does not take.
pub(super) struct Refused {
    /// What it answers instead.
    pub(super) rejected: Rejected,
    /// What was asked.
    pub(super) head: Parts,
}

/// Takes a request in, or says what the listener answers instead.
pub(super) fn take(
    request: Request<SentBody>,
    spelling: &Spelling,
    start: Instant,
) -> Result<Request<RequestBody>, Box<Refused>> {
    let (mut head, body) = request.into_parts();
    match judge(&mut head, spelling) {
        Ok(seen) => Ok(make(head, body, (&seen, start))),
        Err(rejected) => Err(Box::new(Refused { rejected, head })),
    }
}

/// What the head's lines say, if it can be read in one way only.
fn judge(head: &mut Parts, spelling: &Spelling) -> Result<Survey, Rejected> {
    let malformed = |status| Rejected { status, reason: Reason::MalformedRequest };
    if let Some(Unread(fault)) = head.extensions.get() {
        return Err(match fault {
            HeadFault::Malformed | HeadFault::OtherProtocol => malformed(400),
            // ALB user guide, "HTTP 505", 2026-11.
            HeadFault::Version => malformed(505),
            HeadFault::TooLarge => Rejected { status: 400, reason: Reason::HeadersTooLarge },
            HeadFault::Late => Rejected { status: 408, reason: Reason::ClientClosed },
        });
    }
    if head.extensions.get::<UnreadableTarget>().is_some() {
        return Err(malformed(400));
    }
    if head.version != Version::HTTP_2 {
        put_in_origin_form(head).ok_or_else(|| malformed(400))?;
    }
    let Parts { method, uri, version, headers, .. } = head;
    let seen = Survey::of(headers, spelling.lines());
    if framing::line_bytes(method, uri) > LISTENER_LINE_BYTES_MAX {
        return Err(Rejected { status: 414, reason: Reason::HeadersTooLarge });
    }
    let is_long = |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    if seen.bytes > LISTENER_HEADERS_BYTES_MAX || headers.iter().map(is_long).any(|it| it > LISTENER_HEADER_BYTES_MAX) {
        return Err(Rejected { status: 400, reason: Reason::HeadersTooLarge });
    }
    framing::check_form((method, uri, *version), (headers, spelling.lines()), &seen).map_err(|wrong| {
        // A coding that nobody undoes here (ALB user guide, "HTTP 501", 2026-11).
        malformed(if wrong == Malformed::Coding { 501 } else { 400 })
    })?;
    Ok(seen)
}

/// The request without what concerned the client's connection alone.
fn make(head: Parts, body: SentBody, (seen, start): (&Survey, Instant)) -> Request<RequestBody> {
    let Parts { method, uri, version, mut headers, .. } = head;
    let protocol = hop::upgrade(&headers).filter(|_| body.framing() == Framing::Switched).cloned();
    hop::strip_request(&mut headers, seen);
    if let Some(protocol) = protocol {
        headers.insert(UPGRADE, protocol);
    }
    if seen.expect {
        headers.remove(EXPECT);
    }
    if version == Version::HTTP_2 {
        hop::join_cookies(&mut headers);
        name_host(&uri, &mut headers);
    }
    let mut taken = Request::new(RequestBody::of_any_length(body, start));
    *taken.method_mut() = method;
    // What the client speaks: not every group of targets is sent all of it.
    *taken.version_mut() = version;
    *taken.uri_mut() = uri.into_parts().path_and_query.map(Uri::from).unwrap_or_default();
    *taken.headers_mut() = headers;
    taken
}

/// Takes scheme and authority away from the target; the authority takes the place of `Host` (RFC 9112, section 3.2.2). `None` where that
/// is no host, or where there is nothing before it.
fn put_in_origin_form(head: &mut Parts) -> Option<()> {
    let Some(authority) = head.uri.scheme().and(head.uri.authority()) else { return Some(()) };
    if head.headers.get_all(HOST).iter().count() > 1 {
        return None;
    }
    let host = HeaderValue::try_from(authority.as_str()).ok().filter(|_| !authority.as_str().contains('@'))?;
    head.headers.insert(HOST, host);
    head.uri = Uri::from(head.uri.path_and_query()?.clone());
    Some(())
}

/// HTTP/2 has the host in its target.
fn name_host(uri: &Uri, headers: &mut HeaderMap) {
    let host = uri.authority().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    if let Some(host) = host {
        headers.insert(HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// What becomes of a head: status, or the target and the host that go on.
    fn taken(version: Version, uri: &str, headers: &[(&'static str, &str)]) -> Result<(String, String), u16> {
        let mut request = Request::new(SentBody::whole(bytes::Bytes::new()));
        (*request.version_mut(), *request.uri_mut()) = (version, uri.parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let taken = take(request, &Spelling::default(), clock::now()).map_err(|refused| refused.rejected.status)?;
        let host = taken.headers().get(HOST).map(|host| host.to_str().unwrap().to_owned()).unwrap_or_default();
        Ok((taken.uri().to_string(), host))
    }

    #[test]
    fn heads_and_what_becomes_of_them() {
        use Version as V;
        let long = "x".repeat(LISTENER_LINE_BYTES_MAX);
        let went = |target: &str, host: &str| Ok((target.to_owned(), host.to_owned()));
        let longest = format!("/{long}");
        let rows = [
            ("a request", taken(V::HTTP_11, "/a?b", &[("host", "h")]), went("/a?b", "h")),
            ("a target with its host", taken(V::HTTP_11, "http://o/a", &[("host", "h")]), went("/a", "o")),
            ("one with a user", taken(V::HTTP_11, "http://u@o/a", &[("host", "h")]), Err(400)),
            ("no host", taken(V::HTTP_11, "/a", &[]), Err(400)),
            ("no host, of an old client", taken(V::HTTP_10, "/a", &[]), went("/a", "")),
            ("two hosts", taken(V::HTTP_11, "/a", &[("host", "h"), ("host", "h")]), Err(400)),
            (
                "two hosts and a third in the target",
                taken(V::HTTP_11, "http://o/a", &[("host", "h"), ("host", "h")]),
                Err(400),
            ),
            ("a host that is none", taken(V::HTTP_11, "/a", &[("host", "h/b?c")]), Err(400)),
            ("a long line", taken(V::HTTP_11, &longest, &[("host", "h")]), Err(414)),
            ("a long header", taken(V::HTTP_11, "/a", &[("host", "h"), ("x", &long)]), Err(400)),
            ("over HTTP/2", taken(V::HTTP_2, "https://h/a", &[]), went("/a", "h")),
            ("a user over HTTP/2", taken(V::HTTP_2, "https://u@h/a", &[]), Err(400)),
            ("two hosts over HTTP/2", taken(V::HTTP_2, "https://h/a", &[("host", "o")]), Err(400)),
        ];
        for (name, got, wanted) in rows {
            assert_eq!(got, wanted, "{name}");
        }
    }
}
