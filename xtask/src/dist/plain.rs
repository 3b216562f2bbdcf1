//! The program in an archive of its own, to be unpacked anywhere: what `cargo binstall` fetches (`package.metadata.binstall` of the crate).

use super::{Entry, Package, Sources, VERSION, licenses, sbom, tar};

pub(super) fn packages(sources: &Sources) -> Result<Vec<Package>, String> {
    let name = format!("tidegate-{VERSION}-{}", target(sources));
    let files = [
        Entry::file("LICENSE", sources.read("LICENSE")?),
        Entry::file(licenses::FILE, licenses::text(sources)?),
        Entry::program("tidegate", &*sources.program.bytes),
        Entry::file(sbom::FILE, sbom::text(sources)?),
    ];
    let bytes = tar::gzip(&tar::archive(&files, &format!("{name}/"), sources.moment_s)?)?;
    Ok(vec![Package { name: format!("{name}.tar.gz"), bytes }])
}

/// As Rust names it: a program without a C library of the platform is built with musl.
fn target(sources: &Sources) -> String {
    let libc = if sources.program.libc.is_some() { "gnu" } else { "musl" };
    format!("{}-unknown-linux-{libc}", sources.program.machine.name())
}
