//! `tidegate up`: opens the store, binds the listeners, wires control and plane together, says that it is ready, and ends
//! in order. What a request means is decided below, in the rooms.

pub(crate) mod answer;
mod api_tls;
mod attaching;
pub(crate) mod aws;
mod descriptors;
pub(crate) mod directory;
#[cfg(target_os = "linux")]
mod door;
pub(crate) mod ends;
mod engine;
mod explained;
pub(crate) mod guard;
mod keeper;
pub(crate) mod lease;
pub(crate) mod limits;
pub(crate) mod link;
pub(crate) mod listen;
pub(crate) mod notify;
pub(crate) mod objects;
pub(crate) mod own;
mod owner;
mod page;
pub(crate) mod patient;
mod runs;
mod signed;
mod status;
mod tls;
mod up;

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use control::{Committed, Control, ControlError, Mint, Settings};
use plane::report::outlet::{self, BalancerLine, Outlet};
use plane::report::span::RequestSpan;
use plane::{
    Binder, Egress, Enforcement, Engine, ExtraRoot, LocalIssuers, Observer, Plane, PlaneConfig, SignatureJudge,
    UsageKeeper,
};
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use topology::id::Realm;
use topology::resource::attribute::Idle;
use topology::snapshot::Snapshot;
use topology::trace::RequestId;

pub(crate) use ends::Ends;
use ends::{bind, bound, listener, local, optional};
pub(crate) use engine::Chosen;
use keeper::Keeper;
pub(crate) use up::{configuration, log_to_stderr, runtime, up};

use crate::acme::{self, Authority};
use crate::ca::AuthorityError;
use crate::chance::seed;
use crate::config::{Config, Delays, Unsupported};
use crate::doctor::Unfit;
use crate::hour::wall_clock;
use crate::journal::Journal;
use crate::log_files::LogFiles;
use crate::mailbox::{Mailbox, Publish};
use crate::remembered::CallRing;
use crate::telemetry::Exporter;
use api_tls::ApiTls;
use descriptors::Shares;
use directory::DataDirectory;
use limits::{
    ASKED_MAX, DOCUMENTS_READ_MAX, DRAIN_DEADLINE, LEASES_MAX, METRICS_CONNECTIONS_MAX, REDIRECT_CONNECTIONS_MAX,
    ROOTS_BYTES_MAX, TRIALS_MAX,
};
use link::Link;
use link::office::Newest;
use listen::{Door, Places};
use runs::Runs;
use tls::Development;

/// Problems of a realm that a start warns of; `tidegate status` tells more.
const PROBLEMS_WARNED_MAX: usize = 10;

/// Why the server could not start.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// The data directory cannot be used.
    #[error("the data directory {} cannot be used: {source}", .path.display())]
    Directory {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another server has it.
    #[error("the data directory {} is in use by another tidegate", .0.display())]
    InUse(PathBuf),
    /// What it holds cannot be used.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
    /// A listener cannot be had.
    #[error("{key}: cannot listen on {address}: {source}")]
    Listen {
        /// The setting.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The access-log file cannot be had.
    #[error("access_log: {0}")]
    AccessLog(std::io::Error),
    /// The development authority cannot be used.
    #[error("the development certificate authority cannot be used: {0}")]
    Authority(#[from] AuthorityError),
    /// The certificate of the API port cannot be used.
    #[error("tls.api_certificate: {0}")]
    ApiTls(String),
    /// The authority of ACME cannot be asked.
    #[error("{0}")]
    Acme(String),
    /// The listener of the link has no identity.
    #[error("listen.link: {0}")]
    Link(String),
    /// Namespaces cannot be handed over.
    #[error("namespaces of private networks cannot be handed over: fabric.sock in the data directory: {0}")]
    Door(std::io::Error),
    /// The file of roots cannot be used.
    #[error("tls.extra_roots: {} {why}", .path.display())]
    Roots {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system gives no thread or runtime.
    #[error("the system gives no thread: {0}")]
    Thread(std::io::Error),
}

/// What every request of the API port shares.
pub(crate) struct State {
    /// The configuration in force.
    pub(crate) config: Config,
    /// The development authority.
    pub(crate) authority: Arc<Development>,
    /// Where the server is.
    pub(crate) ends: Ends,
    /// The way to control.
    pub(crate) mailbox: Mailbox,
    /// The data plane.
    pub(crate) plane: Plane,
    /// Why the kernel does not carry private networks, where it would have been taken.
    pub(crate) unfit: Option<Unfit>,
    /// Calls that there is something to tell about.
    pub(crate) calls: CallRing,
    /// Places for leases.
    pub(crate) leases: Arc<Semaphore>,
    /// Places for documents that are read.
    pub(crate) documents: Semaphore,
    /// Places for trials of methods.
    pub(crate) trials: Semaphore,
    /// Places for requests that are carried out to be explained.
    pub(crate) asked: Semaphore,
    /// Whether the server is going down.
    pub(crate) stopping: watch::Sender<bool>,
    /// The log files of load balancers, where there is a place for them.
    pub(crate) log_files: Option<LogFiles>,
    /// This run of the server, and those before it.
    pub(crate) runs: Runs,
    /// Where namespaces of private networks are handed over, if there are any.
    pub(crate) door: Option<String>,
    /// The listener of agents, if there is one.
    pub(crate) link: Option<Arc<Link>>,
    /// The authority that is asked for certificates by ACME, if one is.
    pub(crate) acme: Option<Arc<Authority>>,
}

impl State {
    /// Who enforces what security groups, network ACLs and routes say.
    pub(crate) fn enforcement(&self) -> Enforcement {
        self.plane.engine().enforcement()
    }

    /// Why it is not the kernel's, where that would have been taken: the step of the examination that failed, and what would mend it.
    pub(crate) fn enforcement_reason(&self) -> Option<String> {
        self.unfit.as_ref().map(Unfit::to_string)
    }

    /// A request id that no other call has.
    pub(crate) fn request_id(&self) -> String {
        RequestId::of_run(self.runs.current(), u128::from(seed())).uuid()
    }
}

/// Waits until the server stops.
pub(crate) async fn told(stopping: &mut watch::Receiver<bool>) {
    // The sender lives as long as the state that whoever waits holds.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn until_told(mut stopping: watch::Receiver<bool>) {
    told(&mut stopping).await;
}

/// A server that serves.
pub(crate) struct Running {
    state: Arc<State>,
    secured: Option<Arc<ApiTls>>,
    control: JoinHandle<()>,
    places: Places,
    journal: Journal,
    exporter: Option<Exporter>,
    // Held until the end: the locks on the data directory, and on that of a detached server in memory.
    _directories: [DataDirectory; 2],
}

/// Starts a server within the current runtime.
///
/// # Errors
/// See [`StartError`].
pub(crate) async fn start(config: Config, Chosen { engine, unfit }: Chosen) -> Result<Running, StartError> {
    if let Some(unfit) = &unfit {
        tracing::info!(step = unfit.step, why = %unfit, "the kernel cannot carry private networks; the proxy engine does");
    }
    let api = listener("listen.api", config.api).await?;
    let api_tls = optional("listen.api_tls", config.api_tls).await?;
    let metrics = optional("listen.metrics", config.metrics).await?;
    let redirect = optional("listen.redirect", config.redirect).await?;
    let public = optional("listen.public", config.public).await?;
    let public_tls = tls::listener(&config).await?;
    let link = ends::far(config.link)?;
    let link_connections_max = if link.is_some() { link::of_link() } else { 0 };
    // One more for the sockets of listeners, which share it, and one for those in private networks.
    let (networks, inside) = match engine.enforcement() {
        Enforcement::Proxy => (0, 0),
        Enforcement::Kernel => (descriptors::of_networks(), 1),
    };
    let sent_on = if redirect.is_some() { REDIRECT_CONNECTIONS_MAX } else { 0 };
    let networks = networks + link_connections_max + sent_on;
    let shares = Shares::take(1 + usize::from(public.is_some()) + usize::from(public_tls.is_some()) + inside, networks);
    let ends = Ends {
        api: local(&api, config.api),
        api_tls: bound(api_tls.as_ref()),
        metrics: bound(metrics.as_ref()),
        redirect: bound(redirect.as_ref()),
        public: bound(public.as_ref()),
        public_tls: public_tls.as_ref().map(|listener| local(listener, config.public_tls.address)),
        link: bound(link.as_ref()),
    };
    let directory = DataDirectory::open(config.data_dir.as_deref())?;
    let in_memory = config.data_dir.is_none() && config.kept_log.is_some();
    let home = DataDirectory::open(Some(config.home.as_path()).filter(|_| in_memory))?;
    let runs = directory.begin_run(wall_clock());
    let authority = Development::open(&config)?;
    let acme = config.acme.as_ref().map(|acme| Authority::open(acme, config.data_dir.as_deref()));
    let acme = acme.transpose().map_err(StartError::Acme)?;
    let secured = match &api_tls {
        None => None,
        Some(listener) => {
            let at = listener.local_addr().map_err(StartError::Thread)?;
            Some(ApiTls::open(&config, &authority, at).map_err(StartError::ApiTls)?)
        }
    };
    let mut control = Control::open(directory.store()?, settings(&config, &ends), mint()?)?;
    let book = Arc::new(directory.log_book()?);
    control.keep_logs(Arc::clone(&book))?;
    warn_of_doubles(&control);
    let (lines, lines_out) = outlet::lines();
    let journal = Journal::start(lines_out, book, config.access_log.clone()).map_err(StartError::AccessLog)?;
    let (spans, exporter) = exporter(&config);
    let (balancer_lines, log_files) = log_files(&config);

    let reports: Arc<OnceLock<Mailbox>> = Arc::default();
    let usage: Option<Arc<dyn UsageKeeper>> = Some(Arc::new(Keeper(Arc::clone(&reports))));
    let client_connections_max = Some(shares.public);
    let run = runs.current();
    let cookie_key = directory.cookie_key()?;
    let lines = Some(lines);
    let wired = PlaneConfig {
        run,
        binder: Binder::new(bind),
        lines,
        balancer_lines,
        spans,
        usage,
        client_connections_max,
        cookie_key: Some(cookie_key.clone()),
        engine,
        prover: acme.as_ref().map(|acme| acme.prover()),
        kernel_refused_at: unfit.as_ref().map(|unfit| unfit.step.clone()),
        ..PlaneConfig::default()
    };
    let plane_config = plane_config(&config, &authority, wired)?;
    let plane = Plane::new(plane_config, observer(&reports));
    seed_usage(&plane, &control);
    let newest = Arc::<Newest>::default();
    let (mailbox, desk) = Mailbox::new(control, publisher(&plane, &newest, acme.clone()));
    let link = match link {
        None => None,
        Some(listener) => {
            let (mailbox, plane, blocked_connect) = (mailbox.clone(), plane.clone(), config.blocked_connect);
            let told = link::office::Told { newest, mailbox, plane, cookie_key, blocked_connect };
            let link = Link::open(config.data_dir.as_deref(), link_connections_max, told).map_err(StartError::Link)?;
            Some((listener, Arc::new(link)))
        }
    };
    // Empty until here, and only here is it filled.
    let _ = reports.set(mailbox.clone());
    let thread = desk.start().map_err(StartError::Thread)?;
    warn_of_problems(&plane.snapshot());
    #[cfg(target_os = "linux")]
    let door = match plane.engine() {
        Engine::Kernel(engine) => {
            let door = door::Door::open(config.data_dir.as_deref()).map_err(StartError::Door)?;
            Some((door, Arc::clone(engine)))
        }
        Engine::Proxy => None,
    };
    #[cfg(target_os = "linux")]
    let name_of_door = door.as_ref().map(|(door, _)| door.name().to_owned());
    #[cfg(not(target_os = "linux"))]
    let name_of_door = None;
    let state = Arc::new(State {
        config,
        authority,
        ends,
        mailbox,
        plane: plane.clone(),
        unfit,
        calls: CallRing::default(),
        leases: Arc::new(Semaphore::new(LEASES_MAX)),
        documents: Semaphore::new(DOCUMENTS_READ_MAX),
        trials: Semaphore::new(TRIALS_MAX),
        asked: Semaphore::new(ASKED_MAX),
        stopping: watch::Sender::new(false),
        log_files,
        runs,
        door: name_of_door,
        link: link.as_ref().map(|(_, link)| Arc::clone(link)),
        acme,
    });
    if let Some(acme) = &state.acme {
        tokio::spawn(acme::work(Arc::clone(acme), state.mailbox.clone(), until_told(state.stopping.subscribe())));
    }
    if let Some((listener, link)) = link {
        tokio::spawn(link::accept(Arc::clone(&state), link, listener));
    }
    #[cfg(target_os = "linux")]
    if let Some((door, engine)) = door {
        tokio::spawn(door::serve(Arc::clone(&state), engine, door));
    }
    let places = Places::new(shares.api);
    tokio::spawn(listen::accept(Arc::clone(&state), (api, Door::Api), places.clone()));
    if let Some(served) = api_tls.zip(secured.clone().map(Door::Secured)) {
        tokio::spawn(listen::accept(Arc::clone(&state), served, places.clone()));
    }
    if let Some(listener) = metrics {
        let places = Places::new(METRICS_CONNECTIONS_MAX);
        tokio::spawn(listen::accept(Arc::clone(&state), (listener, Door::Metrics), places));
    }
    if let Some(listener) = redirect {
        let places = Places::new(REDIRECT_CONNECTIONS_MAX);
        tokio::spawn(listen::accept(Arc::clone(&state), (listener, Door::Redirect), places));
    }
    if let Some(listener) = public {
        tokio::spawn(plane.serve_public(listener));
    }
    if let Some(listener) = public_tls {
        tokio::spawn(plane.serve_public_tls(listener));
    }
    Ok(Running { state, secured, control: thread, places, journal, exporter, _directories: [directory, home] })
}

impl Running {
    /// Where it is.
    pub(crate) fn ends(&self) -> Ends {
        self.state.ends
    }

    /// Opens the access-log file and the files of the API port's certificate anew.
    pub(crate) async fn reopen(&self) {
        if let Some(secured) = self.secured.clone() {
            // What it found it has told.
            let _ = tokio::task::spawn_blocking(move || secured.reload()).await;
        }
        self.journal.reopen().await;
    }

    /// Accepts no more, lets requests under way end until the deadline, then ends control.
    pub(crate) async fn stop(self) {
        let Self { state, secured: _, control, places, journal, exporter, _directories } = self;
        state.stopping.send_replace(true);
        let (drained, api) =
            tokio::join!(state.plane.drain(DRAIN_DEADLINE), tokio::time::timeout(DRAIN_DEADLINE, places.all_free()));
        if drained.cut > 0 || api.is_err() {
            tracing::warn!(cut = drained.cut, "requests under way were cut at the deadline");
        }
        // After the last request, so that its line and its trace are among them.
        journal.finish().await;
        if let Some(log_files) = &state.log_files {
            log_files.finish().await;
        }
        if let Some(exporter) = exporter {
            exporter.finish().await;
        }
        state.mailbox.stop().await;
        if tokio::task::spawn_blocking(move || control.join()).await.is_err() {
            tracing::error!("the control thread did not end well");
        }
    }
}

/// What a store holds twice is not served for whoever came second: see `control::Double`.
fn warn_of_doubles(control: &Control) {
    for double in control.doubles() {
        let realm = |realm: &Realm| format!("account {} in {}", realm.account, realm.region);
        let served = double.served.as_ref().map_or_else(|| "nobody".to_owned(), realm);
        let hidden = double.hidden.iter().map(realm).collect::<Vec<_>>().join(", ");
        tracing::warn!(name = %double.name, served, hidden, "the store holds a name more than once; delete all but one");
    }
}

/// What dangles in a store is refused by traffic that meets it; `tidegate status` tells of it as long as it does.
fn warn_of_problems(snapshot: &Snapshot) {
    for realm in &snapshot.realms {
        let (account, region) = (realm.realm.account, &realm.realm.region);
        for problem in realm.problems().take(PROBLEMS_WARNED_MAX) {
            tracing::warn!(%account, %region, id = problem.id, "the store holds something that dangles: {}", problem.text);
        }
    }
}

fn settings(config: &Config, ends: &Ends) -> Settings {
    let delays = match config.delays {
        Delays::Instant => control::Delays::Instant,
        Delays::Realistic => control::Delays::Realistic,
    };
    let local_issuers =
        if config.is_development() { control::LocalIssuers::Allowed } else { control::LocalIssuers::Refused };
    let buckets = if config.s3_root.is_some() { control::Buckets::Folders } else { control::Buckets::None };
    let idle_attributes = if config.unsupported == Unsupported::Refuse { Idle::Refused } else { Idle::Taken };
    Settings { delays, quotas: config.quotas, local_issuers, buckets, idle_attributes, api_url: ends.api_url() }
}

/// What the plane needs to know of the configuration, beside what it is wired to.
fn plane_config(config: &Config, authority: &Arc<Development>, wired: PlaneConfig) -> Result<PlaneConfig, StartError> {
    // The development header tells a stranger why it was refused: gateway mode never sends it.
    let strict_wire = config.strict_wire || !config.is_development();
    let egress = Egress {
        allow: config.egress_allow.clone(),
        local_issuers: if config.is_development() { LocalIssuers::Allowed } else { LocalIssuers::Refused },
        extra_roots: config.extra_roots.as_deref().map_or_else(|| Ok(Vec::new()), extra_roots)?,
        has_ways_out: config.egress_nat,
    };
    let signatures: Option<Arc<dyn SignatureJudge>> = Some(Arc::new(signed::Judge::new(config)));
    Ok(PlaneConfig {
        blocked_connect: config.blocked_connect,
        development: config.is_development().then(|| tls::issuer(authority)),
        strict_wire,
        account_throttle: config.quotas,
        internet: config.balancers,
        egress,
        signatures,
        cognito_endpoint: config.cognito_endpoint.clone(),
        ..wired
    })
}

/// Load balancers keep logs only where there is a place for buckets.
fn log_files(config: &Config) -> (Option<Outlet<BalancerLine>>, Option<LogFiles>) {
    let Some(root) = config.s3_root.clone() else { return (None, None) };
    let (lines, lines_out) = outlet::balancer_lines();
    (Some(lines), Some(LogFiles::start(lines_out, root)))
}

/// Traces leave only where a collector is configured.
fn exporter(config: &Config) -> (Option<Outlet<RequestSpan>>, Option<Exporter>) {
    let Some(collector) = config.collector.clone() else { return (None, None) };
    let (spans, spans_out) = outlet::spans();
    (Some(spans), Some(Exporter::start(spans_out, collector)))
}

fn extra_roots(path: &Path) -> Result<Vec<ExtraRoot>, StartError> {
    let unusable = |why: String| StartError::Roots { path: path.to_owned(), why };
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| unusable(format!("cannot be opened: {error}")))?;
    let read = file.take(ROOTS_BYTES_MAX + 1).read_to_end(&mut text);
    match read.map_err(|error| unusable(format!("cannot be read: {error}")))? {
        length if length as u64 > ROOTS_BYTES_MAX => Err(unusable(format!("is larger than {ROOTS_BYTES_MAX} bytes"))),
        _ => ExtraRoot::read_pem(&text).map_err(|error| unusable(error.to_string())),
    }
}

/// Takes the plane's facts to control. Before the mailbox is there, nothing is published, so there are none.
fn observer(reports: &Arc<OnceLock<Mailbox>>) -> Observer {
    let reports = Arc::clone(reports);
    Observer::new(move |fact| {
        if let Some(mailbox) = reports.get() {
            mailbox.observe(fact);
        }
    })
}

/// What keys used of their plans before this start: traffic counts on from there.
fn seed_usage(plane: &Plane, control: &Control) {
    for (realm, estate) in &control.estate().realms {
        for (key, usage) in estate.usage.iter() {
            plane.seed_usage(realm, *key, (**usage).clone());
        }
    }
}

/// Traffic takes each new snapshot; the log tells which rows made it, without what is in them.
fn publisher(plane: &Plane, newest: &Arc<Newest>, acme: Option<Arc<Authority>>) -> Publish {
    let (plane, newest) = (plane.clone(), Arc::clone(newest));
    Box::new(move |Committed { snapshot, changes, estate }| {
        for changes in changes.iter().flatten() {
            let (account, region) = (changes.realm.account, &changes.realm.region);
            for row in &changes.rows {
                let change = if row.value.is_some() { "written" } else { "gone" };
                tracing::debug!(revision = snapshot.revision, %account, %region, table = row.table.as_str(), key = row.key, change);
            }
        }
        let revision = snapshot.revision;
        plane.publish(snapshot);
        newest.take(revision, estate);
        if let Some(acme) = &acme {
            acme.look_after(changes.iter().flatten());
        }
    })
}

/// Where ids and secrets come from: secrets by a key of the system's. The cryptography of TLS has randomness of its own, whose
/// first byte costs 60 ms of a start.
fn mint() -> Result<Mint, StartError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| StartError::NoRandomness)?;
    Ok(Mint::with_key(seed(), key))
}
