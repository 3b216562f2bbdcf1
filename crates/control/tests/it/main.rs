//! The calls boundary: request bytes in, answer bytes out, over the real decoders, the real state machine and a store in
//! memory, with a fixed seed and moment. One file under `tests/cases` is one case; its path is its name. `UPDATE=1` rewrites
//! the answers; the diff is reviewed like code.
//!
//! A case is a comment, any number of steps and one last step. A step is a line `METHOD PATH SERVICE`, headers, an empty
//! line and a body; steps are parted by lines of `---`, and a second passes at each; `--- MILLISECONDS` is another pause. Each
//! step but the last may end with lines `= NAME REGEX`: the first group of the expression, found in its answer, stands for
//! `{NAME}` from there on; without such a line the step must succeed. After `===` comes the expected answer of the last
//! step: status, headers, body.

#![allow(clippy::unwrap_used, reason = "a case that cannot go on should panic")]

mod calls;
mod cost;
mod documentation;
mod estate;
mod filters;
mod names;
mod refusals;
mod stored;

use std::fs;
use std::path::{Path, PathBuf};

use calls::Calls;

fn cases_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "http") {
            found.push(path);
        }
    }
}

#[test]
fn every_case_is_answered_as_written() {
    let mut found = Vec::new();
    files(&cases_root(), &mut found);
    found.sort();
    assert!(!found.is_empty(), "there are no cases");
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for path in found {
        let name = path.strip_prefix(cases_root()).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let (steps, expected) = text.split_once("\n===\n").unwrap_or((&text, ""));
        let answer = match Calls::new().run(&name, steps) {
            Ok(answer) => answer,
            Err(error) => {
                wrong.push(format!("{name}\n--- {error}"));
                continue;
            }
        };
        if update {
            fs::write(&path, format!("{}\n===\n{answer}", steps.trim_end())).unwrap();
        } else if answer != expected {
            wrong.push(format!("{name}\n--- expected\n{expected}\n--- answered\n{answer}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n\n"));
}

fn folder(service: wire::ServiceId) -> String {
    format!("{service:?}").to_lowercase()
}

#[test]
fn every_operation_has_a_case() {
    let mut missing = Vec::new();
    for service in wire::ServiceId::ALL {
        for operation in service.model().operations {
            let mut found = Vec::new();
            files(&cases_root().join(folder(*service)).join(operation.name), &mut found);
            if found.is_empty() {
                missing.push(format!("{}/{}", folder(*service), operation.name));
            }
        }
    }
    assert!(missing.is_empty(), "no case for {}", missing.join(", "));
}
