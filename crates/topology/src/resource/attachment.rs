//! Attachments: our own resource. A private address of the fabric is served by an address of the host.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, IdError, InstanceId, NetworkInterfaceId};

/// What a program serves, as users name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Served {
    /// A private address.
    Address(IpAddr),
    /// The primary private address of an instance.
    Instance(InstanceId),
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Instance(id) => id.fmt(f),
        }
    }
}

impl FromStr for Served {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map_or_else(|_| text.parse().map(Self::Instance), |address| Ok(Self::Address(address)))
    }
}

/// What serves an attached address. Stores have it as the text of the host's address, or as nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ServedAt {
    /// A program of the host, at this address.
    Host(SocketAddr),
    /// A program in the private network, at the address itself.
    Inside,
}

impl ServedAt {
    /// Where on the host.
    #[must_use]
    pub const fn host(self) -> Option<SocketAddr> {
        match self {
            Self::Host(host) => Some(host),
            Self::Inside => None,
        }
    }
}

impl fmt::Display for ServedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Inside => f.write_str("its own address"),
        }
    }
}

/// Which port of an interface is attached. `None` stands for every port.
pub type AttachmentKey = (NetworkInterfaceId, Option<u16>);

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The interface.
    pub interface: NetworkInterfaceId,
    /// The private port; `None` is every port.
    pub port: Option<u16>,
    /// Where it is served.
    pub host: ServedAt,
    /// Whether it lives only as long as a client says so: it is not kept over a restart.
    pub lease: bool,
    /// The agent on whose machine it is served; `None` is the machine of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
}

impl Attachment {
    /// What makes it the same as another.
    #[must_use]
    pub fn key(&self) -> AttachmentKey {
        (self.interface, self.port)
    }
}
