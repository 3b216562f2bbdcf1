//! The plane as the binary sees it: one swap in, requests through, facts and traces out.

mod flows;
pub(crate) mod lanes;
mod page;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use topology::id::{ListenerId, Realm, UsagePlanId, VpcId};
use topology::observed::{Health, TargetKey};
use topology::resource::usage_plan::{Usage, UsageKey};
use topology::snapshot::Snapshot;
use topology::snapshot::balancer::Check;
use topology::trace::RequestId;
use topology::trial::{Trial, Tried};

use crate::answer::body::{self, Body};
#[cfg(target_os = "linux")]
use crate::exits;
use crate::fabric::dial::PoolKey;
use crate::fabric::engine::Engine;
use crate::fabric::flow::Extent;
use crate::fabric::lanes::Lanes;
use crate::fabric::outside::Outside;
use crate::fabric::stream::Home;
use crate::front::arrival::Arrival;
use crate::front::listen;
use crate::front::listen::Transport;
use crate::front::watch::Connections;
use crate::gateway::authorize::pool_issuers;
use crate::gateway::rest::trial;
use crate::gateway::{asked, find, serve};
use crate::http::body::SentBody;
use crate::http::places::Places;
use crate::http1::spelling::Spelling;
use crate::identity::Identity;
use crate::identity::voucher::Named;
use crate::limits::{IDLE_SWEEP_INTERVAL, MAPPED_BODIES_BYTES_MAX, SIGNED_BODIES_BYTES_MAX, WHOLE_BODIES_BYTES_MAX};
use crate::nlb::probe::Lookout;
use crate::nlb::relay::{self, Asked};
#[cfg(target_os = "linux")]
use crate::relays::Relays;
use crate::resolver;
use crate::shared::{Observer, PlaneConfig, Shared};
use crate::sockets::{Behind, Sockets};
use crate::targets::health::{Newest, Probers};
use crate::targets::seal::UserSeal;
use crate::targets::signer::Signer;
use crate::targets::sticky::Seal;
use crate::task;
use crate::tls::presented::Development;
use crate::tls::verify::Trust;
use crate::trace::TraceRing;
use crate::turn::Turns;
use crate::usage::{LimitedMethod, Meters};
use crate::world::World;

/// The data plane. Cloning it clones a handle; the tasks end when the last handle is gone.
#[derive(Debug, Clone)]
pub struct Plane(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    handle: Handle,
    trust_prepared: AtomicBool,
    probers: Mutex<Probers>,
    sockets: Arc<Mutex<Sockets>>,
    sweeper: JoinHandle<()>,
    follower: Option<JoinHandle<()>>,
    stopping: watch::Sender<bool>,
}

/// How draining ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still open at the deadline.
    pub cut: usize,
}

/// Whether a request is an invocation of an API, by its host or its path, and so belongs to [`Plane::handle`].
#[must_use]
pub fn is_invocation<B>(request: &Request<B>) -> bool {
    find::is_invocation(request.uri(), request.headers())
}

impl Plane {
    /// A plane without any resource. It must be made within the runtime that is to carry its traffic.
    #[must_use]
    pub fn new(config: PlaneConfig, observer: Observer) -> Self {
        let outside = Arc::new(Outside::new(config.egress.clone()));
        let beyond = Outside::new(config.egress.clone());
        let seal = Seal::new(config.cookie_key.clone());
        let shared = Arc::new(Shared {
            world: ArcSwap::from_pointee(World::carried_by(config.engine.clone())),
            home: Home { pool: Arc::default(), http2: Arc::default(), traces: Arc::new(TraceRing::new(config.run)) },
            identity: Arc::new(Identity::new(Arc::clone(&outside))),
            lanes: Lanes::default(),
            outside,
            beyond,
            usage: Meters::default(),
            signed_bodies: Arc::new(Places::new(SIGNED_BODIES_BYTES_MAX)),
            mapped_requests: Arc::new(Places::new(MAPPED_BODIES_BYTES_MAX)),
            mapped_answers: Arc::new(Places::new(MAPPED_BODIES_BYTES_MAX)),
            whole_requests: Arc::new(Places::new(WHOLE_BODIES_BYTES_MAX)),
            whole_answers: Arc::new(Places::new(WHOLE_BODIES_BYTES_MAX)),
            turns: Turns::default(),
            user_seal: UserSeal::new(config.cookie_key.clone()),
            signer: Signer::default(),
            seal,
            trust: Trust::new(config.egress.extra_roots.clone(), config.development.clone()),
            development: config.development.clone().map(|issuer| Arc::new(Development::new(issuer))),
            config,
            observer,
            born: crate::clock::now(),
        });
        let PlaneConfig { binder, internet, engine, .. } = &shared.config;
        let max = shared.config.client_connections_max();
        let sockets = Arc::new(Mutex::new(Sockets::new(max, (binder.clone(), engine.clone()), *internet)));
        let handle = Handle::current();
        let connections = Arc::<Connections>::default();
        let sweeper =
            handle.spawn(task::watched(sweep(Arc::clone(&shared), Arc::clone(&connections), Arc::clone(&sockets))));
        serve_names(&handle, &shared);
        serve_exits(&handle, (&shared, &connections));
        let follower = follow(&handle, (&shared, &connections), &sockets);
        Self(Arc::new(Inner {
            shared,
            connections,
            handle,
            trust_prepared: AtomicBool::new(false),
            probers: Mutex::default(),
            sockets,
            sweeper,
            follower,
            stopping: watch::Sender::new(false),
        }))
    }

    /// Makes a snapshot the one that new requests see. Requests under way keep theirs. Callable from any thread; it does not
    /// wait for traffic.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        // Held over the swap, so that two callers cannot reconcile in another order than they swapped.
        let mut probers = self.0.probers.lock();
        #[cfg(target_os = "linux")]
        if let Engine::Kernel(engine) = &self.0.shared.config.engine {
            engine.follow(&snapshot);
        }
        let world = Arc::new(self.0.shared.world.load().next(snapshot));
        self.prepare_trust(&world);
        self.0.shared.world.store(Arc::clone(&world));
        self.0.shared.identity.retain(|| issuers(&world, &self.0.shared.config));
        self.0.shared.usage.retain(|key| holds(&world, key), |plan, method| limits(&world, plan, method));
        let newest: Arc<dyn Newest> = Arc::new(Lookout(Arc::clone(&self.0.shared)));
        let shared = &self.0.shared;
        let groups = world.realms.iter().flat_map(|realm| {
            let fabric = &realm.snapshot.fabric;
            // Targets of a VPC that agents carry are probed by these.
            let own = realm.groups().filter(|(group, _)| !shared.is_carried_by_agents(fabric, group.vpc));
            own.map(|(group, state)| (&realm.snapshot, group, state))
        });
        probers.reconcile(&self.0.handle, &newest, groups);
        self.0.sockets.lock().reconcile(&self.0.handle, &self.0.shared, &self.0.connections);
        let is_allowed = |key: &PoolKey| world.realms.iter().any(|realm| key.is_still_allowed(&realm.snapshot.fabric));
        self.0.shared.home.pool.close_matching(|key| !is_allowed(key));
        self.0.shared.home.http2.close_matching(|key| !is_allowed(key));
    }

    /// Who carries connections in private networks.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.shared.config.engine
    }

    /// Binds an address of the host for a socket of a listener that is still to be made, and says which it is: port 0 takes a free one.
    ///
    /// # Errors
    /// What the system says.
    pub fn offer_socket(
        &self,
        (realm, listener): (&Realm, Option<ListenerId>),
        host: SocketAddr,
    ) -> io::Result<SocketAddr> {
        self.0.sockets.lock().offer(&self.0.handle, (realm, listener), host)
    }

    /// Where clients on the internet enter this listener, or why they cannot; `None` where they are not to: its load balancer is internal,
    /// or there is no host for such sockets.
    #[must_use]
    pub fn internet_socket(&self, realm: &Realm, listener: ListenerId) -> Option<Result<SocketAddr, String>> {
        self.0.sockets.lock().internet(realm, listener)
    }

    /// Why the socket of a listener at this address is not open, if it is not.
    #[must_use]
    pub fn socket_fault(&self, host: SocketAddr) -> Option<String> {
        self.0.sockets.lock().fault(host)
    }

    /// Lets go of an address that was offered and is not wanted.
    pub fn withdraw_socket(&self, host: SocketAddr) {
        self.0.sockets.lock().withdraw(host);
    }

    /// Moves the clock by which tokens and the keys of issuers are judged, and how long a target is unhealthy. Timeouts and probes keep real
    /// time.
    pub fn move_clock(&self, by: Duration) {
        self.0.shared.identity.move_clock(by);
        let flows = Arc::clone(&self.0.shared.world.load().flows);
        // Whatever was before it was then.
        flows::hear(&self.0.shared, &flows, Extent::Whole);
        flows.move_clock(by);
        flows::write(&self.0.shared, &flows, false);
    }

    /// Takes over what a key used of a plan before this plane began.
    pub fn seed_usage(&self, realm: &Realm, key: UsageKey, usage: Usage) {
        self.0.shared.usage.seed(realm, key, usage);
    }

    /// Reports every count of usage that was not reported yet.
    pub fn report_usage(&self) {
        report_usage(&self.0.shared);
    }

    /// Has the roots read once there is a listener whose certificate may be verified.
    fn prepare_trust(&self, world: &World) {
        let mut listeners = world.realms.iter().flat_map(|realm| &realm.snapshot.balancers.listeners);
        if !listeners.any(|listener| listener.tls.is_some()) || self.0.trust_prepared.swap(true, Ordering::Relaxed) {
            return;
        }
        let shared = Arc::clone(&self.0.shared);
        // Nobody waits for it: a check that comes first reads them itself.
        drop(self.0.handle.spawn_blocking(move || shared.trust.prepare()));
    }

    /// The public half of the key by which load balancers sign users' claims, in PEM, where it has this id.
    #[must_use]
    pub fn signing_key(&self, kid: &str) -> Option<String> {
        self.0.shared.signer.public(kid)
    }

    /// What new requests see.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.shared.world.load().snapshot)
    }

    /// The revision that new requests see.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.0.shared.world.load().snapshot.revision
    }

    /// Serves a public listener until the plane drains.
    pub fn serve_public(&self, listener: TcpListener) -> impl Future<Output = ()> + Send + use<> {
        self.accept(listener, Transport::Plain)
    }

    /// Serves a public listener with TLS until the plane drains: custom domain names with their certificates, and in
    /// development mode invoke hosts with the local authority's.
    pub fn serve_public_tls(&self, listener: TcpListener) -> impl Future<Output = ()> + Send + use<> {
        self.accept(listener, Transport::Tls)
    }

    /// Answers questions about names on these sockets, as the resolver of a VPC, until it is dropped. While the VPC is not there, or has DNS support
    /// switched off, nobody is answered.
    pub fn serve_names(
        &self,
        (realm, vpc): (Realm, VpcId),
        sockets: (UdpSocket, TcpListener),
    ) -> impl Future<Output = ()> + Send + use<> {
        resolver::serve(Arc::new(resolver::Place::new(Arc::downgrade(&self.0.shared), realm, vpc)), sockets)
    }

    fn accept(&self, listener: TcpListener, transport: Transport) -> impl Future<Output = ()> + Send + use<> {
        let places = Arc::new(Semaphore::new(self.0.shared.config.client_connections_max()));
        let (door, connections) = (Arc::clone(&self.0.shared), Arc::clone(&self.0.connections));
        listen::accept(door, connections, (listener, transport), places)
    }

    /// Answers one request that came over a listener of the caller's.
    pub async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let (request, lines) = SentBody::of_hyper(request);
        let request = (request, Spelling::framed(lines));
        let Ok(response) = serve(Arc::clone(&self.0.shared), request, Arc::new(Arrival::plain(peer)), None).await;
        body::for_http2(response)
    }

    /// Carries out a request as if a client at this address had sent it to the socket of a listener that is there, or else to a public
    /// listener, and answers the id of its trace: see `gateway::asked`. Its URI is a path and a query, its host is its `Host`. Whoever
    /// asks bounds how many there are at a time, and how long it waits.
    pub async fn ask(&self, request: Request<Bytes>, there: Option<SocketAddr>, peer: SocketAddr) -> Option<RequestId> {
        let behind = there.and_then(|there| self.0.sockets.lock().behind(there));
        match behind {
            Some(Behind::Requests(door)) => Box::pin(asked::ask(door, request, peer)).await,
            Some(Behind::Streams(door)) => match Box::pin(relay::ask(&door, peer)).await {
                Asked::Traced(id) => Some(id),
                Asked::Through(door) => Box::pin(asked::ask(door, request, peer)).await,
            },
            None => Box::pin(asked::ask(Arc::clone(&self.0.shared), request, peer)).await,
        }
    }

    /// Carries out a trial of a method for a caller at this address: see [`topology::trial`]. Whoever asks bounds how many there
    /// are at a time.
    pub async fn try_method(&self, trial: Trial, peer: SocketAddr) -> Tried {
        Box::pin(trial::run(&self.0.shared, trial, peer)).await
    }

    /// The newest traces.
    #[must_use]
    pub fn traces(&self) -> &TraceRing {
        &self.0.shared.home.traces
    }

    /// What the last probes said of a target; `None` for one that is not served.
    #[must_use]
    pub fn health(&self, target: &TargetKey) -> Option<Health> {
        let world = self.0.shared.world.load();
        let mut found = world.realms.iter().filter_map(|realm| {
            let index = realm.snapshot.balancers.group_by_id(target.group)?;
            realm.group(index)?.1.targets.iter().find(|state| state.key == *target)
        });
        found.next().map(|state| state.health())
    }

    /// The page of metrics, in the OpenMetrics text form that Prometheus reads (`docs/metrics.md`).
    #[must_use]
    pub fn metrics(&self) -> String {
        page::text(&self.0.shared, &self.0.connections)
    }

    /// How many upstream connections are kept.
    #[must_use]
    pub fn idle_upstreams(&self) -> usize {
        self.0.shared.home.pool.idle()
    }

    /// Accepts no more, ends each connection with its current request, and waits for that until the deadline. Probing stops
    /// at once.
    pub async fn drain(&self, deadline: Duration) -> Drained {
        self.0.probers.lock().stop();
        self.0.stopping.send_replace(true);
        self.0.connections.begin_drain();
        let ended = tokio::time::timeout(deadline, self.0.connections.ended()).await;
        flows::write_all(&self.0.shared);
        Drained { cut: if ended.is_ok() { 0 } else { self.0.connections.open() } }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.sweeper.abort();
        self.follower.iter().for_each(JoinHandle::abort);
        self.probers.get_mut().stop();
    }
}

/// Has the resolvers of private networks answer.
#[cfg(target_os = "linux")]
fn serve_names(handle: &Handle, shared: &Arc<Shared>) {
    let Engine::Kernel(engine) = &shared.config.engine else { return };
    let (handle, shared) = (handle.clone(), Arc::downgrade(shared));
    engine.serve_names_by(Box::new(move |(realm, vpc), (datagrams, connections)| {
        let place = Arc::new(resolver::Place::new(Weak::clone(&shared), realm.clone(), vpc));
        let _entered = handle.enter();
        let sockets = (UdpSocket::from_std(datagrams)?, TcpListener::from_std(connections)?);
        Ok(handle.spawn(resolver::serve(place, sockets)))
    }));
}

#[cfg(not(target_os = "linux"))]
fn serve_names(_handle: &Handle, _shared: &Arc<Shared>) {}

#[cfg(target_os = "linux")]
fn serve_exits(handle: &Handle, plane: (&Arc<Shared>, &Arc<Connections>)) {
    if let Engine::Kernel(engine) = &plane.0.config.engine {
        exits::serve(engine, handle, plane);
    }
}

#[cfg(not(target_os = "linux"))]
fn serve_exits(_handle: &Handle, _plane: (&Arc<Shared>, &Arc<Connections>)) {}

/// Opens sockets in private networks once these are there.
#[cfg(target_os = "linux")]
fn follow(
    handle: &Handle,
    (shared, connections): (&Arc<Shared>, &Arc<Connections>),
    sockets: &Arc<Mutex<Sockets>>,
) -> Option<JoinHandle<()>> {
    let Engine::Kernel(engine) = &shared.config.engine else { return None };
    let mut worked_off = engine.worked_off();
    let mut relays = Relays::new(Arc::clone(engine), shared.config.client_connections_max());
    let (shared, connections, sockets) = (Arc::clone(shared), Arc::clone(connections), Arc::clone(sockets));
    Some(handle.spawn(task::watched(async move {
        while worked_off.changed().await.is_ok() {
            sockets.lock().reconcile(&Handle::current(), &shared, &connections);
            relays.reconcile(&shared, &connections);
        }
    })))
}

#[cfg(not(target_os = "linux"))]
fn follow(
    _handle: &Handle,
    _plane: (&Arc<Shared>, &Arc<Connections>),
    _sockets: &Arc<Mutex<Sockets>>,
) -> Option<JoinHandle<()>> {
    None
}

fn report_usage(shared: &Shared) {
    for fact in shared.usage.untold() {
        shared.observer.report(fact);
    }
}

async fn sweep(shared: Arc<Shared>, connections: Arc<Connections>, sockets: Arc<Mutex<Sockets>>) {
    let mut ticks = tokio::time::interval(IDLE_SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        connections.sweep();
        shared.home.pool.sweep();
        shared.home.http2.sweep();
        shared.lanes.sweep();
        {
            let mut sockets = sockets.lock();
            if sockets.is_wanting() {
                sockets.reconcile(&Handle::current(), &shared, &connections);
            }
        }
        report_usage(&shared);
        let flows = Arc::clone(&shared.world.load().flows);
        flows::hear_aside(&shared, &flows).await;
        flows::write(&shared, &flows, false);
        let (world, now) = (shared.world.load(), crate::clock::now());
        world.realms.iter().flat_map(|realm| realm.balancers()).for_each(|(_, meter)| meter.weigh(now));
    }
}

/// Whether a key is in a plan.
fn holds(world: &World, (plan, key): &UsageKey) -> bool {
    let mut plans = world.realms.iter().flat_map(|realm| &realm.snapshot.gateway.usage.plans);
    plans.any(|known| known.id == *plan && known.members.contains_key(key))
}

/// Whether a plan still limits this method of this stage by itself.
fn limits(world: &World, plan: UsagePlanId, (api, stage, route): &LimitedMethod) -> bool {
    let Some((realm, api, _)) = world.api(*api) else { return false };
    let served = api.stages.iter().filter(|known| known.name == *stage).flat_map(|s| [Some(s), s.canary()]).flatten();
    let mut limited = served.filter_map(|stage| Some((stage.rest.as_deref()?, stage.deployed.as_deref()?)));
    limited.any(|(rest, deployed)| {
        let is_this = |of: u32| realm.snapshot.gateway.usage.plan(of).is_some_and(|known| known.id == plan);
        let mut plans = rest.plans.iter().filter(|on_stage| is_this(on_stage.plan));
        let place = deployed.routes.iter().position(|known| known.id == *route);
        place.is_some_and(|at| plans.any(|on_stage| on_stage.limits.get(at).is_some_and(Option::is_some)))
    })
}

/// The issuers that served authorizers name, and the keys that rules of listeners do.
fn issuers(world: &World, config: &PlaneConfig) -> Named {
    let apis = world.realms.iter().flat_map(|realm| &*realm.snapshot.gateway.apis);
    let stages = apis.flat_map(|api| &api.stages).flat_map(|stage| [Some(stage), stage.canary()]).flatten();
    let mut named = Named::default();
    for deployed in stages.filter_map(|stage| stage.deployed.as_deref()) {
        named.issuers.extend(deployed.authorizers.iter().map(|authorizer| authorizer.issuer.clone()));
        let pools = deployed.rest.iter().flat_map(|rest| &rest.pools);
        named.issuers.extend(pools.flat_map(|pools| pool_issuers(pools, config.cognito_endpoint.as_deref())));
    }
    let listeners = world.realms.iter().flat_map(|realm| &realm.snapshot.balancers.listeners);
    for check in listeners.flat_map(|listener| &*listener.rules).filter_map(|rule| rule.gate.as_deref()) {
        match check {
            Check::Jwt(validation) => _ = named.endpoints.insert(validation.jwks_endpoint.clone()),
            Check::Oidc(_) | Check::Cognito(_) => {}
        }
    }
    named
}
