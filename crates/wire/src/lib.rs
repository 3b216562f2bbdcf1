//! wire: AWS bytes <-> typed calls.
//!
//! Service models become static tables and thin structs (`generated`); one file per protocol moves bytes along the tables
//! into a [`Value`] and back. Nothing here knows a resource, a socket, a store or a clock: time comes in as an argument.
//!
//! The walk of a call: [`resolve`] (which operation), [`sigv4::verify`] or [`sigv4::inspect`] (who), [`decode`] (bytes to a
//! checked [`Call`]), [`dispatch`] (the implementation answers an [`Output`] or a [`Fault`]), [`encode`] or [`encode_fault`].

mod check;
mod codec;
mod ec2_query;
mod fault;
mod form;
pub mod fuzzing;
mod generated;
mod harmless;
mod json;
mod json_value;
pub mod limits;
pub mod model;
mod problem;
mod query;
mod request;
mod resolve;
mod rest_json;
pub mod sigv4;
mod sigv4_canonical;
mod time;
mod unserved;
mod value;
mod xml;

pub use codec::{decode, decode_leaving_out, encode, encode_fault};
pub use fault::{Fault, FaultKind, unserved};
pub use generated::{Call, ServiceId, Services, acm, apigateway, apigatewayv2, dispatch, ec2, elbv2, logs, sts};
pub use harmless::{Harmless, LeftOut};
pub use request::Request;
pub use resolve::{Dialect, Resolved, Unresolved, resolve};
pub use sigv4::{Caller, KeyLookup, Secret};
pub use value::{Output, Shaped, Timestamp, Value};
