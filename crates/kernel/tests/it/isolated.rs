//! Where tests of private networks run: in a network namespace of their own. Tests of other crates use this file too.

use std::process::Command;

/// Tells a test that it is in the namespace.
const INSIDE: &str = "TIDEGATE_TEST_INSIDE";

/// Who runs a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    Nobody,
}

/// Runs a test in a network namespace of its own, whose only way out is a loopback that is down. Where a machine gives none, the test is
/// skipped aloud, and in CI fails.
pub(crate) fn isolated(who: Who, name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("it");
    // The directory of the test may be closed to others.
    for words in [
        ["cp", std::env::current_exe().unwrap().to_str().unwrap(), program.to_str().unwrap()],
        ["chmod", "a+rx", directory.path().to_str().unwrap()],
    ] {
        assert!(Command::new(words[0]).args(&words[1..]).status().unwrap().success());
    }
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    if who == Who::Nobody && is_root {
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
        std::os::unix::process::CommandExt::gid(&mut command, 65534);
    }
    if who == Who::Nobody {
        command.args(["--user", "--map-root-user"]);
    }
    let can = Command::new(command.get_program()).args(command.get_args()).args(["--net", "true"]).output();
    if (who == Who::Root && !is_root) || !can.is_ok_and(|output| output.status.success()) {
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "1" || value == "true");
        assert!(!is_ci, "no network namespace can be made here as {who:?}, and CI may not skip this");
        eprintln!("SKIPPED: no network namespace can be made here as {who:?}");
        return;
    }
    command.arg("--net").arg(&program).args([name, "--exact", "--nocapture"]).env(INSIDE, "1");
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    eprintln!("{said}");
}
