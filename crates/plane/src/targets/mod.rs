//! Targets of a load balancer: what is known of them, which one is chosen, how their health is found out, and what
//! they and clients are given to keep.

pub(crate) mod anomaly;
pub(crate) mod choose;
pub(crate) mod health;
mod probe_http2;
mod probed;
pub(crate) mod seal;
pub(crate) mod signer;
pub(crate) mod state;
pub(crate) mod sticky;
