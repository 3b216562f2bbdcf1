//! The agent's end: it dials a gateway, keeps its control lane, and keeps as many connections for requests as are wanted. It goes on so
//! until it is told to stop, whatever happens to the gateway.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use topology::observed::{Anomaly, Fact, Health, TargetKey};
use topology::snapshot::balancer::TargetGroup;

use super::{LaneError, LaneKind, SESSION_PATH, Streams};
use crate::front::arrival::Arrival;
use crate::front::connection::{self, Spoken};
use crate::front::watch::Connections;
use crate::guard::{Guard, Lasting};
use crate::limits::{
    LINK_CALLS_MAX, LINK_CONNECTIONS_MAX, LINK_COUNTS_INTERVAL, LINK_DEAD_AFTER, LINK_DIAL_TIMEOUT, LINK_DIALLING_MAX,
    LINK_FACTS_MAX, LINK_GATEWAY_MESSAGE_BYTES_MAX, LINK_IDLE_LEAST, LINK_LAST_LINES_TIMEOUT, LINK_SETTLE_TIMEOUT,
    LINK_WINDOW_BYTES,
};
use crate::link::arrive::LinkDoor;
use crate::link::lines::Ledger;
use crate::link::message::{
    FactTold, Frames, FromAgent, HealthTold, Hello, Slice, VERSION, VERSION_LEAST, Welcome, framed,
};
use crate::link::session::{AgentSession, GatewayEvent, Over, dial_again_after};
use crate::shared::Shared;
use crate::targets::state::GroupState;
use crate::{clock, entropy, task};

/// A connection that is being dialled.
pub type Dialling = Pin<Box<dyn Future<Output = io::Result<(TlsStream<TcpStream>, SocketAddr)>> + Send>>;

/// Who knows how a gateway is dialled, and takes what it says.
pub trait Desk: Send + Sync + 'static {
    /// Dials the gateway.
    fn dial(&self, lane: LaneKind) -> Dialling;

    /// How the agent greets.
    fn hello(&self) -> (u64, u64);

    /// The gateway welcomed.
    fn welcomed(&self, welcome: &Welcome);

    /// Puts a part of a state in; with the last one it takes effect. It may take long, and is called where that harms nobody.
    ///
    /// # Errors
    /// Why it cannot be.
    fn put_in(&self, slice: Slice) -> Result<(), String>;

    /// The certificate is due to be renewed when this is ready: a signing request, in Base64.
    fn renewal(&self) -> Pin<Box<dyn Future<Output = String> + Send>>;

    /// Keeps another certificate.
    ///
    /// # Errors
    /// Why it cannot be.
    fn renewed(&self, chain: &str, generation: u64) -> Result<(), String>;

    /// The gateway is connected and gives requests, or is not and why.
    fn connected(&self, is_connected: Result<(), &LaneError>);
}

/// A call for the gateway, and where its answer goes.
#[derive(Debug)]
pub struct Call {
    /// The last part of its path.
    pub path: String,
    /// Its body, in JSON.
    pub body: String,
    /// Where status and body go.
    pub answer: oneshot::Sender<(u16, String)>,
}

/// What an agent's plane saw, to be told to each gateway.
#[derive(Debug, Default)]
pub struct FactBook {
    health: Mutex<BTreeMap<TargetKey, HealthTold>>,
    anomalies: Mutex<BTreeMap<TargetKey, Anomaly>>,
    changed: watch::Sender<u64>,
}

impl FactBook {
    /// Takes a fact in.
    pub fn saw(&self, fact: Fact) {
        match fact {
            Fact::TargetHealth { target, health, .. } => drop(self.health.lock().insert(target, health.into())),
            Fact::TargetAnomaly { target, anomaly, .. } => drop(self.anomalies.lock().insert(target, anomaly)),
            // It is the gateway that uses links and has APIs.
            Fact::LinkUsed { .. } | Fact::Usage { .. } => return,
        }
        self.changed.send_modify(|count| *count += 1);
    }

    /// Forgets targets that are gone.
    pub fn keep(&self, is_there: impl Fn(&TargetKey) -> bool) {
        self.health.lock().retain(|target, _| is_there(target));
        self.anomalies.lock().retain(|target, _| is_there(target));
    }

    /// What a gateway that was told this does not know, a message's worth at most; it counts as told.
    fn news(&self, told: &mut FactsTold) -> Vec<FactTold> {
        let mut facts = Vec::new();
        let health = self.health.lock();
        told.health.retain(|target, _| health.contains_key(target));
        for (target, health) in health.iter() {
            if facts.len() < LINK_FACTS_MAX && told.health.get(target) != Some(health) {
                told.health.insert(*target, *health);
                facts.push(FactTold::Health { target: (*target).into(), health: *health });
            }
        }
        drop(health);
        let anomalies = self.anomalies.lock();
        told.anomalies.retain(|target, _| anomalies.contains_key(target));
        for (target, anomaly) in anomalies.iter() {
            if facts.len() < LINK_FACTS_MAX && told.anomalies.get(target) != Some(anomaly) {
                told.anomalies.insert(*target, *anomaly);
                let Anomaly { is_anomalous, is_mitigated } = *anomaly;
                facts.push(FactTold::Anomaly { target: (*target).into(), is_anomalous, is_mitigated });
            }
        }
        facts
    }
}

/// What one gateway was told.
#[derive(Debug, Default)]
struct FactsTold {
    health: BTreeMap<TargetKey, HealthTold>,
    anomalies: BTreeMap<TargetKey, Anomaly>,
}

/// What an agent's link to one gateway is kept with.
#[derive(Debug)]
pub struct Keeping<D> {
    /// Who knows the gateway.
    pub desk: Arc<D>,
    /// What the plane saw.
    pub facts: Arc<FactBook>,
    /// The newest revision that is in effect.
    pub revision: watch::Receiver<u64>,
    /// Calls for the gateway.
    pub calls: mpsc::Receiver<Call>,
    /// Lines of logs; one gateway is told them.
    pub ledger: Option<Ledger>,
    /// Whether the agent goes down.
    pub stopping: watch::Receiver<bool>,
}

/// The plane of an agent.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// What its tasks share.
    pub(crate) shared: Arc<Shared>,
    /// Its connections.
    pub(crate) connections: Arc<Connections>,
    /// Has what flow logs tell of written down, whatever interval it is of.
    pub(crate) write_flows: fn(&Shared),
}

/// Keeps a link until the agent goes down.
pub(crate) async fn keep<D: Desk>(ends: Ends, keeping: Keeping<D>) {
    Keeper { ends, keeping }.keep().await;
}

/// What keeps an agent's link to one gateway.
struct Keeper<D> {
    ends: Ends,
    keeping: Keeping<D>,
}

impl<D: Desk> Keeper<D> {
    async fn keep(mut self) {
        let mut lost = clock::now();
        while !*self.keeping.stopping.borrow() {
            let mut was_open = false;
            let Err(error) = Box::pin(self.link(&mut was_open)).await else { return };
            if was_open {
                lost = clock::now();
            }
            self.keeping.desk.connected(Err(&error));
            let lasted = clock::now().saturating_duration_since(lost);
            let retry_after = match &error {
                LaneError::Over(Over::Refused(refusal)) => refusal.retry_after_ms.map(Duration::from_millis),
                _ => None,
            };
            let wait = retry_after.unwrap_or_default() + dial_again_after(lasted, entropy::below(1_000_000));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // Whoever goes down waits for nobody.
                _ = self.keeping.stopping.wait_for(|stopping| *stopping) => return,
                () = refuse_calls(&mut self.keeping.calls) => {}
            }
        }
    }

    /// Dials once and keeps the link as long as it lasts: why it ended, unless the agent goes down. `was_open` is set once the gateway welcomes.
    async fn link(&mut self, was_open: &mut bool) -> Result<(), LaneError> {
        let dialling = tokio::time::timeout(LINK_DIAL_TIMEOUT, self.keeping.desk.dial(LaneKind::Control));
        let (stream, peer) = dialling.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        let mut builder = h2::server::Builder::new();
        builder
            .initial_window_size(LINK_WINDOW_BYTES)
            .initial_connection_window_size(LINK_WINDOW_BYTES)
            .max_concurrent_streams(1);
        let shaking = tokio::time::timeout(LINK_DEAD_AFTER, builder.handshake::<_, Bytes>(stream));
        let mut connection = shaking.await.map_err(|_elapsed| Over::Silent)??;
        let accepting = tokio::time::timeout(LINK_DEAD_AFTER, connection.accept());
        let first = accepting.await.map_err(|_elapsed| Over::NoGreeting)?;
        let (request, mut reply) = first.ok_or(LaneError::Ended)??;
        if request.uri().path() != SESSION_PATH {
            return Err(LaneError::Over(Over::Broken("the first stream is no session")));
        }
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::OK;
        let streams = Streams::new(reply.send_response(response, false)?, request.into_body());
        let driving = task::spawn(async move {
            while let Some(accepted) = connection.accept().await {
                // Nothing but the session is spoken here.
                match accepted {
                    Ok((_, mut reply)) => reply.send_reset(h2::Reason::REFUSED_STREAM),
                    Err(error) => return tracing::debug!(%error, "a control lane ended"),
                }
            }
        });
        let ended = self.session(streams, peer, was_open).await;
        driving.abort();
        ended
    }

    async fn session(&mut self, mut streams: Streams, peer: SocketAddr, was_open: &mut bool) -> Result<(), LaneError> {
        let (run, revision) = self.keeping.desk.hello();
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let hello = Hello { versions: (VERSION_LEAST, VERSION), program, run, revision };
        let mut session = AgentSession::new(hello, streams.now());
        let mut frames = Frames::new(LINK_GATEWAY_MESSAGE_BYTES_MAX);
        let mut told = FactsTold::default();
        let mut facts = self.keeping.facts.changed.subscribe();
        let (mut calls, mut number) = (BTreeMap::<u64, oneshot::Sender<_>>::new(), 0);
        let (mut connections, mut settling) = (None, None);
        let mut renewal = self.keeping.desk.renewal();
        let (mut is_draining, mut facts_wait, mut ends_at) = (false, true, None);
        let mut counts_at = clock::now();
        self.keeping.ledger.iter_mut().for_each(Ledger::begin);
        loop {
            while let Some(event) = session.event() {
                match event {
                    GatewayEvent::Welcomed(welcome) => {
                        *was_open = true;
                        self.keeping.desk.welcomed(&welcome);
                    }
                    GatewayEvent::Slice(slice) => {
                        let (revision, is_last, desk) = (slice.revision, slice.is_last, Arc::clone(&self.keeping.desk));
                        let putting = tokio::task::spawn_blocking(move || desk.put_in(slice));
                        let put = putting.await.map_err(|error| LaneError::State(error.to_string()))?;
                        put.map_err(LaneError::State)?;
                        if is_last {
                            session.tell(FromAgent::Took { revision });
                            // Only now is there something that requests can be judged by; by which targets, probes say soon.
                            settling.get_or_insert_with(|| clock::now() + LINK_SETTLE_TIMEOUT);
                        }
                    }
                    GatewayEvent::Answered { number, status, body } => {
                        if let Some(answer) = calls.remove(&number) {
                            let _ = answer.send((status, body));
                        }
                    }
                    GatewayEvent::Logged(number) => {
                        self.keeping.ledger.iter_mut().for_each(|ledger| ledger.took(number));
                    }
                    GatewayEvent::Renewed { chain, generation } => {
                        self.keeping.desk.renewed(&chain, generation).map_err(LaneError::State)?;
                        renewal = self.keeping.desk.renewal();
                    }
                    GatewayEvent::Closing => tracing::info!("the gateway goes down"),
                    GatewayEvent::RoundTrip(took) => tracing::debug!(?took, "round trip to the gateway"),
                }
            }
            if let Some(until) = settling
                && connections.is_none()
                && !is_draining
                && (self.is_settled() || clock::now() >= until)
            {
                connections = Some(self.lanes(peer));
                self.keeping.desk.connected(Ok(()));
            }
            if facts_wait && session.is_open() {
                let news = self.keeping.facts.news(&mut told);
                facts_wait = news.len() >= LINK_FACTS_MAX;
                if !news.is_empty() {
                    session.tell(FromAgent::Facts { facts: news });
                }
            }
            if session.is_open() && (clock::now() >= counts_at || ends_at.is_some()) {
                self.keeping.ledger.iter_mut().for_each(|ledger| ledger.count(&self.ends.shared));
                counts_at = clock::now() + LINK_COUNTS_INTERVAL;
            }
            let is_over =
                |ends: Instant| clock::now() >= ends || self.keeping.ledger.as_mut().is_none_or(Ledger::is_taken);
            if ends_at.is_some_and(is_over) {
                return Ok(());
            }
            if let Some(lines) = self.keeping.ledger.as_mut().filter(|_| session.is_open()).and_then(Ledger::says) {
                session.tell(FromAgent::Lines(lines));
            }
            if let Some(message) = session.says() {
                let writing = tokio::time::timeout(LINK_DEAD_AFTER, streams.write(framed(&message)));
                writing.await.map_err(|_elapsed| Over::Silent)??;
                continue;
            }
            let (wakes_at, is_open) = (streams.at(session.wakes_at()), session.is_open());
            let has_room = calls.len() < LINK_CALLS_MAX && is_open;
            tokio::select! {
                read = streams.read() => {
                    frames.fill(&read?.ok_or(LaneError::Ended)?);
                    let now = streams.now();
                    while let Some(message) = frames.take()? {
                        session.hear(message, now)?;
                    }
                }
                changed = facts.changed() => {
                    changed.map_err(|_| LaneError::Ended)?;
                    facts_wait = true;
                }
                Some(call) = self.keeping.calls.recv(), if has_room => {
                    number += 1;
                    calls.insert(number, call.answer);
                    session.tell(FromAgent::Call { number, path: call.path, body: call.body });
                }
                csr = &mut renewal, if session.is_open() => {
                    session.tell(FromAgent::Renew { csr });
                    renewal = Box::pin(std::future::pending());
                }
                stopped = self.keeping.stopping.wait_for(|stopping| *stopping), if !is_draining => {
                    stopped.map_err(|_| LaneError::Ended)?;
                    is_draining = true;
                    connections.iter_mut().for_each(Lanes::dial_no_more);
                    session.tell(FromAgent::Draining);
                }
                // The gateway closes what waits, and what is under way ends.
                () = drained(connections.as_ref()), if is_draining && ends_at.is_none() => {
                    (self.ends.write_flows)(&self.ends.shared);
                    let last = if is_open { LINK_LAST_LINES_TIMEOUT } else { Duration::ZERO };
                    ends_at = Some(clock::now() + last);
                }
                () = lines(self.keeping.ledger.as_mut()), if is_open => {}
                () = sleep_until(ends_at), if ends_at.is_some() => {}
                () = tokio::time::sleep_until(counts_at), if is_open => {}
                () = sleep_until(settling), if settling.is_some() && connections.is_none() => {}
                () = tokio::time::sleep_until(wakes_at) => session.tick(streams.now())?,
            }
        }
    }

    /// Whether each group of targets has one that is healthy, or none that was not probed yet: a load balancer that knows of none sends
    /// requests to any.
    fn is_settled(&self) -> bool {
        let world = self.ends.shared.world.load();
        let is_known = |state: &GroupState| {
            let mut health = state.targets.iter().map(|target| target.health());
            health.clone().any(|health| health == Health::Healthy) || health.all(|health| health != Health::Initial)
        };
        let is_used = |group: &TargetGroup| group.balancer.is_some();
        world.realms.iter().all(|realm| realm.groups().all(|(group, state)| !is_used(group) || is_known(state)))
    }

    /// Keeps connections for requests as long as what it gives is held.
    fn lanes(&self, peer: SocketAddr) -> Lanes {
        let count = Arc::new(Count::default());
        let door =
            Arc::new(LinkDoor::new(Arc::clone(&self.ends.shared), self.keeping.revision.clone(), Arc::clone(&count)));
        let keeping = keep_lanes(self.ends.clone(), Arc::clone(&self.keeping.desk), door, peer, Arc::clone(&count));
        let mut task = JoinSet::new();
        task.spawn(task::watched(keeping));
        Lanes { count, keeping: task }
    }
}

/// Answers calls that come while no gateway is connected.
async fn refuse_calls(calls: &mut mpsc::Receiver<Call>) {
    while let Some(call) = calls.recv().await {
        let body = r#"{"code":"NO_GATEWAY","message":"the agent is not connected to a gateway at present"}"#;
        let _ = call.answer.send((503, body.to_owned()));
    }
    std::future::pending().await
}

/// Connections for requests, which are kept as long as this is held; those under way end by themselves.
struct Lanes {
    count: Arc<Count>,
    keeping: JoinSet<()>,
}

impl Lanes {
    /// Those that end are not replaced.
    fn dial_no_more(&mut self) {
        self.keeping.abort_all();
    }
}

/// Waits for lines of logs.
async fn lines(ledger: Option<&mut Ledger>) {
    match ledger {
        Some(ledger) => ledger.fill().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

async fn drained(lanes: Option<&Lanes>) {
    let Some(Lanes { count, .. }) = lanes else { return };
    loop {
        let changed = count.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if count.open.load(Ordering::Relaxed) == 0 {
            return;
        }
        changed.await;
    }
}

/// How many connections there are to one gateway.
#[derive(Debug, Default)]
pub(crate) struct Count {
    open: AtomicUsize,
    dialling: AtomicUsize,
    busy: AtomicUsize,
    changed: Notify,
}

/// A request under way, with what else lasts as long.
#[derive(Debug)]
struct Busy {
    count: Arc<Count>,
    _other: Mutex<Option<Guard>>,
}

impl Lasting for Busy {
    fn over(&self) {
        self.count.busy.fetch_sub(1, Ordering::Relaxed);
        self._other.lock().take();
    }

    fn endless(&self) {
        if let Some(other) = &*self._other.lock() {
            other.endless();
        }
    }
}

impl Count {
    /// A request began; `other` lasts as long as it does.
    pub(crate) fn begin(self: &Arc<Self>, other: Option<Guard>) -> Guard {
        self.busy.fetch_add(1, Ordering::Relaxed);
        // The fewer are under way, the fewer are wanted: an end says nothing.
        if self.wanted() > 0 {
            self.changed.notify_waiters();
        }
        Guard::new(Arc::new(Busy { count: Arc::clone(self), _other: Mutex::new(other) }))
    }

    /// How many more connections are wanted: those that are being dialled count.
    fn wanted(&self) -> usize {
        let [open, dialling, busy] =
            [&self.open, &self.dialling, &self.busy].map(|count| count.load(Ordering::Relaxed));
        let idle = (open + dialling).saturating_sub(busy);
        let most = LINK_CONNECTIONS_MAX.saturating_sub(open + dialling);
        let wanted = LINK_IDLE_LEAST.max(busy / 4).saturating_sub(idle).min(most);
        wanted.min(LINK_DIALLING_MAX.saturating_sub(dialling))
    }
}

/// Keeps connections for requests: dials as many as are wanted, and serves each to its end.
async fn keep_lanes<D: Desk>(ends: Ends, desk: Arc<D>, door: Arc<LinkDoor>, peer: SocketAddr, count: Arc<Count>) {
    let (mut failed, mut failures) = (None, 0);
    let (told, mut outcomes) = mpsc::channel(LINK_DIALLING_MAX);
    loop {
        let changed = count.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if failed.is_none() {
            for _ in 0..count.wanted() {
                count.dialling.fetch_add(1, Ordering::Relaxed);
                let behind = (Arc::clone(&door), Arc::clone(&ends.connections));
                drop(task::spawn(lane(desk.dial(LaneKind::Data), told.clone(), Arc::clone(&count), behind, peer)));
            }
        }
        tokio::select! {
            () = changed => {}
            Some(is_good) = outcomes.recv() => match is_good {
                true => failures = 0,
                false => {
                    failures += 1;
                    let lasted = Duration::from_secs(failures);
                    let wait = dial_again_after(lasted, entropy::below(1_000_000));
                    failed = Some(Box::pin(tokio::time::sleep(wait)));
                }
            },
            () = async { if let Some(pause) = failed.as_mut() { pause.await } else { std::future::pending().await } } => {
                failed = None;
            }
        }
    }
}

/// One connection for requests, which counts as being dialled already: tells whether it was made, and serves it to its end.
async fn lane(
    dialling: Dialling,
    told: mpsc::Sender<bool>,
    count: Arc<Count>,
    (door, connections): (Arc<LinkDoor>, Arc<Connections>),
    peer: SocketAddr,
) {
    let dialled = tokio::time::timeout(LINK_DIAL_TIMEOUT, dialling).await;
    count.dialling.fetch_sub(1, Ordering::Relaxed);
    let stream = match dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok((stream, _)) => stream,
        Err(error) => {
            tracing::debug!(%error, "a connection for requests could not be dialled");
            let _ = told.send(false).await;
            return;
        }
    };
    let _ = told.send(true).await;
    count.open.fetch_add(1, Ordering::Relaxed);
    let arrival = Arc::new(Arrival::plain(peer));
    let served = connection::carry(stream, (Spoken::Http1, LinkDoor::MANNERS), (door, arrival), connections).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of a gateway ended");
    }
    count.open.fetch_sub(1, Ordering::Relaxed);
    count.changed.notify_waiters();
}
