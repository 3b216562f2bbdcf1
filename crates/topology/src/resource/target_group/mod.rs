//! Target groups, their health checks and their targets. Health itself is observed, not stored.

mod kind;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Tags;
use super::attribute::{AttributeError, Attributes, Choice, Flag, Number, Owner, TextValue};
use super::health_check::HealthCheck;
use crate::id::{InstanceId, LoadBalancerId, TargetGroupId, VpcId, Zone};
use crate::net::Family;
use crate::time::Moment;
pub use kind::{HttpVersion, Registered, TargetGroupKind};

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
    /// The instance that it was registered as, in groups of instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// Its address; an instance's primary one.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Where it lies.
    pub zone: TargetZone,
    /// `draining` until this moment, when it is forgotten.
    pub draining_until: Option<Moment>,
}

impl Target {
    /// Its id, as AWS has it.
    #[must_use]
    pub fn id(&self) -> String {
        self.instance.map_or_else(|| self.address.to_string(), |instance| instance.to_string())
    }
}

/// A target group. Its targets, how they are probed and which attributes it has fit its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct TargetGroup {
    /// Its id.
    pub id: TargetGroupId,
    /// Its name.
    pub name: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// The port of targets that name none.
    pub port: u16,
    /// Its tags.
    pub tags: Tags,
    family: Family,
    health_check: HealthCheck,
    attributes: Attributes,
    members: Members,
}

/// What is in a target group; its kind is told by it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Members {
    Http(Registered, HttpVersion, Vec<Target>),
    Https(Registered, HttpVersion, Vec<Target>),
    Tcp(Registered, Vec<Target>),
    Tls(Registered, Vec<Target>),
    Alb(Option<LoadBalancerId>),
}

impl Members {
    /// What its targets are registered by, and they; `None` where one load balancer is the target.
    const fn list(&self) -> Option<(Registered, &Vec<Target>)> {
        match self {
            Self::Http(by, _, targets)
            | Self::Https(by, _, targets)
            | Self::Tcp(by, targets)
            | Self::Tls(by, targets) => Some((*by, targets)),
            Self::Alb(_) => None,
        }
    }

    /// The same, to be changed.
    const fn list_mut(&mut self) -> Option<(Registered, &mut Vec<Target>)> {
        match self {
            Self::Http(by, _, targets)
            | Self::Https(by, _, targets)
            | Self::Tcp(by, targets)
            | Self::Tls(by, targets) => Some((*by, targets)),
            Self::Alb(_) => None,
        }
    }
}

/// What a target group is made of.
#[derive(Debug, Clone)]
pub struct NewTargetGroup {
    /// Its id.
    pub id: TargetGroupId,
    /// Its name.
    pub name: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// What it speaks, and what is in it.
    pub kind: TargetGroupKind,
    /// Of which family the addresses of its targets are.
    pub family: Family,
    /// The port of targets that name none.
    pub port: u16,
    /// How targets are probed.
    pub health_check: HealthCheck,
    /// Its tags.
    pub tags: Tags,
}

/// Why there can be no such target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetGroupError {
    /// The protocol and the type of the targets do not go together.
    Kind {
        /// The type.
        target_type: &'static str,
        /// The protocol.
        protocol: String,
    },
    /// Targets of this type have no addresses of IPv6 here.
    Family(&'static str),
    /// A target's address is of the other family.
    Address(IpAddr, Family),
    /// Targets of its kind are not probed so.
    Probe(&'static str),
    /// It takes targets of another kind.
    Members(&'static str),
    /// A target is registered twice.
    Twice(String, u16),
    /// An attribute is none of its.
    Attribute(AttributeError),
}

impl fmt::Display for TargetGroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { target_type, protocol } => {
                write!(f, "Protocol '{protocol}' is not supported with target type '{target_type}'")
            }
            Self::Family(target_type) => {
                write!(f, "IP address type 'ipv6' is not supported with target type '{target_type}'")
            }
            Self::Address(address, family) => write!(f, "The IP address '{address}' is not a valid {family} address"),
            Self::Probe(protocol) => write!(f, "health check protocol '{protocol}' is not for targets of its kind"),
            Self::Members(target_type) => {
                write!(f, "a target group with target type '{target_type}' takes other targets")
            }
            Self::Twice(id, port) => write!(f, "target {id}:{port} is registered twice"),
            Self::Attribute(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TargetGroupError {}

impl TargetGroup {
    /// A target group without targets, whose attributes are at their defaults.
    ///
    /// # Errors
    /// When targets of its kind are not probed so.
    pub fn new(wanted: NewTargetGroup) -> Result<Self, TargetGroupError> {
        let NewTargetGroup { id, name, vpc, kind, family, port, health_check, tags } = wanted;
        if family == Family::Ipv6 && kind.target_type() != Registered::Ip.target_type() {
            return Err(TargetGroupError::Family(kind.target_type()));
        }
        let members = match kind {
            TargetGroupKind::Http(by, version) => Members::Http(by, version, Vec::new()),
            TargetGroupKind::Https(by, version) => Members::Https(by, version, Vec::new()),
            TargetGroupKind::Tcp(by) => Members::Tcp(by, Vec::new()),
            TargetGroupKind::Tls(by) => Members::Tls(by, Vec::new()),
            TargetGroupKind::Alb => Members::Alb(None),
        };
        check_probe(kind, &health_check)?;
        let attributes = Attributes::new(kind.owner());
        Ok(Self { id, name, vpc, port, tags, family, health_check, attributes, members })
    }

    /// What it speaks, and what is in it.
    #[must_use]
    pub const fn kind(&self) -> TargetGroupKind {
        match self.members {
            Members::Http(by, version, _) => TargetGroupKind::Http(by, version),
            Members::Https(by, version, _) => TargetGroupKind::Https(by, version),
            Members::Tcp(by, _) => TargetGroupKind::Tcp(by),
            Members::Tls(by, _) => TargetGroupKind::Tls(by),
            Members::Alb(_) => TargetGroupKind::Alb,
        }
    }

    /// Of which family the addresses of its targets are.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Its targets that are addresses or instances, in registration order; each (instance or address, port) is there once.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        self.members.list().map_or(&[], |(_, targets)| targets)
    }

    /// Its target, where that is a load balancer.
    #[must_use]
    pub const fn alb(&self) -> Option<LoadBalancerId> {
        match &self.members {
            Members::Alb(balancer) => *balancer,
            Members::Http(..) | Members::Https(..) | Members::Tcp(..) | Members::Tls(..) => None,
        }
    }

    /// How targets are probed.
    #[must_use]
    pub const fn health_check(&self) -> &HealthCheck {
        &self.health_check
    }

    /// Its attributes.
    #[must_use]
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Gives it other addresses or instances.
    ///
    /// # Errors
    /// When it takes none of their kind, or one stands there twice.
    pub fn set_targets(&mut self, wanted: Vec<Target>) -> Result<(), TargetGroupError> {
        // An instance that was terminated may have had an address that another has now: each counts for itself.
        let place = |target: &Target| (target.instance, target.address, target.port);
        let mut places: Vec<_> = wanted.iter().map(place).collect();
        places.sort_unstable();
        if let Some([twice, _]) = places.array_windows().find(|[one, next]| one == next) {
            let id = wanted.iter().find(|target| place(target) == *twice).map(Target::id);
            return Err(TargetGroupError::Twice(id.unwrap_or_default(), twice.2));
        }
        if let Some(other) = wanted.iter().find(|target| Family::of(target.address) != self.family) {
            return Err(TargetGroupError::Address(other.address, self.family));
        }
        let others = TargetGroupError::Members(self.kind().target_type());
        match self.members.list_mut() {
            Some((by, targets)) if wanted.iter().all(|target| by.admits(target)) => {
                *targets = wanted;
                Ok(())
            }
            Some(_) | None => Err(others),
        }
    }

    /// Forgets the addresses and instances for which this does not hold.
    pub fn retain_targets(&mut self, is_kept: impl FnMut(&Target) -> bool) {
        if let Some((_, targets)) = self.members.list_mut() {
            targets.retain(is_kept);
        }
    }

    /// Gives it another load balancer as its target, or none.
    ///
    /// # Errors
    /// When its targets are addresses or instances.
    pub fn set_alb(&mut self, wanted: Option<LoadBalancerId>) -> Result<(), TargetGroupError> {
        match &mut self.members {
            Members::Alb(balancer) => *balancer = wanted,
            Members::Http(..) | Members::Https(..) | Members::Tcp(..) | Members::Tls(..) => {
                return Err(TargetGroupError::Members(self.kind().target_type()));
            }
        }
        Ok(())
    }

    /// Probes its targets in another way.
    ///
    /// # Errors
    /// When targets of its kind are not probed so.
    pub fn set_health_check(&mut self, wanted: HealthCheck) -> Result<(), TargetGroupError> {
        check_probe(self.kind(), &wanted)?;
        self.health_check = wanted;
        Ok(())
    }

    /// Whether targets see the client's address in place of a node's: as it was set, or as is usual for its kind.
    #[must_use]
    pub fn preserves_client(&self) -> bool {
        match self.kind() {
            TargetGroupKind::Alb => true,
            kind if !self.attributes.is_set(PRESERVES_CLIENT.key()) => kind.preserves_client(),
            _ => self.attributes.is_on(PRESERVES_CLIENT),
        }
    }

    /// Its attributes with their values, in key order. One default depends on what its targets are.
    pub fn shown(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.attributes.shown().map(|(key, value)| {
            let is_meant = key == PRESERVES_CLIENT.key() && self.kind().is_network();
            (key, if is_meant { self.preserves_client().to_string() } else { value })
        })
    }

    /// Whether clients stay with a target.
    #[must_use]
    pub fn is_sticky(&self) -> bool {
        self.kind().is_web() && self.attributes.is_on(IS_STICKY)
    }

    /// How long a target's connections go on once it is unhealthy, which it is called `unhealthy.draining` meanwhile; `None` where they
    /// go on until they end by themselves (NLB user guide, "Edit target group attributes", 2026-11).
    #[must_use]
    pub fn drains_ill(&self) -> Option<Duration> {
        drains_ill(&self.attributes)
    }

    /// Sets attributes: all of them, or none.
    ///
    /// # Errors
    /// As [`Attributes::set`], and when they do not go together.
    pub fn set_attributes(&mut self, wanted: &[(String, String)]) -> Result<(), AttributeError> {
        let mut attributes = self.attributes.clone();
        wanted.iter().try_for_each(|(key, value)| attributes.set(key, value))?;
        check_together(&attributes)?;
        self.attributes = attributes;
        Ok(())
    }
}

const ENDS_WITH_HEALTH: Flag =
    Flag::of(Owner::TcpGroup, "target_health_state.unhealthy.connection_termination.enabled");
const DRAINS_ILL_S: Number = Number::of(Owner::TcpGroup, "target_health_state.unhealthy.draining_interval_seconds");

/// As [`TargetGroup::drains_ill`].
pub(crate) fn drains_ill(attributes: &Attributes) -> Option<Duration> {
    if attributes.is_on(ENDS_WITH_HEALTH) {
        return Some(Duration::ZERO);
    }
    let interval = Duration::from_secs(attributes.number(DRAINS_ILL_S).into());
    Some(interval).filter(|interval| !interval.is_zero())
}

/// `preserve_client_ip.enabled`
const PRESERVES_CLIENT: Flag = Flag::of(Owner::TcpGroup, "preserve_client_ip.enabled");
const IS_ROUND_ROBIN: Choice<bool, 3> = Choice::of(
    Owner::HttpGroup,
    "load_balancing.algorithm.type",
    [("round_robin", true), ("least_outstanding_requests", false), ("weighted_random", false)],
);
const IS_RANDOM: Choice<bool, 3> = Choice::of(
    Owner::HttpGroup,
    "load_balancing.algorithm.type",
    [("round_robin", false), ("least_outstanding_requests", false), ("weighted_random", true)],
);
/// `load_balancing.algorithm.anomaly_mitigation`
pub(crate) const MITIGATES: Choice<bool, 2> =
    Choice::of(Owner::HttpGroup, "load_balancing.algorithm.anomaly_mitigation", [("off", false), ("on", true)]);
/// `load_balancing.cross_zone.enabled`, where that of the load balancer is on.
pub(crate) const IS_CROSS_ZONE: Choice<bool, 3> = Choice::of(
    Owner::HttpGroup,
    "load_balancing.cross_zone.enabled",
    [("use_load_balancer_configuration", true), ("true", true), ("false", false)],
);
/// `stickiness.enabled`
pub(crate) const IS_STICKY: Flag = Flag::of(Owner::HttpGroup, "stickiness.enabled");
/// `stickiness.type`, whether it is `app_cookie`.
pub(crate) const IS_BOUND_BY_TARGET: Choice<bool, 2> =
    Choice::of(Owner::HttpGroup, "stickiness.type", [("lb_cookie", false), ("app_cookie", true)]);
/// `stickiness.app_cookie.cookie_name`
pub(crate) const COOKIE_NAME: TextValue = TextValue::of(Owner::HttpGroup, "stickiness.app_cookie.cookie_name");
/// `slow_start.duration_seconds`
pub(crate) const SLOW_START_S: Number = Number::of(Owner::HttpGroup, "slow_start.duration_seconds");

/// What goes together (ALB and NLB user guides, "Edit target group attributes", 2026-11; the sentences are ours).
fn check_together(attributes: &Attributes) -> Result<(), AttributeError> {
    if attributes.owner() != Owner::HttpGroup {
        return match attributes.number(DRAINS_ILL_S) > 0 && attributes.is_on(ENDS_WITH_HEALTH) {
            true => Err(AttributeError::Together(
                "An unhealthy draining interval is supported with connection termination for unhealthy targets off only",
            )),
            false => Ok(()),
        };
    }
    let is_sticky = attributes.is_on(IS_STICKY);
    let is_named = !attributes.text(COOKIE_NAME).is_empty();
    let rows = [
        (
            attributes.number(SLOW_START_S) > 0 && !attributes.chosen(IS_ROUND_ROBIN),
            "Slow start is supported with the load balancing algorithm 'round_robin' only",
        ),
        (
            attributes.chosen(MITIGATES) && !attributes.chosen(IS_RANDOM),
            "Anomaly mitigation is supported with the load balancing algorithm 'weighted_random' only",
        ),
        (
            is_sticky && attributes.chosen(IS_RANDOM),
            "Stickiness is not supported with the load balancing algorithm 'weighted_random'",
        ),
        (
            is_sticky && !attributes.chosen(IS_CROSS_ZONE),
            "Stickiness is not supported on a target group whose cross-zone load balancing is off",
        ),
        (
            is_sticky && attributes.chosen(IS_BOUND_BY_TARGET) && !is_named,
            "A cookie name must be specified for application-based stickiness",
        ),
    ];
    rows.into_iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(()), |(_, why)| Err(AttributeError::Together(why)))
}

fn check_probe(kind: TargetGroupKind, check: &HealthCheck) -> Result<(), TargetGroupError> {
    let probe = check.probe();
    if kind.is_probed_by(probe) { Ok(()) } else { Err(TargetGroupError::Probe(probe.protocol())) }
}

/// What is in a target group, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum StoredType {
    #[default]
    Ip,
    Instance,
    Alb,
}

/// How it is kept.
#[derive(Serialize, Deserialize)]
struct Stored {
    id: TargetGroupId,
    name: String,
    vpc: VpcId,
    #[serde(default)]
    target_type: StoredType,
    protocol: String,
    protocol_version: String,
    #[serde(default, skip_serializing_if = "Family::is_default")]
    family: Family,
    port: u16,
    health_check: HealthCheck,
    attributes: BTreeMap<String, String>,
    targets: Vec<Target>,
    #[serde(default)]
    alb: Option<LoadBalancerId>,
    tags: Tags,
}

impl TryFrom<Stored> for TargetGroup {
    type Error = TargetGroupError;
    fn try_from(kept: Stored) -> Result<Self, TargetGroupError> {
        let by = match kept.target_type {
            StoredType::Ip => Some(Registered::Ip),
            StoredType::Instance => Some(Registered::Instance),
            StoredType::Alb => None,
        };
        let version = HttpVersion::named(&kept.protocol_version);
        let kind = match (by, kept.protocol.as_str(), version) {
            (Some(by), "HTTP", Some(version)) => TargetGroupKind::Http(by, version),
            (Some(by), "HTTPS", Some(version)) => TargetGroupKind::Https(by, version),
            (Some(by), "TCP", None) => TargetGroupKind::Tcp(by),
            (Some(by), "TLS", None) => TargetGroupKind::Tls(by),
            (None, "TCP", None) => TargetGroupKind::Alb,
            (by, ..) => {
                let target_type = by.map_or("alb", Registered::target_type);
                return Err(TargetGroupError::Kind { target_type, protocol: kept.protocol });
            }
        };
        let Stored { id, name, vpc, family, port, health_check, tags, .. } = kept;
        let mut group = Self::new(NewTargetGroup { id, name, vpc, kind, family, port, health_check, tags })?;
        group.attributes = Attributes::stored(kind.owner(), kept.attributes).map_err(TargetGroupError::Attribute)?;
        if !kept.targets.is_empty() {
            group.set_targets(kept.targets)?;
        }
        if kept.alb.is_some() {
            group.set_alb(kept.alb)?;
        }
        Ok(group)
    }
}

impl From<TargetGroup> for Stored {
    fn from(group: TargetGroup) -> Self {
        let (kind, alb) = (group.kind(), group.alb());
        let (target_type, targets) = match group.members {
            Members::Http(by, _, targets)
            | Members::Https(by, _, targets)
            | Members::Tcp(by, targets)
            | Members::Tls(by, targets) => match by {
                Registered::Ip => (StoredType::Ip, targets),
                Registered::Instance => (StoredType::Instance, targets),
            },
            Members::Alb(_) => (StoredType::Alb, Vec::new()),
        };
        Self {
            id: group.id,
            name: group.name,
            vpc: group.vpc,
            target_type,
            protocol: kind.protocol().to_owned(),
            protocol_version: kind.protocol_version().unwrap_or_default().to_owned(),
            family: group.family,
            port: group.port,
            health_check: group.health_check,
            attributes: group.attributes.kept(),
            targets,
            alb,
            tags: group.tags,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::health_check::{Pace, Probe};
    use super::*;

    fn check(probe: Probe) -> HealthCheck {
        let pace = Pace { interval_s: 30, timeout_s: 5, healthy_threshold: 5, unhealthy_threshold: 2 };
        HealthCheck::new(None, probe, pace).unwrap()
    }

    fn http() -> HealthCheck {
        check(Probe::Http { is_secure: false, path: "/".parse().unwrap(), matcher: "200".parse().unwrap() })
    }

    fn made(kind: TargetGroupKind, health_check: HealthCheck) -> Result<TargetGroup, TargetGroupError> {
        let (id, vpc) = (TargetGroupId::from_bits(1), VpcId::from_bits(2));
        TargetGroup::new(NewTargetGroup {
            id,
            name: "g".to_owned(),
            vpc,
            kind,
            family: Family::Ipv4,
            port: 80,
            health_check,
            tags: Tags::new(),
        })
    }

    #[test]
    fn a_group_has_addresses_of_its_family() {
        let of_ipv6 = |kind| {
            let id = TargetGroupId::from_bits(1);
            let (vpc, health_check, tags) = (VpcId::from_bits(2), http(), Tags::new());
            let family = Family::Ipv6;
            TargetGroup::new(NewTargetGroup {
                id,
                name: "g".to_owned(),
                vpc,
                kind,
                family,
                port: 80,
                health_check,
                tags,
            })
        };
        let instances = of_ipv6(TargetGroupKind::Http(Registered::Instance, HttpVersion::Http1));
        assert_eq!(instances, Err(TargetGroupError::Family("instance")));
        let mut group = of_ipv6(TargetGroupKind::Http(Registered::Ip, HttpVersion::Http1)).unwrap();
        let refused = group.set_targets(vec![target(1)]);
        assert_eq!(refused, Err(TargetGroupError::Address([10, 0, 0, 1].into(), Family::Ipv6)));
        let six = Target { address: "2001:db8::1".parse().unwrap(), ..target(1) };
        assert_eq!(group.set_targets(vec![six.clone()]), Ok(()));
        let kept = serde_json::to_string(&group).unwrap();
        assert_eq!(serde_json::from_str::<TargetGroup>(&kept).unwrap(), group);
        let mut plain = made(TargetGroupKind::Http(Registered::Ip, HttpVersion::Http1), http()).unwrap();
        assert!(plain.set_targets(vec![six]).is_err());
    }

    fn target(last: u8) -> Target {
        let address = [10, 0, 0, last].into();
        Target { instance: None, address, port: 80, zone: TargetZone::All, draining_until: None }
    }

    #[test]
    fn a_group_has_members_of_its_kind_once_each() {
        let mut of_addresses = made(TargetGroupKind::Http(Registered::Ip, HttpVersion::Http1), http()).unwrap();
        assert_eq!(of_addresses.set_alb(Some(LoadBalancerId::from_bits(3))), Err(TargetGroupError::Members("ip")));
        let twice = of_addresses.set_targets(vec![target(1), target(2), target(1)]);
        assert_eq!(twice, Err(TargetGroupError::Twice("10.0.0.1".to_owned(), 80)));
        assert_eq!(of_addresses.targets(), []);
        let instance = |n| Target { instance: Some(InstanceId::from_bits(n)), ..target(1) };
        assert_eq!(of_addresses.set_targets(vec![instance(1)]), Err(TargetGroupError::Members("ip")));
        let mut of_instances = made(TargetGroupKind::Https(Registered::Instance, HttpVersion::Http1), http()).unwrap();
        assert_eq!(of_instances.set_targets(vec![target(1)]), Err(TargetGroupError::Members("instance")));
        assert_eq!(
            of_instances.set_targets(vec![instance(1), instance(2)]),
            Ok(()),
            "one may have the other's address"
        );
        let mut of_balancers = made(TargetGroupKind::Alb, http()).unwrap();
        assert_eq!(of_balancers.set_targets(vec![target(1)]), Err(TargetGroupError::Members("alb")));
    }

    #[test]
    fn a_group_is_probed_as_its_kind_allows() {
        for kind in [TargetGroupKind::Http(Registered::Instance, HttpVersion::Http1), TargetGroupKind::Alb] {
            assert_eq!(made(kind, check(Probe::Tcp)), Err(TargetGroupError::Probe("TCP")));
        }
        assert!(made(TargetGroupKind::Tcp(Registered::Ip), check(Probe::Tcp)).is_ok());
    }

    #[test]
    fn a_kept_group_whose_parts_do_not_fit_is_refused() {
        let mut group = made(TargetGroupKind::Http(Registered::Ip, HttpVersion::Http1), http()).unwrap();
        group.set_targets(vec![target(1)]).unwrap();
        let kept = serde_json::to_string(&group).unwrap();
        assert_eq!(serde_json::from_str::<TargetGroup>(&kept).unwrap(), group);
        let (typed, spoken) = ("\"target_type\":\"Ip\"", "\"protocol\":\"HTTP\",\"protocol_version\":\"HTTP1\"");
        let network = "\"protocol\":\"TCP\",\"protocol_version\":\"\"";
        let of_balancers = kept.replace(typed, "\"target_type\":\"Alb\"");
        let rows = [
            (of_balancers.clone(), "Protocol 'HTTP' is not supported with target type 'alb'"),
            (of_balancers.replace(spoken, network), "a target group with target type 'alb' takes other targets"),
            (kept.replace("\"alb\":null", "\"alb\":\"0000000000000003\""), "target type 'ip' takes other targets"),
        ];
        for (kept, words) in rows {
            let refused = serde_json::from_str::<TargetGroup>(&kept).unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
