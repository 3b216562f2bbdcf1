//! Sockets of listeners: addresses of the host where clients enter a listener, each with the interface that its clients come from. Which
//! there are is the snapshot's; a socket is bound when its entry comes and closed when it goes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use topology::id::{ListenerId, Realm};

use crate::alb::door::ListenerDoor;
use crate::front::listen::{self, Transport};
use crate::front::watch::Connections;
use crate::limits::OFFERED_SOCKETS_MAX;
use crate::nlb::relay::{self, StreamDoor};
use crate::shared::{Binder, Shared};
use crate::task;
use crate::world::World;

/// What stands behind a socket.
#[derive(Debug, Clone)]
pub(crate) enum Behind {
    /// A listener that takes requests.
    Requests(Arc<ListenerDoor>),
    /// One that leads connections.
    Streams(Arc<StreamDoor>),
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
    behind: Behind,
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
    pub(crate) fn behind(&self, host: SocketAddr) -> Option<Behind> {
        let mut found = self.serving.values().filter(|serving| serving.host == host);
        found.next().map(|serving| serving.behind.clone())
    }

    /// Lets go of an address that was offered and is not wanted.
    pub(crate) fn withdraw(&mut self, host: SocketAddr) {
        self.offered.retain(|offered| offered.local_addr().is_ok_and(|bound| bound != host));
    }

    /// Opens the sockets that the newest world has, and closes those that it has no longer.
    pub(crate) fn reconcile(&mut self, handle: &Handle, shared: &Arc<Shared>, connections: &Arc<Connections>) {
        let world = shared.world.load_full();
        let wanted: HashMap<(Realm, ListenerId), (SocketAddr, bool)> = wanted(&world).collect();
        self.serving.retain(|key, serving| wanted.get(key).is_some_and(|(host, _)| *host == serving.host));
        self.shut.retain(|host, _| wanted.values().any(|(wanted, _)| wanted == host));
        let _entered = handle.enter();
        for (key, (host, leads_streams)) in wanted {
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
            let (of, shared) = (place.key().clone(), Arc::clone(shared));
            let (connections, places) = (Arc::clone(connections), Arc::clone(&self.places));
            let (behind, accepting) = if leads_streams {
                let door = Arc::new(StreamDoor::new(shared, of));
                let accepting = relay::accept(Arc::clone(&door), connections, listener, places);
                (Behind::Streams(door), handle.spawn(task::watched(accepting)))
            } else {
                let door = Arc::new(ListenerDoor::new(shared, of, None));
                let accepting = listen::accept(Arc::clone(&door), connections, (listener, Transport::Plain), places);
                (Behind::Requests(door), handle.spawn(task::watched(accepting)))
            };
            place.insert(Serving { host, behind, accepting });
        }
    }
}

/// Each with whether its listener leads connections.
fn wanted(world: &World) -> impl Iterator<Item = ((Realm, ListenerId), (SocketAddr, bool))> {
    world.realms.iter().flat_map(|realm| {
        let balancers = &realm.snapshot.balancers;
        balancers.sockets.iter().filter_map(|socket| {
            let listener = balancers.listener(socket.listener)?;
            Some(((realm.snapshot.realm.clone(), listener.id), (socket.host, listener.stream.is_some())))
        })
    })
}
