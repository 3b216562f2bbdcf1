//! Stages and deployments of REST APIs (API Gateway REST API reference, version 2015-07-09, 2026-11). A deployment is a frozen
//! copy in the estate; nothing that is edited afterwards reaches a stage before its next deployment.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Tags;
use super::http_api::AccessLogSettings;
use super::resource_policy::ResourcePolicy;
use super::rest_api::{ApiKeySource, GatewayResponse, Model, RequestValidator, Resource, RestAuthorizer};
use crate::access_log::AccessLogFormat;
use crate::arn::LogGroupArn;
use crate::id::{ApiId, ClientCertificateId, DeploymentId, LogGroupName, StageName};
use crate::time::Moment;

/// What a deployment froze.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrozenRest {
    /// Whether the default endpoint is disabled.
    pub disable_execute_api_endpoint: bool,
    /// Where API keys are.
    pub api_key_source: ApiKeySource,
    /// `binaryMediaTypes`
    pub binary_media_types: Vec<String>,
    /// `minimumCompressionSize`
    pub minimum_compression_size: Option<u32>,
    /// The resource policy.
    pub policy: Option<ResourcePolicy>,
    /// Resources with their methods.
    pub resources: Vec<Arc<Resource>>,
    /// Models.
    pub models: Vec<Arc<Model>>,
    /// Request validators.
    pub validators: Vec<Arc<RequestValidator>>,
    /// Authorizers.
    pub authorizers: Vec<Arc<RestAuthorizer>>,
    /// Gateway responses.
    pub gateway_responses: Vec<Arc<GatewayResponse>>,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// Its API.
    pub api: ApiId,
    /// When it was made.
    pub created: Moment,
    /// Its description.
    pub description: Option<String>,
    /// What it froze.
    pub frozen: FrozenRest,
}

/// How much of a request's way is written to the execution log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LoggingLevel {
    /// `OFF`, the default
    #[default]
    Off,
    /// `ERROR`
    Error,
    /// `INFO`
    Info,
}

/// Settings of one method, or of all of them (`*/*`). Once one is written the others have AWS's defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodSettings {
    /// `metricsEnabled`
    pub metrics: bool,
    /// `loggingLevel`; `None` was never written.
    pub logging_level: Option<LoggingLevel>,
    /// `dataTraceEnabled`
    pub data_trace: bool,
    /// `throttlingBurstLimit`; −1 is no limit.
    pub throttling_burst_limit: i64,
    /// `throttlingRateLimit`; −1 is no limit.
    pub throttling_rate_limit: f64,
    /// `cachingEnabled`
    pub caching: bool,
    /// `cacheTtlInSeconds`
    pub cache_ttl_s: i64,
    /// `cacheDataEncrypted`
    pub cache_encrypted: bool,
    /// `requireAuthorizationForCacheControl`
    pub cache_control_authorized: bool,
    /// `unauthorizedCacheControlHeaderStrategy`
    pub cache_control_strategy: String,
}

impl Default for MethodSettings {
    /// What AWS shows of the members that were not written (recorded, 2026-03).
    fn default() -> Self {
        Self {
            metrics: false,
            logging_level: None,
            data_trace: false,
            throttling_burst_limit: 5000,
            throttling_rate_limit: 10_000.0,
            caching: false,
            cache_ttl_s: 300,
            cache_encrypted: false,
            cache_control_authorized: true,
            cache_control_strategy: "SUCCEED_WITH_RESPONSE_HEADER".to_owned(),
        }
    }
}

/// A canary release: part of a stage's traffic goes to another deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// `percentTraffic`, 0–100.
    pub percent: f64,
    /// The deployment that this part gets.
    pub deployment: DeploymentId,
    /// Variables that differ for it.
    pub variable_overrides: BTreeMap<String, String>,
    /// `useStageCache`
    pub use_stage_cache: bool,
}

/// The log group of a stage's execution logs.
#[must_use]
pub fn execution_log_group(api: ApiId, stage: &StageName) -> LogGroupName {
    LogGroupName::of_parts(format_args!("API-Gateway-Execution-Logs_{api}/{stage}"))
}

/// The log group of its canary's alone, whose requests stand in both (API Gateway developer guide, "Set up an API Gateway canary
/// release deployment", 2026-11).
#[must_use]
pub fn canary_log_group(api: ApiId, stage: &StageName) -> LogGroupName {
    LogGroupName::of_parts(format_args!("{}/Canary", execution_log_group(api, stage)))
}

impl RestStage {
    /// Whether requests of some method are written to the execution log.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        let levels = self.method_settings.values().filter_map(|settings| settings.logging_level);
        levels.into_iter().any(|level| level != LoggingLevel::Off)
    }
}

/// `accessLogSettings` of a stage. One half may be written before the other, and nothing is logged until both are there (recorded,
/// 2026-03).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestAccessLog {
    /// The log group.
    #[serde(rename = "destination_arn", with = "or_empty")]
    pub destination: Option<LogGroupArn>,
    /// How a line is written.
    #[serde(with = "or_empty")]
    pub format: Option<AccessLogFormat>,
}

impl RestAccessLog {
    /// Both halves, where they are there.
    #[must_use]
    pub fn whole(&self) -> Option<AccessLogSettings> {
        Some(AccessLogSettings { destination: self.destination.clone()?, format: self.format.clone()? })
    }
}

impl From<AccessLogSettings> for RestAccessLog {
    fn from(whole: AccessLogSettings) -> Self {
        Self { destination: Some(whole.destination), format: Some(whole.format) }
    }
}

/// A text that may be missing is kept as an empty one.
mod or_empty {
    use std::borrow::Cow;
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(de::Error::custom) }
    }
}

/// A stage, known by its API and name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestStage {
    /// Its API.
    pub api: ApiId,
    /// Its name; never `$default`.
    pub name: StageName,
    /// What it serves.
    pub deployment: DeploymentId,
    /// Its description.
    pub description: Option<String>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Settings by `{resource path}/{METHOD}`, as AWS shows the keys: `*/*`, `~1pets/GET`.
    pub method_settings: BTreeMap<String, MethodSettings>,
    /// Its access log.
    pub access_log: Option<RestAccessLog>,
    /// Its canary.
    pub canary: Option<Canary>,
    /// `tracingEnabled`
    pub tracing: bool,
    /// The version of the API's documentation that is published with the stage.
    #[serde(default)]
    pub documentation_version: Option<String>,
    /// The client certificate that backends are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificateId>,
    /// When it was made.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Its tags.
    pub tags: Tags,
}
