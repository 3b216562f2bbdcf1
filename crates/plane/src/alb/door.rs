//! The door of a listener that clients dial: how they are met, what is presented to them, and where they enter.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::{Request, Response};
use topology::id::{ListenerId, NetworkInterfaceId, Realm};
use topology::net::Family;
use topology::snapshot::RealmSnapshot;
use topology::snapshot::balancer::{Balancer, Listener, Node};
use topology::snapshot::fabric::{Fabric, InterfaceIndex};
use topology::verdict::End;
use topology::way;

use super::{connections, direct};
use crate::answer::body::Body;
use crate::fabric::dial::{self, Denial, Destination, Leave, Net, Passage};
use crate::front::arrival::Arrival;
use crate::front::handshake::Failed;
use crate::front::listen::Transport;
use crate::front::{Door, Manners, Presented, Presents};
use crate::guard::Guard;
use crate::http::body::SentBody;
use crate::http1::spelling::Spelling;
use crate::limits::CLIENT_HEAD_TIMEOUT;
use crate::shared::Shared;
use crate::tls::Hello;
use crate::tls::listener::ListenerPresented;
use crate::world::{ListenerWorld, RealmWorld, World};

/// What stands behind a listener that clients dial: through a socket of its own, or led by a network load balancer.
#[derive(Debug)]
pub(crate) struct ListenerDoor {
    shared: Arc<Shared>,
    realm: Realm,
    listener: ListenerId,
    clients: Clients,
}

/// Whom a door is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clients {
    /// Whoever comes to a socket of the listener.
    Of(Approach),
    /// The one whom a network load balancer leads, as it came to that.
    Led(Passage),
}

/// Which socket of a listener clients come to, and so who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Approach {
    /// The one that it was given: they are the interface of that.
    Attached,
    /// The one that an internet-facing load balancer has: each is the address that it comes from.
    Internet,
    /// The one at a node's own interface in the private network: each is the interface that has its address there.
    Inside(NetworkInterfaceId),
}

impl Approach {
    /// Who a client is that comes from this peer; `None` where the listener has no such socket now.
    pub(crate) fn client(self, realm: &RealmSnapshot, listener: &Listener, peer: SocketAddr) -> Option<End> {
        let balancers = &realm.balancers;
        match self {
            Self::Attached => {
                let socket = balancers.socket(balancers.listener_by_id(listener.id)?)?;
                Some(End::Interface(socket.interface))
            }
            Self::Internet => balancers.faces_internet(listener).then(|| End::Address(public_address(peer.ip()))),
            Self::Inside(node) => {
                let fabric = &realm.fabric;
                Some(way::sender(fabric, fabric.interface_by_id(node)?, peer.ip().to_canonical()))
            }
        }
    }

    /// Of which family the connection is that such a client comes by.
    pub(crate) fn family(self, peer: SocketAddr) -> Family {
        match self {
            Self::Attached | Self::Internet => Family::Ipv4,
            Self::Inside(_) => Family::of(peer.ip().to_canonical()),
        }
    }

    /// Of whom such a client asks leave.
    pub(crate) fn net(self, net: Net<'_>) -> Net<'_> {
        match self {
            Self::Attached | Self::Internet => net,
            Self::Inside(node) => net.through_the_kernel(node),
        }
    }

    /// The node that such a client comes to; `None` where there is none.
    pub(crate) fn node<'w>(
        self,
        (fabric, balancer): (&'w Fabric, &'w Balancer),
        client: End,
        peer: SocketAddr,
    ) -> Option<&'w Node> {
        match self {
            Self::Attached | Self::Internet => super::node(balancer, client.interface(fabric), || super::turn_of(peer)),
            Self::Inside(id) => {
                let is_it = |node: &&Node| fabric.interface_by_id(id) == Some(node.interface);
                balancer.nodes.iter().find(is_it)
            }
        }
    }
}

/// The address of a client on the internet. Sockets have addresses of version 4; who asks over the API port about a connection may have
/// another one, and asks as loopback, or as an address that a rule for every address alone admits.
fn public_address(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) if address.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED.into(),
        address => address,
    }
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
    /// Who the client is.
    pub(crate) client: End,
    /// Its address.
    pub(crate) address: IpAddr,
    /// Where its connection comes from: an address of the host, or of a private network.
    peer: SocketAddr,
    comes: Comes,
}

/// How a client comes.
#[derive(Debug, Clone, Copy)]
enum Comes {
    /// To a socket of the listener.
    To(Approach),
    /// Sent on by this node of a network load balancer.
    Led(InterfaceIndex),
}

impl<'w> Entrance<'w> {
    /// The node that a client comes to, with the leave to enter there or the denial; `None` where there is no node.
    pub(crate) fn ask(&self) -> Option<(&'w Node, Result<Leave, Box<Denial>>)> {
        let (fabric, port) = (&self.realm.snapshot.fabric, self.listener.port);
        let net = self.realm.net();
        match self.comes {
            Comes::Led(from) => {
                let node = super::node(self.balancer, fabric.interface(from), || super::turn_of(self.peer))?;
                let to = Destination::Interface(node.interface, Family::of(self.address));
                let asked = dial::ask_as(net, (from, Some(self.address)), to, port);
                Some((node, asked.map(|permit| *permit.leave())))
            }
            Comes::To(approach) => {
                let node = approach.node((fabric, self.balancer), self.client, self.peer)?;
                let net = approach.net(net);
                Some((node, dial::enter(net, self.client, (node.interface, Family::of(self.address)), port)))
            }
        }
    }
}

impl ListenerDoor {
    /// That of a listener, for these clients.
    pub(crate) fn new(shared: Arc<Shared>, (realm, listener): (Realm, ListenerId), clients: Clients) -> Self {
        Self { shared, realm, listener, clients }
    }

    /// The plane.
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The listener.
    pub(crate) const fn listener(&self) -> ListenerId {
        self.listener
    }

    /// What the listener presents now, if it speaks TLS.
    fn presented(&self) -> Option<Arc<ListenerPresented>> {
        let world = self.shared.world.load();
        self.found(&world)?.2.presented.clone()
    }

    fn found<'w>(&self, world: &'w World) -> Option<(&'w RealmWorld, &'w Listener, &'w ListenerWorld, &'w Balancer)> {
        let realm = world.realm(&self.realm)?.as_ref();
        let balancers = &realm.snapshot.balancers;
        let (listener, listener_world) = realm.listener(balancers.listener_by_id(self.listener)?)?;
        Some((realm, listener, listener_world, balancers.balancer(listener.balancer)?))
    }

    /// Where the client of this peer enters now; `None` once the socket is gone.
    pub(crate) fn entrance<'w>(&self, world: &'w World, peer: SocketAddr) -> Option<Entrance<'w>> {
        let (realm, listener, listener_world, balancer) = self.found(world)?;
        let fabric = &realm.snapshot.fabric;
        let (client, comes, family) = match self.clients {
            Clients::Of(approach) => {
                let client = approach.client(&realm.snapshot, listener, peer)?;
                (client, Comes::To(approach), approach.family(peer))
            }
            Clients::Led(passage) => {
                (passage.end(fabric)?, Comes::Led(fabric.interface_by_id(passage.node?)?), passage.family)
            }
        };
        let address = client.address(fabric, family)?;
        Some(Entrance { realm, listener, listener_world, balancer, client, address, peer, comes })
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
        let found = self.found(&world);
        let is_secure = found.is_some_and(|(_, listener, ..)| listener.tls.is_some());
        let transport = if is_secure { Transport::Tls } else { Transport::Plain };
        let idle = found.map_or(CLIENT_HEAD_TIMEOUT, |(.., balancer)| balancer.attributes.idle_timeout);
        Manners { transport, takes_prior_knowledge: false, takes_upgrades: true, answers_unread: true, idle }
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
