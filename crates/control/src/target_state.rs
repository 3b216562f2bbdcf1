//! The state of a target, its reason code and its text, as `DescribeTargetHealth` answers them and `tidegate status` tells them. Only what a
//! realm holds and what traffic observed is judged; nothing is changed, and no AWS bytes are read or written.
//!
//! States, reason codes and texts: ALB user guide, "Health checks for target groups", 2026-11.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use topology::estate::RealmEstate;
use topology::id::{TargetGroupId, VpcId};
use topology::observed::{Health, Observed, TargetKey, Unhealthy};
use topology::resource::action::Action;
use topology::resource::instance::{Instance, InstanceState};
use topology::resource::load_balancer::LoadBalancer;
use topology::resource::network_interface::InterfaceOwner;
use topology::resource::target_group::{Target, TargetGroup, TargetZone};
use topology::time::Moment;

/// The state of a target whose probes fail.
const UNHEALTHY: &str = "unhealthy";

/// What is said of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetState {
    /// The state, such as `healthy`.
    pub state: &'static str,
    /// AWS's code of the reason, unless it is healthy.
    pub reason: Option<&'static str>,
    /// The reason in words.
    pub description: Option<String>,
}

impl TargetState {
    /// A state with its reason.
    #[must_use]
    pub fn because(state: &'static str, reason: &'static str, description: impl Into<String>) -> Self {
        Self { state, reason: Some(reason), description: Some(description.into()) }
    }
}

/// The states of the targets of a realm. What all of them are judged by is gathered once.
#[derive(Debug)]
pub struct TargetStates<'a> {
    estate: &'a RealmEstate,
    observed: &'a Observed,
    now: Moment,
    /// The load balancers whose listeners and rules send to a group.
    users: BTreeMap<TargetGroupId, Vec<&'a LoadBalancer>>,
    /// Where load balancers have their nodes.
    nodes: BTreeSet<(VpcId, IpAddr)>,
}

impl<'a> TargetStates<'a> {
    /// Gathers what the targets of a realm are judged by.
    #[must_use]
    pub fn of(estate: &'a RealmEstate, observed: &'a Observed, now: Moment) -> Self {
        let is_node = |owner: &InterfaceOwner| matches!(owner, InterfaceOwner::LoadBalancer(_));
        let nodes = estate.network_interfaces.values().filter(|interface| is_node(&interface.owner));
        let nodes = nodes.flat_map(|interface| interface.addresses().map(|address| (interface.vpc, address))).collect();
        Self { estate, observed, now, users: users(estate), nodes }
    }

    /// Whether a load balancer sends to a group.
    #[must_use]
    pub fn is_used(&self, group: TargetGroupId) -> bool {
        self.users.contains_key(&group)
    }

    /// The state of a target of a group.
    #[must_use]
    pub fn of_target(&self, group: &TargetGroup, target: &Target) -> TargetState {
        if target.draining_until.is_some() {
            let text = "Target deregistration is in progress";
            return TargetState::because("draining", "Target.DeregistrationInProgress", text);
        }
        let runs = |instance: &Instance| instance.state == InstanceState::Running;
        if let Some(id) = target.instance
            && !self.estate.instances.get(&id).is_some_and(|instance| runs(instance))
        {
            let state = self.estate.instances.get(&id).map_or("terminated", |instance| instance.state.name());
            let text = format!("Target is in the {state} state");
            return TargetState::because("unused", "Target.InvalidState", text);
        }
        let Some(users) = self.users.get(&group.id) else { return not_in_use() };
        if let TargetZone::In(zone) = &target.zone
            && users.iter().all(|balancer| balancer.zones.iter().all(|served| served.zone != *zone))
        {
            let text = "Target is in an Availability Zone that is not enabled for the load balancer";
            return TargetState::because("unused", "Target.NotInUse", text);
        }
        if self.nodes.contains(&(group.vpc, target.address)) {
            let text = "The IP address cannot be used as a target, as it is in use by a load balancer";
            return TargetState::because("unused", "Target.IpUnusable", text);
        }
        self.of_probed(group, TargetKey { group: group.id, address: target.address, port: target.port })
    }

    /// The state of the load balancer that is the target of a group of type `alb`.
    #[must_use]
    pub fn of_balancer(&self, group: &TargetGroup) -> TargetState {
        let address = group.alb().and_then(|id| self.estate.address_of_balancer(id));
        match address.filter(|_| self.is_used(group.id)) {
            Some(address) => {
                self.of_probed(group, TargetKey { group: group.id, address: address.into(), port: group.port })
            }
            None => not_in_use(),
        }
    }

    /// What probing says of a target. What is unhealthy drains while its connections still go on for their time.
    fn of_probed(&self, group: &TargetGroup, key: TargetKey) -> TargetState {
        let known = self.observed.health.get(&key);
        let probed = probed(known.map(|known| known.health));
        let drains = known.zip(group.drains_ill()).is_some_and(|(known, interval)| {
            i64::try_from(interval.as_millis()).is_ok_and(|interval| self.now.ms_since(known.since) < interval)
        });
        if probed.state == UNHEALTHY && drains {
            return TargetState { state: "unhealthy.draining", ..probed };
        }
        probed
    }
}

fn users(estate: &RealmEstate) -> BTreeMap<TargetGroupId, Vec<&LoadBalancer>> {
    let by_default = estate.listeners.values().map(|listener| (listener.default_action(), listener.load_balancer));
    let by_rule = estate.listener_rules.values().filter_map(|rule| {
        let listener = estate.listeners.get(&rule.listener)?;
        Some((&rule.action, listener.load_balancer))
    });
    let mut users: BTreeMap<_, Vec<&LoadBalancer>> = BTreeMap::new();
    let sending: Vec<(&Action, _)> = by_default.chain(by_rule).collect();
    for (action, balancer) in sending {
        for group in action.target_groups() {
            users.entry(group).or_default().extend(estate.load_balancers.get(&balancer).map(|balancer| &**balancer));
        }
    }
    users
}

fn not_in_use() -> TargetState {
    let text = "Target group is not configured to receive traffic from the load balancer";
    TargetState::because("unused", "Target.NotInUse", text)
}

fn probed(health: Option<Health>) -> TargetState {
    match health {
        None => TargetState::because("initial", "Elb.RegistrationInProgress", "Target registration is in progress"),
        Some(Health::Initial) => {
            TargetState::because("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
        }
        Some(Health::Healthy) => TargetState { state: "healthy", reason: None, description: None },
        Some(Health::Unhealthy(Unhealthy::ResponseCodeMismatch(code))) => {
            let text = format!("Health checks failed with these codes: [{code}]");
            TargetState::because(UNHEALTHY, "Target.ResponseCodeMismatch", text)
        }
        Some(Health::Unhealthy(Unhealthy::Timeout)) => {
            TargetState::because(UNHEALTHY, "Target.Timeout", "Request timed out")
        }
        Some(Health::Unhealthy(Unhealthy::FailedHealthChecks)) => {
            TargetState::because(UNHEALTHY, "Target.FailedHealthChecks", "Health checks failed")
        }
    }
}
