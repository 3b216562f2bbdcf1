//! What a request leaves behind: a line of its stage's access log, counts, a span. All of it is settled when the answer's
//! body is over, however it ends, and none of it may hold up traffic: what does not fit is dropped and counted.
//!
//! Where lines and spans go is the binary's business; it holds the other end of an [`outlet`].

pub(crate) mod balancer_meter;
pub(crate) mod capacity;
pub(crate) mod connection;
pub(crate) mod counted;
pub(crate) mod decrypted;
pub(crate) mod ending;
pub(crate) mod entry;
pub(crate) mod flow;
pub(crate) mod line;
pub(crate) mod meter;
pub mod outlet;
pub mod span;
pub(crate) mod visited;
