//! Carries requests to `HTTP_PROXY` and `HTTP` integrations, through a link or to a public endpoint, by the same roads as HTTP
//! APIs.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use topology::snapshot::gateway::Connection;
use topology::trace::HopKind;

use super::request::{self, Mapped, Passed, Request, Target};
use super::validate::{Sendable, Valid};
use super::{answer, content, execution, log, template};
use crate::answer::body::Body;
use crate::fabric::outside::Identity;
use crate::gateway::context::Context;
use crate::gateway::outbound::{Behalf, Leave, Outbound, Toward};
use crate::gateway::payload::Payload;
use crate::gateway::refusal::Refusal;
use crate::http::framing::WithFraming as _;
use crate::readied::MethodPlan;
use crate::shared::Shared;
use crate::trace::Recording;

/// Passes the request on, streaming.
pub(super) async fn proxy<'w>(
    shared: &Arc<Shared>,
    valid: Valid<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let (mut request, sendable) = valid.into_parts();
    let plan = plan(&request, context, recording)?;
    let converts = request.source.content_handling.is_some();
    let whole = if plan.reads_body() || converts { request.whole(shared).await? } else { Bytes::new() };
    let turn = shared.turns.for_bytes(whole.len()).await.ok_or(Refusal::TimedOut)?;
    let (mapped, converted) = turn.run(|| {
        let mapped = Mapped::of(plan, context, &Payload::new(whole.clone()))?;
        let converted = converts.then(|| content::request(whole, &request, context)).transpose()?;
        Ok::<_, Refusal>((mapped, converted))
    })?;
    if let Some(body) = converted {
        request.replace(body);
    }
    let target = request::target(&request, &mapped, context, Passed::All)?;
    let response = send(shared, (&mut request, sendable), (mapped, target), Passed::All, context, recording).await?;
    answer::passed_on(shared, (response, &request), context, recording).await
}

/// Maps the request, sends what was mapped, and maps the answer.
pub(super) async fn custom<'w>(
    shared: &Arc<Shared>,
    valid: Valid<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let (mut request, sendable) = valid.into_parts();
    let plan = plan(&request, context, recording)?;
    let whole = request.whole(shared).await?;
    let turn = shared.turns.for_bytes(whole.len()).await.ok_or(Refusal::TimedOut)?;
    execution::say_sent(context, &whole);
    let (mut mapped, body) = turn.run(|| {
        let mapped = Mapped::of(plan, context, &Payload::new(whole.clone()))?;
        Ok::<_, Refusal>((mapped, content::request(whole, &request, context)?))
    })?;
    let body = template::request(shared, body, (&request, plan), context, recording).await?;
    mapped.override_with(context)?;
    request.replace(body);
    let target = request::target(&request, &mapped, context, Passed::Nothing)?;
    let response =
        send(shared, (&mut request, sendable), (mapped, target), Passed::Nothing, context, recording).await?;
    answer::mapped(shared, (response, &request, plan), context, recording).await
}

/// What was read of the method; a mapping that cannot be read is a mistake of the API's.
fn plan<'w>(
    request: &Request<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<&'w MethodPlan, Refusal> {
    match &request.plan.broken {
        None => Ok(request.plan),
        Some(broken) => Err(template::failed(request, broken, context, recording)),
    }
}

async fn send<'w>(
    shared: &Arc<Shared>,
    (request, sendable): (&mut Request<'w>, Sendable<'w>),
    (mapped, target): (Mapped, Target),
    passed: Passed,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let listener = listener(request, recording)?;
    let headers = request::headers(request, mapped, (&target, context), passed)?;
    let method = request::method(request, context)?;
    let mut body = request.take_body();
    body.measure(&method);
    request::note(request, &target, &body, context, recording);
    if let Some(rest) = context.rest.as_mut().filter(|rest| rest.log.is_some()) {
        rest.show("Endpoint request URI", || target.url());
        rest.show("Endpoint request headers", || log::headers(&headers, &body.framing().lines()));
        // What streams is not shown.
        if let Some(whole) = body.whole() {
            rest.show("Endpoint request body after transformations", || log::body(whole));
        }
        rest.say(&format!("Sending request to {}", target.url()));
    }
    let mut outgoing = http::Request::new(body);
    *outgoing.method_mut() = method;
    *outgoing.uri_mut() = target.uri;
    *outgoing.headers_mut() = headers;
    let mut origin = target.filled.origin;
    origin.identity = identity(context);
    let toward = listener.unwrap_or(Toward::Endpoint(origin));
    let behalf = Behalf { peer: context.peer, stage_prefix: None };
    let mut outbound = Outbound::new(Leave::Method(sendable), toward, outgoing, behalf);
    let response = outbound.carry(shared, recording).await?;
    context.integration.status = Some(response.status().as_u16());
    let took_micros = recording.now_micros().saturating_sub(context.integration.sent_micros);
    context.integration.took_micros = Some(took_micros);
    if let Some(rest) = context.rest.as_mut().filter(|rest| rest.log.is_some()) {
        let (status, took_ms) = (response.status().as_u16(), took_micros / 1000);
        rest.say(&format!("Received response. Status: {status}, Integration latency: {took_ms} ms"));
        rest.show("Endpoint response headers", || log::headers(response.headers(), &response.body().lines()));
    }
    Ok(response)
}

/// What the stage shows to a public endpoint that asks for a certificate.
fn identity(context: &Context<'_>) -> Option<Identity> {
    let stage = context.found.as_ref()?.site.stage;
    stage.rest.as_ref()?.identity.clone().map(Identity)
}

/// The listener behind the integration's link; none where it is a public endpoint.
fn listener<'w>(request: &Request<'w>, recording: &mut Recording) -> Result<Option<Toward<'w>>, Refusal> {
    match &request.integration.connection {
        Connection::Private { link, listener, server_name } => {
            let greeting = request::greeting(request, server_name.as_ref());
            Ok(Some(Toward::Listener(*link, *listener, greeting)))
        }
        Connection::Internet(_) => Ok(None),
        Connection::Broken { reason, .. } => {
            recording.stop(HopKind::Integration, request.integration.id.hop(), *reason);
            Err(Refusal::IntegrationBroken(*reason))
        }
        // Such an integration is of another type, and answers for itself.
        Connection::Mock => Err(Refusal::NoIntegration),
    }
}
