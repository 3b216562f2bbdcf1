//! Compiles load balancers, listeners, rules and target groups.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::Problem;
use crate::arn::{ElbArn, ElbResource, LoadBalancerName};
use crate::estate::RealmEstate;
use crate::id::{LoadBalancerId, Realm, TargetGroupId};
use crate::resource::listener::{self, Listener as ListenerResource, ListenerProtocol, RuleCondition};
use crate::resource::load_balancer::{Attribute, BalancerKind, LoadBalancer, Scheme};
use crate::resource::network_interface::{InterfaceOwner, NetworkInterface};
use crate::resource::target_group::{self, HealthCheck as HealthCheckResource, TargetZone};
use crate::snapshot::balancer::{
    Action, Algorithm, Balancer, BalancerIndex, Balancers, Condition, DesyncMode, FixedResponse, Forward, Glob,
    GroupIndex, HealthCheck, Listener, ListenerIndex, ListenerTls, Node, Redirect, Rule, Target, TargetGroup,
    TargetPlace, XffMode,
};
use crate::snapshot::fabric::{Fabric, InterfaceIndex};

const MINIMUM_HEALTHY_COUNT: &str = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count";
const MINIMUM_HEALTHY_PERCENTAGE: &str =
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage";

/// What the steps of this compile share.
struct Scene<'a> {
    realm: &'a Realm,
    estate: &'a RealmEstate,
    fabric: &'a Fabric,
    balancers: HashMap<LoadBalancerId, BalancerIndex>,
    /// The interfaces that load balancers own.
    nodes: HashSet<InterfaceIndex>,
}

pub(super) fn compile(realm: &Realm, estate: &RealmEstate, fabric: &Fabric, problems: &mut Vec<Problem>) -> Balancers {
    let mut out = Balancers::default();
    let owned = |interface: &&Arc<NetworkInterface>| matches!(interface.owner, InterfaceOwner::LoadBalancer(_));
    let nodes = estate.network_interfaces.values().filter(owned).filter_map(|i| fabric.interface_by_id(i.id)).collect();
    let balancers = HashMap::with_capacity(estate.load_balancers.len());
    let mut scene = Scene { realm, estate, fabric, balancers, nodes };
    out.group_by_id.reserve(estate.target_groups.len());
    out.listener_by_id.reserve(estate.listeners.len());
    out.balancers.reserve(estate.load_balancers.len());
    out.groups.reserve(estate.target_groups.len());
    out.listeners.reserve(estate.listeners.len());
    // Network load balancers, their listeners and groups carry nothing: whatever names one leads nowhere.
    let applications = estate.load_balancers.values().filter(|lb| lb.kind == BalancerKind::Application);
    for resource in applications {
        scene.balancers.insert(resource.id, BalancerIndex(place(out.balancers.len())));
        out.balancers.push(balancer(resource, fabric));
    }
    for resource in estate.target_groups.values().filter(|group| !group.is_network()) {
        out.group_by_id.insert(resource.id, GroupIndex(place(out.groups.len())));
        out.groups.push(scene.group(resource));
    }
    let mut rules: HashMap<_, Vec<_>> = HashMap::with_capacity(estate.listeners.len());
    for rule in estate.listener_rules.values() {
        rules.entry(rule.listener).or_default().push(rule);
    }
    for resource in estate.listeners.values().filter(|listener| listener.protocol != ListenerProtocol::Tcp) {
        let Some(&balancer) = scene.balancers.get(&resource.load_balancer) else {
            problems.push(Problem { id: resource.id.to_string(), text: format!("{} is gone", resource.load_balancer) });
            continue;
        };
        let mut listed = rules.remove(&resource.id).unwrap_or_default();
        listed.sort_by_key(|rule| rule.priority);
        let mut compiled: Vec<Rule> = listed
            .iter()
            .map(|rule| Rule {
                id: rule.id,
                priority: Some(rule.priority),
                conditions: rule.conditions.iter().map(condition).collect(),
                action: action(&rule.action, &out.group_by_id),
            })
            .collect();
        let default = action(&resource.default_action, &out.group_by_id);
        compiled.push(Rule { id: resource.default_rule, priority: None, conditions: Vec::new(), action: default });
        out.listener_by_id.insert(resource.id, ListenerIndex(place(out.listeners.len())));
        let listener = scene.listener(resource, balancer, compiled);
        note_users(&mut out.groups, &listener);
        out.listeners.push(listener);
    }
    place_targets(&scene, &mut out);
    out
}

/// Tables never hold more than the estate does, and the estate is far below 2^32.
fn place(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn balancer(resource: &LoadBalancer, fabric: &Fabric) -> Balancer {
    let on = |key: &str| resource.attribute(key) == "true";
    let nodes = resource
        .zones
        .iter()
        .filter_map(|zone| Some(Node { zone: zone.zone.clone(), interface: fabric.interface_by_id(zone.interface)? }));
    Balancer {
        id: resource.id,
        name: resource.name.clone(),
        dns_name: resource.dns_name.clone(),
        vpc: resource.vpc,
        internal: resource.scheme == Scheme::Internal,
        active: resource.active,
        nodes: nodes.collect(),
        idle_timeout: Duration::from_secs(resource.attribute("idle_timeout.timeout_seconds").parse().unwrap_or(60)),
        xff_mode: match resource.attribute("routing.http.xff_header_processing.mode") {
            "preserve" => XffMode::Preserve,
            "remove" => XffMode::Remove,
            _ => XffMode::Append,
        },
        xff_client_port: on("routing.http.xff_client_port.enabled"),
        preserve_host: on("routing.http.preserve_host_header.enabled"),
        drop_invalid_headers: on("routing.http.drop_invalid_header_fields.enabled"),
        desync: match resource.attribute("routing.http.desync_mitigation_mode") {
            "monitor" => DesyncMode::Monitor,
            "strictest" => DesyncMode::Strictest,
            _ => DesyncMode::Defensive,
        },
    }
}

impl Scene<'_> {
    fn listener(&self, resource: &ListenerResource, balancer: BalancerIndex, rules: Vec<Rule>) -> Listener {
        let arn = self.estate.load_balancers.get(&resource.load_balancer).map(|lb| {
            let name = LoadBalancerName { kind: "app".to_owned(), name: lb.name.clone(), id: lb.id };
            ElbArn { realm: self.realm.clone(), resource: ElbResource::Listener(name, resource.id) }.to_string()
        });
        let header = |(key, ..): &Attribute| {
            let name = key.strip_prefix("routing.http.response.")?.strip_suffix(".header_value")?;
            let value = resource.attribute(key);
            (!value.is_empty()).then(|| (name.replace('_', "-"), value.to_owned()))
        };
        Listener {
            id: resource.id,
            arn: arn.unwrap_or_default(),
            balancer,
            port: resource.port,
            tls: self.tls(&resource.protocol),
            rules,
            response_headers: listener::ATTRIBUTES.iter().filter_map(header).collect(),
            server_header: resource.attribute("routing.http.response.server.enabled") == "true",
        }
    }

    fn tls(&self, protocol: &ListenerProtocol) -> Option<ListenerTls> {
        let ListenerProtocol::Https { certificate, extra_certificates, .. } = protocol else { return None };
        let arns = std::iter::once(certificate).chain(extra_certificates);
        Some(ListenerTls { certificates: arns.filter_map(|arn| self.estate.certificate(arn).cloned()).collect() })
    }

    fn group(&self, resource: &target_group::TargetGroup) -> TargetGroup {
        let number = |key: &str| resource.attribute(key).parse().ok();
        let usable = |target: &target_group::Target| Target {
            address: target.address,
            port: target.port,
            place: TargetPlace::Usable,
        };
        let arn = ElbResource::TargetGroup { name: resource.name.clone(), id: resource.id };
        TargetGroup {
            id: resource.id,
            arn: ElbArn { realm: self.realm.clone(), resource: arn }.to_string(),
            name: resource.name.clone(),
            vpc: resource.vpc,
            balancer: None,
            algorithm: match resource.attribute("load_balancing.algorithm.type") {
                "least_outstanding_requests" => Algorithm::LeastOutstandingRequests,
                "weighted_random" => Algorithm::WeightedRandom,
                _ => Algorithm::RoundRobin,
            },
            minimum_healthy_count: number(MINIMUM_HEALTHY_COUNT).unwrap_or(1),
            minimum_healthy_percentage: number(MINIMUM_HEALTHY_PERCENTAGE),
            health_check: health_check(&resource.health_check),
            targets: staying(resource).map(usable).collect(),
        }
    }

    /// Whether a target may get traffic: its zone must be one that the load balancer serves (ALB user guide, "Target
    /// groups", 2026-11), and its address no load balancer's own.
    fn place_of(&self, registered: &target_group::Target, balancer: &Balancer) -> TargetPlace {
        let interface = self.fabric.interface_at(balancer.vpc, registered.address);
        match &registered.zone {
            _ if interface.is_some_and(|index| self.nodes.contains(&index)) => TargetPlace::AddressOfBalancer,
            TargetZone::In(zone) if balancer.nodes.iter().all(|node| node.zone != *zone) => TargetPlace::ZoneNotEnabled,
            TargetZone::In(_) | TargetZone::All => TargetPlace::Usable,
        }
    }
}

/// The targets that are registered and not on their way out: the compiled ones stand in the same order.
fn staying(resource: &target_group::TargetGroup) -> impl Iterator<Item = &target_group::Target> {
    resource.targets.iter().filter(|target| target.draining_until.is_none())
}

fn place_targets(scene: &Scene<'_>, out: &mut Balancers) {
    let Balancers { balancers, groups, .. } = out;
    for group in groups {
        let Some(balancer) = group.balancer.and_then(|index| balancers.get(index.0 as usize)) else { continue };
        let Some(resource) = scene.estate.target_groups.get(&group.id) else { continue };
        for (target, registered) in group.targets.iter_mut().zip(staying(resource)) {
            target.place = scene.place_of(registered, balancer);
        }
    }
}

fn note_users(groups: &mut [TargetGroup], listener: &Listener) {
    for rule in &listener.rules {
        let Action::Forward(forward) = &rule.action else { continue };
        for (index, _) in &forward.groups {
            if let Some(group) = groups.get_mut(index.0 as usize) {
                group.balancer = Some(listener.balancer);
            }
        }
    }
}

fn health_check(resource: &HealthCheckResource) -> HealthCheck {
    HealthCheck {
        port: resource.port,
        path: resource.path.clone(),
        interval: Duration::from_secs(u64::from(resource.interval_s)),
        timeout: Duration::from_secs(u64::from(resource.timeout_s)),
        healthy_threshold: resource.healthy_threshold,
        unhealthy_threshold: resource.unhealthy_threshold,
        // Checked when it was written; a matcher that matches nothing makes every target unhealthy, never healthy.
        matcher: HealthCheckResource::parse_matcher(&resource.matcher).unwrap_or_default(),
    }
}

fn action(resource: &listener::Action, groups: &HashMap<TargetGroupId, GroupIndex>) -> Action {
    match resource {
        listener::Action::Forward { groups: wanted, .. } => {
            let known: Vec<_> = wanted.iter().filter_map(|(id, weight)| Some((*groups.get(id)?, *weight))).collect();
            let total_weight = known.iter().map(|(_, weight)| weight).sum();
            if known.is_empty() { Action::Dangling } else { Action::Forward(Forward { groups: known, total_weight }) }
        }
        listener::Action::FixedResponse { status, content_type, body } => Action::Fixed(FixedResponse {
            status: *status,
            content_type: content_type.clone(),
            body: body.clone().unwrap_or_default(),
        }),
        listener::Action::Redirect { status, protocol, host, port, path, query } => Action::Redirect(Redirect {
            status: *status,
            protocol: protocol.clone(),
            host: host.clone(),
            port: port.clone(),
            path: path.clone(),
            query: query.clone(),
        }),
    }
}

fn condition(resource: &RuleCondition) -> Condition {
    let any_case = |values: &[String]| values.iter().map(|value| Glob::any_case(value)).collect();
    match resource {
        RuleCondition::HostHeader(values) => Condition::HostHeader(any_case(values)),
        RuleCondition::PathPattern(values) => {
            Condition::PathPattern(values.iter().map(|value| Glob::exact_case(value)).collect())
        }
        RuleCondition::HttpHeader { name, values } => {
            Condition::HttpHeader(name.to_ascii_lowercase(), any_case(values))
        }
        RuleCondition::Method(values) => Condition::Method(values.clone()),
        RuleCondition::QueryString(pairs) => {
            let glob = |text: &String| Glob::any_case_with_escapes(text);
            Condition::QueryString(pairs.iter().map(|(key, value)| (key.as_ref().map(glob), glob(value))).collect())
        }
        RuleCondition::SourceIp(blocks) => Condition::SourceIp(blocks.clone()),
    }
}
