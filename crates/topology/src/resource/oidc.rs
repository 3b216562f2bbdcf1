//! What the authentication of users at a listener's rule is made of (ELBv2 API reference, AuthenticateOidcActionConfig and
//! AuthenticateCognitoActionConfig, 2026-11). One that AWS would refuse cannot be made. The client's secret is never shown.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::gate::{GateError, endpoint_way};
use super::user_pool::{UserPool, is_domain};
use crate::issuer::IssuerWay;

/// The secret that a load balancer shows at the token endpoint. Its `Debug` is fixed text, and it is in no answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// This text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the token endpoint alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret")
    }
}

/// What is done with a request of nobody (`OnUnauthenticatedRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Unauthenticated {
    /// `deny`: 401.
    Deny,
    /// `allow`: it goes on, without claims.
    Allow,
    /// `authenticate`: the client is sent to the provider.
    #[default]
    Authenticate,
}

impl Unauthenticated {
    /// As AWS names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
            Self::Authenticate => "authenticate",
        }
    }

    /// From AWS's name.
    ///
    /// # Errors
    /// When it names none.
    pub fn parse(name: &str) -> Result<Self, GateError> {
        let all = [Self::Deny, Self::Allow, Self::Authenticate];
        all.into_iter().find(|one| one.as_str() == name).ok_or_else(|| GateError::Unauthenticated(name.to_owned()))
    }
}

/// How a user stays known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The name of its cookies, without their numbers.
    pub cookie_name: String,
    /// What is asked of the provider.
    pub scope: String,
    /// How long it lasts: 1–604800 seconds.
    pub timeout_s: u32,
    /// What is done with a request of nobody.
    pub unauthenticated: Unauthenticated,
}

impl Default for Session {
    /// AWS's own (ELBv2 API reference, 2026-11).
    fn default() -> Self {
        Self {
            cookie_name: "AWSELBAuthSessionCookie".to_owned(),
            scope: "openid".to_owned(),
            timeout_s: Self::TIMEOUT_S_MAX,
            unauthenticated: Unauthenticated::default(),
        }
    }
}

impl Session {
    /// The longest session: seven days.
    pub const TIMEOUT_S_MAX: u32 = 604_800;

    fn check(&self) -> Result<(), GateError> {
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if self.cookie_name.is_empty() || self.cookie_name.len() > 128 || !self.cookie_name.bytes().all(is_token) {
            return Err(GateError::CookieName(self.cookie_name.clone()));
        }
        check_text("Scope", &self.scope)?;
        let fits = (1..=Self::TIMEOUT_S_MAX).contains(&self.timeout_s);
        if fits { Ok(()) } else { Err(GateError::SessionTimeout(self.timeout_s.into())) }
    }
}

/// What clients take along to a provider beside what the protocol asks for (`AuthenticationRequestExtraParams`), by name.
pub type ExtraParams = BTreeMap<String, String>;

/// Parameters that are the load balancer's own.
const OWN_PARAMS: [&str; 5] = ["client_id", "redirect_uri", "response_type", "scope", "state"];

fn check_params(params: &ExtraParams) -> Result<(), GateError> {
    let member = "AuthenticationRequestExtraParams";
    let bytes: usize = params.iter().map(|(name, value)| name.len() + value.len()).sum();
    if params.len() > Oidc::PARAMS_MAX || bytes > Oidc::PARAMS_BYTES_MAX {
        return Err(GateError::TooManyParams);
    }
    for (name, value) in params {
        check_text(member, name)?;
        if value.chars().any(char::is_control) {
            return Err(GateError::Text(member));
        }
        if OWN_PARAMS.contains(&name.as_str()) {
            return Err(GateError::OwnParam(name.clone()));
        }
    }
    Ok(())
}

/// Whom a load balancer asks who a user is, whichever action names them.
#[derive(Debug, Clone)]
pub struct Provider<'g> {
    /// What `iss` of ID tokens must be.
    pub issuer: Cow<'g, str>,
    /// Where clients are sent to log in.
    pub authorization_endpoint: Cow<'g, str>,
    /// Where codes become tokens.
    pub token_endpoint: Cow<'g, str>,
    /// Where claims are told.
    pub user_info_endpoint: Cow<'g, str>,
    /// Who the load balancer is there.
    pub client_id: &'g str,
    /// What it shows there; `None` where it knows no secret and is a public client (RFC 6749, section 2.1).
    pub client_secret: Option<&'g ClientSecret>,
    /// What clients take along.
    pub extra_params: &'g ExtraParams,
    /// How a user stays known.
    pub session: &'g Session,
}

/// What the authentication by a provider is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcParts {
    /// What `iss` of ID tokens must be.
    pub issuer: String,
    /// Where clients are sent to log in.
    pub authorization_endpoint: String,
    /// Where codes become tokens.
    pub token_endpoint: String,
    /// Where claims are told.
    pub user_info_endpoint: String,
    /// Who the load balancer is for the provider.
    pub client_id: String,
    /// What it shows there.
    pub client_secret: ClientSecret,
    /// What clients take along to the provider.
    #[serde(default, skip_serializing_if = "ExtraParams::is_empty")]
    pub extra_params: ExtraParams,
    /// How a user stays known.
    pub session: Session,
}

/// `authenticate-oidc`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OidcParts", into = "OidcParts")]
pub struct Oidc(OidcParts);

impl Oidc {
    /// Characters of each text. Ours: AWS names no bound.
    pub const CHARS_MAX: usize = 2048;
    /// Further parameters.
    pub const PARAMS_MAX: usize = 10;
    /// Bytes of their names and values, together. Ours: AWS names no bound.
    pub const PARAMS_BYTES_MAX: usize = 4096;

    /// Checks the parts.
    ///
    /// # Errors
    /// When one of them is not what its documentation says.
    pub fn new(parts: OidcParts) -> Result<Self, GateError> {
        for (member, text) in parts.endpoints() {
            check_text(member, text)?;
            if endpoint_way(text).is_none() {
                return Err(GateError::Endpoint(member, text.to_owned()));
            }
        }
        check_text("Issuer", &parts.issuer)?;
        check_text("ClientId", &parts.client_id)?;
        check_text("ClientSecret", parts.client_secret.reveal())?;
        check_params(&parts.extra_params)?;
        parts.session.check()?;
        Ok(Self(parts))
    }

    /// Whom a load balancer asks.
    #[must_use]
    pub fn provider(&self) -> Provider<'_> {
        Provider {
            issuer: Cow::Borrowed(&self.issuer),
            authorization_endpoint: Cow::Borrowed(&self.authorization_endpoint),
            token_endpoint: Cow::Borrowed(&self.token_endpoint),
            user_info_endpoint: Cow::Borrowed(&self.user_info_endpoint),
            client_id: &self.client_id,
            client_secret: Some(&self.client_secret),
            extra_params: &self.extra_params,
            session: &self.session,
        }
    }
}

impl OidcParts {
    /// The endpoints, each with the member that names it.
    #[must_use]
    pub fn endpoints(&self) -> [(&'static str, &str); 3] {
        [
            ("AuthorizationEndpoint", &self.authorization_endpoint),
            ("TokenEndpoint", &self.token_endpoint),
            ("UserInfoEndpoint", &self.user_info_endpoint),
        ]
    }

    /// The member that names an endpoint on this machine, if one does.
    #[must_use]
    pub fn local(&self) -> Option<(&'static str, &str)> {
        self.endpoints().into_iter().find(|(_, url)| endpoint_way(url) == Some(IssuerWay::Local))
    }
}

fn check_text(member: &'static str, text: &str) -> Result<(), GateError> {
    let fits = !text.is_empty() && text.chars().count() <= Oidc::CHARS_MAX && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(GateError::Text(member)) }
}

impl Deref for Oidc {
    type Target = OidcParts;
    fn deref(&self) -> &OidcParts {
        &self.0
    }
}

impl TryFrom<OidcParts> for Oidc {
    type Error = GateError;
    fn try_from(parts: OidcParts) -> Result<Self, GateError> {
        Self::new(parts)
    }
}

impl From<Oidc> for OidcParts {
    fn from(oidc: Oidc) -> Self {
        oidc.0
    }
}

/// What the authentication by a user pool of Amazon Cognito is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CognitoParts {
    /// The pool's ARN.
    pub pool_arn: String,
    /// Who the load balancer is for the pool.
    pub client_id: String,
    /// The domain of the pool: its prefix, or a whole name.
    pub domain: String,
    /// What clients take along to the pool.
    #[serde(default, skip_serializing_if = "ExtraParams::is_empty")]
    pub extra_params: ExtraParams,
    /// How a user stays known.
    pub session: Session,
}

/// `authenticate-cognito` (ELBv2 API reference, AuthenticateCognitoActionConfig, 2026-11)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CognitoParts", into = "CognitoParts")]
pub struct Cognito {
    parts: CognitoParts,
    pool: UserPool,
}

impl Cognito {
    /// Checks the parts.
    ///
    /// # Errors
    /// When one of them is not what its documentation says.
    pub fn new(parts: CognitoParts) -> Result<Self, GateError> {
        let pool = UserPool::parse(&parts.pool_arn).ok_or_else(|| GateError::UserPoolArn(parts.pool_arn.clone()))?;
        if !is_domain(&parts.domain) {
            return Err(GateError::UserPoolDomain(parts.domain));
        }
        check_text("UserPoolClientId", &parts.client_id)?;
        check_params(&parts.extra_params)?;
        parts.session.check()?;
        Ok(Self { parts, pool })
    }

    /// Whom a load balancer asks: the pool's domain, or what stands in its place at this URL. It knows no secret of its client's, since
    /// AWS asks Cognito for it.
    #[must_use]
    pub fn provider(&self, endpoint: Option<&str>) -> Provider<'_> {
        let (issuer, at) = self.pool.addresses(&self.parts.domain, endpoint);
        let below = |path: &str| Cow::Owned(format!("{at}/oauth2/{path}"));
        Provider {
            issuer: Cow::Owned(issuer),
            authorization_endpoint: below("authorize"),
            token_endpoint: below("token"),
            user_info_endpoint: below("userInfo"),
            client_id: &self.parts.client_id,
            client_secret: None,
            extra_params: &self.parts.extra_params,
            session: &self.parts.session,
        }
    }
}

impl Deref for Cognito {
    type Target = CognitoParts;
    fn deref(&self) -> &CognitoParts {
        &self.parts
    }
}

impl TryFrom<CognitoParts> for Cognito {
    type Error = GateError;
    fn try_from(parts: CognitoParts) -> Result<Self, GateError> {
        Self::new(parts)
    }
}

impl From<Cognito> for CognitoParts {
    fn from(cognito: Cognito) -> Self {
        cognito.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> OidcParts {
        OidcParts {
            issuer: "https://idp.example".to_owned(),
            authorization_endpoint: "https://idp.example/authorize?tenant=1".to_owned(),
            token_endpoint: "https://idp.example/token".to_owned(),
            user_info_endpoint: "https://idp.example/me".to_owned(),
            client_id: "shop".to_owned(),
            client_secret: ClientSecret::new("hush".to_owned()),
            extra_params: ExtraParams::new(),
            session: Session::default(),
        }
    }

    #[test]
    fn a_secret_is_kept_and_never_shown() {
        let oidc = Oidc::new(parts()).unwrap();
        assert!(!format!("{oidc:?}").contains("hush"), "{oidc:?}");
        let kept = serde_json::to_string(&oidc).unwrap();
        assert_eq!(serde_json::from_str::<Oidc>(&kept).unwrap(), oidc);
        assert!(kept.contains("hush"));
        assert!(!kept.contains("extra_params"), "what had none is kept as before");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        type Change = fn(&mut OidcParts);
        let rows: [(Change, &str); 14] = [
            (|parts| parts.issuer.clear(), "'Issuer'"),
            (|parts| parts.client_id.push('\n'), "'ClientId'"),
            (|parts| parts.client_secret = ClientSecret::new(String::new()), "'ClientSecret'"),
            (|parts| parts.token_endpoint = "http://idp.example/token".to_owned(), "TokenEndpoint 'http://"),
            (|parts| parts.user_info_endpoint = "idp".to_owned(), "UserInfoEndpoint 'idp'"),
            (|parts| parts.session.cookie_name = "a b".to_owned(), "SessionCookieName 'a b'"),
            (|parts| parts.session.scope.clear(), "'Scope'"),
            (|parts| parts.session.timeout_s = 0, "SessionTimeout '0'"),
            (|parts| parts.session.timeout_s = 604_801, "SessionTimeout '604801'"),
            (|parts| _ = parts.extra_params.insert("state".to_owned(), "a".to_owned()), "'state'"),
            (
                |parts| _ = parts.extra_params.insert(String::new(), "a".to_owned()),
                "'AuthenticationRequestExtraParams'",
            ),
            (|parts| _ = parts.extra_params.insert("a".to_owned(), "\n".to_owned()), "and no control characters"),
            (|parts| _ = parts.extra_params.insert("a".to_owned(), "b".repeat(4096)), "can have at most 10 items"),
            (
                |parts| parts.extra_params = (0..11).map(|n| (n.to_string(), String::new())).collect(),
                "at most 10 items",
            ),
        ];
        for (change, words) in rows {
            let mut parts = parts();
            change(&mut parts);
            let refused = Oidc::new(parts).unwrap_err().to_string();
            assert!(refused.contains(words), "{words}: {refused}");
        }
    }

    #[test]
    fn a_pool_is_a_provider_without_a_secret() {
        let parts = CognitoParts {
            pool_arn: "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_abc".to_owned(),
            client_id: "shop".to_owned(),
            domain: "shop".to_owned(),
            extra_params: ExtraParams::new(),
            session: Session::default(),
        };
        let cognito = Cognito::new(parts.clone()).unwrap();
        let provider = cognito.provider(None);
        assert_eq!(provider.token_endpoint, "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/token");
        assert_eq!(provider.client_secret, None);
        let kept = serde_json::to_string(&cognito).unwrap();
        assert_eq!(serde_json::from_str::<Cognito>(&kept).unwrap(), cognito);
        let refused = |change: fn(&mut CognitoParts)| {
            let mut parts = parts.clone();
            change(&mut parts);
            Cognito::new(parts).unwrap_err().to_string()
        };
        assert!(refused(|parts| parts.pool_arn.clear()).contains("UserPoolArn ''"));
        assert!(refused(|parts| parts.domain.push('/')).contains("UserPoolDomain 'shop/'"));
        assert!(refused(|parts| parts.client_id.clear()).contains("'UserPoolClientId'"));
        assert!(refused(|parts| parts.session.timeout_s = 0).contains("SessionTimeout '0'"));
        assert!(refused(|parts| _ = parts.extra_params.insert("scope".into(), "a".into())).contains("'scope'"));
    }
}
