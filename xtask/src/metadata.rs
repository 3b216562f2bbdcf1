//! What `cargo metadata` says about the workspace: packages, licences, and who depends on whom.
//!
//! No rule lives here; `deny` and `tidy::edges` judge.

use crate::{codegen, shell};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

/// The packages of the dependency graph on this host's platform.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    resolve: Resolve,
    /// Name and version of everything that is really built. The resolved graph also holds crates that a feature names weakly
    /// (`ring?/alloc`) and nothing switches on. Empty where nobody asked: then the graph stands for it.
    #[serde(skip)]
    built: BTreeSet<(String, String)>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// Where its `Cargo.toml` is on this machine.
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` is a normal dependency; others are "dev" and "build".
    pub(crate) kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDep>,
}

#[derive(Deserialize)]
struct NodeDep {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

#[derive(Deserialize)]
struct DepKind {
    kind: Option<String>,
}

impl NodeDep {
    /// Whether it is of the built thing itself, rather than of its build or its tests alone.
    fn is_normal(&self) -> bool {
        self.dep_kinds.iter().any(|k| k.kind.is_none())
    }
}

impl Metadata {
    /// Asks cargo, for the host's platform only: what is not built here is not judged here.
    pub(crate) fn load() -> Result<Metadata, String> {
        Metadata::ask(&["--workspace", "--edges", "normal,build,dev"])
    }

    /// The same of what ends in the program of one package: neither what builds it nor what tests it counts as built.
    pub(crate) fn of(package: &str) -> Result<Metadata, String> {
        Metadata::ask(&["--package", package, "--edges", "normal,no-proc-macro"])
    }

    fn ask(which: &[&str]) -> Result<Metadata, String> {
        let version = shell::output(Command::new("rustc").arg("-vV"))?;
        let host = version.lines().find_map(|l| l.strip_prefix("host: ")).ok_or("rustc -vV names no host")?;
        let text = shell::output(
            shell::cargo()
                .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", host])
                .current_dir(codegen::root()),
        )?;
        let tree = shell::output(
            shell::cargo()
                .args(["tree", "--locked", "--target", host, "--prefix", "none", "--format", "{p}"])
                .args(which)
                .current_dir(codegen::root()),
        )?;
        Ok(Metadata { built: built(&tree), ..Metadata::parse(&text)? })
    }

    /// Reads the JSON form.
    pub(crate) fn parse(text: &str) -> Result<Metadata, String> {
        serde_json::from_str(text).map_err(|e| format!("cargo metadata: {e}"))
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|p| self.workspace_members.contains(&p.id))
    }

    /// The packages that the resolved graph really uses on this platform.
    pub(crate) fn resolved(&self) -> impl Iterator<Item = &Package> {
        let used: BTreeSet<&str> = self.resolve.nodes.iter().map(|n| n.id.as_str()).collect();
        let is_built = |p: &Package| self.built.is_empty() || self.built.contains(&(p.name.clone(), p.version.clone()));
        self.packages.iter().filter(move |p| used.contains(p.id.as_str()) && is_built(p))
    }

    /// As [`Metadata::resolved`], without the workspace's own.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = &Package> {
        self.resolved().filter(|p| !self.workspace_members.contains(&p.id))
    }

    /// Who uses whom by normal dependencies, by their ids, also where neither is built.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (&str, &str)> {
        let rows = self.resolve.nodes.iter().flat_map(|node| node.deps.iter().map(move |dep| (node, dep)));
        rows.filter(|(_, dep)| dep.is_normal()).map(|(node, dep)| (node.id.as_str(), dep.pkg.as_str()))
    }

    /// Names of everything reachable from a package by normal dependencies, without itself.
    pub(crate) fn closure(&self, package: &Package) -> BTreeSet<&str> {
        let nodes: BTreeMap<&str, &Node> = self.resolve.nodes.iter().map(|n| (n.id.as_str(), n)).collect();
        let mut seen = BTreeSet::new();
        let mut todo = vec![package.id.as_str()];
        while let Some(id) = todo.pop() {
            let deps = nodes.get(id).map_or(&[][..], |n| &n.deps);
            for dep in deps.iter().filter(|dep| dep.is_normal()) {
                if seen.insert(dep.pkg.as_str()) {
                    todo.push(&dep.pkg);
                }
            }
        }
        self.packages.iter().filter(|p| seen.contains(p.id.as_str())).map(|p| p.name.as_str()).collect()
    }
}

/// The lines of `cargo tree`: a name, a version after `v`, and perhaps where it is from.
fn built(tree: &str) -> BTreeSet<(String, String)> {
    let package = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    tree.lines().filter_map(package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_cargo_tree_are_read() {
        let found = built("a v1.2.3\n\nb v0.1.0 (/somewhere/b)\nc v2.0.0 (*)\n");
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(found, [pair("a", "1.2.3"), pair("b", "0.1.0"), pair("c", "2.0.0")].into());
    }
}
