//! Facts that flow upward from traffic to control. They are never part of a snapshot. Only usage against quotas is kept:
//! the rest is found out anew after a restart.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::id::{Realm, TargetGroupId, VpcLinkId};
use crate::resource::usage_plan::UsageKey;
use crate::time::Moment;

/// A target within its group: the pair that registration is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKey {
    /// The group.
    pub group: TargetGroupId,
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// Why a target is unhealthy (ALB user guide, "Target health reason codes", 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unhealthy {
    /// It answered another status than the matcher wants.
    ResponseCodeMismatch(u16),
    /// It did not connect or answer in time; a group that drops the probe looks the same.
    Timeout,
    /// It refused, closed, or answered nonsense.
    FailedHealthChecks,
}

/// What probing says of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// No probe has ended yet.
    Initial,
    /// It gets traffic.
    Healthy,
    /// It gets none while another is healthy.
    Unhealthy(Unhealthy),
}

/// Health, and how long it has been of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthSince {
    /// What probing says.
    pub health: Health,
    /// Since when it is that, whatever the cause is by now.
    pub since: Moment,
}

impl HealthSince {
    /// After what was known before, now.
    #[must_use]
    pub fn after(before: Option<Self>, health: Health, now: Moment) -> Self {
        let is_same = |before: &Self| std::mem::discriminant(&before.health) == std::mem::discriminant(&health);
        Self { health, since: before.filter(is_same).map_or(now, |before| before.since) }
    }
}

/// What the answers of a target are beside those of its neighbours (Automatic Target Weights; ALB user guide, "Edit target group
/// attributes", 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anomaly {
    /// Whether far more of its requests fail.
    pub is_anomalous: bool,
    /// Whether it gets less than its whole share for it.
    pub is_mitigated: bool,
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A target's health changed.
    TargetHealth {
        /// The realm of the group.
        realm: Realm,
        /// The target.
        target: TargetKey,
        /// What is so now.
        health: Health,
    },
    /// A target began to fail more than its neighbours, or ceased to.
    TargetAnomaly {
        /// The realm of the group.
        realm: Realm,
        /// The target.
        target: TargetKey,
        /// What is so now.
        anomaly: Anomaly,
    },
    /// A link carried a request. Reported at most once a minute for each link.
    LinkUsed {
        /// The realm of the link.
        realm: Realm,
        /// The link.
        link: VpcLinkId,
    },
    /// A key's requests against a plan's quota, counted up to now. Durable once control has taken it.
    Usage {
        /// The realm of the plan.
        realm: Realm,
        /// The key and the plan.
        key: UsageKey,
        /// Days since 1970 in UTC, by the moved clock.
        day: u32,
        /// Requests of that day so far: a total, so that telling it twice counts nothing twice.
        used: u64,
    },
}

/// The newest facts, as `control` keeps them.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Health by target.
    pub health: BTreeMap<TargetKey, HealthSince>,
    /// Anomalies by target; one that is normal is not here.
    pub anomalies: BTreeMap<TargetKey, Anomaly>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_cause_of_the_same_health_begins_nothing_anew() {
        let mut known = None;
        let mut since = |health, now| {
            known = Some(HealthSince::after(known, health, Moment(now)));
            known.unwrap().since.0
        };
        assert_eq!(since(Health::Healthy, 1), 1);
        assert_eq!(since(Health::Unhealthy(Unhealthy::Timeout), 2), 2);
        assert_eq!(since(Health::Unhealthy(Unhealthy::ResponseCodeMismatch(500)), 3), 2);
        assert_eq!(since(Health::Healthy, 4), 4);
    }
}
