//! Programs of the host in private networks of the kernel: at the address and port that each is attached to, programs of the network find it. Whoever connects
//! there is judged as anybody in the private network, and carried to the program.
//!
//! What is attached for every port is reached by links and load balancers alone: nobody can listen at all ports.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use topology::id::{NetworkInterfaceId, Realm};
use topology::net::Family;
use topology::verdict::End;
use topology::way;

use crate::fabric::dial::{self, Destination};
use crate::fabric::kernel::KernelEngine;
use crate::front::listen;
use crate::front::watch::Connections;
use crate::limits::RELAY_BUFFER_BYTES;
use crate::shared::Shared;
use crate::task;
use crate::world::World;

/// A connection while it is carried.
type Carrying = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An attached port of an interface.
type Key = (Realm, NetworkInterfaceId, u16);

/// The attached ports that are open in private networks.
#[derive(Debug)]
pub(crate) struct Relays {
    engine: Arc<KernelEngine>,
    open: HashMap<Key, Open>,
    /// Connections of all of them.
    places: Arc<Semaphore>,
}

#[derive(Debug)]
struct Open(JoinHandle<()>);

impl Drop for Open {
    /// Its connections end with it: the address is another's from now on, or nobody's.
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Relays {
    /// None yet; they may have so many connections at a time.
    pub(crate) fn new(engine: Arc<KernelEngine>, connections_max: usize) -> Self {
        Self { engine, open: HashMap::new(), places: Arc::new(Semaphore::new(connections_max)) }
    }

    /// Opens the ports that are attached now, as far as there are descriptors for them, and closes the others.
    pub(crate) fn reconcile(&mut self, shared: &Arc<Shared>, connections: &Arc<Connections>) {
        let world = shared.world.load_full();
        let wanted = wanted(&world, &self.engine);
        self.open.retain(|key, _| wanted.contains(key));
        for key in wanted {
            if self.open.contains_key(&key) || self.open.len() >= self.engine.sockets_max() {
                continue;
            }
            match self.engine.listen(key.1, key.2).and_then(TcpListener::from_std) {
                Ok(listener) => {
                    let ends = (Arc::clone(connections), Arc::clone(&self.places));
                    let serving = listen::carry_each(ends, listener, take(Arc::clone(shared), key.clone()));
                    self.open.insert(key, Open(Handle::current().spawn(task::watched(serving))));
                }
                Err(error) => {
                    tracing::warn!(%error, interface = %key.1, port = key.2, "an attached port is not open in its private network");
                }
            }
        }
    }
}

fn wanted(world: &World, engine: &KernelEngine) -> Vec<Key> {
    let mut wanted = Vec::new();
    for realm in world.realms.iter().map(|realm| &realm.snapshot) {
        let ports = realm.fabric.ports_of_the_host().filter(|(interface, _)| engine.has(*interface));
        wanted.extend(ports.map(|(interface, port)| (realm.realm.clone(), interface, port)));
    }
    wanted
}

/// How each connection to an attached port is carried.
fn take(shared: Arc<Shared>, key: Key) -> impl Fn(TcpStream, SocketAddr) -> Carrying {
    move |stream, peer| {
        let (shared, key) = (Arc::clone(&shared), key.clone());
        Box::pin(async move {
            if let Err(error) = carry(&shared, &key, (stream, peer)).await {
                tracing::debug!(%error, %peer, interface = %key.1, port = key.2, "a connection to an attached program broke off");
            }
        })
    }
}

/// Judges a connection, and carries it to the program.
async fn carry(
    shared: &Shared,
    (realm, interface, port): &Key,
    (mut client, peer): (TcpStream, SocketAddr),
) -> io::Result<()> {
    let permit = {
        let world = shared.world.load();
        let gone = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        let realm = world.realm(realm).ok_or_else(gone)?;
        let fabric = &realm.snapshot.fabric;
        let index = fabric.interface_by_id(*interface).ok_or_else(gone)?;
        let address = peer.ip().to_canonical();
        let End::Interface(from) = way::sender(fabric, index, address) else { return Err(gone()) };
        dial::ask(
            realm.net().through_the_kernel(*interface),
            from,
            Destination::Interface(index, Family::of(address)),
            *port,
        )
        .map_err(|denial| io::Error::new(io::ErrorKind::PermissionDenied, format!("{:?}", denial.reason)))?
    };
    let mut target = dial::connect(&permit).await.map_err(io::Error::other)?;
    copy_bidirectional_with_sizes(&mut client, &mut target, RELAY_BUFFER_BYTES, RELAY_BUFFER_BYTES).await?;
    Ok(())
}
