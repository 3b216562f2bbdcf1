//! Application and network load balancers and their attributes. Network load balancers are records: nothing carries their traffic.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{LoadBalancerId, NetworkInterfaceId, SecurityGroupId, SubnetId, VpcId, Zone};
use crate::time::Moment;

/// Who can reach a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// `internal`
    Internal,
    /// `internet-facing`
    InternetFacing,
}

/// What kind of load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum BalancerKind {
    /// `application`
    #[default]
    Application,
    /// `network`
    Network,
}

impl BalancerKind {
    /// The kind as ARNs have it.
    #[must_use]
    pub const fn in_arn(self) -> &'static str {
        match self {
            Self::Application => "app",
            Self::Network => "net",
        }
    }

    /// The kind as `Type` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Network => "network",
        }
    }

    /// The attributes of load balancers of this kind, in key order.
    #[must_use]
    pub const fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::Application => ATTRIBUTES,
            Self::Network => NETWORK_ATTRIBUTES,
        }
    }
}

/// A zone of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancerZone {
    /// The zone.
    pub zone: Zone,
    /// The subnet that serves it.
    pub subnet: SubnetId,
    /// The node's interface in it.
    pub interface: NetworkInterfaceId,
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Its id.
    pub id: LoadBalancerId,
    /// Its kind; a notebook from before there were network load balancers names none.
    #[serde(default)]
    pub kind: BalancerKind,
    /// Its name.
    pub name: String,
    /// Who can reach it.
    pub scheme: Scheme,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its zones, one subnet each: two at least for an application load balancer.
    pub zones: Vec<BalancerZone>,
    /// Its groups: one at least for an application load balancer; a network load balancer made without any gets none later.
    pub groups: Vec<SecurityGroupId>,
    /// `ipv4` or `dualstack`, as given.
    pub ip_address_type: String,
    /// Its DNS name.
    pub dns_name: String,
    /// When it was made.
    pub created: Moment,
    /// `provisioning` until this moment, then `active`.
    pub active_from: Moment,
    /// Whether that moment has come.
    pub active: bool,
    /// The attributes that were set, by key; [`ATTRIBUTES`] says the others.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Tags,
}

/// What values an attribute takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeValue {
    /// `true` or `false`.
    Boolean,
    /// A whole number within these bounds, inclusive.
    Integer(i64, i64),
    /// `off`, or a whole number within these bounds.
    OffOrInteger(i64, i64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// The name of a header: letters, digits, hyphens and underscores, 40 at most.
    HeaderName,
    /// Any text.
    Text,
}

/// Characters of the name of a header that an attribute gives (ALB user guide, "HTTP header modification", 2026-11).
const HEADER_NAME_CHARS_MAX: usize = 40;

impl AttributeValue {
    /// Whether `value` is one of them.
    #[must_use]
    pub fn admits(self, value: &str) -> bool {
        let within = |low: i64, high: i64| value.parse::<i64>().is_ok_and(|number| (low..=high).contains(&number));
        match self {
            Self::Boolean => value == "true" || value == "false",
            Self::Integer(low, high) => within(low, high),
            Self::OffOrInteger(low, high) => value == "off" || within(low, high),
            Self::OneOf(values) => values.contains(&value),
            Self::HeaderName => {
                let is_name_char = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
                (1..=HEADER_NAME_CHARS_MAX).contains(&value.len()) && value.bytes().all(is_name_char)
            }
            Self::Text => true,
        }
    }
}

/// An attribute: key, default, values.
pub type Attribute = (&'static str, &'static str, AttributeValue);

const TRUE_FALSE: AttributeValue = AttributeValue::Boolean;

/// Every attribute of an application load balancer (ALB user guide, "Application Load Balancers", 2026-11), in key order.
pub const ATTRIBUTES: &[Attribute] = &[
    ("access_logs.s3.bucket", "", AttributeValue::Text),
    ("access_logs.s3.enabled", "false", TRUE_FALSE),
    ("access_logs.s3.prefix", "", AttributeValue::Text),
    ("client_keep_alive.seconds", "3600", AttributeValue::Integer(60, 604_800)),
    ("connection_logs.s3.bucket", "", AttributeValue::Text),
    ("connection_logs.s3.enabled", "false", TRUE_FALSE),
    ("connection_logs.s3.prefix", "", AttributeValue::Text),
    ("deletion_protection.enabled", "false", TRUE_FALSE),
    ("health_check_logs.s3.bucket", "", AttributeValue::Text),
    ("health_check_logs.s3.enabled", "false", TRUE_FALSE),
    ("health_check_logs.s3.prefix", "", AttributeValue::Text),
    ("idle_timeout.timeout_seconds", "60", AttributeValue::Integer(1, 4000)),
    ("ipv6.deny_all_igw_traffic", "false", TRUE_FALSE),
    ("load_balancing.cross_zone.enabled", "true", AttributeValue::OneOf(&["true"])),
    ("routing.http.desync_mitigation_mode", "defensive", AttributeValue::OneOf(&["monitor", "defensive", "strictest"])),
    ("routing.http.drop_invalid_header_fields.enabled", "false", TRUE_FALSE),
    ("routing.http.preserve_host_header.enabled", "false", TRUE_FALSE),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", TRUE_FALSE),
    ("routing.http.xff_client_port.enabled", "false", TRUE_FALSE),
    ("routing.http.xff_header_processing.mode", "append", AttributeValue::OneOf(&["append", "preserve", "remove"])),
    ("routing.http2.enabled", "true", TRUE_FALSE),
    ("waf.fail_open.enabled", "false", TRUE_FALSE),
    ("zonal_shift.config.enabled", "false", TRUE_FALSE),
];

/// Every attribute of a network load balancer (NLB user guide, "Network Load Balancers", 2026-11), in key order.
pub const NETWORK_ATTRIBUTES: &[Attribute] = &[
    ("access_logs.s3.bucket", "", AttributeValue::Text),
    ("access_logs.s3.enabled", "false", TRUE_FALSE),
    ("access_logs.s3.prefix", "", AttributeValue::Text),
    ("deletion_protection.enabled", "false", TRUE_FALSE),
    (
        "dns_record.client_routing_policy",
        "any_availability_zone",
        AttributeValue::OneOf(&[
            "any_availability_zone",
            "availability_zone_affinity",
            "partial_availability_zone_affinity",
        ]),
    ),
    ("ipv6.deny_all_igw_traffic", "false", TRUE_FALSE),
    ("load_balancing.cross_zone.enabled", "false", TRUE_FALSE),
    ("secondary_ips.auto_assigned.per_subnet", "0", AttributeValue::Integer(0, 7)),
    ("zonal_shift.config.enabled", "false", TRUE_FALSE),
];

/// The attribute of this key in `table`.
#[must_use]
pub fn attribute(table: &'static [Attribute], key: &str) -> Option<&'static Attribute> {
    table.iter().find(|(name, ..)| *name == key)
}

/// The value of `key`: what was set, else the default, else nothing for an unknown key.
#[must_use]
pub fn attribute_value<'a>(
    set: &'a BTreeMap<String, String>,
    table: &'static [Attribute],
    key: &str,
) -> Option<&'a str> {
    set.get(key).map(String::as_str).or_else(|| attribute(table, key).map(|(_, default, _)| *default))
}

impl LoadBalancer {
    /// `app/NAME/ID` or `net/NAME/ID`: what ARNs and interface descriptions hold.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}/{}", self.kind.in_arn(), self.name, self.id)
    }

    /// The value of an attribute; empty for an unknown key.
    #[must_use]
    pub fn attribute(&self, key: &str) -> &str {
        if key == "ipv6.deny_all_igw_traffic" && self.scheme == Scheme::Internal && !self.attributes.contains_key(key) {
            return "true";
        }
        attribute_value(&self.attributes, self.kind.attributes(), key).unwrap_or_default()
    }
}
