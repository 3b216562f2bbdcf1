//! What the authentication of users by a user pool of Amazon Cognito is made of (ELBv2 API reference, AuthenticateCognitoActionConfig,
//! 2026-11). One that AWS would refuse cannot be made. A pool is a provider of OpenID Connect like any other.

use std::borrow::Cow;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::gate::GateError;
use super::oidc::{ExtraParams, Provider, Session, check_params, check_text};
use crate::id::Region;

/// Characters of a domain (RFC 1035, section 2.3.4).
const DOMAIN_CHARS_MAX: usize = 253;

/// Region and id of the pool that an ARN names: `arn:aws:cognito-idp:{region}:{account}:userpool/{id}`.
pub(crate) fn pool(arn: &str) -> Option<(Region, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (service, region) = (parts.nth(2)?, parts.next()?.parse().ok()?);
    let id = parts.nth(1)?.strip_prefix("userpool/")?;
    (service == "cognito-idp").then_some((region, id))
}

/// What the authentication by a user pool is made of.
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

/// `authenticate-cognito`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CognitoParts", into = "CognitoParts")]
pub struct Cognito {
    parts: CognitoParts,
    region: Region,
    pool: String,
}

impl Cognito {
    /// Checks the parts.
    ///
    /// # Errors
    /// When one of them is not what its documentation says.
    pub fn new(parts: CognitoParts) -> Result<Self, GateError> {
        let refused = || GateError::UserPoolArn(parts.pool_arn.clone());
        let (region, pool) = pool(&parts.pool_arn).ok_or_else(refused)?;
        let is_letter = |b: u8| b.is_ascii_alphanumeric();
        let is_id = |id: &str| id.split_once('_').is_some_and(|(_, id)| !id.is_empty() && id.bytes().all(is_letter));
        if !is_id(pool) || !pool.starts_with(&format!("{region}_")) || !has_account(&parts.pool_arn) {
            return Err(refused());
        }
        let is_label = |label: &str| {
            let fits = |b: u8| is_letter(b) || b == b'-';
            !label.is_empty() && label.bytes().all(fits) && !label.starts_with('-') && !label.ends_with('-')
        };
        if parts.domain.len() > DOMAIN_CHARS_MAX || !parts.domain.split('.').all(is_label) {
            return Err(GateError::UserPoolDomain(parts.domain));
        }
        check_text("UserPoolClientId", &parts.client_id)?;
        check_params(&parts.extra_params)?;
        parts.session.check()?;
        Ok(Self { pool: pool.to_owned(), region, parts })
    }

    /// Whom a load balancer asks: the pool's domain, or what stands in its place at this URL. It knows no secret of its client's, since
    /// AWS asks Cognito for it.
    #[must_use]
    pub fn provider(&self, endpoint: Option<&str>) -> Provider<'_> {
        let (region, pool, domain) = (&self.region, &self.pool, &self.parts.domain);
        let (issuer, at) = match endpoint.map(|endpoint| endpoint.trim_end_matches('/')) {
            Some(endpoint) => (format!("{endpoint}/{pool}"), endpoint.to_owned()),
            None => (
                format!("https://cognito-idp.{region}.amazonaws.com/{pool}"),
                if domain.contains('.') {
                    format!("https://{domain}")
                } else {
                    format!("https://{domain}.auth.{region}.amazoncognito.com")
                },
            ),
        };
        Provider {
            issuer: Cow::Owned(issuer),
            authorization_endpoint: Cow::Owned(format!("{at}/oauth2/authorize")),
            token_endpoint: Cow::Owned(format!("{at}/oauth2/token")),
            user_info_endpoint: Cow::Owned(format!("{at}/oauth2/userInfo")),
            client_id: &self.parts.client_id,
            client_secret: None,
            extra_params: &self.parts.extra_params,
            session: &self.parts.session,
        }
    }
}

fn has_account(arn: &str) -> bool {
    arn.split(':').nth(4).is_some_and(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
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

    const ARN: &str = "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_abc123DEF";

    fn made(arn: &str, domain: &str) -> Result<Cognito, GateError> {
        let (pool_arn, domain) = (arn.to_owned(), domain.to_owned());
        let (client_id, session) = ("shop".to_owned(), Session::default());
        Cognito::new(CognitoParts { pool_arn, client_id, domain, extra_params: ExtraParams::new(), session })
    }

    /// Issuer and token endpoint.
    fn asked(domain: &str, endpoint: Option<&str>) -> (String, String) {
        let cognito = made(ARN, domain).unwrap();
        let provider = cognito.provider(endpoint);
        (provider.issuer.into_owned(), provider.token_endpoint.into_owned())
    }

    #[test]
    fn a_pool_is_asked_at_its_domain_or_at_the_configured_place() {
        let own = |issuer: &str, token: &str| (issuer.to_owned(), token.to_owned());
        let issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc123DEF";
        let by_prefix = "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/token";
        assert_eq!(asked("shop", None), own(issuer, by_prefix));
        assert_eq!(asked("login.shop.example", None), own(issuer, "https://login.shop.example/oauth2/token"));
        let local = own("http://127.0.0.1:9229/eu-west-1_abc123DEF", "http://127.0.0.1:9229/oauth2/token");
        assert_eq!(asked("shop", Some("http://127.0.0.1:9229/")), local);
    }

    #[test]
    fn what_cannot_be_is_refused_and_what_can_be_is_kept() {
        for arn in [
            "eu-west-1_abc",
            "arn:aws:cognito-idp:eu-west-1:0:userpool/eu-west-1_abc",
            "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/us-east-1_abc",
            "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_",
            "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_a/b",
            "arn:aws:elasticloadbalancing:eu-west-1:000000000000:userpool/eu-west-1_abc",
        ] {
            assert_eq!(made(arn, "shop"), Err(GateError::UserPoolArn(arn.to_owned())));
        }
        for domain in ["", "a..b", "shop/", "a@b", "-a", "a-", &"a".repeat(254)] {
            assert_eq!(made(ARN, domain), Err(GateError::UserPoolDomain(domain.to_owned())));
        }
        let cognito = made(ARN, "shop").unwrap();
        let kept = serde_json::to_string(&cognito).unwrap();
        assert_eq!(serde_json::from_str::<Cognito>(&kept).unwrap(), cognito);
        assert!(serde_json::from_str::<Cognito>(&kept.replace("\"shop\"", "\"\"")).is_err());
    }
}
