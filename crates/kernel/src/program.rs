//! A program in the namespace of an interface, with no privilege there or anywhere.
//!
//! The process that starts it becomes, step by step, what the program is to be: in the network namespace of the interface, in user, mount and PID
//! namespaces of its own, the same user as before, and without capabilities. Each step is a value that only the step before makes. The first
//! process of the PID namespace settles it (`settle`); whoever ends that one ends all programs in it.
//!
//! It is a fence around the network and no more: files are reached as before, and with them unix sockets that have a path.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Stat, fstat, stat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_remount, unmount,
};
use rustix::process::{DumpableBehavior, Gid, Uid, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, LinkNameSpaceType, UnshareFlags, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, move_into_link_name_space, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs, set_thread_gid, set_thread_groups, set_thread_uid,
};

use crate::doorway::{Doorway, Names};
use crate::failure::{Failure, Wanted};
use crate::namespace::unshare;
use crate::privilege::{Ids, map};

/// What the first process of the PID namespace needs for a moment: to mount, and to give up what it may.
const SETTLING: [CapabilitySet; 2] = [CapabilitySet::SYS_ADMIN, CapabilitySet::SETPCAP];
/// Where the processes of a PID namespace are seen. Before it is mounted, it is where files are made that cover others.
const PROC: &str = "/proc";
/// The settings of the kernel, those of the network among them, which the user of a network namespace may change without capabilities.
const SETTINGS: &str = "/proc/sys";
/// Sockets of `nscd`, which answers for names out of the namespace (`_PATH_NSCDSOCKET` of glibc, and where it leads).
const NAME_CACHES: [&str; 2] = ["/var/run/nscd/socket", "/run/nscd/socket"];

/// Who a program is to be that root starts for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: u32,
    /// Their group; no other group is kept.
    pub group: u32,
}

/// Somebody in the namespace of an interface, with the rights there that they have outside.
#[derive(Debug)]
pub struct Visitor {
    ids: Ids,
    names: Names,
}

impl Visitor {
    /// Puts the process into the namespace of an interface. It must have one thread only: the kernel refuses others.
    ///
    /// # Errors
    /// What the kernel answers: `EPERM` where the networks are another user's.
    pub fn enter(doorway: Doorway) -> Result<Self, Failure> {
        let Doorway { user, network, names } = doorway;
        let ids = Ids::own();
        let is_same = |one: &Stat, other: &Stat| (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino);
        let own = stat("/proc/self/ns/user").wanted("look at the user namespace of this process")?;
        // Into the one that it is in nobody can go.
        if !is_same(&own, &fstat(&user).wanted("look at a user namespace")?) {
            move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))
                .wanted("enter the user namespace of the networks")?;
        }
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
            .wanted("enter the network namespace of an interface")?;
        Ok(Self { ids, names })
    }

    /// Puts the process into user, mount and PID namespaces of its own, as the same user or, for root, as this one, and has names resolved by the
    /// VPC's resolver there. What it starts next is the first process of the PID namespace, and has to [`settle`] it.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn confine(self, account: Option<Account>) -> Result<Confined, Failure> {
        let Self { ids, names } = self;
        let inside = match account {
            Some(Account { user, group }) => become_user(Ids { user, group })?,
            None => ids,
        };
        let outside = Ids::own();
        unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWPID)
            .wanted("make user, mount and PID namespaces for a program")?;
        map(inside, outside)?;
        let all = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", all).wanted("keep the mounts of a program to itself")?;
        cover(&covers(&names)?)?;
        lend(&SETTLING)?;
        Ok(Confined(()))
    }
}

/// A process in namespaces of its own that still has the capabilities to set them up.
#[derive(Debug)]
pub struct Confined(());

impl Confined {
    /// Gives up all capabilities, for this process and for what it starts. It is for when the first process has settled the PID namespace.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn renounce(self) -> Result<(), Failure> {
        renounce()
    }
}

/// Settles the PID namespace whose first process this is: its processes and no others are seen in `/proc`, where no setting of the kernel can be changed. All
/// capabilities are given up then.
///
/// # Errors
/// What the kernel answers: `EPERM` in a container that covers parts of `/proc`.
pub fn settle() -> Result<(), Failure> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", PROC, "proc", plain, None).wanted("mount a /proc of a program's own")?;
    mount_bind(SETTINGS, SETTINGS).wanted("keep the kernel's settings from a program")?;
    mount_remount(SETTINGS, MountFlags::BIND | MountFlags::RDONLY | plain, "")
        .wanted("keep the kernel's settings from a program")?;
    renounce()
}

/// Makes root somebody else for good.
fn become_user(ids: Ids) -> Result<Ids, Failure> {
    let change = || {
        set_thread_groups(&[])?;
        set_thread_gid(Gid::from_raw(ids.group))?;
        set_thread_uid(Uid::from_raw(ids.user))?;
        // Else what says who is who in the namespace to come would be root's to write.
        set_dumpable_behavior(DumpableBehavior::Dumpable)
    };
    change().wanted(&format!("become user {} and group {}", ids.user, ids.group))?;
    Ok(ids)
}

/// Has these capabilities outlive the change into the first process, whoever the user is.
fn lend(lent: &[CapabilitySet]) -> Result<(), Failure> {
    let wanted = "lend capabilities to the first process of a namespace";
    let held = capabilities(None).wanted(wanted)?;
    let inheritable = lent.iter().copied().collect();
    set_capabilities(None, CapabilitySets { inheritable, ..held }).wanted(wanted)?;
    lent.iter().try_for_each(|one| configure_capability_in_ambient_set(*one, true).wanted(wanted))
}

fn renounce() -> Result<(), Failure> {
    let wanted = "give up all capabilities";
    set_no_new_privs(true).wanted(wanted)?;
    clear_ambient_capability_set().wanted(wanted)?;
    for bit in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            // The kernel knows no more of them.
            Err(Errno::INVAL) => break,
            removed => removed.wanted(wanted)?,
        }
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).wanted(wanted)
}

/// A file that is seen in place of another.
#[derive(Debug, PartialEq, Eq)]
struct Cover {
    over: PathBuf,
    text: String,
}

/// What has names resolved by the resolver of the VPC and by nobody else.
fn covers(names: &Names) -> Result<Vec<Cover>, Failure> {
    let resolver = Path::new("/etc/resolv.conf");
    // It is a link on many machines.
    let over = fs::canonicalize(resolver).wanted("find the file that names the resolver (/etc/resolv.conf)")?;
    let mut covers = vec![Cover { over, text: resolver_file(names) }];
    let switch = "/etc/nsswitch.conf";
    // Not every C library has such a file; without one, files and the resolver are asked.
    if let Some((over, text)) = existing(switch)?.zip(fs::read_to_string(switch).ok()) {
        covers.push(Cover { over, text: switch_file(&text) });
    }
    for cache in NAME_CACHES {
        let over = existing(cache)?.filter(|path| covers.iter().all(|cover| cover.over != *path));
        covers.extend(over.map(|over| Cover { over, text: String::new() }));
    }
    Ok(covers)
}

/// Where a path leads, if something is there.
fn existing(path: &str) -> Result<Option<PathBuf>, Failure> {
    match fs::canonicalize(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        found => found.map(Some).wanted(&format!("find {path}")),
    }
}

/// `resolv.conf(5)`.
fn resolver_file(Names { resolver, domain }: &Names) -> String {
    let resolver: &Ipv4Addr = resolver;
    format!("# The resolver of the VPC.\nnameserver {resolver}\nsearch {domain}\n")
}

/// `nsswitch.conf(5)` with hosts looked up in files and at the resolver alone.
fn switch_file(text: &str) -> String {
    let others = text.lines().filter(|line| !line.trim_start().starts_with("hosts:"));
    others.chain(["hosts: files dns"]).map(|line| format!("{line}\n")).collect()
}

/// Covers files, in the mount namespace of this process.
fn cover(covers: &[Cover]) -> Result<(), Failure> {
    // A file system of its own holds them, which is seen nowhere once each is in its place.
    mount("tmpfs", PROC, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None).wanted("make room for files")?;
    for (nth, Cover { over, text }) in covers.iter().enumerate() {
        let made = Path::new(PROC).join(nth.to_string());
        fs::write(&made, text).wanted("write a file that covers another")?;
        mount_bind(&made, over).wanted(&format!("cover {}", over.display()))?;
    }
    unmount(PROC, UnmountFlags::empty()).wanted("take the room for files away")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_looked_up_in_files_and_at_the_resolver_alone() {
        let text =
            "passwd: files systemd\n hosts: files resolve [!UNAVAIL=return] dns\nhosts: mymachines\nservices: db";
        assert_eq!(switch_file(text), "passwd: files systemd\nservices: db\nhosts: files dns\n");
        let names = Names { resolver: Ipv4Addr::new(10, 0, 0, 2), domain: "ec2.internal".to_owned() };
        assert!(resolver_file(&names).ends_with("nameserver 10.0.0.2\nsearch ec2.internal\n"));
    }
}
