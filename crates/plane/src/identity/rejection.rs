//! Why a token does not let its bearer in, and how that is said: the reason code, the challenge to the client, and the sentence
//! for the operator, which names what was asked and what was offered. The token itself and its signature are never repeated.
//!
//! The client's side follows the HTTP API developer guide, "Troubleshooting issues with HTTP API JWT authorizers" (2026-11); the
//! descriptions that AWS does not document are ours (docs/differences-from-aws.md, "Assumed").

use std::sync::Arc;

use http::HeaderValue;
use topology::reason::Reason;

use super::fetch::FetchError;
use crate::limits::SHOWN_ITEMS_MAX;

/// Characters of a claim that are repeated in a trace.
const SHOWN_CHARS_MAX: usize = 120;

/// Why a token does not let its bearer in.
#[derive(Debug, Clone)]
pub(crate) enum Rejection {
    /// The identity source is empty.
    Missing {
        /// The identity source.
        source: String,
    },
    /// It is no token that this gateway reads.
    Malformed(&'static str),
    /// It has no `exp`.
    NoExpiry,
    /// A claim has a type that it may not have.
    ClaimType(&'static str),
    /// A claim that a listener's rule asks for is not there.
    ClaimAbsent {
        /// Its name.
        name: String,
    },
    /// A claim that a listener's rule asks for has another form.
    ClaimForm {
        /// Its name.
        name: String,
        /// The form that is asked for, as AWS names it.
        asked: &'static str,
    },
    /// A claim that a listener's rule asks for says something else.
    ClaimValue {
        /// Its name.
        name: String,
        /// What it may say.
        asked: Vec<String>,
        /// What it says.
        offered: Vec<String>,
    },
    /// Its algorithm is not accepted.
    Algorithm {
        /// Those that are.
        asked: &'static str,
        /// What its header says.
        offered: Option<String>,
    },
    /// The issuer has no key of this id.
    KeyUnknown {
        /// What its header says.
        kid: Option<String>,
        /// The ids that there are.
        known: Vec<String>,
    },
    /// The signature is not this key's.
    BadSignature {
        /// The key.
        kid: String,
    },
    /// Its time is over.
    Expired {
        /// `exp`
        at: f64,
        /// Now.
        now: f64,
    },
    /// Its time has not come.
    NotYetValid {
        /// `nbf` or `iat`.
        claim: &'static str,
        /// What it says.
        at: f64,
        /// Now.
        now: f64,
    },
    /// Another issuer made it.
    Issuer {
        /// The authorizer's issuer.
        asked: String,
        /// `iss`
        offered: Option<String>,
    },
    /// It is for another audience.
    Audience {
        /// The authorizer's audiences.
        asked: Vec<String>,
        /// The claim that was looked at.
        claim: &'static str,
        /// What it says.
        offered: Vec<String>,
    },
    /// It has none of the route's scopes.
    Scope {
        /// The route's scopes.
        asked: Vec<String>,
        /// The token's.
        offered: Vec<String>,
    },
    /// The issuer's keys cannot be had.
    Unreachable(Arc<FetchError>),
}

impl Rejection {
    /// The reason code.
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::Missing { .. } => Reason::TokenMissing,
            Self::Malformed(_) | Self::NoExpiry | Self::ClaimType(_) => Reason::TokenMalformed,
            Self::ClaimAbsent { .. } | Self::ClaimForm { .. } | Self::ClaimValue { .. } => Reason::JwtClaim,
            Self::Algorithm { .. } => Reason::JwtAlgorithm,
            Self::KeyUnknown { .. } => Reason::JwtKeyUnknown,
            Self::BadSignature { .. } => Reason::JwtBadSignature,
            Self::Expired { .. } => Reason::JwtExpired,
            Self::NotYetValid { .. } => Reason::JwtNotYetValid,
            Self::Issuer { .. } => Reason::JwtIssuer,
            Self::Audience { .. } => Reason::JwtAudience,
            Self::Scope { .. } => Reason::ScopeMissing,
            Self::Unreachable(_) => Reason::IssuerUnreachable,
        }
    }

    /// `error` and `error_description` of the challenge; none where no token came.
    fn error(&self) -> Option<(&'static str, &'static str)> {
        let description = match self {
            Self::Missing { .. } => return None,
            Self::Scope { .. } => {
                return Some(("insufficient_scope", "the token does not have any of the required scopes"));
            }
            Self::Malformed(_) | Self::NoExpiry | Self::ClaimType(_) => "the token is malformed",
            Self::ClaimAbsent { .. } | Self::ClaimForm { .. } | Self::ClaimValue { .. } => {
                "the token does not have the required claims"
            }
            Self::Algorithm { .. } => "the signing method is invalid",
            Self::KeyUnknown { .. } => "unable to find a signing key that matches the kid",
            Self::BadSignature { .. } => "signature is invalid",
            Self::Expired { .. } => "the token has expired",
            Self::NotYetValid { .. } => "the token is not valid yet",
            Self::Issuer { .. } => "the token has invalid issuer",
            Self::Audience { .. } => "the token does not have a valid audience",
            Self::Unreachable(error) => error.description(),
        };
        Some(("invalid_token", description))
    }

    /// `www-authenticate`
    pub(crate) fn challenge(&self, scopes: &[String]) -> HeaderValue {
        let bare = HeaderValue::from_static("Bearer");
        let Some((error, description)) = self.error() else { return bare };
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).filter(|scope| is_scope(scope)).collect();
        let text =
            format!("Bearer scope=\"{}\" error=\"{error}\" error_description=\"{description}\"", scopes.join(" "));
        HeaderValue::try_from(text).unwrap_or(bare)
    }

    /// `$context.authorizer.error`
    pub(crate) fn variable(&self) -> Option<String> {
        self.error().map(|(error, description)| format!("{error}: {description}"))
    }

    /// The sentence for the operator.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Missing { source } => format!("asked for a token in {source}; the request has none there"),
            Self::Malformed(what) => format!("the token {what}"),
            Self::NoExpiry => "the token has no exp".to_owned(),
            Self::ClaimType(claims) => format!("the token has a claim of the wrong type ({claims})"),
            Self::ClaimAbsent { name } => format!("asked for the claim {}; the token has none", shown(name)),
            Self::ClaimForm { name, asked } => format!("asked for the claim {} as {asked}; it is not", shown(name)),
            Self::ClaimValue { name, asked, offered } => {
                format!("asked for {} in the claim {}; the token says {}", list(asked), shown(name), list(offered))
            }
            Self::Algorithm { asked, offered } => {
                format!("asked for {asked}; the token says {}", shown_or(offered.as_deref(), "no alg"))
            }
            Self::KeyUnknown { kid, known } => {
                format!(
                    "the token's kid is {}; the issuer's keys are {}",
                    shown_or(kid.as_deref(), "absent"),
                    list(known)
                )
            }
            Self::BadSignature { kid } => format!("the signature does not fit key {}", shown(kid)),
            Self::Expired { at, now } => format!("exp is {at}, now is {now:.0}"),
            Self::NotYetValid { claim, at, now } => format!("{claim} is {at}, now is {now:.0}"),
            Self::Issuer { asked, offered } => {
                format!("asked for iss {asked}; the token says {}", shown_or(offered.as_deref(), "no iss"))
            }
            Self::Audience { asked, claim, offered } => {
                format!("asked for one of the audiences {}; the token's {claim} is {}", list(asked), list(offered))
            }
            Self::Scope { asked, offered } => {
                format!("asked for one of the scopes {}; the token has {}", list(asked), list(offered))
            }
            Self::Unreachable(error) => error.to_string(),
        }
    }
}

/// What may stand within the quotes of a challenge (RFC 6749, section 3.3).
fn is_scope(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    let first = items.iter().take(SHOWN_ITEMS_MAX).map(|item| shown(item)).collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(SHOWN_ITEMS_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn shown_or(text: Option<&str>, otherwise: &str) -> String {
    text.map_or_else(|| otherwise.to_owned(), shown)
}

/// A text of the token's, which may be anything: cut, and without control characters.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { '?' } else { c }).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_have_the_documented_form() {
        let audience = Rejection::Audience { asked: Vec::new(), claim: "aud", offered: Vec::new() };
        let text =
            "Bearer scope=\"\" error=\"invalid_token\" error_description=\"the token does not have a valid audience\"";
        assert_eq!(audience.challenge(&[]), text);
        assert_eq!(audience.variable().unwrap(), "invalid_token: the token does not have a valid audience");
        let missing = Rejection::Missing { source: String::new() };
        assert_eq!((missing.challenge(&[]), missing.variable()), (HeaderValue::from_static("Bearer"), None));
        let scopes = ["a".to_owned(), "b:c".to_owned(), "\"evil\r\n".to_owned()];
        let scope = Rejection::Scope { asked: scopes.to_vec(), offered: Vec::new() };
        let challenge = scope.challenge(&scopes);
        assert!(challenge.to_str().unwrap().starts_with("Bearer scope=\"a b:c\" error=\"insufficient_scope\""));
    }

    #[test]
    fn what_a_token_says_is_cut_and_cleaned() {
        assert_eq!(shown("a\r\nb"), "a??b");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), SHOWN_CHARS_MAX + 1);
        assert_eq!(list(&[]), "none");
        let many: Vec<_> = (0..256).map(|number| number.to_string()).collect();
        assert_eq!(list(&many[..8]), "0, 1, 2, 3, 4, 5, 6, 7");
        assert_eq!(list(&many), "0, 1, 2, 3, 4, 5, 6, 7 and 248 more");
    }
}
