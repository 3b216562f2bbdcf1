//! The only place that opens a socket to a private address. It asks `topology::verdict` and hands out a [`Permit`], without
//! which neither a connection can be opened nor a kept one be used again.
//!
//! A denial is silence, never a refusal: who dials waits as long as AWS waits. An address of a VPC that no workload has is
//! silent too; a port of an attached address that nothing serves refuses.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use thiserror::Error;
use tokio::net::TcpStream;
use topology::id::{NetworkInterfaceId, VpcId};
use topology::net::is_private_target;
use topology::reason::Reason;
use topology::snapshot::fabric::{Attached, Fabric, InterfaceIndex};
use topology::trace::Leg;
use topology::verdict::{Direction, End, Flow, Verdict, verdict};

use super::pool::PoolKey;
use crate::limits::TARGET_CONNECT_TIMEOUT;

/// Leave to open one connection, or to use a kept one between the same ends. Only [`ask`] and [`ask_interface`] make one.
#[derive(Debug)]
pub(crate) struct Permit {
    leg: Leg,
    from: NetworkInterfaceId,
    way: Way,
}

/// Where the address is served.
#[derive(Debug, Clone, Copy)]
enum Way {
    Host(SocketAddr),
    /// Attached, but not this port.
    Closed,
    /// Nothing answers there, for this reason.
    Silent(Reason),
}

/// No leave: the connection is dropped without a word.
#[derive(Debug)]
pub(crate) struct Denial {
    /// Why.
    pub(crate) reason: Reason,
    /// The ends, and the rule that came nearest.
    pub(crate) leg: Leg,
}

/// Why a permitted connection did not come about.
#[derive(Debug, Error)]
pub(crate) enum DialError {
    /// Nobody answers: wait, then give up.
    #[error("nothing answers there")]
    Silent(Reason),
    /// The other end refused.
    #[error("the connection was refused")]
    Refused,
    /// It took too long.
    #[error("the connection took too long")]
    Timeout,
    /// Another error of the network.
    #[error(transparent)]
    Io(io::Error),
}

impl Permit {
    /// The ends and the rule that allowed.
    pub(crate) const fn leg(&self) -> Leg {
        self.leg
    }

    /// Where the address is served, if it is.
    pub(crate) const fn host(&self) -> Option<SocketAddr> {
        match self.way {
            Way::Host(host) => Some(host),
            Way::Closed | Way::Silent(_) => None,
        }
    }

    /// Between whom connections may be shared; `None` where there is nothing to connect to.
    pub(crate) fn pool_key(&self) -> Option<PoolKey> {
        let host = self.host()?;
        Some(PoolKey { from: self.from, to: self.leg.to, address: self.leg.to_address, port: self.leg.port, host })
    }
}

/// Asks leave to connect from an interface to an address as seen in `vpc`.
pub(crate) fn ask(
    fabric: &Fabric,
    from: InterfaceIndex,
    (vpc, to): (VpcId, Ipv4Addr),
    port: u16,
) -> Result<Permit, Box<Denial>> {
    if let Some(index) = fabric.interface_at(vpc, to) {
        return ask_interface(fabric, from, index, port);
    }
    let way = if fabric.vpc_contains(vpc, to) {
        Way::Silent(Reason::NoInterface)
    } else if fabric.any_vpc_contains(to) || !is_private_target(to) {
        // VPCs are not joined to one another, and public addresses are never dialled from a private network.
        Way::Silent(Reason::NoRoute)
    } else {
        Way::Host(SocketAddr::from((to, port)))
    };
    judge(fabric, from, (End::Address(to), to), (port, way))
}

/// Asks leave to connect from one interface to another.
pub(crate) fn ask_interface(
    fabric: &Fabric,
    from: InterfaceIndex,
    to: InterfaceIndex,
    port: u16,
) -> Result<Permit, Box<Denial>> {
    let address = fabric.interface(to).map_or(Ipv4Addr::UNSPECIFIED, |interface| interface.private_ip);
    let way = match fabric.attached(to, port) {
        Attached::Host(host) => Way::Host(host),
        Attached::PortClosed => Way::Closed,
        Attached::Nothing => Way::Silent(Reason::NoInterface),
    };
    judge(fabric, from, (End::Interface(to), address), (port, way))
}

fn judge(
    fabric: &Fabric,
    from: InterfaceIndex,
    (to, to_address): (End, Ipv4Addr),
    (port, way): (u16, Way),
) -> Result<Permit, Box<Denial>> {
    let receiver = match to {
        End::Interface(index) => fabric.interface(index).map(|interface| interface.id),
        End::Address(_) => None,
    };
    let sender = fabric.interface(from).map(|interface| interface.id);
    let mut leg = Leg { from: sender, to: receiver, to_address, port, deciding_rule: None, nearest_rule: None };
    match (verdict(fabric, Flow { from: End::Interface(from), to, port }), sender) {
        (Verdict::Allowed { egress, ingress }, Some(from)) => {
            leg.deciding_rule = ingress.or(egress);
            Ok(Permit { leg, from, way })
        }
        (Verdict::Allowed { .. }, None) => Err(Box::new(Denial { reason: Reason::NoInterface, leg })),
        // Nothing has the address: whatever the sender's groups say, nobody would answer.
        (Verdict::Denied { .. }, _) if matches!((to, way), (End::Address(_), Way::Silent(Reason::NoInterface))) => {
            Err(Box::new(Denial { reason: Reason::NoInterface, leg }))
        }
        (Verdict::Denied { direction, nearest }, _) => {
            leg.nearest_rule = nearest;
            let reason = match direction {
                Direction::Egress => Reason::SgEgressDenied,
                Direction::Ingress => Reason::SgIngressDenied,
            };
            Err(Box::new(Denial { reason, leg }))
        }
    }
}

/// Opens the connection that was permitted.
pub(crate) async fn connect(permit: &Permit) -> Result<TcpStream, DialError> {
    let host = match permit.way {
        Way::Host(host) => host,
        Way::Closed => return Err(DialError::Refused),
        Way::Silent(reason) => return Err(DialError::Silent(reason)),
    };
    let connecting = tokio::time::timeout(TARGET_CONNECT_TIMEOUT, TcpStream::connect(host));
    let stream = match connecting.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(DialError::Refused),
        Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => return Err(DialError::Timeout),
        Ok(Err(error)) => return Err(DialError::Io(error)),
        Err(_elapsed) => return Err(DialError::Timeout),
    };
    // A failure costs latency, not correctness.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    Ok(stream)
}
