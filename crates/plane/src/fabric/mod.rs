//! The private networks: who may connect to whom, where a private address is served, the connections that are kept, and the
//! answers that stream over them.
//!
//! [`dial`] is the only file that opens a socket to a private address, and only for a [`dial::Permit`].

pub(crate) mod dial;
pub(crate) mod pool;
pub(crate) mod stream;
