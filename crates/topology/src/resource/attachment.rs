//! Attachments: our own resource. A private address of the fabric is served by an address of the host.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::id::NetworkInterfaceId;

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
    pub host: SocketAddr,
    /// Whether it lives only as long as a client says so: it is not kept over a restart.
    pub lease: bool,
}

impl Attachment {
    /// What makes it the same as another.
    #[must_use]
    pub fn key(&self) -> AttachmentKey {
        (self.interface, self.port)
    }
}
