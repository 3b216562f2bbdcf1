//! The packages that people install, written by hand so that the same sources give the same bytes: no time, no order and no name of this
//! machine is in them. Each kind is a module below; this file chooses between them, and builds the program that they hold. Nothing is uploaded.

mod deb;
mod licenses;
mod npm;
mod oci;
mod plain;
mod program;
mod sbom;
mod source;
mod tar;
mod wheel;
mod zip;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::metadata::Metadata;
use crate::{Outcome, codegen, conformance, shell};
use program::Program;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const SUMMARY: &str = "A public API gateway, a VPC link and an internal load balancer that speak AWS's own APIs";
/// The moment that every file of an archive has, in seconds since 1970, unless the environment's `SOURCE_DATE_EPOCH` says another.
const MOMENT_S: u64 = 0;

/// A kind of package: the word that chooses it, and who writes its files.
type Kind = (&'static str, fn(&Sources) -> Result<Vec<Package>, String>);

const KINDS: [Kind; 6] = [
    ("wheel", wheel::packages),
    ("deb", deb::packages),
    ("npm", npm::packages),
    ("oci", oci::packages),
    ("tar", plain::packages),
    ("source", source::packages),
];
/// What packages say of who answers for them and where they are from, until somebody publishes them: names that nobody has (RFC 2606).
const MAINTAINER: &str = "Tidegate <tidegate@tidegate.invalid>";
const FROM: &str = "https://tidegate.invalid";

/// What packages are made from.
struct Sources {
    root: PathBuf,
    program: Program,
    /// The crates that are in the program.
    crates: Metadata,
    /// In seconds since 1970.
    moment_s: u64,
    /// Who answers for the packages: a name and an address in angle brackets.
    maintainer: String,
    /// The URL below which the packages are published.
    from: String,
}

/// A finished package, by the name of its file.
struct Package {
    name: String,
    bytes: Vec<u8>,
}

/// A file within a package, or a directory where the name ends in a slash.
struct Entry {
    name: String,
    bytes: Vec<u8>,
    mode: u16,
    /// User and group by their number, where the archive tells: 0 is root.
    owner: u32,
}

impl Entry {
    fn file(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Entry {
        Entry { name: name.into(), bytes: bytes.into(), mode: 0o644, owner: 0 }
    }

    fn program(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Entry {
        Entry { mode: 0o755, ..Entry::file(name, bytes) }
    }
}

impl Sources {
    /// A file of the repository, as it is.
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        read(&self.root.join(name))
    }
}

/// The SHA-256 of this, in hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Writes the packages of the kinds that are named, or of all, below `target/dist` or the directory that `--out` names, with the program that
/// `--binary` names or with that of the profile `dist`; their paths are printed. `--maintainer` and `--from` are for who publishes them.
pub(crate) fn run(args: &[String]) -> Outcome {
    let root = codegen::root();
    let asked = Asked::read(args)?;
    let binary = match asked.binary.map(PathBuf::from) {
        Some(binary) => binary,
        None => {
            let words = ["build", "--locked", "--package", "tidegate", "--profile", "dist"];
            shell::run(shell::cargo().args(words).current_dir(&root))?;
            conformance::target(&root).join("dist/tidegate")
        }
    };
    let out = asked.out.map(PathBuf::from).unwrap_or_else(|| conformance::target(&root).join("dist"));
    std::fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let sources = Sources {
        program: Program::load(&binary)?,
        crates: Metadata::of("tidegate")?,
        moment_s: moment_s()?,
        maintainer: asked.maintainer.unwrap_or_else(|| MAINTAINER.to_owned()),
        from: asked.from.unwrap_or_else(|| FROM.to_owned()),
        root,
    };
    let wanted = KINDS.iter().filter(|(name, _)| asked.kinds.is_empty() || asked.kinds.contains(name));
    let written: Vec<_> = std::thread::scope(|scope| {
        // Compression is most of the work.
        let started: Vec<_> = wanted.map(|(_, packages)| scope.spawn(|| packages(&sources))).collect();
        started
            .into_iter()
            .map(|kind| kind.join().unwrap_or_else(|_| Err("the writing of a package panicked".to_owned())))
            .collect()
    });
    for packages in written {
        for package in packages? {
            let path = out.join(&package.name);
            std::fs::write(&path, package.bytes).map_err(|e| format!("{}: {e}", path.display()))?;
            writeln!(std::io::stdout(), "{}", path.display()).map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}

/// What the command line asks for.
#[derive(Default)]
struct Asked {
    kinds: Vec<&'static str>,
    binary: Option<String>,
    out: Option<String>,
    maintainer: Option<String>,
    from: Option<String>,
}

impl Asked {
    fn read(args: &[String]) -> Result<Asked, String> {
        let mut asked = Asked::default();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let place = match word.as_str() {
                "--binary" => &mut asked.binary,
                "--out" => &mut asked.out,
                "--maintainer" => &mut asked.maintainer,
                "--from" => &mut asked.from,
                kind => {
                    let known = KINDS.iter().map(|(name, _)| *name).find(|name| *name == kind);
                    asked
                        .kinds
                        .push(known.ok_or_else(|| format!("no kind of package is called {kind:?}: {}", names()))?);
                    continue;
                }
            };
            *place = Some(words.next().cloned().ok_or_else(|| format!("{word} needs a value"))?);
        }
        Ok(asked)
    }
}

fn names() -> String {
    KINDS.map(|(name, _)| name).join(", ")
}

/// `SOURCE_DATE_EPOCH` as reproducible-builds.org specifies it, where it is given.
fn moment_s() -> Result<u64, String> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(given) => given.parse().map_err(|_| format!("SOURCE_DATE_EPOCH is no number of seconds: {given:?}")),
        Err(_) => Ok(MOMENT_S),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked, String> {
        Asked::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_asked_for_is_read_and_nothing_else_is_taken() {
        let read = asked("deb --out there wheel --binary this").unwrap();
        assert_eq!(read.kinds, ["deb", "wheel"]);
        assert_eq!((read.out.as_deref(), read.binary.as_deref()), (Some("there"), Some("this")));
        assert!(asked("").unwrap().kinds.is_empty());
        for (line, told) in [("rpm", "wheel, deb, npm"), ("--outt x", "--outt"), ("deb --out", "needs a value")] {
            let refused = asked(line).err().unwrap();
            assert!(refused.contains(told), "{line}: {refused}");
        }
    }
}
