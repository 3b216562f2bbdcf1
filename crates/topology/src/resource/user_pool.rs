//! User pools of Amazon Cognito, which are nobody's resources here: what their ARNs and domains name, and where they are asked (Amazon
//! Cognito developer guide, "User pool endpoints and managed login reference", 2026-11).

use crate::id::Region;

/// Characters of a domain (RFC 1035, section 2.3.4).
const DOMAIN_CHARS_MAX: usize = 253;

/// Region and id of the pool that an ARN names: `arn:aws:cognito-idp:{region}:{account}:userpool/{id}`.
pub(crate) fn named(arn: &str) -> Option<(Region, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (service, region) = (parts.nth(2)?, parts.next()?.parse().ok()?);
    let id = parts.nth(1)?.strip_prefix("userpool/")?;
    (service == "cognito-idp").then_some((region, id))
}

/// A pool, by an ARN in which everything is as AWS writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserPool {
    region: Region,
    id: String,
}

impl UserPool {
    /// The pool that an ARN names: its id begins with its region.
    pub(super) fn parse(arn: &str) -> Option<Self> {
        let (region, id) = named(arn)?;
        let letters = id.strip_prefix(region.as_str())?.strip_prefix('_')?;
        let account = arn.split(':').nth(4)?;
        let has_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let is_id = !letters.is_empty() && letters.bytes().all(|b| b.is_ascii_alphanumeric());
        (arn.starts_with("arn:aws:") && has_account && is_id).then(|| Self { region, id: id.to_owned() })
    }

    /// What `iss` of its tokens is, and the URL that its pages for users are below: those of this domain, or what stands in AWS's place.
    pub(super) fn addresses(&self, domain: &str, endpoint: Option<&str>) -> (String, String) {
        let (region, id) = (&self.region, &self.id);
        if let Some(endpoint) = endpoint.map(|endpoint| endpoint.trim_end_matches('/')) {
            return (format!("{endpoint}/{id}"), endpoint.to_owned());
        }
        let issuer = format!("https://cognito-idp.{region}.amazonaws.com/{id}");
        let is_whole = domain.contains('.');
        let end = if is_whole { String::new() } else { format!(".auth.{region}.amazoncognito.com") };
        (issuer, format!("https://{domain}{end}"))
    }
}

/// Whether a text can be the domain of a pool: its prefix, or a whole name.
pub(super) fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty() && label.bytes().all(fits) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= DOMAIN_CHARS_MAX && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_abc123DEF";

    #[test]
    fn a_pool_is_asked_at_its_domain_or_at_the_configured_place() {
        let own = |issuer: &str, at: &str| (issuer.to_owned(), at.to_owned());
        let pool = UserPool::parse(ARN).unwrap();
        let issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc123DEF";
        assert_eq!(pool.addresses("shop", None), own(issuer, "https://shop.auth.eu-west-1.amazoncognito.com"));
        assert_eq!(pool.addresses("login.shop.example", None), own(issuer, "https://login.shop.example"));
        let local = own("http://127.0.0.1:9229/eu-west-1_abc123DEF", "http://127.0.0.1:9229");
        assert_eq!(pool.addresses("shop", Some("http://127.0.0.1:9229/")), local);
    }

    #[test]
    fn what_names_no_pool_is_none() {
        for arn in [
            "eu-west-1_abc",
            "arn:aws:cognito-idp:eu-west-1:0:userpool/eu-west-1_abc",
            "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/us-east-1_abc",
            "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_",
            "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_a/b",
            "arn:aws:elasticloadbalancing:eu-west-1:000000000000:userpool/eu-west-1_abc",
            "arn:other:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_abc",
        ] {
            assert_eq!(UserPool::parse(arn), None, "{arn}");
        }
    }

    #[test]
    fn domains_are_names() {
        let longest = ["a"; 127].join(".");
        for domain in ["shop", "login.shop.example", &longest] {
            assert!(is_domain(domain), "{domain}");
        }
        for domain in ["", "a..b", "shop/", "a@b", "-a", "a-", "a:1", &format!("{longest}.a")] {
            assert!(!is_domain(domain), "{domain}");
        }
    }
}
