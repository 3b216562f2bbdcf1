//! Compiles load balancers, listeners, rules and target groups.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::arn::{ElbArn, ElbResource};
use crate::estate::RealmEstate;
use crate::id::{LoadBalancerId, Realm, TargetGroupId};
use crate::resource::action;
use crate::resource::gate::{Check, Gate};
use crate::resource::health_check::{HealthCheck as HealthCheckResource, Probe, ProbePath};
use crate::resource::instance::InstanceState;
use crate::resource::listener::{Listener as ListenerResource, ListenerProtocol, RuleCondition};
use crate::resource::load_balancer::{BalancerKind, BalancerState, LoadBalancer, Scheme};
use crate::resource::network_interface::{InterfaceOwner, NetworkInterface};
use crate::resource::pattern::{self, Patterns};
use crate::resource::ssl_policy::SslPolicy;
use crate::resource::target_group::{self, TargetGroupKind, TargetZone};
use crate::resource::trust_store::MutualAuthentication;
use crate::snapshot::Problem;
use crate::snapshot::attributes::{self, BalancerAttributes, GroupAttributes, ListenerAttributes};
use crate::snapshot::balancer::{
    Action, Balancer, BalancerIndex, Balancers, Condition, FixedResponse, Forward, GroupIndex, HealthCheck, LeadsTo,
    Listener, ListenerIndex, ListenerTls, MutualTls, Node, Question, Redirect, Rule, Rules, Socket, StatusRange,
    StreamGroup, StreamListener, Target, TargetAt, TargetGroup, Trust, Verify,
};
use crate::snapshot::fabric::{Fabric, InterfaceIndex};
use crate::snapshot::logs::BalancerLogs;
use crate::snapshot::pattern::{Glob, Pattern, Rewrite, Transforms};

/// What the steps of this compile share.
struct Scene<'a> {
    realm: &'a Realm,
    estate: &'a RealmEstate,
    fabric: &'a Fabric,
    balancers: HashMap<LoadBalancerId, BalancerIndex>,
    /// The interfaces that load balancers own.
    nodes: HashSet<InterfaceIndex>,
}

pub(super) fn compile(realm: &Realm, estate: &RealmEstate, fabric: &Fabric) -> Balancers {
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
    for resource in estate.load_balancers.values() {
        scene.balancers.insert(resource.id, BalancerIndex(place(out.balancers.len())));
        out.balancers.push(balancer(realm, resource, fabric));
    }
    for resource in estate.target_groups.values() {
        out.group_by_id.insert(resource.id, GroupIndex(place(out.groups.len())));
        out.groups.push(scene.group(resource));
    }
    let mut rules: HashMap<_, Vec<_>> = HashMap::with_capacity(estate.listeners.len());
    for rule in estate.listener_rules.values() {
        rules.entry(rule.listener).or_default().push(rule);
    }
    for resource in estate.listeners.values() {
        let Some(&balancer) = scene.balancers.get(&resource.load_balancer) else {
            out.problems.push(Problem::gone(resource.id, resource.load_balancer));
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
                gate: gate(rule.gate.as_ref()),
                action: compiled_action(&rule.action, &out.group_by_id),
                transforms: transforms(&rule.transforms),
            })
            .collect();
        let default = compiled_action(resource.default_action(), &out.group_by_id);
        compiled.push(Rule {
            id: resource.default_rule,
            priority: None,
            conditions: Vec::new(),
            gate: gate(resource.default_gate()),
            action: default,
            transforms: None,
        });
        out.listener_by_id.insert(resource.id, ListenerIndex(place(out.listeners.len())));
        let listener = scene.listener(resource, balancer, compiled.into());
        note_users(&mut out.groups, &listener);
        out.listeners.push(listener);
    }
    lead_to_balancers(&scene, &mut out);
    place_targets(&scene, &mut out);
    out.sockets = estate
        .listener_sockets
        .values()
        .filter_map(|socket| {
            let listener = out.listener_by_id(socket.listener)?;
            let interface = fabric.interface_by_id(socket.interface)?;
            Some(Socket { listener, host: socket.host, interface })
        })
        .collect();
    out
}

/// Tables never hold more than the estate does, and the estate is far below 2^32.
fn place(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn balancer(realm: &Realm, resource: &LoadBalancer, fabric: &Fabric) -> Balancer {
    let full_name = resource.full_name().to_string();
    let nodes = resource
        .zones
        .iter()
        .filter_map(|zone| Some(Node { zone: zone.zone.clone(), interface: fabric.interface_by_id(zone.interface)? }));
    Balancer {
        id: resource.id,
        kind: resource.kind(),
        name: resource.name.clone(),
        dns_name: resource.dns_name.clone(),
        vpc: resource.vpc,
        internal: resource.scheme == Scheme::Internal,
        active: resource.state == BalancerState::Active,
        nodes: nodes.collect(),
        attributes: match resource.kind() {
            BalancerKind::Application => BalancerAttributes::of(&resource.attributes),
            BalancerKind::Network => BalancerAttributes::default(),
        },
        idle: resource.attributes.idle().collect(),
        logs: BalancerLogs::of(&resource.attributes, realm, &full_name),
        full_name,
    }
}

impl Scene<'_> {
    fn listener(&self, resource: &ListenerResource, balancer: BalancerIndex, rules: Rules) -> Listener {
        let arn = self.estate.load_balancers.get(&resource.load_balancer).map(|lb| {
            let resource = ElbResource::Listener(lb.full_name(), resource.id);
            ElbArn { realm: self.realm.clone(), resource }.to_string()
        });
        Listener {
            id: resource.id,
            arn: arn.unwrap_or_default(),
            balancer,
            port: resource.port,
            tls: self.tls(resource.protocol()),
            rules,
            attributes: ListenerAttributes::of(resource.attributes()),
            stream: (resource.protocol().kind() == BalancerKind::Network).then(|| StreamListener {
                idle_timeout: attributes::stream_idle_timeout(resource.attributes()),
                alpn: resource.protocol().alpn().unwrap_or_default(),
            }),
        }
    }

    fn tls(&self, protocol: &ListenerProtocol) -> Option<ListenerTls> {
        let (certificate, extra_certificates) = protocol.certificates()?;
        let ssl_policy = protocol.ssl_policy()?;
        let arns = std::iter::once(certificate).chain(extra_certificates);
        // A policy that is unknown was never kept.
        let policy = SslPolicy::named(ssl_policy).or_else(|| SslPolicy::named(SslPolicy::DEFAULT_NAME))?;
        let certificates = arns.filter_map(|arn| self.estate.certificate(arn).cloned()).collect();
        Some(ListenerTls { certificates, policy, mutual: self.mutual(&protocol.mutual()) })
    }

    fn mutual(&self, mutual: &MutualAuthentication) -> MutualTls {
        match mutual {
            MutualAuthentication::Off => MutualTls::Off,
            MutualAuthentication::Passthrough => MutualTls::Passthrough,
            MutualAuthentication::Verify(verify) => MutualTls::Verify(Verify {
                trust: self.estate.trust_stores.get(&verify.trust_store).map(|store| Trust {
                    bundle: Arc::clone(&store.bundle),
                    revoked: self.estate.revocations(store.id).map(|(_, list)| Arc::clone(&list.lists)).collect(),
                }),
                ignores_expiry: verify.ignores_expiry,
                advertises_names: verify.advertises_names,
            }),
        }
    }

    fn group(&self, resource: &target_group::TargetGroup) -> TargetGroup {
        let usable = |target: &target_group::Target| Target {
            address: target.address,
            port: target.port,
            place: TargetAt::Usable,
            zone: match &target.zone {
                TargetZone::In(zone) => Some(zone.clone()),
                TargetZone::All => None,
            },
        };
        let at = |target: &target_group::Target| SocketAddr::new(target.address, target.port);
        let arn = ElbResource::TargetGroup { name: resource.name.clone(), id: resource.id };
        let kind = resource.kind();
        TargetGroup {
            id: resource.id,
            arn: ElbArn { realm: self.realm.clone(), resource: arn }.to_string(),
            name: resource.name.clone(),
            vpc: resource.vpc,
            is_secure: kind.is_secure(),
            version: kind.version().unwrap_or_default(),
            stream: kind.is_network().then(|| StreamGroup {
                draining: resource.targets().iter().filter(|target| target.draining_until.is_some()).map(at).collect(),
                ..StreamGroup::of(resource.attributes(), resource.preserves_client())
            }),
            balancer: None,
            attributes: match kind.is_network() {
                false => GroupAttributes::of(resource.attributes()),
                true => GroupAttributes::of_streams(resource.attributes(), None),
            },
            idle: resource.attributes().idle().collect(),
            health_check: health_check(resource.health_check()),
            targets: staying(resource).map(usable).collect(),
        }
    }

    /// Whether a target may get traffic: its zone must be one that the load balancer serves (ALB user guide, "Target
    /// groups", 2026-11), its address no load balancer's own, and an instance must run.
    fn place_of(&self, registered: &target_group::Target, balancer: &Balancer) -> TargetAt {
        let interface = self.fabric.interface_at(balancer.vpc, registered.address);
        let runs = |id| self.estate.instances.get(&id).is_some_and(|found| found.state == InstanceState::Running);
        match &registered.zone {
            _ if registered.instance.is_some_and(|id| !runs(id)) => TargetAt::InstanceNotRunning,
            _ if interface.is_some_and(|index| self.nodes.contains(&index)) => TargetAt::AddressOfBalancer,
            TargetZone::In(zone) if balancer.nodes.iter().all(|node| node.zone != *zone) => TargetAt::ZoneNotEnabled,
            TargetZone::In(_) | TargetZone::All => TargetAt::Usable,
        }
    }
}

/// The targets that are registered and not on their way out: the compiled ones stand in the same order.
fn staying(resource: &target_group::TargetGroup) -> impl Iterator<Item = &target_group::Target> {
    resource.targets().iter().filter(|target| target.draining_until.is_none())
}

/// Leads groups whose target is an application load balancer to its listener on their port. The target's address is that of its first node.
fn lead_to_balancers(scene: &Scene<'_>, out: &mut Balancers) {
    let Balancers { balancers, groups, listeners, listener_by_id, .. } = out;
    for group in groups {
        let Some(resource) = scene.estate.target_groups.get(&group.id) else { continue };
        let (TargetGroupKind::Alb, Some(stream)) = (resource.kind(), &mut group.stream) else { continue };
        stream.leads_to = LeadsTo::Balancer(None);
        let Some(id) = resource.alb() else { continue };
        let found = scene.balancers.get(&id).and_then(|index| Some((*index, balancers.get(index.0 as usize)?)));
        let Some((index, balancer)) = found else { continue };
        let is_meant = |listener: &&Listener| (listener.balancer, listener.port) == (index, resource.port);
        let listener = listeners.iter().find(is_meant).and_then(|listener| listener_by_id.get(&listener.id));
        stream.leads_to = LeadsTo::Balancer(listener.copied());
        if let Some(address) = scene.estate.address_of_balancer(balancer.id).map(IpAddr::from) {
            group.targets = vec![Target { address, port: resource.port, place: TargetAt::Usable, zone: None }];
        }
    }
}

fn place_targets(scene: &Scene<'_>, out: &mut Balancers) {
    let Balancers { balancers, groups, .. } = out;
    for group in groups {
        let Some(balancer) = group.balancer.and_then(|index| balancers.get(index.0 as usize)) else { continue };
        let Some(resource) = scene.estate.target_groups.get(&group.id) else { continue };
        if group.stream.is_some() {
            let of_balancer = scene.estate.load_balancers.get(&balancer.id).map(|found| &*found.attributes);
            group.attributes = GroupAttributes::of_streams(resource.attributes(), of_balancer);
        }
        for (target, registered) in group.targets.iter_mut().zip(staying(resource)) {
            target.place = scene.place_of(registered, balancer);
        }
    }
}

fn note_users(groups: &mut [TargetGroup], listener: &Listener) {
    for rule in &*listener.rules {
        let Action::Forward(forward) = &rule.action else { continue };
        for (index, _) in &forward.groups {
            if let Some(group) = groups.get_mut(index.0 as usize) {
                group.balancer = Some(listener.balancer);
            }
        }
    }
}

fn health_check(resource: &HealthCheckResource) -> HealthCheck {
    let question = |is_secure: bool, path: &ProbePath, matcher: &[StatusRange]| Question {
        is_secure,
        path: path.as_str().to_owned(),
        matcher: matcher.to_vec(),
    };
    let asks = match resource.probe() {
        Probe::Http { is_secure, path, matcher } => Some(question(*is_secure, path, matcher.ranges())),
        Probe::Grpc { is_secure, path, matcher } => Some(question(*is_secure, path, matcher.ranges())),
        Probe::Tcp => None,
    };
    let pace = resource.pace();
    HealthCheck {
        port: resource.port(),
        asks,
        interval: Duration::from_secs(pace.interval_s.into()),
        timeout: Duration::from_secs(pace.timeout_s.into()),
        healthy_threshold: pace.healthy_threshold,
        unhealthy_threshold: pace.unhealthy_threshold,
    }
}

fn compiled_action(resource: &action::Action, groups: &HashMap<TargetGroupId, GroupIndex>) -> Action {
    match resource {
        action::Action::Forward(forward) => {
            let known = forward.groups().iter().filter_map(|(id, weight)| Some((*groups.get(id)?, u32::from(*weight))));
            let known: Vec<_> = known.collect();
            let stickiness = match forward.stickiness() {
                action::GroupStickiness::On(seconds) => Some(Duration::from_secs(u32::from(seconds).into())),
                action::GroupStickiness::Off(_) | action::GroupStickiness::Unset => None,
            };
            let total_weight = known.iter().map(|(_, weight)| weight).sum();
            if known.is_empty() {
                Action::Dangling
            } else {
                Action::Forward(Forward { groups: known, total_weight, stickiness })
            }
        }
        action::Action::FixedResponse(response) => Action::Fixed(FixedResponse {
            status: response.status,
            content_type: response.content_type.clone(),
            body: response.body.clone().unwrap_or_default(),
        }),
        action::Action::Redirect(redirect) => Action::Redirect(Redirect {
            status: redirect.status.into(),
            protocol: redirect.protocol.clone(),
            host: redirect.host.clone(),
            port: redirect.port.clone(),
            path: redirect.path.clone(),
            query: redirect.query.clone(),
        }),
    }
}

fn gate(resource: Option<&Gate>) -> Option<Box<Check>> {
    resource.map(|gate| Box::new(gate.check.clone()))
}

fn transforms(resource: &pattern::Transforms) -> Option<Box<Transforms>> {
    let rewrite = |one: &pattern::Rewrite| Rewrite::new(one.regex.compiled().clone(), &one.replace);
    let (host, url) = (resource.host.as_ref().map(rewrite), resource.url.as_ref().map(rewrite));
    (!resource.is_empty()).then(|| Box::new(Transforms { host, url }))
}

/// Patterns as traffic compares them.
fn patterns<const FOLD: bool>(patterns: &Patterns<FOLD>) -> Vec<Pattern> {
    let glob = |value: &String| if FOLD { Glob::any_case(value) } else { Glob::exact_case(value) };
    match patterns {
        Patterns::Values(values) => values.iter().map(|value| Pattern::Glob(glob(value))).collect(),
        Patterns::Expressions { regex } => regex.iter().map(|one| Pattern::Regex(one.compiled().clone())).collect(),
    }
}

fn condition(resource: &RuleCondition) -> Condition {
    match resource {
        RuleCondition::HostHeader(values) => Condition::HostHeader(patterns(values)),
        RuleCondition::PathPattern(values) => Condition::PathPattern(patterns(values)),
        RuleCondition::HttpHeader { name, values } => {
            Condition::HttpHeader(name.to_ascii_lowercase(), patterns(values))
        }
        RuleCondition::Method(values) => Condition::Method(values.clone()),
        RuleCondition::QueryString(pairs) => {
            let glob = |text: &String| Glob::any_case_with_escapes(text);
            Condition::QueryString(pairs.iter().map(|(key, value)| (key.as_ref().map(glob), glob(value))).collect())
        }
        RuleCondition::SourceIp(blocks) => Condition::SourceIp(blocks.clone()),
    }
}
