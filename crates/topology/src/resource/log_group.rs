//! CloudWatch log groups: the destination that a stage's access-log settings name.

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::LogGroupName;
use crate::time::Moment;

/// A log group, known by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Its name.
    pub name: LogGroupName,
    /// When it was made.
    pub created: Moment,
    /// `RetentionInDays`; `None` keeps for ever.
    pub retention_days: Option<u32>,
    /// `STANDARD` or `INFREQUENT_ACCESS`.
    pub class: String,
    /// Its tags.
    pub tags: Tags,
}
