//! Targets of a load balancer: what is known of them, which one is chosen, and how their health is found out.

pub(crate) mod anomaly;
pub(crate) mod choose;
pub(crate) mod health;
mod probe_http2;
mod probed;
pub(crate) mod state;
pub(crate) mod sticky;
