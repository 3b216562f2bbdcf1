//! The remote carrier: a request is handed to an agent of its VPC, over a connection that the agent dialled. Both ends judge the way into
//! the node, each by its own state, and whichever denies counts. Where no agent that carries the node's zone is connected, nobody carries
//! the request: there is no other way.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use tokio::time::Instant;
use topology::id::{VpcId, Zone};
use topology::net::Family;
use topology::reason::Reason;
use topology::snapshot::balancer::Node;
use topology::snapshot::fabric::{Fabric, Interface, InterfaceIndex};
use topology::snapshot::gateway::SERVICE_ADDRESS;
use topology::trace::{Hop, HopId, HopKind};
use topology::verdict::End;

use super::parcel::{Course, Refused};
use super::waybill::{RECEIPT, Receipt, WAYBILL, Waybill};
use super::{Found, closed_for, denied, dropped, report_use, silent};
use crate::alb;
use crate::answer::body::Body;
use crate::clock;
use crate::fabric::dial::{self, Destination, Leave};
use crate::fabric::exchange::{self, ClientFault, Failure, Limits};
use crate::fabric::lanes::{AgentLane, Lane, NoConnection};
use crate::fabric::pool::Key;
use crate::fabric::stream::{self, Hold, Patience};
use crate::http::body::{Progress, RequestBody};
use crate::limits::{CLIENT_BODY_IDLE_TIMEOUT, LINK_GRACE};
use crate::shared::Shared;
use crate::trace::Recording;
use crate::world::RealmWorld;

/// The way that a request takes.
struct Chosen<'w> {
    /// The interface of the link; one of version 1 has none.
    from: Option<(InterfaceIndex, &'w Interface)>,
    node: &'w Node,
    agent: Arc<AgentLane>,
}

/// Hands a request to an agent.
pub(super) async fn carry(
    shared: &Arc<Shared>,
    (course, request): (&Course<'_>, &mut Request<RequestBody>),
    found: &Found<'_>,
    recording: &mut Recording,
) -> Result<Response<Body>, Refused> {
    let realm = course.realm;
    report_use(shared, realm, found, recording);
    if let Some(reason) = found.link.closed {
        return Err(closed_for(found.link, reason, recording));
    }
    if found.balancer.nodes.is_empty() {
        return Err(silent(shared, Reason::NoInterface, course.timeout, recording).await);
    }
    if found.link.service.is_none() && found.link.interfaces.is_empty() {
        return Err(closed_for(found.link, Reason::LinkFailed, recording));
    }
    let until = recording.start() + shared.config.blocked_link().min(course.timeout);
    let turn = found.state.rotation.next();
    loop {
        let choosing = shared.lanes.wait_for(|| choose(shared, &realm.snapshot.fabric, found, turn), until);
        let Some(chosen) = choosing.await else { break };
        let leave = judge(shared, course, (found, &chosen), recording).await?;
        if let Some(sent) = send(shared, (course, request), (found, &chosen, &leave), until, recording).await {
            return sent;
        }
        if clock::now() >= until {
            break;
        }
    }
    recording.read_clock();
    Err(closed_for(found.link, Reason::LinkNoConnector, recording))
}

/// An agent that carries a node of the listener's, and the interface that the request leaves from: by turn, and with a connection to lend
/// before one that has to dial first, or does not answer.
fn choose<'w>(shared: &Shared, fabric: &'w Fabric, found: &Found<'w>, turn: usize) -> Option<Chosen<'w>> {
    let (link, balancer) = (found.link, found.balancer);
    let agent = |node: &Node| lane(shared, fabric, (balancer.vpc, &node.zone), turn);
    let mut busy = None;
    let ways: usize = if link.service.is_some() { balancer.nodes.len() } else { link.interfaces.len() };
    for step in 0..ways {
        let place = turn.wrapping_add(step) % ways;
        let (from, node) = match link.service {
            Some(_) => (None, balancer.nodes.get(place)),
            None => {
                let at = link.interfaces.get(place).copied();
                let from = at.and_then(|at| Some((at, fabric.interface(at)?)));
                (from, from.and_then(|(_, interface)| alb::node(balancer, Some(interface), || turn)))
            }
        };
        let Some((node, agent)) = node.and_then(|node| Some((node, agent(node)?))) else { continue };
        let is_good = agent.is_good();
        let chosen = Chosen { from, node, agent };
        if is_good {
            return Some(chosen);
        }
        busy.get_or_insert(chosen);
    }
    busy
}

/// The lane of an agent of this zone, by turn, one with a connection to lend first.
fn lane(shared: &Shared, fabric: &Fabric, (vpc, zone): (VpcId, &Zone), turn: usize) -> Option<Arc<AgentLane>> {
    let agents = fabric.agents_of(vpc);
    let mut busy = None;
    for step in 0..agents.len() {
        let agent = agents.get(turn.wrapping_add(step) % agents.len())?;
        let carries = agent.is_active && (agent.zones.is_empty() || agent.zones.contains(zone));
        let Some(lane) = carries.then(|| shared.lanes.agent(agent.id)).flatten().filter(|lane| lane.takes()) else {
            continue;
        };
        if lane.is_good() {
            return Some(lane);
        }
        busy.get_or_insert(lane);
    }
    busy
}

/// Asks leave for the way into the node, by the gateway's own state. What is let in is noted for flow logs where it enters, by the agent.
async fn judge(
    shared: &Shared,
    course: &Course<'_>,
    (found, chosen): (&Found<'_>, &Chosen<'_>),
    recording: &mut Recording,
) -> Result<Leave, Refused> {
    let (realm, node, port) = (course.realm, chosen.node.interface, found.listener.port);
    let fabric = &*realm.snapshot.fabric;
    match (chosen.from, found.link.service) {
        (Some((from, interface)), _) => match dial::ask(fabric, from, Destination::Interface(node, Family::Ipv4), port)
        {
            Ok(permit) => Ok(*permit.leave()),
            Err(denial) => {
                note(realm, End::Interface(from), (node, port));
                recording.pass(HopKind::Link, HopId::Link(found.link.id));
                Err(denied(shared, realm, (interface, denial), course.timeout, recording).await)
            }
        },
        (None, Some(service)) if service.is_judged => {
            match dial::enter(fabric, End::Address(SERVICE_ADDRESS.into()), (node, Family::Ipv4), port) {
                Ok(leave) => Ok(leave),
                Err(denial) => {
                    note(realm, End::Address(SERVICE_ADDRESS.into()), (node, port));
                    recording.pass(HopKind::Link, HopId::Link(found.link.id));
                    Err(dropped(shared, *denial, course.timeout, recording).await)
                }
            }
        }
        (None, _) => Ok(dial::enter_unjudged(&realm.snapshot.fabric, SERVICE_ADDRESS.into(), node, port)),
    }
}

/// Notes for flow logs what is not let in, which no agent sees.
fn note(realm: &RealmWorld, from: End, (node, port): (InterfaceIndex, u16)) {
    // The answer is known.
    let _ = dial::enter(realm.net(), from, (node, Family::Ipv4), port);
}

/// What comes of a request that an agent is given; `None` where it had no connection after all, and the request is as it was.
async fn send(
    shared: &Arc<Shared>,
    (course, request): (&Course<'_>, &mut Request<RequestBody>),
    (found, chosen, leave): (&Found<'_>, &Chosen<'_>, &Leave),
    until: Instant,
    recording: &mut Recording,
) -> Option<Result<Response<Body>, Refused>> {
    let fabric = &course.realm.snapshot.fabric;
    let node = fabric.interface(chosen.node.interface)?.id;
    recording.read_clock();
    let left = course.timeout.saturating_sub(recording.lasted());
    let way = (chosen.from.map(|(_, interface)| interface.id), node);
    let mut waybill = Waybill::new((found.link.id, found.listener.id), way, course.greeting, (left, course.peer));
    waybill.skips_silence = recording.skips_silence();
    request.headers_mut().insert(&WAYBILL, waybill.header());
    let sent = request.body().progress();
    let patient = course.timeout + LINK_GRACE;
    let limits =
        Limits { start: recording.start(), whole: patient, idle: patient, client_idle: CLIENT_BODY_IDLE_TIMEOUT };
    let lane = Lane::new(leave, &chosen.agent, until);
    let sent_on = recording.now_micros();
    let exchanged = exchange::exchange(&shared.home.pool, &lane, request, limits).await;
    if matches!(exchanged, Err(Failure::Connect(NoConnection))) {
        return None;
    }
    recording.read_clock();
    recording.hop_at(Hop::pass(HopKind::Link, HopId::Link(found.link.id), 0), sent_on);
    recording.carried_by(chosen.agent.id(), chosen.agent.round_trip_micros());
    Some(match exchanged {
        Ok((mut response, key)) => {
            let receipt = response.headers_mut().remove(&RECEIPT).and_then(|value| Receipt::of(&value).ok());
            let Some(receipt) = receipt else {
                recording.stop(HopKind::Link, HopId::Link(found.link.id), Reason::LinkVersionMismatch);
                return Some(Err(Refused::Closed(Reason::LinkVersionMismatch)));
            };
            told(&receipt, (&chosen.agent, sent_on), recording);
            answer(shared, (course, found), (response, key, receipt), (sent, limits), recording)
        }
        Err(failure) => Err(fail(&failure, found, recording)),
    })
}

/// Records what the agent did.
fn told(receipt: &Receipt, (agent, sent_on): (&AgentLane, u32), recording: &mut Recording) {
    for (hop, detail) in receipt.hops() {
        recording.hop_at(hop, sent_on.saturating_add(hop.micros));
        if let Some(detail) = detail {
            recording.detail(detail);
        }
    }
    receipt.hints().for_each(|hint| recording.hint(hint));
    if receipt.was_denied() {
        recording.hint(Reason::VerdictSplit);
    }
    if receipt.revision < agent.sent() {
        recording.hint(Reason::StaleConfig);
    }
}

fn answer(
    shared: &Arc<Shared>,
    (course, found): (&Course<'_>, &Found<'_>),
    (response, key, receipt): (Response<exchange::Incoming>, Key, Receipt),
    (sent, limits): (Option<Arc<Progress>>, Limits),
    recording: &mut Recording,
) -> Result<Response<Body>, Refused> {
    let hold = Hold { key: Some(key), sent, reusable: true, lasting: None };
    let left = match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => std::time::Duration::MAX,
        _ => limits.whole.saturating_sub(recording.lasted()),
    };
    let idle = found.balancer.attributes.idle_timeout.min(course.timeout) + LINK_GRACE;
    let patience = Patience { idle, budget: left };
    let trace = (&shared.home, recording.id());
    let response = response.map(|incoming| stream::body(incoming, hold, patience, trace).into());
    receipt.ended().map(|()| response)
}

/// Why an agent gave no answer.
fn fail(failure: &Failure<NoConnection>, found: &Found<'_>, recording: &mut Recording) -> Refused {
    let reason = match failure.reason(|NoConnection| Reason::LinkNoConnector) {
        Ok(reason) => reason,
        Err(ClientFault::Silent) => return Refused::ClientSilent,
        Err(ClientFault::Body(fault)) => return Refused::BodyFault(fault),
    };
    match failure {
        Failure::Overdue(_) => {
            recording.stop(HopKind::Link, HopId::Link(found.link.id), reason);
            Refused::TimedOut
        }
        // The agent went away with the request, or does not speak as it should.
        _ => closed_for(found.link, Reason::LinkNoConnector, recording),
    }
}
