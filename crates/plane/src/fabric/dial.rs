//! The only place that opens a socket to a private address. It asks `topology::way` and hands out a [`Permit`], without
//! which neither a connection can be opened nor a kept one be used again.
//!
//! A denial is silence, never a refusal: who dials waits as long as AWS waits.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use thiserror::Error;
use tokio::net::TcpStream;
use topology::id::NetworkInterfaceId;
use topology::reason::Reason;
use topology::snapshot::fabric::{Fabric, InterfaceIndex};
use topology::trace::Leg;
use topology::way::{self, Open, Way};
pub(crate) use topology::way::{Denial, Destination};

use super::outside::Stream;
use super::secured;
use crate::limits::TARGET_CONNECT_TIMEOUT;

/// Leave to open one connection, or to use a kept one between the same ends. Only [`ask`] makes one.
#[derive(Debug)]
pub(crate) struct Permit {
    open: Open,
    speech: Speech,
}

/// What is spoken over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Speech {
    /// Whether it is within TLS.
    pub(crate) is_secure: bool,
    /// Whether it is HTTP/2: chosen by ALPN within TLS, with prior knowledge in the clear.
    pub(crate) is_http2: bool,
}

/// Between whom a connection runs. Two interfaces never share one, even to the same place on the host. Only a [`Permit`] makes one:
/// a kept connection is known by it, and whoever lacks the permit cannot name it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    from: NetworkInterfaceId,
    /// `None` outside every VPC.
    to: Option<NetworkInterfaceId>,
    address: Ipv4Addr,
    port: u16,
    host: SocketAddr,
    speech: Speech,
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
    /// No TLS came about.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// Another error of the network.
    #[error(transparent)]
    Io(io::Error),
}

impl Permit {
    /// The same, for a connection over which this is spoken.
    #[must_use]
    pub(crate) const fn speaking(self, speech: Speech) -> Self {
        Self { speech, ..self }
    }

    /// The ends and the rule that allowed.
    pub(crate) const fn leg(&self) -> Leg {
        self.open.leg
    }

    /// What is spoken over the connection.
    pub(crate) const fn speech(&self) -> Speech {
        self.speech
    }

    /// Where the address is served, if it is.
    pub(crate) const fn host(&self) -> Option<SocketAddr> {
        match self.open.way {
            Way::Host(host) => Some(host),
            Way::Closed | Way::Silent(_) => None,
        }
    }

    /// Between whom connections may be shared; `None` where there is nothing to connect to.
    pub(super) fn pool_key(&self) -> Option<PoolKey> {
        let host = self.host()?;
        let Open { leg, from, .. } = self.open;
        Some(PoolKey { from, to: leg.to, address: leg.to_address, port: leg.port, host, speech: self.speech })
    }
}

impl PoolKey {
    /// A number by which the keys of a busy plane differ.
    pub(super) fn spread(&self) -> usize {
        let [.., last] = self.address.octets();
        usize::from(self.port) ^ usize::from(self.host.port()) ^ usize::from(last)
    }

    /// Whether a connection between these ends would still be opened, and to the same place.
    pub(crate) fn is_still_allowed(&self, fabric: &Fabric) -> bool {
        let Some(from) = fabric.interface_by_id(self.from) else { return false };
        let to = match self.to {
            Some(to) => fabric.interface_by_id(to).map(Destination::Interface),
            None => fabric.interface(from).map(|interface| Destination::Address(interface.vpc, self.address)),
        };
        let permit = to.map(|to| ask(fabric, from, to, self.port));
        let permit = permit.and_then(Result::ok).map(|permit| permit.speaking(self.speech));
        permit.and_then(|permit| permit.pool_key()).as_ref() == Some(self)
    }
}

/// Asks leave to connect from an interface.
pub(crate) fn ask(fabric: &Fabric, from: InterfaceIndex, to: Destination, port: u16) -> Result<Permit, Box<Denial>> {
    way::ask(fabric, from, to, port).map(|open| Permit { open, speech: Speech::default() }).map_err(Box::new)
}

/// Opens the connection that was permitted.
pub(crate) async fn connect(permit: &Permit) -> Result<Stream, DialError> {
    let stream = reach(permit).await?;
    match permit.speech.is_secure {
        false => Ok(Stream::Plain(stream)),
        true => secured::handshake(permit.open.leg.to_address, stream, permit.speech.is_http2).await,
    }
}

async fn reach(permit: &Permit) -> Result<TcpStream, DialError> {
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
