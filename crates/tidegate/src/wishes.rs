//! What the commands ask of the server's own paths, and what it answers: the same types on both sides, as JSON.

use std::net::{Ipv4Addr, SocketAddr};

use control::{AttachRequest, Attached, DetachRequest, Place};
use serde::{Deserialize, Serialize};
use topology::id::{AccountId, NetworkInterfaceId, Realm, Region, SecurityGroupId, SubnetId, VpcId};

use crate::config::Config;

/// The account and region that are meant; the server's own when left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RealmWish {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<Region>,
}

impl RealmWish {
    /// The realm, with the server's defaults.
    pub(crate) fn realm(self, config: &Config) -> Realm {
        Realm {
            account: self.account.unwrap_or(config.account),
            region: self.region.unwrap_or_else(|| config.region.clone()),
        }
    }
}

/// `tidegate attach`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttachWish {
    #[serde(default)]
    pub(crate) realm: RealmWish,
    pub(crate) private_ip: Ipv4Addr,
    #[serde(default)]
    pub(crate) port: Option<u16>,
    pub(crate) host: SocketAddr,
    #[serde(default)]
    pub(crate) vpc: Option<VpcId>,
    #[serde(default)]
    pub(crate) security_groups: Vec<SecurityGroupId>,
}

impl AttachWish {
    /// What control is asked.
    pub(crate) fn request(self) -> AttachRequest {
        AttachRequest {
            place: Place::Address(self.private_ip, self.vpc),
            port: self.port,
            host: self.host,
            groups: self.security_groups,
            lease: false,
        }
    }
}

/// `tidegate detach`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetachWish {
    #[serde(default)]
    pub(crate) realm: RealmWish,
    pub(crate) private_ip: Ipv4Addr,
    #[serde(default)]
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) vpc: Option<VpcId>,
}

impl DetachWish {
    /// What control is asked.
    pub(crate) fn request(&self) -> DetachRequest {
        DetachRequest { address: self.private_ip, port: self.port, vpc: self.vpc }
    }
}

/// `tidegate run`: an attachment that ends with the connection that asked for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaseWish {
    #[serde(default)]
    pub(crate) realm: RealmWish,
    pub(crate) subnet: SubnetId,
    #[serde(default)]
    pub(crate) private_ip: Option<Ipv4Addr>,
    pub(crate) port: u16,
    pub(crate) host: SocketAddr,
    #[serde(default)]
    pub(crate) security_groups: Vec<SecurityGroupId>,
}

impl LeaseWish {
    /// What control is asked.
    pub(crate) fn request(self) -> AttachRequest {
        AttachRequest {
            place: Place::Subnet(self.subnet, self.private_ip),
            port: Some(self.port),
            host: self.host,
            groups: self.security_groups,
            lease: true,
        }
    }
}

/// `POST /_tidegate/tick`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TickWish {
    pub(crate) seconds: i64,
}

/// What was attached or detached, as printed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AttachedAnswer {
    pub(crate) interface: NetworkInterfaceId,
    pub(crate) vpc: VpcId,
    pub(crate) subnet: SubnetId,
    pub(crate) private_ip: Ipv4Addr,
    pub(crate) port: Option<u16>,
    pub(crate) host: SocketAddr,
    /// Where it was served before; said to the person, not to scripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaced: Option<SocketAddr>,
}

impl From<&Attached> for AttachedAnswer {
    fn from(attached: &Attached) -> Self {
        let Attached { interface, vpc, subnet, private_ip, port, host, replaced } = *attached;
        Self { interface, vpc, subnet, private_ip, port, host, replaced }
    }
}
