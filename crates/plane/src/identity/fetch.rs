//! Fetches an issuer's keys: its discovery document, then the JWKS that it names (OpenID Connect Discovery 1.0, section 4). Each
//! of the two has AWS's time and size (HTTP API quotas, 2026-11). A listener's rule names the JWKS itself. Redirects are not followed, and plain HTTP is spoken to this
//! machine only.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONNECTION, HOST, HeaderValue, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use thiserror::Error;
use tokio::task::JoinSet;

use super::keys::{self, NoKeys, PublicKey};
use super::voucher::Kind;
use crate::fabric::outside::{Origin, Outside, OutsideError, Purpose, Scheme};
use crate::limits::{
    DISCOVERY_TIMEOUT, ISSUER_BODY_BYTES_MAX, JWKS_TIMEOUT, RESPONSE_HEAD_BYTES_MAX, RULE_JWKS_KEYS_MAX,
    RULE_JWKS_TIMEOUT,
};

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Why an issuer's keys could not be fetched.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    /// The discovery document.
    #[error("the discovery document {url}: {why}")]
    Discovery {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        why: GetError,
    },
    /// The keys.
    #[error("the keys {url}: {why}")]
    Jwks {
        /// Where they were looked for.
        url: String,
        /// What went wrong.
        why: GetError,
    },
    /// The task ended without an answer.
    #[error("the keys were not fetched to the end")]
    Lost,
}

impl FetchError {
    /// What the client is told (seen on HTTP APIs).
    pub(crate) const fn description(&self) -> &'static str {
        match self {
            Self::Discovery { .. } => "OIDC discovery endpoint communication error",
            Self::Jwks { .. } | Self::Lost => "JWKS communication error",
        }
    }
}

/// Why a document could not be had.
#[derive(Debug, Error)]
pub(crate) enum GetError {
    /// The address is no URL that may be fetched.
    #[error("is no https URL, nor a plain one of this machine")]
    Url,
    /// There is no connection.
    #[error(transparent)]
    Outside(OutsideError),
    /// The exchange broke off.
    #[error("{0}")]
    Http(String),
    /// There are more keys than a listener's rule takes.
    #[error("are more than {RULE_JWKS_KEYS_MAX} keys")]
    TooMany,
    /// Another status than 200.
    #[error("answered {0}")]
    Status(StatusCode),
    /// It is longer than the limit.
    #[error("is longer than {ISSUER_BODY_BYTES_MAX} bytes")]
    TooLong,
    /// It took longer than the limit.
    #[error("took longer than {0:?}")]
    Timeout(Duration),
    /// It is not what it should be.
    #[error("{0}")]
    Content(&'static str),
}

/// The keys that a voucher has, now.
pub(crate) async fn keys(outside: &Outside, url: &str, kind: Kind) -> Result<Vec<PublicKey>, FetchError> {
    match kind {
        Kind::Issuer => issuer_keys(outside, url).await,
        Kind::Endpoint => rule_keys(outside, url).await,
    }
}

/// The keys at the endpoint that a listener's rule names.
async fn rule_keys(outside: &Outside, url: &str) -> Result<Vec<PublicKey>, FetchError> {
    let found = get(outside, url, RULE_JWKS_TIMEOUT).await;
    let keys = found.and_then(|document| {
        keys::read_for_rule(&document).map_err(|why| match why {
            NoKeys::NoJwks => GetError::Content("are no JWKS"),
            NoKeys::NoneFits => GetError::Content("have no key for RS256 of 2048 bits"),
            NoKeys::TooMany => GetError::TooMany,
        })
    });
    keys.map_err(|why| FetchError::Jwks { url: url.to_owned(), why })
}

async fn issuer_keys(outside: &Outside, issuer: &str) -> Result<Vec<PublicKey>, FetchError> {
    let url = format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'));
    let found = match get(outside, &url, DISCOVERY_TIMEOUT).await {
        Ok(document) => jwks_uri(&document).ok_or(GetError::Content("names no jwks_uri")),
        Err(error) => Err(error),
    };
    let jwks = found.map_err(|why| FetchError::Discovery { url, why })?;
    let keys = match get(outside, &jwks, JWKS_TIMEOUT).await {
        Ok(document) => keys::read(&document).ok_or(GetError::Content("are no JWKS")),
        Err(error) => Err(error),
    };
    keys.map_err(|why| FetchError::Jwks { url: jwks, why })
}

fn jwks_uri(document: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(document).ok()?;
    document.get("jwks_uri")?.as_str().map(str::to_owned)
}

async fn get(outside: &Outside, url: &str, limit: Duration) -> Result<Bytes, GetError> {
    let request = Request::new(Full::default());
    ask(outside, url, (request, limit)).await
}

/// Asks a provider: the request needs no target and no host. Anything but 200 is an error, and so is a body above the limit.
pub(crate) async fn ask(
    outside: &Outside,
    url: &str,
    (mut request, limit): (Request<Full<Bytes>>, Duration),
) -> Result<Bytes, GetError> {
    let uri: Uri = url.parse().map_err(|_| GetError::Url)?;
    let origin = Origin::of(&uri).ok_or(GetError::Url)?;
    if origin.scheme == Scheme::Http && !origin.is_this_machine() {
        return Err(GetError::Url);
    }
    address(&mut request, &uri)?;
    let fetching = exchange(outside, (request, &origin), limit);
    tokio::time::timeout(limit, fetching).await.unwrap_or(Err(GetError::Timeout(limit)))
}

async fn exchange(
    outside: &Outside,
    (request, origin): (Request<Full<Bytes>>, &Origin),
    limit: Duration,
) -> Result<Bytes, GetError> {
    let http = |error: hyper::Error| GetError::Http(error.to_string());
    let stream = outside.connect(origin, Purpose::Issuer, limit).await.map_err(GetError::Outside)?;
    let mut builder = http1::Builder::new();
    builder.max_header_size(RESPONSE_HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(http)?;
    // Dropped with this future, and the connection with it.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await.map_err(http)?;
    if response.status() != StatusCode::OK {
        return Err(GetError::Status(response.status()));
    }
    let (mut body, mut document) = (response.into_body(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(http)?.into_data() else { continue };
        if document.len() + data.len() > ISSUER_BODY_BYTES_MAX {
            return Err(GetError::TooLong);
        }
        // Copied, so that what it takes is its size, whatever pieces it comes in.
        document.extend_from_slice(&data);
    }
    Ok(document.freeze())
}

fn address(request: &mut Request<Full<Bytes>>, uri: &Uri) -> Result<(), GetError> {
    let host = uri.authority().and_then(|authority| {
        let bare = authority.as_str().rsplit('@').next().unwrap_or_default();
        HeaderValue::from_str(bare).ok()
    });
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse().map_err(|_| GetError::Url)?;
    let headers = request.headers_mut();
    headers.insert(HOST, host.ok_or(GetError::Url)?);
    headers.insert(USER_AGENT, HeaderValue::from_static("tidegate"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(())
}
