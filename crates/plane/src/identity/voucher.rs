//! Who may vouch for tokens, by name alone. Whether it does is asked in `identity`; what it knows stands in `issuer`.

use std::collections::HashSet;

/// Who vouches for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voucher<'u> {
    /// An issuer, by its URL; its discovery document says where its keys are.
    Issuer(&'u str),
    /// Keys at a URL of their own, for tokens of RS256.
    Endpoint {
        /// Where the keys are.
        url: &'u str,
        /// What `iss` must be.
        issuer: &'u str,
    },
}

impl<'u> Voucher<'u> {
    /// Where it is asked for keys.
    pub(crate) const fn url(self) -> &'u str {
        match self {
            Self::Issuer(url) | Self::Endpoint { url, .. } => url,
        }
    }

    /// What `iss` must be.
    pub(crate) const fn issuer(self) -> &'u str {
        match self {
            Self::Issuer(issuer) | Self::Endpoint { issuer, .. } => issuer,
        }
    }

    /// How it is asked for keys.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Issuer(_) => Kind::Issuer,
            Self::Endpoint { .. } => Kind::Endpoint,
        }
    }
}

/// How keys are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By way of a discovery document.
    Issuer,
    /// At the URL itself.
    Endpoint,
}

/// The URLs that somebody names.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// Of issuers.
    pub(crate) issuers: HashSet<String>,
    /// Of keys.
    pub(crate) endpoints: HashSet<String>,
}
