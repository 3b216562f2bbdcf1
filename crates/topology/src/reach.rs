//! Explains a hop trace against a snapshot: names for its ids, a sentence for each hop, the hints, and what would mend a
//! denial. After the first denial the walk goes on in the model, over every pair of interfaces that traffic may use, so that
//! the commands are complete.
//!
//! It decides nothing: every security-group answer is [`crate::verdict`]'s. It never touches a network, a clock or health;
//! what a trace names and the snapshot no longer holds is shown by its id.
//!
//! Simplifying assumption: conditions on headers and query strings are taken to hold when the trace does not say which rule
//! decided, because a trace keeps neither (trusted).

mod barrier;
mod fix;
mod hints;
mod instead;
mod keys;
mod path;
mod place;
mod route;
mod words;

use crate::id::{NetworkInterfaceId, Realm, SecurityGroupId, SecurityGroupRuleId};
use crate::observed::{Health, TargetKey};
use crate::reason::Reason;
use crate::snapshot::Snapshot;
use crate::snapshot::gateway::SERVICE_ADDRESS;
use crate::trace::{Hop, HopKind, HopVerdict, Leg, Outcome, Sender, Trace};
use crate::verdict::Direction;
use crate::way;

use fix::{Fix, WhatIf};
use path::{Passage, Path};
use place::Placing;
use words::Words;

/// What `tidegate explain` says of one request, apart from the request itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation {
    /// The steps of the trace, then those that the model says would be denied further on.
    pub hops: Vec<ExplainedHop>,
    /// The commands that mend the denials, in the order of the path.
    pub fix: Vec<String>,
    /// What is fishy, whether the request passed or not.
    pub hints: Vec<Hint>,
}

/// One step, in an operator's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedHop {
    /// Which step.
    pub kind: HopKind,
    /// What it is about: an ARN where the resource has one, else an id, or `address:port`; empty when nothing was found.
    pub id: String,
    /// Its name, where it has one.
    pub name: String,
    /// What was decided and why; holds VPC Reachability Analyzer's name for it, where there is one.
    pub detail: String,
    /// What was decided; `None` for a step that only the model took.
    pub verdict: Option<HopVerdict>,
    /// Why, when it did not pass.
    pub reason: Option<Reason>,
    /// Microseconds from the start of the request to the end of this step; 0 for a step of the model.
    pub micros: u32,
    /// The sending interface.
    pub from: Option<NetworkInterfaceId>,
    /// The receiving interface.
    pub to: Option<NetworkInterfaceId>,
    /// The sender's groups.
    pub from_groups: Vec<SecurityGroupId>,
    /// The receiver's groups.
    pub to_groups: Vec<SecurityGroupId>,
    /// The TCP port.
    pub port: Option<u16>,
    /// The rule that allowed.
    pub deciding_rule: Option<SecurityGroupRuleId>,
    /// On a denial, the rule that came nearest.
    pub nearest_rule: Option<SecurityGroupRuleId>,
}

/// Something fishy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Its code.
    pub code: Reason,
    /// A sentence.
    pub text: String,
    /// The resource it speaks of.
    pub id: String,
}

/// What the last probes said of a target, where that is known.
pub type Probed<'a> = &'a dyn Fn(&TargetKey) -> Option<Health>;

/// Explains `trace` by what `snapshot` holds now.
#[must_use]
pub fn explain(snapshot: &Snapshot, trace: &Trace) -> Explanation {
    explain_with(snapshot, trace, &|_| None)
}

/// The same with what probes have seen.
#[must_use]
pub fn explain_with(snapshot: &Snapshot, trace: &Trace, probed: Probed<'_>) -> Explanation {
    let Some(path) = Path::find(snapshot, trace) else {
        let words = Words::without_realm();
        let hops = trace.hops.iter().enumerate().map(|hop| explained(&words, trace, hop)).collect();
        return Explanation { hops, fix: Vec::new(), hints: hints::of(None, trace, probed) };
    };
    let words = Words::of(&path);
    let mut hops: Vec<ExplainedHop> = trace.hops.iter().enumerate().map(|hop| explained(&words, trace, hop)).collect();
    let mut fix = Vec::new();
    if stopped_by_denial(trace) || lacks_program(trace) || lacks_route(trace) {
        let told: Vec<Fix> = trace.hops.iter().filter_map(|hop| mends(&path, hop)).collect();
        for needed in needed(&path, trace) {
            match needed {
                Needed::Program(placing) => fix.push(placing.to_string()),
                Needed::Rule(passage, rule) => {
                    if !told.iter().any(|known| known.is_like(&rule)) {
                        hops.push(modelled(&words, &path, &passage, *rule));
                    }
                    fix.push(rule.to_string());
                }
            }
        }
    }
    fix.extend(service_rule(&words, &path, trace));
    fix.extend(keys::commands(&path, trace));
    Explanation { hops, fix, hints: hints::of(Some(&path), trace, probed) }
}

/// Whose request it was: the realm of the API that it found, or of the interfaces that it went through.
#[must_use]
pub fn owner<'a>(snapshot: &'a Snapshot, trace: &Trace) -> Option<&'a Realm> {
    path::realm_of(snapshot, trace).map(|realm| &realm.realm)
}

/// One line for each hop.
#[must_use]
pub fn sentences(explanation: &Explanation) -> Vec<String> {
    let line = |hop: &ExplainedHop| {
        let verdict = hop.verdict.map_or("then", HopVerdict::as_str);
        let reason = hop.reason.map(|reason| format!(" [{reason}]")).unwrap_or_default();
        format!("{verdict:<5} {:<14}  {}{reason}", hop.kind.as_str(), hop.detail)
    };
    explanation.hops.iter().map(line).collect()
}

/// Only what somebody refused can be allowed: a failure is not mended by a rule.
fn stopped_by_denial(trace: &Trace) -> bool {
    trace.outcome() == Outcome::Denied || trace.hops.iter().any(|hop| hop.verdict == HopVerdict::Deny)
}

/// Nothing is where a target was to be.
fn lacks_program(trace: &Trace) -> bool {
    trace.hops.iter().any(|hop| hop.kind == HopKind::Target && hop.reason == Some(Reason::NoInterface))
}

/// No route led into another VPC, or back from it.
fn lacks_route(trace: &Trace) -> bool {
    trace.hops.iter().any(|hop| hop.kind == HopKind::RouteTable)
}

/// One thing that is missing.
enum Needed {
    /// A program at an address.
    Program(Placing),
    /// A rule, an entry or a route, with the passage that first misses it.
    Rule(Passage, Box<Fix>),
}

/// Everything that is missing, in the order of the path. A passage of the model comes before those of the trace's own legs,
/// which only count when the model no longer knows the path.
fn needed(path: &Path<'_>, trace: &Trace) -> Vec<Needed> {
    let mut passages = path.passages(trace);
    if passages.is_empty() {
        passages = trace.hops.iter().filter_map(|hop| path.passage_of(&hop.leg?)).collect();
    }
    let mut model = WhatIf::new(&path.realm.fabric);
    let mut needed = Vec::new();
    for passage in passages {
        let (passage, placing, fixes) = model.mend_passage(passage);
        needed.extend(placing.map(Needed::Program));
        needed.extend(fixes.into_iter().map(|fix| Needed::Rule(passage, Box::new(fix))));
        if needed.len() >= fix::FIXES_MAX {
            break;
        }
    }
    needed
}

/// The command that lets a link of version 1 past the groups of its load balancer, where they denied what comes through it: no rule names
/// API Gateway's own addresses.
fn service_rule(words: &Words<'_>, path: &Path<'_>, trace: &Trace) -> Option<String> {
    let is_service = |leg: Leg| leg.from == Sender::Address(SERVICE_ADDRESS.into());
    let is_denied = |hop: &Hop| hop.verdict == HopVerdict::Deny && hop.leg.is_some_and(is_service);
    let service = path.link?.service.filter(|_| trace.hops.iter().any(is_denied))?;
    let balancer = path.balancer.filter(|balancer| balancer.id == service.balancer)?;
    let node = balancer.nodes.first().and_then(|node| path.realm.fabric.interface(node.interface))?;
    let groups: Vec<String> = node.groups.iter().map(ToString::to_string).collect();
    Some(format!(
        "aws elbv2 set-security-groups --load-balancer-arn {} --security-groups {} \
         --enforce-security-group-inbound-rules-on-private-link-traffic off",
        words.balancer_arn(balancer)?,
        groups.join(" ")
    ))
}

/// The command that mends exactly what this hop was denied.
fn mends(path: &Path<'_>, hop: &Hop) -> Option<Fix> {
    let (reason, leg) = (hop.reason?, hop.leg?);
    if reason == Reason::NaclDenied {
        return fix::entry(&path.realm.fabric, &path.acl_denial(&leg)?).map(Fix::Entry);
    }
    if hop.kind == HopKind::RouteTable {
        return route::missing(&path.route_denial(&leg)?).map(Fix::Route);
    }
    let flow = path.passage_of(&leg)?.flow(&path.realm.fabric);
    fix::narrowest(&path.realm.fabric, flow, direction(reason)?).map(Fix::Rule)
}

/// Which side a denial by a group is about.
fn direction(reason: Reason) -> Option<Direction> {
    match reason {
        Reason::SgEgressDenied => Some(Direction::Egress),
        Reason::SgIngressDenied => Some(Direction::Ingress),
        _ => None,
    }
}

fn explained(words: &Words<'_>, trace: &Trace, (place, hop): (usize, &Hop)) -> ExplainedHop {
    let mut detail = words.detail(trace, hop);
    for more in trace.details_of(place) {
        detail.push_str("; ");
        detail.push_str(more);
    }
    let (from_groups, to_groups) = hop.leg.as_ref().map(|leg| words.groups_of(leg)).unwrap_or_default();
    ExplainedHop {
        kind: hop.kind,
        id: words.id(hop),
        name: words.name(hop),
        detail,
        verdict: Some(hop.verdict),
        reason: hop.reason,
        micros: hop.micros,
        from: hop.leg.and_then(|leg| leg.from.interface()),
        to: hop.leg.and_then(|leg| leg.to),
        from_groups,
        to_groups,
        port: hop.leg.map(|leg| leg.port),
        deciding_rule: hop.leg.and_then(|leg| leg.deciding_rule),
        nearest_rule: hop.leg.and_then(|leg| leg.nearest_rule),
    }
}

/// A denial that the request did not live to meet.
fn modelled(words: &Words<'_>, path: &Path<'_>, passage: &Passage, fix: Fix) -> ExplainedHop {
    let fabric = &path.realm.fabric;
    let plain = || way::leg(fabric, passage.flow(fabric));
    let (kind, id, name, reason, leg, why) = match fix {
        Fix::Rule(fix) => {
            let leg = path.leg_of(passage, fix.direction);
            let (reason, why) = (fix.direction.denied(), words.denial(&leg, fix.direction));
            (HopKind::SecurityGroup, fix.group.to_string(), words.group_name(fix.group), reason, leg, why)
        }
        Fix::Entry(fix) => {
            let (id, why) = (fix.denial.acl.to_string(), barrier::acl_denial(&fix.denial));
            (HopKind::NetworkAcl, id, String::new(), Reason::NaclDenied, plain(), why)
        }
        Fix::Route(fix) => {
            let id = fix.denial.table.map(|id| id.to_string()).unwrap_or_default();
            let why = barrier::route_denial(&fix.denial);
            (HopKind::RouteTable, id, String::new(), Reason::NoRoute, plain(), why)
        }
    };
    let (from_groups, to_groups) = words.groups_of(&leg);
    ExplainedHop {
        kind,
        id,
        name,
        detail: format!("{}: would be denied, {why}", words.ends(&leg)),
        verdict: None,
        reason: Some(reason),
        micros: 0,
        from: leg.from.interface(),
        to: leg.to,
        from_groups,
        to_groups,
        port: Some(leg.port),
        deciding_rule: None,
        nearest_rule: leg.nearest_rule,
    }
}
