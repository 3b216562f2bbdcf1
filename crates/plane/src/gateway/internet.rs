//! Integrations with public endpoints: the URL with its variables filled in, the connection by [`Outside`], which judges each
//! address, and the answer as it streams back (HTTP API developer guide, "Create HTTP integrations for HTTP APIs", 2026-11).
//! Nothing private is reached from here, whatever a name resolves to; redirects are the client's business.

use std::borrow::Cow;
use std::sync::Arc;

use http::uri::Authority;
use http::{Response, Uri};
use topology::endpoint::{Endpoint, EndpointPart, Side};
use topology::path;
use topology::reason::Reason;
use topology::snapshot::routes::{RouteKey, path_parameter};
use topology::trace::{Hop, HopKind};

use super::context::Context;
use super::outbound::Public;
use super::refusal::Refusal;
use crate::answer::body::Body;
use crate::clock;
use crate::fabric::exchange::{self, Failure, Limits, Overdue};
use crate::fabric::outside::trust::TlsFault;
use crate::fabric::outside::{Origin, OutsideError, Purpose};
use crate::fabric::stream::{self, Hold, Patience};
use crate::http::percent::{encode, is_query_byte};
use crate::shared::Shared;
use crate::trace::Recording;

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
            found?.place.stage.variables.get(name).map(|value| Cow::Borrowed(value.as_str()))
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
            Cow::Owned(encode(&value, is_query_byte))
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

/// Carries a request to a public endpoint.
pub(super) async fn carry(
    shared: &Arc<Shared>,
    public: &mut Public,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let (id, origin, timeout) = (public.integration().hop(), Arc::clone(public.origin()), public.timeout());
    let way = shared.outside.way(&origin, Purpose::Integration, timeout);
    let sent = public.request().as_ref().and_then(|request| request.body().progress());
    let limits = Limits { start: recording.start(), whole: timeout, idle: timeout };
    let exchanged = exchange::exchange(&shared.home.pool, &way, public.request(), limits).await;
    recording.read_clock();
    match exchanged {
        Ok((response, key)) => {
            recording.hop(Hop::pass(HopKind::Endpoint, id, 0).with_status(response.status().as_u16()));
            recording.detail(&format!("{}:{}", origin.host, origin.port));
            let hold = Hold { key, sent, reusable: true, lasting: None };
            let left = timeout.saturating_sub(clock::now().duration_since(limits.start));
            let patience = Patience { idle: timeout, budget: left };
            let trace = (&shared.home, recording.id());
            Ok(response.map(|incoming| stream::body(incoming, hold, patience, trace).into()))
        }
        Err(failure) => Err(refuse(&failure, public, recording)),
    }
}

fn refuse(failure: &Failure<OutsideError>, public: &Public, recording: &mut Recording) -> Refusal {
    let reason = match failure {
        Failure::Connect(error) => of_connection(error),
        Failure::Closed(reason) => *reason,
        Failure::Malformed => Reason::TargetMalformedResponse,
        Failure::OtherProtocol => Reason::TargetProtocolMismatch,
        Failure::Overdue(Overdue::Caller | Overdue::Target) => Reason::IntegrationTimeout,
        Failure::Overdue(Overdue::Client) => return Refusal::ClientSilent,
        Failure::ClientBody(fault) => return Refusal::BodyFault(*fault),
    };
    recording.stop(HopKind::Endpoint, public.integration().hop(), reason);
    recording.detail(&match failure {
        Failure::Connect(error) => error.to_string(),
        _ => format!("{}:{}", public.origin().host, public.origin().port),
    });
    if reason == Reason::IntegrationTimeout { Refusal::TimedOut } else { Refusal::Silent(reason) }
}

fn of_connection(error: &OutsideError) -> Reason {
    match error {
        OutsideError::Forbidden { .. } => Reason::EgressForbidden,
        OutsideError::BadHost(_) | OutsideError::Unresolved { .. } => Reason::NoRoute,
        OutsideError::Refused(_) | OutsideError::Io { .. } => Reason::TargetRefused,
        OutsideError::Timeout(_) => Reason::TargetTimeout,
        OutsideError::Tls(fault) => match fault {
            TlsFault::Name { .. } => Reason::TlsNameMismatch,
            TlsFault::Untrusted(_) => Reason::TlsUntrusted,
            TlsFault::Expired(_) => Reason::TlsExpired,
            TlsFault::Plain => Reason::TlsExpectedGotPlain,
            TlsFault::Handshake(_) => Reason::TlsHandshakeFailed,
        },
    }
}
