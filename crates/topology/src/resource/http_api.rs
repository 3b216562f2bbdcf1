//! HTTP APIs: the API, its routes, integrations, authorizers, stages and deployments. A deployment is a
//! frozen copy in the estate, because that is what AWS means by a deployment.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::access_log::AccessLogFormat;
use crate::arn::LogGroupArn;
use crate::id::{ApiId, AuthorizerId, DeploymentId, IntegrationId, RouteId, StageName};
use crate::routes::RouteKey;
use crate::time::Moment;

/// `corsConfiguration`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cors {
    /// `allowCredentials`
    pub allow_credentials: Option<bool>,
    /// `allowHeaders`
    pub allow_headers: Option<Vec<String>>,
    /// `allowMethods`
    pub allow_methods: Option<Vec<String>>,
    /// `allowOrigins`
    pub allow_origins: Option<Vec<String>>,
    /// `exposeHeaders`
    pub expose_headers: Option<Vec<String>>,
    /// `maxAge`, −1 to 86,400 s.
    pub max_age_s: Option<i64>,
}

/// An HTTP API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Api {
    /// Its id.
    pub id: ApiId,
    /// Its name, 1–128 characters.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Its version text.
    pub version: Option<String>,
    /// Its CORS configuration.
    pub cors: Option<Cors>,
    /// Whether the default endpoint is disabled; takes effect with a deployment.
    pub disable_execute_api_endpoint: bool,
    /// `ipv4` or `dualstack`.
    pub ip_address_type: String,
    /// `routeSelectionExpression`
    pub route_selection_expression: String,
    /// `apiKeySelectionExpression`
    pub api_key_selection_expression: String,
    /// When it was made.
    pub created: Moment,
    /// Its tags.
    pub tags: Tags,
}

/// How a route is authorized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authorization {
    /// `NONE`
    None,
    /// `AWS_IAM`
    AwsIam,
    /// `JWT`
    Jwt {
        /// The authorizer.
        authorizer: AuthorizerId,
        /// One of these scopes suffices; at most 10.
        scopes: Vec<String>,
    },
    /// `CUSTOM`
    Custom {
        /// The authorizer.
        authorizer: AuthorizerId,
    },
}

/// A route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Its id.
    pub id: RouteId,
    /// Its API.
    pub api: ApiId,
    /// Its key, unique in the API.
    pub key: RouteKey,
    /// How it is authorized.
    pub authorization: Authorization,
    /// Its integration.
    pub target: Option<IntegrationId>,
    /// `operationName`
    pub operation_name: Option<String>,
    /// Whether quick create made it.
    pub managed: bool,
}

/// How the gateway reaches an integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum IntegrationConnection {
    /// `INTERNET`: the text is a URL.
    Internet,
    /// `VPC_LINK`: the text is the connection id as given, the URI a listener or Cloud Map ARN.
    VpcLink(String),
}

/// An integration of type `HTTP_PROXY`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// Its API.
    pub api: ApiId,
    /// How it is reached.
    pub connection: IntegrationConnection,
    /// A URL or an ARN.
    pub uri: String,
    /// `integrationMethod`; `ANY` is the client's.
    pub method: String,
    /// `payloadFormatVersion`
    pub payload_format_version: String,
    /// 50–30,000 ms.
    pub timeout_ms: u32,
    /// `requestParameters`, checked to be in the mapping language.
    pub request_parameters: BTreeMap<String, String>,
    /// `responseParameters` by status.
    pub response_parameters: BTreeMap<String, BTreeMap<String, String>>,
    /// `tlsConfig.serverNameToVerify`
    pub tls_server_name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Whether quick create made it.
    pub managed: bool,
}

/// What kind of authorizer, with what that kind has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthorizerKind {
    /// `JWT`
    Jwt {
        /// `issuer`
        issuer: Option<String>,
        /// `audience`
        audience: Vec<String>,
    },
}

/// An authorizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorizer {
    /// Its id.
    pub id: AuthorizerId,
    /// Its API.
    pub api: ApiId,
    /// Its name.
    pub name: String,
    /// `identitySource`
    pub identity_source: Vec<String>,
    /// Its kind.
    pub kind: AuthorizerKind,
}

/// `defaultRouteSettings` or one of `routeSettings`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RouteSettings {
    /// `detailedMetricsEnabled`
    pub detailed_metrics: bool,
    /// `throttlingBurstLimit`; absent numbers are stored as 0 once settings are written.
    pub throttling_burst_limit: i64,
    /// `throttlingRateLimit`
    pub throttling_rate_limit: f64,
}

/// `accessLogSettings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLogSettings {
    /// The log group.
    #[serde(rename = "destination_arn")]
    pub destination: LogGroupArn,
    /// How a line is written.
    pub format: AccessLogFormat,
}

/// A stage, known by its API and name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its API.
    pub api: ApiId,
    /// Its name; `$default` is served at the root.
    pub name: StageName,
    /// Whether each change is deployed.
    pub auto_deploy: bool,
    /// What it serves.
    pub deployment: Option<DeploymentId>,
    /// Its description.
    pub description: Option<String>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Its access logs.
    pub access_log: Option<AccessLogSettings>,
    /// Settings for routes that have none of their own.
    pub default_route_settings: Option<RouteSettings>,
    /// Settings by route key.
    pub route_settings: BTreeMap<String, RouteSettings>,
    /// What the last automatic deployment said.
    pub last_deployment_status: Option<String>,
    /// When it was made.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Whether quick create made it.
    pub managed: bool,
    /// Its tags.
    pub tags: Tags,
}

/// What a deployment froze.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// Whether the default endpoint is disabled.
    pub disable_execute_api_endpoint: bool,
    /// CORS.
    pub cors: Option<Cors>,
    /// Routes.
    pub routes: Vec<Arc<Route>>,
    /// Integrations.
    pub integrations: Vec<Arc<Integration>>,
    /// Authorizers.
    pub authorizers: Vec<Arc<Authorizer>>,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Its API.
    pub api: ApiId,
    /// When it was made.
    pub created: Moment,
    /// Its description.
    pub description: Option<String>,
    /// Whether automatic deployment made it.
    pub auto_deployed: bool,
    /// What it froze.
    pub frozen: Frozen,
}
