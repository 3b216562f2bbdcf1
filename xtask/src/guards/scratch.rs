//! The scratch copy of `crates/plane`, and the compiler that is asked about it. It is a workspace of one member: dependencies, and
//! the rooms that it uses, where they stand, are those of the tree and built once for both.
//!
//! Nothing is judged here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{Changed, CompileError, Compiler};
use crate::{codegen, conformance, shell};

/// The member's sources, below the tree's root and the copy's alike.
const SOURCES: &str = "crates/plane/src";

/// The copy.
pub(super) struct Scratch {
    root: PathBuf,
    /// The target directory, which is the tree's.
    target: PathBuf,
    /// What was changed last, with the text that stood there.
    changed: Vec<Changed>,
}

impl Scratch {
    /// A copy, in the place of the last one. A file that is as it was is left alone, so that the compiler need not look at it again.
    pub(super) fn copy(tree: &Path) -> Result<Self, String> {
        let target = conformance::target(tree);
        let root = target.join("guards");
        copy_dir(&tree.join(SOURCES), &root.join(SOURCES))?;
        for file in ["crates/plane/Cargo.toml", "Cargo.lock"] {
            place(&root.join(file), &codegen::read(&tree.join(file))?)?;
        }
        place(&root.join("Cargo.toml"), &manifest(tree)?)?;
        Ok(Self { root, target, changed: Vec::new() })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.root.join(SOURCES).join(file)
    }

    fn put(&mut self, changed: &[Changed]) -> Result<(), String> {
        for Changed { file, text } in std::mem::take(&mut self.changed) {
            codegen::write(&self.path(&file), &text)?;
        }
        for Changed { file, text } in changed {
            self.changed.push(Changed { file: file.clone(), text: codegen::read(&self.path(file))? });
            codegen::write(&self.path(file), text)?;
        }
        Ok(())
    }

    fn check(&self) -> Command {
        let mut command = shell::cargo();
        // Offline: the copy's lock loses what its one member does not use, and must gain nothing.
        command.args(["check", "--offline", "--quiet", "--package", "tidegate-plane", "--message-format", "json"]);
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target).stderr(Stdio::piped());
        // Each row compiles the crate once more, almost as it was.
        command.env("CARGO_INCREMENTAL", "1");
        command
    }
}

impl Compiler for Scratch {
    fn source(&self, file: &str) -> Result<String, String> {
        codegen::read(&self.path(file))
    }

    fn errors(&mut self, changed: &[Changed]) -> Result<Vec<CompileError>, String> {
        self.put(changed)?;
        let output = self.check().output().map_err(|e| format!("cargo check: {e}"))?;
        let errors = errors_in(&String::from_utf8_lossy(&output.stdout))?;
        if output.status.success() == errors.is_empty() {
            return Ok(errors);
        }
        Err(format!("cargo check: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
    }
}

/// The rooms that plane uses.
const NEIGHBOURS: [&str; 2] = ["topology", "kernel"];

/// The tree's manifest with one member, whose neighbours stay where they are.
fn manifest(tree: &Path) -> Result<String, String> {
    let text = codegen::read(&tree.join("Cargo.toml"))?;
    let mut manifest: toml::Table = toml::from_str(&text).map_err(|e| format!("Cargo.toml: {e}"))?;
    let workspace = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut);
    let workspace = workspace.ok_or("Cargo.toml: no workspace")?;
    workspace.remove("exclude");
    workspace.remove("default-members");
    workspace.insert("members".to_owned(), toml::Value::Array(vec!["crates/plane".into()]));
    for neighbour in NEIGHBOURS {
        let name = format!("tidegate-{neighbour}");
        let entry = workspace.get_mut("dependencies").and_then(|all| all.get_mut(&name));
        let entry = entry.and_then(toml::Value::as_table_mut).ok_or_else(|| format!("Cargo.toml: no {name}"))?;
        entry.insert("path".to_owned(), tree.join("crates").join(neighbour).display().to_string().into());
    }
    toml::to_string(&manifest).map_err(|e| e.to_string())
}

/// Makes one directory what another is.
pub(super) fn copy_dir(from: &Path, to: &Path) -> Result<(), String> {
    for name in names(from)? {
        let (source, copy) = (from.join(&name), to.join(&name));
        if source.is_dir() { copy_dir(&source, &copy)? } else { place(&copy, &codegen::read(&source)?)? }
    }
    for name in names(to)?.into_iter().filter(|name| !from.join(name).exists()) {
        let gone = to.join(name);
        let removed = if gone.is_dir() { std::fs::remove_dir_all(&gone) } else { std::fs::remove_file(&gone) };
        removed.map_err(|e| format!("{}: {e}", gone.display()))?;
    }
    Ok(())
}

fn names(dir: &Path) -> Result<Vec<OsString>, String> {
    let entries = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(|e| e.to_string())).collect()
}

fn place(path: &Path, text: &str) -> Result<(), String> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) { Ok(()) } else { codegen::write(path, text) }
}

/// What cargo writes, one value a line.
#[derive(Deserialize)]
struct Line {
    reason: String,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    rendered: Option<String>,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    is_primary: bool,
}

/// The errors in what cargo wrote. A count of errors has no place of its own and is none.
pub(super) fn errors_in(stdout: &str) -> Result<Vec<CompileError>, String> {
    let mut errors = Vec::new();
    for line in stdout.lines() {
        let line: Line = serde_json::from_str(line).map_err(|e| format!("cargo's output: {e}: {line}"))?;
        let message = line.message.filter(|message| line.reason == "compiler-message" && message.level == "error");
        let Some(message) = message else { continue };
        let rendered = message.rendered.unwrap_or_default();
        let place = message.spans.iter().find(|span| span.is_primary);
        if place.is_none() && rendered.starts_with("error: aborting due to") {
            continue;
        }
        let file = place.map(|span| span.file_name.replace('\\', "/")).unwrap_or_default();
        let file = file.split_once(SOURCES).map_or("", |(_, below)| below.trim_start_matches('/')).to_owned();
        errors.push(CompileError { file, rendered });
    }
    Ok(errors)
}
