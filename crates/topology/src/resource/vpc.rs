//! VPCs, subnets, network ACLs and DHCP options. ACLs, DHCP options and IPv6 blocks are records: nothing reads them when
//! traffic flows (`docs/differences-from-aws.md`).

use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{
    DhcpOptionsId, NetworkAclAssociationId, NetworkAclId, SubnetCidrAssociationId, SubnetId, VpcCidrAssociationId,
    VpcId, Zone,
};

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// Its id.
    pub id: VpcId,
    /// Its block, /16 to /28.
    pub cidr: Ipv4Net,
    /// The association of that block.
    pub cidr_association: VpcCidrAssociationId,
    /// The blocks that were associated later.
    #[serde(default)]
    pub secondary_cidrs: Vec<(VpcCidrAssociationId, Ipv4Net)>,
    /// Its IPv6 blocks, /56 each.
    #[serde(default)]
    pub ipv6_cidrs: Vec<(VpcCidrAssociationId, Ipv6Net)>,
    /// Whether it is the default VPC of its region.
    pub is_default: bool,
    /// `enableDnsSupport`; true when unset.
    pub enable_dns_support: bool,
    /// `enableDnsHostnames`; false when unset, true in a default VPC.
    pub enable_dns_hostnames: bool,
    /// `enableNetworkAddressUsageMetrics`; false when unset.
    pub enable_network_address_usage_metrics: bool,
    /// `default` or `dedicated`.
    pub instance_tenancy: String,
    /// Its DHCP options; `None` after it was told to have none (`default`).
    pub dhcp_options: Option<DhcpOptionsId>,
    /// Its tags.
    pub tags: Tags,
}

impl Vpc {
    /// Its IPv4 blocks with their associations, the first one first.
    pub fn cidrs(&self) -> impl Iterator<Item = (VpcCidrAssociationId, Ipv4Net)> + '_ {
        std::iter::once((self.cidr_association, self.cidr)).chain(self.secondary_cidrs.iter().copied())
    }
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its block, within the VPC's.
    pub cidr: Ipv4Net,
    /// Its IPv6 block, a /64 within one of the VPC's.
    #[serde(default)]
    pub ipv6_cidr: Option<(SubnetCidrAssociationId, Ipv6Net)>,
    /// `AssignIpv6AddressOnCreation`; false when unset.
    #[serde(default)]
    pub assign_ipv6: bool,
    /// Its zone.
    pub zone: Zone,
    /// `MapPublicIpOnLaunch`; false when unset.
    pub map_public_ip_on_launch: bool,
    /// Whether it is the default subnet of its zone.
    pub default_for_az: bool,
    /// `EnableDns64`; false when unset.
    pub enable_dns64: bool,
    /// `EnableResourceNameDnsARecord`; false when unset.
    pub resource_name_dns_a: bool,
    /// `EnableResourceNameDnsAAAARecord`; false when unset.
    pub resource_name_dns_aaaa: bool,
    /// `ip-name` or `resource-name`.
    pub private_dns_hostname_type: String,
    /// Its tags.
    pub tags: Tags,
}

impl Subnet {
    /// Whether an address lies in its block of that family.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.cidr.contains(&address),
            IpAddr::V6(address) => self.ipv6_cidr.is_some_and(|(_, block)| block.contains(&address)),
        }
    }
}

/// Allow or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AclAction {
    /// `allow`
    Allow,
    /// `deny`
    Deny,
}

/// An entry of a network ACL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclEntry {
    /// 1–32766; 32767 is the final deny and is not stored.
    pub rule_number: u16,
    /// Whether it judges what leaves.
    pub egress: bool,
    /// The protocol number, −1 for all.
    pub protocol: i16,
    /// Allow or deny.
    pub action: AclAction,
    /// An IPv4 block, as given.
    pub cidr: Option<String>,
    /// An IPv6 block, as given.
    pub ipv6_cidr: Option<String>,
    /// First and last port, for TCP and UDP.
    pub ports: Option<(u16, u16)>,
    /// ICMP type and code.
    pub icmp: Option<(i16, i16)>,
}

/// A network ACL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAcl {
    /// Its id.
    pub id: NetworkAclId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Whether it is its VPC's default ACL.
    pub is_default: bool,
    /// Its entries, without the final denies.
    pub entries: Vec<NetworkAclEntry>,
    /// The subnets it is associated with: each subnet has exactly one ACL.
    pub associations: Vec<(NetworkAclAssociationId, SubnetId)>,
    /// Its tags.
    pub tags: Tags,
}

/// One of a set of DHCP options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpConfiguration {
    /// `domain-name`, for example.
    pub key: String,
    /// Its values.
    pub values: Vec<String>,
}

/// A set of DHCP options. Each region has one of its own from the start, which says what the region says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpOptions {
    /// Its id.
    pub id: DhcpOptionsId,
    /// The options; none in the region's own set.
    #[serde(default)]
    pub configurations: Vec<DhcpConfiguration>,
    /// Its tags.
    pub tags: Tags,
}

impl DhcpOptions {
    /// Whether it is the region's own set.
    #[must_use]
    pub fn is_regions_own(&self) -> bool {
        self.configurations.is_empty()
    }
}
