//! The public side: listen, find, throttle, admit, integrate, respond. The order is a matter of types: `Matched` becomes
//! `Metered` becomes `Admitted` becomes `Outbound`, and each can be made in its own file only.

pub(crate) mod admit;
pub(crate) mod context;
pub(crate) mod cors;
pub(crate) mod find;
pub(crate) mod integrate;
pub(crate) mod listen;
pub(crate) mod mapping;
pub(crate) mod respond;
pub(crate) mod throttle;
pub(crate) mod watch;
mod words;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use topology::trace::{Hop, HopId, HopKind};

use crate::http::body::Body;
use crate::http::survey::Survey;
use crate::shared::Shared;
use crate::trace::Recording;
use crate::world::World;
use context::Context;
use cors::MadeBy;
use integrate::Outbound;
use respond::Refusal;
use watch::Busy;

/// One request, from its head to the head of its answer. `busy` lasts to the end of the answer.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    peer: SocketAddr,
    busy: Option<Busy>,
) -> Result<Response<Body>, Infallible> {
    let world = shared.world.load_full();
    let (Parts { method, uri, version, headers, .. }, body) = request.into_parts();
    let recording = Recording::begin(&shared.traces, world.snapshot.revision, method.as_str(), uri.path());
    // Boxed, so that the future stays small.
    let mut context = Box::new(Context::new((method, uri, version), &headers, peer, (&shared, &recording)));
    // Given up before the context when the client goes away, so that the context finds the trace.
    let mut recording = recording;
    let (answer, made_by) = match &mut prepare(&shared, &world, (headers, body), (&mut context, &mut recording)) {
        Ok(Prepared::Outbound(outbound)) => {
            let sent = context.sends(outbound, &recording);
            let answer = crate::link::carry(&shared, outbound, &mut recording).await;
            context.integration.learn(&answer, recording.since(sent));
            (answer, MadeBy::Backend)
        }
        Ok(Prepared::Preflight(response)) => (Ok(std::mem::take(response)), MadeBy::Gateway),
        Err(refusal) => (Err(*refusal), MadeBy::Gateway),
    };
    let mut response = respond::finish((answer, made_by), &mut context, recording, &shared);
    response.body_mut().keep_busy(busy);
    Ok(response)
}

/// What comes of a request without waiting.
enum Prepared<'w> {
    /// It is to be carried.
    Outbound(Outbound<'w>),
    /// It is a CORS preflight, and this is its answer.
    Preflight(Response<Body>),
}

/// All that needs no waiting. It is no part of the future, which would carry its locals about.
fn prepare<'w>(
    shared: &Shared,
    world: &'w World,
    (headers, body): (HeaderMap, Incoming),
    (context, recording): (&mut Context<'w>, &mut Recording),
) -> Result<Prepared<'w>, Refusal> {
    let seen = Survey::of(&headers);
    let place = find::place(world, context, (&headers, &seen), recording)?;
    context.cors = cors::told(place.deployed, &headers);
    let matched = find::route(place, context);
    if let (Some(cors), Some(told)) = (&place.deployed.cors, &context.cors)
        && cors::is_preflight(&context.method, &headers, matched.as_ref().ok().map(|matched| matched.route))
    {
        recording.hop(Hop::pass(HopKind::Cors, HopId::Api(place.api.id), 0).with_status(204));
        return Ok(Prepared::Preflight(cors::preflight(cors, told)));
    }
    let matched = matched?;
    recording.pass(HopKind::Route, HopId::Route(matched.route.id));
    let metered = throttle::take(shared, matched, context, recording)?;
    let admitted = admit::admit(metered, (&headers, &seen), recording)?;
    integrate::integrate(admitted, context, (headers, seen), body, recording).map(Prepared::Outbound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, F: Fn(A) -> Fut, Fut>(_: F) -> usize {
        std::mem::size_of::<Fut>()
    }

    #[test]
    fn the_future_of_a_request_stays_small() {
        type Call = (Arc<Shared>, Request<Incoming>, SocketAddr, Option<Busy>);
        let bytes = size(|(shared, request, peer, busy): Call| serve(shared, request, peer, busy));
        assert!(bytes <= 3200, "{bytes} bytes are moved about for each request");
    }
}
