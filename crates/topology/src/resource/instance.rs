//! EC2 instances, as records: no machine is run. An instance has an interface of its own, and what serves its address is attached to it.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{InstanceId, NetworkInterfaceId, ReservationId, SubnetId, VpcId};
use crate::time::Moment;

/// Where an instance is in its life (EC2 user guide, "Instance state changes", 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceState {
    /// `pending` until this moment.
    Pending(Moment),
    /// `running`
    Running,
    /// `stopping` until this moment.
    Stopping(Moment),
    /// `stopped`
    Stopped,
    /// `shutting-down` until this moment.
    ShuttingDown(Moment),
    /// `terminated`, and listed until this moment.
    Terminated(Moment),
}

impl InstanceState {
    /// Its name, as AWS has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending(_) => "pending",
            Self::Running => "running",
            Self::Stopping(_) => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown(_) => "shutting-down",
            Self::Terminated(_) => "terminated",
        }
    }

    /// Its code (EC2 API reference, InstanceState, 2026-11).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Pending(_) => 0,
            Self::Running => 16,
            Self::ShuttingDown(_) => 32,
            Self::Terminated(_) => 48,
            Self::Stopping(_) => 64,
            Self::Stopped => 80,
        }
    }

    /// When it passes by itself.
    #[must_use]
    pub const fn until(self) -> Option<Moment> {
        match self {
            Self::Pending(until) | Self::Stopping(until) | Self::ShuttingDown(until) | Self::Terminated(until) => {
                Some(until)
            }
            Self::Running | Self::Stopped => None,
        }
    }

    /// Whether it is at its end, or on the way there.
    #[must_use]
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::ShuttingDown(_) | Self::Terminated(_))
    }
}

/// How the metadata service of an instance is set; none is here (EC2 API reference, InstanceMetadataOptionsRequest, 2026-11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    /// `optional` or `required`.
    pub tokens: String,
    /// 1–64.
    pub hops_max: u8,
    /// `enabled` or `disabled`.
    pub endpoint: String,
    /// `enabled` or `disabled`.
    pub ipv6: String,
    /// `enabled` or `disabled`.
    pub tags: String,
}

/// User data in Base64. It may hold secrets, and is shown to those alone who ask for it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserData(pub String);

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserData")
    }
}

/// What was asked for and means nothing here: it is given back as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The image; any id is taken.
    pub image: String,
    /// The type, such as `t3.micro`.
    pub kind: String,
    /// The name of a key pair; any is taken.
    pub key_name: Option<String>,
    /// User data, as given.
    pub user_data: Option<UserData>,
    /// Whether detailed monitoring was asked for.
    pub is_monitored: bool,
    /// Whether it was asked to be optimized for EBS.
    pub is_ebs_optimized: bool,
    /// `stop` or `terminate`.
    pub on_shutdown: String,
    /// `standard` or `unlimited`, where the type has CPU credits.
    pub cpu_credits: Option<String>,
    /// How its metadata service is set.
    pub metadata: MetadataOptions,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its reservation: the call that made it.
    pub reservation: ReservationId,
    /// Which of that call's instances it is, from 0.
    pub launch_index: u32,
    /// The call's token.
    pub client_token: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its primary interface, until it is terminated.
    pub interface: Option<NetworkInterfaceId>,
    /// The primary address of its interface.
    pub private_ip: Ipv4Addr,
    /// Its state.
    pub state: InstanceState,
    /// When it was last started.
    pub launched: Moment,
    /// Whether `TerminateInstances` is refused.
    pub is_kept: bool,
    /// Whether `StopInstances` is refused.
    pub is_kept_running: bool,
    /// What a machine would be.
    pub machine: Machine,
    /// Its tags.
    pub tags: Tags,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_the_names_and_codes_of_ec2() {
        let at = Moment(1);
        let rows = [
            (InstanceState::Pending(at), "pending", 0, Some(at)),
            (InstanceState::Running, "running", 16, None),
            (InstanceState::ShuttingDown(at), "shutting-down", 32, Some(at)),
            (InstanceState::Terminated(at), "terminated", 48, Some(at)),
            (InstanceState::Stopping(at), "stopping", 64, Some(at)),
            (InstanceState::Stopped, "stopped", 80, None),
        ];
        for (state, name, code, until) in rows {
            assert_eq!((state.name(), state.code(), state.until()), (name, code, until));
            assert_eq!(state.is_ending(), [32, 48].contains(&code), "{name}");
        }
    }
}
