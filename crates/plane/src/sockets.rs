//! Sockets of listeners: addresses of the host where clients enter a listener. One that a listener was given has the interface that its
//! clients come from. Those of internet-facing load balancers are there by themselves, where the configuration names a host for them, and
//! each client is the address that it has. Which there are is the snapshot's; a socket is bound when its entry comes and closed when it goes.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use topology::id::{ListenerId, Realm};
use topology::snapshot::balancer::Listener;

use crate::alb::door::{Approach, Clients, ListenerDoor};
use crate::fabric::engine::Engine;
use crate::front::listen::{self, Transport};
use crate::front::watch::Connections;
use crate::limits::{INTERNET_SOCKETS_MAX, OFFERED_SOCKETS_MAX, OWN_PORT_MIN};
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

/// Which socket of which listener.
type Key = (Realm, ListenerId, Approach);

/// The open sockets.
#[derive(Debug)]
pub(crate) struct Sockets {
    serving: HashMap<Key, Serving>,
    /// Bound for entries that are still to come.
    offered: Vec<TcpListener>,
    /// Those that are wanted and not open; they are tried again.
    shut: HashMap<Key, Shut>,
    /// Connections of those on the host.
    places: Arc<Semaphore>,
    /// Connections of those in private networks.
    inside_places: Arc<Semaphore>,
    binder: Binder,
    engine: Engine,
    /// Where listeners of internet-facing load balancers are; unset, they have no socket.
    internet: Option<Ipv4Addr>,
}

#[derive(Debug)]
struct Serving {
    /// What was asked for.
    wanted: SocketAddr,
    /// What the system gave.
    host: SocketAddr,
    behind: Behind,
    accepting: JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
        tracing::info!(host = %self.host, "the socket of a listener is closed");
    }
}

/// One that is not open.
#[derive(Debug)]
struct Shut {
    wanted: SocketAddr,
    why: String,
}

/// A socket that the newest world has.
struct Wanted {
    key: Key,
    /// Where it is to be. On the internet, the port is a wish, and 0 is none.
    host: SocketAddr,
    arn: String,
    leads_streams: bool,
}

impl Sockets {
    /// None yet; their clients may have so many connections at a time. Those of internet-facing load balancers are to be at `internet`.
    pub(crate) fn new(connections_max: usize, (binder, engine): (Binder, Engine), internet: Option<Ipv4Addr>) -> Self {
        let places = || Arc::new(Semaphore::new(connections_max));
        Self {
            serving: HashMap::new(),
            offered: Vec::new(),
            shut: HashMap::new(),
            places: places(),
            inside_places: places(),
            binder,
            engine,
            internet,
        }
    }

    /// Binds an address before there is an entry for it, so that whoever wishes for one hears what the system says, and which port it
    /// gave for port 0. One that this listener has already is only told.
    pub(crate) fn offer(
        &mut self,
        handle: &Handle,
        wanted: (&Realm, Option<ListenerId>),
        host: SocketAddr,
    ) -> io::Result<SocketAddr> {
        if let Some(((realm, listener, approach), _)) = self.serving.iter().find(|(_, serving)| serving.host == host) {
            let is_own = realm == wanted.0 && Some(*listener) == wanted.1 && *approach == Approach::Attached;
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

    /// Why the socket that a listener was given at this address is not open, if it is not.
    pub(crate) fn fault(&self, host: SocketAddr) -> Option<String> {
        let is_it = |key: &Key, shut: &Shut| key.2 == Approach::Attached && shut.wanted == host;
        self.shut.iter().find(|(key, shut)| is_it(key, shut)).map(|(_, shut)| shut.why.clone())
    }

    /// Where clients on the internet enter a listener, or why they cannot; `None` where they are not to.
    pub(crate) fn internet(&self, realm: &Realm, listener: ListenerId) -> Option<Result<SocketAddr, String>> {
        let key = (realm.clone(), listener, Approach::Internet);
        let open = self.serving.get(&key).map(|serving| Ok(serving.host));
        open.or_else(|| self.shut.get(&key).map(|shut| Err(shut.why.clone())))
    }

    /// What stands behind the socket at this address of the host.
    pub(crate) fn behind(&self, host: SocketAddr) -> Option<Behind> {
        let is_here = |(key, serving): &(&Key, &Serving)| {
            let bound = serving.host;
            let is_on_host = !matches!(key.2, Approach::Inside(_));
            is_on_host && bound.port() == host.port() && (bound.ip() == host.ip() || bound.ip().is_unspecified())
        };
        self.serving.iter().find(is_here).map(|(_, serving)| serving.behind.clone())
    }

    /// Lets go of an address that was offered and is not wanted.
    pub(crate) fn withdraw(&mut self, host: SocketAddr) {
        self.offered.retain(|offered| offered.local_addr().is_ok_and(|bound| bound != host));
    }

    /// Opens the sockets that the newest world has, and closes those that it has no longer.
    pub(crate) fn reconcile(&mut self, handle: &Handle, shared: &Arc<Shared>, connections: &Arc<Connections>) {
        let world = shared.world.load_full();
        let mut wanted = wanted(&world, self.internet);
        wanted.extend(inside(&world, &self.engine));
        let hosts: HashMap<&Key, SocketAddr> = wanted.iter().map(|wanted| (&wanted.key, wanted.host)).collect();
        self.serving.retain(|key, serving| hosts.get(key) == Some(&serving.wanted));
        self.shut.retain(|key, shut| hosts.get(key) == Some(&shut.wanted));
        let _entered = handle.enter();
        for wanted in wanted {
            if self.serving.contains_key(&wanted.key) {
                continue;
            }
            match self.open(&wanted) {
                Ok((listener, host)) => {
                    tracing::info!(%host, listener = wanted.arn, "the socket of a listener is open");
                    self.shut.remove(&wanted.key);
                    let serving = self.serve((listener, host), &wanted, handle, (shared, connections));
                    self.serving.insert(wanted.key, serving);
                }
                Err(why) => {
                    let (host, listener) = (wanted.host, &wanted.arn);
                    if !self.shut.contains_key(&wanted.key) {
                        tracing::error!(%host, listener, why, "the socket of a listener cannot be opened; it is tried again");
                    }
                    self.shut.insert(wanted.key, Shut { wanted: wanted.host, why });
                }
            }
        }
    }

    /// Binds one, or takes the one that was bound for it.
    fn open(&mut self, wanted: &Wanted) -> Result<(TcpListener, SocketAddr), String> {
        let Wanted { key: (.., approach), host, .. } = wanted;
        let offered = self.offered.iter().position(|offered| offered.local_addr().is_ok_and(|bound| bound == *host));
        let bound = match (approach, offered) {
            (Approach::Attached, Some(at)) => Ok(self.offered.swap_remove(at)),
            (Approach::Attached, None) => self.binder.bind(*host),
            (Approach::Inside(node), _) => match &self.engine {
                Engine::Proxy => Err(io::ErrorKind::Unsupported.into()),
                #[cfg(target_os = "linux")]
                Engine::Kernel(engine) => {
                    let max = engine.sockets_max();
                    if self.count(|approach| matches!(approach, Approach::Inside(_))) >= max {
                        return Err(format!("{max} are open in private networks, as many as may be"));
                    }
                    engine.listen(*node, host.port()).and_then(TcpListener::from_std)
                }
            },
            (Approach::Internet, _) => {
                if self.count(|approach| approach == Approach::Internet) >= INTERNET_SOCKETS_MAX {
                    return Err(format!("{INTERNET_SOCKETS_MAX} are open, as many as may be"));
                }
                self.binder.bind(*host).or_else(|_taken| self.binder.bind(SocketAddr::new(host.ip(), 0)))
            }
        };
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        bound.map(|(host, listener)| (listener, host)).map_err(|error| error.to_string())
    }

    fn count(&self, is_such: impl Fn(Approach) -> bool) -> usize {
        self.serving.keys().filter(|key| is_such(key.2)).count()
    }

    /// Has its clients served.
    fn serve(
        &self,
        (listener, host): (TcpListener, SocketAddr),
        wanted: &Wanted,
        handle: &Handle,
        (shared, connections): (&Arc<Shared>, &Arc<Connections>),
    ) -> Serving {
        let (realm, id, approach) = wanted.key.clone();
        let (of, shared) = ((realm, id), Arc::clone(shared));
        let places = if let Approach::Inside(_) = approach { &self.inside_places } else { &self.places };
        let (connections, places) = (Arc::clone(connections), Arc::clone(places));
        let (behind, accepting) = if wanted.leads_streams {
            let door = Arc::new(StreamDoor::new(shared, of, approach));
            let accepting = relay::accept(Arc::clone(&door), connections, listener, places);
            (Behind::Streams(door), handle.spawn(task::watched(accepting)))
        } else {
            let door = Arc::new(ListenerDoor::new(shared, of, Clients::Of(approach)));
            let accepting = listen::accept(Arc::clone(&door), connections, (listener, Transport::Plain), places);
            (Behind::Requests(door), handle.spawn(task::watched(accepting)))
        };
        Serving { wanted: wanted.host, host, behind, accepting }
    }
}

/// Those that were asked for by address come before those that may move.
fn wanted(world: &World, internet: Option<Ipv4Addr>) -> Vec<Wanted> {
    let realms = || world.realms.iter().map(|realm| &realm.snapshot);
    let mut wanted: Vec<Wanted> = Vec::new();
    for realm in realms() {
        let balancers = &realm.balancers;
        wanted.extend(balancers.sockets.iter().filter_map(|socket| {
            let listener = balancers.listener(socket.listener)?;
            Some(Wanted::of((&realm.realm, listener), Approach::Attached, socket.host))
        }));
    }
    let Some(internet) = internet else { return wanted };
    for realm in realms() {
        let facing = realm.balancers.listeners.iter().filter(|listener| realm.balancers.faces_internet(listener));
        wanted.extend(facing.map(|listener| {
            let port = if listener.port >= OWN_PORT_MIN { listener.port } else { 0 };
            Wanted::of((&realm.realm, listener), Approach::Internet, SocketAddr::new(IpAddr::V4(internet), port))
        }));
    }
    wanted
}

/// Those at the nodes' own interfaces, as far as these are there.
#[cfg(target_os = "linux")]
fn inside(world: &World, engine: &Engine) -> Vec<Wanted> {
    let Engine::Kernel(engine) = engine else { return Vec::new() };
    let mut wanted = Vec::new();
    for realm in world.realms.iter().map(|realm| &realm.snapshot) {
        for listener in &realm.balancers.listeners {
            let Some(balancer) = realm.balancers.balancer(listener.balancer) else { continue };
            let nodes = balancer.nodes.iter().filter_map(|node| realm.fabric.interface(node.interface));
            wanted.extend(nodes.filter(|node| engine.has(node.id)).map(|node| {
                let host = SocketAddr::from((node.private_ip, listener.port));
                Wanted::of((&realm.realm, listener), Approach::Inside(node.id), host)
            }));
        }
    }
    wanted
}

#[cfg(not(target_os = "linux"))]
fn inside(_world: &World, _engine: &Engine) -> Vec<Wanted> {
    Vec::new()
}

impl Wanted {
    fn of((realm, listener): (&Realm, &Listener), approach: Approach, host: SocketAddr) -> Self {
        Self {
            key: (realm.clone(), listener.id, approach),
            host,
            arn: listener.arn.clone(),
            leads_streams: listener.stream.is_some(),
        }
    }
}
