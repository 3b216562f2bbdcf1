//! VPC peering connections: which two VPCs one joins, and how far it has come (VPC peering guide, "VPC peering connection lifecycle",
//! 2026-11). Both VPCs are of one realm.

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{VpcId, VpcPeeringConnectionId};
use crate::time::Moment;

/// How a peering connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeeringEnd {
    /// Its VPCs have addresses in common.
    Failed,
    /// Nobody accepted it in time.
    Expired,
    /// The other side did not want it.
    Rejected,
    /// It was deleted.
    Deleted,
}

/// The state of a peering connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeeringState {
    /// Until this moment.
    Initiating(Moment),
    /// It may be accepted until this moment.
    PendingAcceptance(Moment),
    /// Accepted; it carries traffic from this moment on.
    Provisioning(Moment),
    /// It carries traffic.
    Active,
    /// Over; listed until this moment, then forgotten.
    Ended(PeeringEnd, Moment),
}

impl PeeringState {
    /// Its code in the EC2 API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Initiating(_) => "initiating-request",
            Self::PendingAcceptance(_) => "pending-acceptance",
            Self::Provisioning(_) => "provisioning",
            Self::Active => "active",
            Self::Ended(PeeringEnd::Failed, _) => "failed",
            Self::Ended(PeeringEnd::Expired, _) => "expired",
            Self::Ended(PeeringEnd::Rejected, _) => "rejected",
            Self::Ended(PeeringEnd::Deleted, _) => "deleted",
        }
    }

    /// When it becomes another by itself, if it does.
    #[must_use]
    pub const fn until(self) -> Option<Moment> {
        match self {
            Self::Active => None,
            Self::Initiating(until)
            | Self::PendingAcceptance(until)
            | Self::Provisioning(until)
            | Self::Ended(_, until) => Some(until),
        }
    }
}

/// A VPC peering connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcPeeringConnection {
    /// Its id.
    pub id: VpcPeeringConnectionId,
    /// The VPC that asked for it.
    pub requester: VpcId,
    /// The VPC that was asked.
    pub accepter: VpcId,
    /// How far it has come.
    pub state: PeeringState,
    /// When the request runs out unless it is accepted.
    pub expires: Moment,
    /// Its tags.
    pub tags: Tags,
}

impl VpcPeeringConnection {
    /// Whether it joins these two, whichever of them asked.
    #[must_use]
    pub fn joins(&self, one: VpcId, other: VpcId) -> bool {
        [(one, other), (other, one)].contains(&(self.requester, self.accepter))
    }

    /// Whether this VPC is at one of its ends.
    #[must_use]
    pub fn is_of(&self, vpc: VpcId) -> bool {
        self.requester == vpc || self.accepter == vpc
    }

    /// Whether it carries traffic.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == PeeringState::Active
    }

    /// Whether it has not come to its end.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self.state, PeeringState::Ended(..))
    }
}
