//! A request of a client that entered a listener through a socket. The client comes from an interface of the private network, or from the
//! internet, and is judged like a link: a group that denies is silence, for as long as a connection that nobody answers takes.
//!
//! After the silence there is an answer all the same, a 503 that ends the connection: the client is already connected to this machine,
//! so that nothing else can tell it what happened. In development mode it says how it is explained.

use std::convert::Infallible;
use std::sync::Arc;

use http::header::{CONNECTION, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use topology::reason::Reason;
use topology::snapshot::balancer::{Listener, MutualTls};
use topology::trace::{Hop, HopId, HopKind};

use super::door::ListenerDoor;
use super::report::Report;
use super::{Spoken, Visit, intake};
use crate::answer::body::Body;
use crate::answer::pages;
use crate::front::arrival::Arrival;
use crate::guard::Guard;
use crate::http::body::SentBody;
use crate::http1::spelling::Spelling;
use crate::limits::REQUEST_TIMEOUT;
use crate::pace;
use crate::shared::Shared;
use crate::trace::{Recording, Silence};
use crate::world::World;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-tidegate-request-id");

/// One request, from its head to the head of its answer. `busy` lasts to the end of the answer.
pub(crate) async fn serve(
    door: Arc<ListenerDoor>,
    (request, spelling): (Request<SentBody>, Spelling),
    arrival: Arc<Arrival>,
    busy: Option<Guard>,
) -> Result<Response<Body>, Infallible> {
    let shared = door.shared();
    let world = shared.world.load_full();
    let for_head = *request.method() == Method::HEAD;
    let (method, path) = (request.method().as_str(), request.uri().path());
    let recording = Recording::begin(&shared.home.traces, world.snapshot.revision, method, path);
    let mut underway = Underway { recording, is_answered: false };
    let recording = &mut underway.recording;
    recording.make_of_silence(arrival.silence);
    let mut response = enter(&door, &world, (request, spelling), &arrival, recording).await;
    pages::fit(&mut response, for_head);
    if arrival.silence == Silence::Skipped {
        response.extensions_mut().insert(recording.id());
    }
    sign(shared, recording, &mut response);
    underway.answered(response.status());
    response.body_mut().keep_busy(busy);
    pace::together().await;
    Ok(response)
}

/// Says in development mode what became of the request, and how to ask for more.
fn sign(shared: &Shared, recording: &Recording, response: &mut Response<Body>) {
    if shared.config.strict_wire {
        return;
    }
    let headers = response.headers_mut();
    pages::say_trace(headers, recording.reason());
    if let Ok(id) = HeaderValue::from_str(recording.id().as_str()) {
        headers.insert(REQUEST_ID, id);
    }
}

/// A request under way: its trace is filed once, whether there is an answer or the client goes before.
struct Underway {
    recording: Recording,
    is_answered: bool,
}

impl Underway {
    fn answered(&mut self, status: StatusCode) {
        self.is_answered = true;
        self.recording.file(status.as_u16());
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if !self.is_answered {
            self.recording.client_closed();
            self.recording.file(0);
        }
    }
}

/// Enters the listener, at a node of its load balancer.
async fn enter(
    door: &ListenerDoor,
    world: &World,
    (request, spelling): (Request<SentBody>, Spelling),
    arrival: &Arrival,
    recording: &mut Recording,
) -> Response<Body> {
    let shared = door.shared();
    let Some(entrance) = door.entrance(world, arrival.peer) else {
        recording.stop(HopKind::Socket, HopId::Listener(door.listener()), Reason::ListenerNotFound);
        return last(pages::alb(503));
    };
    let (realm, listener) = (entrance.realm, entrance.listener);
    recording.pass(HopKind::Socket, HopId::Listener(listener.id));
    let (node, leave) = match entrance.ask() {
        Some((node, Ok(leave))) if entrance.balancer.active => (node, leave),
        Some((_, Err(denial))) => {
            recording.bear_silence(shared.config.blocked_link()).await;
            recording.hop(denial.hop());
            return last(pages::alb(503));
        }
        Some((_, Ok(_))) | None => {
            recording.bear_silence(shared.config.blocked_link()).await;
            recording.stop(HopKind::Listener, HopId::Listener(listener.id), Reason::NoInterface);
            return last(pages::alb(503));
        }
    };
    recording.hop(Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(leave.leg()));
    if !is_current(listener, arrival) {
        recording.stop(HopKind::Listener, HopId::Listener(listener.id), Reason::ClientCertRequired);
        return last(pages::alb(421));
    }
    let visit = Visit {
        realm,
        listener,
        listener_world: entrance.listener_world,
        balancer: entrance.balancer,
        node,
        client: (entrance.client, entrance.address, &arrival.peer),
        timeout: REQUEST_TIMEOUT,
        spoken: spoken(arrival, listener),
        connection: Some(arrival),
        spelling: &spelling,
        leave: &leave,
    };
    let mut request = match intake::take(request, &spelling, recording.start()) {
        Ok(request) => request,
        Err(refused) => {
            recording.stop(HopKind::Listener, HopId::Listener(listener.id), refused.rejected.reason);
            let report = Report::refused(shared, &visit, &refused.head, recording);
            return report.answer(last(pages::alb(refused.rejected.status)));
        }
    };
    let is_old = arrival.age() >= entrance.balancer.attributes.client_keep_alive;
    match Box::pin(super::serve(shared, &visit, &mut request, recording)).await {
        Ok(response) if is_old => last(response),
        Ok(response) => response,
        Err(interrupted) => last(pages::alb(interrupted.status())),
    }
}

/// How the listener is spoken to: as the client did, or by who asks as the listener is.
fn spoken<'w>(arrival: &'w Arrival, listener: &Listener) -> Spoken<'w> {
    match &arrival.tls {
        Some(tls) => Spoken::Tls(tls.server_name.as_deref()),
        None if arrival.silence == Silence::Skipped && listener.tls.is_some() => Spoken::Tls(None),
        None => Spoken::Plain,
    }
}

/// Whether a client was asked of its certificate what the listener asks now. One that was asked for something else, or for nothing, comes
/// again.
fn is_current(listener: &Listener, arrival: &Arrival) -> bool {
    let (Some(tls), Some(session)) = (&listener.tls, &arrival.tls) else { return true };
    tls.mutual == MutualTls::Off || session.asked.as_ref().is_some_and(|asked| asked.mutual == tls.mutual)
}

/// An answer after which the connection ends. One that is switched to another protocol ends with that.
pub(super) fn last(mut response: Response<Body>) -> Response<Body> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
