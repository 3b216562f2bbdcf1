//! The URL of an integration with a public endpoint: its variables filled in, and what it may then still say (HTTP API developer guide,
//! "Create HTTP integrations for HTTP APIs", 2026-11).

use std::borrow::Cow;

use http::Uri;
use http::uri::Authority;
use topology::endpoint::{Endpoint, EndpointPart, Side};
use topology::path;
use topology::snapshot::routes::{RouteKey, path_parameter};

use super::context::Context;
use super::refusal::Refusal;
use crate::fabric::outside::Origin;
use crate::http::percent::{encode, is_query_byte};

/// A URL of an integration, filled in.
pub(crate) struct Filled {
    /// Where to connect.
    pub(super) origin: Origin,
    /// The `Host`.
    pub(super) authority: String,
    /// The path.
    pub(super) path: String,
    /// The query, before the client's.
    pub(super) query: Option<String>,
}

/// Fills in the URL. On the `$default` route the request's path is appended to it.
pub(crate) fn fill(endpoint: &Endpoint, context: &Context<'_>) -> Result<Filled, Refusal> {
    let found = context.found.as_ref();
    let route = found.and_then(|found| found.route);
    let asked = context.route_path();
    let url = endpoint.fill_by_side(|part, side| match part {
        EndpointPart::PathParameter(name) => path_parameter(&route?.key, asked, name).map(|raw| spelled(raw, side)),
        EndpointPart::StageVariable(name) => {
            found?.site.stage.variables.get(name).map(|value| Cow::Borrowed(value.as_str()))
        }
        EndpointPart::Literal(_) => None,
    });
    let mut filled = read(endpoint, &url)?;
    if route.is_some_and(|route| route.key == RouteKey::Default) {
        filled.path = format!("{}{asked}", filled.path.strip_suffix('/').unwrap_or(&filled.path));
    }
    Ok(filled)
}

/// A part of the client's path in a URL: as it was spelled in a path, and as a value in a query, where it must not begin another.
fn spelled(raw: &str, side: Side) -> Cow<'_, str> {
    match side {
        Side::Path => Cow::Borrowed(raw),
        Side::Query => {
            let value = percent_encoding::percent_decode_str(raw).decode_utf8_lossy();
            Cow::Owned(encode(&*value, is_query_byte))
        }
    }
}

/// Reads a URL that was filled in.
pub(super) fn read(endpoint: &Endpoint, url: &str) -> Result<Filled, Refusal> {
    let uri: Uri = url.parse().map_err(|_| Refusal::MappingFailed)?;
    let authority = uri.authority().filter(|authority| is_plain(authority));
    if !stays_below(endpoint, uri.path()) {
        return Err(Refusal::Malformed);
    }
    let (origin, authority) = Origin::of(&uri).zip(authority).ok_or(Refusal::MappingFailed)?;
    let (authority, query) = (authority.to_string(), uri.query().map(str::to_owned));
    Ok(Filled { origin, authority, path: uri.path().to_owned(), query })
}

/// Whether an authority is a host and perhaps a port: no user, and nothing that two readers could take apart differently.
fn is_plain(authority: &Authority) -> bool {
    let text = authority.as_str();
    let port = text.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map(|(_, port)| port);
    !text.contains('@') && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Whether the path stays below the text that stands before the URL's first variable, also for a server that resolves dot
/// segments or merges slashes.
fn stays_below(endpoint: &Endpoint, path: &str) -> bool {
    let fixed = endpoint.fixed_path();
    let merged = path::merged(fixed);
    path::readings(path).iter().all(|reading| reading.starts_with(fixed) || reading.starts_with(&*merged))
}
