//! The public side: listen, find, admit, integrate, respond. The order is a matter of types: `Matched` becomes `Admitted`
//! becomes `Outbound`, and each can be made in its own file only.

pub(crate) mod admit;
pub(crate) mod arrival;
pub(crate) mod connection;
pub(crate) mod find;
pub(crate) mod integrate;
pub(crate) mod listen;
pub(crate) mod mapping;
pub(crate) mod respond;
pub(crate) mod watch;

use std::convert::Infallible;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;

use crate::http::body::Body;
use crate::http::survey::Survey;
use crate::shared::Shared;
use crate::trace::Recording;
use crate::world::World;
use arrival::Arrival;
use integrate::Outbound;
use respond::Refusal;
use watch::Busy;

/// One request, from its head to the head of its answer. `busy` lasts to the end of the answer.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    arrival: Arc<Arrival>,
    busy: Option<Busy>,
) -> Result<Response<Body>, Infallible> {
    let world = shared.world.load_full();
    let (method, path) = (request.method().as_str(), request.uri().path());
    let mut recording = Recording::begin(&shared.traces, world.snapshot.revision, method, path);
    let answer = match &mut prepare(&world, request, &arrival, &mut recording) {
        Ok(outbound) => crate::link::carry(&shared, outbound, &mut recording).await,
        Err(refusal) => Err(*refusal),
    };
    let mut response = respond::finish(answer, recording, &shared.config);
    response.body_mut().keep_busy(busy);
    Ok(response)
}

/// All that needs no waiting. It is no part of the future, which would carry its locals about.
fn prepare<'w>(
    world: &'w World,
    request: Request<Incoming>,
    arrival: &Arrival,
    recording: &mut Recording,
) -> Result<Outbound<'w>, Refusal> {
    let (Parts { method, uri, version, headers, .. }, body) = request.into_parts();
    let head = find::Head { method: &method, uri: &uri, version, peer: arrival.peer, arrival };
    let seen = Survey::of(&headers);
    let matched = find::find(world, &head, &headers, &seen, recording)?;
    let admitted = admit::admit(matched, (&headers, &seen), recording)?;
    integrate::integrate(admitted, &head, (headers, seen), body, recording)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, F: Fn(A) -> Fut, Fut>(_: F) -> usize {
        std::mem::size_of::<Fut>()
    }

    #[test]
    fn the_future_of_a_request_stays_small() {
        type Call = (Arc<Shared>, Request<Incoming>, Arc<Arrival>, Option<Busy>);
        let bytes = size(|(shared, request, arrival, busy): Call| serve(shared, request, arrival, busy));
        assert!(bytes <= 3200, "{bytes} bytes are moved about for each request");
    }
}
