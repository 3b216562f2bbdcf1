//! What the kernel of a Linux machine does for private networks: namespaces, cables between them, addresses, routes and nftables
//! transactions, by netlink alone; neither `ip` nor `nft` is called.
//!
//! This room carries out what `topology::ruleset` says. It knows no estate, decides no verdict, and carries no traffic: it makes the places where others' sockets
//! live. Nothing here is asynchronous: whoever serves traffic calls it beside that. It never touches the network namespace that the process was
//! started in, neither its interfaces nor its routes nor its rules, and leaves nothing in a file system: namespaces live by the descriptors of
//! this process, so that the kernel takes everything back when the process ends, however it ends.

mod examination;

#[cfg(target_os = "linux")]
mod cable;
#[cfg(target_os = "linux")]
mod doorway;
#[cfg(target_os = "linux")]
mod exit;
#[cfg(target_os = "linux")]
mod failure;
#[cfg(target_os = "linux")]
pub mod flows;
#[cfg(target_os = "linux")]
mod message;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod nft;
#[cfg(target_os = "linux")]
mod privilege;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod remedy;
#[cfg(target_os = "linux")]
mod ruleset;
#[cfg(target_os = "linux")]
mod tracked;

/// Whether ports below 1024 are lost by what [`acquire_privilege`] does on Linux alone.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub const fn loses_low_ports() -> bool {
    false
}

#[cfg(target_os = "linux")]
pub use cable::{CableNumber, INNER};
#[cfg(target_os = "linux")]
pub use doorway::{Doorway, Names, Unopened};
pub use examination::{Step, examine};
#[cfg(target_os = "linux")]
pub use exit::{Beyond, meant_for};
#[cfg(target_os = "linux")]
pub use failure::Failure;
#[cfg(target_os = "linux")]
pub use namespace::{Inside, Namespace};
#[cfg(target_os = "linux")]
pub use network::{Network, Plug};
#[cfg(target_os = "linux")]
pub use privilege::{acquire_privilege, loses_low_ports, renounce_privilege};
#[cfg(target_os = "linux")]
pub use program::{Account, Confined, Visitor, settle};
#[cfg(target_os = "linux")]
pub use ruleset::Cables;
