//! The public side: listen, find, admit, integrate, respond. The order is a matter of types: `Matched` becomes `Admitted`
//! becomes `Outbound`, and each can be made in its own file only.

pub(crate) mod admit;
pub(crate) mod find;
pub(crate) mod integrate;
pub(crate) mod listen;
pub(crate) mod mapping;
pub(crate) mod respond;

use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;

use crate::http::body::Body;
use crate::http::survey::Survey;
use crate::shared::Shared;
use crate::trace::Recording;
use crate::world::World;
use respond::Refusal;

/// One request, from its head to the head of its answer.
pub(crate) async fn serve(shared: &Arc<Shared>, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
    let world = shared.world.load_full();
    let (parts, body) = request.into_parts();
    let mut recording =
        Recording::begin(&shared.traces, world.snapshot.revision, parts.method.as_str(), parts.uri.path());
    let answer = carry(shared, &world, (parts, body), peer, &mut recording).await;
    respond::finish(answer, recording, &shared.config)
}

async fn carry(
    shared: &Arc<Shared>,
    world: &World,
    (parts, body): (Parts, Incoming),
    peer: SocketAddr,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let Parts { method, uri, version, headers, .. } = parts;
    let head = find::Head { method: &method, uri: &uri, version, peer };
    let seen = Survey::of(&headers);
    let matched = find::find(world, &head, &headers, &seen, recording)?;
    let admitted = admit::admit(matched, (&headers, &seen), recording)?;
    let mut outbound = integrate::integrate(admitted, &head, (headers, seen), body, recording)?;
    crate::link::carry(shared, &mut outbound, recording).await
}
