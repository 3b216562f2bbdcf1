//! The real binary, as a shell and as clients see it.

mod commands;
mod leases;
mod server;
mod support;
