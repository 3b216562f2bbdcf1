//! The package for Debian and its kin (deb(5), dpkg 1.21): an `ar` archive of two compressed tars. What it holds is in `packaging/debian`
//! and comes from the program; nothing needs Debian's tools.

use std::process::Command;

use super::{Entry, Package, Sources, VERSION, licenses, sbom, tar};
use crate::shell;

/// Files of the repository that are there after the installation.
const FILES: [(&str, &str); 5] = [
    ("etc/tidegate/tidegate.toml", "packaging/debian/tidegate.toml"),
    ("usr/lib/systemd/system/tidegate.service", "packaging/debian/tidegate.service"),
    ("usr/share/tidegate/apparmor", "packaging/debian/apparmor"),
    ("usr/share/doc/tidegate/configuration.md", "docs/configuration.md"),
    ("usr/share/doc/tidegate/CHANGELOG.md", "CHANGELOG.md"),
];
/// What its owner changes, relative to the root: dpkg never writes over it unasked. Access keys may stand there.
const CONFIGURATION: &str = "etc/tidegate/tidegate.toml";
/// Lines of at most 80 characters, since tools do not break them.
const DESCRIPTION: &str = " An API gateway, a VPC link and an internal load balancer that speak AWS's own
 APIs and carry real traffic, with every interface and every security group
 real. The service starts when it is told to.
";
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
/// Where shells look for what completes a command.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/tidegate"),
    ("fish", "usr/share/fish/vendor_completions.d/tidegate.fish"),
    ("zsh", "usr/share/zsh/vendor-completions/_tidegate"),
];

pub(super) fn packages(sources: &Sources) -> Result<Vec<Package>, String> {
    let files = files(sources)?;
    let compressed = |entries: &[Entry]| tar::gzip(&tar::archive(entries, "./", sources.moment_s)?);
    let parts = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", compressed(&control(sources, &files)?)?),
        ("data.tar.gz", compressed(&files)?),
    ];
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, part) in parts {
        let (size, moment_s) = (part.len(), sources.moment_s);
        bytes.extend(format!("{name:<16}{moment_s:<12}0     0     100644  {size:<10}`\n").bytes());
        bytes.extend(part);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    Ok(vec![Package { name: format!("tidegate_{VERSION}_{}.deb", sources.program.machine.debian()), bytes }])
}

fn files(sources: &Sources) -> Result<Vec<Entry>, String> {
    let mut files = vec![Entry::program("usr/bin/tidegate", &*sources.program.bytes)];
    for (name, source) in FILES {
        let mode = if name == CONFIGURATION { 0o600 } else { 0o644 };
        files.push(Entry { mode, ..Entry::file(name, sources.read(source)?) });
    }
    for (shell, name) in COMPLETIONS {
        let script = shell::output(Command::new(&sources.program.path).args(["completion", shell]))?;
        files.push(Entry::file(name, script));
    }
    files.push(Entry::file("usr/share/doc/tidegate/copyright", copyright(sources)?));
    files.push(Entry::file(format!("usr/share/doc/tidegate/{}", sbom::FILE), sbom::text(sources)?));
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The licence of Tidegate, and those of all that is in the program.
pub(super) fn copyright(sources: &Sources) -> Result<String, String> {
    let own = String::from_utf8(sources.read("LICENSE")?).map_err(|e| format!("LICENSE: {e}"))?;
    Ok(format!("Tidegate, under the Apache License 2.0:\n\n{own}\n{}\n{}", "-".repeat(80), licenses::text(sources)?))
}

fn control(sources: &Sources, files: &[Entry]) -> Result<Vec<Entry>, String> {
    let kibibytes: usize = files.iter().map(|file| file.bytes.len().div_ceil(1024)).sum();
    let machine = sources.program.machine.debian();
    let libc = sources.program.libc.map(|libc| {
        // The unwinder is no part of the C library, and programs that are linked to the one are linked to the other.
        format!("Depends: libc6 (>= {}.{}), libgcc-s1\n", libc.major, libc.minor)
    });
    let (depends, maintainer) = (libc.unwrap_or_default(), &sources.maintainer);
    let text = format!(
        "Package: tidegate\nVersion: {VERSION}\nArchitecture: {machine}\nMaintainer: {maintainer}\nInstalled-Size: {kibibytes}\n{depends}Suggests: apparmor\nSection: net\nPriority: optional\nDescription: public API gateway in front of private services\n{DESCRIPTION}"
    );
    let mut entries = vec![Entry::file("control", text), Entry::file("conffiles", format!("/{CONFIGURATION}\n"))];
    for name in SCRIPTS {
        entries.push(Entry::program(name, sources.read(&format!("packaging/debian/{name}"))?));
    }
    Ok(entries)
}
