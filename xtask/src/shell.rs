//! Running other programs: one place for echoing, deadlines and looking for tools on PATH.
//!
//! No task logic lives here.

use crate::Outcome;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How often a running child is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);

/// Runs a command with the terminal's own streams; an unsuccessful end is an error naming the command.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let line = line(command);
    eprintln!("$ {line}");
    let status = command.status().map_err(|e| format!("{line}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{line}: {status}")) }
}

/// As [`run`], but ends the command by its process id when the deadline passes.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Outcome {
    let line = line(command);
    eprintln!("$ {line}");
    let mut child = command.spawn().map_err(|e| format!("{line}: {e}"))?;
    wait_within(&mut child, limit).map_err(|e| format!("{line}: {e}"))
}

/// Waits for a child; past the deadline it is killed and the wait is an error.
pub(crate) fn wait_within(child: &mut Child, limit: Duration) -> Outcome {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(status.to_string()),
            Ok(None) if start.elapsed() < limit => std::thread::sleep(POLL),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("not done after {} s, killed", limit.as_secs()));
            }
            Err(e) => return Err(e.to_string()),
        }
    }
}

/// The command's standard output as text; an unsuccessful end is an error.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let line = line(command);
    let output = command.output().map_err(|e| format!("{line}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{line}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("{line}: {e}"))
}

/// Whether a program of this name is on PATH.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// The cargo that runs us, so that the toolchain does not change half-way.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from))
}

/// The command as a person would type it, for messages.
fn line(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().map_or_else(|| program.clone().into_os_string(), |n| n.to_os_string());
    let words = std::iter::once(name.to_string_lossy().into_owned());
    words.chain(command.get_args().map(|a| a.to_string_lossy().into_owned())).collect::<Vec<_>>().join(" ")
}
