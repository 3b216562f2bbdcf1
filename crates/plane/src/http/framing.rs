//! Refuses requests whose framing or target could be read in two ways and that their connection lets through: a missing or second
//! `Host`, targets that are not in origin form, and transfer codings other than exactly `chunked`. What the connection refuses by
//! itself (differing lengths, folded headers, NUL and bare CR, chunked in HTTP/1.0) needs nothing here.

use http::header::{HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Uri, Version};

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
    /// Too many bytes.
    TooLarge,
}

/// Checks a request head.
pub(crate) fn check(
    (method, uri, version): (&Method, &Uri, Version),
    headers: &HeaderMap,
    seen: &Survey,
) -> Result<(), Malformed> {
    if !is_small(method, uri, seen) {
        return Err(Malformed::TooLarge);
    }
    check_host(uri, version, headers, seen)?;
    if !uri.path().starts_with('/') || *method == Method::CONNECT {
        return Err(Malformed::Target);
    }
    if is_chunked_or_absent(headers, seen) { Ok(()) } else { Err(Malformed::Coding) }
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
            ("a long header", "/a", &[("host", "h"), ("x", &long)], Err(Malformed::TooLarge)),
        ];
        for (name, target, lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for (header, value) in *lines {
                headers.append(http::HeaderName::from_bytes(header.as_bytes()).unwrap(), value.parse().unwrap());
            }
            let uri: Uri = target.parse().unwrap();
            let seen = Survey::of(&headers);
            assert_eq!(check((&Method::GET, &uri, Version::HTTP_11), &headers, &seen), *expected, "{name}");
        }
    }
}
