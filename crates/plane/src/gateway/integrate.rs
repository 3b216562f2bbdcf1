//! From an admitted request to what is sent through a link or to a public endpoint: path, query and headers as the backend gets them (HTTP API
//! developer guide, "Create private integrations for HTTP APIs" and "Transform API requests and responses", 2026-11).
//!
//! The path keeps the stage in front, unless the stage is `$default` or a mapping overwrites it. The `Host` is the custom
//! domain name, or the API's own name, whatever local name the client used.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{EXPECT, HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri, Version};
use topology::snapshot::balancer::ListenerIndex;
use topology::snapshot::gateway::{Connection, LinkIndex};
use topology::trace::HopKind;

use super::admit::Admitted;
use super::context::Context;
use super::endpoint::{self, Filled};
use super::find::Aim;
use super::mapping::{self, Mapped, Sources};
use super::outbound::{Behalf, Leave, Outbound, Toward};
use super::payload::Payload;
use super::refusal::Refusal;
use crate::http::body::RequestBody;
use crate::http::survey::Survey;
use crate::http::{forwarding, hop};
use crate::link::parcel::Greeting;
use crate::trace::Recording;

/// How many headers gateway and ALB add at most, so that they find room.
const HEADERS_ADDED: usize = 9;

/// Maps the request.
pub(super) fn integrate<'w>(
    admitted: Admitted<'w>,
    context: &mut Context<'w>,
    (mut headers, seen): (HeaderMap, Survey),
    (mut body, payload): (RequestBody, &Payload),
    recording: &mut Recording,
) -> Result<Outbound<'w>, Refusal> {
    let (aim, integration) = (*admitted.aim(), admitted.integration());
    let id = integration.id.hop();
    let end = match &integration.connection {
        Connection::Private { link, listener, server_name } => End::Private(*link, *listener, server_name.as_ref()),
        Connection::Internet(endpoint) => End::Public(Box::new(endpoint::fill(endpoint, context)?)),
        // Only REST APIs have such integrations, and they are mapped elsewhere.
        Connection::Mock => return Err(Refusal::NoIntegration),
        Connection::Broken { reason, .. } => {
            recording.stop(HopKind::Integration, id, *reason);
            return Err(Refusal::IntegrationBroken(*reason));
        }
    };
    context.integration.named = Some(integration);
    let message = (&headers, context.lines());
    let mapped = mapping::evaluate(&integration.parameters, &Sources { context, message, payload });
    prepare(&mut headers, &seen, (context, &aim), &end)?;
    let target = target(context, &end, mapped, &mut headers)?;
    if target.path() != context.uri.path() {
        recording.forwarded_path(target.path());
    }
    context.sent = body.progress();
    body.tell_length();
    recording.read_clock();
    context.integration.sent_micros = recording.now_micros();
    recording.pass(HopKind::Integration, id);
    let method = match &integration.method {
        // Checked to be a method when the integration was written.
        Some(name) => Method::from_bytes(name.as_bytes()).map_err(|_| Refusal::MappingFailed)?,
        None => context.method.clone(),
    };
    let stage = aim.site.stage.name.as_str();
    let named = context.found.as_ref().is_some_and(|found| found.route_path_at > 0);
    let stage_prefix = (named && begins_with_stage(target.path(), stage)).then_some(stage);
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers;
    let toward = match end {
        End::Private(link, listener, server_name) => {
            Toward::Listener(link, listener, server_name.map_or(Greeting::Plain, Greeting::Verified))
        }
        End::Public(filled) => Toward::Endpoint(filled.origin),
    };
    Ok(Outbound::new(Leave::Route(admitted), toward, request, Behalf { peer: context.peer, stage_prefix }))
}

/// Where a request is sent.
enum End<'w> {
    Private(LinkIndex, ListenerIndex, Option<&'w Arc<str>>),
    Public(Box<Filled>),
}

/// Removes what concerned the client's connection and adds what the gateway adds.
fn prepare(
    headers: &mut HeaderMap,
    seen: &Survey,
    (context, aim): (&Context<'_>, &Aim<'_>),
    end: &End<'_>,
) -> Result<(), Refusal> {
    headers.reserve(HEADERS_ADDED);
    hop::strip_request(headers, seen);
    if seen.expect {
        headers.remove(EXPECT);
    }
    if context.version == Version::HTTP_2 {
        hop::join_cookies(headers);
    }
    let names = context.names().unwrap_or(&aim.site.api_world.names);
    forwarding::write_forwarded(headers, seen, context.peer.ip(), &names.forwarded_tail);
    forwarding::ensure_trace_root(headers, seen, context.arrived);
    context.span.iter().for_each(|span| span.write(headers));
    let host = match end {
        End::Private(..) => names.host.clone(),
        End::Public(filled) => HeaderValue::try_from(&filled.authority).map_err(|_| Refusal::MappingFailed)?,
    };
    headers.insert(HOST, host);
    Ok(())
}

fn begins_with_stage(path: &str, stage: &str) -> bool {
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn target(
    context: &Context<'_>,
    end: &End<'_>,
    mapped: Option<Mapped<'_>>,
    headers: &mut HeaderMap,
) -> Result<PathAndQuery, Refusal> {
    let uri = &context.uri;
    let (path, query) = match end {
        End::Private(..) => (context.path(), uri.query().map(Cow::Borrowed)),
        End::Public(filled) => (filled.path.as_str(), joined(filled.query.as_deref(), uri.query())),
    };
    match (mapped, uri.path_and_query()) {
        (None, Some(whole)) if matches!(end, End::Private(..)) && path.len() == uri.path().len() => Ok(whole.clone()),
        (None, _) => join(path, query.as_deref()),
        (Some(mapped), _) => {
            let (path, query) = mapped.apply(path, query.as_deref(), headers)?;
            join(&path, query.as_deref())
        }
    }
}

/// The query of the integration's URL, then the client's.
fn joined<'q>(own: Option<&'q str>, client: Option<&'q str>) -> Option<Cow<'q, str>> {
    match (own.filter(|own| !own.is_empty()), client) {
        (Some(own), Some(client)) => Some(Cow::Owned(format!("{own}&{client}"))),
        (own, client) => own.or(client).map(Cow::Borrowed),
    }
}

fn join(path: &str, query: Option<&str>) -> Result<PathAndQuery, Refusal> {
    let text = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::try_from(text).map_err(|_| Refusal::MappingFailed)
}
