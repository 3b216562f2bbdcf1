//! Sockets of listeners: our own resource. An address of the host where clients enter a listener of a load balancer.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::id::{ListenerId, NetworkInterfaceId};

/// A socket of a listener. A listener has one at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerSocket {
    /// The listener.
    pub listener: ListenerId,
    /// Where it is on the host. For an internal load balancer a loopback address.
    pub host: SocketAddr,
    /// The interface from which its clients come: its groups and its address are theirs. It is no one else's, and goes with the socket.
    pub interface: NetworkInterfaceId,
}
