//! What crosses a link: a request, and where it goes. A parcel is made of leave to send it, and what comes of it is an answer or
//! why there is none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use topology::reason::Reason;
use topology::snapshot::balancer::ListenerIndex;
use topology::snapshot::gateway::LinkIndex;

use crate::http::body::{BodyFault, RequestBody};
use crate::world::RealmWorld;

/// Gives leave to send one request. Whoever sends says which values of theirs do.
pub(crate) trait GivesLeave {}

/// How a listener is greeted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Greeting<'w> {
    /// In plain HTTP.
    Plain,
    /// With TLS; the certificate must be for this name.
    Verified(&'w Arc<str>),
    /// With TLS, whatever the certificate says.
    Unverified,
}

/// Where a request for a link goes, to look at: nothing is carried for it.
pub(crate) struct Course<'w> {
    /// Where everything is looked up.
    pub(crate) realm: &'w RealmWorld,
    /// The link.
    pub(crate) link: LinkIndex,
    /// The listener behind it.
    pub(crate) listener: ListenerIndex,
    /// How the listener is greeted.
    pub(crate) greeting: Greeting<'w>,
    /// How long the integration may take.
    pub(crate) timeout: Duration,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// The stage whose name the path begins with, if it does.
    pub(crate) stage_prefix: Option<&'w str>,
}

/// A request ready for a link.
pub(crate) struct Parcel<'w> {
    course: Course<'w>,
    request: Request<RequestBody>,
}

impl<'w> Parcel<'w> {
    /// A request for which there is leave.
    pub(crate) const fn new(_leave: &impl GivesLeave, course: Course<'w>, request: Request<RequestBody>) -> Self {
        Self { course, request }
    }

    /// Where it goes, and the request, until it is sent.
    pub(super) const fn parts(&mut self) -> (&Course<'w>, &mut Request<RequestBody>) {
        (&self.course, &mut self.request)
    }
}

/// Why a link brings no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It leads nowhere.
    Gone(Reason),
    /// It carries nothing.
    Closed(Reason),
    /// Nobody answered the connection.
    Silent(Reason),
    /// The sender's time ran out.
    TimedOut,
    /// The client was silent within its body.
    ClientSilent,
    /// The client's body broke off or is broken.
    BodyFault(BodyFault),
}
