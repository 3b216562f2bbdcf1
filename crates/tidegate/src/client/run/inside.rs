//! A program inside a private network, and the two processes of this binary beside it. The *warden* is its parent: it enters the network, makes namespaces
//! for the program, passes signals on and answers with the program's exit code. The *first process* of the PID namespace reaps orphans,
//! and does nothing else; when it ends, the kernel ends everybody in the namespace. The warden ends with `tidegate run`, and the first
//! process with the warden, however they end.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use kernel::{Account, Confined, Visitor};
use rustix::process::{Signal, WaitOptions, geteuid, set_parent_process_death_signal, wait};
use tokio::signal::unix::{SignalKind, signal};
use topology::id::NetworkInterfaceId;

use super::signals::Passed;
use super::{exit_of, not_started, pass_on, tie_to};
use crate::client::door::ask;
use crate::client::{Complaint, to_end};
use crate::exit::Exit;
use crate::output;

/// This binary: another user may not be let into the directory that it is in.
const OWN: &str = "/proc/self/exe";
/// What the first process says when the namespace is settled.
const SETTLED: &str = "settled";

/// The warden.
pub(super) fn guard(parent: u32, (door, interface): (&str, NetworkInterfaceId), words: &[String]) -> Exit {
    // Namespaces are entered by a process of one thread, so before there is a runtime.
    let confined = confine(door, interface).and_then(|confined| {
        // Root that became somebody else is tied to nobody.
        tie_to(parent).map_err(Complaint::System)?;
        Ok(confined)
    });
    to_end(async { accompany(confined?, words).await })
}

fn confine(door: &str, interface: NetworkInterfaceId) -> Result<Confined, Complaint> {
    let account = account()?;
    let failed = |failure: kernel::Failure| Complaint::System(failure.to_string());
    Visitor::enter(ask(door, interface)?).map_err(failed)?.confine(account).map_err(failed)
}

/// Who called `sudo`: a program that root starts for somebody runs as them.
fn account() -> Result<Option<Account>, Complaint> {
    let named = |name: &str| {
        let Ok(text) = std::env::var(name) else { return Ok(None) };
        let wrong = |_| Complaint::Usage(format!("{name} is no number: {text}"));
        text.parse::<u32>().map(Some).map_err(wrong)
    };
    if !geteuid().is_root() {
        return Ok(None);
    }
    Ok(named("SUDO_UID")?.zip(named("SUDO_GID")?).map(|(user, group)| Account { user, group }))
}

/// Runs the program to its end.
async fn accompany(confined: Confined, words: &[String]) -> Result<Exit, Complaint> {
    let mut signals = Passed::catch()?;
    let gone = |error| Complaint::System(format!("the first process of the program's PID namespace: {error}"));
    let _first = First::start().map_err(gone)?;
    confined.renounce().map_err(|failure| Complaint::System(failure.to_string()))?;
    let Some((name, words)) = words.split_first() else { return Ok(Exit::Usage) };
    let mut program = match tokio::process::Command::new(name).args(words).spawn() {
        Ok(program) => program,
        Err(error) => return Ok(not_started(name, &error)),
    };
    loop {
        tokio::select! {
            ended = program.wait() => return ended.map(exit_of).map_err(|error| Complaint::System(error.to_string())),
            signal = signals.next() => pass_on(&program, signal),
        }
    }
}

/// The first process of the PID namespace, and with it everybody in the namespace.
struct First(Child);

impl First {
    /// Starts it, and waits until it has settled the namespace.
    fn start() -> io::Result<Self> {
        let mut command = Command::new(OWN);
        let mut first = Self(command.arg("run-first").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?);
        let mut line = String::new();
        if let Some(said) = first.0.stdout.take() {
            BufReader::new(said).read_line(&mut line)?;
        }
        // It has said why by itself.
        if line.trim_end() == SETTLED { Ok(first) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl Drop for First {
    fn drop(&mut self) {
        // Whoever is gone already needs no ending.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first process.
pub(super) fn become_first() -> Exit {
    let settled = set_parent_process_death_signal(Some(Signal::KILL)).map_err(|errno| errno.to_string());
    let settled = settled.and_then(|()| kernel::settle().map_err(|failure| failure.to_string()));
    // Where the warden is gone already, nobody reads this.
    let told = settled.and_then(|()| writeln!(io::stdout(), "{SETTLED}").map_err(|error| error.to_string()));
    match told {
        Ok(()) => to_end(reap()),
        Err(complaint) => {
            output::complaint(&complaint);
            Exit::Failed
        }
    }
}

/// Reaps whoever ends here, until it is ended itself.
async fn reap() -> Result<Exit, Complaint> {
    let mut ended = signal(SignalKind::child()).map_err(|error| Complaint::System(error.to_string()))?;
    loop {
        while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
        ended.recv().await;
    }
}
