//! The public side: listen, find, throttle, admit, integrate, respond. The order is a matter of types: `HttpSite` becomes `Matched`
//! becomes `Metered` becomes `Admitted` becomes `Outbound`, and each can be made in its own file only. REST APIs have a pipeline of
//! their own (`rest`), and none of its values is one of these.

pub(crate) mod admit;
pub(crate) mod answer;
pub(crate) mod arrival;
pub(crate) mod asked;
pub(crate) mod authorize;
pub(crate) mod context;
pub(crate) mod cors;
pub(crate) mod domain;
mod door;
pub(crate) mod endpoint;
pub(crate) mod find;
pub(crate) mod integrate;
pub(crate) mod internet;
pub(crate) mod mapping;
pub(crate) mod outbound;
pub(crate) mod payload;
pub(crate) mod refusal;
pub(crate) mod respond;
pub(crate) mod rest;
pub(crate) mod throttle;
pub(crate) mod underway;
pub(crate) mod variables;
mod words;

use std::convert::Infallible;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, Request, Response};
use topology::snapshot::gateway::ParameterMapping;
use topology::trace::{Hop, HopId, HopKind};

use crate::answer::body::Body;
use crate::answer::pages;
use crate::front::arrival::Arrival;
use crate::guard::Guard;
use crate::http::body::{RequestBody, SentBody};
use crate::http::survey::Survey;
use crate::http1::head::UnreadableTarget;
use crate::http1::spelling::Spelling;
use crate::limits::MAPPED_BODY_BYTES_MAX;
use crate::pace;
use crate::shared::Shared;
use crate::trace::{Recording, Silence};
use crate::world::World;
use admit::{Admission, Admitted, Applicant};
use authorize::Wait;
use context::Context;
use cors::MadeBy;
use find::Served;
use outbound::Outbound;
use payload::Payload;
use refusal::Refusal;
use underway::Underway;

/// One request, from its head to the head of its answer. `busy` lasts to the end of the answer.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    (request, spelling): (Request<SentBody>, Spelling),
    arrival: Arc<Arrival>,
    busy: Option<Guard>,
) -> Result<Response<Body>, Infallible> {
    let world = shared.world.load_full();
    let unreadable = request.extensions().get::<UnreadableTarget>().copied();
    let (Parts { method, uri, version, mut headers, .. }, body) = request.into_parts();
    // What the connection expects; a REST API may take the request for another one.
    let for_head = method == Method::HEAD;
    let recording = Recording::begin(&shared.home.traces, world.snapshot.revision, method.as_str(), uri.path());
    let told = (&mut headers, spelling);
    let mut underway = Underway::begin(&shared, recording, ((method, uri, version), told), arrival);
    let (context, recording) = underway.parts();
    context.unreadable = unreadable;
    recording.make_of_silence(context.arrival.silence);
    let sent = (headers, body);
    let mut prepared = prepare(&shared, &world, sent, context, recording);
    let (answer, made_by) = match prepared {
        Ok(Prepared::Outbound(ref mut outbound)) => (outbound.carry(&shared, recording).await, MadeBy::Backend),
        // Rarer, and larger than everything else: in a box of its own.
        Ok(other) => Box::pin(answer_later(&shared, other, context, recording)).await,
        Err(refusal) => (Err(refusal), MadeBy::Gateway),
    };
    let answer = match (answer, made_by) {
        (Ok(response), MadeBy::Backend) => match answer::mappings(&response, context, recording) {
            // Rare and large: kept out of the common future.
            Some(mappings) => Box::pin(answer::map((response, mappings), &shared, context, recording)).await,
            None => Ok(response),
        },
        (answer, _) => answer,
    };
    let mut response = respond::finish((answer, made_by), &mut underway, &shared);
    pages::fit(&mut response, for_head);
    if underway.context.arrival.silence == Silence::Skipped {
        // For who asks, whatever headers the answer has.
        response.extensions_mut().insert(underway.context.request_id);
    }
    response.body_mut().keep_busy(busy);
    pace::together().await;
    Ok(response)
}

/// What comes of a request without waiting.
#[allow(clippy::large_enum_variant, reason = "moved once for each request; a box would allocate on the common path")]
enum Prepared<'w> {
    /// It is to be carried.
    Outbound(Outbound<'w>),
    /// A mapping looks into its body first.
    Reading(Box<Reading<'w>>),
    /// It is a REST API's, which has a pipeline of its own.
    Rest(Box<rest::Arrived<'w>>),
    /// It is a CORS preflight, and this is its answer.
    Preflight(Box<Response<Body>>),
    /// Its authorizer lacks something.
    Waits(Box<Applicant<'w>>, Wait),
}

/// An admitted request whose body is needed before it can be mapped.
struct Reading<'w> {
    admitted: Admitted<'w>,
    headers: HeaderMap,
    seen: Survey,
    body: RequestBody,
}

/// All that needs no waiting. It is no part of the future, which would carry its locals about.
fn prepare<'w>(
    shared: &Arc<Shared>,
    world: &'w World,
    (headers, body): (HeaderMap, SentBody),
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Prepared<'w>, Refusal> {
    let seen = context.seen;
    let site = match find::site(world, context, (&headers, &seen), recording)? {
        Served::Http(site) => site,
        Served::Rest(site) => {
            return Ok(Prepared::Rest(Box::new(rest::Arrived { site, headers, seen, body })));
        }
    };
    let (deployed, api) = (site.deployed(), site.api());
    context.cors = cors::told(deployed, &headers);
    let matched = find::route(site, context);
    if let (Some(cors), Some(told)) = (&deployed.cors, &context.cors)
        && cors::is_preflight(&context.method, &headers, matched.as_ref().ok().map(|matched| matched.aim().route))
    {
        recording.hop(Hop::pass(HopKind::Cors, HopId::Api(api), 0).with_status(204));
        return Ok(Prepared::Preflight(Box::new(cors::preflight(cors, told))));
    }
    let matched = matched?;
    recording.pass(HopKind::Route, matched.aim().route.id.hop());
    let metered = throttle::take(shared, matched, context, recording)?;
    go_on(shared, Applicant { metered, headers, seen, body, waited: 0 }, context, recording)
}

/// From the rate limits on, without waiting.
fn go_on<'w>(
    shared: &Arc<Shared>,
    applicant: Applicant<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Prepared<'w>, Refusal> {
    let (admitted, headers, seen, body) = match admit::admit(shared, applicant, context, recording)? {
        Admission::Admitted(admitted, headers, seen, body) => (admitted, headers, seen, body),
        Admission::Waits(applicant, wait) => return Ok(Prepared::Waits(applicant, wait)),
    };
    let body = RequestBody::from_client(body, recording.start());
    if admitted.integration().parameters.iter().any(ParameterMapping::reads_body) {
        return Ok(Prepared::Reading(Box::new(Reading { admitted, headers, seen, body })));
    }
    let body = (body, &Payload::default());
    integrate::integrate(admitted, context, (headers, seen), body, recording).map(Prepared::Outbound)
}

/// The answer of what is not carried at once, and whose headers it has.
async fn answer_later<'w>(
    shared: &Arc<Shared>,
    mut prepared: Prepared<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> (Result<Response<Body>, Refusal>, MadeBy) {
    loop {
        prepared = match prepared {
            Prepared::Outbound(mut outbound) => return (outbound.carry(shared, recording).await, MadeBy::Backend),
            Prepared::Reading(reading) => {
                return (read(shared, *reading, context, recording).await, MadeBy::Backend);
            }
            Prepared::Rest(arrived) => {
                return (rest::serve(shared, *arrived, context, recording).await, MadeBy::Gateway);
            }
            Prepared::Preflight(response) => return (Ok(*response), MadeBy::Gateway),
            Prepared::Waits(applicant, wait) => {
                match apply_again(shared, (*applicant, wait), context, recording).await {
                    Ok(prepared) => prepared,
                    Err(refusal) => return (Err(refusal), MadeBy::Gateway),
                }
            }
        };
    }
}

/// Waits for what an authorizer lacks, and goes on.
async fn apply_again<'w>(
    shared: &Arc<Shared>,
    (applicant, wait): (Applicant<'w>, Wait),
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Prepared<'w>, Refusal> {
    let applicant = admit::wait(shared, applicant, wait, context, recording).await?;
    go_on(shared, applicant, context, recording)
}

/// Reads the beginning of the body, then maps and carries the request.
async fn read<'w>(
    shared: &Arc<Shared>,
    Reading { admitted, headers, seen, body }: Reading<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let place = shared.mapped_requests.begin(context.owner());
    let gathering = tokio::time::timeout(admitted.integration().timeout, body.gather(MAPPED_BODY_BYTES_MAX, place));
    let (body, beginning) = gathering.await.map_err(|_elapsed| Refusal::ClientSilent)??;
    let payload = Payload::new(beginning);
    let mut outbound = integrate::integrate(admitted, context, (headers, seen), (body, &payload), recording)?;
    // It was looked into; while the target answers, only what is still to be sent is kept.
    drop(payload);
    outbound.carry(shared, recording).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, F: Fn(A) -> Fut, Fut>(_: F) -> usize {
        std::mem::size_of::<Fut>()
    }

    #[test]
    fn the_future_of_a_request_stays_small() {
        type Call = (Arc<Shared>, (Request<SentBody>, Spelling), Arc<Arrival>, Option<Guard>);
        let bytes = size(|(shared, request, arrival, busy): Call| serve(shared, request, arrival, busy));
        assert!(bytes <= 3648, "{bytes} bytes are moved about for each request");
    }
}
