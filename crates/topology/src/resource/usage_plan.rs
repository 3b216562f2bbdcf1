//! API keys, usage plans and what was used of them (API Gateway developer guide, "Usage plans and API keys for REST APIs",
//! 2026-11).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{ApiKeyId, StageKey, UsagePlanId};
use crate::time::Moment;

/// An API key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The secret that clients send, 20–128 characters, unique in the realm.
    pub value: String,
    /// Its name.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Whether it may be used.
    pub enabled: bool,
    /// `customerId`
    pub customer_id: Option<String>,
    /// `stageKeys`, as `{apiId}/{stage}`: deprecated by AWS and shown only.
    pub stage_keys: Vec<String>,
    /// When it was made.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Its tags.
    pub tags: Tags,
}

impl std::fmt::Debug for ApiKey {
    /// Without its value, which no log may hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

/// A rate limit of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanThrottle {
    /// `rateLimit`, requests a second; 0 lets nothing pass.
    pub rate: f64,
    /// `burstLimit`, requests at once.
    pub burst: i64,
}

/// The period of a quota; each begins at 00:00 UTC, weeks on Sunday, months on the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuotaPeriod {
    /// `DAY`
    Day,
    /// `WEEK`
    Week,
    /// `MONTH`
    Month,
}

/// How many requests a key may make in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Requests in a period.
    pub limit: u64,
    /// Requests less in the first period only.
    pub offset: u64,
    /// The period.
    pub period: QuotaPeriod,
}

/// A stage of a plan.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanStage {
    /// Limits by `{/resource/path}/{METHOD}`.
    pub throttle: BTreeMap<String, PlanThrottle>,
}

/// A usage plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsagePlan {
    /// Its id.
    pub id: UsagePlanId,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Its stages, in the order in which they were named.
    pub stages: Vec<(StageKey, PlanStage)>,
    /// Each key's limit over all of the plan.
    pub throttle: Option<PlanThrottle>,
    /// Each key's quota.
    pub quota: Option<Quota>,
    /// `productCode`
    pub product_code: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A key in a plan.
pub type UsageKey = (UsagePlanId, ApiKeyId);

/// A key's membership in a plan. A key is in one plan at most for each stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsagePlanKey {
    /// The plan.
    pub plan: UsagePlanId,
    /// The key.
    pub key: ApiKeyId,
    /// When the key was added: its first period, for the quota's offset.
    pub added: Moment,
}

/// What a key used of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Requests by day, in days since 1970 (UTC). Days before the oldest period that can still be asked for are dropped.
    pub days: BTreeMap<u32, u64>,
    /// What `UpdateUsage` made of the remaining quota: the first day of the period it is for, and requests more than the
    /// quota's limit (or fewer, below zero) in that period.
    pub granted: Option<(u32, i64)>,
}
