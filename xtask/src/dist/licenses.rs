//! The licences of everything that ends in the program, with their texts: of the crates by `cargo metadata`, read where cargo keeps their
//! sources, of Rust's standard library by the toolchain, and of musl, which a static program holds, by Debian. A crate that comes without a text is named with its licence alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Sources;
use crate::shell;

/// What the file is called in packages that have no name of their own for it.
pub(super) const FILE: &str = "THIRD-PARTY-LICENSES.txt";
/// How names of files that hold a licence begin, in small letters.
const BEGINNINGS: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];
/// Endings of such files that are sources all the same.
const CODE: [&str; 5] = ["rs", "c", "h", "py", "go"];
/// Directories of a crate's sources that nothing in the program comes from.
const ASIDE: [&str; 6] = ["tests", "test", "benches", "examples", "fuzz", "target"];
/// Texts of the toolchain that are the standard library's.
const LIBRARY: [&str; 5] = ["Apache-2.0.txt", "MIT.txt", "BSD-2-Clause.txt", "ISC.txt", "Unicode-3.0.txt"];

const TEXTS: &str = "share/doc/rust/licenses";
/// What unwinds the stack of a static program, in place of the platform's.
const UNWINDER: [&str; 2] = ["Apache-2.0.txt", "LLVM-exception.txt"];
const MUSL: &str = "/usr/share/doc/musl/copyright";

/// A name, a licence, and the files of its texts.
type Part = (String, String, Vec<PathBuf>);

/// A list of what is in the program, and every text once, with those whose it is.
pub(super) fn text(sources: &Sources) -> Result<String, String> {
    let mut list = String::from("What is in the program beside Tidegate's own code, and under which licence:\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut named = Vec::new();
    let crates = sources.crates.foreign().map(|package| {
        let license = package.license.clone().unwrap_or_else(|| "as its text says".to_owned());
        let files = package.manifest_path.parent().map(files).unwrap_or_else(|| Ok(Vec::new()))?;
        Ok::<_, String>((format!("{} {}", package.name, package.version), license, files))
    });
    for part in libraries(sources.program.libc.is_none())?.into_iter().map(Ok).chain(crates) {
        let (name, license, files) = part?;
        let _ = writeln!(list, "  {name}: {license}");
        if files.is_empty() {
            named.push(name.clone());
        }
        for file in files {
            let bytes = super::read(&file)?;
            let owners = texts.entry(even(&String::from_utf8_lossy(&bytes))).or_default();
            if !owners.contains(&name) {
                owners.push(name.clone());
            }
        }
    }
    if !named.is_empty() {
        let _ = write!(list, "\nWithout a text of their own in their sources: {}.\n", named.join(", "));
    }
    let mut parts: Vec<_> = texts.into_iter().map(|(text, owners)| (owners.join(", "), text)).collect();
    parts.sort();
    for (owners, text) in parts {
        let _ = write!(list, "\n{}\n{owners}\n\n{text}", "-".repeat(80));
    }
    Ok(list)
}

/// The same text, however its lines end.
fn even(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim_matches('\n'))
}

/// What is in the program and is no crate.
fn libraries(is_static: bool) -> Result<Vec<Part>, String> {
    let version = shell::output(Command::new("rustc").arg("-V"))?;
    let version = version.split_whitespace().nth(1).ok_or("rustc -V names no version")?;
    let root = shell::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let texts = Path::new(root.trim()).join(TEXTS);
    let texts = |names: &[&str]| names.iter().map(|name| texts.join(name)).filter(|path| path.is_file()).collect();
    let mut parts =
        vec![(format!("Rust's standard library {version}"), "MIT OR Apache-2.0".to_owned(), texts(&LIBRARY))];
    if is_static {
        let copyright = Some(PathBuf::from(MUSL)).filter(|path| path.is_file());
        parts.push(("musl".to_owned(), "MIT".to_owned(), copyright.into_iter().collect()));
        parts.push(("LLVM's libunwind".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned(), texts(&UNWINDER)));
    }
    Ok(parts)
}

/// The files below a crate's directory that hold licences, in a stable order.
fn files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))? {
            let entry = entry.map_err(|e| e.to_string())?;
            let kind = entry.file_type().map_err(|e| e.to_string())?;
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if kind.is_dir() && !ASIDE.contains(&name.as_str()) {
                todo.push(entry.path());
            } else if kind.is_file() && is_license(&name) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_license(name: &str) -> bool {
    let is_code = name.rsplit_once('.').is_some_and(|(_, ending)| CODE.contains(&ending));
    BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) && !is_code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_hold_licences_are_known_by_their_names() {
        for (name, expected) in [
            ("license-mit", true),
            ("copying", true),
            ("notice.txt", true),
            ("license.rs", false),
            ("readme.md", false),
        ] {
            assert_eq!(is_license(name), expected, "{name}");
        }
    }

    #[test]
    fn a_static_program_holds_a_c_library() {
        let names = |is_static| libraries(is_static).unwrap().into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
        assert_eq!(names(false).len(), 1);
        assert_eq!(names(true)[1..], ["musl", "LLVM's libunwind"]);
    }

    #[test]
    fn texts_that_differ_by_the_ends_of_their_lines_are_one() {
        assert_eq!(even("\r\na \r\nb"), even("a\nb\n\n"));
    }
}
