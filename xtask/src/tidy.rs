//! The rules that no compiler checks, each with what to do instead and why.
//!
//! `text` judges one file's lines, `edges` who may depend on whom, `circles` which modules of a crate use each other, `coverage` what `models/operations.toml` promises. This
//! file only gathers their findings. A test runs all of it, so plain `cargo test` finds what CI would.

mod circles;
mod coverage;
mod edges;
mod text;

use crate::metadata::Metadata;
use crate::{Outcome, codegen};
use std::path::{Path, PathBuf};

/// Directories that hold nothing written by hand.
const SKIPPED_DIRS: [&str; 7] = ["target", ".git", ".venv", ".terraform", ".tidegate", "__pycache__", "node_modules"];

/// File name endings that are read as text.
const TEXT_ENDINGS: [&str; 10] = ["rs", "toml", "md", "py", "sh", "tf", "yml", "json", "txt", "run"];

/// Judges the whole tree.
pub(crate) fn run() -> Outcome {
    let problems = problems()?;
    eprintln!("tidy: {} problems", problems.len());
    if problems.is_empty() { Ok(()) } else { Err(format!("not tidy:\n  {}", problems.join("\n  "))) }
}

fn problems() -> Result<Vec<String>, String> {
    let root = codegen::root();
    let mut problems = Vec::new();
    for path in files(&root)? {
        let name = path.strip_prefix(&root).map_err(|e| e.to_string())?.to_string_lossy().replace('\\', "/");
        problems.extend(text::judge(&name, &codegen::read(&path)?));
    }
    problems.extend(edges::judge(&Metadata::load()?));
    for allowance in circles::CRATES {
        let sources = root.join(allowance.sources);
        let mut texts = Vec::new();
        for path in files(&sources)?.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs")) {
            let name = path.strip_prefix(&sources).map_err(|e| e.to_string())?.to_string_lossy().replace('\\', "/");
            texts.push((name, codegen::read(&path)?));
        }
        problems.extend(circles::judge(allowance, &texts));
    }
    let operations = codegen::read(&root.join("models/operations.toml"))?;
    problems.extend(coverage::judge(&operations, &codegen::read(&root.join("docs/coverage.md"))?)?);
    Ok(problems)
}

/// Every text file below the root, in a stable order.
fn files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(dir) = todo.pop() {
        let entries = std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        for entry in entries {
            let entry = entry.map_err(|e| e.to_string())?;
            let kind = entry.file_type().map_err(|e| e.to_string())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() && !SKIPPED_DIRS.contains(&name.as_str()) {
                todo.push(entry.path());
            } else if kind.is_file() && is_text(&name) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_text(name: &str) -> bool {
    name == "run" || name.rsplit_once('.').is_some_and(|(_, ending)| TEXT_ENDINGS.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        assert_eq!(problems().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn only_text_is_read() {
        for (name, expected) in [("lib.rs", true), ("run", true), ("logo.png", false), ("Makefile", false)] {
            assert_eq!(is_text(name), expected, "{name}");
        }
    }
}
