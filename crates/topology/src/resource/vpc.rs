//! VPCs, subnets, network ACLs and DHCP options. ACLs and DHCP options are records: nothing reads them when traffic flows
//! (`docs/differences-from-aws.md`).

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{DhcpOptionsId, NetworkAclAssociationId, NetworkAclId, SubnetId, VpcCidrAssociationId, VpcId, Zone};

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// Its id.
    pub id: VpcId,
    /// Its block, /16 to /28.
    pub cidr: Ipv4Net,
    /// The association of that block.
    pub cidr_association: VpcCidrAssociationId,
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
    /// Its DHCP options.
    pub dhcp_options: DhcpOptionsId,
    /// Its tags.
    pub tags: Tags,
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

/// A set of DHCP options: each region has one, the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpOptions {
    /// Its id.
    pub id: DhcpOptionsId,
    /// Its tags.
    pub tags: Tags,
}
