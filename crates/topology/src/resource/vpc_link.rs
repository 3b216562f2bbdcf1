//! VPC links: the way from the gateway into a VPC. V2 has interfaces of its own; V1 (REST and WebSocket APIs only) leads to one
//! Network Load Balancer.

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::arn::ElbArn;
use crate::id::{NetworkInterfaceId, SecurityGroupId, SubnetId, VpcId, VpcLinkId, VpcLinkV1Id};
use crate::time::Moment;

/// The state of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VpcLinkState {
    /// Provisioning until this moment.
    Pending(Moment),
    /// Carries traffic.
    Available,
    /// Going, until this moment; then it is forgotten.
    Deleting(Moment),
    /// Could not be provisioned; the text says why.
    Failed(String),
    /// Carried nothing for 60 days: its interfaces are gone.
    Inactive,
}

/// A VPC link. Only its name and tags ever change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcLink {
    /// Its id.
    pub id: VpcLinkId,
    /// Its name, 1–128 characters.
    pub name: String,
    /// The VPC of its subnets.
    pub vpc: VpcId,
    /// Its subnets, 1–10.
    pub subnets: Vec<SubnetId>,
    /// The groups as given; when empty its interfaces carry the VPC's default group.
    pub groups: Vec<SecurityGroupId>,
    /// Its interfaces, one for each subnet, while it has any.
    pub interfaces: Vec<NetworkInterfaceId>,
    /// Its state.
    pub state: VpcLinkState,
    /// When it was made.
    pub created: Moment,
    /// When it last carried a request, or became available.
    pub last_used: Moment,
    /// Its tags.
    pub tags: Tags,
}

/// A VPC link of REST APIs (V1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcLinkV1 {
    /// Its id.
    pub id: VpcLinkV1Id,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// The one target: a Network Load Balancer's ARN, or another one where the link failed.
    pub target_arn: ElbArn,
    /// Its state; never [`VpcLinkState::Inactive`].
    pub state: VpcLinkState,
    /// Its tags.
    pub tags: Tags,
}
