//! CORS as HTTP APIs do it (HTTP API developer guide, "Configure CORS for HTTP APIs", 2026-11): a configured API answers
//! preflight requests itself, throws away the CORS headers of its backends, and writes its own where a request has an
//! `Origin`. What the Fetch standard asks of `Vary` is done where the answer depends on the origin.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method, Response, StatusCode};
use topology::snapshot::front::{Allowed, Cors, Origin};
use topology::snapshot::gateway::{Deployed, Route, RouteAuthorization};
use topology::snapshot::routes::RouteKey;

use crate::answer::body::Body;

const PREFIX: &str = "access-control-";

/// What the `Origin` of a request is told; absent where the API has no CORS configuration.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// Backends' headers are thrown away, and there is nothing to say.
    Nothing,
    /// This in `access-control-allow-origin`.
    Origin(HeaderValue),
}

/// What the request's origin is told by the stage's deployment.
pub(crate) fn told(deployed: &Deployed, headers: &HeaderMap) -> Option<Told> {
    let cors = deployed.cors.as_ref()?;
    let Some(origin) = headers.get(ORIGIN) else { return Some(Told::Nothing) };
    Some(match cors.allows(origin.to_str().unwrap_or_default()) {
        Allowed::Everyone => Told::Origin(HeaderValue::from_static("*")),
        Allowed::ThisOne => Told::Origin(origin.clone()),
        Allowed::No => Told::Nothing,
    })
}

/// Whether the gateway answers this request itself: a preflight whose path leads to no `OPTIONS` route of its own and to no
/// route that asks who is calling.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap, route: Option<&Route>) -> bool {
    if method != Method::OPTIONS
        || !headers.contains_key(ORIGIN)
        || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    {
        return false;
    }
    route.is_none_or(|route| {
        let own = matches!(route.key, RouteKey::Path { method: Some(_), .. });
        !own && matches!(route.authorization, RouteAuthorization::None)
    })
}

/// The answer to a preflight, without what [`write`] adds.
pub(crate) fn preflight(cors: &Cors, told: &Told) -> Response<Body> {
    let mut response = Response::new(Body::full(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if matches!(told, Told::Origin(_)) {
        insert(headers, ACCESS_CONTROL_ALLOW_METHODS, &cors.methods);
        insert(headers, ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers);
        if let Some(age) = cors.max_age_s {
            insert(headers, ACCESS_CONTROL_MAX_AGE, &age.to_string());
        }
    }
    response
}

/// Puts the API's CORS headers in the place of the backend's.
pub(crate) fn write(cors: &Cors, told: &Told, made_by: MadeBy, headers: &mut HeaderMap) {
    if made_by == MadeBy::Backend {
        discard(headers);
    }
    // Also where there is nothing to tell: a cache must not give that answer to an origin that is allowed.
    if !cors.origins.is_empty() && !cors.origins.contains(&Origin::Any) {
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    if let Told::Origin(origin) = told {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        insert(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose);
        if cors.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// Whose headers an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MadeBy {
    /// A backend's.
    Backend,
    /// The gateway's own.
    Gateway,
}

fn discard(headers: &mut HeaderMap) {
    if headers.keys().any(|name| name.as_str().starts_with(PREFIX)) {
        let theirs: Vec<HeaderName> = headers.keys().filter(|n| n.as_str().starts_with(PREFIX)).cloned().collect();
        for name in theirs {
            headers.remove(name);
        }
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Checked when the configuration was written; what is no header value is left out.
    if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_a_backend_give_way() {
        let origins = vec![Origin::parse("https://a")];
        let cors = Cors { origins, expose: "x-a".to_owned(), credentials: true, ..Cors::default() };
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert("access-control-allow-private-network", HeaderValue::from_static("true"));
        headers.insert("x-b", HeaderValue::from_static("kept"));
        write(&cors, &Told::Nothing, MadeBy::Backend, &mut headers);
        assert_eq!((headers.len(), &headers[VARY]), (2, &HeaderValue::from_static("origin")), "{headers:?}");
        headers.remove(VARY);
        write(&cors, &Told::Origin(HeaderValue::from_static("https://a")), MadeBy::Backend, &mut headers);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a");
        assert_eq!(headers[VARY], "origin");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(headers[ACCESS_CONTROL_EXPOSE_HEADERS], "x-a");
    }
}
