//! Takes the token out of a request: from the authorizer's identity source, with or without `Bearer` in front (HTTP API
//! developer guide, "Control access to HTTP APIs with JWT authorizers", 2026-11). A token that stands twice is refused, since
//! another reader may take the other one.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use topology::path::pairs;
use topology::snapshot::gateway::IdentitySource;

use super::rejection::Rejection;
use crate::http::percent::decode;

const BEARER: &str = "bearer";

/// The token's text.
pub(crate) fn token<'r>(
    source: &IdentitySource,
    headers: &'r HeaderMap,
    uri: &'r Uri,
) -> Result<Cow<'r, str>, Rejection> {
    let text = match source {
        IdentitySource::Header(name) => {
            let mut values = headers.get_all(name.as_str()).iter();
            let text = values.next().map(|value| value.to_str().map_err(|_| Rejection::Malformed("is not plain text")));
            once(text.transpose()?.map(Cow::Borrowed), values.next().is_some())?
        }
        IdentitySource::Query(name) => {
            let pairs = pairs(uri.query().unwrap_or_default());
            let mut values = pairs.filter(|(key, _)| decode(key) == *name).map(|(_, value)| value);
            let text = values.next().map(decode);
            once(text, values.next().is_some())?
        }
    };
    let bare = text.map(without_bearer).filter(|text| !text.is_empty());
    bare.ok_or_else(|| Rejection::Missing { source: source.to_string() })
}

/// The token of a request to a listener whose rule asks for one: the scheme is not left out.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Rejection> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let missing = || Rejection::Missing { source: "the header Authorization".to_owned() };
    let text = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(Rejection::Malformed("is sent more than once"));
    }
    let text = text.to_str().map_err(|_| Rejection::Malformed("is not plain text"))?.trim();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    match token.trim() {
        token if scheme.eq_ignore_ascii_case(BEARER) && !token.is_empty() => Ok(token),
        _ => Err(Rejection::Malformed("does not follow 'Bearer ' in the header Authorization")),
    }
}

fn once(text: Option<Cow<'_, str>>, is_again: bool) -> Result<Option<Cow<'_, str>>, Rejection> {
    if is_again { Err(Rejection::Malformed("is sent more than once")) } else { Ok(text) }
}

fn without_bearer(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(bare(text)),
        Cow::Owned(text) => Cow::Owned(bare(&text).to_owned()),
    }
}

fn bare(text: &str) -> &str {
    let text = text.trim();
    let (scheme, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
    if scheme.eq_ignore_ascii_case(BEARER) { rest.trim() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, lines: &[(&'static str, &str)], uri: &str) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let source = IdentitySource::parse(source).unwrap();
        match token(&source, &headers, &uri.parse().unwrap()) {
            Ok(text) => Ok(text.into_owned()),
            Err(rejection) => Err(rejection.reason().code()),
        }
    }

    #[test]
    fn a_listener_wants_the_scheme() {
        let rows: &[(&[&str], &str)] = &[
            (&["Bearer a.b.c"], "a.b.c"),
            (&["bearer  a.b.c "], "a.b.c"),
            (&[], "TOKEN_MISSING"),
            (&[""], "TOKEN_MALFORMED"),
            (&["Bearer"], "TOKEN_MALFORMED"),
            (&["Bearer "], "TOKEN_MALFORMED"),
            (&["a.b.c"], "TOKEN_MALFORMED"),
            (&["Basic a.b.c"], "TOKEN_MALFORMED"),
            (&["Bearer a", "Bearer a"], "TOKEN_MALFORMED"),
        ];
        for (values, expected) in rows {
            let mut headers = HeaderMap::new();
            for value in *values {
                headers.append(AUTHORIZATION, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let found = bearer(&headers).unwrap_or_else(|rejection| rejection.reason().code());
            assert_eq!(found, *expected, "{values:?}");
        }
    }

    #[test]
    fn tokens_are_found_in_headers_and_queries() {
        let header = "$request.header.Authorization";
        let query = "$request.querystring.token";
        type Row =
            (&'static str, &'static [(&'static str, &'static str)], &'static str, Result<&'static str, &'static str>);
        let rows: &[Row] = &[
            (header, &[("authorization", "Bearer a.b.c")], "/", Ok("a.b.c")),
            (header, &[("authorization", "bearer   a.b.c ")], "/", Ok("a.b.c")),
            (header, &[("authorization", "a.b.c")], "/", Ok("a.b.c")),
            (header, &[("authorization", "Basic a.b.c")], "/", Ok("Basic a.b.c")),
            (header, &[("authorization", "Bearer")], "/", Err("TOKEN_MISSING")),
            (header, &[("authorization", "Bearer ")], "/", Err("TOKEN_MISSING")),
            (header, &[("authorization", "")], "/", Err("TOKEN_MISSING")),
            (header, &[], "/?token=a.b.c", Err("TOKEN_MISSING")),
            (header, &[("authorization", "a"), ("authorization", "a")], "/", Err("TOKEN_MALFORMED")),
            (header, &[("authorization", "é")], "/", Err("TOKEN_MALFORMED")),
            ("$request.header.x-token", &[("x-token", "a.b.c")], "/", Ok("a.b.c")),
            (query, &[], "/?token=a.b.c", Ok("a.b.c")),
            (query, &[], "/?a=1&token=Bearer%20a.b.c", Ok("a.b.c")),
            (query, &[], "/?t%6fken=a.b.c", Ok("a.b.c")),
            (query, &[], "/?token=", Err("TOKEN_MISSING")),
            (query, &[], "/", Err("TOKEN_MISSING")),
            (query, &[], "/?token=a&token=b", Err("TOKEN_MALFORMED")),
            (query, &[], "/?token=a&toke%6e=b", Err("TOKEN_MALFORMED")),
        ];
        for (source, lines, uri, expected) in rows {
            assert_eq!(
                found(source, lines, uri).as_deref().map_err(|code| *code),
                *expected,
                "{source} {lines:?} {uri}"
            );
        }
    }
}
