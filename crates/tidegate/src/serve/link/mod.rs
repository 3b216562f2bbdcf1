//! Where agents come in: the listener of the link, who is enrolled, and who is let in with which certificate. What the lanes carry is
//! `lanes`'; what shuts an agent out is decided by `control`.

mod admit;
mod bounds;
mod certifier;
mod enrol;
pub(crate) mod lanes;
mod listen;
pub(super) mod office;
pub(super) mod own;
mod rotate;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bounds::{Bounds, Place};
use certifier::Certifier;
use office::{LinkOffice, Told};
use plane::link::carrier::LaneKind;
use topology::id::{AgentId, Realm, VpcId};

pub(super) use listen::{accept, of_link};
pub(super) use rotate::rotate;

/// What the listener of the link has.
pub(crate) struct Link {
    certifier: Arc<Certifier>,
    bounds: Bounds,
    office: Arc<LinkOffice>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    /// By the authority of the data directory, with so many connections at most.
    pub(super) fn open(data_dir: Option<&Path>, connections_max: usize, told: Told) -> Result<Self, String> {
        let certifier = Arc::new(Certifier::open(data_dir)?);
        let office = Arc::new(LinkOffice::new(Arc::clone(&certifier), told));
        Ok(Self { certifier, bounds: Bounds::new(connections_max), office })
    }
}

/// A lane of an agent that was let in. Its place is free again once this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The realm.
    pub(crate) realm: Realm,
    /// The agent.
    pub(crate) agent: AgentId,
    /// The VPC that it carries.
    pub(crate) vpc: VpcId,
    /// The generation of the certificate that it has.
    pub(crate) generation: u64,
    /// What the connection is for.
    pub(crate) lane: LaneKind,
    place: Place,
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
