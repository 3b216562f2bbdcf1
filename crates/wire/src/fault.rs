//! What a caller sees when a call is refused: AWS's code, status and text, without a protocol's envelope.
//!
//! Faults are made near their cause and rendered once, by `encode_fault`. The internal text never reaches the caller.

use std::borrow::Cow;

/// Whose mistake a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The caller's.
    Sender,
    /// Ours.
    Receiver,
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// AWS's code as it stands on the wire: `InvalidVpcID.NotFound`, `LoadBalancerNotFound`, `NotFoundException`.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// The text for the caller.
    pub message: String,
    /// Whose mistake it is.
    pub kind: FaultKind,
    /// Further members of the error's shape, by wire name: `resourceType`, `limitType`.
    pub members: Vec<(&'static str, String)>,
    /// Text for our log only.
    pub detail: Option<String>,
}

impl Fault {
    /// A fault with AWS's code, status and message; 5xx are ours, the rest the caller's.
    pub fn new(code: impl Into<Cow<'static, str>>, status: u16, message: impl Into<String>) -> Self {
        let kind = if status >= 500 { FaultKind::Receiver } else { FaultKind::Sender };
        Fault { code: code.into(), status, message: message.into(), kind, members: Vec::new(), detail: None }
    }

    /// The fault for a failure of our own: the caller learns that it failed, the log learns why.
    pub fn internal(detail: impl Into<String>) -> Self {
        Fault::new("InternalFailure", 500, "An internal error has occurred.").with_detail(detail)
    }

    /// The fault for what AWS has and Tidegate has not: 501, which AWS's clients do not try again, and a sentence that names it.
    pub fn unserved(what: impl std::fmt::Display) -> Self {
        Fault::new("NotImplemented", 501, unserved(what))
    }

    /// Adds a member of the error's shape.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Adds text for the log.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// The one sentence for whatever is not served: `the operation ec2:RunInstances`, `the parameter Transforms`.
#[must_use]
pub fn unserved(what: impl std::fmt::Display) -> String {
    format!("Tidegate does not serve {what}. What it serves is listed in docs/coverage.md.")
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.status, self.message)
    }
}

impl std::error::Error for Fault {}
