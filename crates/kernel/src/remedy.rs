//! What mends a machine that cannot carry private networks, by the step that failed, the kernel's answer, and the system. The system is only
//! looked at to choose the words: whether something works is found by trying it.

use std::path::Path;

use rustix::io::Errno;

/// What the choice of words depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    /// `ID` and `ID_LIKE` of `/etc/os-release`.
    systems: Vec<String>,
    /// Whether this is inside a container of Docker or Podman.
    is_container: bool,
    /// Whether AppArmor keeps user namespaces from programs that have no profile for it (Ubuntu from 23.10 on).
    is_restricted_by_apparmor: bool,
    /// Whether the switch of Debian's older kernels is there, and off.
    is_switched_off: bool,
}

impl Machine {
    /// The machine that this runs on.
    pub(crate) fn of_this() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let is = |path: &str, value: &str| read(path).trim() == value;
        Self {
            systems: systems(&read("/etc/os-release")),
            is_container: Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists(),
            is_restricted_by_apparmor: is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
            is_switched_off: is("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        }
    }

    fn is_like(&self, system: &str) -> bool {
        self.systems.iter().any(|known| known == system)
    }
}

/// `ID` and `ID_LIKE` of the file that names a system.
fn systems(release: &str) -> Vec<String> {
    let values = release.lines().filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")));
    values.flat_map(|value| value.trim_matches('"').split(' ')).map(str::to_owned).collect()
}

/// What mends a step that failed so.
pub(crate) fn of(step: &str, errno: Errno, machine: &Machine) -> String {
    match step {
        "user_namespace" | "identity" => of_user_namespaces(errno, machine),
        "network_namespaces" if errno == Errno::NOSPC => {
            "allow more network namespaces: sysctl -w user.max_net_namespaces=10000".to_owned()
        }
        "network_namespaces" => of_user_namespaces(errno, machine),
        "interfaces" => of_modules("veth", machine),
        "forwarding" => "make /proc/sys/net writable: outside of a container it is; for Docker or Podman add \
                         --security-opt systempaths=unconfined"
            .to_owned(),
        "rules" if errno == Errno::MSGSIZE => {
            "allow larger netlink messages: sysctl -w net.core.wmem_max=8388608".to_owned()
        }
        "rules" => of_modules("nf_tables nf_conntrack nft_ct", machine),
        _ => "this kernel takes the rules and does not follow them: report its version (uname -r), and use --fabric proxy"
            .to_owned(),
    }
}

fn of_user_namespaces(errno: Errno, machine: &Machine) -> String {
    let or_root = "or start as root";
    if machine.is_container {
        return "give the container the privileges: --cap-add NET_ADMIN --cap-add SYS_ADMIN \
                --security-opt apparmor=unconfined (Docker, Podman); in Kubernetes the same by securityContext"
            .to_owned();
    }
    if errno == Errno::NOSPC {
        return format!("allow more user namespaces: sysctl -w user.max_user_namespaces=10000, {or_root}");
    }
    if errno == Errno::INVAL {
        return format!("this needs a kernel with CONFIG_USER_NS and a process of one thread; {or_root}");
    }
    if machine.is_restricted_by_apparmor || machine.is_like("ubuntu") {
        return format!(
            "Ubuntu keeps user namespaces from programs without a profile: write an AppArmor profile for this binary with the \
             line `userns,`, or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, {or_root}"
        );
    }
    if machine.is_switched_off {
        return format!("switch user namespaces on: sysctl -w kernel.unprivileged_userns_clone=1, {or_root}");
    }
    if machine.is_like("rhel") || machine.is_like("fedora") {
        return format!("allow user namespaces: sysctl -w user.max_user_namespaces=15000, {or_root}");
    }
    format!("allow unprivileged user namespaces (a seccomp filter or a security module forbids them), {or_root}")
}

fn of_modules(modules: &str, machine: &Machine) -> String {
    let load = format!("load the kernel's modules on the host, as root: modprobe -a {modules}");
    if machine.is_like("alpine") {
        return format!("{load}; Alpine's linux-virt has them from 3.17 on, else install linux-lts");
    }
    if machine.is_like("rhel") || machine.is_like("fedora") {
        return format!("{load}; where they are missing: dnf install kernel-modules-core kernel-modules");
    }
    if machine.is_like("ubuntu") {
        return format!("{load}; where they are missing: apt-get install linux-modules-extra-$(uname -r)");
    }
    if machine.is_like("arch") {
        return format!("{load}; after an update of the kernel restart the machine first");
    }
    load
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(release: &str) -> Machine {
        Machine { systems: systems(release), ..Machine::default() }
    }

    #[test]
    fn each_system_is_told_what_mends_it_there() {
        let debian = || on("PRETTY_NAME=\"Debian\"\nID=debian\n");
        let ubuntu = || on("ID=ubuntu\nID_LIKE=debian\n");
        let rocky = || on("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n");
        let container = Machine { is_container: true, ..ubuntu() };
        let switched_off = Machine { is_switched_off: true, ..debian() };
        for (step, errno, machine, expected) in [
            ("user_namespace", Errno::PERM, container, "--cap-add NET_ADMIN"),
            ("user_namespace", Errno::NOSPC, debian(), "user.max_user_namespaces"),
            ("user_namespace", Errno::PERM, switched_off, "unprivileged_userns_clone=1"),
            ("user_namespace", Errno::PERM, debian(), "as root"),
            ("user_namespace", Errno::INVAL, debian(), "CONFIG_USER_NS"),
            ("identity", Errno::PERM, ubuntu(), "AppArmor"),
            ("network_namespaces", Errno::PERM, ubuntu(), "AppArmor"),
            ("network_namespaces", Errno::NOSPC, ubuntu(), "user.max_net_namespaces"),
            ("interfaces", Errno::OPNOTSUPP, debian(), "modprobe -a veth"),
            ("interfaces", Errno::OPNOTSUPP, ubuntu(), "linux-modules-extra"),
            ("interfaces", Errno::OPNOTSUPP, on("ID=alpine"), "linux-lts"),
            ("interfaces", Errno::OPNOTSUPP, on("ID=arch"), "restart"),
            ("forwarding", Errno::ROFS, debian(), "systempaths=unconfined"),
            ("rules", Errno::NOENT, rocky(), "dnf install kernel-modules"),
            ("rules", Errno::MSGSIZE, debian(), "net.core.wmem_max"),
            ("silence", Errno::ISCONN, debian(), "--fabric proxy"),
        ] {
            let said = of(step, errno, &machine);
            assert!(said.contains(expected), "{step} {errno:?}: {said}");
        }
    }
}
