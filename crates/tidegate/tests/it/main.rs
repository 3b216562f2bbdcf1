//! The real binary, as a shell and as clients see it.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed")]

mod agents;
mod balancer_logs;
mod commands;
mod doctor;
#[cfg(target_os = "linux")]
mod inside;
#[cfg(target_os = "linux")]
#[path = "../../../kernel/tests/it/isolated.rs"]
mod isolated;
mod leases;
mod owners;
mod scarce;
mod server;
mod signing;
mod support;
