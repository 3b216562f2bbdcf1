//! The host of programs: what keeps networks and hands their namespaces over, started in three ways, and programs beside it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kernel::{CableNumber, Doorway, Inside, Names, Network, Plug};
use topology::id::NetworkInterfaceId;

use super::escapes::{loopback_up, see};
use super::{ADDRESS, NEIGHBOUR, RESOLVER, ROLE};

/// Where the host hands namespaces over.
const DOOR: &str = "TIDEGATE_TEST_DOOR";
/// What programs try to reach.
pub(super) const TARGETS: &str = "TIDEGATE_TEST_TARGETS";
pub(super) const INTERFACE: NetworkInterfaceId = NetworkInterfaceId::from_bits(1);
const NOBODY: u32 = 65534;

/// Who keeps the networks and starts programs in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Starter {
    Root,
    /// The networks are root's, the programs somebody's.
    RootForSomebody,
    /// A user without privileges, whose networks are in a user namespace of theirs.
    Nobody,
}

/// A running host.
pub(super) struct Host {
    pub(super) starter: Starter,
    name: String,
    directory: tempfile::TempDir,
    keeping: Child,
    /// What listens outside of the networks.
    _listening: (TcpListener, UnixListener),
    targets: String,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.keeping.kill();
        let _ = self.keeping.wait();
    }
}

impl Host {
    /// Starts one that the test of this name uses.
    pub(super) fn start(name: &str, starter: Starter) -> Self {
        loopback_up().unwrap();
        let directory = tempfile::tempdir().unwrap();
        for words in [
            ["cp", env!("CARGO_BIN_EXE_tidegate"), directory.path().to_str().unwrap()],
            ["chmod", "a+rwx", directory.path().to_str().unwrap()],
        ] {
            assert!(Command::new(words[0]).args(&words[1..]).status().unwrap().success());
        }
        let door = directory.path().join("door");
        let prefix: &[&str] = if starter == Starter::Nobody { &["unshare", "--user", "--map-root-user"] } else { &[] };
        let mut command = by(starter, prefix, &std::env::current_exe().unwrap());
        command.args([name, "--exact", "--nocapture"]).env(ROLE, "host").env(DOOR, &door);
        let mut keeping = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(keeping.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(said.any(|line| line == "ready"));
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let name_of_socket = format!("tidegate-test-{}", std::process::id());
        let unix = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name_of_socket).unwrap()).unwrap();
        let targets = format!("{} {} {name_of_socket}", keeping.id(), tcp.local_addr().unwrap().port());
        // From here they are all there.
        see(&targets);
        Self { starter, name: name.to_owned(), directory, keeping, _listening: (tcp, unix), targets }
    }

    /// A program in the namespace of the interface.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        self.command_after(&[], words)
    }

    /// The same, by way of these words.
    pub(super) fn command_after(&self, before: &[&str], words: &[&str]) -> Command {
        self.words(before, &INTERFACE.to_string(), words)
    }

    /// The same in that of another interface.
    pub(super) fn command_at(&self, interface: &str, words: &[&str]) -> Command {
        self.words(&[], interface, words)
    }

    fn words(&self, before: &[&str], interface: &str, words: &[&str]) -> Command {
        let mut command = by(self.starter, before, &self.directory.path().join("tidegate"));
        command.args(["run-child", "--parent", &std::process::id().to_string(), "--interface", interface, "--door"]);
        command.arg(self.directory.path().join("door")).arg("--").args(words);
        for name in ["SUDO_UID", "SUDO_GID"] {
            match self.starter {
                Starter::RootForSomebody => command.env(name, NOBODY.to_string()),
                Starter::Root | Starter::Nobody => command.env_remove(name),
            };
        }
        command
    }

    /// The program that tries to get out.
    pub(super) fn escaping(&self) -> Command {
        let own = std::env::current_exe().unwrap();
        let mut command = self.command(&[own.to_str().unwrap(), &self.name, "--exact", "--nocapture"]);
        command.env(ROLE, "program").env(TARGETS, &self.targets);
        command
    }
}

/// A command as this starter gives it.
fn by(starter: Starter, before: &[&str], program: &Path) -> Command {
    let mut words = before.iter().copied().chain([program.to_str().unwrap()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    if starter == Starter::Nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Keeps networks and hands a namespace over to whoever asks for it, until it is ended.
pub(super) fn keep() {
    let inside = Inside::start().unwrap();
    let mut network = Network::new(&inside, &["10.0.0.0/16".parse().unwrap()]).unwrap();
    network.forward().unwrap();
    let mut plug = |nth, address| {
        let cable = CableNumber::nth(nth).unwrap();
        network.add(Plug { cable, address, gateway: [10, 0, 1, 1].into() }).unwrap()
    };
    let (own, _neighbour) = (plug(0, ADDRESS), plug(1, NEIGHBOUR));
    let listener = UnixListener::bind(std::env::var_os(DOOR).unwrap()).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(|stream| answer(&stream.unwrap(), &own)));
    eprintln!("ready");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn answer(mut stream: &UnixStream, own: &kernel::Namespace) {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    if line.trim_end() == INTERFACE.to_string() {
        let names = Names { resolver: RESOLVER, domain: "ec2.internal".to_owned() };
        Doorway::to(own, names).unwrap().send(stream).unwrap();
    } else {
        stream.write_all(b"there is no such interface\n").unwrap();
    }
}
