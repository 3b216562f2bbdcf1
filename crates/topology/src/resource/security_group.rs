//! Security groups and their rules. What a rule means is decided in [`crate::verdict`] alone.

use std::fmt;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{PrefixListId, SecurityGroupId, SecurityGroupRuleId, VpcId};
use crate::net::Direction;
use crate::net::Traffic;

/// A security group; its rules are resources of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its name, unique in the VPC without regard to case; `default` is the VPC's own.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
}

impl SecurityGroup {
    /// The name of the group that every VPC has.
    pub const DEFAULT_NAME: &'static str = "default";

    /// Whether it is its VPC's default group.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.name == Self::DEFAULT_NAME
    }
}

/// Whom a rule speaks of: exactly one of four kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RulePeer {
    /// An IPv4 block.
    Ipv4(Ipv4Net),
    /// An IPv6 block.
    Ipv6(Ipv6Net),
    /// A prefix list.
    PrefixList(PrefixListId),
    /// Another group, or the same one.
    Group(SecurityGroupId),
}

impl fmt::Display for RulePeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(net) => net.fmt(f),
            Self::Ipv6(net) => net.fmt(f),
            Self::PrefixList(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
        }
    }
}

/// A rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupRule {
    /// Its id.
    pub id: SecurityGroupRuleId,
    /// Its group.
    pub group: SecurityGroupId,
    /// Whether it judges what comes in or what goes out.
    pub direction: Direction,
    /// What it lets through.
    pub traffic: Traffic,
    /// From or to whom.
    pub peer: RulePeer,
    /// Its description.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// What makes two rules of a group the same: the description plays no part.
pub type RuleKey = (SecurityGroupId, Direction, Traffic, RulePeer);

impl SecurityGroupRule {
    /// What makes this rule the same as another.
    #[must_use]
    pub fn key(&self) -> RuleKey {
        (self.group, self.direction, self.traffic, self.peer)
    }
}
