//! The command `up`: configuration in, readiness out, signals until the end. The server itself is the module above.

use std::io::{self, IsTerminal};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::json;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Interval;

use super::engine::{self, Chosen};
use super::notify::Manager;
use super::{Running, StartError, start};
use crate::cli::UpArgs;
use crate::config::{self, Config, FILE_BYTES_MAX, Problem, ReadyForm, Unsupported};
use crate::exit::Exit;
use crate::given;
use crate::output;

/// The bit of a file's mode by which everybody may read it.
const READABLE_BY_ALL: u32 = 0o004;

/// Serves until a signal ends it.
pub(crate) fn up(args: &UpArgs) -> Exit {
    let config = match configuration(args) {
        Ok(config) => config,
        Err(problems) => {
            problems.iter().for_each(|problem| output::complaint(&problem.to_string()));
            return Exit::Usage;
        }
    };
    if config.kept_log.is_some() {
        // Its terminal may close. A process that leads a session already, as none does that was just started, stays in it.
        let _ = rustix::process::setsid();
    }
    log_to_stderr(config.log);
    if config.unsupported == Unsupported::Warn {
        tracing::warn!(
            "unsupported = warn: what does no harm is taken although it is not carried out (docs/unsupported.md)"
        );
    }
    for (key, value) in &config.effective {
        tracing::debug!(key, value, "setting");
    }
    // Before any other thread.
    let engine = match engine::make(&config) {
        Ok(engine) => engine,
        Err(why) => {
            output::complaint(&why);
            return Exit::Failed;
        }
    };
    let served = runtime().map_err(StartError::Thread).and_then(|runtime| {
        let served = runtime.block_on(serve(config, engine));
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(()) => Exit::Ok,
        Err(error) => {
            tracing::error!(%error, "cannot serve");
            output::complaint(&error.to_string());
            Exit::Failed
        }
    }
}

/// The runtime of whatever carries traffic.
///
/// # Errors
/// A thread that the system does not give.
pub(crate) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().on_thread_park(plane::pace::turn_over).build()
}

/// The configuration that these words, the environment and the file make.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn configuration(args: &UpArgs) -> Result<Config, Vec<Problem>> {
    let file = match &args.config {
        Some(path) => {
            Some(given::text(path, FILE_BYTES_MAX).map_err(|text| vec![Problem { key: "config".to_owned(), text }])?)
        }
        None => None,
    };
    let config = config::load(args, std::env::vars_os().filter_map(text_pair), file.as_deref())?;
    let mut secret_files = config.secret_files.clone();
    if !config.access_keys.is_empty() {
        secret_files.extend(args.config.clone());
    }
    Ok(Config { kept_log: args.kept_log.clone(), secret_files, ..config })
}

/// Variables that are no text are nobody's settings.
fn text_pair((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// Text for a person at a terminal, JSON for everything else.
pub(crate) fn log_to_stderr(level: tracing::Level) {
    let is_terminal = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr);
    // Only a second subscriber could fail, and there is one start of one server in a process.
    let _ = if is_terminal {
        tracing::subscriber::set_global_default(log.with_ansi(output::has_colour(true)).with_target(false).finish())
    } else {
        tracing::subscriber::set_global_default(log.json().flatten_event(true).finish())
    };
}

async fn serve(config: Config, engine: Chosen) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Thread)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Thread)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(StartError::Thread)?;
    let form = config.output;
    warn_of_readers(&config.secret_files);
    let manager = Manager::of_environment();
    let running = start(config, engine).await?;
    say_ready(&running, form);
    manager.tell("READY=1");
    let mut alive = manager.watchdog.map(tokio::time::interval);
    loop {
        tokio::select! {
            () = next(&mut alive) => manager.tell("WATCHDOG=1"),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                tracing::info!("SIGHUP: the access-log file and the API port's certificate are opened anew; the configuration is not read again");
                running.reopen().await;
            }
        }
    }
    manager.tell("STOPPING=1");
    tracing::info!("ending: no new requests are accepted");
    tokio::select! {
        () = running.stop() => {}
        _ = terminate.recv() => tracing::warn!("told twice: ending at once"),
        _ = interrupt.recv() => tracing::warn!("told twice: ending at once"),
    }
    Ok(())
}

/// The next moment to say that the server lives; never where nobody wants to hear it.
async fn next(alive: &mut Option<Interval>) {
    match alive {
        Some(alive) => drop(alive.tick().await),
        None => std::future::pending().await,
    }
}

/// Warns of files with secrets that every user of the machine can read.
fn warn_of_readers(files: &[PathBuf]) {
    for file in files {
        let mode = std::fs::metadata(file).map(|found| found.permissions().mode());
        if mode.is_ok_and(|mode| mode & READABLE_BY_ALL != 0) {
            tracing::warn!(file = %file.display(), "every user of this machine can read the secrets in this file: chmod o-r");
        }
    }
}

fn say_ready(running: &Running, form: ReadyForm) {
    let (ends, config) = (running.ends(), &running.state.config);
    let (api, public, public_tls) = (ends.api_url(), ends.public_url(), ends.public_tls_url());
    let next = format!("eval \"$(tidegate env --api {api})\"");
    tracing::info!(api, public, public_tls, enforcement = %running.state.enforcement(), next, "ready");
    match form {
        ReadyForm::Text => output::line("Ready."),
        ReadyForm::Json => {
            let mut ready = json!({
                "api": api,
                "public": public,
                "public_tls": public_tls,
                "link": ends.link,
                "pid": std::process::id(),
                "fabric": running.state.enforcement().to_string(),
                "account_id": config.account,
                "region": config.region,
                "data_dir": config.data_dir,
            });
            // Scripts know the object as it is without these.
            for (name, url) in
                [("api_tls", ends.api_tls_url()), ("metrics", ends.metrics_url()), ("redirect", ends.redirect_url())]
            {
                if let Some(url) = url {
                    ready[name] = json!(url);
                }
            }
            output::json(&ready);
        }
    }
}
