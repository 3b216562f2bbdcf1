//! What a rule rewrites of a request before its target sees it (ALB user guide, "Transforms", 2026-11). The rule is chosen by what was
//! sent; what comes of a rewriting chooses nothing any more.

use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Uri};
use topology::snapshot::pattern::{Rewrite, TooLong, Transforms};

use crate::http::body::RequestBody;
use crate::limits::REWRITTEN_BYTES_MAX;

/// A rewriting that makes nothing that can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// A host.
    Host,
    /// A path with its query.
    Url,
    /// It is too long.
    TooLong,
}

impl Failed {
    /// In an operator's words.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Host => "the rule's host-header-rewrite makes no host",
            Self::Url => "the rule's url-rewrite makes no path",
            Self::TooLong => "what the rule's transform makes is too long",
        }
    }
}

/// Rewrites a request. What does not match stays as it is.
pub(crate) fn apply(transforms: &Transforms, request: &mut Request<RequestBody>) -> Result<(), Failed> {
    if let Some(rewrite) = &transforms.host {
        let host = request.headers().get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
        if let Some(host) = rewritten(rewrite, host)? {
            request.headers_mut().insert(HOST, host_of(host).ok_or(Failed::Host)?);
        }
    }
    if let Some(rewrite) = &transforms.url {
        let sent = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        if let Some(url) = rewritten(rewrite, sent.as_bytes())? {
            // In the form that requests have on their way: nothing but path and query.
            let is_path = url.starts_with(b"/") && !url.contains(&b'#');
            let url = PathAndQuery::try_from(url).ok().filter(|_| is_path).ok_or(Failed::Url)?;
            *request.uri_mut() = Uri::from(url);
        }
    }
    Ok(())
}

fn rewritten(rewrite: &Rewrite, text: &[u8]) -> Result<Option<Vec<u8>>, Failed> {
    rewrite.of(text, REWRITTEN_BYTES_MAX).map_err(|TooLong| Failed::TooLong)
}

/// A name or an address, with a port or without.
fn host_of(text: Vec<u8>) -> Option<HeaderValue> {
    let fits = |b: &u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(b);
    let is_host = !text.is_empty() && text.iter().all(fits);
    is_host.then(|| HeaderValue::try_from(text).ok()).flatten()
}
