//! What exists and what it means: AWS's nouns, the estate that holds them, the snapshot that traffic reads, and the one
//! verdict on security groups.
//!
//! This room is pure. It never waits, never reads a clock, never opens a file or a socket, and knows no protocol: bytes
//! belong to `wire`, operations to `control`, traffic to `plane`. Resources derive serde so that the store can keep them;
//! which format is used, and its version, is the store's business (see `docs/decisions/`).

pub mod access_log;
pub mod arn;
pub mod compile;
pub mod endpoint;
pub mod estate;
pub mod fuzzing;
pub mod hash;
pub mod id;
pub mod issuer;
pub mod mapping;
pub mod matcher;
pub mod names;
pub mod net;
pub mod observed;
pub mod path;
pub mod quota;
pub mod reach;
pub mod reason;
pub mod resource;
pub mod routes;
pub mod ruleset;
pub mod slice;
pub mod snapshot;
pub mod spelling;
pub mod template;
pub mod text;
pub mod time;
pub mod trace;
pub mod trial;
pub mod variable;
pub mod verdict;
pub mod way;
