//! What leaves the gateway: a request through a link, or to a public endpoint. It is made of leave to send it, which only the last
//! step of either pipeline gives, and nothing else can be carried.
//!
//! Nothing is mapped here: that is `integrate`'s for HTTP APIs and `rest::carry`'s for REST APIs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use topology::snapshot::balancer::ListenerIndex;
use topology::snapshot::gateway::{Integration, IntegrationRef, LinkIndex};

use super::admit::Admitted;
use super::internet;
use super::refusal::Refusal;
use super::rest::validate::Sendable;
use crate::answer::body::Body;
use crate::fabric::outside::Origin;
use crate::http::body::RequestBody;
use crate::link;
use crate::link::parcel::{Course, GivesLeave, Greeting, Parcel, Refused};
use crate::shared::Shared;
use crate::trace::Recording;
use crate::world::RealmWorld;

/// Leave to send one request. Each value can be made by the last guard of its pipeline only.
pub(super) enum Leave<'w> {
    /// A route's, from `admit`.
    Route(Admitted<'w>),
    /// A method's, from `rest::validate`.
    Method(Sendable<'w>),
}

impl<'w> Leave<'w> {
    const fn realm(&self) -> &'w RealmWorld {
        match self {
            Self::Route(admitted) => admitted.aim().site.realm,
            Self::Method(sendable) => sendable.realm(),
        }
    }

    const fn integration(&self) -> &'w Integration {
        match self {
            Self::Route(admitted) => admitted.integration(),
            Self::Method(sendable) => sendable.integration(),
        }
    }
}

/// Where a request is sent.
pub(super) enum Toward<'w> {
    /// Through a link to a listener, which is greeted so.
    Listener(LinkIndex, ListenerIndex, Greeting<'w>),
    /// To a public endpoint.
    Endpoint(Origin),
}

/// For whom a request is sent, as far as the private network tells it.
pub(super) struct Behalf<'w> {
    /// The client's address.
    pub(super) peer: SocketAddr,
    /// The stage whose name the path begins with, if it does.
    pub(super) stage_prefix: Option<&'w str>,
}

/// A request ready to be sent. Only [`Outbound::new`] makes one, and only for leave.
#[allow(clippy::large_enum_variant, reason = "moved once for each request; a box would allocate on the common path")]
pub(super) enum Outbound<'w> {
    /// Through a link.
    Private(Parcel<'w>),
    /// To a public endpoint.
    Public(Box<Public>),
}

/// A request ready for a public endpoint.
pub(super) struct Public {
    origin: Arc<Origin>,
    integration: IntegrationRef,
    timeout: Duration,
    request: Request<RequestBody>,
}

impl GivesLeave for Leave<'_> {}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Gone(reason) => Self::IntegrationBroken(reason),
            Refused::Closed(reason) => Self::LinkClosed(reason),
            Refused::Silent(reason) => Self::Silent(reason),
            Refused::TimedOut => Self::TimedOut,
            Refused::ClientSilent => Self::ClientSilent,
            Refused::BodyFault(fault) => Self::BodyFault(fault),
        }
    }
}

impl<'w> Outbound<'w> {
    /// Uses up leave for a request that was mapped.
    pub(super) fn new(
        leave: Leave<'w>,
        toward: Toward<'w>,
        request: Request<RequestBody>,
        Behalf { peer, stage_prefix }: Behalf<'w>,
    ) -> Self {
        let (realm, Integration { id, timeout, .. }) = (leave.realm(), leave.integration());
        let timeout = *timeout;
        match toward {
            Toward::Listener(link, listener, greeting) => {
                let course = Course { realm, link, listener, greeting, timeout, peer, stage_prefix };
                Self::Private(Parcel::new(&leave, course, request))
            }
            Toward::Endpoint(origin) => {
                Self::Public(Box::new(Public { origin: Arc::new(origin), integration: *id, timeout, request }))
            }
        }
    }

    /// Sends it; its answer, or why there is none.
    pub(super) async fn carry(
        &mut self,
        shared: &Arc<Shared>,
        recording: &mut Recording,
    ) -> Result<Response<Body>, Refusal> {
        match self {
            Self::Private(parcel) => Ok(link::carry(shared, parcel, recording).await?),
            // Rarer and larger: kept out of the common future.
            Self::Public(public) => Box::pin(internet::carry(shared, public, recording)).await,
        }
    }
}

impl Public {
    /// Where to.
    pub(super) const fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// By which integration.
    pub(super) const fn integration(&self) -> IntegrationRef {
        self.integration
    }

    /// How long the integration may take.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The request, until it is sent.
    pub(super) const fn request(&mut self) -> &mut Request<RequestBody> {
        &mut self.request
    }
}
