//! The wheel for Python (Binary distribution format, packaging.python.org, 2026-11): the program as a script, and the pytest plugin.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::program::{Libc, Machine};
use super::{Entry, Package, SUMMARY, Sources, VERSION, licenses, sbom, zip};
use crate::codegen;

pub(super) fn packages(sources: &Sources) -> Result<Vec<Package>, String> {
    let tag = format!("py3-none-{}", platform(sources.program.machine, sources.program.libc));
    let bytes = zip::archive(&entries(sources, &tag)?)?;
    Ok(vec![Package { name: format!("tidegate-{VERSION}-{tag}.whl"), bytes }])
}

/// The platform by the C library that the program asks for (PEP 600). One that asks for none runs beside any, so that it is told to be for the
/// oldest of either kind that package indexes take (PEP 656).
fn platform(machine: Machine, libc: Option<Libc>) -> String {
    let machine = machine.name();
    match libc {
        Some(Libc { major, minor }) => format!("manylinux_{major}_{minor}_{machine}"),
        None => format!("manylinux_2_17_{machine}.musllinux_1_1_{machine}"),
    }
}

/// The files of the wheel; `RECORD` is the last.
fn entries(sources: &Sources, tag: &str) -> Result<Vec<Entry>, String> {
    let info = format!("tidegate-{VERSION}.dist-info");
    let readme = codegen::read(&sources.root.join("clients/python/README.md"))?;
    let metadata = format!(
        "Metadata-Version: 2.4\nName: tidegate\nVersion: {VERSION}\nSummary: {SUMMARY}\nLicense-Expression: Apache-2.0\nLicense-File: LICENSE\nLicense-File: {THIRD}\nClassifier: Framework :: Pytest\nRequires-Python: >=3.9\nDescription-Content-Type: text/markdown\n\n{readme}",
        THIRD = licenses::FILE,
    );
    let (python, platforms) = tag.rsplit_once('-').ok_or_else(|| format!("{tag} names no platform"))?;
    let tags: String = platforms.split('.').map(|platform| format!("Tag: {python}-{platform}\n")).collect();
    let about = format!("Wheel-Version: 1.0\nGenerator: xtask\nRoot-Is-Purelib: false\n{tags}");
    let mut entries = Vec::new();
    for name in ["tidegate/__init__.py", "tidegate/container.py", "tidegate/pytest_plugin.py"] {
        entries.push(Entry::file(name, sources.read(&format!("clients/python/{name}"))?));
    }
    entries.push(Entry::program(format!("tidegate-{VERSION}.data/scripts/tidegate"), &*sources.program.bytes));
    entries.push(Entry::file(format!("{info}/METADATA"), metadata));
    entries.push(Entry::file(format!("{info}/WHEEL"), about));
    entries.push(Entry::file(format!("{info}/entry_points.txt"), "[pytest11]\ntidegate = tidegate.pytest_plugin\n"));
    entries.push(Entry::file(format!("{info}/licenses/LICENSE"), sources.read("LICENSE")?));
    entries.push(Entry::file(format!("{info}/licenses/{}", licenses::FILE), licenses::text(sources)?));
    // PEP 770.
    entries.push(Entry::file(format!("{info}/sboms/{}", sbom::FILE), sbom::text(sources)?));
    let record = format!("{info}/RECORD");
    let lines = entries.iter().map(|entry| {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&entry.bytes));
        format!("{},sha256={digest},{}\n", entry.name, entry.bytes.len())
    });
    let lines: String = lines.collect();
    entries.push(Entry::file(record.clone(), format!("{lines}{record},,\n")));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_is_for_platforms_that_have_what_its_program_asks_for() {
        let asked = Libc { major: 2, minor: 34 };
        assert_eq!(platform(Machine::X86, Some(asked)), "manylinux_2_34_x86_64");
        assert_eq!(platform(Machine::Arm, None), "manylinux_2_17_aarch64.musllinux_1_1_aarch64");
    }
}
