//! Calls become a new snapshot here: a synchronous state machine over the estate. `call`, `observe` and `tick` take the
//! moment as an argument and answer, perhaps with a new revision. No clock, no socket, no async; AWS bytes belong to `wire`,
//! traffic to `plane`.

mod agent;
pub mod ahead;
mod attach;
pub mod certified;
pub mod changes;
mod context;
mod control;
pub mod enrolment;
pub mod fuzzing;
mod interface;
mod lifecycle;
mod listening;
pub mod log_book;
mod mint;
mod names;
pub mod notebook;
pub mod objects;
mod ops;
pub mod orders;
pub mod presigned;
mod realm;
mod settings;
mod sqlite;
mod state;
pub mod store;
mod target_state;
mod trial;
mod usage;

pub use agent::{
    AGENTS_PER_VPC_MAX, AgentError, NATIVE_BLOCKS_MAX, NewToken, OPEN_TOKENS_PER_VPC_MAX, TOKEN_TTL, TOKEN_TTL_RANGE,
    TokenSecret, TokenWish,
};
pub use attach::{AttachAt, AttachError, AttachRequest, Attached, DetachRequest};
pub use context::{ApiRefusal, Caller};
pub use control::{Control, ControlError, Outcome, Reply};
pub use listening::{ListenRequest, Listening};
pub use mint::Mint;
pub use names::{Double, Name};
pub use settings::{Buckets, Delays, LocalIssuers, Settings};
pub use sqlite::Trouble;
pub use state::Committed;
pub use target_state::{TargetState, TargetStates};
pub use trial::{Pending, Shape};
