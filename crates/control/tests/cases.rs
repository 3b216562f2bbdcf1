//! The calls boundary: request bytes in, answer bytes out, over the real decoders, the real state machine and a store in
//! memory, with a fixed seed and moment. Each file under `cases` is a test of its path's name: `cargo nextest run -p tidegate-control
//! --test cases elbv2/CreateRule`. `UPDATE=1` rewrites the answers; the diff is reviewed like code.
//!
//! The comment says what the case is about, and in its line `# Source: ` where the answer comes from: what was recorded on AWS and when, the
//! page that says it, the client and version that takes it, or the model that gives its form alone.
//!
//! A case is a comment, any number of steps and one last step. A step is a line `METHOD PATH SERVICE`, headers, an empty
//! line and a body; steps are parted by lines of `---`, and a second passes at each; `--- MILLISECONDS` is another pause. Each
//! step but the last may end with lines `= NAME REGEX`: the first group of the expression, found in its answer, stands for
//! `{NAME}` from there on; without such a line the step must succeed. After `===` comes the expected answer of the last
//! step: status, headers, body.

#![allow(clippy::unwrap_used, reason = "a case that cannot go on should panic")]
#![allow(dead_code, reason = "the other test binary asks more of a control")]

#[path = "it/calls.rs"]
mod calls;
#[path = "it/case.rs"]
mod case;

use std::fs;
use std::path::{Path, PathBuf};

use calls::Calls;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let found = case::below(&case::root());
    assert!(!found.is_empty(), "there are no cases");
    let trial = |path: PathBuf| Trial::test(name(&path), move || judge(&path).map_err(Failed::from));
    libtest_mimic::run(&arguments, found.into_iter().map(trial).collect()).exit();
}

/// The name of a case: its path below the root, without the ending.
fn name(path: &Path) -> String {
    let within = path.strip_prefix(case::root()).unwrap_or(path);
    within.with_extension("").display().to_string()
}

/// Runs a case.
///
/// # Errors
/// When it cannot be read or written, a step on its way fails, or its answer is another one than it says.
fn judge(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let (steps, expected) = text.split_once("\n===\n").unwrap_or((&text, ""));
    let answer = Calls::new().run(&name(path), steps)?;
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{}\n===\n{answer}", steps.trim_end());
        return fs::write(path, text).map_err(|error| error.to_string());
    }
    if answer == expected {
        return Ok(());
    }
    Err(format!("expected\n{expected}\n--- answered\n{answer}"))
}
