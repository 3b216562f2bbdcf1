//! The parts of an HTTP request that the wire looks at, borrowed from whoever read it.
//!
//! No socket and no body stream: the body has been read, bounded by `limits::BODY_BYTES_MAX`, before anything here runs.

use http::{HeaderMap, Method, Uri};

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target, as received: nothing decoded, nothing normalised.
    pub uri: &'a Uri,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its whole body.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The parts of an `http` request.
    #[must_use]
    pub fn of(request: &'a http::Request<Vec<u8>>) -> Self {
        Request { method: request.method(), uri: request.uri(), headers: request.headers(), body: request.body() }
    }

    /// The first value of a header, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The content type without its parameters.
    pub(crate) fn media_type(&self) -> &'a str {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }

    /// The query string's pairs, decoded.
    pub(crate) fn query_pairs(&self) -> impl Iterator<Item = (String, String)> + use<'a> {
        let query = self.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned()))
    }
}
