//! The `$context` variables of HTTP APIs, as one closed list: what access-log formats and parameter mappings may name (HTTP
//! API developer guide, "Customize HTTP API access logs", 2026-11). What a variable is worth is the plane's to say.

/// A variable, by its name without `$context.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// One that has a value of its own here.
    Known(Known),
    /// `authorizer.claims.NAME`: a claim of a verified token.
    Claim(String),
    /// Any other name: a valid one that has no value for this kind of API, or a misspelt one. Prints `-` in logs.
    Other(String),
}

macro_rules! known {
    ($($(#[$doc:meta])* $name:ident $text:literal $(| $alias:literal)*,)*) => {
        /// The variables whose name is fixed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Known { $($(#[$doc])* $name,)* }

        impl Known {
            /// The names, without their aliases.
            pub const NAMES: &[&str] = &[$($text,)*];

            fn parse(text: &str) -> Option<Self> {
                match text { $($text $(| $alias)* => Some(Self::$name),)* _ => None }
            }
        }
    };
}

known! {
    /// The API key that was sent.
    ApiKey "identity.apiKey",
    /// Its id.
    ApiKeyId "identity.apiKeyId",
    /// The deployment that served.
    DeploymentId "deploymentId",
    /// Whether the canary served.
    IsCanaryRequest "isCanaryRequest",
    /// The id of the resource.
    ResourceId "resourceId",
    /// Its path.
    ResourcePath "resourcePath",
    /// What validation found.
    ValidationErrorString "error.validationErrorString",
    /// The trace id, as it was sent on.
    XrayTraceId "xrayTraceId",
    /// The owner's account.
    AccountId "accountId",
    /// The API's id.
    ApiId "apiId",
    /// Why the authorizer refused.
    AuthorizerError "authorizer.error",
    /// Whom the authorizer let in.
    AuthorizerPrincipalId "authorizer.principalId",
    /// The key of the API mapping that matched.
    BasePathMatched "customDomain.basePathMatched",
    /// Bytes of the request and the answer.
    DataProcessed "dataProcessed",
    /// The host that was asked for.
    DomainName "domainName",
    /// Its first label.
    DomainPrefix "domainPrefix",
    /// The gateway's error message.
    ErrorMessage "error.message",
    /// The same, in quotes.
    ErrorMessageString "error.messageString",
    /// The kind of the gateway's error.
    ErrorResponseType "error.responseType",
    /// The client's method.
    HttpMethod "httpMethod",
    /// The caller's account, under IAM.
    IdentityAccountId "identity.accountId",
    /// The caller's principal, under IAM.
    IdentityCaller "identity.caller" | "identity.user",
    /// The caller's ARN, under IAM.
    IdentityUserArn "identity.userArn",
    /// The client's address.
    SourceIp "identity.sourceIp",
    /// The client's `User-Agent`.
    UserAgent "identity.userAgent",
    /// The client certificate in PEM.
    ClientCertPem "identity.clientCert.clientCertPem",
    /// Its subject.
    ClientCertSubject "identity.clientCert.subjectDN",
    /// Its issuer.
    ClientCertIssuer "identity.clientCert.issuerDN",
    /// Its serial number.
    ClientCertSerial "identity.clientCert.serialNumber",
    /// When it becomes valid.
    ClientCertNotBefore "identity.clientCert.validity.notBefore",
    /// When it expires.
    ClientCertNotAfter "identity.clientCert.validity.notAfter",
    /// What went wrong at the integration.
    IntegrationError "integration.error" | "integrationErrorMessage",
    /// Milliseconds that the integration took.
    IntegrationLatency "integration.latency" | "integrationLatency",
    /// The integration's request id.
    IntegrationRequestId "integration.requestId" | "awsEndpointRequestId",
    /// The status that the integration answered.
    IntegrationStatus "integration.status" | "integration.integrationStatus" | "integrationStatus",
    /// The path, with the stage.
    Path "path",
    /// `HTTP/1.1`, whatever the client spoke.
    Protocol "protocol",
    /// The request's id: a UUID for REST APIs.
    RequestId "requestId",
    /// The request's id as HTTP APIs answer it.
    ExtendedRequestId "extendedRequestId",
    /// When the request came, in the common log format.
    RequestTime "requestTime",
    /// The same, in seconds since 1970.
    RequestTimeEpoch "requestTimeEpoch",
    /// Milliseconds to the end of the answer.
    ResponseLatency "responseLatency",
    /// Bytes of the answer's body.
    ResponseLength "responseLength",
    /// The route's key.
    RouteKey "routeKey",
    /// The stage's name.
    Stage "stage",
    /// The status that the client saw.
    Status "status",
}

impl Variable {
    /// The variable of this name, without `$context.`; `None` where the name holds other characters than letters, digits,
    /// `.`, `_` and, in claims, `-` and `:`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let spelled = |extra: &'static [u8]| {
            move |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'_' || extra.contains(&b)
        };
        if let Some(claim) = name.strip_prefix("authorizer.claims.").filter(|claim| !claim.is_empty()) {
            return claim.bytes().all(spelled(b"-:")).then(|| Self::Claim(claim.to_owned()));
        }
        if name.is_empty() || !name.bytes().all(spelled(b"")) {
            return None;
        }
        Some(Known::parse(name).map_or_else(|| Self::Other(name.to_owned()), Self::Known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_aliases() {
        let rows = [
            ("requestId", Some(Variable::Known(Known::RequestId))),
            ("extendedRequestId", Some(Variable::Known(Known::ExtendedRequestId))),
            ("integrationLatency", Some(Variable::Known(Known::IntegrationLatency))),
            ("authorizer.claims.cognito:groups", Some(Variable::Claim("cognito:groups".to_owned()))),
            ("authorizer.property", Some(Variable::Other("authorizer.property".to_owned()))),
            ("authorizer.claims.", Some(Variable::Other("authorizer.claims.".to_owned()))),
            ("", None),
            ("a b", None),
            ("request-id", None),
        ];
        for (name, expected) in rows {
            assert_eq!(Variable::parse(name), expected, "{name}");
        }
    }
}
