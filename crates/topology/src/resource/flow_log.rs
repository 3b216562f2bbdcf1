//! Flow logs: of which interfaces, for which traffic, to where and in which form (VPC user guide, "Flow log records", 2026-11).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{FlowLogId, LogGroupName, NetworkInterfaceId, SubnetId, VpcId};
use crate::time::Moment;

/// Whose connections a flow log tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowSource {
    /// Those of every interface of a VPC.
    Vpc(VpcId),
    /// Those of every interface of a subnet.
    Subnet(SubnetId),
    /// Those of one interface.
    Interface(NetworkInterfaceId),
}

impl fmt::Display for FlowSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vpc(id) => id.fmt(f),
            Self::Subnet(id) => id.fmt(f),
            Self::Interface(id) => id.fmt(f),
        }
    }
}

/// Which connections a flow log tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FlowTraffic {
    /// Those that were let through.
    Accept,
    /// Those that were not.
    Reject,
    /// Both.
    All,
}

impl FlowTraffic {
    /// As the EC2 API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Reject => "REJECT",
            Self::All => "ALL",
        }
    }

    /// Whether a connection that was let through, or was not, belongs to it.
    #[must_use]
    pub const fn wants(self, is_accepted: bool) -> bool {
        match self {
            Self::Accept => is_accepted,
            Self::Reject => !is_accepted,
            Self::All => true,
        }
    }
}

/// Where its records go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowDestination {
    /// To a log group.
    Group(LogGroupName),
    /// To files of a bucket.
    Bucket {
        /// Its name, which is one folder.
        bucket: String,
        /// What keys begin with: no part of it is `.` or `..`.
        prefix: String,
    },
}

/// For how long connections are put together in one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FlowInterval {
    /// A minute.
    Minute,
    /// Ten minutes.
    TenMinutes,
}

impl FlowInterval {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Minute, Self::TenMinutes];

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::TenMinutes => 600,
        }
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident $text:literal $version:literal;)*) => {
        /// A field of a record.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum FlowField {
            $($(#[$doc])* $name,)*
        }

        impl FlowField {
            /// Every field, in the order of the guide.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in a format.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The version of records that it came with.
            #[must_use]
            pub const fn version(self) -> u8 {
                match self {
                    $(Self::$name => $version,)*
                }
            }
        }
    };
}

fields! {
    /// The highest version of the fields of the format.
    Version "version" 2;
    /// The account of the interface.
    AccountId "account-id" 2;
    /// The interface.
    InterfaceId "interface-id" 2;
    /// The sender, as the interface sees it.
    SrcAddr "srcaddr" 2;
    /// The receiver, as the interface sees it.
    DstAddr "dstaddr" 2;
    /// The sender's port.
    SrcPort "srcport" 2;
    /// The receiver's port.
    DstPort "dstport" 2;
    /// The number of the protocol.
    Protocol "protocol" 2;
    /// Packets: nobody here sees any.
    Packets "packets" 2;
    /// Bytes.
    Bytes "bytes" 2;
    /// When the first came, in seconds since 1970.
    Start "start" 2;
    /// When the last came.
    End "end" 2;
    /// Whether it was let through.
    Action "action" 2;
    /// Whether something is missing.
    LogStatus "log-status" 2;
    /// The VPC of the interface.
    VpcId "vpc-id" 3;
    /// Its subnet.
    SubnetId "subnet-id" 3;
    /// Its instance.
    InstanceId "instance-id" 3;
    /// Flags of TCP, put together.
    TcpFlags "tcp-flags" 3;
    /// `IPv4` or `IPv6`
    Type "type" 3;
    /// The sender's own address.
    PktSrcAddr "pkt-srcaddr" 3;
    /// The receiver's own address.
    PktDstAddr "pkt-dstaddr" 3;
    /// The region.
    Region "region" 4;
    /// The zone of the interface, by its id.
    AzId "az-id" 4;
    /// Wavelength and local zones, Outposts: none here.
    SublocationType "sublocation-type" 4;
    /// As before.
    SublocationId "sublocation-id" 4;
    /// The service of AWS that has the sender's address: none here.
    PktSrcAwsService "pkt-src-aws-service" 5;
    /// As before, of the receiver.
    PktDstAwsService "pkt-dst-aws-service" 5;
    /// Seen from the interface.
    FlowDirection "flow-direction" 5;
    /// By which way it leaves.
    TrafficPath "traffic-path" 5;
    /// Of containers: none here.
    EcsClusterArn "ecs-cluster-arn" 7;
    /// As before.
    EcsClusterName "ecs-cluster-name" 7;
    /// As before.
    EcsContainerInstanceArn "ecs-container-instance-arn" 7;
    /// As before.
    EcsContainerInstanceId "ecs-container-instance-id" 7;
    /// As before.
    EcsContainerId "ecs-container-id" 7;
    /// As before.
    EcsSecondContainerId "ecs-second-container-id" 7;
    /// As before.
    EcsServiceName "ecs-service-name" 7;
    /// As before.
    EcsTaskDefinitionArn "ecs-task-definition-arn" 7;
    /// As before.
    EcsTaskArn "ecs-task-arn" 7;
    /// As before.
    EcsTaskId "ecs-task-id" 7;
    /// Why block public access rejects: it is not here.
    RejectReason "reject-reason" 8;
}

/// The fields of the default format.
const DEFAULT_FIELDS: usize = 14;

/// The fields of a record, in order: one at least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlowFormat(Vec<FlowField>);

impl Default for FlowFormat {
    fn default() -> Self {
        Self(FlowField::ALL.iter().take(DEFAULT_FIELDS).copied().collect())
    }
}

/// A format that is none: what of it is unknown, or that there is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError(pub Option<String>);

impl FlowFormat {
    /// The fields.
    #[must_use]
    pub fn fields(&self) -> &[FlowField] {
        &self.0
    }

    /// The version of its records.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.0.iter().map(|field| field.version()).max().unwrap_or(2)
    }

    /// The line that files begin with.
    #[must_use]
    pub fn header(&self) -> String {
        self.0.iter().map(|field| field.name()).collect::<Vec<_>>().join(" ")
    }
}

impl FromStr for FlowFormat {
    type Err = FormatError;

    /// `${version} ${account-id}`, in any order, parted by spaces.
    fn from_str(text: &str) -> Result<Self, FormatError> {
        let field = |word: &str| {
            let name = word.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            let found = name.and_then(|name| FlowField::ALL.iter().find(|field| field.name() == name));
            found.copied().ok_or_else(|| FormatError(Some(word.to_owned())))
        };
        let fields = text.split_ascii_whitespace().map(field).collect::<Result<Vec<_>, _>>()?;
        if fields.is_empty() { Err(FormatError(None)) } else { Ok(Self(fields)) }
    }
}

impl fmt::Display for FlowFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, field) in self.0.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}${{{}}}", field.name())?;
        }
        Ok(())
    }
}

/// A flow log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLog {
    /// Its id.
    pub id: FlowLogId,
    /// Whose connections it tells of.
    pub source: FlowSource,
    /// Which of them.
    pub traffic: FlowTraffic,
    /// Where its records go.
    pub destination: FlowDestination,
    /// `DeliverLogsPermissionArn`, as given; nothing here asks for leave.
    pub role: Option<String>,
    /// What a record says.
    pub format: FlowFormat,
    /// For how long connections are put together.
    pub interval: FlowInterval,
    /// When it was made.
    pub created: Moment,
    /// Its tags.
    pub tags: Tags,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_as_they_are_written() {
        let format: FlowFormat = "${interface-id}  ${tcp-flags} ${version}".parse().unwrap();
        assert_eq!((format.version(), format.header().as_str()), (3, "interface-id tcp-flags version"));
        assert_eq!(format.to_string(), "${interface-id} ${tcp-flags} ${version}");
        assert_eq!(FlowFormat::default().to_string().parse(), Ok(FlowFormat::default()));
        assert_eq!(FlowFormat::default().version(), 2);
        assert!(FlowFormat::default().header().ends_with(" action log-status"));
        for (text, wrong) in [("", None), ("${version} vpc-id", Some("vpc-id")), ("${colour}", Some("${colour}"))] {
            assert_eq!(text.parse::<FlowFormat>(), Err(FormatError(wrong.map(str::to_owned))), "{text}");
        }
        let whole = FlowField::ALL.iter().map(|field| format!("${{{}}}", field.name())).collect::<Vec<_>>().join(" ");
        assert_eq!(whole.parse::<FlowFormat>().map(|format| (format.version(), format.fields().len())), Ok((8, 40)));
    }
}
