//! The only place that opens a socket to a private address. It asks `topology::way` and hands out a [`Permit`], without
//! which neither a connection can be opened nor a kept one be used again.
//!
//! A denial is silence, never a refusal: who dials waits as long as AWS waits.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::net::TcpStream;
use topology::reason::Reason;
use topology::snapshot::fabric::{Fabric, InterfaceIndex};
use topology::trace::Leg;
use topology::way::{self, Open, Way};
pub(crate) use topology::way::{Denial, Destination};

use super::pool::PoolKey;
use crate::limits::TARGET_CONNECT_TIMEOUT;

/// Leave to open one connection, or to use a kept one between the same ends. Only [`ask`] makes one.
#[derive(Debug)]
pub(crate) struct Permit {
    open: Open,
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
        self.open.leg
    }

    /// Where the address is served, if it is.
    pub(crate) const fn host(&self) -> Option<SocketAddr> {
        match self.open.way {
            Way::Host(host) => Some(host),
            Way::Closed | Way::Silent(_) => None,
        }
    }

    /// Between whom connections may be shared; `None` where there is nothing to connect to.
    pub(crate) fn pool_key(&self) -> Option<PoolKey> {
        let host = self.host()?;
        let Open { leg, from, .. } = self.open;
        Some(PoolKey { from, to: leg.to, address: leg.to_address, port: leg.port, host })
    }
}

/// Asks leave to connect from an interface.
pub(crate) fn ask(fabric: &Fabric, from: InterfaceIndex, to: Destination, port: u16) -> Result<Permit, Box<Denial>> {
    way::ask(fabric, from, to, port).map(|open| Permit { open }).map_err(Box::new)
}

/// Opens the connection that was permitted.
pub(crate) async fn connect(permit: &Permit) -> Result<TcpStream, DialError> {
    let host = match permit.open.way {
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
