//! What the client gets of an integration's answer. `HTTP_PROXY` passes it on, with some headers under other names; `HTTP` and
//! `MOCK` choose an integration response by the status and map headers and body (REST API developer guide, "API Gateway important
//! notes" and "Set up an integration response", 2026-11).

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, SERVER, TRANSFER_ENCODING,
    WWW_AUTHENTICATE,
};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as _;
use topology::reason::Reason;
use topology::resource::rest_api::{IntegrationType, ResponseTransferMode};
use topology::trace::{HopId, HopKind};

use super::request::Request;
use super::source::{self, Message};
use super::{content, log, template};
use crate::answer::body::Body;
use crate::gateway::context::Context;
use crate::gateway::payload::Payload;
use crate::gateway::refusal::Refusal;
use crate::http::body::BodyFault;
use crate::http::forwarding::X_AMZN_TRACE_ID;
use crate::http::framing::FramingLines;
use crate::http::gathered::{self, Unread};
use crate::http::places::Place;
use crate::limits::ANSWER_BODY_BYTES_MAX;
use crate::readied::{AnswerPlan, MethodPlan};
use crate::shared::Shared;
use crate::trace::Recording;

const AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The headers of an integration that come back under `x-amzn-remapped-`.
const REMAPPED: [(HeaderName, HeaderName); 6] = [
    (CONNECTION, HeaderName::from_static("x-amzn-remapped-connection")),
    (CONTENT_LENGTH, HeaderName::from_static("x-amzn-remapped-content-length")),
    (DATE, HeaderName::from_static("x-amzn-remapped-date")),
    (SERVER, HeaderName::from_static("x-amzn-remapped-server")),
    (WWW_AUTHENTICATE, HeaderName::from_static("x-amzn-remapped-www-authenticate")),
    (AMZN_REQUEST_ID, HeaderName::from_static("x-amzn-remapped-x-amzn-requestid")),
];

/// What cannot be mapped under its own name, besides those.
const REMAPPED_WHEN_MAPPED: [&str; 9] = [
    "content-md5",
    "expect",
    "host",
    "max-forwards",
    "proxy-authenticate",
    "trailer",
    "upgrade",
    "user-agent",
    "authorization",
];

/// Passes an answer on.
pub(super) async fn passed_on(
    shared: &Shared,
    (response, request): (Response<Body>, &Request<'_>),
    context: &mut Context<'_>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let (mut head, mut body) = response.into_parts();
    let buffers = request.source.response_transfer_mode == ResponseTransferMode::Buffered;
    let known = body.size_hint().exact();
    let lines = body.lines();
    if context.is_trial() || (buffers && known.is_none_or(|bytes| bytes > ANSWER_BODY_BYTES_MAX)) {
        // A trial's answer is told whole. Else a length that is known and small enough can stream: nobody can tell. Anything
        // else is read first, as AWS does.
        // What was read keeps its place until it is sent.
        let (bytes, place) = read(shared, body, known, request, recording).await?;
        if context.is_trial() {
            say(context, "Endpoint response body before transformations", &bytes);
            say(context, "Method response body after transformations", &bytes);
        }
        body = Body::held(bytes, place);
    }
    remap(&mut head.headers, &lines);
    body.measure();
    Ok(Response::from_parts(head, body))
}

/// Renames the headers that API Gateway writes itself.
fn remap(headers: &mut HeaderMap, lines: &FramingLines) {
    for (name, other) in REMAPPED {
        if let Some(value) = headers.remove(&name).or_else(|| lines.named(name.as_str()).cloned()) {
            headers.insert(other, value);
        }
    }
    headers.entry(CONTENT_TYPE).or_insert(super::request::JSON);
}

/// Reads an answer's body, which may be as large as a payload and no larger. Its place comes back with it.
async fn read(
    shared: &Shared,
    body: Body,
    known: Option<u64>,
    request: &Request<'_>,
    recording: &mut Recording,
) -> Result<(Bytes, Place), Refusal> {
    let mut place = shared.whole_answers.begin(request.owner);
    let whole = match known {
        Some(bytes) if bytes > ANSWER_BODY_BYTES_MAX => None,
        _ => {
            let read = gathered::whole_answer(body, ANSWER_BODY_BYTES_MAX, &mut place).await;
            read.map_err(|unread| broke(unread, recording))?
        }
    };
    let Some(bytes) = whole else {
        recording.read_clock();
        recording.stop(HopKind::Integration, request.integration.id.hop(), Reason::BodyTooLarge);
        recording.detail("the integration's answer is larger than 10 MiB");
        return Err(Refusal::AnswerBroke(Reason::BodyTooLarge));
    };
    Ok((bytes, place))
}

fn broke(unread: Unread, recording: &mut Recording) -> Refusal {
    let Unread::Broke(fault) = unread else { return Refusal::TimedOut };
    let reason = if fault == BodyFault::TargetSilent { Reason::TargetTimeout } else { Reason::TargetClosed };
    recording.read_clock();
    recording.stop(HopKind::Target, HopId::None, reason);
    if reason == Reason::TargetTimeout { Refusal::TimedOut } else { Refusal::AnswerBroke(reason) }
}

/// Maps an answer.
pub(super) async fn mapped<'w>(
    shared: &Arc<Shared>,
    (response, request, plan): (Response<Body>, &Request<'w>, &'w MethodPlan),
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let (head, body) = response.into_parts();
    let Some(chosen) = choose(plan, head.status.as_u16()) else {
        let why = format!("no integration response is for the status {} and none is the default", head.status.as_u16());
        return Err(template::failed(request, &why, context, recording));
    };
    let (known, lines) = (body.size_hint().exact(), body.lines());
    let (bytes, place) = read(shared, body, known, request, recording).await?;
    let declared = request.method.source().is_some_and(|method| method.responses.contains_key(&chosen.status));
    if !declared {
        let why = format!("the method declares no response for the status {}", chosen.status);
        return Err(template::failed(request, &why, context, recording));
    }
    if request.integration_type() != IntegrationType::Mock {
        say(context, "Endpoint response body before transformations", &bytes);
    }
    let turn = shared.turns.for_bytes(bytes.len()).await.ok_or(Refusal::TimedOut)?;
    let (mut headers, bytes) = turn.run(|| {
        let headers = mapped_headers(chosen, ((&head, &lines), &Payload::new(bytes.clone())), context)?;
        let bytes = content::answer(bytes, (&head.headers, chosen.handling), context)?;
        Ok::<_, Refusal>((headers, bytes))
    })?;
    let (kind, bytes) = match template::for_answer(&chosen.templates, context) {
        None => (None, bytes),
        Some((kind, template)) => {
            let kind = kind.to_owned();
            let text = template::evaluate(shared, (template, &bytes), request, context, recording).await?;
            (Some(kind), Bytes::from(text))
        }
    };
    say(context, "Method response body after transformations", &bytes);
    let status = overridden(chosen.status, &mut headers, context)?;
    let kind = kind.and_then(|kind| HeaderValue::try_from(kind).ok()).unwrap_or(super::request::JSON);
    headers.entry(CONTENT_TYPE).or_insert(kind);
    let traced = context.rest.as_ref().and_then(|rest| rest.trace_id.clone());
    if let Some(trace) = traced.filter(|_| request.integration_type() == IntegrationType::Http) {
        headers.insert(X_AMZN_TRACE_ID, trace);
    }
    Ok(whole(status, headers, (bytes, place)))
}

/// Shows a body in the execution log.
fn say(context: &mut Context<'_>, what: &str, body: &Bytes) {
    context.rest.iter_mut().for_each(|rest| rest.show(what, || log::body(body)));
}

/// An answer that keeps its place until it is sent.
fn whole(status: StatusCode, headers: HeaderMap, (bytes, place): (Bytes, Place)) -> Response<Body> {
    let has_none = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = Response::new(if has_none { Body::default() } else { Body::held(bytes, place) });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The integration response whose pattern fits the status, else the default one.
fn choose(plan: &MethodPlan, status: u16) -> Option<&AnswerPlan> {
    let text = status.to_string();
    let fits = |answer: &&AnswerPlan| answer.pattern.as_ref().is_some_and(|pattern| pattern.is_match(&text));
    plan.answers.iter().find(fits).or_else(|| plan.answers.iter().find(|answer| answer.pattern.is_none()))
}

fn mapped_headers(
    chosen: &AnswerPlan,
    ((head, lines), payload): ((&Parts, &FramingLines), &Payload),
    context: &Context<'_>,
) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    let message = Message::Answer((&head.headers, lines), payload);
    for (name, value) in &chosen.headers {
        for value in source::values(context, message, value) {
            let value = HeaderValue::try_from(value).map_err(|_| Refusal::MappingFailed)?;
            if *name != TRANSFER_ENCODING {
                headers.append(client_name(name), value);
            }
        }
    }
    Ok(headers)
}

/// The name under which a mapped header comes back. How the answer is framed no mapping says.
fn client_name(name: &HeaderName) -> HeaderName {
    if let Some((_, other)) = REMAPPED.iter().find(|(remapped, _)| remapped == name) {
        return other.clone();
    }
    if *name != AUTHORIZATION && !REMAPPED_WHEN_MAPPED.contains(&name.as_str()) {
        return name.clone();
    }
    HeaderName::try_from(format!("x-amzn-remapped-{name}")).unwrap_or_else(|_| name.clone())
}

/// What templates set below `$context.responseOverride`.
fn overridden(status: u16, headers: &mut HeaderMap, context: &Context<'_>) -> Result<StatusCode, Refusal> {
    let mut status = status;
    for (name, value) in context.rest.iter().flat_map(|rest| &rest.overrides) {
        let Some(place) = name.strip_prefix("responseOverride.") else { continue };
        if place == "status" {
            status = value.trim().parse().map_err(|_| Refusal::MappingFailed)?;
        } else if let Some(header) = place.strip_prefix("header.") {
            let header = HeaderName::try_from(header).map_err(|_| Refusal::MappingFailed)?;
            let value = HeaderValue::try_from(value).map_err(|_| Refusal::MappingFailed)?;
            if header != TRANSFER_ENCODING {
                headers.insert(client_name(&header), value);
            }
        }
    }
    StatusCode::from_u16(status)
        .ok()
        .filter(|status| (200..600).contains(&status.as_u16()))
        .ok_or(Refusal::MappingFailed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::framing::Framing;
    use crate::http::places::{Owner, Places};
    use crate::limits::WHOLE_BODY_PIECE_BYTES;
    use http_body_util::BodyExt as _;

    #[test]
    fn headers_come_back_under_other_names() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("date", "d"), ("server", "s"), ("x-a", "1")] {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        remap(&mut headers, &Framing::Length(3).lines());
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected =
            ["content-type", "x-a", "x-amzn-remapped-content-length", "x-amzn-remapped-date", "x-amzn-remapped-server"];
        assert_eq!(names, expected);
        assert_eq!(client_name(&HeaderName::from_static("user-agent")), "x-amzn-remapped-user-agent");
        assert_eq!(client_name(&HeaderName::from_static("location")), "location");
    }

    #[tokio::test]
    async fn a_large_answer_keeps_what_it_needs_of_its_place_until_it_is_sent() {
        let places = Arc::new(Places::new(40 * WHOLE_BODY_PIECE_BYTES));
        let large = Bytes::from(vec![b'x'; 100_000]);
        for (status, bytes, kept) in [
            (StatusCode::OK, large.clone(), 2),
            (StatusCode::OK, Bytes::from_static(b"hello"), 0),
            (StatusCode::NO_CONTENT, large, 0),
        ] {
            let mut place = places.begin(Owner::new(None, std::net::IpAddr::from([127, 0, 0, 1])));
            place.grow_to(bytes.len() * 4).await.unwrap();
            let answer = whole(status, HeaderMap::new(), (bytes, place));
            assert_eq!(places.free(), 40 - kept);
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().is_empty(), status != StatusCode::OK);
            assert_eq!(places.free(), 40);
        }
    }
}
