//! The demo's server and programs: this binary with other words, as processes that end with the demo. The server is one of its own, because one
//! that keeps private networks gives up the privileges that placing programs in them needs.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::client::aws::text;
use crate::client::{Complaint, end, exit_of, tied};
use crate::detached::first_line;
use crate::exit::Exit;

/// How long the server, or a program, may take to say that it serves.
const START_MAX: Duration = Duration::from_secs(30);
/// How it is started: on free ports, in memory. A denied connection is silent for less than on AWS, where it takes nine seconds.
const WORDS: [&str; 13] = [
    "up",
    "--api",
    "127.0.0.1:0",
    "--public",
    "127.0.0.1:0",
    "--ephemeral",
    "--timeouts-blocked-connect",
    "300ms",
    "--log",
    "error",
    "--output",
    "json",
    "--fabric",
];
/// What begins the name of a variable that would have another server meant, or other keys.
const OF_OTHERS: [&str; 2] = ["AWS_", "TIDEGATE_"];

/// A server that serves.
pub(super) struct Process {
    child: Child,
    /// Its API.
    pub(super) api: String,
    /// Where invoke URLs are served.
    pub(super) public: String,
    /// The engine of its private networks.
    pub(super) fabric: String,
}

/// How a start ended.
pub(super) enum Started {
    /// It serves.
    Serves(Box<Process>),
    /// It has ended, and said why.
    Ended(Exit),
}

impl Process {
    /// Starts a server with this engine.
    pub(super) async fn start(fabric: &str) -> Result<Started, Complaint> {
        let mut command = own(&WORDS)?;
        let mut child = spawned(command.arg(fabric).process_group(0).stdout(Stdio::piped()))?;
        let Some(line) = said(&mut child).await? else {
            let ended = child.wait().await.map_err(|error| Complaint::System(error.to_string()))?;
            return Ok(Started::Ended(exit_of(ended)));
        };
        let ready = serde_json::from_str::<Value>(&line).unwrap_or_default();
        let [api, public, fabric] = ["api", "public", "fabric"].map(|name| text(&ready, name));
        Ok(Started::Serves(Box::new(Self { child, api: api?, public: public?, fabric: fabric? })))
    }

    /// Until it has ended by itself.
    pub(super) async fn ended(&mut self) -> Complaint {
        match self.child.wait().await {
            Ok(ended) => Complaint::Refused(format!("the server has ended ({ended})")),
            Err(error) => Complaint::System(error.to_string()),
        }
    }

    /// Ends it.
    pub(super) async fn stop(mut self) {
        // How it ends is no matter any more.
        let _ = end(&mut self.child).await;
    }
}

/// This binary with other words, by this binary, which ties it to this process.
pub(super) fn own(words: &[&str]) -> Result<Command, Complaint> {
    let mut command = tied(&[])?;
    command.arg(path()?).args(words).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OF_OTHERS.iter().any(|start| name.starts_with(start))) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

fn path() -> Result<PathBuf, Complaint> {
    crate::given::own_program().map_err(|error| Complaint::System(error.to_string()))
}

/// Starts a process.
pub(super) fn spawned(command: &mut Command) -> Result<Child, Complaint> {
    command.spawn().map_err(|error| Complaint::System(format!("a process of the demo cannot be started: {error}")))
}

/// The first line that a process says; `None` when it ended instead.
pub(super) async fn said(child: &mut Child) -> Result<Option<String>, Complaint> {
    let late = |_| Complaint::Refused(format!("a process of the demo said nothing within {START_MAX:?}"));
    let line = tokio::time::timeout(START_MAX, first_line(child)).await.map_err(late)?;
    Ok(line.map(|line| line.trim_end().to_owned()))
}
