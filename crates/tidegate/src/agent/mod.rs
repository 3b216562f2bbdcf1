//! `tidegate agent`: the private side of a link, on a machine of the private network. It dials its gateways, takes the state of its VPC from
//! them, and carries requests to the targets there. Nothing connects to it but programs of its own machine, by a socket in its directory.

mod carried;
mod desk;
pub(crate) mod doctor;
pub(crate) mod identity;
mod socket;

use std::collections::BTreeSet;
use std::io::{BufRead as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::id;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plane::link::carrier::agent::{Call, FactBook, Keeping};
use plane::link::lines::Ledger;
use plane::report::outlet::{self, BalancerLine, LogLine, Outlet};
use plane::{CookieKey, Egress, Observer, Plane, PlaneConfig};
use serde_json::json;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::carried::{Carried, Coming, Whose};
use self::desk::GatewayDesk;
use self::identity::{Identity, IdentityError, JoinError, Said, join};
use crate::cli::{AgentRunArgs, Form};
use crate::exit::Exit;
use crate::hour::wall_clock;
use crate::output;
use crate::serve::directory::DataDirectory;
use crate::serve::log_to_stderr;
use crate::serve::notify::Manager;
use crate::serve::{self, StartError};

/// How long what is under way may take when the agent goes down: 30 s, as an integration.
const DRAIN_MAX: Duration = Duration::from_secs(30);
/// Bytes of a token that are read.
const TOKEN_BYTES_MAX: u64 = 4096;
/// How long a connection is looked at that an examination made: whoever is not wanted is let go of at once.
const LOOK_FOR: Duration = Duration::from_millis(500);
/// Calls that wait for a gateway. Above: refused.
const CALLS_WAITING_MAX: usize = 64;

/// Why an agent cannot go on.
#[derive(Debug, Error)]
enum AgentError {
    /// Who it is cannot be known.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It is not enrolled.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// What is given as a token is none.
    #[error("--join: this is no token; `tidegate agent token` prints one")]
    Token,
    /// Nothing says where it keeps who it is.
    #[error("name the directory of the agent: --data-dir DIR")]
    NoDirectory,
    /// The directory cannot be had.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The socket cannot be had.
    #[error("the socket {} cannot be had: {source}", .path.display())]
    Socket {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system gives no thread or signal.
    #[error("the system gives no thread: {0}")]
    System(#[from] std::io::Error),
    /// What the identity says of cookies cannot be read.
    #[error("the agent's directory is damaged: {0}")]
    Damaged(&'static str),
}

/// Carries until a signal ends it.
pub(crate) fn agent(args: &AgentRunArgs) -> Exit {
    log_to_stderr(args.log);
    let ran = serve::runtime().map_err(AgentError::System).and_then(|runtime| {
        let ran = runtime.block_on(run(args));
        runtime.shutdown_background();
        ran
    });
    match ran {
        Ok(()) => Exit::Ok,
        Err(error) => {
            output::complaint(&error.to_string());
            Exit::Failed
        }
    }
}

async fn run(args: &AgentRunArgs) -> Result<(), AgentError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let data_dir = args.data_dir.clone().ok_or(AgentError::NoDirectory)?;
    let directory = DataDirectory::open(Some(&data_dir))?;
    let identity = match &args.join {
        Some(token) => {
            let token = if token == "-" { first_line()? } else { token.clone() };
            let token = token.trim().parse().map_err(|_| AgentError::Token)?;
            join(&token, &args.gateway, (&data_dir, &args.native)).await?
        }
        None => Identity::load(&data_dir)?,
    };
    let said = identity.said().clone();
    let secret = identity.secret();
    let identity = Arc::new(Mutex::new(identity));
    let manager = Manager::of_environment();
    let facts = Arc::new(FactBook::default());
    let (files, events) = (outlet::balancer_lines(), outlet::lines());
    let plane = plane(&said, &directory, &facts, (files.0, events.0))?;
    let whose = Whose { realm: said.realm.clone(), agent: said.agent, vpc: said.vpc };
    let kept = (data_dir.as_path(), secret);
    let carried = Arc::new(Carried::new(whose, (plane.clone(), Arc::clone(&facts)), kept));
    carried.resume();
    let path = args.socket.clone().unwrap_or_else(|| data_dir.join("agent.sock"));
    let (calls, waiting) = mpsc::channel(CALLS_WAITING_MAX);
    let (stop, stopping) = watch::channel(false);
    let mut keepers = JoinSet::new();
    let desks = desks(&said.gateways, &identity, &carried);
    let (mut waiting, mut ledger) = (Some(waiting), Some(Ledger::new(files.1, events.1)));
    for desk in &desks {
        // Calls and lines of logs go to one gateway: any of them writes to the same store.
        let (calls, ledger) = (waiting.take().unwrap_or_else(|| mpsc::channel(1).1), ledger.take());
        let (desk, facts, revision) = (Arc::clone(desk), Arc::clone(&facts), carried.revision());
        let (plane, stopping) = (plane.clone(), stopping.clone());
        keepers.spawn(async move { plane.keep_link(Keeping { desk, facts, revision, calls, ledger, stopping }).await });
    }
    let told = socket::Told { said: said.clone(), carried: Arc::clone(&carried), desks: desks.clone() };
    let socket = socket::open(&path).map_err(|source| AgentError::Socket { path: path.clone(), source })?;
    let serving = tokio::spawn(socket::serve(socket, Arc::new(told), calls));
    let carries = carries(&desks, &carried);
    tokio::pin!(carries);
    let mut is_ready = false;
    loop {
        tokio::select! {
            () = &mut carries, if !is_ready => {
                is_ready = true;
                say_ready(&said, &path, args.output);
                manager.tell("READY=1");
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    manager.tell("STOPPING=1");
    tracing::info!("ending: what is under way ends, and no new requests are taken");
    stop.send_replace(true);
    let ending = async { while keepers.join_next().await.is_some() {} };
    tokio::select! {
        ended = tokio::time::timeout(DRAIN_MAX, ending) => {
            if ended.is_err() {
                tracing::warn!("requests under way were cut at the deadline");
            }
        }
        _ = terminate.recv() => tracing::warn!("told twice: ending at once"),
        _ = interrupt.recv() => tracing::warn!("told twice: ending at once"),
    }
    serving.abort();
    // It may be gone already.
    let _ = std::fs::remove_file(&path);
    Ok(())
}

/// What is said on standard input, so that it need not stand where others read it.
fn first_line() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().take(TOKEN_BYTES_MAX).read_line(&mut line)?;
    Ok(line)
}

/// The plane of an agent: it listens nowhere.
fn plane(
    said: &Said,
    directory: &DataDirectory,
    facts: &Arc<FactBook>,
    (files, events): (Outlet<BalancerLine>, Outlet<LogLine>),
) -> Result<Plane, AgentError> {
    let key = STANDARD.decode(&said.cookie_key).ok().and_then(|key| <[u8; 32]>::try_from(key).ok());
    let key = key.ok_or(AgentError::Damaged("the key of cookies is none"))?;
    let config = PlaneConfig {
        agent: Some(said.agent),
        blocked_connect: said.blocked_connect_ms.map(Duration::from_millis),
        run: directory.begin_run(wall_clock()).current(),
        cookie_key: Some(CookieKey::new(key)),
        egress: Egress::default(),
        balancer_lines: Some(files),
        lines: Some(events),
        ..PlaneConfig::default()
    };
    let facts = Arc::clone(facts);
    Ok(Plane::new(config, Observer::new(move |fact| facts.saw(fact))))
}

fn desks(gateways: &[String], identity: &Arc<Mutex<Identity>>, carried: &Arc<Carried>) -> Vec<Arc<GatewayDesk>> {
    let run = crate::chance::seed();
    let gateways: BTreeSet<&String> = gateways.iter().collect();
    let desk = |gateway: &&String| {
        Arc::new(GatewayDesk {
            gateway: (**gateway).clone(),
            run,
            identity: Arc::clone(identity),
            carried: Arc::clone(carried),
            coming: Mutex::new(Coming::default()),
            connected: watch::Sender::new(false),
            said: Mutex::default(),
        })
    };
    gateways.iter().map(desk).collect()
}

/// Waits until a gateway is connected and the state of the VPC is in effect.
async fn carries(desks: &[Arc<GatewayDesk>], carried: &Carried) {
    let mut waits = JoinSet::new();
    for desk in desks {
        let mut connected = desk.connected.subscribe();
        // Its sender is here.
        waits.spawn(async move { connected.wait_for(|connected| *connected).await.is_ok() });
    }
    let _ = waits.join_next().await;
    let _ = carried.revision().wait_for(|revision| *revision > 0).await;
}

fn say_ready(said: &Said, socket: &Path, form: Option<Form>) {
    match form {
        None | Some(Form::Table) => output::line("Ready."),
        Some(Form::Json) => output::line(
            &json!({
                "agent": said.agent,
                "vpc": said.vpc,
                "zones": said.zones,
                "gateways": said.gateways,
                "socket": socket.display().to_string(),
                "pid": id(),
            })
            .to_string(),
        ),
    }
}

/// A call of a program beside the agent.
pub(super) type Calls = mpsc::Sender<Call>;
