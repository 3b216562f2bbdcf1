//! wire: AWS bytes <-> typed calls.
//!
//! Service models become static tables and thin structs (`generated`); one file per protocol moves bytes along the tables
//! into a [`Value`] and back. Nothing here knows a resource, a socket, a store or a clock: time comes in as an argument.

mod fault;
mod generated;
pub mod model;
mod value;

pub use fault::{Fault, FaultKind};
pub use generated::{Call, ServiceId, Services, acm, apigatewayv2, dispatch, ec2, elbv2, logs, sts};
pub use value::{Output, Shaped, Timestamp, Value};
