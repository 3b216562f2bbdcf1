//! The public side: listen, find, admit, integrate, respond. The order is a matter of types: `Matched` becomes `Admitted`
//! becomes `Outbound`, and each can be made in its own file only.

pub(crate) mod admit;
pub(crate) mod context;
pub(crate) mod find;
pub(crate) mod integrate;
pub(crate) mod listen;
pub(crate) mod mapping;
pub(crate) mod respond;
pub(crate) mod watch;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;

use crate::http::body::Body;
use crate::http::survey::Survey;
use crate::shared::Shared;
use crate::trace::Recording;
use crate::world::World;
use context::Context;
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
    let mut recording = Recording::begin(&shared.traces, world.snapshot.revision, method.as_str(), uri.path());
    // Boxed, so that the future stays small.
    let mut context = Box::new(Context::new((method, uri, version), &headers, peer, &recording));
    let answer = match &mut prepare(&world, (headers, body), &mut context, &mut recording) {
        Ok(outbound) => crate::link::carry(&shared, outbound, &mut recording).await,
        Err(refusal) => Err(*refusal),
    };
    let mut response = respond::finish(answer, &mut context, recording, &shared.config);
    response.body_mut().keep_busy(busy);
    Ok(response)
}

/// All that needs no waiting. It is no part of the future, which would carry its locals about.
fn prepare<'w>(
    world: &'w World,
    (headers, body): (HeaderMap, Incoming),
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Outbound<'w>, Refusal> {
    let seen = Survey::of(&headers);
    let matched = find::find(world, context, (&headers, &seen), recording)?;
    let admitted = admit::admit(matched, (&headers, &seen), recording)?;
    integrate::integrate(admitted, context, (headers, seen), body, recording)
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
