//! Who may depend on whom: the arrows of ARCHITECTURE.md, judged on normal dependencies and everything they pull in.
//!
//! Test-only dependencies are free: they do not ship.

use crate::metadata::{Metadata, Package};

/// What a room may not reach, however indirectly, and why.
struct Wall {
    room: &'static str,
    never: &'static [&'static str],
    why: &'static str,
}

/// The only crates that kernel may name.
const KERNEL_MAY_USE: [&str; 3] = ["rustix", "thiserror", "tidegate-topology"];

/// The only crates that topology may name.
const TOPOLOGY_MAY_USE: [&str; 3] = ["ipnet", "regex", "serde"];

const WALLS: &[Wall] = &[
    Wall {
        room: "tidegate-wire",
        never: &[
            "tidegate-topology",
            "tidegate-control",
            "tidegate-plane",
            "tokio",
            "hyper",
            "hyper-util",
            "socket2",
            "rusqlite",
        ],
        why: "wire turns bytes into typed calls and knows no resource, store or socket",
    },
    Wall {
        room: "tidegate-control",
        never: &["tidegate-plane", "tokio", "hyper", "hyper-util", "socket2", "tracing-subscriber"],
        why: "control is synchronous; the clock and randomness are arguments",
    },
    Wall {
        room: "tidegate-plane",
        never: &["tidegate-wire", "tidegate-control", "rusqlite"],
        why: "plane reads snapshots and knows no AWS operation and no store",
    },
];

/// Judges the resolved graph.
pub(super) fn judge(metadata: &Metadata) -> Vec<String> {
    let mut problems = Vec::new();
    for member in metadata.members() {
        let reached = metadata.closure(member);
        for wall in WALLS.iter().filter(|w| w.room == member.name) {
            for never in wall.never.iter().filter(|n| reached.contains(**n)) {
                problems.push(format!("{} reaches {never}: {}", wall.room, wall.why));
            }
        }
        problems.extend(own_rules(member));
    }
    problems
}

/// Rules on what a manifest itself names.
fn own_rules(member: &Package) -> Vec<String> {
    let mut problems = Vec::new();
    for dependency in member.dependencies.iter().filter(|d| d.kind.is_none()) {
        let name = dependency.name.as_str();
        if member.name == "tidegate-topology" && !TOPOLOGY_MAY_USE.contains(&name) {
            problems.push(format!("tidegate-topology names {name}: it may use only {}", TOPOLOGY_MAY_USE.join(", ")));
        }
        if member.name == "tidegate-kernel" && !KERNEL_MAY_USE.contains(&name) {
            problems.push(format!("tidegate-kernel names {name}: it may use only {}", KERNEL_MAY_USE.join(", ")));
        }
        if name == "tidegate" || name == "xtask" {
            problems.push(format!("{} names {name}: nothing depends on a program", member.name));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph from rows of (package, its normal dependencies); packages named `tidegate*` are members.
    fn graph(rows: &[(&str, &[&str])]) -> Metadata {
        let packages: Vec<_> = rows
            .iter()
            .map(|(name, deps)| {
                let deps: Vec<_> = deps.iter().map(|d| serde_json::json!({ "name": d, "kind": null })).collect();
                serde_json::json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT", "manifest_path": "", "dependencies": deps })
            })
            .collect();
        let nodes: Vec<_> = rows
            .iter()
            .map(|(name, deps)| {
                let deps: Vec<_> =
                    deps.iter().map(|d| serde_json::json!({ "pkg": d, "dep_kinds": [{ "kind": null }] })).collect();
                serde_json::json!({ "id": name, "deps": deps })
            })
            .collect();
        let members: Vec<_> = rows.iter().map(|(n, _)| *n).filter(|n| n.starts_with("tidegate")).collect();
        let document =
            serde_json::json!({ "packages": packages, "workspace_members": members, "resolve": { "nodes": nodes } });
        Metadata::parse(&document.to_string()).unwrap()
    }

    #[test]
    fn topology_may_name_few_crates_only() {
        let problems = judge(&graph(&[("tidegate-topology", &["ipnet", "rand"]), ("ipnet", &[]), ("rand", &[])]));
        assert_eq!(problems, ["tidegate-topology names rand: it may use only ipnet, regex, serde"]);
    }

    #[test]
    fn kernel_may_name_few_crates_only() {
        let problems = judge(&graph(&[("tidegate-kernel", &["rustix", "tokio"]), ("rustix", &[]), ("tokio", &[])]));
        assert_eq!(problems, ["tidegate-kernel names tokio: it may use only rustix, thiserror, tidegate-topology"]);
    }

    #[test]
    fn plane_reaching_control_is_found() {
        let problems = judge(&graph(&[("tidegate-plane", &["tidegate-control"]), ("tidegate-control", &[])]));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("tidegate-plane reaches tidegate-control"));
    }

    #[test]
    fn an_edge_through_a_third_crate_is_found() {
        let problems = judge(&graph(&[("tidegate-control", &["helper"]), ("helper", &["tokio"]), ("tokio", &[])]));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("tidegate-control reaches tokio"));
    }

    #[test]
    fn nothing_depends_on_a_program() {
        let problems = judge(&graph(&[("tidegate-wire", &["tidegate"]), ("tidegate", &[])]));
        assert_eq!(problems, ["tidegate-wire names tidegate: nothing depends on a program"]);
    }

    #[test]
    fn the_intended_arrows_pass() {
        let problems = judge(&graph(&[
            ("tidegate", &["tidegate-control", "tidegate-plane"]),
            ("tidegate-control", &["tidegate-topology", "tidegate-wire", "rusqlite"]),
            ("tidegate-plane", &["tidegate-topology", "tokio"]),
            ("tidegate-topology", &["ipnet"]),
            ("tidegate-wire", &[]),
            ("rusqlite", &[]),
            ("tokio", &[]),
            ("ipnet", &[]),
        ]));
        assert_eq!(problems, Vec::<String>::new());
    }
}
