//! Target groups, their health checks and their targets. Health itself is observed, not stored.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Tags;
use super::load_balancer::{Attribute, AttributeValue, attribute_value};
use crate::id::{LoadBalancerId, TargetGroupId, VpcId, Zone};
use crate::time::Moment;

/// How targets are probed (ALB user guide, "Health checks for target groups", 2026-11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `HTTP`; also `TCP` or `HTTPS` in a group of a network load balancer.
    pub protocol: String,
    /// A port; `None` is `traffic-port`.
    pub port: Option<u16>,
    /// The path, `/` when unset.
    pub path: String,
    /// 5–300 s, 30 when unset.
    pub interval_s: u32,
    /// 2–120 s, 5 when unset.
    pub timeout_s: u32,
    /// 2–10, 5 when unset.
    pub healthy_threshold: u32,
    /// 2–10, 2 when unset.
    pub unhealthy_threshold: u32,
    /// The matcher as given, `200` when unset.
    pub matcher: String,
}

impl HealthCheck {
    /// The accepted statuses, or `None` when the text is no list of codes and ranges within 200–499.
    #[must_use]
    pub fn parse_matcher(text: &str) -> Option<Vec<(u16, u16)>> {
        text.split(',')
            .map(|part| {
                let (low, high) = part.split_once('-').unwrap_or((part, part));
                let code = |t: &str| t.parse::<u16>().ok().filter(|c| t.len() == 3 && (200..=499).contains(c));
                let range = (code(low)?, code(high)?);
                (range.0 <= range.1).then_some(range)
            })
            .collect()
    }
}

/// Where a registered target lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetZone {
    /// In this zone, by its subnet.
    In(Zone),
    /// `all`: outside the VPC.
    All,
}

/// A registered target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// Where it lies.
    pub zone: TargetZone,
    /// `draining` until this moment, when it is forgotten.
    pub draining_until: Option<Moment>,
}

/// What is in a target group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TargetType {
    /// `ip`: addresses.
    #[default]
    Ip,
    /// `alb`: one application load balancer.
    Alb,
}

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Its id.
    pub id: TargetGroupId,
    /// Its name.
    pub name: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// What is in it.
    #[serde(default)]
    pub target_type: TargetType,
    /// `HTTP`, or `TCP` for network load balancers; only HTTP carries traffic.
    pub protocol: String,
    /// `HTTP1`; empty for `TCP`.
    pub protocol_version: String,
    /// The port of targets that name none.
    pub port: u16,
    /// How targets are probed.
    pub health_check: HealthCheck,
    /// The attributes that were set, by key.
    pub attributes: BTreeMap<String, String>,
    /// Its targets in registration order; (address, port) is unique.
    pub targets: Vec<Target>,
    /// Its target, where that is a load balancer.
    #[serde(default)]
    pub alb: Option<LoadBalancerId>,
    /// Its tags.
    pub tags: Tags,
}

// What target groups of both kinds of load balancer have.
const CROSS_ZONE: Attribute = (
    "load_balancing.cross_zone.enabled",
    "use_load_balancer_configuration",
    AttributeValue::OneOf(&["true", "false", "use_load_balancer_configuration"]),
);
const DEREGISTRATION_DELAY: Attribute =
    ("deregistration_delay.timeout_seconds", "300", AttributeValue::Integer(0, 3600));
const FAILOVER_COUNT: Attribute =
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1", AttributeValue::OffOrInteger(1, 1000));
const FAILOVER_PERCENTAGE: Attribute = (
    "target_group_health.dns_failover.minimum_healthy_targets.percentage",
    "off",
    AttributeValue::OffOrInteger(1, 100),
);
const ROUTING_COUNT: Attribute = (
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
    "1",
    AttributeValue::Integer(1, 1000),
);
const ROUTING_PERCENTAGE: Attribute = (
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
    "off",
    AttributeValue::OffOrInteger(1, 100),
);

/// Every attribute of an application load balancer's target group of type `ip` (ALB user guide, "Target groups", 2026-11), in
/// key order.
pub const ATTRIBUTES: &[Attribute] = &[
    DEREGISTRATION_DELAY,
    ("load_balancing.algorithm.anomaly_mitigation", "off", AttributeValue::OneOf(&["on", "off"])),
    (
        "load_balancing.algorithm.type",
        "round_robin",
        AttributeValue::OneOf(&["round_robin", "least_outstanding_requests", "weighted_random"]),
    ),
    CROSS_ZONE,
    ("slow_start.duration_seconds", "0", AttributeValue::Integer(0, 900)),
    ("stickiness.app_cookie.cookie_name", "", AttributeValue::Text),
    ("stickiness.app_cookie.duration_seconds", "86400", AttributeValue::Integer(1, 604_800)),
    ("stickiness.enabled", "false", AttributeValue::Boolean),
    ("stickiness.lb_cookie.duration_seconds", "86400", AttributeValue::Integer(1, 604_800)),
    ("stickiness.type", "lb_cookie", AttributeValue::OneOf(&["lb_cookie", "app_cookie"])),
    FAILOVER_COUNT,
    FAILOVER_PERCENTAGE,
    ROUTING_COUNT,
    ROUTING_PERCENTAGE,
];

/// Every attribute of a network load balancer's target group (NLB user guide, "Target groups", 2026-11), in key order.
pub const NETWORK_ATTRIBUTES: &[Attribute] = &[
    ("deregistration_delay.connection_termination.enabled", "false", AttributeValue::Boolean),
    DEREGISTRATION_DELAY,
    CROSS_ZONE,
    ("preserve_client_ip.enabled", "false", AttributeValue::Boolean),
    ("proxy_protocol_v2.enabled", "false", AttributeValue::Boolean),
    ("stickiness.enabled", "false", AttributeValue::Boolean),
    ("stickiness.type", "source_ip", AttributeValue::OneOf(&["source_ip"])),
    FAILOVER_COUNT,
    FAILOVER_PERCENTAGE,
    ROUTING_COUNT,
    ROUTING_PERCENTAGE,
    ("target_health_state.unhealthy.connection_termination.enabled", "true", AttributeValue::Boolean),
    ("target_health_state.unhealthy.draining_interval_seconds", "0", AttributeValue::Integer(0, 360_000)),
];

impl TargetGroup {
    /// Whether it is for network load balancers.
    #[must_use]
    pub fn is_network(&self) -> bool {
        self.protocol == "TCP"
    }

    /// The attributes that it has, in key order.
    #[must_use]
    pub fn attribute_table(&self) -> &'static [Attribute] {
        if self.is_network() { NETWORK_ATTRIBUTES } else { ATTRIBUTES }
    }

    /// The value of an attribute; empty for an unknown key.
    #[must_use]
    pub fn attribute(&self, key: &str) -> &str {
        attribute_value(&self.attributes, self.attribute_table(), key).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matcher_table() {
        let rows = [
            ("200", Some(vec![(200, 200)])),
            ("200,202", Some(vec![(200, 200), (202, 202)])),
            ("200-299", Some(vec![(200, 299)])),
            ("200-299,404", Some(vec![(200, 299), (404, 404)])),
            ("", None),
            ("299-200", None),
            ("500", None),
            ("200,", None),
            ("0200", None),
        ];
        for (text, expected) in rows {
            assert_eq!(HealthCheck::parse_matcher(text), expected, "{text}");
        }
    }
}
