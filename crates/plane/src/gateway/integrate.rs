//! From an admitted request to what is sent through a link: path, query and headers as the backend gets them (HTTP API
//! developer guide, "Create private integrations for HTTP APIs" and "Transform API requests and responses", 2026-11).
//!
//! The path keeps the stage in front, unless the stage is `$default` or a mapping overwrites it. The `Host` is the API's own
//! name, whatever local name the client used.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use topology::snapshot::balancer::ListenerIndex;
use topology::snapshot::gateway::{Connection, LinkIndex};
use topology::trace::{HopId, HopKind};

use super::admit::Admitted;
use super::context::Context;
use super::mapping::{self, Mapped};
use super::respond::Refusal;
use crate::http::body::RequestBody;
use crate::http::survey::Survey;
use crate::http::{forwarding, hop};
use crate::trace::Recording;
use crate::world::RealmWorld;

/// A request ready for a link. Only [`integrate`] makes one.
pub(crate) struct Outbound<'w> {
    /// Where everything is looked up.
    pub(crate) realm: &'w RealmWorld,
    /// The link.
    pub(crate) link: LinkIndex,
    /// The listener behind it.
    pub(crate) listener: ListenerIndex,
    /// How long the integration may take.
    pub(crate) timeout: Duration,
    /// The request, until it is sent.
    pub(crate) request: Option<Request<RequestBody>>,
    /// The client's address.
    pub(crate) peer: std::net::SocketAddr,
    /// The stage whose name the path begins with, if it does.
    pub(crate) stage_prefix: Option<&'w str>,
    _made_here: (),
}

/// How many headers gateway and ALB add at most, so that they find room.
const HEADERS_ADDED: usize = 9;

/// Maps the request.
pub(crate) fn integrate<'w>(
    admitted: Admitted<'w>,
    context: &Context<'w>,
    (mut headers, seen): (HeaderMap, Survey),
    incoming: Incoming,
    recording: &mut Recording,
) -> Result<Outbound<'w>, Refusal> {
    let Admitted { matched, integration, .. } = admitted;
    let id = HopId::Integration(integration.id);
    let (link, listener) = match &integration.connection {
        Connection::Private { link, listener } => (*link, *listener),
        Connection::Broken { reason, .. } => {
            recording.stop(HopKind::Integration, id, *reason);
            return Err(Refusal::IntegrationBroken(*reason));
        }
    };
    let mapped = mapping::evaluate(&integration.parameters, context, &headers);
    headers.reserve(HEADERS_ADDED);
    hop::strip_request(&mut headers, &seen);
    if seen.expect {
        headers.remove(EXPECT);
    }
    if context.version == Version::HTTP_2 {
        join_cookies(&mut headers);
    }
    forwarding::write_forwarded(&mut headers, &seen, context.peer.ip(), &matched.place.api_world.forwarded_tail);
    forwarding::ensure_trace_root(&mut headers, &seen);
    context.span.iter().for_each(|span| span.write(&mut headers));
    headers.insert(HOST, matched.place.api_world.host.clone());
    let target = target(context, mapped, &mut headers)?;
    if target.path() != context.uri.path() {
        recording.forwarded_path(target.path());
    }
    let body = RequestBody::from_client(incoming, recording.start());
    if body.is_end_stream() && !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    } else if !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    recording.read_clock();
    recording.pass(HopKind::Integration, id);
    let stage = &matched.place.stage.name;
    let named = context.found.as_ref().is_some_and(|found| found.route_path_at > 0);
    let stage_prefix = (named && begins_with_stage(target.path(), stage)).then_some(stage.as_str());
    let method = match &integration.method {
        // Checked to be a method when the integration was written.
        Some(name) => Method::from_bytes(name.as_bytes()).map_err(|_| Refusal::MappingFailed)?,
        None => context.method.clone(),
    };
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers;
    Ok(Outbound {
        realm: matched.place.realm,
        link,
        listener,
        timeout: integration.timeout,
        request: Some(request),
        peer: context.peer,
        stage_prefix,
        _made_here: (),
    })
}

fn begins_with_stage(path: &str, stage: &str) -> bool {
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// HTTP/2 clients may send one cookie in each field; HTTP/1.1 has one field (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

fn target(context: &Context<'_>, mapped: Option<Mapped<'_>>, headers: &mut HeaderMap) -> Result<PathAndQuery, Refusal> {
    let (uri, path) = (&context.uri, context.path());
    match (mapped, uri.path_and_query()) {
        (None, Some(whole)) if path.len() == uri.path().len() => Ok(whole.clone()),
        (None, _) => join(path, uri.query()),
        (Some(mapped), _) => {
            let (path, query) = mapped.apply(path, uri.query(), headers)?;
            join(&path, query.as_deref())
        }
    }
}

fn join(path: &str, query: Option<&str>) -> Result<PathAndQuery, Refusal> {
    let text = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::try_from(text).map_err(|_| Refusal::MappingFailed)
}
