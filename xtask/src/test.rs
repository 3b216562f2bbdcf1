//! Everything that CI runs, in its order: the cheap and telling steps first. `.ci/run` calls this and nothing else.
//!
//! A failed step does not hide the next ones; the end names all that failed. Only the dev profile is built.

use crate::{Outcome, codegen, conformance, deny, guards, instructions, shell, tidy};
use std::time::Instant;

/// A step's name and what it does.
type Step = (&'static str, fn() -> Outcome);

const STEPS: [Step; 9] = [
    ("format", || cargo(&["fmt", "--all", "--check"])),
    ("tidy", tidy::run),
    ("deny", deny::run),
    ("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])),
    ("guards", guards::run),
    ("tests", tests),
    ("docs", docs),
    ("conformance", || conformance::run(&[])),
    ("instructions", instructions::run),
];

/// Runs all steps. Drift of generated code is one of the workspace's tests.
pub(crate) fn run() -> Outcome {
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let outcome = step();
        let seconds = start.elapsed().as_secs();
        match outcome {
            Ok(()) => eprintln!("== {name}: passed in {seconds} s"),
            Err(message) => {
                eprintln!("== {name}: FAILED in {seconds} s: {message}");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        eprintln!("\nall {} steps passed", STEPS.len());
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")))
}

fn cargo(args: &[&str]) -> Outcome {
    shell::run(shell::cargo().args(args).current_dir(codegen::root()))
}

/// nextest where it is installed, because it isolates and times each test; the documentation's examples run by `cargo test`.
fn tests() -> Outcome {
    if shell::on_path("cargo-nextest") {
        cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"])?;
        return cargo(&["test", "--workspace", "--locked", "--doc"]);
    }
    cargo(&["test", "--workspace", "--locked", "--no-fail-fast"])
}

fn docs() -> Outcome {
    shell::run(
        shell::cargo()
            .args(["doc", "--workspace", "--no-deps", "--locked"])
            .env("RUSTDOCFLAGS", "-D warnings")
            .current_dir(codegen::root()),
    )
}
