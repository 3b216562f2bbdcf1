//! What the commands ask of the server's own paths, and what it answers: the same types on both sides, as JSON.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use control::{AttachAt, AttachRequest, Attached, DetachRequest, Listening};
use http::Request;
use http::header::HOST;
use http::uri::PathAndQuery;
use plane::Enforcement;
use serde::{Deserialize, Serialize};
use topology::id::{AccountId, AgentId, NetworkInterfaceId, Realm, Region, SecurityGroupId, SubnetId, VpcId, Zone};
use topology::resource::attachment::{Served, ServedAt};

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
    pub(crate) private_ip: Served,
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
            place: AttachAt::Address(self.private_ip, self.vpc),
            port: self.port,
            host: ServedAt::Host(self.host),
            groups: self.security_groups,
            lease: false,
            agent: None,
        }
    }
}

/// `tidegate detach`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetachWish {
    #[serde(default)]
    pub(crate) realm: RealmWish,
    pub(crate) private_ip: Served,
    #[serde(default)]
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) vpc: Option<VpcId>,
}

impl DetachWish {
    /// What control is asked.
    pub(crate) fn request(&self) -> DetachRequest {
        DetachRequest { address: self.private_ip, port: self.port, vpc: self.vpc, agent: None }
    }
}

/// `tidegate attach --listen`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenWish {
    #[serde(default)]
    pub(crate) realm: RealmWish,
    pub(crate) listener: String,
    pub(crate) host: SocketAddr,
    #[serde(default)]
    pub(crate) security_groups: Vec<SecurityGroupId>,
}

/// `tidegate detach --listen`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnlistenWish {
    #[serde(default)]
    pub(crate) realm: RealmWish,
    pub(crate) listener: String,
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
    /// Where the program will be served if it has no private address itself.
    pub(crate) host: SocketAddr,
    #[serde(default)]
    pub(crate) security_groups: Vec<SecurityGroupId>,
}

impl LeaseWish {
    /// What control is asked, where programs have private addresses themselves or are served on the host in their place.
    pub(crate) fn request(self, enforcement: Enforcement) -> AttachRequest {
        let host = match enforcement {
            Enforcement::Proxy => ServedAt::Host(self.host),
            Enforcement::Kernel => ServedAt::Inside,
        };
        AttachRequest {
            place: AttachAt::Subnet(self.subnet, self.private_ip),
            port: Some(self.port),
            host,
            groups: self.security_groups,
            lease: true,
            agent: None,
        }
    }
}

/// `tidegate explain METHOD URL`: a request that the server is to carry out itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainWish {
    pub(crate) method: String,
    /// The host, with its port if the URL has one.
    pub(crate) host: String,
    /// The address of this machine that the URL names, if it names one.
    #[serde(default)]
    pub(crate) there: Option<SocketAddr>,
    /// Path and query.
    pub(crate) target: String,
    /// Names and values, in order; the host is not among them.
    #[serde(default)]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) body: String,
}

impl ExplainWish {
    /// The request as the plane takes it.
    ///
    /// # Errors
    /// When it cannot be written as HTTP.
    pub(crate) fn request(self) -> Result<Request<Bytes>, String> {
        // Anything but a path would name a host beside the host.
        if !self.target.starts_with('/') {
            return Err("the target must begin with a slash".to_owned());
        }
        let target: PathAndQuery = self.target.parse().map_err(|error| format!("the target: {error}"))?;
        let mut request = Request::builder().method(self.method.as_str()).uri(target).header(HOST, self.host);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(self.body.into()).map_err(|error| error.to_string())
    }
}

/// `POST /_tidegate/ca`: a certificate of the development authority.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssueWish {
    pub(crate) names: Vec<String>,
}

/// `tidegate agent token`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentTokenWish {
    #[serde(default)]
    pub(crate) realm: RealmWish,
    pub(crate) vpc: VpcId,
    /// Every zone of the VPC where it is empty.
    #[serde(default)]
    pub(crate) zones: BTreeSet<Zone>,
    /// How long it is valid, in seconds: 60 to 86400, 900 where nothing is said.
    #[serde(default)]
    pub(crate) ttl_s: Option<u64>,
}

/// A token, as printed. It is a secret.
#[derive(Serialize)]
pub(crate) struct AgentTokenAnswer {
    pub(crate) token: String,
    pub(crate) expires: String,
    pub(crate) vpc: VpcId,
    pub(crate) zones: BTreeSet<Zone>,
}

/// `tidegate agent revoke` and `tidegate agent forget`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentWish {
    #[serde(default)]
    pub(crate) realm: RealmWish,
    pub(crate) agent: AgentId,
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
    /// Its IPv6 address, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ipv6: Option<std::net::Ipv6Addr>,
    pub(crate) port: Option<u16>,
    /// `null` where the program has the address itself.
    pub(crate) host: ServedAt,
    /// Where it was served before; said to the person, not to scripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaced: Option<ServedAt>,
}

impl From<&Attached> for AttachedAnswer {
    fn from(attached: &Attached) -> Self {
        let Attached { interface, vpc, subnet, private_ip, ipv6, port, host, replaced } = *attached;
        Self { interface, vpc, subnet, private_ip, ipv6, port, host, replaced }
    }
}

/// What socket was opened or closed, as printed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ListeningAnswer {
    pub(crate) listener: String,
    /// Where clients enter.
    pub(crate) url: String,
    pub(crate) host: SocketAddr,
    pub(crate) interface: NetworkInterfaceId,
    pub(crate) vpc: VpcId,
    pub(crate) subnet: SubnetId,
    pub(crate) private_ip: Ipv4Addr,
    /// Where it was before; said to the person, not to scripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaced: Option<SocketAddr>,
}

impl From<Listening> for ListeningAnswer {
    fn from(listening: Listening) -> Self {
        let Listening { listener, protocol, interface, vpc, subnet, private_ip, host, replaced } = listening;
        let url = format!("{}://{host}", protocol.to_ascii_lowercase());
        Self { listener, url, host, interface, vpc, subnet, private_ip, replaced }
    }
}
