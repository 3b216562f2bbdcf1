//! VPC links (V2): the way from the gateway into a VPC.

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{NetworkInterfaceId, SecurityGroupId, SubnetId, VpcId, VpcLinkId};
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
