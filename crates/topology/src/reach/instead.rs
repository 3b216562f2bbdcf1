//! What there is instead of what a stopped request looked for: the stages of an API, the routes of a stage, the listeners behind
//! an ARN that is none, the program behind an address that refuses. Read from the snapshot; nothing is decided here.

use std::net::IpAddr;

use super::path::Path;
use crate::arn::{ElbArn, ElbResource};
use crate::reason::Reason;
use crate::snapshot::balancer::{Action, Listener, Target, TargetAt, TargetGroup};
use crate::snapshot::fabric::Attached;
use crate::snapshot::gateway::{Connection, Stage};
use crate::trace::{Hop, HopKind, Leg, Trace};

/// Names that one sentence lists.
const LISTED_MAX: usize = 10;

/// The end of a stopped hop's sentence; empty where nothing more is known.
pub(super) fn of(path: &Path<'_>, trace: &Trace, hop: &Hop) -> String {
    let more = match hop.reason {
        Some(Reason::StageNotFound) => stages(path, trace),
        Some(Reason::RouteNotFound) => routes(path, trace),
        Some(Reason::TargetRefused) => hop.leg.as_ref().and_then(|leg| refusing(path, leg)),
        Some(Reason::NoInterface) => hop.leg.as_ref().map(|leg| unattached(leg.to_address, leg.port)),
        Some(Reason::TargetAzNotEnabled) => zones(path),
        Some(Reason::NoTargets) => stopped(path).or_else(|| other_zones(path, trace)),
        _ if matches!(hop.kind, HopKind::Integration | HopKind::Link) => meant(path),
        _ => None,
    };
    more.unwrap_or_default()
}

/// The first segment of the path that the client sent; behind the API's id where the path names it.
fn first_segment(path: &str) -> &str {
    let named = path.strip_prefix("/_aws/execute-api/").and_then(|rest| rest.split_once('/'));
    named.map_or(path, |(_, rest)| rest).trim_start_matches('/').split(['/', '?']).next().unwrap_or_default()
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    let more = if names.len() > LISTED_MAX { ", ..." } else { "" };
    names.truncate(LISTED_MAX);
    if names.is_empty() { "none".to_owned() } else { format!("{}{more}", names.join(", ")) }
}

fn stages(path: &Path<'_>, trace: &Trace) -> Option<String> {
    let api = path.api?;
    let stages = list(api.stages.iter().map(|stage| stage.name.as_str()));
    let first = first_segment(&trace.path);
    Some(format!(" (API {} ({}): the path begins with {first:?}; its stages: {stages})", api.name, api.id))
}

fn routes(path: &Path<'_>, trace: &Trace) -> Option<String> {
    let api = path.api?;
    let stage = api.stages.iter().find(|stage| stage.name == *trace.stage)?;
    let routes = || stage.deployed.iter().flat_map(|deployed| &deployed.routes);
    let keys: Vec<String> = routes().map(|route| route.key.to_string()).collect();
    let keys = list(keys.iter().map(String::as_str));
    let first = first_segment(&trace.path);
    let is_stage = |stage: &Stage| stage.name == *first;
    let hint = if first.is_empty() || first == trace.stage || api.stages.iter().any(is_stage) {
        String::new()
    } else {
        let stages = list(api.stages.iter().map(|stage| stage.name.as_str()));
        format!("; {first:?} names no stage, so stage {} was taken: its stages: {stages}", trace.stage)
    };
    Some(format!(
        " ({} {} in stage {} of {}; its routes: {keys}{hint})",
        trace.method, trace.path, stage.name, api.name
    ))
}

fn refusing(path: &Path<'_>, leg: &Leg) -> Option<String> {
    let fabric = &path.realm.fabric;
    match fabric.attached(fabric.interface_by_id(leg.to?)?, leg.port) {
        Attached::Host(host) => Some(format!(" (the address is attached to {host}, where nothing listens)")),
        Attached::Inside => Some(format!(" (the program at that address does not listen on port {})", leg.port)),
        Attached::PortClosed => Some(format!(" (the address is attached, but not its port {})", leg.port)),
        Attached::Nothing => None,
    }
}

fn unattached(address: IpAddr, port: u16) -> String {
    format!(" (no program is attached at {address} port {port})")
}

/// The targets that lie elsewhere than the load balancer.
fn zones(path: &Path<'_>) -> Option<String> {
    let fabric = &path.realm.fabric;
    let elsewhere = |group: &&TargetGroup| group.targets.iter().any(|t| t.place == TargetAt::ZoneNotEnabled);
    let group = path.groups.iter().find(|group| elsewhere(group))?;
    let place = |address: IpAddr| {
        let interface = fabric.interface(fabric.interface_at(group.vpc, address)?)?;
        Some(interface.zone.to_string())
    };
    let targets = group.targets.iter().filter(|target| target.place == TargetAt::ZoneNotEnabled);
    let named: Vec<String> = targets
        .map(|target| {
            let zone = place(target.address).map(|zone| format!(" in {zone}")).unwrap_or_default();
            format!("{}:{}{zone}", target.address, target.port)
        })
        .collect();
    let served: Vec<String> = path.balancer?.nodes.iter().map(|node| node.zone.to_string()).collect();
    let (targets, zones) = (list(named.iter().map(String::as_str)), list(served.iter().map(String::as_str)));
    Some(format!(" ({}: {targets}; the load balancer's zones: {zones})", group.name))
}

/// The instances that do not run.
fn stopped(path: &Path<'_>) -> Option<String> {
    let is_stopped = |target: &&Target| target.place == TargetAt::InstanceNotRunning;
    let group = path.groups.iter().find(|group| group.targets.iter().any(|target| is_stopped(&target)))?;
    let named: Vec<String> =
        group.targets.iter().filter(is_stopped).map(|t| format!("{}:{}", t.address, t.port)).collect();
    Some(format!(" ({}: instances that do not run: {})", group.name, list(named.iter().map(String::as_str))))
}

/// The targets of other zones than that of the node which the request came to, where the group's are not sent to from there.
fn other_zones(path: &Path<'_>, trace: &Trace) -> Option<String> {
    let leg = trace.hops.iter().find(|hop| hop.kind == HopKind::Listener)?.leg.as_ref()?;
    let fabric = &path.realm.fabric;
    let node = leg.to.and_then(|id| fabric.interface(fabric.interface_by_id(id)?))?;
    let group = path.groups.iter().find(|group| !group.attributes.cross_zone)?;
    let served = |target: &&Target| target.place == TargetAt::Usable && !group.serves(&node.zone, target);
    let named: Vec<String> = group.targets.iter().filter(served).map(|t| format!("{}:{}", t.address, t.port)).collect();
    let targets = if named.is_empty() { return None } else { list(named.iter().map(String::as_str)) };
    Some(format!(
        " ({}: load_balancing.cross_zone.enabled is false, and the node in {} sends to no other zone's targets: {targets})",
        group.name, node.zone
    ))
}

/// What an integration that leads nowhere was given, and what may have been meant.
fn meant(path: &Path<'_>) -> Option<String> {
    let Connection::Broken { meant, .. } = &path.integration?.connection else { return None };
    let Ok(arn) = meant.parse::<ElbArn>() else { return Some(format!(" (it names {meant})")) };
    let table = &path.realm.balancers;
    let arns = |wanted: &dyn Fn(&Listener) -> bool| {
        list(table.listeners.iter().filter(|listener| wanted(listener)).map(|listener| listener.arn.as_str()))
    };
    Some(match arn.resource {
        ElbResource::LoadBalancer(name) => {
            let of_it = |l: &Listener| table.balancer(l.balancer).is_some_and(|balancer| balancer.id == name.id);
            format!(" (it names the load balancer {meant}; its listeners: {})", arns(&of_it))
        }
        ElbResource::TargetGroup { id, .. } => {
            let leads_to = |action: &Action| {
                let Action::Forward(forward) = action else { return false };
                forward.groups.iter().any(|(index, _)| table.group(*index).is_some_and(|group| group.id == id))
            };
            let forwards = |l: &Listener| l.rules.iter().any(|rule| leads_to(&rule.action));
            format!(" (it names the target group {meant}; listeners that forward to it: {})", arns(&forwards))
        }
        ElbResource::Listener(..) | ElbResource::Rule(..) | ElbResource::TrustStore { .. } => {
            format!(" (it names {meant})")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_segment_stands_behind_the_id_of_an_api_that_the_path_names() {
        let rows = [
            ("/prod/orders", "prod"),
            ("/", ""),
            ("/prod?x=1", "prod"),
            ("/_aws/execute-api/abcdef0123/s/none", "s"),
            ("/_aws/execute-api/abcdef0123", "_aws"),
        ];
        for (path, expected) in rows {
            assert_eq!(first_segment(path), expected, "{path}");
        }
    }
}
