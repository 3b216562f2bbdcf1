//! The agent's end of a link: requests of a gateway arrive over connections that the agent dialled, and go on as they would in one process,
//! judged by the agent's own state.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{CONNECTION, EXPECT, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use tokio::sync::watch;
use topology::reason::Reason;
use topology::trace::{HopId, HopKind};

use super::carrier::agent::Count;
use super::parcel::{Course, Refused};
use super::waybill::{RECEIPT, Receipt, WAYBILL, Waybill};
use super::{Entry, Found, enter, ready, serve};
use crate::answer::body::Body;
use crate::answer::pages;
use crate::front::arrival::Arrival;
use crate::front::handshake::Failed;
use crate::front::listen::Transport;
use crate::front::{Door, Manners, Presented, Presents};
use crate::guard::Guard;
use crate::http::body::{RequestBody, SentBody};
use crate::http::framing::Framing;
use crate::http::hop;
use crate::http::survey::Survey;
use crate::http1::spelling::Spelling;
use crate::limits::{LINK_LANE_IDLE, LINK_STATE_WAIT};
use crate::shared::Shared;
use crate::tls::Hello;
use crate::trace::{Recording, Silence};
use crate::world::World;

/// What stands behind connections that an agent dialled to a gateway.
#[derive(Debug)]
pub(crate) struct LinkDoor {
    shared: Arc<Shared>,
    /// The newest revision that is in effect.
    revision: watch::Receiver<u64>,
    /// The connections that it stands behind.
    count: Arc<Count>,
}

impl LinkDoor {
    /// That of an agent, which is told of each revision that takes effect.
    pub(crate) const fn new(shared: Arc<Shared>, revision: watch::Receiver<u64>, count: Arc<Count>) -> Self {
        Self { shared, revision, count }
    }

    /// How a gateway is met. It closes what it does not need; a connection that nobody uses for long is let go of all the same.
    pub(crate) const MANNERS: Manners = Manners {
        transport: Transport::Plain,
        takes_prior_knowledge: false,
        idle: LINK_LANE_IDLE,
        takes_upgrades: true,
        answers_unread: false,
    };
}

impl Presents for LinkDoor {
    async fn prepare(&self) {}

    fn present(&self, _: Hello<'_>) -> Result<Presented, String> {
        Err("an agent takes no connection: it dials".to_owned())
    }
}

impl Door for LinkDoor {
    fn manners(&self, _: Transport) -> Manners {
        Self::MANNERS
    }

    fn came(&self, _: &Arrival) -> Option<Guard> {
        None
    }

    fn failed(&self, _: SocketAddr, _: &Failed) {}

    async fn serve(
        self: Arc<Self>,
        (request, spelling): (Request<SentBody>, Spelling),
        _: Arc<Arrival>,
        busy: Option<Guard>,
    ) -> Result<Response<Body>, Infallible> {
        let busy = self.count.begin(busy);
        let is_head = *request.method() == http::Method::HEAD;
        let mut response = match answered(&self, request, &spelling).await {
            Ok(response) => response,
            Err(Foreign) => last(pages::alb(400)),
        };
        pages::fit(&mut response, is_head);
        response.body_mut().keep_busy(Some(busy));
        Ok(response)
    }
}

/// A request that no gateway sends.
struct Foreign;

/// An answer after which the connection ends.
fn last(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn answered(door: &LinkDoor, request: Request<SentBody>, spelling: &Spelling) -> Result<Response<Body>, Foreign> {
    let (mut head, body) = request.into_parts();
    let waybill = head.headers.remove(&WAYBILL).ok_or(Foreign)?;
    let waybill = Waybill::of(&waybill).map_err(|_unreadable| Foreign)?;
    let shared = &door.shared;
    let world = shared.world.load_full();
    let revision = world.snapshot.revision;
    let mut recording = Recording::begin(&shared.home.traces, revision, head.method.as_str(), head.uri.path());
    if waybill.skips_silence {
        recording.make_of_silence(Silence::Skipped);
    }
    let mut request = make(head, body, spelling, &recording);
    let (mut outcome, mut revision) = (go_on(shared, &world, &waybill, &mut request, &mut recording).await, revision);
    drop(world);
    if matches!(outcome, Err(Stopped::Unknown(_)))
        && let Some(newer) = newer(door, revision).await
    {
        revision = newer.snapshot.revision;
        outcome = go_on(shared, &newer, &waybill, &mut request, &mut recording).await;
    }
    let outcome = outcome.map_err(|stopped| match stopped {
        Stopped::Refused(refused) => refused,
        Stopped::Unknown(reason) => {
            recording.stop(HopKind::Link, HopId::Link(waybill.link()), reason);
            Refused::Gone(reason)
        }
    });
    let ended = outcome.as_ref().map(|_| ()).map_err(|refused| *refused);
    let (hops, hints, details) = recording.steps();
    let receipt = Receipt::new(hops, hints, details, (ended, revision)).header();
    let mut response = outcome.unwrap_or_else(|_| {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    });
    recording.file(response.status().as_u16());
    response.headers_mut().insert(&RECEIPT, receipt);
    Ok(response)
}

/// A state that is newer than this revision, as soon as there is one.
async fn newer(door: &LinkDoor, than: u64) -> Option<Arc<World>> {
    let mut revision = door.revision.clone();
    let waiting = tokio::time::timeout(LINK_STATE_WAIT, revision.wait_for(|now| *now > than)).await;
    waiting.ok()?.ok()?;
    Some(door.shared.world.load_full())
}

/// Why a request goes no further.
enum Stopped {
    /// What it names is not known here, or not yet.
    Unknown(Reason),
    /// It was refused.
    Refused(Refused),
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Gone(reason) => Self::Unknown(reason),
            other => Self::Refused(other),
        }
    }
}

/// Leads a request into the node that its waybill names, and on.
async fn go_on(
    shared: &Arc<Shared>,
    world: &World,
    waybill: &Waybill,
    request: &mut Request<RequestBody>,
    recording: &mut Recording,
) -> Result<Response<Body>, Stopped> {
    // An agent is of one realm.
    let realm = world.realms.first().ok_or(Stopped::Unknown(Reason::LinkNotFound))?;
    let (gateway, fabric) = (&realm.snapshot.gateway, &realm.snapshot.fabric);
    let link = gateway.link_by_id(waybill.link()).ok_or(Stopped::Unknown(Reason::LinkNotFound))?;
    let listener = realm.snapshot.balancers.listener_by_id(waybill.listener);
    let listener = listener.ok_or(Stopped::Unknown(Reason::ListenerNotFound))?;
    let found = Found::of(realm, link, listener)?;
    let node = fabric.interface_by_id(waybill.node);
    let node = node.and_then(|at| found.balancer.nodes.iter().find(|node| node.interface == at));
    let node = node.ok_or(Stopped::Unknown(Reason::NoInterface))?;
    let verified = waybill.verified();
    let course = Course {
        realm,
        link,
        listener,
        greeting: waybill.greeting(verified.as_ref()),
        timeout: waybill.left(),
        peer: waybill.peer,
        stage_prefix: None,
    };
    match (waybill.from, found.link.service) {
        (Some(from), None) => {
            let from = fabric.interface_by_id(from).filter(|from| found.link.interfaces.contains(from));
            let from = from.and_then(|from| Some((from, fabric.interface(from)?)));
            let (from, interface) = from.ok_or(Stopped::Unknown(Reason::LinkNotFound))?;
            Ok(enter(shared, (&course, request), &Entry { found, from, interface, node }, recording).await?)
        }
        (None, Some(service)) => {
            ready(&found, recording)?;
            Ok(serve(shared, (&course, request), (&found, service, node), recording).await?)
        }
        (Some(_), Some(_)) | (None, None) => Err(Stopped::Unknown(Reason::LinkVersionMismatch)),
    }
}

/// The request without what concerned the connection of the two ends alone.
fn make(head: Parts, body: SentBody, spelling: &Spelling, recording: &Recording) -> Request<RequestBody> {
    let Parts { method, uri, mut headers, .. } = head;
    let seen = Survey::of(&headers, spelling.lines());
    let protocol = hop::upgrade(&headers).filter(|_| body.framing() == Framing::Switched).cloned();
    hop::strip_request(&mut headers, &seen);
    headers.remove(EXPECT);
    if let Some(protocol) = protocol {
        headers.insert(UPGRADE, protocol);
    }
    let mut request = Request::new(RequestBody::from_client(body, recording.start()));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}
