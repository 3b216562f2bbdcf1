//! Real clients against the built binary: every `tests/conformance/test_*.py`, each of which starts servers of its own.
//!
//! This file builds, makes the Python environment, runs the scripts and adds up their closing lines. What a client must see
//! is said in the scripts. Terraform waits a minute per load balancer whatever the server does, so its scripts run beside
//! the others. Most of the others wait, too, for health checks, clocks or clients: once Terraform's have ended two of them run at a time.
//! Those that measure follow one by one.

use crate::{Outcome, codegen, shell};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The scripts that mostly sleep begin so.
const BESIDE: &str = "test_terraform";
/// Those that measure time or memory, or put both cores under load.
const ALONE: [&str; 4] = ["test_churn.py", "test_crowd.py", "test_much.py", "test_slow.py"];
/// How long one script may take; the longest, two modules by Terraform in turn beside the others, takes about ten minutes on two cores.
const SCRIPT_LIMIT: Duration = Duration::from_secs(1_200);
/// How long making the environment may take, per try.
const PIP_LIMIT: Duration = Duration::from_secs(240);
/// How often pip is tried: package servers have bad minutes.
const PIP_TRIES: usize = 3;

fn is_beside(script: &Path) -> bool {
    script.file_name().is_some_and(|name| name.to_string_lossy().starts_with(BESIDE))
}

fn is_alone(script: &Path) -> bool {
    ALONE.iter().any(|name| script.ends_with(name))
}

/// Runs all scripts, or those whose name contains the argument.
pub(crate) fn run(args: &[String]) -> Outcome {
    let root = codegen::root();
    let scripts = scripts(&root, args.first().map(String::as_str))?;
    let bench = Bench { binary: binary(&root)?, python: python(&root)?, logs: target(&root).join("conformance"), root };
    std::fs::create_dir_all(&bench.logs).map_err(|e| format!("{}: {e}", bench.logs.display()))?;

    let (beside, in_turn): (Vec<_>, Vec<_>) = scripts.into_iter().partition(|script| is_beside(script));
    let (alone, in_lanes): (Vec<_>, Vec<_>) = in_turn.into_iter().partition(|script| is_alone(script));
    let started: Vec<_> = beside.iter().map(|s| bench.start(s)).collect::<Result<_, _>>()?;
    let mut total = bench.run(in_lanes, started)?;
    for script in &alone {
        total.add(bench.start(script)?.finish());
    }
    let line = format!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    writeln!(std::io::stdout(), "{line}").map_err(|e| e.to_string())?;
    match total {
        Counts { failed: 0, passed: 1.., .. } => Ok(()),
        Counts { failed: 0, passed: 0, .. } => Err("conformance: nothing ran".to_owned()),
        _ => Err(format!("conformance: {line}")),
    }
}

/// What every script is run with.
struct Bench {
    root: PathBuf,
    binary: PathBuf,
    python: PathBuf,
    logs: PathBuf,
}

/// A script under way; its output goes to a file so that two can run without mixing lines.
struct Running {
    name: String,
    log: PathBuf,
    child: Child,
    start: Instant,
}

#[derive(Default, Debug, PartialEq)]
struct Counts {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Bench {
    /// Runs these in their order, one at a time, and two once all of the others have ended, which began before.
    fn run(&self, scripts: Vec<PathBuf>, others: Vec<Running>) -> Result<Counts, String> {
        let waiting = Mutex::new(scripts.into_iter());
        let next = || waiting.lock().ok()?.next();
        let lane = |mut counts: Counts| {
            while let Some(script) = next() {
                counts.add(self.start(&script)?.finish());
            }
            Ok::<_, String>(counts)
        };
        std::thread::scope(|scope| {
            let first = scope.spawn(|| lane(Counts::default()));
            let second = scope.spawn(|| {
                let mut counts = Counts::default();
                others.into_iter().for_each(|running| counts.add(running.finish()));
                lane(counts)
            });
            let mut total = Counts::default();
            for lane in [first, second] {
                total.add(lane.join().map_err(|_| "conformance: a lane panicked".to_owned())??);
            }
            Ok(total)
        })
    }

    fn start(&self, script: &Path) -> Result<Running, String> {
        let name = script.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let log = self.logs.join(&name).with_extension("log");
        let out = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let err = out.try_clone().map_err(|e| e.to_string())?;
        eprintln!("conformance: {name} ...");
        // Those that run beside the others must not take their time: some of the others measure it.
        let mut command = if is_beside(script) { Command::new("nice") } else { Command::new(&self.python) };
        if is_beside(script) {
            command.args(["-n", "10"]).arg(&self.python);
        }
        let child = command
            .arg(script)
            .current_dir(&self.root)
            .env("TIDEGATE_BIN", &self.binary)
            .env("PATH", self.path()?)
            .env("PYTHONUNBUFFERED", "1")
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|e| format!("{name}: {e}"))?;
        Ok(Running { name, log, child, start: Instant::now() })
    }

    /// PATH with the environment's programs (`aws`) and the binary in front, so that scripts type what a person types.
    fn path(&self) -> Result<std::ffi::OsString, String> {
        let first = [&self.python, &self.binary].into_iter().filter_map(|p| p.parent().map(Path::to_path_buf));
        let rest = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(first.chain(std::env::split_paths(&rest))).map_err(|e| e.to_string())
    }
}

impl Running {
    fn finish(mut self) -> Counts {
        let left = SCRIPT_LIMIT.saturating_sub(self.start.elapsed());
        let ended = shell::wait_within(&mut self.child, left);
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let told = format!("\n-- {} ({} s)\n{text}", self.name, self.start.elapsed().as_secs());
        // At once, so that what two lanes tell does not mix.
        let _ = std::io::stderr().lock().write_all(told.as_bytes());
        let mut counts = counts(&text).unwrap_or_default();
        if let Err(message) = ended
            && counts.failed == 0
        {
            eprintln!("{}: {message}", self.name);
            counts.failed = 1;
        }
        counts
    }
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Reads the closing line `N passed, N failed, N skipped`.
fn counts(text: &str) -> Option<Counts> {
    let line = text.lines().rev().find(|l| !l.trim().is_empty())?;
    let mut parts = line.split(", ").map(|part| part.split_once(' '));
    let mut next = |word: &str| parts.next()?.filter(|(_, w)| *w == word)?.0.parse().ok();
    Some(Counts { passed: next("passed")?, failed: next("failed")?, skipped: next("skipped")? })
}

fn scripts(root: &Path, only: Option<&str>) -> Result<Vec<PathBuf>, String> {
    let dir = root.join("tests/conformance");
    let entries = std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| {
            let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with("test_") && name.ends_with(".py") && only.is_none_or(|o| name.contains(o))
        })
        .collect();
    found.sort();
    if found.is_empty() { Err(format!("no script in tests/conformance matches {only:?}")) } else { Ok(found) }
}

/// The dev build of the server, or the one that `TIDEGATE_BIN` names.
fn binary(root: &Path) -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("TIDEGATE_BIN") {
        return Ok(PathBuf::from(named));
    }
    shell::run(shell::cargo().args(["build", "--locked", "--package", "tidegate"]).current_dir(root))?;
    Ok(target(root).join("debug/tidegate"))
}

pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The interpreter of `.venv`, made from `tests/requirements.txt` when it is missing or made from another list.
pub(crate) fn python(root: &Path) -> Result<PathBuf, String> {
    let list = root.join("tests/requirements.txt");
    let wanted = codegen::read(&list)?;
    let venv = root.join(".venv");
    let stamp = venv.join("made-from.txt");
    let python = venv.join("bin/python");
    if std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) && python.is_file() {
        return Ok(python);
    }
    let mut outcome = Err("not tried".to_owned());
    for attempt in 1..=PIP_TRIES {
        outcome = make_venv(&venv, &list);
        match &outcome {
            Ok(()) => {
                codegen::write(&stamp, &wanted)?;
                return Ok(python);
            }
            Err(message) => eprintln!("conformance: environment, try {attempt} of {PIP_TRIES}: {message}"),
        }
    }
    let system = PathBuf::from("python3");
    if shell::output(Command::new(&system).args(["-c", "import boto3, awscli"])).is_ok() {
        eprintln!("conformance: WARNING: no environment could be made; using this machine's own boto3 and AWS CLI");
        return shell::output(Command::new(&system).args(["-c", "import sys; print(sys.executable)"]))
            .map(|p| PathBuf::from(p.trim()));
    }
    outcome.map(|()| python)
}

fn make_venv(venv: &Path, list: &Path) -> Outcome {
    shell::run_within(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv), PIP_LIMIT)?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "5", "-r"];
    shell::run_within(Command::new(venv.join("bin/python")).args(pip).arg(list), PIP_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_is_read() {
        for (text, expected) in [
            ("ok a\n3 passed, 1 failed, 2 skipped\n", Some(Counts { passed: 3, failed: 1, skipped: 2 })),
            ("3 passed, 0 failed, 0 skipped\n\n", Some(Counts { passed: 3, failed: 0, skipped: 0 })),
            ("Traceback\n", None),
            ("3 passed, 1 skipped\n", None),
            ("", None),
        ] {
            assert_eq!(counts(text), expected, "{text:?}");
        }
    }
}
