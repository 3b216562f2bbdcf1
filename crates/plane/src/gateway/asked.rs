//! A request that is carried out for its explanation: it goes the way of every other request for its host, with the same limits,
//! counts, logs and traffic, but that it does not bear the silence of a connection that nobody answers. What becomes of it is read
//! from its trace; its answer is read and let go.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use topology::trace::RequestId;

use crate::front::Door;
use crate::front::arrival::Arrival;
use crate::http::body::SentBody;
use crate::http::framing::FramingLines;
use crate::http1::spelling::Spelling;

/// Carries out a request behind this door for a caller at this address, and answers the id of its trace.
pub(crate) async fn ask(door: Arc<impl Door>, request: Request<Bytes>, peer: SocketAddr) -> Option<RequestId> {
    let (mut parts, body) = request.into_parts();
    // The body is here: whatever the caller says of its framing is not so.
    drop(FramingLines::take(&mut parts.headers));
    let body = SentBody::whole(body);
    let spelling = Spelling::framed(body.framing().lines());
    let request = Request::from_parts(parts, body);
    let Ok(response) = door.serve((request, spelling), Arc::new(Arrival::asked(peer)), None).await;
    let id = response.extensions().get::<RequestId>().copied();
    let mut body = response.into_body();
    // A target that breaks off is part of the explanation. The body ends by its own deadlines.
    while let Some(Ok(_)) = body.frame().await {}
    id
}
