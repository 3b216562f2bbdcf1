//! Sockets of listeners: addresses of the host where clients enter a listener, each with the interface that its clients come from. Which
//! there are is the snapshot's; a socket is bound when its entry comes and closed when it goes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use topology::id::{ListenerId, Realm};
use topology::snapshot::balancer::{Balancer, Listener};
use topology::snapshot::fabric::{Interface, InterfaceIndex};

use super::direct;
use crate::answer::body::Body;
use crate::front::arrival::Arrival;
use crate::front::listen::{self, Transport};
use crate::front::watch::Connections;
use crate::front::{Door, Manners, Presented};
use crate::guard::Guard;
use crate::http::body::SentBody;
use crate::http1::spelling::Spelling;
use crate::limits::{CLIENT_HEAD_TIMEOUT, OFFERED_SOCKETS_MAX};
use crate::shared::{Binder, Shared};
use crate::targets::state::Rotation;
use crate::task;
use crate::tls::Hello;
use crate::world::{ListenerWorld, RealmWorld, World};

/// What stands behind a listener's socket.
#[derive(Debug)]
pub(crate) struct ListenerDoor {
    shared: Arc<Shared>,
    realm: Realm,
    listener: ListenerId,
    rotation: Rotation,
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
    /// The place of the interface that clients come from.
    pub(crate) from: InterfaceIndex,
    /// That interface.
    pub(crate) interface: &'w Interface,
}

impl ListenerDoor {
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

    /// Where its clients enter now; `None` once the socket is gone.
    pub(crate) fn entrance<'w>(&self, world: &'w World) -> Option<Entrance<'w>> {
        let realm = world.realm(&self.realm)?.as_ref();
        let balancers = &realm.snapshot.balancers;
        let index = balancers.listener_by_id(self.listener)?;
        let from = balancers.socket(index)?.interface;
        let (listener, listener_world) = realm.listener(index)?;
        let balancer = balancers.balancer(listener.balancer)?;
        let interface = realm.snapshot.fabric.interface(from)?;
        Some(Entrance { realm, listener, listener_world, balancer, from, interface })
    }
}

impl Door for ListenerDoor {
    /// A listener speaks what it speaks when the client comes. Load balancers speak HTTP/2 within TLS only.
    fn manners(&self, _opened_for: Transport) -> Manners {
        let world = self.shared.world.load();
        let entrance = self.entrance(&world);
        let is_secure = entrance.as_ref().is_some_and(|entrance| entrance.listener.tls.is_some());
        let transport = if is_secure { Transport::Tls } else { Transport::Plain };
        let idle = entrance.map_or(CLIENT_HEAD_TIMEOUT, |entrance| entrance.balancer.attributes.idle_timeout);
        Manners { transport, takes_prior_knowledge: false, takes_upgrades: true, idle }
    }

    async fn prepare(&self) {}

    fn present(&self, hello: Hello<'_>) -> Result<Presented, String> {
        let world = self.shared.world.load();
        let presented = self.entrance(&world).and_then(|entrance| entrance.listener_world.presented.as_ref());
        let presented = presented.ok_or("the listener is gone, or speaks TLS no longer")?;
        Ok((None, presented.presentation(hello)?))
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

/// The open sockets.
#[derive(Debug)]
pub(crate) struct Sockets {
    serving: HashMap<(Realm, ListenerId), Serving>,
    /// Bound for entries that are still to come.
    offered: Vec<TcpListener>,
    /// What the system says of those that it does not open; they are tried again.
    shut: HashMap<SocketAddr, String>,
    /// Connections of all of them.
    places: Arc<Semaphore>,
    binder: Binder,
}

#[derive(Debug)]
struct Serving {
    host: SocketAddr,
    door: Arc<ListenerDoor>,
    accepting: JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Sockets {
    /// None yet; their clients may have so many connections at a time.
    pub(crate) fn new(connections_max: usize, binder: Binder) -> Self {
        let places = Arc::new(Semaphore::new(connections_max));
        Self { serving: HashMap::new(), offered: Vec::new(), shut: HashMap::new(), places, binder }
    }

    /// Binds an address before there is an entry for it, so that whoever wishes for one hears what the system says, and which port it
    /// gave for port 0. One that this listener has already is only told.
    pub(crate) fn offer(
        &mut self,
        handle: &Handle,
        wanted: (&Realm, Option<ListenerId>),
        host: SocketAddr,
    ) -> io::Result<SocketAddr> {
        if let Some(((realm, listener), _)) = self.serving.iter().find(|(_, serving)| serving.host == host) {
            let is_own = realm == wanted.0 && Some(*listener) == wanted.1;
            return if is_own { Ok(host) } else { Err(io::ErrorKind::AddrInUse.into()) };
        }
        let listener = self.bind(handle, host)?;
        let bound = listener.local_addr()?;
        if self.offered.len() >= OFFERED_SOCKETS_MAX {
            self.offered.remove(0);
        }
        self.offered.push(listener);
        Ok(bound)
    }

    fn bind(&self, handle: &Handle, host: SocketAddr) -> io::Result<TcpListener> {
        let _entered = handle.enter();
        self.binder.bind(host)
    }

    /// Whether one is wanted that the system did not open.
    pub(crate) fn is_wanting(&self) -> bool {
        !self.shut.is_empty()
    }

    /// Why the socket at this address is not open, if it is not.
    pub(crate) fn fault(&self, host: SocketAddr) -> Option<String> {
        self.shut.get(&host).cloned()
    }

    /// What stands behind the socket at this address.
    pub(crate) fn door(&self, host: SocketAddr) -> Option<Arc<ListenerDoor>> {
        let mut found = self.serving.values().filter(|serving| serving.host == host);
        found.next().map(|serving| Arc::clone(&serving.door))
    }

    /// Lets go of an address that was offered and is not wanted.
    pub(crate) fn withdraw(&mut self, host: SocketAddr) {
        self.offered.retain(|offered| offered.local_addr().is_ok_and(|bound| bound != host));
    }

    /// Opens the sockets that the newest world has, and closes those that it has no longer.
    pub(crate) fn reconcile(&mut self, handle: &Handle, shared: &Arc<Shared>, connections: &Arc<Connections>) {
        let world = shared.world.load_full();
        let wanted: HashMap<(Realm, ListenerId), SocketAddr> = wanted(&world).collect();
        self.serving.retain(|key, serving| wanted.get(key) == Some(&serving.host));
        self.shut.retain(|host, _| wanted.values().any(|wanted| wanted == host));
        let _entered = handle.enter();
        for (key, host) in wanted {
            let Entry::Vacant(place) = self.serving.entry(key) else { continue };
            let offered = self.offered.iter().position(|offered| offered.local_addr().is_ok_and(|bound| bound == host));
            let bound = match offered {
                Some(at) => Ok(self.offered.swap_remove(at)),
                None => self.binder.bind(host),
            };
            let listener = match bound {
                Ok(listener) => listener,
                Err(error) => {
                    if self.shut.insert(host, error.to_string()).is_none() {
                        tracing::error!(%host, %error, "the socket of a listener cannot be opened; it is tried again");
                    }
                    continue;
                }
            };
            self.shut.remove(&host);
            let (realm, listener_id) = place.key().clone();
            let shared = Arc::clone(shared);
            let door = ListenerDoor { shared, realm, listener: listener_id, rotation: Rotation::default() };
            let (door, connections) = (Arc::new(door), Arc::clone(connections));
            let places = Arc::clone(&self.places);
            let accepting = listen::accept(Arc::clone(&door), connections, (listener, Transport::Plain), places);
            place.insert(Serving { host, door, accepting: handle.spawn(task::watched(accepting)) });
        }
    }
}

fn wanted(world: &World) -> impl Iterator<Item = ((Realm, ListenerId), SocketAddr)> {
    world.realms.iter().flat_map(|realm| {
        let balancers = &realm.snapshot.balancers;
        balancers.sockets.iter().filter_map(|socket| {
            let listener = balancers.listener(socket.listener)?.id;
            Some(((realm.snapshot.realm.clone(), listener), socket.host))
        })
    })
}
