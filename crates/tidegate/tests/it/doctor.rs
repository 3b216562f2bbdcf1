//! `tidegate doctor` on this machine, whole and with something taken from it.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{after, text};

/// What it found, and how it ended.
fn found(output: &Output) -> (Value, Option<i32>) {
    (serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}")), output.status.code())
}

/// The steps by name, and whether each succeeded.
fn steps(findings: &Value) -> Vec<(&str, bool)> {
    let steps = findings["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["name"].as_str().unwrap(), step["ok"].as_bool().unwrap())).collect()
}

/// Whether namespaces can be made here at all, by another program than the one that is tested; where they cannot the tests are skipped aloud, and
/// in CI fail.
fn is_possible() -> bool {
    let tried = Command::new("unshare").args(["--user", "--map-root-user", "--net", "true"]).output().unwrap();
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "1" || value == "true");
    assert!(tried.status.success() || !is_ci, "no namespace can be made here, and CI may not skip this: {tried:?}");
    if !tried.status.success() {
        eprintln!("SKIPPED: no namespace can be made here: {tried:?}");
    }
    tried.status.success()
}

const AS_NOBODY: &str = "unshare --user --map-user=65534 --map-group=65534";

#[test]
fn every_step_succeeds_for_root_and_for_a_user_without_privileges() {
    if !is_possible() {
        return;
    }
    let links = || std::fs::read_to_string("/proc/net/dev").unwrap().lines().count();
    let before = links();
    let all = ["network_namespaces", "interfaces", "forwarding", "rules", "connection", "silence"];
    // The binary's directory may be closed to others.
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("tidegate");
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_tidegate")).arg(&copy).status().unwrap().success());
    assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(directory.path()).status().unwrap().success());
    let nobody = |program: &Path| {
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            std::os::unix::process::CommandExt::uid(&mut command, 65534);
            std::os::unix::process::CommandExt::gid(&mut command, 65534);
        }
        command
    };
    for (mut command, first) in
        [(after("true"), vec!["user_namespace"]), (nobody(&copy), vec!["user_namespace", "identity"])]
    {
        let (findings, code) = found(&command.args(["doctor", "--output", "json"]).output().unwrap());
        let expected: Vec<_> = first.into_iter().chain(all).map(|name| (name, true)).collect();
        assert_eq!((steps(&findings), code), (expected, Some(0)), "{findings}");
        assert!(findings["steps"].as_array().unwrap().iter().all(|step| step["remedy"].is_null()), "{findings}");
    }
    assert_eq!(links(), before, "this machine's own network is as it was");
}

#[test]
fn the_first_step_that_fails_is_the_last_and_says_what_mends_it() {
    if !is_possible() {
        return;
    }
    for (taken, failing, remedy) in [
        ("echo 0 > /proc/sys/user/max_net_namespaces", "network_namespaces", "user.max_net_namespaces"),
        // One is for the user without privileges, in whose place the server would be.
        (
            &format!("echo 1 > /proc/sys/user/max_user_namespaces && set -- {AS_NOBODY} \"$@\""),
            "user_namespace",
            "user.max_user_namespaces",
        ),
    ] {
        let (findings, code) = found(&after(taken).args(["doctor", "--output", "json"]).output().unwrap());
        let last = findings["steps"].as_array().unwrap().last().unwrap();
        assert_eq!((last["name"].as_str(), code), (Some(failing), Some(4)), "{findings}");
        assert_eq!((findings["ok"].as_bool(), last["ok"].as_bool()), (Some(false), Some(false)));
        let output = after(taken).arg("doctor").output().unwrap();
        let said = text(&output.stdout);
        // A container's remedy is another.
        let is_container = Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists();
        assert!(
            said.contains(if is_container && failing == "user_namespace" { "--cap-add" } else { remedy }),
            "{said}"
        );
        assert!(said.contains("FAILED") && said.contains("cannot carry private networks"), "{said}");
    }
}
