//! Network interfaces (ENIs): those that users make and those that an instance, a load balancer, a link, a NAT gateway, an endpoint or
//! an attachment owns.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{
    InstanceId, InterfaceAttachmentId, LoadBalancerId, NatGatewayId, NetworkInterfaceId, SecurityGroupId, SubnetId,
    VpcEndpointId, VpcId, VpcLinkId,
};

/// Whose interface it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InterfaceOwner {
    /// Made by CreateNetworkInterface.
    User,
    /// Made by attaching a private address to a host; goes with its last attachment.
    Attachment,
    /// The primary interface of an instance.
    Instance(InstanceId),
    /// A node of a load balancer.
    LoadBalancer(LoadBalancerId),
    /// A VPC link.
    VpcLink(VpcLinkId),
    /// A NAT gateway.
    NatGateway(NatGatewayId),
    /// An interface endpoint.
    VpcEndpoint(VpcEndpointId),
}

impl InterfaceOwner {
    /// Whether a service made it and users may not change or delete it.
    #[must_use]
    pub const fn is_service(self) -> bool {
        !matches!(self, Self::User | Self::Attachment | Self::Instance(_))
    }

    /// Whether it is attached to what AWS has machines for.
    #[must_use]
    pub const fn is_attached(self) -> bool {
        !matches!(self, Self::User | Self::Attachment)
    }

    /// The instance, if it is one's.
    #[must_use]
    pub const fn instance(self) -> Option<InstanceId> {
        match self {
            Self::Instance(id) => Some(id),
            Self::User
            | Self::Attachment
            | Self::LoadBalancer(_)
            | Self::VpcLink(_)
            | Self::NatGateway(_)
            | Self::VpcEndpoint(_) => None,
        }
    }
}

/// A MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// Its id.
    pub id: NetworkInterfaceId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its primary address, in the subnet and no one else's.
    pub private_ip: Ipv4Addr,
    /// Its other addresses, each in the subnet and no one else's.
    #[serde(default)]
    pub secondary_ips: Vec<Ipv4Addr>,
    /// Its IPv6 addresses; the first is what it sends from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipv6_addresses: Vec<Ipv6Addr>,
    /// Its MAC address.
    pub mac: MacAddress,
    /// Its description.
    pub description: String,
    /// The groups it carries: one to sixteen.
    pub groups: Vec<SecurityGroupId>,
    /// `SourceDestCheck`; true when unset.
    pub source_dest_check: bool,
    /// Whose it is.
    pub owner: InterfaceOwner,
    /// The id of its attachment, for interfaces that a service or an instance owns.
    pub attachment: Option<InterfaceAttachmentId>,
    /// Its tags.
    pub tags: Tags,
}

impl NetworkInterface {
    /// Its addresses, the primary one first.
    pub fn private_ips(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        std::iter::once(self.private_ip).chain(self.secondary_ips.iter().copied())
    }

    /// Every address that it is reached at, of both families.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let ipv6 = self.ipv6_addresses.iter().copied().map(IpAddr::from);
        self.private_ips().map(IpAddr::from).chain(ipv6)
    }
}
