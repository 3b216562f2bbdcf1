//! Ways out of private networks of the kernel, where the configuration has them (`egress.nat`): a connection that routes, groups and ACLs let out is taken in a
//! namespace of the network's own, judged once more by the newest snapshot, and carried on by a connection of this process to the address that it was meant
//! for, if that may be reached from here at all ([`Outside`](crate::fabric::outside::Outside)).
//!
//! Nothing comes in by them. The program's connection is there before the other end is asked: where that is not reached, it is cut.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Weak};

use kernel::Beyond;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use topology::id::{NetworkInterfaceId, Realm, VpcId};
use topology::snapshot::fabric::Exit;
use topology::way;

use crate::carry::{Carried, both_ways};
use crate::fabric::kernel::KernelEngine;
use crate::fabric::outside::{Origin, Purpose, Scheme, Stream};
use crate::front::listen;
use crate::front::watch::Connections;
use crate::limits::{EXIT_CONNECTIONS_PER_INTERFACE_MAX, EXIT_IDLE_TIMEOUT, EXIT_SHARE, OUTSIDE_CONNECT_TIMEOUT};
use crate::shared::Shared;
use crate::task;

/// A network's way out.
#[derive(Debug)]
struct WayOut {
    /// Whoever carries must not keep it.
    shared: Weak<Shared>,
    realm: Realm,
    vpc: VpcId,
    /// Connections of each interface.
    open: Mutex<HashMap<NetworkInterfaceId, usize>>,
    /// How many they may be together: what others have is not taken from them.
    most: usize,
}

/// One of an interface's connections.
struct Place<'w> {
    way_out: &'w WayOut,
    interface: NetworkInterfaceId,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut open = self.way_out.open.lock();
        if let Some(count) = open.get_mut(&self.interface) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.interface);
            }
        }
    }
}

/// Who connects from where, the connection outside, and its place.
type Reached<'w> = (Arc<Shared>, Ipv4Addr, NetworkInterfaceId, Stream, Place<'w>);

/// Has the ways out of the engine's networks carried, if the configuration has any.
pub(crate) fn serve(engine: &KernelEngine, handle: &Handle, (shared, connections): (&Arc<Shared>, &Arc<Connections>)) {
    if !shared.config.egress.has_ways_out {
        return;
    }
    let (shut, open) = shared.beyond.blocks();
    let beyond = Beyond { shut, open };
    let all = shared.config.client_connections_max();
    let (places, most) = (Arc::new(Semaphore::new(all)), (all / EXIT_SHARE).max(1));
    let (handle, shared, connections) = (handle.clone(), Arc::downgrade(shared), Arc::clone(connections));
    let serve = move |(realm, vpc): (&Realm, VpcId), listener| {
        let _entered = handle.enter();
        let listener = TcpListener::from_std(listener)?;
        let (shared, realm) = (Weak::clone(&shared), realm.clone());
        let way_out = Arc::new(WayOut { shared, realm, vpc, open: Mutex::default(), most });
        let ends = (Arc::clone(&connections), Arc::clone(&places));
        let take = move |client, peer| Arc::clone(&way_out).take(client, peer);
        Ok(handle.spawn(task::watched(listen::carry_each(ends, listener, take))))
    };
    engine.serve_exits_by(beyond, Box::new(serve));
}

impl WayOut {
    async fn take(self: Arc<Self>, client: TcpStream, peer: SocketAddr) {
        if let Err(error) = self.carry(client, peer).await {
            tracing::debug!(%error, %peer, vpc = %self.vpc, "a connection does not leave its private network");
        }
    }

    async fn carry(&self, client: TcpStream, peer: SocketAddr) -> io::Result<()> {
        let (shared, address, interface, outside, _place) = match self.reach(&client, peer).await {
            Ok(reached) => reached,
            Err(error) => {
                // Whoever sees the end of it sees that it was cut.
                client.set_zero_linger()?;
                return Err(error);
            }
        };
        let is_over = || self.interface(&shared, address) != Some(interface);
        both_ways(client, outside, (EXIT_IDLE_TIMEOUT, is_over), &Carried::default()).await;
        Ok(())
    }

    /// Judges a connection, and connects to whom it was meant for.
    async fn reach(&self, client: &TcpStream, peer: SocketAddr) -> io::Result<Reached<'_>> {
        let to = kernel::meant_for(client)?;
        let IpAddr::V4(address) = peer.ip() else { return Err(gone()) };
        let shared = self.shared.upgrade().ok_or_else(gone)?;
        let (interface, exit) = self.judge(&shared, address, to)?;
        let place = self.place(interface)?;
        let host = to.ip().to_string();
        let origin = Origin { scheme: Scheme::Http, host, port: to.port(), identity: None };
        let outside = shared.beyond.connect(&origin, Purpose::Exit, OUTSIDE_CONNECT_TIMEOUT).await;
        let outside = outside.map_err(io::Error::other)?;
        tracing::debug!(%interface, %to, ?exit, "a connection leaves its private network");
        Ok((shared, address, interface, outside, place))
    }

    /// Judges it by the newest snapshot.
    fn judge(&self, shared: &Shared, from: Ipv4Addr, to: SocketAddrV4) -> io::Result<(NetworkInterfaceId, Exit)> {
        let world = shared.world.load();
        let fabric = &world.realm(&self.realm).ok_or_else(gone)?.snapshot.fabric;
        let index = fabric.interface_at(self.vpc, from.into()).ok_or_else(gone)?;
        let interface = fabric.interface(index).ok_or_else(gone)?.id;
        let exit = way::leave(fabric, index, *to.ip(), to.port());
        let denied =
            |denial: way::Denial| io::Error::new(io::ErrorKind::PermissionDenied, format!("{:?}", denial.reason));
        exit.map(|exit| (interface, exit)).map_err(denied)
    }

    /// The interface that has this address now.
    fn interface(&self, shared: &Shared, address: Ipv4Addr) -> Option<NetworkInterfaceId> {
        let world = shared.world.load();
        let fabric = &world.realm(&self.realm)?.snapshot.fabric;
        Some(fabric.interface(fabric.interface_at(self.vpc, address.into())?)?.id)
    }

    fn place(&self, interface: NetworkInterfaceId) -> io::Result<Place<'_>> {
        let mut open = self.open.lock();
        if open.values().sum::<usize>() >= self.most {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the VPC has as many connections as it may"));
        }
        let count = open.entry(interface).or_default();
        if *count >= EXIT_CONNECTIONS_PER_INTERFACE_MAX {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "the interface has as many connections as it may",
            ));
        }
        *count += 1;
        Ok(Place { way_out: self, interface })
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::AddrNotAvailable, "nobody is there any more")
}
