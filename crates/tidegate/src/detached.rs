//! `tidegate up --detach` and `tidegate down`: a server that goes on without its terminal, and its end. The server is the same; here it is
//! started as a process of its own session, and found again by the lock on its data directory, which holds its process id for as long as
//! it lives. No process is signalled that does not hold that lock.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::cli::{DownArgs, Form, UpArgs};
use crate::client::{Complaint, span};
use crate::config::{Config, FILE_BYTES_MAX};
use crate::exit::Exit;
use crate::journal::Copies;
use crate::output;
use crate::private;
use crate::serve::{self, directory};

/// The log of a detached server, below its data directory, and that of the one before.
const LOG: (&str, &str) = ("tidegate.log", "tidegate.log.1");
/// How long a start may take: a large store is read and compiled.
const START_MAX: Duration = Duration::from_secs(120);
/// The flag that is not handed on.
const DETACH: &str = "--detach";

/// Starts the server, and comes back when it serves.
pub(crate) async fn up(args: &UpArgs) -> Result<Exit, Complaint> {
    let config = match serve::configuration(args) {
        Ok(config) => config,
        Err(problems) => {
            problems.iter().for_each(|problem| output::complaint(&problem.to_string()));
            return Ok(Exit::Usage);
        }
    };
    if config.access_log == Copies::Stdout {
        let text = "access_log: nobody reads the standard output of a detached server; name a file";
        return Err(Complaint::Usage(text.to_owned()));
    }
    let log = make_log(&config)?;
    let mut child = spawn(&log)?;
    match tokio::time::timeout(START_MAX, first_line(&mut child)).await {
        Ok(Some(line)) => {
            output::line(line.trim_end());
            Ok(Exit::Ok)
        }
        Ok(None) => {
            let ended = child.wait().await.map_err(|error| Complaint::System(error.to_string()))?;
            said(&log).lines().filter(|line| line.starts_with("tidegate: ")).for_each(output::complaint_as_it_is);
            output::complaint(&format!("the server did not start; its log is {}", log.display()));
            let code = ended.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code > 0);
            Ok(code.map_or(Exit::Failed, Exit::Program))
        }
        Err(_) => {
            // It may have ended in the meantime.
            let _ = child.kill().await;
            Err(Complaint::System(format!(
                "the server does not serve after {START_MAX:?}; its log is {}",
                log.display()
            )))
        }
    }
}

/// An empty log for the server that is to be, unless one lives there.
fn make_log(config: &Config) -> Result<PathBuf, Complaint> {
    let home = std::path::absolute(&config.home).unwrap_or_else(|_| config.home.clone());
    let unmade = |error: std::io::Error| Complaint::System(format!("{}: {error}", home.display()));
    private::directory(&home).map_err(unmade)?;
    if let Some(holder) = directory::holder(&home).map_err(unmade)? {
        return Err(Complaint::Refused(format!("a server, {}, already has {}", process(holder), home.display())));
    }
    let (log, elder) = (home.join(LOG.0), home.join(LOG.1));
    match std::fs::rename(&log, elder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unmade(error)),
        _ => {}
    }
    private::file().truncate(true).open(&log).map_err(unmade)?;
    Ok(log)
}

fn process(holder: Option<u32>) -> String {
    holder.map_or_else(|| "whose process id is not known".to_owned(), |pid| format!("process {pid}"))
}

/// The words that this process was started with, but for the flag, and where the log is.
fn spawn(log: &Path) -> Result<Child, Complaint> {
    let failed = |error: std::io::Error| Complaint::System(format!("the server cannot be started: {error}"));
    let stderr = OpenOptions::new().append(true).open(log).map_err(failed)?;
    let mut command = Command::new(crate::given::own_program().map_err(failed)?);
    command.args(std::env::args_os().skip(1).filter(|word| word != DETACH)).arg("--kept-log").arg(log);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    command.spawn().map_err(failed)
}

/// The line that says that it serves; `None` when it ended instead.
pub(crate) async fn first_line(child: &mut Child) -> Option<String> {
    let mut line = String::new();
    let read = BufReader::new(child.stdout.take()?).read_line(&mut line).await;
    read.ok().filter(|length| *length > 0).map(|_| line)
}

fn said(log: &Path) -> String {
    let mut text = Vec::new();
    let read = std::fs::File::open(log).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text));
    read.map(|_| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

/// Ends the server that holds a data directory, and comes back when it has ended.
pub(crate) async fn down(args: &DownArgs) -> Result<Exit, Complaint> {
    let timeout = span("--timeout", &args.timeout)?;
    let home = std::path::absolute(&args.data_dir).unwrap_or_else(|_| args.data_dir.clone());
    let holder = || directory::holder(&home).map_err(|error| Complaint::System(format!("{}: {error}", home.display())));
    let Some(found) = holder()? else {
        return Err(Complaint::Refused(format!("no server has {}", home.display())));
    };
    let unknown = || Complaint::Refused(format!("{} does not say whose it is", home.join(directory::LOCK).display()));
    let pid = found.ok_or_else(unknown)?;
    let refused = |error: std::io::Error| Complaint::System(format!("process {pid}: {error}"));
    let named = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(unknown)?;
    let process = pidfd_open(named, PidfdFlags::empty()).map_err(|error| refused(error.into()))?;
    // The process is held now: if it still has the directory, then it is the server and no other that got its number.
    if holder()? != Some(Some(pid)) {
        return Err(Complaint::Refused(format!("the server of {} ended by itself", home.display())));
    }
    pidfd_send_signal(&process, Signal::TERM).map_err(|error| refused(error.into()))?;
    let limit = Timespec::try_from(timeout).map_err(|_| Complaint::Usage("--timeout: is too long".to_owned()))?;
    // The descriptor of a process can be read when that has ended; nothing else waits in this command.
    let ended =
        poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)).map_err(|error| refused(error.into()))?;
    if ended == 0 {
        return Err(Complaint::System(format!("process {pid} still ends after {timeout:?}")));
    }
    match args.output {
        Some(Form::Json) => output::json(&json!({ "pid": pid, "data_dir": home })),
        Some(Form::Table) | None => {
            output::line(&format!("the server of {}, process {pid}, has ended", home.display()))
        }
    }
    Ok(Exit::Ok)
}
