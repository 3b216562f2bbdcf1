//! The private networks: who may connect to whom, where a private address is served, the connections that are kept, and the
//! answers that stream over them.
//!
//! [`dial`] is the only file that opens a socket to a private address, and only for a [`dial::Permit`]. [`outside`] is the one
//! way to everything else, and judges each address before it connects to it.

pub(crate) mod dial;
pub(crate) mod engine;
pub(crate) mod exchange;
pub(crate) mod flow;
pub(crate) mod http2;
#[cfg(target_os = "linux")]
pub(crate) mod kernel;
pub(crate) mod lanes;
pub(crate) mod outside;
pub(crate) mod pool;
pub(crate) mod secured;
pub(crate) mod stream;
