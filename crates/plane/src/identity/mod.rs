//! Who vouches for a caller: issuers of tokens and their keys, tokens and their claims, and the judge of signatures.

pub(crate) mod cache;
pub(crate) mod claims;
pub(crate) mod fetch;
pub(crate) mod issuer;
pub(crate) mod json;
pub(crate) mod keys;
pub(crate) mod rejection;
pub(crate) mod signature;
pub(crate) mod source;
pub(crate) mod token;

pub(crate) use cache::Tokens;
pub(crate) use issuer::Issuers;
