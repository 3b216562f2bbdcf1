//! The data plane: a snapshot becomes traffic. The gateway finds, admits and maps a request; a link carries it into the
//! private network; the ALB's rules choose a target; the answer streams back. Every private connection is judged by
//! `topology::verdict` in [`fabric`](self), and nothing here decides anything else.
//!
//! This room knows no AWS operation, no stored form and no wire protocol but HTTP. What changes while a snapshot lives
//! (health, counters, kept connections, traces) stands here, keyed by stable ids.

mod alb;
mod answer;
mod bucket;
mod carry;
mod clock;
mod entropy;
#[cfg(target_os = "linux")]
mod exits;
mod fabric;
mod front;
pub mod fuzzing;

mod gateway;
mod guard;
mod http;
mod http1;
mod identity;
pub mod limits;
pub mod link;
mod nlb;
pub mod pace;
mod plane;
mod readied;
#[cfg(target_os = "linux")]
mod relays;
pub mod report;
mod resolver;
mod shared;
mod sockets;
mod spare;
mod targets;
mod task;
mod tls;
mod trace;
mod turn;
mod usage;
mod vtl;
mod world;

pub use crate::answer::body::Body;
pub use crate::fabric::engine::{Enforcement, Engine};
#[cfg(target_os = "linux")]
pub use crate::fabric::kernel::KernelEngine;
pub use crate::fabric::outside::trust::{ExtraRoot, RootsError};
pub use crate::fabric::outside::{Egress, LocalIssuers};
pub use crate::http::body::BodyFault;
pub use crate::identity::signature::{BodyNeed, SignatureJudge, SignedRequest, Signer};
pub use crate::plane::lanes::AgentSeen;
pub use crate::plane::{Drained, Plane, is_invocation};
pub use crate::shared::{Binder, Observer, PlaneConfig};
pub use crate::targets::sticky::CookieKey;
pub use crate::task::panics;
pub use crate::tls::{Issued, Issuer, Prover};
pub use crate::trace::TraceRing;
pub use crate::usage::UsageKeeper;
