//! The kernel engine: each VPC that somebody is in is a network of this machine's kernel, and each interface that somebody has is a
//! namespace in it. Built and changed by a thread of its own, by the newest snapshot; sockets come out of it to whoever serves them.
//!
//! What a snapshot changes takes effect a moment after it is published. Connections from an interface whose networks are being changed
//! wait for that.

mod build;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use kernel::flows::{Flows, Told};
use kernel::{Beyond, Failure, Inside, Namespace};
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use topology::id::{NetworkInterfaceId, Realm, VpcId};
use topology::snapshot::Snapshot;

use self::build::Builder;
use super::flow::Extent;
use crate::clock;

/// One descriptor of so many is for sockets of load balancers' nodes, and one for those of attached programs of the host.
const SOCKETS_PART: usize = 8;
/// After a change that the kernel refused, when it is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// Connections that a program of a private network may have begun and a listener has not taken.
const BACKLOG: u32 = 1024;

/// The engine. Networks go with it.
#[derive(Debug)]
pub struct KernelEngine {
    inside: Inside,
    work: Arc<Work>,
    sockets_max: usize,
}

/// What is shared with the thread that builds.
#[derive(Debug, Default)]
struct Work {
    newest: Mutex<Newest>,
    told: Condvar,
    places: RwLock<HashMap<NetworkInterfaceId, Place>>,
    /// Realms by how far their networks are.
    realms: Mutex<HashMap<Realm, Arc<Progress>>>,
    faults: Mutex<HashMap<(Realm, VpcId), String>>,
    /// The routers that are listened to, for as long as their networks are there.
    listened: Mutex<Vec<Listened>>,
    /// Who serves resolvers.
    names: NameServer,
    /// Who carries what leaves by ways out.
    exits: ExitServer,
    /// Raised when a snapshot has been worked off.
    worked_off: watch::Sender<()>,
}

/// Serves the resolver of a VPC on its sockets, by a task.
pub(crate) type ServeNames =
    dyn Fn((&Realm, VpcId), (UdpSocket, TcpListener)) -> io::Result<JoinHandle<()>> + Send + Sync;

/// A router that is listened to.
#[derive(Debug, Clone)]
struct Listened {
    realm: Realm,
    vpc: VpcId,
    flows: Weak<Mutex<Flows>>,
}

/// Who serves resolvers; nobody does before somebody is told to.
#[derive(Default)]
struct NameServer(OnceLock<Box<ServeNames>>);

impl fmt::Debug for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameServer")
    }
}

/// Carries what is taken by a socket at the way out of a VPC, by a task.
pub(crate) type ServeExit = dyn Fn((&Realm, VpcId), TcpListener) -> io::Result<JoinHandle<()>> + Send + Sync;

/// Who carries what leaves; nobody does before somebody is told to, and then nothing leaves.
#[derive(Default)]
struct ExitServer(OnceLock<(Beyond, Box<ServeExit>)>);

impl fmt::Debug for ExitServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExitServer")
    }
}

#[derive(Debug, Default)]
struct Newest {
    snapshot: Option<Arc<Snapshot>>,
    /// The one before, by which a realm is known to be as it was.
    before: Option<Arc<Snapshot>>,
    is_over: bool,
}

/// How far the networks of a realm are: changes that were asked for, and those that are done.
#[derive(Debug, Default)]
struct Progress {
    asked: AtomicU64,
    done: AtomicU64,
}

impl Progress {
    fn is_behind(&self) -> bool {
        self.done.load(Ordering::Acquire) < self.asked.load(Ordering::Acquire)
    }
}

/// Where an interface is.
#[derive(Debug, Clone)]
struct Place {
    namespace: Namespace,
    address: Ipv4Addr,
    progress: Arc<Progress>,
    /// Whether its router is listened to.
    is_told: bool,
}

impl KernelEngine {
    /// Starts it, without any network, with leave to hold so many descriptors. The process must be allowed to make network namespaces
    /// (`kernel::acquire_privilege`).
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn start(descriptors: usize) -> io::Result<Self> {
        let sockets_max = descriptors / SOCKETS_PART;
        let inside = Inside::start().map_err(failed)?;
        let work = Arc::<Work>::default();
        let (builder, shared) = (Builder::new(inside.clone(), descriptors - 2 * sockets_max), Arc::clone(&work));
        thread::Builder::new().name("networks".to_owned()).spawn(move || shared.work(builder))?;
        Ok(Self { inside, work, sockets_max })
    }

    /// Has the networks become what this says, and forgets what was asked before it.
    pub(crate) fn follow(&self, snapshot: &Arc<Snapshot>) {
        let mut newest = self.work.newest.lock();
        let before = newest.before.replace(Arc::clone(snapshot));
        let mut realms = self.work.realms.lock();
        realms.retain(|realm, _| snapshot.realm(realm).is_some());
        for realm in &snapshot.realms {
            let same = before.as_ref().and_then(|before| before.realm(&realm.realm));
            if !same.is_some_and(|same| Arc::ptr_eq(&same.fabric, &realm.fabric)) {
                realms.entry(realm.realm.clone()).or_default().asked.fetch_add(1, Ordering::Release);
            }
        }
        drop(realms);
        newest.snapshot = Some(Arc::clone(snapshot));
        self.work.told.notify_one();
    }

    /// Says who serves the resolvers of the networks that are made from now on; whoever says so first is heard.
    pub(crate) fn serve_names_by(&self, serve: Box<ServeNames>) {
        // A plane says it once, when it is made.
        let _ = self.work.names.0.set(serve);
    }

    /// Says who carries what leaves by ways out, of the networks that are made from now on; whoever says so first is heard.
    pub(crate) fn serve_exits_by(&self, beyond: Beyond, serve: Box<ServeExit>) {
        // A plane says it once, when it is made.
        let _ = self.work.exits.0.set((beyond, serve));
    }

    /// Told when a snapshot has been worked off.
    pub(crate) fn worked_off(&self) -> watch::Receiver<()> {
        self.work.worked_off.subscribe()
    }

    /// What the kernel refused.
    pub(super) fn faults(&self) -> Vec<(Realm, VpcId, String)> {
        let faults = self.work.faults.lock();
        faults.iter().map(|((realm, vpc), why)| (realm.clone(), *vpc, why.clone())).collect()
    }

    /// Tells what routers with flow logs say. It waits for the kernel alone.
    pub(crate) fn hear(&self, extent: Extent, tell: &mut dyn FnMut(&Realm, VpcId, Told)) {
        let mut listened = self.work.listened.lock();
        listened.retain(|one| one.flows.strong_count() > 0);
        let all = listened.clone();
        drop(listened);
        for Listened { realm, vpc, flows } in all {
            let Some(flows) = flows.upgrade() else { continue };
            let mut flows = flows.lock();
            let tell = &mut |told| tell(&realm, vpc, told);
            let heard = match extent {
                Extent::Ended => flows.hear(tell),
                Extent::Whole => flows.look(clock::since_epoch(), tell),
            };
            if let Err(failure) = heard {
                tracing::warn!(%vpc, %failure, "what passes a private network of the kernel is not told whole");
                tell(Told::Lost);
            }
        }
    }

    /// Whether what passes this interface through the kernel is told by [`Self::hear`].
    pub(crate) fn tells_of(&self, interface: NetworkInterfaceId) -> bool {
        self.work.places.read().get(&interface).is_some_and(|place| place.is_told)
    }

    /// The namespace of an interface, if somebody has that, once the networks are as they were asked to be.
    pub async fn namespace(&self, interface: NetworkInterfaceId) -> Option<Namespace> {
        self.settled(interface).await.ok().map(|place| place.namespace)
    }

    /// Connects from an interface. It may take as long as the kernel sends: whoever waits gives up.
    pub(super) async fn connect(&self, from: NetworkInterfaceId, to: SocketAddrV4) -> io::Result<TcpStream> {
        let place = self.settled(from).await?;
        let (answer, opened) = oneshot::channel();
        let open = move || {
            // Who no longer waits needs no socket.
            let _ = answer.send(TcpSocket::new_v4());
        };
        self.inside.begin(&place.namespace, open).map_err(failed)?;
        let socket = opened.await.map_err(|_dropped| gone())??;
        socket.connect(SocketAddr::V4(to)).await
    }

    /// Listens at an interface's own address.
    pub(crate) fn listen(&self, at: NetworkInterfaceId, port: u16) -> io::Result<TcpListener> {
        let place = self.work.places.read().get(&at).cloned().ok_or_else(gone)?;
        let open = move || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::from((place.address, port)))?;
            Ok::<_, io::Error>(socket)
        };
        let socket = self.inside.run(&place.namespace, open).map_err(failed)??;
        socket.listen(BACKLOG)?.into_std()
    }

    /// How many sockets may listen at nodes of load balancers, and how many for attached programs.
    pub(crate) const fn sockets_max(&self) -> usize {
        self.sockets_max
    }

    /// Whether an interface has a namespace.
    pub(crate) fn has(&self, interface: NetworkInterfaceId) -> bool {
        self.work.places.read().contains_key(&interface)
    }

    /// Where an interface is, once the networks of its realm are as they were asked to be.
    async fn settled(&self, interface: NetworkInterfaceId) -> io::Result<Place> {
        let mut worked_off = self.worked_off();
        loop {
            worked_off.mark_unchanged();
            let place = self.work.places.read().get(&interface).cloned();
            let is_behind = match &place {
                Some(place) => place.progress.is_behind(),
                None => self.work.realms.lock().values().any(|progress| progress.is_behind()),
            };
            match place {
                Some(place) if !is_behind => return Ok(place),
                None if !is_behind => return Err(gone()),
                _ => worked_off.changed().await.map_err(|_over| gone())?,
            }
        }
    }
}

impl Drop for KernelEngine {
    fn drop(&mut self) {
        self.work.newest.lock().is_over = true;
        self.work.told.notify_one();
    }
}

impl Work {
    /// Works snapshots off until the engine is gone.
    fn work(&self, mut builder: Builder) {
        loop {
            let mut newest = self.newest.lock();
            while newest.snapshot.is_none() && !newest.is_over {
                if !builder.is_wanting() {
                    self.told.wait(&mut newest);
                } else if self.told.wait_for(&mut newest, AGAIN).timed_out() {
                    newest.snapshot = newest.before.clone();
                }
            }
            if newest.is_over {
                return;
            }
            let Some(snapshot) = newest.snapshot.take() else { continue };
            let realms = self.realms.lock();
            // What is asked from here on is done by the next round.
            let progress = |realm: &Realm| {
                let progress = realms.get(realm).map(Arc::clone).unwrap_or_default();
                let asked = progress.asked.load(Ordering::Acquire);
                (realm.clone(), (progress, asked))
            };
            let rounds: HashMap<_, _> = snapshot.realms.iter().map(|realm| progress(&realm.realm)).collect();
            drop(realms);
            drop(newest);
            builder.work_off(&snapshot, |realm| rounds.get(realm).map(|(progress, _)| Arc::clone(progress)), self);
            for (progress, asked) in rounds.into_values() {
                progress.done.store(asked, Ordering::Release);
            }
            self.worked_off.send_replace(());
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::AddrNotAvailable, "the interface is in no private network of the kernel")
}

fn failed(failure: Failure) -> io::Error {
    io::Error::from_raw_os_error(failure.errno().raw_os_error())
}
