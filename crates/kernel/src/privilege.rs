//! The privilege to make namespaces: the one that the process has, or the one that a user namespace of its own gives it.

use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, UnshareFlags, capabilities, remove_capability_from_bounding_set, set_capabilities,
};

use crate::failure::{Failure, Wanted};
use crate::namespace::unshare;

/// What the kernel asks for: interfaces, routes and rules, and namespaces.
const NEEDED: CapabilitySet = CapabilitySet::NET_ADMIN.union(CapabilitySet::SYS_ADMIN);

/// What a server needs besides: ports of the host below 1024, and a data directory of another user.
const OF_A_SERVER: CapabilitySet = CapabilitySet::NET_BIND_SERVICE.union(CapabilitySet::DAC_OVERRIDE);

/// Whether the process may do all of it as it is.
pub(crate) fn is_enough() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(NEEDED))
}

/// Whether [`acquire_privilege`] loses the leave to listen at ports below 1024: that of a user namespace is worth nothing outside.
#[must_use]
pub fn loses_low_ports() -> bool {
    !is_enough() && capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_BIND_SERVICE))
}

/// Gives the process the privilege to make networks and no other that a server does not need: the one that it has, or that of a user namespace of
/// its own, in which its user is root.
/// It must have one thread only where it has none.
///
/// # Errors
/// What the kernel answers.
pub fn acquire_privilege() -> Result<(), Failure> {
    if !is_enough() {
        Stranger::enter()?.become_root()?;
    }
    keep(NEEDED.union(OF_A_SERVER))
}

/// Gives up, for this thread and whatever it starts from here on, what only the threads of the networks need. They are to be there already.
///
/// # Errors
/// What the kernel answers.
pub fn renounce_privilege() -> Result<(), Failure> {
    // Not even by starting a program is anything won back.
    rustix::thread::set_no_new_privs(true).wanted("renounce new privileges")?;
    keep(OF_A_SERVER)
}

/// Gives up every capability of this thread but these.
fn keep(kept: CapabilitySet) -> Result<(), Failure> {
    let sets = capabilities(None).wanted("look at the privileges")?;
    if sets.effective.contains(CapabilitySet::SETPCAP) {
        for capability in CapabilitySet::all().difference(kept).iter() {
            let given_up = remove_capability_from_bounding_set(capability).wanted("give a privilege up");
            // One that this kernel does not know is none.
            given_up.or_else(|failure| failure.unless(Errno::INVAL))?;
        }
    }
    let left = CapabilitySets {
        effective: sets.effective.intersection(kept),
        permitted: sets.permitted.intersection(kept),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, left).wanted("give privileges up")
}

/// A user namespace that was entered and does not know yet who its user is.
#[derive(Debug)]
pub(crate) struct Stranger(Ids);

impl Stranger {
    /// Puts the process into a user namespace of its own. It must have one thread only: the kernel refuses others.
    pub(crate) fn enter() -> Result<Self, Failure> {
        let ids = Ids::own();
        unshare(UnshareFlags::NEWUSER).wanted("make a user namespace")?;
        Ok(Self(ids))
    }

    /// Makes the user the root of the namespace. It is still the same user to everybody outside.
    pub(crate) fn become_root(self) -> Result<(), Failure> {
        map(Ids { user: 0, group: 0 }, self.0)?;
        // What Ubuntu takes away again shows here only.
        if is_enough() { Ok(()) } else { Err(Failure::to("use the privileges of a user namespace", Errno::PERM)) }
    }
}

/// A user and a group, as one user namespace numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Ids {
    /// Those of this process.
    pub(crate) fn own() -> Self {
        Self { user: geteuid().as_raw(), group: getegid().as_raw() }
    }
}

/// Says who the user of the user namespace that the process has just made is: `inside` in it, `outside` in the one before it. No other user and no other group
/// is known in it.
pub(crate) fn map(inside: Ids, outside: Ids) -> Result<(), Failure> {
    // A kernel that has no such file has no groups to deny.
    let denied = std::fs::write("/proc/self/setgroups", "deny").wanted("give up groups in a user namespace");
    denied.or_else(|failure| failure.unless(Errno::NOENT))?;
    let user = ("/proc/self/uid_map", inside.user, outside.user);
    let group = ("/proc/self/gid_map", inside.group, outside.group);
    for (file, inside, outside) in [user, group] {
        std::fs::write(file, format!("{inside} {outside} 1")).wanted("map the user into its namespace")?;
    }
    Ok(())
}
