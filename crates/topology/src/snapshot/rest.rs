//! What only REST APIs have, compiled: methods beside the routes that they share with HTTP APIs, canaries, logging, API keys and
//! usage plans (API Gateway REST API developer guide, 2026-11). What a deployment froze is pointed to and not copied: its templates and
//! policy were read when they were written; schemas and patterns are read by the plane, once for each deployment.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::front::RateLimit;
use super::gateway::{self, LogStream};
use crate::endpoint::Endpoint;
use crate::id::{ApiKeyId, AuthorizerId, Region, UsagePlanId};
use crate::resource::certificate::PrivateKeyPem;
pub use crate::resource::rest_api::MethodRef;
use crate::resource::rest_api::{self, Resource};
use crate::resource::rest_stage::{LoggingLevel, RestDeployment};
use crate::resource::usage_plan::Quota;
use crate::time::Moment;

/// A deployment, as one stage serves it.
#[derive(Debug, PartialEq)]
pub struct Deployment {
    /// What was deployed.
    pub source: Arc<RestDeployment>,
    /// The methods, at the same places as the routes.
    pub methods: Vec<Method>,
    /// The authorizers that ask for tokens of user pools.
    pub pools: Vec<UserPools>,
}

/// A method.
#[derive(Debug, PartialEq)]
pub struct Method {
    /// Which one.
    pub at: MethodRef,
    /// Its resource, which holds it as it was deployed.
    pub resource: Arc<Resource>,
    /// The path of the resource: `/pets/{id}`.
    pub path: String,
    /// The `uri` of its integration; `None` for `MOCK` and for one that cannot be read.
    pub endpoint: Option<Endpoint>,
    /// Whether and how a listener's certificate is verified.
    pub verification: Verification,
}

impl Method {
    /// The method as it was deployed.
    #[must_use]
    pub fn source(&self) -> Option<&rest_api::Method> {
        self.resource.methods.get(&self.at.method)
    }

    /// Its integration as it was deployed.
    #[must_use]
    pub fn integration(&self) -> Option<&rest_api::Integration> {
        self.source()?.integration.as_ref()
    }
}

/// What is asked of the certificate of an `https` endpoint behind a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// Everything.
    #[default]
    Full,
    /// Nothing (`tlsConfig.insecureSkipVerification`).
    Skipped,
}

/// An authorizer of kind `COGNITO_USER_POOLS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPools {
    /// Its id.
    pub id: AuthorizerId,
    /// Its name.
    pub name: String,
    /// The header with the token, by lower-case name.
    pub header: String,
    /// A regular expression that the token must match.
    pub validation: Option<String>,
    /// The pools: region and id.
    pub pools: Vec<(Region, String)>,
}

/// What only stages of REST APIs have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stage {
    /// The part of the traffic that goes to another deployment.
    pub canary: Option<Box<Canary>>,
    /// What of each method's requests is written to the execution log, at the same places as the routes; empty where nothing is.
    pub logging: Vec<Logging>,
    /// The execution log.
    pub log: Option<Arc<LogStream>>,
    /// The one that only a canary's requests are written to as well.
    pub canary_log: Option<Arc<LogStream>>,
    /// What backends are shown that ask for a certificate.
    pub identity: Option<Arc<ClientIdentity>>,
    /// The plans of the stage.
    pub plans: Vec<StagePlan>,
    /// Which of them a key is in.
    pub plan_of_key: HashMap<ApiKeyId, u32>,
}

/// A client certificate with its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: PrivateKeyPem,
}

/// A canary release.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// Percent of the requests.
    pub percent: f64,
    /// The stage as these requests see it: another deployment, and variables that differ.
    pub stage: gateway::Stage,
}

/// What is written of a method's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Logging {
    /// How much.
    pub level: LoggingLevel,
    /// Whether bodies and headers are written in full.
    pub data_trace: bool,
}

/// A plan on one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct StagePlan {
    /// The place of the plan in [`UsagePlans::plans`].
    pub plan: u32,
    /// The limit of each of the deployment's routes for one key, at the same places; empty where there is none.
    pub limits: Vec<Option<RateLimit>>,
}

/// The API keys and usage plans of a realm.
#[derive(Default, PartialEq)]
pub struct UsagePlans {
    /// The keys by their values, which no log may hold.
    pub(crate) by_value: HashMap<String, Key>,
    /// The plans.
    pub plans: Vec<Plan>,
}

impl fmt::Debug for UsagePlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsagePlans").field("plans", &self.plans).finish_non_exhaustive()
    }
}

impl UsagePlans {
    /// The key of this value.
    #[must_use]
    pub fn key(&self, value: &str) -> Option<Key> {
        self.by_value.get(value).copied()
    }

    /// Whether a key is there and may not be used.
    #[must_use]
    pub fn is_disabled(&self, id: ApiKeyId) -> bool {
        self.by_value.values().any(|key| key.id == id && key.state == KeyState::Disabled)
    }

    /// The plan at this place.
    #[must_use]
    pub fn plan(&self, place: u32) -> Option<&Plan> {
        self.plans.get(place as usize)
    }
}

/// An API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: ApiKeyId,
    /// Whether it may be used.
    pub state: KeyState,
}

/// Whether a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It may.
    Enabled,
    /// It may not.
    Disabled,
}

/// A usage plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its id.
    pub id: UsagePlanId,
    /// Its name.
    pub name: String,
    /// Each key's limit over all of the plan.
    pub throttle: Option<RateLimit>,
    /// Each key's quota.
    pub quota: Option<Quota>,
    /// Its keys.
    pub members: HashMap<ApiKeyId, Member>,
}

/// A key in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// When it was added.
    pub added: Moment,
    /// What `UpdateUsage` granted: the first day of the period, and requests more than the quota's limit in it.
    pub granted: Option<(u32, i64)>,
}
