//! The packages for npm (docs.npmjs.com, package.json, 2026-11): one that people name, with a launcher, and one with the program for the
//! platform, which the first has as an optional dependency. No script runs and nothing is downloaded at an installation.

use serde_json::{Value, json};

use super::program::Machine;
use super::{Entry, Package, SUMMARY, Sources, VERSION, licenses, sbom, tar};

/// Where the files of a package are in its archive.
const PREFIX: &str = "package/";
/// Platforms that the named package has a dependency for, by their names in node. Each is written from a program for it.
const PLATFORMS: [&str; 2] = ["linux-x64", "linux-arm64"];

pub(super) fn packages(sources: &Sources) -> Result<Vec<Package>, String> {
    let platform = PLATFORMS[match sources.program.machine {
        Machine::X86 => 0,
        Machine::Arm => 1,
    }];
    Ok(vec![
        package(sources, format!("tidegate-{VERSION}.tgz"), named(sources)?)?,
        package(sources, format!("tidegate-{platform}-{VERSION}.tgz"), of(sources, platform)?)?,
    ])
}

fn package(sources: &Sources, name: String, files: Vec<Entry>) -> Result<Package, String> {
    Ok(Package { name, bytes: tar::gzip(&tar::archive(&files, PREFIX, sources.moment_s)?)? })
}

/// The package that people name.
fn named(sources: &Sources) -> Result<Vec<Entry>, String> {
    let platforms: serde_json::Map<_, _> =
        PLATFORMS.iter().map(|platform| (scoped(platform), json!(VERSION))).collect();
    let about = json!({
        "name": "tidegate",
        "version": VERSION,
        "description": SUMMARY,
        "license": "Apache-2.0",
        "bin": { "tidegate": "bin/tidegate.js" },
        "exports": { "./testcontainers": "./testcontainers.js", "./package.json": "./package.json" },
        "peerDependencies": { "testcontainers": ">=10" },
        "peerDependenciesMeta": { "testcontainers": { "optional": true } },
        "engines": { "node": ">=18" },
        "optionalDependencies": platforms,
    });
    Ok(vec![
        manifest(&about)?,
        Entry::file("LICENSE", sources.read("LICENSE")?),
        Entry::file("README.md", sources.read("packaging/npm/README.md")?),
        Entry::program("bin/tidegate.js", sources.read("packaging/npm/tidegate.js")?),
        Entry::file("testcontainers.js", sources.read("packaging/npm/testcontainers.js")?),
    ])
}

/// The package of one platform.
fn of(sources: &Sources, platform: &str) -> Result<Vec<Entry>, String> {
    let (os, cpu) = platform.split_once('-').ok_or_else(|| format!("{platform} is no platform"))?;
    let mut about = json!({
        "name": scoped(platform),
        "version": VERSION,
        "description": format!("The program of the package tidegate, for {os} on {cpu}"),
        "license": "Apache-2.0",
        "os": [os],
        "cpu": [cpu],
    });
    if sources.program.libc.is_some() {
        about["libc"] = json!(["glibc"]);
    }
    Ok(vec![
        manifest(&about)?,
        Entry::file("LICENSE", sources.read("LICENSE")?),
        Entry::file(licenses::FILE, licenses::text(sources)?),
        Entry::program("bin/tidegate", &*sources.program.bytes),
        Entry::file(sbom::FILE, sbom::text(sources)?),
    ])
}

fn scoped(platform: &str) -> String {
    format!("@tidegate/{platform}")
}

fn manifest(about: &Value) -> Result<Entry, String> {
    let text = serde_json::to_string_pretty(about).map_err(|e| e.to_string())?;
    Ok(Entry::file("package.json", text + "\n"))
}
