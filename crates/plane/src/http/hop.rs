//! Removes what concerns one connection only (RFC 9110, section 7.6.1), with every header that `Connection` nominates.
//!
//! `Trailer` stays where the body comes in chunks: it announces what the forwarded body still carries. How the body is framed left the
//! headers before (`http::framing`).

use http::HeaderMap;
use http::header::{
    CONNECTION, COOKIE, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

use super::survey::{HopByHop, Survey};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Removes hop-by-hop headers from a request.
pub(crate) fn strip_request(headers: &mut HeaderMap, seen: &Survey) {
    strip(headers, seen, [TE, PROXY_AUTHORIZATION]);
}

/// Removes hop-by-hop headers from a response.
pub(crate) fn strip_response(headers: &mut HeaderMap, seen: &Survey) {
    strip(headers, seen, [TE, PROXY_AUTHENTICATE]);
}

/// Removes from a request what its sender meant for this connection alone, framing aside: before anything judges it, so that what is
/// judged is what will be sent.
pub(crate) fn strip_before_judging(headers: &mut HeaderMap, seen: &Survey) {
    strip_connection(headers, seen, [TE, PROXY_AUTHORIZATION]);
}

fn strip_connection(headers: &mut HeaderMap, seen: &Survey, own: [HeaderName; 2]) {
    if seen.hop.has(HopByHop::CONNECTION) {
        strip_nominated(headers);
        headers.remove(CONNECTION);
    }
    if seen.hop.has(HopByHop::OTHER) {
        for name in own.into_iter().chain([KEEP_ALIVE, PROXY_CONNECTION, UPGRADE]) {
            headers.remove(name);
        }
    }
}

fn strip(headers: &mut HeaderMap, seen: &Survey, own: [HeaderName; 2]) {
    if seen.hop.is_empty() {
        return;
    }
    strip_connection(headers, seen, own);
    if seen.hop.has(HopByHop::TRAILER) && !seen.hop.has(HopByHop::CODING) {
        headers.remove(TRAILER);
    }
}

/// Removes from an answer what HTTP/2 has no place for (RFC 9113, section 8.2.2), whoever put it there.
pub(crate) fn strip_for_http2(headers: &mut HeaderMap) {
    let is_of_http1 = |name: &HeaderName| match *name {
        CONNECTION | TE | TRANSFER_ENCODING | UPGRADE => true,
        _ => *name == KEEP_ALIVE || *name == PROXY_CONNECTION,
    };
    if headers.keys().any(is_of_http1) {
        strip_nominated(headers);
        for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE] {
            headers.remove(name);
        }
    }
}

/// Removes from a client's trailers what says who it is or how it came: that is said in front of the body, by who knows.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    const TOLD: [&str; 3] = ["x-amzn-", "x-forwarded-", "forwarded"];
    let is_told = |name: &&HeaderName| TOLD.iter().any(|start| name.as_str().starts_with(start));
    let told: Vec<HeaderName> = trailers.keys().filter(is_told).cloned().collect();
    for name in told {
        trailers.remove(name);
    }
}

/// The protocol that a request asks its connection to be switched to, or an answer says that it is. HTTP/2 is none: whoever reads it in
/// the clear reads requests that nobody here has seen.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<&HeaderValue> {
    let asked = headers.get(UPGRADE)?;
    let mut values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let is_named = values.any(|value| value.split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade")));
    let mut tokens = asked.to_str().ok()?.split(',').map(str::trim);
    let is_http2 = tokens.any(|token| token.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("h2")));
    (is_named && !is_http2).then_some(asked)
}

/// Removes the headers that `Connection` names.
fn strip_nominated(headers: &mut HeaderMap) {
    let plain = |value: &[u8]| value.eq_ignore_ascii_case(b"keep-alive") || value.eq_ignore_ascii_case(b"close");
    if headers.get_all(CONNECTION).iter().all(|value| plain(value.as_bytes())) {
        return;
    }
    for name in nominated(headers) {
        headers.remove(name);
    }
}

/// The headers that `Connection` names. The one that decides routing cannot be nominated away; those that decide framing are not here.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    let tokens = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    tokens
        .filter_map(|token| HeaderName::from_bytes(token.trim().as_bytes()).ok())
        .filter(|name| *name != http::header::HOST)
        .collect()
}

/// HTTP/2 clients may send one cookie in each field; HTTP/1.1 has one field (RFC 9113, section 8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::framing::FramingLines;

    #[test]
    fn what_connection_nominates_goes_and_the_rest_stays() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Secret"),
            ("connection", "x-other,host"),
            ("x-secret", "1"),
            ("x-other", "1"),
            ("host", "a"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "Basic x"),
            ("authorization", "Bearer x"),
        ] {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let seen = Survey::of(&headers, &FramingLines::None);
        strip_request(&mut headers, &seen);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "host"]);
    }

    #[test]
    fn trailers_do_not_say_who_asks() {
        let mut trailers = HeaderMap::new();
        for name in ["x-amzn-oidc-identity", "x-forwarded-for", "forwarded", "x-sum", "grpc-status"] {
            trailers.insert(name, "1".parse().unwrap());
        }
        strip_trailers(&mut trailers);
        let mut left: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["grpc-status", "x-sum"]);
    }

    #[test]
    fn trailers_are_announced_where_there_are_chunks() {
        let chunked = FramingLines::Coding("chunked".parse().unwrap());
        for (lines, left) in [(chunked, 1), (FramingLines::None, 0)] {
            let mut headers = HeaderMap::new();
            headers.insert(TRAILER, "x-sum".parse().unwrap());
            let seen = Survey::of(&headers, &lines);
            strip_response(&mut headers, &seen);
            assert_eq!(headers.len(), left, "{lines:?}");
        }
    }
}
