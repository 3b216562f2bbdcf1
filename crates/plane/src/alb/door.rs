//! The door of a listener that clients dial: how they are met, what is presented to them, and where they enter.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::{Request, Response};
use topology::id::{ListenerId, NetworkInterfaceId, Realm};
use topology::snapshot::balancer::{Balancer, Listener, Node};
use topology::snapshot::fabric::{Interface, InterfaceIndex};

use super::{connections, direct};
use crate::answer::body::Body;
use crate::fabric::dial::{self, Denial, Destination, Permit};
use crate::front::arrival::Arrival;
use crate::front::handshake::Failed;
use crate::front::listen::Transport;
use crate::front::{Door, Manners, Presented, Presents};
use crate::guard::Guard;
use crate::http::body::SentBody;
use crate::http1::spelling::Spelling;
use crate::limits::CLIENT_HEAD_TIMEOUT;
use crate::shared::Shared;
use crate::targets::state::Rotation;
use crate::tls::Hello;
use crate::tls::listener::ListenerPresented;
use crate::world::{ListenerWorld, RealmWorld, World};

/// What stands behind a listener that clients dial: through a socket of its own, or led by a network load balancer.
#[derive(Debug)]
pub(crate) struct ListenerDoor {
    shared: Arc<Shared>,
    realm: Realm,
    listener: ListenerId,
    led: Option<LedClient>,
    rotation: Rotation,
}

/// A client whom a network load balancer leads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LedClient {
    /// The interface that it is.
    pub(crate) client: NetworkInterfaceId,
    /// The interface of the node that sends it on.
    pub(crate) node: NetworkInterfaceId,
}

/// Where clients of a socket enter.
pub(crate) struct Entrance<'w> {
    /// Where everything is looked up.
    pub(crate) realm: &'w RealmWorld,
    /// The listener.
    pub(crate) listener: &'w Listener,
    /// What it writes.
    pub(crate) listener_world: &'w ListenerWorld,
    /// Its load balancer.
    pub(crate) balancer: &'w Balancer,
    /// Who connects to its node, and as which address where that is not its own.
    pub(crate) sender: (InterfaceIndex, Option<Ipv4Addr>),
    /// The place of the interface that clients are.
    pub(crate) from: InterfaceIndex,
    /// That interface.
    pub(crate) interface: &'w Interface,
}

impl<'w> Entrance<'w> {
    /// The node that a client comes to, with the leave to enter there or the denial; `None` where there is no node.
    pub(crate) fn ask(&self, rotation: &Rotation) -> Option<(&'w Node, Result<Permit, Box<Denial>>)> {
        let node = super::node(self.balancer, self.interface, rotation)?;
        let to = Destination::Interface(node.interface);
        Some((node, dial::ask_as(&self.realm.snapshot.fabric, self.sender, to, self.listener.port)))
    }
}

impl ListenerDoor {
    /// That of a listener: for clients of its socket, or for one who is led.
    pub(crate) fn new(shared: Arc<Shared>, (realm, listener): (Realm, ListenerId), led: Option<LedClient>) -> Self {
        Self { shared, realm, listener, led, rotation: Rotation::default() }
    }

    /// The plane.
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The listener.
    pub(crate) const fn listener(&self) -> ListenerId {
        self.listener
    }

    /// Whose turn it is, where a zone has several nodes.
    pub(crate) const fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// What the listener presents now, if it speaks TLS.
    fn presented(&self) -> Option<Arc<ListenerPresented>> {
        let world = self.shared.world.load();
        self.entrance(&world)?.listener_world.presented.clone()
    }

    /// Where its clients enter now; `None` once the socket is gone.
    pub(crate) fn entrance<'w>(&self, world: &'w World) -> Option<Entrance<'w>> {
        let realm = world.realm(&self.realm)?.as_ref();
        let balancers = &realm.snapshot.balancers;
        let index = balancers.listener_by_id(self.listener)?;
        let fabric = &realm.snapshot.fabric;
        let from = match self.led {
            Some(led) => fabric.interface_by_id(led.client)?,
            None => balancers.socket(index)?.interface,
        };
        let (listener, listener_world) = realm.listener(index)?;
        let balancer = balancers.balancer(listener.balancer)?;
        let interface = fabric.interface(from)?;
        let sender = match self.led {
            Some(led) => (fabric.interface_by_id(led.node)?, Some(interface.private_ip)),
            None => (from, None),
        };
        Some(Entrance { realm, listener, listener_world, balancer, sender, from, interface })
    }
}

impl Presents for ListenerDoor {
    async fn prepare(&self) {
        let presented = self.presented();
        if let Some(presented) = presented {
            presented.prepare().await;
        }
    }

    fn present(&self, hello: Hello<'_>) -> Result<Presented, String> {
        let presented = self.presented().ok_or("the listener is gone, or speaks TLS no longer")?;
        Ok((None, presented.presentation(hello)?))
    }
}

impl Door for ListenerDoor {
    fn came(&self, arrival: &Arrival) -> Option<Guard> {
        connections::came(self, arrival)
    }

    fn failed(&self, peer: SocketAddr, failed: &Failed) {
        connections::failed(self, peer, failed);
    }

    /// A listener speaks what it speaks when the client comes. Load balancers speak HTTP/2 within TLS only.
    fn manners(&self, _opened_for: Transport) -> Manners {
        let world = self.shared.world.load();
        let entrance = self.entrance(&world);
        let is_secure = entrance.as_ref().is_some_and(|entrance| entrance.listener.tls.is_some());
        let transport = if is_secure { Transport::Tls } else { Transport::Plain };
        let idle = entrance.map_or(CLIENT_HEAD_TIMEOUT, |entrance| entrance.balancer.attributes.idle_timeout);
        Manners { transport, takes_prior_knowledge: false, takes_upgrades: true, idle }
    }

    fn serve(
        self: Arc<Self>,
        request: (Request<SentBody>, Spelling),
        arrival: Arc<Arrival>,
        busy: Option<Guard>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + 'static {
        direct::serve(self, request, arrival, busy)
    }
}
