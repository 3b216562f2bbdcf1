//! The packages that people install, written by hand so that the same sources give the same bytes: no time, no order and no name of this
//! machine is in them. So far the wheel: the program as a script, and the pytest plugin. Nothing is uploaded.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use sha2::{Digest as _, Sha256};

use crate::{Outcome, codegen, conformance, shell};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The oldest C library that the program is told to run with is this machine's: a wheel for others is built on an old one.
const PLATFORM: &str = "linux";
/// The first moment that an archive can tell (.ZIP file format specification, 4.4.6): 1 January 1980.
const DOS_DATE: u16 = 0x21;

/// Writes the packages below `target/dist`, or the directory that `--out` names, with the program that `--binary` names, or with that of the
/// profile `dist`.
pub(crate) fn run(args: &[String]) -> Outcome {
    let root = codegen::root();
    let given = |flag: &str| args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1)).map(PathBuf::from);
    let binary = match given("--binary") {
        Some(binary) => binary,
        None => {
            let words = ["build", "--locked", "--package", "tidegate", "--profile", "dist"];
            shell::run(shell::cargo().args(words).current_dir(&root))?;
            conformance::target(&root).join("dist/tidegate")
        }
    };
    let out = given("--out").unwrap_or_else(|| conformance::target(&root).join("dist"));
    std::fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let tag = format!("py3-none-{PLATFORM}_{}", std::env::consts::ARCH);
    let path = out.join(format!("tidegate-{VERSION}-{tag}.whl"));
    let bytes = archive(&wheel(&root, &binary, &tag)?)?;
    std::fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    writeln!(std::io::stdout(), "{}", path.display()).map_err(|e| e.to_string())
}

/// A file of an archive.
struct Entry {
    name: String,
    bytes: Vec<u8>,
    mode: u16,
}

/// The files of the wheel (Binary distribution format, packaging.python.org, 2026-11): `RECORD` is the last.
fn wheel(root: &Path, binary: &Path, tag: &str) -> Result<Vec<Entry>, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let info = format!("tidegate-{VERSION}.dist-info");
    let sources = root.join("clients/python");
    let readme = codegen::read(&sources.join("README.md"))?;
    let metadata = format!(
        "Metadata-Version: 2.1\nName: tidegate\nVersion: {VERSION}\nSummary: A public API gateway, a VPC link and an internal load balancer that speak AWS's own APIs\nLicense: Apache-2.0\nClassifier: Framework :: Pytest\nRequires-Python: >=3.9\nDescription-Content-Type: text/markdown\n\n{readme}"
    );
    let about = format!("Wheel-Version: 1.0\nGenerator: xtask\nRoot-Is-Purelib: false\nTag: {tag}\n");
    let text = |name: String, text: String| Entry { name, bytes: text.into_bytes(), mode: 0o644 };
    let mut entries = Vec::new();
    for name in ["tidegate/__init__.py", "tidegate/pytest_plugin.py"] {
        entries.push(Entry { name: name.to_owned(), bytes: read(&sources.join(name))?, mode: 0o644 });
    }
    let script = format!("tidegate-{VERSION}.data/scripts/tidegate");
    entries.push(Entry { name: script, bytes: read(binary)?, mode: 0o755 });
    entries.push(text(format!("{info}/METADATA"), metadata));
    entries.push(text(format!("{info}/WHEEL"), about));
    entries
        .push(text(format!("{info}/entry_points.txt"), "[pytest11]\ntidegate = tidegate.pytest_plugin\n".to_owned()));
    let license = Entry { name: format!("{info}/licenses/LICENSE"), bytes: read(&root.join("LICENSE"))?, mode: 0o644 };
    entries.push(license);
    let record = format!("{info}/RECORD");
    let lines = entries.iter().map(|entry| {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&entry.bytes));
        format!("{},sha256={digest},{}\n", entry.name, entry.bytes.len())
    });
    let lines: String = lines.collect();
    entries.push(text(record.clone(), format!("{lines}{record},,\n")));
    Ok(entries)
}

/// An archive (.ZIP file format specification 6.3.10) of files below 4 GiB, in their order.
fn archive(entries: &[Entry]) -> Result<Vec<u8>, String> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let too_large = |_| format!("{} is too large for an archive", entry.name);
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&entry.bytes).map_err(|e| e.to_string())?;
        let packed = encoder.finish().map_err(|e| e.to_string())?;
        let mut sum = flate2::Crc::new();
        sum.update(&entry.bytes);
        let place = u32::try_from(out.len()).map_err(too_large)?;
        let mut head = Vec::new();
        // Version 2.0, no flags, deflated, the first moment.
        for word in [20, 0, 8, 0, DOS_DATE] {
            head.extend_from_slice(&u16::to_le_bytes(word));
        }
        for size in [
            sum.sum(),
            u32::try_from(packed.len()).map_err(too_large)?,
            u32::try_from(entry.bytes.len()).map_err(too_large)?,
        ] {
            head.extend_from_slice(&size.to_le_bytes());
        }
        let length = u16::try_from(entry.name.len()).map_err(too_large)?;
        head.extend_from_slice(&length.to_le_bytes());
        head.extend_from_slice(&[0, 0]);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&head);
        out.extend_from_slice(entry.name.as_bytes());
        out.extend_from_slice(&packed);
        // Made on Unix by version 2.0; no comment, disk or inner attributes.
        directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        directory.extend_from_slice(&head);
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(u32::from(0o100_000 | entry.mode) << 16).to_le_bytes());
        directory.extend_from_slice(&place.to_le_bytes());
        directory.extend_from_slice(entry.name.as_bytes());
    }
    let count = u16::try_from(entries.len()).map_err(|_| "too many files".to_owned())?.to_le_bytes();
    let sizes = [directory.len(), out.len()].map(|size| u32::try_from(size).map(u32::to_le_bytes));
    out.append(&mut directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count);
    out.extend_from_slice(&count);
    for size in sizes {
        out.extend_from_slice(&size.map_err(|_| "the archive is too large".to_owned())?);
    }
    out.extend_from_slice(&[0, 0]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_begins_and_ends_as_one_and_is_the_same_twice() {
        let entries = || [Entry { name: "a".to_owned(), bytes: b"text text text".to_vec(), mode: 0o755 }];
        let bytes = archive(&entries()).unwrap();
        assert!(bytes.starts_with(b"PK\x03\x04\x14\0\0\0\x08\0\0\0\x21\0"));
        let end = &bytes[bytes.len() - 22..];
        assert!(end.starts_with(b"PK\x05\x06") && end[8] == 1);
        let place = u32::from_le_bytes(end[16..20].try_into().unwrap()) as usize;
        assert!(bytes[place..].starts_with(b"PK\x01\x02"));
        assert_eq!(bytes, archive(&entries()).unwrap());
    }
}
