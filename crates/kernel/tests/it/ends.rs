//! What is left when a process ends that had networks: nothing, however it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kernel::{Inside, Namespace};
use rustix::io::Errno;
use topology::snapshot::fabric::Fabric;

use crate::differential::interface;
use crate::world::{Vpcs, Who, isolated, subnet};

/// Tells the test that it is the process that is to be ended.
const DOOMED: &str = "TIDEGATE_TEST_DOOMED";
const NAME: &str = "ends::a_killed_process_leaves_nothing";
/// The network namespaces of a network with three interfaces.
const NAMESPACES: usize = 4;
/// How long the kernel may take to clean up.
const PATIENCE: Duration = Duration::from_secs(30);

fn network() -> Vpcs {
    let mut fabric = Fabric::default();
    fabric.subnets.extend([subnet([10, 0, 0, 0].into())]);
    for nth in 0..3u8 {
        fabric.interfaces.push(interface(nth.into(), [10, 0, 0, 10 + nth].into(), Vec::new(), false));
    }
    Vpcs::build(&Inside::start().unwrap(), &fabric)
}

#[test]
fn a_killed_process_leaves_nothing() {
    if std::env::var_os(DOOMED).is_some() {
        let _network = network();
        eprintln!("built");
        // Until whoever waits for it ends this process; its end of the pipe is never written to.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        return;
    }
    isolated(Who::Nobody, NAME, || {
        // With the one that this runs in, there may be as many as one network has, and no more.
        std::fs::write("/proc/sys/user/max_net_namespaces", (1 + NAMESPACES).to_string()).unwrap();
        let mut doomed = Command::new(std::env::current_exe().unwrap())
            .args([NAME, "--exact", "--nocapture"])
            .env(DOOMED, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(doomed.stderr.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap() == "built"));
        assert_eq!(Namespace::new().unwrap_err().errno(), Errno::NOSPC, "all of them are there");
        doomed.kill().unwrap();
        doomed.wait().unwrap();
        let end = Instant::now() + PATIENCE;
        let mut held: Vec<Namespace> = Vec::new();
        while held.len() < NAMESPACES {
            assert!(Instant::now() < end, "{} of {NAMESPACES} are free again", held.len());
            match Namespace::new() {
                Ok(namespace) => held.push(namespace),
                Err(failure) => assert_eq!(failure.errno(), Errno::NOSPC),
            }
            std::thread::yield_now();
        }
    });
}
