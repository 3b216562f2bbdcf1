//! Where agents come in: the listener of the link, who is enrolled, and who is let in with which certificate. What the lanes carry is
//! `lanes`'; what shuts an agent out is decided by `control`.

mod admit;
mod bounds;
mod enrol;
pub(crate) mod lanes;
mod listen;
pub(super) mod own;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;

use bounds::{Bounds, Place};
use topology::id::{AgentId, Realm, VpcId, Zone};

use crate::link::{Lane, LinkAuthority, server_config};

#[allow(unused_imports, reason = "lanes ask for it, once they carry")]
pub(crate) use admit::{Renewed, renew};
pub(super) use listen::{accept, of_link};

/// What the listener of the link has.
pub(crate) struct Link {
    authority: LinkAuthority,
    tls: Arc<ServerConfig>,
    bounds: Bounds,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    /// By the authority of the data directory, with so many connections at most.
    pub(super) fn open(data_dir: Option<&std::path::Path>, connections_max: usize) -> Result<Self, String> {
        let authority = LinkAuthority::open(data_dir).map_err(|error| error.to_string())?;
        let tls = server_config(&authority)?;
        Ok(Self { authority, tls, bounds: Bounds::new(connections_max) })
    }
}

/// A lane of an agent that was let in. Its place is free again once this is dropped.
#[derive(Debug)]
#[allow(dead_code, reason = "lanes read it, once they carry")]
pub(crate) struct Admitted {
    /// The realm.
    pub(crate) realm: Realm,
    /// The agent.
    pub(crate) agent: AgentId,
    /// The VPC that it carries.
    pub(crate) vpc: VpcId,
    /// The zones in which it does; empty is every zone of the VPC.
    pub(crate) zones: std::collections::BTreeSet<Zone>,
    /// The generation of the certificate that it has.
    pub(crate) generation: u64,
    /// What the connection is for.
    pub(crate) lane: Lane,
    _place: Place,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// A word for programs.
    pub(crate) code: &'static str,
    /// A sentence for the operator.
    pub(crate) message: String,
}

impl Refused {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<control::AgentError> for Refused {
    fn from(error: control::AgentError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<crate::mailbox::Stopped> for Refused {
    fn from(stopped: crate::mailbox::Stopped) -> Self {
        Self::new("STOPPED", stopped.to_string())
    }
}
