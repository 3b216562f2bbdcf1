//! `tidegate run`: a program as a private address, for as long as both the program and the server live. The connection
//! that holds the lease is the sign of life in both directions: the server lets go when it closes, and when it falls
//! silent here, the program is ended.

#[cfg(target_os = "linux")]
mod inside;
mod signals;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use rustix::process::{Pid, Signal, getppid, kill_process};
use tokio::process::{Child, Command};
use topology::id::NetworkInterfaceId;
use topology::resource::attachment::{Served, ServedAt};

use self::signals::Passed;
use super::http::{Answer, open};
use super::{Complaint, Server, parsed, refused};
use crate::cli::{RunArgs, RunChildArgs};
use crate::exit::Exit;
use crate::output;
use crate::wishes::{AttachedAnswer, DetachWish, LeaseWish};

/// How long the server may be silent: it says something each second.
const SILENCE_MAX: Duration = Duration::from_secs(4);
/// How long a program that is asked to end may take before it is ended.
const PROGRAM_END: Duration = Duration::from_secs(3);
/// Bytes of a refusal.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the line that says what was leased.
const FIRST_LINE_BYTES_MAX: usize = 4 * 1024;

/// Runs the program.
pub(crate) async fn run(args: &RunArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let host = free_port()?;
    let wish = LeaseWish {
        realm: server.realm().clone(),
        subnet: parsed("--subnet", &args.subnet)?,
        private_ip: args.ip,
        port: args.port,
        host,
        security_groups: args
            .security_groups
            .iter()
            .map(|group| parsed("--security-group", group))
            .collect::<Result<_, _>>()?,
    };
    let mut lease = Lease::take(&server, &wish).await?;
    let started = match lease.attached.host {
        ServedAt::Host(host) => {
            output::complaint(&format!("{}:{} is served at {host}", lease.attached.private_ip, args.port));
            spawn(&args.command, &[], host)
        }
        ServedAt::Inside => start_inside(&server, args, &lease.attached).await,
    };
    let ended = match started {
        Ok(program) => accompany(program, &mut lease).await,
        Err(complaint) => Err(complaint),
    };
    lease.give_back(&server).await;
    ended
}

/// A port of loopback that was free a moment ago.
fn free_port() -> Result<SocketAddr, Complaint> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.map_err(|error| Complaint::System(format!("no free port: {error}")))
}

/// The connection that holds the attachment.
struct Lease {
    attached: AttachedAnswer,
    beats: Incoming,
}

impl Lease {
    async fn take(server: &Server, wish: &LeaseWish) -> Result<Self, Complaint> {
        let (parts, mut body) = open(server.posting("lease", wish)?).await?.into_parts();
        if !parts.status.is_success() {
            let body = Limited::new(body, REFUSAL_BYTES_MAX).collect().await.map(|body| body.to_bytes());
            let answer = Answer { status: parts.status, headers: parts.headers, body: body.unwrap_or_default() };
            return Err(refused(&answer));
        }
        let mut first = Vec::new();
        while !first.ends_with(b"\n") && first.len() < FIRST_LINE_BYTES_MAX {
            let more = next(&mut body).await.ok_or_else(|| Complaint::Refused("the server went away".to_owned()))?;
            first.extend_from_slice(&more);
        }
        let attached = serde_json::from_slice(&first)
            .map_err(|error| Complaint::Refused(format!("the server's answer is none of ours: {error}")))?;
        Ok(Self { attached, beats: body })
    }

    /// Until the server is gone.
    async fn broken(&mut self) {
        while next(&mut self.beats).await.is_some() {}
    }

    /// Undoes the attachment now, so that nothing is left when this program has ended. A server that is gone has let go.
    async fn give_back(self, server: &Server) {
        let Self { attached, beats } = self;
        let wish = DetachWish {
            realm: server.realm().clone(),
            private_ip: Served::Address(attached.private_ip.into()),
            port: attached.port,
            vpc: Some(attached.vpc),
        };
        // The connection closes either way, and that ends the lease too.
        let _ = server.post("detach", &wish).await;
        drop(beats);
    }
}

/// The next bytes, unless the server is silent for too long.
async fn next(body: &mut Incoming) -> Option<Bytes> {
    let frame = tokio::time::timeout(SILENCE_MAX, body.frame()).await.ok()??.ok()?;
    Some(frame.into_data().unwrap_or_default())
}

/// Starts the program in the namespace of its interface, where its port is its own.
async fn start_inside(server: &Server, args: &RunArgs, attached: &AttachedAnswer) -> Result<Child, Complaint> {
    let door = door(server).await?;
    let own = SocketAddr::from((attached.private_ip, args.port));
    output::complaint(&format!("{own} is the program's own"));
    spawn(&args.command, &["--door", &door, "--interface", &attached.interface.to_string()], own)
}

/// Where the server hands namespaces over.
pub(super) async fn door(server: &Server) -> Result<String, Complaint> {
    let status = server.status().await?;
    let door = status["door"].as_str().map(str::to_owned);
    door.ok_or_else(|| {
        Complaint::Refused(
            "the server keeps no private networks in the kernel: start it with --fabric kernel".to_owned(),
        )
    })
}

/// Starts the program.
fn spawn(words: &[String], place: &[&str], listens_at: SocketAddr) -> Result<Child, Complaint> {
    let mut command = tied(place)?;
    command.args(words).env("HOST", listens_at.ip().to_string()).env("PORT", listens_at.port().to_string());
    command.spawn().map_err(|error| Complaint::System(format!("the program cannot be started: {error}")))
}

/// What starts a program by way of this binary, which ties it to this process before it becomes the program, but for the program's words.
pub(crate) fn tied(place: &[&str]) -> Result<Command, Complaint> {
    let own = crate::given::own_program().map_err(|error| Complaint::System(error.to_string()))?;
    let mut command = Command::new(own);
    command.args(["run-child", "--parent", &std::process::id().to_string()]);
    command.args(place).arg("--").kill_on_drop(true);
    Ok(command)
}

/// Until the program ends, the server goes, or this process is asked to end. Other signals are passed on as they come.
async fn accompany(mut program: Child, lease: &mut Lease) -> Result<Exit, Complaint> {
    let mut signals = Passed::catch()?;
    loop {
        let signal = tokio::select! {
            ended = program.wait() => return ended.map(exit_of).map_err(|error| Complaint::System(error.to_string())),
            () = lease.broken() => {
                end(&mut program).await;
                return Err(Complaint::Refused("the server is gone; the program was ended".to_owned()));
            }
            signal = signals.next() => signal,
        };
        if signal == Signal::TERM {
            return Ok(end(&mut program).await.map_or(Exit::Failed, exit_of));
        }
        pass_on(&program, signal);
    }
}

/// Passes a signal on; the program may have ended in the meantime.
fn pass_on(program: &Child, signal: Signal) {
    if let Some(pid) = program.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Asks the program to end, then ends it.
pub(crate) async fn end(program: &mut Child) -> Option<ExitStatus> {
    pass_on(program, Signal::TERM);
    match tokio::time::timeout(PROGRAM_END, program.wait()).await {
        Ok(ended) => ended.ok(),
        Err(_) => {
            let _ = program.kill().await;
            program.wait().await.ok()
        }
    }
}

/// The program's own code; 128 and the signal when one ended it, as shells say.
pub(crate) fn exit_of(status: ExitStatus) -> Exit {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(Exit::Failed, Exit::Program)
}

/// The hidden command: ties this process to its parent, then becomes the program, or the warden of one that is inside a private network.
pub(crate) fn become_program(args: &RunChildArgs) -> Exit {
    if let Err(complaint) = tie_to(args.parent) {
        output::complaint(&complaint);
        return Exit::Failed;
    }
    if let (Some(door), Some(interface)) = (&args.door, args.interface) {
        return inside(args, door, interface);
    }
    let Some((program, words)) = args.command.split_first() else { return Exit::Usage };
    let error = std::process::Command::new(program).args(words).exec();
    not_started(program, &error)
}

/// Says that the program is not there, or that it cannot be run, as shells do.
pub(super) fn not_started(program: &str, error: &io::Error) -> Exit {
    output::complaint(&format!("{program}: {error}"));
    Exit::Program(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
}

#[cfg(target_os = "linux")]
fn inside(args: &RunChildArgs, door: &str, interface: NetworkInterfaceId) -> Exit {
    inside::guard(args.parent, (door, interface), &args.command)
}

#[cfg(not(target_os = "linux"))]
fn inside(_: &RunChildArgs, _: &str, _: NetworkInterfaceId) -> Exit {
    output::complaint("programs inside private networks are there on Linux only");
    Exit::Failed
}

/// The hidden command: is the first process of a program's PID namespace.
#[cfg(target_os = "linux")]
pub(crate) fn become_first() -> Exit {
    inside::become_first()
}

/// The hidden command, which nothing here starts.
#[cfg(not(target_os = "linux"))]
pub(crate) fn become_first() -> Exit {
    Exit::Usage
}

fn tie_to(parent: u32) -> Result<(), String> {
    // Elsewhere the program outlives a `run` that is killed; it loses its lease all the same.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())?;
    let current = getppid().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok());
    if current == Some(parent) { Ok(()) } else { Err("the process that started this one is gone".to_owned()) }
}
