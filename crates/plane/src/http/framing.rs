//! Refuses requests whose framing or target could be read in two ways and that their connection lets through: a missing or second
//! `Host`, targets that are not in origin form, transfer codings other than exactly `chunked`, and over HTTP/2 lengths that are said
//! twice or are none. What the connection refuses by itself (over HTTP/1.1 differing lengths, folded headers, NUL and bare CR, chunked
//! in HTTP/1.0) needs nothing here.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use super::survey::Survey;
use crate::limits::REQUEST_HEAD_BYTES_MAX;

/// What is wrong with a request head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// HTTP/1.1 without `Host`, or an HTTP/2 request without authority.
    NoHost,
    /// More than one `Host`, or one that disagrees with the authority.
    ManyHosts,
    /// An absolute, authority or asterisk target.
    Target,
    /// A transfer coding that is not exactly `chunked`.
    Coding,
    /// A length that is said twice, or is no number (RFC 9110, section 8.6).
    Length,
    /// Too many bytes.
    TooLarge,
}

/// That a request head can be read in one way only. Only [`check`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Framed(());

/// Checks a request head.
pub(crate) fn check(
    (method, uri, version): (&Method, &Uri, Version),
    headers: &HeaderMap,
    seen: &Survey,
) -> Result<Framed, Malformed> {
    if !is_small(method, uri, seen) {
        return Err(Malformed::TooLarge);
    }
    check_host(uri, version, headers, seen)?;
    // An empty path, which only HTTP/2 can bring, is told as `/` by itself, and would go on as it came.
    let is_rooted = uri.path_and_query().is_some_and(|target| target.as_str().starts_with('/'));
    if !is_rooted || *method == Method::CONNECT {
        return Err(Malformed::Target);
    }
    if seen.length && !is_one_length(headers) {
        return Err(Malformed::Length);
    }
    if is_chunked_or_absent(headers, seen) { Ok(Framed(())) } else { Err(Malformed::Coding) }
}

/// Whether there is one length, and it is a number.
fn is_one_length(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter().map(HeaderValue::as_bytes);
    let is_number = lines.next().is_some_and(|line| !line.is_empty() && line.iter().all(u8::is_ascii_digit));
    is_number && lines.next().is_none()
}

fn check_host(uri: &Uri, version: Version, headers: &HeaderMap, seen: &Survey) -> Result<(), Malformed> {
    if seen.hosts > 1 {
        return Err(Malformed::ManyHosts);
    }
    let first = headers.get(HOST);
    if version == Version::HTTP_2 {
        // HTTP/2 carries the authority in the target.
        return match (uri.authority(), first) {
            (Some(authority), Some(host)) if host.as_bytes() != authority.as_str().as_bytes() => {
                Err(Malformed::ManyHosts)
            }
            (None, None) => Err(Malformed::NoHost),
            _ => Ok(()),
        };
    }
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err(Malformed::Target);
    }
    if first.is_none_or(|host| host.is_empty()) && version != Version::HTTP_10 {
        return Err(Malformed::NoHost);
    }
    Ok(())
}

/// Whether a head is within the bound.
pub(crate) fn is_small(method: &Method, uri: &Uri, seen: &Survey) -> bool {
    head_bytes(method, uri) + seen.bytes <= REQUEST_HEAD_BYTES_MAX
}

/// Whether the body is framed by a length, or by `chunked` alone.
pub(crate) fn is_chunked_or_absent(headers: &HeaderMap, seen: &Survey) -> bool {
    match seen.codings {
        0 => true,
        1 => headers.get(TRANSFER_ENCODING).is_some_and(|only| only.as_bytes().eq_ignore_ascii_case(b"chunked")),
        _ => false,
    }
}

/// Bytes of the request line.
fn head_bytes(method: &Method, uri: &Uri) -> usize {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    // Two blanks, a version of eight bytes and a line end.
    method.as_str().len() + target + 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_table() {
        let long = "x".repeat(REQUEST_HEAD_BYTES_MAX);
        type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Result<(), Malformed>);
        let rows: &[Row<'_>] = &[
            ("plain", "/a", &[("host", "h")], Ok(())),
            ("chunked", "/a", &[("host", "h"), ("transfer-encoding", "Chunked")], Ok(())),
            ("no host", "/a", &[], Err(Malformed::NoHost)),
            ("an empty host", "/a", &[("host", "")], Err(Malformed::NoHost)),
            ("two hosts", "/a", &[("host", "h"), ("host", "h")], Err(Malformed::ManyHosts)),
            ("absolute form", "http://h/a", &[("host", "h")], Err(Malformed::Target)),
            ("asterisk form", "*", &[("host", "h")], Err(Malformed::Target)),
            ("gzip, chunked", "/a", &[("host", "h"), ("transfer-encoding", "gzip, chunked")], Err(Malformed::Coding)),
            (
                "chunked twice",
                "/a",
                &[("host", "h"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                Err(Malformed::Coding),
            ),
            ("a length", "/a", &[("host", "h"), ("content-length", "5")], Ok(())),
            (
                "the same length twice",
                "/a",
                &[("host", "h"), ("content-length", "5"), ("content-length", "5")],
                Err(Malformed::Length),
            ),
            (
                "a length in another spelling",
                "/a",
                &[("host", "h"), ("content-length", "5"), ("content-length", "05")],
                Err(Malformed::Length),
            ),
            ("an empty length", "/a", &[("host", "h"), ("content-length", "")], Err(Malformed::Length)),
            ("a length with a sign", "/a", &[("host", "h"), ("content-length", "+5")], Err(Malformed::Length)),
            ("a list of lengths", "/a", &[("host", "h"), ("content-length", "5, 5")], Err(Malformed::Length)),
            ("a long header", "/a", &[("host", "h"), ("x", &long)], Err(Malformed::TooLarge)),
        ];
        for (name, target, lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for (header, value) in *lines {
                headers.append(http::HeaderName::from_bytes(header.as_bytes()).unwrap(), value.parse().unwrap());
            }
            let uri: Uri = target.parse().unwrap();
            let seen = Survey::of(&headers);
            assert_eq!(
                check((&Method::GET, &uri, Version::HTTP_11), &headers, &seen).map(|Framed(())| ()),
                *expected,
                "{name}"
            );
        }
    }
}
