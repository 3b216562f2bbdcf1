//! The bill of materials of the program (CycloneDX 1.5, JSON): which crates are in it, by their names in the registry, with licence,
//! checksum, and which leads to which. The workspace's own crates are the program.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{SUMMARY, Sources, VERSION};
use crate::metadata::Package;

/// What the file is called in packages.
pub(super) const FILE: &str = "tidegate.cdx.json";
/// By what the document's own parts name the program.
const PROGRAM: &str = "tidegate";

/// `Cargo.lock`, for the checksums.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// The document.
pub(super) fn text(sources: &Sources) -> Result<String, String> {
    let lock = String::from_utf8(sources.read("Cargo.lock")?).map_err(|e| format!("Cargo.lock: {e}"))?;
    let lock: Lock = toml::from_str(&lock).map_err(|e| format!("Cargo.lock: {e}"))?;
    let checksum = |package: &Package| {
        let row = lock.package.iter().find(|row| row.name == package.name && row.version == package.version);
        row.and_then(|row| row.checksum.clone())
            .ok_or_else(|| format!("{} has no checksum in Cargo.lock", package.name))
    };
    let components: Vec<_> = sources
        .crates
        .foreign()
        .map(|package| Ok(component(package, &checksum(package)?)))
        .collect::<Result<_, String>>()?;
    let mut document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": PROGRAM,
                "name": PROGRAM,
                "version": VERSION,
                "description": SUMMARY,
                "licenses": [{ "expression": "Apache-2.0" }],
            },
        },
        "components": components,
        "dependencies": dependencies(sources),
    });
    let serial = serial(&document.to_string());
    document["serialNumber"] = Value::String(serial);
    serde_json::to_string_pretty(&document).map(|text| text + "\n").map_err(|e| e.to_string())
}

fn component(package: &Package, checksum: &str) -> Value {
    // Old manifests put a slash where SPDX has OR.
    let license = package.license.as_deref().map(|text| text.replace(" / ", "/").replace('/', " OR "));
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "purl": purl(package),
        "hashes": [{ "alg": "SHA-256", "content": checksum }],
    });
    if let Some(license) = license {
        component["licenses"] = json!([{ "expression": license }]);
    }
    component
}

/// The package's URL (purl-spec, type cargo). A `+` in a version is escaped.
fn purl(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version.replace('+', "%2B"))
}

/// Who leads to whom; what one of the workspace's own leads to, the program leads to.
fn dependencies(sources: &Sources) -> Vec<Value> {
    let names: BTreeMap<&str, String> = sources.crates.foreign().map(|p| (p.id.as_str(), purl(p))).collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> =
        names.values().map(|name| (name.as_str(), BTreeSet::new())).collect();
    for (from, to) in sources.crates.edges() {
        let from = names.get(from).map_or(PROGRAM, String::as_str);
        if let Some(to) = names.get(to) {
            edges.entry(from).or_default().insert(to);
        }
    }
    edges.into_iter().map(|(from, to)| json!({ "ref": from, "dependsOn": to })).collect()
}

/// A UUID of version 8 (RFC 9562) that says which document it is, and is the same for the same one.
fn serial(document: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(document)[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    format!("urn:uuid:{}", parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_s_number_is_its_own_and_well_formed() {
        let serial = serial("one");
        assert_eq!(serial, super::serial("one"));
        assert_ne!(serial, super::serial("two"));
        assert!(serial.len() == 45 && &serial[23..24] == "8", "{serial}");
    }
}
