//! From a request's hop trace to spans: one for the request, and one below it for each hop, with what the hop decided.
//! Attributes of HTTP have the names of OpenTelemetry's conventions (semantic conventions 1.x, "HTTP spans", 2026-11); ours
//! begin with `tidegate.`.

use plane::report::span::RequestSpan;
use topology::reason::Reason;
use topology::trace::{Hop, HopId, HopKind, HopVerdict, Leg, Sender, Trace};

use super::message::{KeyValue, Kind, Span, Status};

/// The spans of a request, its own first.
pub(super) fn of(request: &RequestSpan) -> Vec<Span> {
    let mut spans = vec![whole(request)];
    let mut from = 0;
    for (place, hop) in request.trace.hops.iter().enumerate() {
        spans.push(step(request, (place, hop), from));
        from = hop.micros;
    }
    spans
}

fn whole(request: &RequestSpan) -> Span {
    let trace = &request.trace;
    let mut attributes = vec![
        KeyValue::text("http.request.method", &trace.method),
        KeyValue::text("url.path", &trace.path),
        KeyValue::text("client.address", request.client.to_string()),
        KeyValue::text("tidegate.request_id", trace.request_id.to_string()),
        KeyValue::text("tidegate.outcome", trace.outcome().as_str()),
        KeyValue::number("tidegate.revision", i64::try_from(trace.revision).unwrap_or(i64::MAX)),
    ];
    if trace.status > 0 {
        attributes.push(KeyValue::number("http.response.status_code", i64::from(trace.status)));
    }
    let texts = [
        ("http.route", request.route.clone()),
        ("aws.apigateway.stage", request.stage.clone()),
        ("aws.apigateway.api_id", trace.api.map(|api| api.to_string())),
        ("tidegate.reason", trace.reason.map(|reason| reason.code().to_owned())),
        ("tidegate.broken", request.broken.map(|fault| fault.to_string())),
    ];
    attributes.extend(texts.into_iter().filter_map(|(key, text)| Some(KeyValue::text(key, text?))));
    attributes.extend(trace.hints.iter().map(|hint| KeyValue::text("tidegate.hint", hint.code())));
    Span {
        trace_id: request.context.trace_id.to_be_bytes().to_vec(),
        span_id: request.context.span_id.to_be_bytes().to_vec(),
        parent_span_id: request.context.parent_id.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
        // A route key begins with the method, but for `$default`.
        name: match &request.route {
            Some(route) if route.contains(' ') => route.clone(),
            Some(route) => format!("{} {route}", trace.method),
            None => trace.method.clone(),
        },
        kind: Kind::Server.into(),
        start_time_unix_nano: nanos(trace.started_unix_micros),
        end_time_unix_nano: nanos(request.ended_unix_micros.max(trace.started_unix_micros)),
        attributes,
        status: whole_status(request),
    }
}

/// A server's span is an error where the server failed: 5xx, or an answer that broke off.
fn whole_status(request: &RequestSpan) -> Option<Status> {
    if let Some(fault) = request.broken {
        return Some(Status::error(fault.to_string()));
    }
    (request.trace.status >= 500).then(|| Status::error(request.trace.reason.map_or("", Reason::code)))
}

fn step(request: &RequestSpan, (place, hop): (usize, &Hop), from_micros: u32) -> Span {
    let began = request.trace.started_unix_micros;
    let mut attributes = vec![KeyValue::text("tidegate.verdict", hop.verdict.as_str())];
    if let Some(id) = id(hop.id) {
        attributes.push(KeyValue::text("tidegate.id", id));
    }
    if let Some(reason) = hop.reason {
        attributes.push(KeyValue::text("tidegate.reason", reason.code()));
    }
    if let Some(status) = hop.status {
        attributes.push(KeyValue::number("http.response.status_code", i64::from(status)));
    }
    attributes.extend(hop.leg.iter().flat_map(leg));
    attributes.extend(details(&request.trace, place));
    let kind = if hop.kind == HopKind::Target { Kind::Client } else { Kind::Internal };
    Span {
        trace_id: request.context.trace_id.to_be_bytes().to_vec(),
        span_id: child_id(request.context.span_id, place).to_be_bytes().to_vec(),
        parent_span_id: request.context.span_id.to_be_bytes().to_vec(),
        name: hop.kind.as_str().to_owned(),
        kind: kind.into(),
        start_time_unix_nano: nanos(began + u64::from(from_micros.min(hop.micros))),
        end_time_unix_nano: nanos(began + u64::from(hop.micros)),
        attributes,
        status: (hop.verdict != HopVerdict::Pass).then(|| Status::error(hop.reason.map_or("", Reason::code))),
    }
}

fn details(trace: &Trace, place: usize) -> impl Iterator<Item = KeyValue> {
    trace.details_of(place).map(|text| KeyValue::text("tidegate.detail", text))
}

fn leg(leg: &Leg) -> Vec<KeyValue> {
    let from = match leg.from {
        Sender::Interface(id) => Some(id.to_string()),
        Sender::Address(address) => Some(address.to_string()),
        Sender::Gone => None,
    };
    let texts = [
        ("tidegate.from", from),
        ("tidegate.to", leg.to.map(|id| id.to_string())),
        ("network.peer.address", Some(leg.to_address.to_string())),
        ("tidegate.deciding_rule", leg.deciding_rule.map(|id| id.to_string())),
        ("tidegate.nearest_rule", leg.nearest_rule.map(|id| id.to_string())),
    ];
    let texts = texts.into_iter().filter_map(|(key, text)| Some(KeyValue::text(key, text?)));
    texts.chain([KeyValue::number("network.peer.port", i64::from(leg.port))]).collect()
}

/// What a hop is about, as text.
fn id(id: HopId) -> Option<String> {
    Some(match id {
        HopId::None => return None,
        HopId::Api(id) => id.to_string(),
        HopId::Route(id) => id.to_string(),
        HopId::Method(at) | HopId::MethodIntegration(at) => at.to_string(),
        HopId::ApiKey(id) => id.to_string(),
        HopId::UsagePlan(id) => id.to_string(),
        HopId::Authorizer(id) => id.to_string(),
        HopId::Integration(id) => id.to_string(),
        HopId::Link(id) => id.to_string(),
        HopId::Interface(id) => id.to_string(),
        HopId::NetworkAcl(id) => id.to_string(),
        HopId::RouteTable(id) => id.to_string(),
        HopId::LoadBalancer(id) => id.to_string(),
        HopId::Listener(id) | HopId::Rule(id, None) => id.to_string(),
        HopId::Rule(_, Some(id)) => id.to_string(),
        HopId::TargetGroup(id) => id.to_string(),
        HopId::Target(address, port) => format!("{address}:{port}"),
    })
}

/// An id for the span of a hop: that of its request, mixed with its place (SplitMix64's last step), never zero.
fn child_id(parent: u64, place: usize) -> u64 {
    let next = parent.wrapping_add((place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).max(1)
}

const fn nanos(micros: u64) -> u64 {
    micros.saturating_mul(1000)
}
