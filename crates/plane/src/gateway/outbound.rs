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
            Self::Route(admitted) => admitted.aim().place.realm,
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
    Private(Private<'w>),
    /// To a public endpoint.
    Public(Box<Public>),
}

/// A request ready for a link.
pub(crate) struct Private<'w> {
    course: Course<'w>,
    request: Option<Request<RequestBody>>,
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

/// A request ready for a public endpoint.
pub(super) struct Public {
    origin: Arc<Origin>,
    integration: IntegrationRef,
    timeout: Duration,
    request: Option<Request<RequestBody>>,
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
        let (timeout, request) = (*timeout, Some(request));
        match toward {
            Toward::Listener(link, listener, greeting) => {
                let course = Course { realm, link, listener, greeting, timeout, peer, stage_prefix };
                Self::Private(Private { course, request })
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
            Self::Private(private) => link::carry(shared, private, recording).await,
            // Rarer and larger: kept out of the common future.
            Self::Public(public) => Box::pin(internet::carry(shared, public, recording)).await,
        }
    }
}

impl<'w> Private<'w> {
    /// Where it goes, and the request, until it is sent.
    pub(crate) const fn parts(&mut self) -> (&Course<'w>, &mut Option<Request<RequestBody>>) {
        (&self.course, &mut self.request)
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
    pub(super) const fn request(&mut self) -> &mut Option<Request<RequestBody>> {
        &mut self.request
    }
}
