//! The reason codes of the command-line contract, as one closed enum. Scripts rely on the spelling: a change is breaking.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $code:literal,)*) => {
        /// Why a request was not carried, or what is fishy about one that was.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $name,)* }
        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The code as printed.
            #[must_use]
            pub const fn code(self) -> &'static str { match self { $(Self::$name => $code,)* } }
            /// The reason of this code, if there is one.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> { match code { $($code => Some(Self::$name),)* _ => None } }
        }
    };
}

reasons! {
    /// The host or path names no API.
    ApiNotFound "API_NOT_FOUND",
    /// The API has no such stage, or the stage has no deployment.
    StageNotFound "STAGE_NOT_FOUND",
    /// No route key of the deployment matches.
    RouteNotFound "ROUTE_NOT_FOUND",
    /// The route has no target.
    NoIntegration "NO_INTEGRATION",
    /// The payload is above the limit.
    BodyTooLarge "BODY_TOO_LARGE",
    /// The request line and headers are above the limit.
    HeadersTooLarge "HEADERS_TOO_LARGE",
    /// The request is not valid HTTP, or ambiguous.
    MalformedRequest "MALFORMED_REQUEST",
    /// The API's default endpoint is disabled.
    ExecuteApiDisabled "EXECUTE_API_DISABLED",
    /// The identity source holds no token.
    TokenMissing "TOKEN_MISSING",
    /// The token is not a JSON Web Token.
    TokenMalformed "TOKEN_MALFORMED",
    /// The token's algorithm is not one of RSA's, or not the key's.
    JwtAlgorithm "JWT_ALGORITHM",
    /// The issuer has no key of the token's `kid`.
    JwtKeyUnknown "JWT_KEY_UNKNOWN",
    /// The token's signature does not fit.
    JwtBadSignature "JWT_BAD_SIGNATURE",
    /// The token has expired, or says no time at which it will.
    JwtExpired "JWT_EXPIRED",
    /// The token's `nbf` or `iat` lies ahead.
    JwtNotYetValid "JWT_NOT_YET_VALID",
    /// The token comes from another issuer.
    JwtIssuer "JWT_ISSUER",
    /// The token is meant for another audience.
    JwtAudience "JWT_AUDIENCE",
    /// The token has none of the route's scopes.
    ScopeMissing "SCOPE_MISSING",
    /// A claim that a listener's rule asks for is absent, of another form, or says something else.
    JwtClaim "JWT_CLAIM",
    /// The issuer's keys cannot be had.
    IssuerUnreachable "ISSUER_UNREACHABLE",
    /// The request's signature is missing, malformed or wrong.
    Sigv4Invalid "SIGV4_INVALID",
    /// The authorizer's kind is not carried out here; the route fails closed.
    AuthorizerUnsupported "AUTHORIZER_UNSUPPORTED",
    /// The domain asks for a client certificate, and none came.
    ClientCertRequired "CLIENT_CERT_REQUIRED",
    /// The client's certificate is not one that the trust store vouches for.
    ClientCertInvalid "CLIENT_CERT_INVALID",
    /// The resource policy does not let the caller in.
    ResourcePolicyDenied "RESOURCE_POLICY_DENIED",
    /// The method needs an API key, and none came.
    ApiKeyMissing "API_KEY_MISSING",
    /// The API key is unknown, disabled, or in no usage plan of the stage.
    ApiKeyInvalid "API_KEY_INVALID",
    /// The key's quota is used up.
    QuotaExceeded "QUOTA_EXCEEDED",
    /// Parameters or the body do not meet what the method asks.
    ValidationFailed "VALIDATION_FAILED",
    /// No template is for the body's content type.
    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE",
    /// A rate limit is used up.
    Throttled "THROTTLED",
    /// The integration names something that is no listener.
    IntegrationTargetNotListener "INTEGRATION_TARGET_NOT_LISTENER",
    /// The link is of the other version.
    LinkVersionMismatch "LINK_VERSION_MISMATCH",
    /// The listener's load balancer is in another VPC than the link.
    ListenerNotInLinkVpc "LISTENER_NOT_IN_LINK_VPC",
    /// The listener is gone.
    ListenerNotFound "LISTENER_NOT_FOUND",
    /// The link is gone.
    LinkNotFound "LINK_NOT_FOUND",
    /// The link is still being provisioned.
    LinkPending "LINK_PENDING",
    /// The link could not be provisioned.
    LinkFailed "LINK_FAILED",
    /// The link carried nothing for 60 days.
    LinkInactive "LINK_INACTIVE",
    /// The link is still referred to.
    LinkInUse "LINK_IN_USE",
    /// No agent that carries this zone of the VPC is connected.
    LinkNoConnector "LINK_NO_CONNECTOR",
    /// Hint: the agent that carried the request works by an older state of its VPC.
    StaleConfig "STALE_CONFIG",
    /// Hint: the gateway and the agent came to different verdicts; the stricter one counted.
    VerdictSplit "VERDICT_SPLIT",
    /// The integration's own timeout ran out.
    IntegrationTimeout "INTEGRATION_TIMEOUT",
    /// An INTERNET integration may not reach that address.
    EgressForbidden "EGRESS_FORBIDDEN",
    /// The kind of integration is not carried out here.
    IntegrationUnsupported "INTEGRATION_UNSUPPORTED",
    /// A parameter mapping could not be applied.
    MappingFailed "MAPPING_FAILED",
    /// No egress rule of the sender's groups admits the connection.
    SgEgressDenied "SG_EGRESS_DENIED",
    /// No ingress rule of the receiver's groups admits the connection.
    SgIngressDenied "SG_INGRESS_DENIED",
    /// A network ACL denies the connection.
    NaclDenied "NACL_DENIED",
    /// No route leads to the address.
    NoRoute "NO_ROUTE",
    /// No interface with a workload has the address.
    NoInterface "NO_INTERFACE",
    /// The target group has no usable target.
    NoTargets "NO_TARGETS",
    /// All targets lie in zones that the load balancer does not serve.
    TargetAzNotEnabled "TARGET_AZ_NOT_ENABLED",
    /// The target refused the connection.
    TargetRefused "TARGET_REFUSED",
    /// The target closed a fresh connection before it answered.
    TargetClosed "TARGET_CLOSED",
    /// The target closed an idle connection just as it was used again.
    UpstreamClosedIdle "UPSTREAM_CLOSED_IDLE",
    /// The target did not connect or answer in time.
    TargetTimeout "TARGET_TIMEOUT",
    /// The target's answer is not valid HTTP.
    TargetMalformedResponse "TARGET_MALFORMED_RESPONSE",
    /// The target speaks another protocol version.
    TargetProtocolMismatch "TARGET_PROTOCOL_MISMATCH",
    /// The desync mitigation mode blocked the request.
    DesyncBlocked "DESYNC_BLOCKED",
    /// The client went away.
    ClientClosed "CLIENT_CLOSED",
    /// Hint: the backend answered 404 to a path that begins with the stage.
    StagePrefixForwarded "STAGE_PREFIX_FORWARDED",
    /// Hint: every target is unhealthy and the load balancer sends to all of them.
    AllUnhealthyFailOpen "ALL_UNHEALTHY_FAIL_OPEN",
    /// Hint: an internal load balancer's group admits every address.
    OpenToWorld "OPEN_TO_WORLD",
    /// Hint: the link carries its VPC's default group.
    LinkUsesDefaultGroup "LINK_USES_DEFAULT_GROUP",
    /// Hint: throttle settings without numbers mean zero.
    ThrottleZero "THROTTLE_ZERO",
    /// Hint: the health-check port is not admitted.
    HealthCheckBlocked "HEALTH_CHECK_BLOCKED",
    /// Hint: a listener rule answered, not a target.
    AnsweredByRule "ANSWERED_BY_RULE",
    /// Hint: what is deployed differs from the draft.
    StageRunsOldDeployment "STAGE_RUNS_OLD_DEPLOYMENT",
    /// Hint: something was asked for that Tidegate takes and does not carry out.
    NotCarriedOut "NOT_CARRIED_OUT",
    /// The certificate is for other names.
    TlsNameMismatch "TLS_NAME_MISMATCH",
    /// No trusted root vouches for the certificate.
    TlsUntrusted "TLS_UNTRUSTED",
    /// The certificate has expired, or is not valid yet.
    TlsExpired "TLS_EXPIRED",
    /// TLS was spoken to a plain listener.
    TlsExpectedGotPlain "TLS_EXPECTED_GOT_PLAIN",
    /// The TLS handshake failed for another cause.
    TlsHandshakeFailed "TLS_HANDSHAKE_FAILED",
    /// Plain HTTP was sent to a TLS listener.
    TlsPlainToTlsPort "TLS_PLAIN_TO_TLS_PORT",
}

/// Whether something refused on purpose, or something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A rule or policy said no.
    Denied,
    /// Anything else went wrong.
    Failed,
}

impl Reason {
    /// Whether this reason is a denial or a failure (`docs` of `explain`: exit 3 or 4).
    #[must_use]
    pub const fn weight(self) -> Weight {
        match self {
            Self::TokenMissing
            | Self::TokenMalformed
            | Self::JwtAlgorithm
            | Self::JwtKeyUnknown
            | Self::JwtBadSignature
            | Self::JwtExpired
            | Self::JwtNotYetValid
            | Self::JwtIssuer
            | Self::JwtAudience
            | Self::ScopeMissing
            | Self::JwtClaim
            | Self::Sigv4Invalid
            | Self::AuthorizerUnsupported
            | Self::ClientCertRequired
            | Self::ClientCertInvalid
            | Self::ResourcePolicyDenied
            | Self::ApiKeyMissing
            | Self::ApiKeyInvalid
            | Self::QuotaExceeded
            | Self::ValidationFailed
            | Self::UnsupportedMediaType
            | Self::Throttled
            | Self::SgEgressDenied
            | Self::SgIngressDenied
            | Self::NaclDenied => Weight::Denied,
            _ => Weight::Failed,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
