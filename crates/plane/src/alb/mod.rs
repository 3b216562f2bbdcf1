//! The application load balancer: a listener takes a request, from a link or through a socket of its own, a rule decides and may ask for a token or a user, a target group chooses, the request is
//! forwarded (ALB user guide, 2026-11). A TLS listener answers plain HTTP with
//! 400, as AWS does.

mod connections;
mod desync;
pub(crate) mod direct;
pub(crate) mod door;
pub(crate) mod forward;
pub(crate) mod gate;
mod intake;
pub(crate) mod listener;
pub(crate) mod login;
pub(crate) mod report;
pub(crate) mod rules;
pub(crate) mod transform;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use topology::reason::Reason;
use topology::snapshot::balancer::{Action, Balancer, Forward, Listener, Node, Rule};
use topology::snapshot::fabric::Interface;
use topology::snapshot::pattern::Transforms;
use topology::trace::{Hop, HopId, HopKind};
use topology::verdict::End;

use self::desync::{Care, Rejected};
use self::gate::Shut;
use self::report::Report;
use crate::answer::body::Body;
use crate::answer::pages;
use crate::fabric::dial::Leave;
use crate::front::arrival::Arrival;
use crate::http::body::{BodyFault, RequestBody};
use crate::http1::spelling::Spelling;
use crate::shared::Shared;
use crate::trace::Recording;
use crate::world::{ListenerWorld, RealmWorld};

/// One request's arrival at a node of a load balancer.
pub(crate) struct Visit<'w> {
    /// Where everything is looked up.
    pub(crate) realm: &'w RealmWorld,
    /// The listener.
    pub(crate) listener: &'w Listener,
    /// What the listener writes.
    pub(crate) listener_world: &'w ListenerWorld,
    /// Its load balancer.
    pub(crate) balancer: &'w Balancer,
    /// The node that took the connection.
    pub(crate) node: &'w Node,
    /// Who connected, as groups know it, its address, and the socket behind it.
    pub(crate) client: (End, IpAddr, &'w SocketAddr),
    /// How long the caller waits for the whole exchange.
    pub(crate) timeout: Duration,
    /// How it is spoken to.
    pub(crate) spoken: Spoken<'w>,
    /// The client's own connection to the listener; `None` where the gateway sends within this process.
    pub(crate) connection: Option<&'w Arrival>,
    /// The head as that client sent it.
    pub(crate) spelling: &'w Spelling,
    /// The leave that the connection to this node had.
    pub(crate) leave: &'w Leave,
}

/// How a listener is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken<'w> {
    /// In plain HTTP.
    Plain,
    /// With TLS, its certificate verified for this server name, or for none.
    Tls(Option<&'w str>),
}

/// Why there is no answer, not even one of the load balancer's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// The caller's time ran out.
    TimedOut,
    /// The caller's time ran out while a target stayed silent for this reason.
    Silent(Reason),
    /// The client was silent within its body.
    ClientSilent,
    /// The client's body ended early.
    BodyFault(BodyFault),
}

impl Interrupted {
    /// What a client that waits gets (ALB user guide, troubleshooting, 2026-11).
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::TimedOut | Self::Silent(_) => 504,
            Self::ClientSilent => 408,
            Self::BodyFault(BodyFault::TooLarge) => 413,
            Self::BodyFault(_) => 400,
        }
    }
}

/// What comes of a request at the listener.
enum Decided<'w> {
    /// The load balancer's own answer.
    Answer(Response<Body>),
    /// It is sent on.
    Forward(&'w Forward, Care),
}

/// Serves a request that a listener took. Nothing of it is left once it was forwarded: what an answer needs of it is taken before, and
/// boxed, since the future of a request has a bound.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    visit: &Visit<'_>,
    request: &mut Request<RequestBody>,
    recording: &mut Recording,
) -> Result<Response<Body>, Interrupted> {
    let mut report = Report::begin(shared, visit, request, recording);
    let (rule, care) = match take(visit, request, recording, &mut report) {
        Ok(taken) => taken,
        Err(rejected) => return report.end(Ok(finish(visit, rejected.care(), pages::alb(rejected.status)))),
    };
    let mut cookies = None;
    if gate::asks(visit, rule, request) {
        match Box::pin(gate::pass(shared, visit, rule, request, (recording, &mut report))).await {
            Ok(passed) => cookies = passed,
            Err(Shut::Answered(response)) => return report.end(Ok(finish(visit, care, *response))),
            Err(Shut::Refused(error)) => return report.end(Ok(finish(visit, care, pages::alb(error.status())))),
            Err(Shut::TimedOut) => return report.end(Err(Interrupted::TimedOut)),
        }
    }
    let (forward, care) = match decide(visit, (rule, care), request, recording, &mut report) {
        Decided::Forward(forward, care) => (forward, care),
        Decided::Answer(response) => return report.end(Ok(finish(visit, care, login::told(response, cookies)))),
    };
    let served = forward::forward(shared, visit, forward, (request, care), (recording, &mut report)).await;
    report.end(served.map(|response| finish(visit, care, login::told(response, cookies))))
}

/// Takes a request in, and finds its rule.
fn take<'w>(
    visit: &Visit<'w>,
    request: &mut Request<RequestBody>,
    recording: &mut Recording,
    report: &mut Report<'_>,
) -> Result<(Option<&'w Rule>, Care), Rejected> {
    let listener = HopId::Listener(visit.listener.id);
    let care = listener::receive(visit, request, (recording.arrived(), report))
        .inspect_err(|rejected| recording.stop(HopKind::Listener, listener, rejected.reason))?;
    let leg = visit.leave.leg();
    recording.hop(Hop::pass(HopKind::Listener, listener, 0).with_leg(leg));
    let rule = rules::find(visit.listener, request, visit.client.1);
    report.ruled(rule, &visit.listener.rules);
    Ok((rule, care))
}

/// What a rule is called in a trace.
fn hop_of(visit: &Visit<'_>, rule: Option<&Rule>) -> HopId {
    HopId::Rule(visit.listener.id, rule.and_then(|rule| rule.priority.map(|_| rule.id)))
}

fn decide<'w>(
    visit: &Visit<'w>,
    (rule, care): (Option<&'w Rule>, Care),
    request: &mut Request<RequestBody>,
    recording: &mut Recording,
    report: &mut Report<'_>,
) -> Decided<'w> {
    let rule_id = hop_of(visit, rule);
    Decided::Answer(match rule.map(|rule| &rule.action) {
        Some(Action::Forward(forward)) => {
            if let Some(transforms) = rule.and_then(|rule| rule.transforms.as_deref())
                && let Err(failed) = rewrite(transforms, request, report)
            {
                recording.stop(HopKind::Rule, rule_id, Reason::MappingFailed);
                recording.detail(failed.sentence());
                return Decided::Answer(pages::alb(500));
            }
            recording.pass(HopKind::Rule, rule_id);
            report.acts("forward");
            return Decided::Forward(forward, care);
        }
        Some(Action::Fixed(fixed)) => {
            report.acts("fixed-response");
            report.meter().fixed.one();
            answered(listener::fixed(fixed), rule_id, recording)
        }
        Some(Action::Redirect(redirect)) => {
            report.acts("redirect");
            let response = listener::redirect(redirect, visit, request);
            report.redirected(&response);
            answered(response, rule_id, recording)
        }
        // Every listener ends with its default rule; without any rule there is no target either.
        Some(Action::Dangling) | None => {
            recording.stop(HopKind::Rule, rule_id, Reason::NoTargets);
            report.acts("forward");
            pages::alb(503)
        }
    })
}

fn rewrite(
    transforms: &Transforms,
    request: &mut Request<RequestBody>,
    report: &mut Report<'_>,
) -> Result<(), transform::Failed> {
    let before = report.before_rewriting(request);
    let rewritten = transform::apply(transforms, request);
    report.rewrote(before, request, rewritten);
    rewritten
}

/// The node in the zone of the interface that connects, else one by turn, as for one who comes from no zone.
pub(crate) fn node<'w>(
    balancer: &'w Balancer,
    from: Option<&'w Interface>,
    turn: impl FnOnce() -> usize,
) -> Option<&'w Node> {
    let mut near = balancer.nodes_near(from.map(|from| &from.zone));
    match near.clone().count() {
        0 | 1 => near.next(),
        count => near.nth(turn() % count),
    }
}

/// The turn of a client's connection: all that comes over it meets one node. Ports alone would not do, since systems like to give even ones.
pub(crate) fn turn_of(peer: SocketAddr) -> usize {
    let mut hasher = DefaultHasher::new();
    peer.hash(&mut hasher);
    // Which bits are lost where a pointer is shorter means nothing.
    hasher.finish() as usize
}

fn answered(response: Response<Body>, rule: HopId, recording: &mut Recording) -> Response<Body> {
    recording.hop(Hop::pass(HopKind::Rule, rule, 0).with_status(response.status().as_u16()));
    recording.hint(Reason::AnsweredByRule);
    response
}

/// Sets what the listener sets on every answer. A client's connection ends with it where it may not be used again.
fn finish(visit: &Visit<'_>, care: Care, mut response: Response<Body>) -> Response<Body> {
    if care == Care::Close && visit.connection.is_some() {
        response = direct::last(response);
    }
    let headers = response.headers_mut();
    for (name, value) in &visit.listener_world.response_headers {
        headers.insert(name, value.clone());
    }
    if !visit.listener.attributes.server_header {
        headers.remove(http::header::SERVER);
    }
    response
}
