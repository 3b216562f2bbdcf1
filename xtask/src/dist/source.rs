//! The sources as one archive, of the files that git tracks as they are now, and the formula by which Homebrew builds from it.

use std::process::Command;

use super::{Entry, Package, Sources, VERSION, sha256, tar};
use crate::shell;

const FORMULA: &str = "packaging/homebrew/tidegate.rb";
/// How git says that a file is a program, or a plain one.
const PROGRAM: &str = "100755";
const FILE: &str = "100644";

pub(super) fn packages(sources: &Sources) -> Result<Vec<Package>, String> {
    let archive = format!("tidegate-{VERSION}-source.tar.gz");
    let bytes = tar::gzip(&tar::archive(&files(sources)?, &format!("tidegate-{VERSION}/"), sources.moment_s)?)?;
    let sum = sha256(&bytes);
    let mut formula = String::from_utf8(sources.read(FORMULA)?).map_err(|e| format!("{FORMULA}: {e}"))?;
    for (mark, value) in [("@FROM@", sources.from.as_str()), ("@ARCHIVE@", &archive), ("@SHA256@", &sum)] {
        formula = formula.replace(mark, value);
    }
    Ok(vec![Package { name: archive, bytes }, Package { name: "tidegate.rb".to_owned(), bytes: formula.into_bytes() }])
}

fn files(sources: &Sources) -> Result<Vec<Entry>, String> {
    let told = shell::output(Command::new("git").args(["ls-files", "--stage", "-z"]).current_dir(&sources.root))?;
    let files = told.split_terminator('\0').map(|line| {
        let (about, name) = line.split_once('\t').ok_or_else(|| format!("git ls-files: {line:?}"))?;
        match about.split(' ').next() {
            Some(FILE) => Ok(Entry::file(name, sources.read(name)?)),
            Some(PROGRAM) => Ok(Entry::program(name, sources.read(name)?)),
            _ => Err(format!("{name} is neither a file nor a program: {about}")),
        }
    });
    files.collect()
}
