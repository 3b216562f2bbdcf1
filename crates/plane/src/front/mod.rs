//! Connections of clients: accepting, handshakes, what is spoken, and who waits for whom.

pub(crate) mod arrival;
pub(crate) mod connection;
pub(crate) mod flow;
pub(crate) mod handshake;
pub(crate) mod listen;
pub(crate) mod watch;
