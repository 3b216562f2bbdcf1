//! The two engines of the fabric. With the proxy engine a private address is an entry in a table, and what serves it a program of the host.
//! With the kernel engine it is an address in a network of this machine's kernel, where programs may be too.

use std::fmt;
#[cfg(target_os = "linux")]
use std::sync::Arc;

use topology::id::{NetworkInterfaceId, Realm, VpcId};

#[cfg(target_os = "linux")]
use super::kernel::KernelEngine;

/// Who enforces what security groups, network ACLs and routes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Enforcement {
    /// Tidegate alone, for whatever it carries.
    #[default]
    Proxy,
    /// Tidegate for whatever it carries, and the kernel for whatever programs in private networks send.
    Kernel,
}

impl fmt::Display for Enforcement {
    /// The word of the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "proxy",
            Self::Kernel => "kernel",
        })
    }
}

/// The engine that is in force.
#[derive(Debug, Clone, Default)]
pub enum Engine {
    /// A table.
    #[default]
    Proxy,
    /// Networks in the kernel.
    #[cfg(target_os = "linux")]
    Kernel(Arc<KernelEngine>),
}

impl Engine {
    /// Who enforces with it.
    #[must_use]
    pub const fn enforcement(&self) -> Enforcement {
        match self {
            Self::Proxy => Enforcement::Proxy,
            #[cfg(target_os = "linux")]
            Self::Kernel(_) => Enforcement::Kernel,
        }
    }

    /// Whether the kernel tells flow logs of what passes this interface through it.
    pub(super) fn tells_of(&self, interface: NetworkInterfaceId) -> bool {
        match self {
            Self::Proxy => false,
            #[cfg(target_os = "linux")]
            Self::Kernel(engine) => engine.tells_of(interface),
        }
    }

    /// What the kernel refused, by VPC, and why: there older rules are in force for what programs send to each other, or nothing is carried.
    /// It is tried again by itself. Whatever Tidegate itself carries is judged by the newest rules all the same.
    #[must_use]
    pub fn faults(&self) -> Vec<(Realm, VpcId, String)> {
        match self {
            Self::Proxy => Vec::new(),
            #[cfg(target_os = "linux")]
            Self::Kernel(engine) => engine.faults(),
        }
    }
}
