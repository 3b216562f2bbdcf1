//! A trial: one request to a method of a REST API as the API is now, without a deployment and without what guards a stage (API
//! Gateway REST API reference, `TestInvokeMethod`, 2026-11). `control` says what is tried, `plane` carries it out and says what
//! came of it. Neither is kept: the snapshot of a trial is never published, and no estate holds its stage.

use std::fmt;
use std::sync::Arc;

use crate::id::{ApiId, StageName};
use crate::snapshot::RealmSnapshot;
use crate::snapshot::rest::MethodRef;
use crate::trace::RequestId;

/// The stage of every trial (seen in requests of AWS's console, 2016 to 2024).
pub const STAGE: &str = "test-invoke-stage";

/// Its name, as stages have names.
#[must_use]
pub fn stage() -> StageName {
    StageName::known(STAGE)
}

/// What is tried.
pub struct Trial {
    /// The realm with this API alone: its draft, deployed to [`STAGE`].
    pub realm: Arc<RealmSnapshot>,
    /// The API.
    pub api: ApiId,
    /// The method that answers.
    pub method: MethodRef,
    /// The method that the request has.
    pub verb: String,
    /// The path, which fits the method's resource, and the query: printable ASCII.
    pub target: String,
    /// Headers, as they were spelled: tokens and printable values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Who tries.
    pub caller: TrialCaller,
}

impl fmt::Debug for Trial {
    /// Headers and body may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial").field("api", &self.api).field("method", &self.method).finish_non_exhaustive()
    }
}

/// Who tries, as variables of `$context.identity` show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialCaller {
    /// The account.
    pub account: String,
    /// The id of the principal.
    pub id: String,
    /// Its ARN.
    pub arn: String,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The request's id, by which its trace is found.
    pub request_id: RequestId,
    /// The status.
    pub status: u16,
    /// Headers, by lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What the execution log says, line by line.
    pub lines: Vec<TriedLine>,
    /// How long it took.
    pub latency_ms: u64,
}

/// A line of an execution log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedLine {
    /// When it was written, since 1970.
    pub at_unix_ms: u64,
    /// What it says.
    pub text: String,
}
