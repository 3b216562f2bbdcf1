//! Application and network load balancers and their attributes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::Tags;
use super::attribute::{AttributeError, Attributes, Flag, Owner, TextValue};
pub use crate::arn::BalancerKind;
use crate::arn::LoadBalancerName;
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

const fn owner(kind: BalancerKind) -> Owner {
    match kind {
        BalancerKind::Application => Owner::ApplicationBalancer,
        BalancerKind::Network => Owner::NetworkBalancer,
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
    /// The interface's address, where it was asked for (`PrivateIPv4Address` of a subnet mapping).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
}

/// Attributes of one kind of log: whether there is one, its bucket, and what keys begin with.
pub(crate) type LogAttributes = (Flag, TextValue, TextValue);

/// `access_logs.s3.*`
pub(crate) const ACCESS_LOG: LogAttributes = (
    Flag::of(Owner::ApplicationBalancer, "access_logs.s3.enabled"),
    TextValue::of(Owner::ApplicationBalancer, "access_logs.s3.bucket"),
    TextValue::of(Owner::ApplicationBalancer, "access_logs.s3.prefix"),
);
/// `connection_logs.s3.*`
pub(crate) const CONNECTION_LOG: LogAttributes = (
    Flag::of(Owner::ApplicationBalancer, "connection_logs.s3.enabled"),
    TextValue::of(Owner::ApplicationBalancer, "connection_logs.s3.bucket"),
    TextValue::of(Owner::ApplicationBalancer, "connection_logs.s3.prefix"),
);
/// `health_check_logs.s3.*`
pub(crate) const HEALTH_CHECK_LOG: LogAttributes = (
    Flag::of(Owner::ApplicationBalancer, "health_check_logs.s3.enabled"),
    TextValue::of(Owner::ApplicationBalancer, "health_check_logs.s3.bucket"),
    TextValue::of(Owner::ApplicationBalancer, "health_check_logs.s3.prefix"),
);

/// The kind of a load balancer, with the attributes that were set of those that the kind has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerAttributes {
    kind: BalancerKind,
    set: Attributes,
}

impl BalancerAttributes {
    /// All at their defaults.
    #[must_use]
    pub const fn new(kind: BalancerKind) -> Self {
        Self { kind, set: Attributes::new(owner(kind)) }
    }

    /// Sets one.
    ///
    /// # Errors
    /// As [`Self::set_all`].
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), AttributeError> {
        self.set_all(&[(key.to_owned(), value.to_owned())])
    }

    /// Sets them, or none of them.
    ///
    /// # Errors
    /// As [`Attributes::set`], and when a log is to be written without a bucket.
    pub fn set_all(&mut self, wanted: &[(String, String)]) -> Result<(), AttributeError> {
        let mut set = self.set.clone();
        wanted.iter().try_for_each(|(key, value)| set.set(key, value))?;
        for (is_on, bucket, _) in [ACCESS_LOG, CONNECTION_LOG, HEALTH_CHECK_LOG] {
            if set.is_on(is_on) && set.text(bucket).is_empty() {
                return Err(AttributeError::NoBucket(bucket.key()));
            }
        }
        self.set = set;
        Ok(())
    }

    /// The buckets that logs go to.
    pub fn log_buckets(&self) -> impl Iterator<Item = &str> {
        let logs = [ACCESS_LOG, CONNECTION_LOG, HEALTH_CHECK_LOG].into_iter();
        logs.filter(|(is_on, ..)| self.set.is_on(*is_on)).map(|(_, bucket, _)| self.set.text(bucket))
    }
}

impl Deref for BalancerAttributes {
    type Target = Attributes;
    fn deref(&self) -> &Attributes {
        &self.set
    }
}

/// Whether a load balancer works yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalancerState {
    /// `provisioning` until this moment.
    Provisioning(Moment),
    /// `active`
    Active,
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct LoadBalancer {
    /// Its id.
    pub id: LoadBalancerId,
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
    /// Whether its groups judge what comes through links of version 1
    /// (`EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic`; on while nothing else was said).
    pub judges_private_link: bool,
    /// `ipv4` or `dualstack`, as given.
    pub ip_address_type: String,
    /// Its DNS name.
    pub dns_name: String,
    /// When it was made.
    pub created: Moment,
    /// Whether it works yet.
    pub state: BalancerState,
    /// Its kind and its attributes.
    pub attributes: BalancerAttributes,
    /// Its tags.
    pub tags: Tags,
}

const DENY_ALL_IGW_TRAFFIC: &str = "ipv6.deny_all_igw_traffic";

impl LoadBalancer {
    /// `IpAddressType` of one whose nodes have addresses of IPv6 too.
    pub const DUAL_STACK: &'static str = "dualstack";

    /// Whether its nodes have addresses of IPv6 too.
    #[must_use]
    pub fn is_dual_stack(&self) -> bool {
        self.ip_address_type == Self::DUAL_STACK
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> BalancerKind {
        self.attributes.kind
    }

    /// `app/NAME/ID` or `net/NAME/ID`: what ARNs and interface descriptions hold.
    #[must_use]
    pub fn full_name(&self) -> LoadBalancerName {
        LoadBalancerName { kind: self.kind(), name: self.name.clone(), id: self.id }
    }

    /// Its attributes with their values, in key order. One default depends on the scheme.
    pub fn shown(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.attributes.shown().map(|(key, value)| {
            let is_internal = self.scheme == Scheme::Internal;
            match key == DENY_ALL_IGW_TRAFFIC && is_internal && !self.attributes.is_set(key) {
                true => (key, "true".to_owned()),
                false => (key, value),
            }
        })
    }
}

/// How it is kept.
#[derive(Serialize, Deserialize)]
struct Stored {
    id: LoadBalancerId,
    /// A notebook from before there were network load balancers names none.
    #[serde(default)]
    kind: BalancerKind,
    name: String,
    scheme: Scheme,
    vpc: VpcId,
    zones: Vec<BalancerZone>,
    groups: Vec<SecurityGroupId>,
    /// Left out while nothing was said of it, as before it could be.
    #[serde(default = "yes", skip_serializing_if = "is_so")]
    judges_private_link: bool,
    ip_address_type: String,
    dns_name: String,
    created: Moment,
    /// Of no meaning once it is active.
    active_from: Moment,
    active: bool,
    attributes: BTreeMap<String, String>,
    tags: Tags,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_so(value: &bool) -> bool {
    *value
}

impl TryFrom<Stored> for LoadBalancer {
    type Error = AttributeError;
    fn try_from(kept: Stored) -> Result<Self, AttributeError> {
        let set = Attributes::stored(owner(kept.kind), kept.attributes)?;
        Ok(Self {
            id: kept.id,
            name: kept.name,
            scheme: kept.scheme,
            vpc: kept.vpc,
            zones: kept.zones,
            groups: kept.groups,
            judges_private_link: kept.judges_private_link,
            ip_address_type: kept.ip_address_type,
            dns_name: kept.dns_name,
            created: kept.created,
            state: if kept.active { BalancerState::Active } else { BalancerState::Provisioning(kept.active_from) },
            attributes: BalancerAttributes { kind: kept.kind, set },
            tags: kept.tags,
        })
    }
}

impl From<LoadBalancer> for Stored {
    fn from(balancer: LoadBalancer) -> Self {
        let (active, active_from) = match balancer.state {
            BalancerState::Active => (true, balancer.created),
            BalancerState::Provisioning(until) => (false, until),
        };
        Self {
            id: balancer.id,
            kind: balancer.attributes.kind,
            name: balancer.name,
            scheme: balancer.scheme,
            vpc: balancer.vpc,
            zones: balancer.zones,
            groups: balancer.groups,
            judges_private_link: balancer.judges_private_link,
            ip_address_type: balancer.ip_address_type,
            dns_name: balancer.dns_name,
            created: balancer.created,
            active_from,
            active,
            attributes: balancer.attributes.set.kept(),
            tags: balancer.tags,
        }
    }
}
