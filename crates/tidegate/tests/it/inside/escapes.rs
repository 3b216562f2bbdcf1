//! What a program tries that wants out of its network, each with the answer of the kernel.

use std::fs::{self, File};
use std::net::{SocketAddrV4, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::Command;

use rustix::fs::stat;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, test_kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::host::TARGETS;
use super::{ADDRESS, NEIGHBOUR, RESOLVER, ROLE};

/// `RTM_NEWLINK`, `RTM_NEWADDR`, `RTM_NEWROUTE` of `linux/rtnetlink.h`, and `NFNL_MSG_BATCH_BEGIN` of `linux/netfilter/nfnetlink.h`.
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
const BATCH: u16 = 16;

/// A request to the kernel, and its answer.
fn request(protocol: Option<Protocol>, kind: u16, body: &[u8]) -> Result<(), Errno> {
    /// `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_CREATE`.
    const FLAGS: u16 = 0x1 | 0x4 | 0x400;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    let mut bytes = (16 + u32::try_from(body.len()).unwrap()).to_ne_bytes().to_vec();
    bytes.extend([kind.to_ne_bytes(), FLAGS.to_ne_bytes()].concat());
    bytes.extend([0; 8]);
    bytes.extend(body);
    sendto(&socket, &bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 4096];
    recv(&socket, &mut answer, RecvFlags::DONTWAIT)?;
    match i32::from_ne_bytes(answer[16..20].try_into().unwrap()) {
        0 => Ok(()),
        code => Err(Errno::from_raw_os_error(-code)),
    }
}

/// `struct ifinfomsg` that sets a link up, or down.
fn link(number: u32, flags: u32) -> Vec<u8> {
    [[0; 4], number.to_ne_bytes(), flags.to_ne_bytes(), 1u32.to_ne_bytes()].concat()
}

/// Sets the loopback up where this process may.
pub(super) fn loopback_up() -> Result<(), Errno> {
    request(None, NEW_LINK, &link(1, 1))
}

/// What is outside: a process, a port of the loopback and an abstract socket.
fn targets(text: &str) -> (Pid, u16, SocketAddr) {
    let mut words = text.split(' ');
    let pid = Pid::from_raw(words.next().unwrap().parse().unwrap()).unwrap();
    let port = words.next().unwrap().parse().unwrap();
    (pid, port, SocketAddr::from_abstract_name(words.next().unwrap()).unwrap())
}

/// From outside they are all reached.
pub(super) fn see(text: &str) {
    let (pid, port, name) = targets(text);
    test_kill_process(pid).unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    UnixStream::connect_addr(&name).unwrap();
}

/// The network cannot be changed, nor listened to.
fn network_is_sealed() {
    let address = [2u8, 32, 0, 0].iter().copied().chain(2u32.to_ne_bytes());
    let address: Vec<u8> = address.chain([8, 0, 2, 0]).chain(NEIGHBOUR.octets()).collect();
    let route = [2u8, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0, 8, 0, 5, 0, 10, 0, 1, 1];
    for (what, outcome) in [
        ("add an address", request(None, NEW_ADDRESS, &address)),
        ("add a route", request(None, NEW_ROUTE, &route)),
        ("set the interface down", request(None, NEW_LINK, &link(2, 0))),
        ("change rules", request(Some(netlink::NETFILTER), BATCH, &[0, 0, 0, 10])),
    ] {
        assert_eq!(outcome, Err(Errno::PERM), "{what}");
    }
    let capture = socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None);
    assert_eq!(capture.unwrap_err(), Errno::PERM, "capture packets");
    let raw = socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::CLOEXEC, Some(rustix::net::ipproto::UDP));
    assert_eq!(raw.unwrap_err(), Errno::PERM, "write packets");
    let own = File::open("/proc/self/ns/net").unwrap();
    let entered = move_into_link_name_space(std::os::fd::AsFd::as_fd(&own), Some(LinkNameSpaceType::Network));
    assert_eq!(entered, Err(Errno::PERM), "enter a network namespace");
    assert_eq!(UdpSocket::bind((NEIGHBOUR, 0)).unwrap_err().raw_os_error(), Some(Errno::ADDRNOTAVAIL.raw_os_error()));
}

pub(super) fn all_are_refused() {
    let (host, port, name) = targets(&std::env::var(TARGETS).unwrap());
    // Before this test opens some of its own.
    for descriptor in fs::read_dir("/proc/self/fd").unwrap() {
        let leads = fs::read_link(descriptor.unwrap().path()).unwrap_or_default();
        let leads = leads.to_string_lossy();
        assert!(!leads.contains("net:[") && !leads.contains("user:[") && !leads.contains("socket:["), "{leads}");
    }
    network_is_sealed();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(SocketAddrV4::new(NEIGHBOUR, 9)).unwrap();
    assert_eq!(socket.local_addr().unwrap().ip(), ADDRESS, "it has the interface's address");
    let outside = socket.connect("192.0.2.1:9").unwrap_err();
    assert_eq!(outside.raw_os_error(), Some(Errno::NETUNREACH.raw_os_error()), "nothing leads out");

    let status = fs::read_to_string("/proc/self/status").unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000\n")), "{status}");
    }
    assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    let user = std::env::var("SUDO_UID").ok().and_then(|user| user.parse().ok());
    let outside = fs::read_to_string("/proc/self/uid_map").unwrap();
    let inside: u32 = outside.split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(rustix::process::getuid().as_raw(), user.unwrap_or(inside));

    let namespace = |pid: &str| stat(format!("/proc/{pid}/ns/net")).map(|stat| stat.st_ino);
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for pid in processes.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        let Ok(other) = namespace(&pid) else { continue };
        assert_eq!(Ok(other), namespace("self"), "{pid} is in another network, which can be named here");
    }
    assert_eq!(test_kill_process(host), Err(Errno::SRCH), "see the server's process");
    assert_eq!(kill_process(host, Signal::KILL), Err(Errno::SRCH), "kill the server");
    assert_eq!(pidfd_open(host, PidfdFlags::empty()).unwrap_err(), Errno::SRCH, "name the server, to trace it");
    let first = Pid::from_raw(1).unwrap();
    kill_process(first, Signal::KILL).unwrap();
    assert_eq!(test_kill_process(first), Ok(()), "the first process is beyond signals from inside");

    let refused = |error: std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err_and(refused), "the loopback is another");
    assert!(UnixStream::connect_addr(&name).is_err_and(refused), "abstract sockets are others");

    let plain = MountFlags::empty();
    for (what, outcome) in [
        ("mount", mount("tmpfs", "/tmp", "tmpfs", plain, None)),
        ("uncover /proc", unmount("/proc", UnmountFlags::DETACH)),
        ("uncover the resolver", unmount("/etc/resolv.conf", UnmountFlags::DETACH)),
        ("make settings writable", mount_remount("/proc/sys", MountFlags::BIND, "")),
    ] {
        assert_eq!(outcome, Err(Errno::PERM), "{what}");
    }
    for setting in ["net/ipv4/ip_forward", "net/ipv4/conf/all/arp_ignore", "net/ipv4/ip_unprivileged_port_start"] {
        let written = fs::write(format!("/proc/sys/{setting}"), "0");
        assert_eq!(written.unwrap_err().raw_os_error(), Some(Errno::ROFS.raw_os_error()), "{setting}");
    }
    assert!(fs::read_to_string("/etc/resolv.conf").unwrap().contains(&format!("nameserver {RESOLVER}\n")));
    if let Ok(switch) = fs::read_to_string("/etc/nsswitch.conf") {
        let hosts: Vec<&str> = switch.lines().filter(|line| line.trim_start().starts_with("hosts:")).collect();
        assert_eq!(hosts, ["hosts: files dns"]);
    }

    // A user namespace gives capabilities over what is made in it, and over nothing that was there before.
    let own = std::env::current_exe().unwrap();
    let words = std::env::args().skip(1);
    let mut deeper = Command::new("unshare");
    deeper.args(["--user", "--keep-caps", "--mount"]).arg(own).args(words).env(ROLE, "deeper");
    let output = deeper.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// The same with all capabilities of a user namespace below the program's.
pub(super) fn deeper_ones_are_refused() {
    let held = rustix::thread::capabilities(None).unwrap().effective;
    assert!(held.contains(rustix::thread::CapabilitySet::NET_ADMIN), "{held:?}");
    network_is_sealed();
    assert_eq!(unmount("/etc/resolv.conf", UnmountFlags::DETACH), Err(Errno::INVAL), "uncover the resolver");
    assert_eq!(mount_remount("/proc/sys", MountFlags::BIND, ""), Err(Errno::PERM), "make settings writable");
    let host = targets(&std::env::var(TARGETS).unwrap()).0;
    assert_eq!(test_kill_process(host), Err(Errno::SRCH), "see the server's process");
}
