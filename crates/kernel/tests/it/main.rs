//! Private networks in this machine's kernel, as root and without privileges.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed")]

mod datagrams;
mod differential;
mod ends;
mod examination;
mod isolated;
mod rules;
mod world;
