//! REST APIs: the API, its tree of resources with their methods and integrations, models, request validators, authorizers and
//! gateway responses (API Gateway REST API reference, version 2015-07-09, 2026-11). Stages and deployments stand in
//! [`super::rest_stage`].
//!
//! Maps are named as AWS names them and hold what the caller wrote; that a value is in its language (mapping expressions, schemas) was
//! checked by `control`, and is read again without failing. Templates keep what was read of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Tags;
use super::resource_policy::ResourcePolicy;
use crate::id::{ApiId, AuthorizerId, IdError, ModelId, RequestValidatorId, ResourceId};
use crate::routes;
use crate::template::{AnswerTemplates, Templates};
use crate::time::Moment;

/// Where a REST API is served. All are served alike here, as regional ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointType {
    /// `EDGE`, the default
    Edge,
    /// `REGIONAL`
    Regional,
    /// `PRIVATE`
    Private,
}

/// Where a request carries its API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ApiKeySource {
    /// `HEADER`: in `x-api-key`.
    #[default]
    Header,
    /// `AUTHORIZER`: in the answer of a Lambda authorizer.
    Authorizer,
}

/// A REST API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestApi {
    /// Its id.
    pub id: ApiId,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Its version text.
    pub version: Option<String>,
    /// The root of its resources.
    pub root: ResourceId,
    /// `apiKeySource`
    pub api_key_source: ApiKeySource,
    /// `binaryMediaTypes`, in order.
    pub binary_media_types: Vec<String>,
    /// `minimumCompressionSize`, 0–10,485,760 bytes; `None` compresses nothing.
    pub minimum_compression_size: Option<u32>,
    /// The resource policy, a JSON document.
    pub policy: Option<ResourcePolicy>,
    /// `endpointConfiguration.types`
    pub endpoint_type: EndpointType,
    /// `ipv4` or `dualstack`.
    pub ip_address_type: String,
    /// Whether the default endpoint is disabled; takes effect with a deployment.
    pub disable_execute_api_endpoint: bool,
    /// When it was made.
    pub created: Moment,
    /// Its tags.
    pub tags: Tags,
}

/// The method of a resource: `None` is `ANY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MethodName(pub Option<routes::Method>);

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.map_or("ANY", routes::Method::as_str))
    }
}

impl FromStr for MethodName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text == "ANY" {
            return Ok(Self(None));
        }
        routes::Method::from_name(text).map(|method| Self(Some(method))).ok_or(IdError { kind: "MethodName" })
    }
}

impl TryFrom<String> for MethodName {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<MethodName> for String {
    fn from(name: MethodName) -> Self {
        name.to_string()
    }
}

/// A resource: one segment of a path, with its methods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// Its API.
    pub api: ApiId,
    /// What it stands below, and its own segment; `None` is the root.
    pub below: Option<(ResourceId, routes::Segment)>,
    /// Its methods.
    pub methods: BTreeMap<MethodName, Method>,
}

/// How a method is authorized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MethodAuthorization {
    /// `NONE`
    None,
    /// `AWS_IAM`
    AwsIam,
    /// `COGNITO_USER_POOLS`
    CognitoUserPools {
        /// The authorizer.
        authorizer: AuthorizerId,
        /// One of these scopes suffices; none asks for an ID token.
        scopes: Vec<String>,
    },
    /// `CUSTOM`
    Custom {
        /// The authorizer.
        authorizer: AuthorizerId,
    },
}

/// A method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// How it is authorized.
    pub authorization: MethodAuthorization,
    /// Whether a request needs an API key of a usage plan of the stage.
    pub api_key_required: bool,
    /// `operationName`
    pub operation_name: Option<String>,
    /// `method.request.{header|querystring|path}.NAME`, and whether it is required.
    pub request_parameters: BTreeMap<String, bool>,
    /// Models' names by content type.
    pub request_models: BTreeMap<String, String>,
    /// Its validator.
    pub request_validator: Option<RequestValidatorId>,
    /// Its responses by status.
    pub responses: BTreeMap<u16, MethodResponse>,
    /// Its integration.
    pub integration: Option<Integration>,
}

/// A method response: what may be answered under a status.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MethodResponse {
    /// `method.response.header.NAME`, and whether it is required.
    pub parameters: BTreeMap<String, bool>,
    /// Models' names by content type.
    pub models: BTreeMap<String, String>,
    /// Whether the maps are shown while they are empty.
    #[serde(default)]
    pub said: SaidEmpty,
}

/// Which maps of a method response were given empty, as against not at all: they are answered as they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SaidEmpty {
    /// `responseParameters`
    pub parameters: bool,
    /// `responseModels`
    pub models: bool,
}

/// What an integration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IntegrationType {
    /// `HTTP`: mapped both ways.
    Http,
    /// `HTTP_PROXY`: passed on.
    HttpProxy,
    /// `MOCK`: answered by the gateway.
    Mock,
}

/// How the gateway reaches an integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestConnection {
    /// `INTERNET`
    Internet,
    /// `VPC_LINK`
    VpcLink {
        /// `connectionId`: a link of either version, or `${stageVariables.NAME}`.
        id: String,
        /// `integrationTarget`: the ARN of a load balancer or of a listener. Only with links of version 2, which need it.
        target: Option<String>,
    },
}

/// What is done with a body that no template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PassthroughBehavior {
    /// `WHEN_NO_MATCH`, the default
    #[default]
    WhenNoMatch,
    /// `WHEN_NO_TEMPLATES`
    WhenNoTemplates,
    /// `NEVER`
    Never,
}

/// `contentHandling`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentHandling {
    /// `CONVERT_TO_BINARY`
    ConvertToBinary,
    /// `CONVERT_TO_TEXT`
    ConvertToText,
}

/// `responseTransferMode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ResponseTransferMode {
    /// `BUFFERED`, the default
    #[default]
    Buffered,
    /// `STREAM`
    Stream,
}

/// An integration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Integration {
    /// Its type.
    pub kind: IntegrationType,
    /// The method that the backend gets; `None` for `MOCK` without one. `ANY` is the client's.
    pub http_method: Option<String>,
    /// `uri`; empty for `MOCK`. `{name}` stands for `integration.request.path.name`, `${stageVariables.NAME}` for a variable.
    pub uri: String,
    /// How it is reached.
    pub connection: RestConnection,
    /// `integration.request.{header|querystring|path}.NAME` to a mapping expression.
    pub request_parameters: BTreeMap<String, String>,
    /// Templates by content type.
    pub request_templates: Templates,
    /// `passthroughBehavior`
    pub passthrough_behavior: PassthroughBehavior,
    /// `cacheNamespace`
    pub cache_namespace: String,
    /// `cacheKeyParameters`
    pub cache_key_parameters: Vec<String>,
    /// What becomes of the request's body.
    pub content_handling: Option<ContentHandling>,
    /// 50–29,000 ms; 29,000 when unset.
    pub timeout_ms: u32,
    /// `tlsConfig.insecureSkipVerification`; `None` without `tlsConfig`.
    pub insecure_skip_verification: Option<bool>,
    /// `responseTransferMode`
    pub response_transfer_mode: ResponseTransferMode,
    /// Its responses by status.
    pub responses: BTreeMap<u16, IntegrationResponse>,
}

/// An integration response: how an answer of the backend becomes one to the client.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IntegrationResponse {
    /// A regular expression for the backend's status; `None` or empty is the default response.
    pub selection_pattern: Option<String>,
    /// `method.response.header.NAME` to a mapping expression.
    pub parameters: BTreeMap<String, String>,
    /// Templates by content type.
    pub templates: AnswerTemplates,
    /// What becomes of the answer's body.
    pub content_handling: Option<ContentHandling>,
}

/// Schemas that one value may have to meet for one schema of a model, those that are combined in it included: 4,096. Ours: AWS documents
/// no bound. Above: the model is refused when it is written.
pub const MODEL_APPLICATIONS_MAX: u64 = 4096;

/// Schemas that lead from one to another before a value is gone into, references included: 256, so that no walk along them takes
/// more than a part of a thread's stack. Ours. Above: the model is refused when it is written.
pub const MODEL_NESTING_MAX: usize = 256;

/// A model: a JSON schema (draft 4) by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its id.
    pub id: ModelId,
    /// Its API.
    pub api: ApiId,
    /// Its name, unique in the API.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Its content type.
    pub content_type: String,
    /// The schema, as written.
    pub schema: String,
}

/// A request validator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestValidator {
    /// Its id.
    pub id: RequestValidatorId,
    /// Its API.
    pub api: ApiId,
    /// Its name.
    pub name: String,
    /// `validateRequestBody`
    pub body: bool,
    /// `validateRequestParameters`
    pub parameters: bool,
}

/// An authorizer of a REST API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestAuthorizer {
    /// Its id.
    pub id: AuthorizerId,
    /// Its API.
    pub api: ApiId,
    /// Its name.
    pub name: String,
    /// `identitySource`: `method.request.header.NAME`.
    pub identity_source: String,
    /// `identityValidationExpression`, a regular expression that the token must match.
    pub identity_validation: Option<String>,
    /// `authorizerResultTtlInSeconds`, 0–3,600 s.
    pub result_ttl_s: u32,
    /// Its kind.
    pub kind: RestAuthorizerKind,
}

/// What kind of authorizer, with what that kind has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestAuthorizerKind {
    /// `COGNITO_USER_POOLS`
    CognitoUserPools {
        /// ARNs of the pools.
        provider_arns: Vec<String>,
    },
}

macro_rules! response_types {
    ($($(#[$doc:meta])* $name:ident $text:literal $status:expr,)*) => {
        /// What a gateway response is for, in AWS's order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum GatewayResponseType { $($(#[$doc])* $name,)* }

        impl GatewayResponseType {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The type as AWS writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The status where none was set; `DEFAULT_4XX` and `DEFAULT_5XX` have none.
            #[must_use]
            pub const fn default_status(self) -> Option<u16> {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

response_types! {
    /// The caller may not.
    AccessDenied "ACCESS_DENIED" Some(403),
    /// The API is set up wrongly.
    ApiConfigurationError "API_CONFIGURATION_ERROR" Some(500),
    /// The authorizer is set up wrongly.
    AuthorizerConfigurationError "AUTHORIZER_CONFIGURATION_ERROR" Some(500),
    /// The authorizer failed.
    AuthorizerFailure "AUTHORIZER_FAILURE" Some(500),
    /// The body does not meet its model.
    BadRequestBody "BAD_REQUEST_BODY" Some(400),
    /// A required parameter is missing.
    BadRequestParameters "BAD_REQUEST_PARAMETERS" Some(400),
    /// What every 4XX without a response of its own takes over.
    Default4xx "DEFAULT_4XX" None,
    /// The same for 5XX.
    Default5xx "DEFAULT_5XX" None,
    /// The token is out of date.
    ExpiredToken "EXPIRED_TOKEN" Some(403),
    /// The integration failed.
    IntegrationFailure "INTEGRATION_FAILURE" Some(504),
    /// The integration took too long.
    IntegrationTimeout "INTEGRATION_TIMEOUT" Some(504),
    /// The API key is missing or not for this stage.
    InvalidApiKey "INVALID_API_KEY" Some(403),
    /// The signature is wrong.
    InvalidSignature "INVALID_SIGNATURE" Some(403),
    /// There is no such method, or no signature.
    MissingAuthenticationToken "MISSING_AUTHENTICATION_TOKEN" Some(403),
    /// The quota is used up.
    QuotaExceeded "QUOTA_EXCEEDED" Some(429),
    /// The request is too large.
    RequestTooLarge "REQUEST_TOO_LARGE" Some(413),
    /// There is no such resource; after authorization only.
    ResourceNotFound "RESOURCE_NOT_FOUND" Some(404),
    /// A rate limit is used up.
    Throttled "THROTTLED" Some(429),
    /// The caller is unknown.
    Unauthorized "UNAUTHORIZED" Some(401),
    /// No template is for the body's type.
    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" Some(415),
    /// A firewall refused it.
    WafFiltered "WAF_FILTERED" Some(403),
}

impl FromStr for GatewayResponseType {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::ALL.iter().find(|kind| kind.as_str() == text).copied().ok_or(IdError { kind: "GatewayResponseType" })
    }
}

/// A gateway response that was customized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayResponse {
    /// Its API.
    pub api: ApiId,
    /// What it is for.
    pub kind: GatewayResponseType,
    /// Its status; `None` is the type's own.
    pub status: Option<u16>,
    /// `gatewayresponse.header.NAME` to a mapping expression.
    pub parameters: BTreeMap<String, String>,
    /// Templates by content type; none is the default one.
    pub templates: BTreeMap<String, String>,
}

/// A method of a resource: what stands for an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MethodRef {
    /// The resource.
    pub resource: ResourceId,
    /// The method.
    pub method: MethodName,
}

impl fmt::Display for MethodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource, self.method)
    }
}
