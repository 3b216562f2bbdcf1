//! That no guard of the gateway can be left out in code that compiles. `guards.toml` has a row for each: what stands in the code, what
//! somebody would write who left the guard out, and what the compiler must say to that. Each row is tried on a scratch copy of
//! `crates/plane` below the target directory, which shares every built dependency.
//!
//! Rows of different files are tried in one compilation, for speed: an error belongs to the row of its file. A row that sees no error
//! there is tried alone before it is judged, so that no other row's error can hide that it compiles.

mod scratch;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Outcome, codegen};
use scratch::Scratch;

/// Where the rows stand, below the root.
const TABLE: &str = "xtask/guards.toml";

/// `guards.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    guard: Vec<Guard>,
}

/// One guard, and how somebody would leave it out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Guard {
    /// What the row shows, as the end of "It does not compile that …".
    name: String,
    /// The file, below `crates/plane/src`.
    file: String,
    /// What stands in it exactly once.
    text: String,
    /// What takes its place.
    instead: String,
    /// What every error of the compiler must have in it.
    error: String,
}

/// A file in place of the one that stands in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Changed {
    file: String,
    text: String,
}

/// An error of the compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CompileError {
    /// Its file, below `crates/plane/src`; empty where it is of none.
    file: String,
    /// As the compiler prints it.
    rendered: String,
}

/// Where the rows are tried.
trait Compiler {
    /// A file of the tree, as it stands.
    fn source(&self, file: &str) -> Result<String, String>;
    /// The errors of the tree with these files in the place of its own.
    fn errors(&mut self, changed: &[Changed]) -> Result<Vec<CompileError>, String>;
}

/// Tries all rows of the table.
pub(crate) fn run() -> Outcome {
    let root = codegen::root();
    let table: Table = toml::from_str(&codegen::read(&root.join(TABLE))?).map_err(|e| format!("{TABLE}: {e}"))?;
    let problems = judge(&table.guard, &mut Scratch::copy(&root)?)?;
    eprintln!("guards: {} left out in turn, {} problems", table.guard.len(), problems.len());
    if problems.is_empty() { Ok(()) } else { Err(format!("{TABLE}:\n  {}", problems.join("\n  "))) }
}

/// What is wrong with the rows. That the tree compiles as it stands comes first: nothing is shown by what did not compile before.
fn judge(guards: &[Guard], compiler: &mut impl Compiler) -> Result<Vec<String>, String> {
    if let Some(error) = compiler.errors(&[])?.first() {
        return Err(format!("the tree does not compile as it stands:\n{}", error.rendered));
    }
    let mut problems = Vec::new();
    let mut mutants = Vec::new();
    for guard in guards {
        match mutant(guard, &compiler.source(&guard.file)?) {
            Ok(changed) => mutants.push((guard, changed)),
            Err(problem) => problems.push(problem),
        }
    }
    for round in rounds(mutants) {
        problems.extend(try_together(&round, compiler)?);
    }
    Ok(problems)
}

/// The file without the guard.
fn mutant(guard: &Guard, source: &str) -> Result<Changed, String> {
    let Guard { name, file, text, instead, error } = guard;
    if text.is_empty() || error.is_empty() {
        return Err(format!("{name}: a row needs a text and an error"));
    }
    match source.matches(text.as_str()).count() {
        1 => Ok(Changed { file: file.clone(), text: source.replacen(text.as_str(), instead, 1) }),
        count => Err(format!("{name}: its text stands in {file} {count} times, not once")),
    }
}

/// The rows, so that no round has two of one file.
fn rounds(mutants: Vec<(&Guard, Changed)>) -> Vec<Vec<(&Guard, Changed)>> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut rounds: Vec<Vec<(&Guard, Changed)>> = Vec::new();
    for (guard, changed) in mutants {
        let round = seen.entry(changed.file.clone()).or_default();
        if rounds.len() == *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push((guard, changed));
        *round += 1;
    }
    rounds
}

fn try_together(round: &[(&Guard, Changed)], compiler: &mut impl Compiler) -> Result<Vec<String>, String> {
    let changed: Vec<Changed> = round.iter().map(|(_, changed)| changed.clone()).collect();
    let errors = compiler.errors(&changed)?;
    let is_of_none = |error: &&CompileError| !changed.iter().any(|changed| changed.file == error.file);
    let mut problems: Vec<String> = Vec::new();
    problems.extend(errors.iter().filter(is_of_none).map(|error| format!("of no row: {}", error.rendered)));
    for (guard, changed) in round {
        let of_row = |errors: Vec<CompileError>| errors.into_iter().filter(|e| e.file == guard.file).collect();
        let mut own: Vec<CompileError> = of_row(errors.clone());
        if own.is_empty() && round.len() > 1 {
            own = of_row(compiler.errors(std::slice::from_ref(changed))?);
        }
        problems.extend(verdict(guard, &own));
    }
    Ok(problems)
}

fn verdict(guard: &Guard, errors: &[CompileError]) -> Option<String> {
    let Guard { name, file, error: expected, .. } = guard;
    if errors.is_empty() {
        return Some(format!("{name}: it compiles, in {file}"));
    }
    let other = errors.iter().find(|error| !error.rendered.contains(expected.as_str()))?;
    Some(format!("{name}: the compiler says something else than {expected:?}:\n{}", other.rendered))
}

#[cfg(test)]
mod tests;
