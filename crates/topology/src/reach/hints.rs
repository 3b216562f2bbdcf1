//! What is fishy about the way of a request, whether the request passed or not. Some of it traffic noted in the trace, the
//! rest is read from the snapshot. Nothing here changes the outcome.

use ipnet::IpNet;

use super::path::{Path, sent_path};
use super::words::{Words, why};
use super::{Hint, Probed};
use crate::observed::{Health, TargetKey, Unhealthy};
use crate::reason::Reason;
use crate::snapshot::fabric::{GroupRule, Peer};
use crate::snapshot::gateway::ApiKind;
use crate::trace::{Hop, HopId, HopKind, Trace};

/// Bytes of what is said of probes in one hint; above, the rest is left out.
const PROBES_BYTES_MAX: usize = 1_000;

/// The hints of a trace: first what traffic noted, then what the path shows; each code and id once.
pub(super) fn of(path: Option<&Path<'_>>, trace: &Trace, probed: Probed<'_>) -> Vec<Hint> {
    let mut hints: Vec<Hint> = trace.hints.iter().map(|code| noted(path, trace, *code)).collect();
    if let Some(hop) = answered_by_rule(trace) {
        hints.push(noted(path, trace, Reason::AnsweredByRule).with_status(hop.status));
    }
    if let Some(path) = path {
        for hint in hints.iter_mut().filter(|hint| hint.code == Reason::AllUnhealthyFailOpen) {
            hint.text.push_str(&probes(path, probed));
        }
        hints.extend(old_deployment(path, trace));
        hints.extend(stage_prefix(path, trace));
        hints.extend(open_to_world(path));
        hints.extend(default_group(path));
        hints.extend(health_check(path));
        hints.extend(idle(path));
    }
    let mut kept: Vec<Hint> = Vec::new();
    for hint in hints {
        match kept.iter_mut().find(|known| known.code == hint.code && (known.id == hint.id || known.id.is_empty())) {
            // The later one was read from the snapshot and says more.
            Some(known) => *known = hint,
            None => kept.push(hint),
        }
    }
    kept
}

impl Hint {
    fn with_status(mut self, status: Option<u16>) -> Self {
        if let Some(status) = status {
            self.text = format!("{} (it answered {status})", self.text);
        }
        self
    }
}

/// A hint that the trace holds: the snapshot only says which resource it is about.
fn noted(path: Option<&Path<'_>>, trace: &Trace, code: Reason) -> Hint {
    let words = path.map_or_else(Words::without_realm, Words::of);
    let hop = match code {
        Reason::AnsweredByRule => find(trace, |id| matches!(id, HopId::Rule(..))),
        Reason::AllUnhealthyFailOpen | Reason::HealthCheckBlocked => {
            find(trace, |id| matches!(id, HopId::TargetGroup(_)))
        }
        Reason::LinkUsesDefaultGroup => find(trace, |id| matches!(id, HopId::Link(_))),
        _ => find(trace, |id| matches!(id, HopId::Api(_))),
    };
    let (id, name) = hop.map(|hop| (words.id(hop), words.name(hop))).unwrap_or_default();
    let name = if name.is_empty() { name } else { format!("{name}: ") };
    Hint { code, text: format!("{name}{}", why(code)), id }
}

fn find(trace: &Trace, wanted: impl Fn(&HopId) -> bool) -> Option<&Hop> {
    trace.hops.iter().rev().find(|hop| wanted(&hop.id))
}

/// What the last probe of each unhealthy target said.
fn probes(path: &Path<'_>, probed: Probed<'_>) -> String {
    let mut told = String::new();
    for group in &path.groups {
        let check = &group.health_check;
        for target in &group.targets {
            let key = TargetKey { group: group.id, address: target.address, port: target.port };
            let Some(Health::Unhealthy(why)) = probed(&key) else { continue };
            let said = match why {
                Unhealthy::ResponseCodeMismatch(status) => {
                    let wanted = check.asks.as_ref().map(|asks| matcher(&asks.matcher)).unwrap_or_default();
                    format!("answered {status} to the last probe, which wants {wanted}")
                }
                Unhealthy::Timeout => "did not answer the last probe in time".to_owned(),
                Unhealthy::FailedHealthChecks => "refused or broke off the last probe".to_owned(),
            };
            let port = check.port.unwrap_or(target.port);
            let asked = check.asks.as_ref().map_or_else(|| "TCP".to_owned(), |asks| format!("GET {}", asks.path));
            told.push_str(&format!("; {}:{port}: {asked} {said}", target.address));
            if told.len() > PROBES_BYTES_MAX {
                return told + "; ...";
            }
        }
    }
    told
}

/// `200,301-302`
fn matcher(ranges: &[(u16, u16)]) -> String {
    let range = |(low, high): &(u16, u16)| if low == high { low.to_string() } else { format!("{low}-{high}") };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

/// The rule that answered instead of a target: no group or target follows it.
fn answered_by_rule(trace: &Trace) -> Option<&Hop> {
    let answered = |hop: &&Hop| hop.kind == HopKind::Rule && hop.status.is_some() && hop.reason.is_none();
    trace.hops.iter().find(answered)
}

/// The stage serves an older copy of the API than the draft.
fn old_deployment(path: &Path<'_>, trace: &Trace) -> Option<Hint> {
    let api = path.api?;
    let stage = api.stages.iter().find(|stage| stage.name == *trace.stage && !stage.behind.is_empty())?;
    let (name, id) = (&stage.name, api.id);
    let command = match api.kind {
        ApiKind::Http => format!("aws apigatewayv2 create-deployment --api-id {id} --stage-name '{name}'"),
        ApiKind::Rest => format!("aws apigateway create-deployment --rest-api-id {id} --stage-name {name}"),
    };
    let differences = stage.behind.join(", ");
    let text = format!("stage {name} runs a deployment that differs from the API: {differences}; deploy it: {command}");
    Some(Hint { code: Reason::StageRunsOldDeployment, text, id: api.id.to_string() })
}

/// The target answered 404 to a path that begins with the stage: the usual cause is that the backend knows no stage.
fn stage_prefix(path: &Path<'_>, trace: &Trace) -> Option<Hint> {
    let answered_404 = trace.hops.iter().any(|hop| hop.kind == HopKind::Target && hop.status == Some(404));
    let sent = sent_path(trace).filter(|_| answered_404)?;
    // Only HTTP APIs put the stage in front.
    let api = path.api.filter(|api| api.kind == ApiKind::Http)?;
    let first = sent.trim_start_matches('/').split('/').next()?;
    let stage = api.stages.iter().find(|stage| !stage.name.is_default() && stage.name == *first)?;
    let text = format!(
        "the target answered 404 to {sent}, which begins with the stage {name}; map the integration's parameter \
         overwrite:path to $request.path, or serve the stage as $default",
        name = stage.name
    );
    Some(Hint { code: Reason::StagePrefixForwarded, text, id: api.id.to_string() })
}

/// An internal load balancer whose groups admit every address to the listener.
fn open_to_world(path: &Path<'_>) -> Option<Hint> {
    let balancer = path.balancer.filter(|balancer| balancer.internal)?;
    let port = path.listener?.port;
    let fabric = &path.realm.fabric;
    let nodes = balancer.nodes.iter().filter_map(|node| fabric.interface(node.interface));
    let mut groups = nodes.flat_map(|interface| &interface.groups).filter_map(|id| Some((id, fabric.groups.get(id)?)));
    let open = |rule: &&GroupRule| rule.traffic.covers_tcp(port) && admits_everyone(&rule.peer);
    let (id, name, rule) = groups.find_map(|(id, group)| Some((id, &group.name, group.ingress.iter().find(open)?)))?;
    let text = format!(
        "{}: {id} ({name}) of this internal load balancer admits every address to tcp {port} by {}; admit the link's \
         group alone",
        balancer.name, rule.id
    );
    Some(Hint { code: Reason::OpenToWorld, text, id: id.to_string() })
}

fn admits_everyone(peer: &Peer) -> bool {
    let everyone = |block: &IpNet| block.prefix_len() == 0;
    match peer {
        Peer::Cidr(block) => everyone(block),
        Peer::Prefixes(blocks) => blocks.iter().any(everyone),
        Peer::Group(_) => false,
    }
}

/// A link that was made without groups carries the default group, which everything without groups carries too.
fn default_group(path: &Path<'_>) -> Option<Hint> {
    let (link, fabric) = (path.link?, &path.realm.fabric);
    let interfaces = link.interfaces.iter().filter_map(|index| fabric.interface(*index));
    let mut groups = interfaces.flat_map(|interface| &interface.groups);
    let group = groups.find(|id| fabric.groups.get(id).is_some_and(|group| group.is_default))?;
    let text = format!(
        "{}: the link carries {group}, the default group of {}; a link's groups are fixed when it is made, so give it one \
         of its own",
        link.name, link.vpc
    );
    Some(Hint { code: Reason::LinkUsesDefaultGroup, text, id: link.id.to_string() })
}

/// Groups whose probes some security group drops.
fn health_check(path: &Path<'_>) -> Vec<Hint> {
    let blocked = path.groups.iter().filter_map(|group| Some((group, path.blocked_probe(group)?)));
    let hint = blocked.map(|(group, leg)| Hint {
        code: Reason::HealthCheckBlocked,
        text: format!("{}: probes are dropped on {}", group.name, Words::of(path).ends(&leg)),
        id: group.arn.clone(),
    });
    hint.collect()
}

/// Attributes of the load balancers and groups on the way that were asked for and mean nothing here.
fn idle(path: &Path<'_>) -> Vec<Hint> {
    let behind = path.behind.as_ref();
    let balancers = path.balancer.into_iter().chain(behind.map(|behind| behind.balancer));
    let groups = path.groups.iter().chain(behind.into_iter().flat_map(|behind| &behind.groups));
    let of_balancers = balancers.map(|balancer| (&balancer.name, balancer.id.to_string(), &balancer.idle));
    let of_groups = groups.map(|group| (&group.name, group.arn.clone(), &group.idle));
    let asked = of_balancers.chain(of_groups).filter(|(.., idle)| !idle.is_empty());
    let hint = |(name, id, idle): (&String, String, &Vec<(&str, &str)>)| {
        let each: Vec<String> = idle.iter().map(|(key, why)| format!("{key} ({why})")).collect();
        let text = format!("{name}: taken and not carried out: {}", each.join(", "));
        Hint { code: Reason::NotCarriedOut, text, id }
    };
    asked.map(hint).collect()
}
