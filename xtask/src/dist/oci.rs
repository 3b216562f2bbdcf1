//! The image for engines of containers (OCI image layout and image specification 1.1): one layer with the program, for a user without
//! privileges, as a tar that engines load. No engine is needed to write it.
//!
//! A program that is linked to the C library of this machine has its libraries beside it; a static one stands alone. Nothing else is there: no
//! shell, no other program, and no roots of trust.

use std::process::Command;

use serde_json::{Value, json};

use super::{Entry, Package, SUMMARY, Sources, VERSION, deb, read, sbom, sha256, tar};
use crate::shell;

/// The user and group that images of programs run as by convention, and whom no system has.
const USER: u32 = 65_532;
const STATE: &str = "var/lib/tidegate";
const PROGRAM: &str = "usr/bin/tidegate";
/// Where the server listens by default: AWS's APIs, the public side, and that with TLS.
const PORTS: [u16; 3] = [4566, 8080, 8443];
/// How often engines ask whether the server serves, and for how long they wait for the answer.
const HEALTH_EVERY_S: u64 = 30;
const HEALTH_WITHIN_S: u64 = 5;
/// Who wrote the libraries, and under which licence, where Debian keeps it.
const LIBRARY_COPYRIGHTS: [&str; 2] = ["/usr/share/doc/libc6/copyright", "/usr/share/doc/libgcc-s1/copyright"];

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

pub(super) fn packages(sources: &Sources) -> Result<Vec<Package>, String> {
    let machine = sources.program.machine.debian();
    let layer = tar::archive(&files(sources)?, "", sources.moment_s)?;
    let config = config(machine, &created(sources)?, &digest(&layer));
    let layer = Blob::new(LAYER, tar::gzip(&layer)?);
    let config = Blob::new(CONFIG, config.to_string().into_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    });
    let manifest = Blob::new(MANIFEST, manifest.to_string().into_bytes());
    let mut named = manifest.descriptor();
    named["platform"] = json!({ "architecture": machine, "os": "linux" });
    named["annotations"] = json!({
        "org.opencontainers.image.ref.name": VERSION,
        "io.containerd.image.name": format!("docker.io/library/tidegate:{VERSION}"),
    });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [named] });
    // By this file, which the specification leaves room for, `docker load` of any age finds the rest.
    let docker =
        json!([{ "Config": config.path(), "RepoTags": [format!("tidegate:{VERSION}")], "Layers": [layer.path()] }]);
    let mut entries: Vec<_> = [config, layer, manifest].map(|blob| Entry::file(blob.path(), blob.bytes)).into();
    entries.push(Entry::file("index.json", index.to_string()));
    entries.push(Entry::file("manifest.json", docker.to_string()));
    entries.push(Entry::file("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string()));
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let bytes = tar::archive(&entries, "", sources.moment_s)?;
    Ok(vec![Package { name: format!("tidegate-{VERSION}-{machine}.oci.tar"), bytes }])
}

/// A part of the image, named by what it holds.
struct Blob {
    kind: &'static str,
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(kind: &'static str, bytes: Vec<u8>) -> Blob {
        Blob { kind, digest: digest(&bytes), bytes }
    }

    fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.kind, "digest": self.digest, "size": self.bytes.len() })
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

fn created(sources: &Sources) -> Result<String, String> {
    let seconds = i64::try_from(sources.moment_s).map_err(|e| e.to_string())?;
    jiff::Timestamp::from_second(seconds).map(|moment| moment.to_string()).map_err(|e| e.to_string())
}

/// How the program is run, and by whom. A health check is no part of the specification; engines that know Docker's read it here.
fn config(machine: &str, created: &str, layer: &str) -> Value {
    let program = format!("/{PROGRAM}");
    let ports: serde_json::Map<_, _> = PORTS.iter().map(|port| (format!("{port}/tcp"), json!({}))).collect();
    let second_ns = 1_000_000_000;
    json!({
        "architecture": machine,
        "os": "linux",
        "created": created,
        "config": {
            "User": format!("{USER}:{USER}"),
            "Entrypoint": [program],
            "Cmd": ["up"],
            "Env": ["PATH=/usr/bin", format!("TIDEGATE_DATA_DIR=/{STATE}")],
            "ExposedPorts": ports,
            "Volumes": { format!("/{STATE}"): {} },
            "WorkingDir": format!("/{STATE}"),
            "StopSignal": "SIGTERM",
            "Healthcheck": {
                "Test": ["CMD", program, "wait", "--timeout", format!("{HEALTH_WITHIN_S}s")],
                "Interval": HEALTH_EVERY_S * second_ns,
                "Timeout": 2 * HEALTH_WITHIN_S * second_ns,
            },
            "Labels": {
                "org.opencontainers.image.title": "tidegate",
                "org.opencontainers.image.description": SUMMARY,
                "org.opencontainers.image.licenses": "Apache-2.0",
                "org.opencontainers.image.version": VERSION,
            },
        },
        "rootfs": { "type": "layers", "diff_ids": [layer] },
        "history": [{ "created": created, "created_by": "cargo xtask dist oci" }],
    })
}

/// The files of the layer.
fn files(sources: &Sources) -> Result<Vec<Entry>, String> {
    let mut files = vec![
        Entry::program(PROGRAM, &*sources.program.bytes),
        Entry::file("etc/passwd", format!("tidegate:x:{USER}:{USER}::/{STATE}:/nonexistent\n")),
        Entry::file("etc/group", format!("tidegate:x:{USER}:\n")),
        Entry::file("etc/nsswitch.conf", "hosts: files dns\n"),
        Entry { mode: 0o1777, ..Entry::file("tmp/", "") },
        Entry { mode: 0o700, owner: USER, ..Entry::file(format!("{STATE}/"), "") },
        Entry::file("usr/share/doc/tidegate/copyright", deb::copyright(sources)?),
        Entry::file(format!("usr/share/doc/tidegate/{}", sbom::FILE), sbom::text(sources)?),
    ];
    if sources.program.libc.is_some() {
        files.extend(libraries(sources)?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The libraries that the program is loaded with, the loader among them, where it looks for them.
fn libraries(sources: &Sources) -> Result<Vec<Entry>, String> {
    let told = shell::output(Command::new("ldd").arg(&sources.program.path))?;
    let mut files = Vec::new();
    // `NAME => PATH (ADDRESS)`, or the path alone; what the kernel itself brings has none.
    for path in told.split_whitespace().filter(|word| word.starts_with('/')) {
        files.push(Entry::program(path.trim_start_matches('/'), read(path.as_ref())?));
    }
    if files.is_empty() {
        return Err(format!("ldd names no library of {}", sources.program.path.display()));
    }
    for path in LIBRARY_COPYRIGHTS {
        files.push(Entry::file(path.trim_start_matches('/'), read(path.as_ref())?));
    }
    Ok(files)
}
