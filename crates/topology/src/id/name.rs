//! Names by which resources are known, where AWS has no ids for them. Each is read once and shared; what AWS would refuse is none.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::IdError;

/// Kinds of names, and how a text is read as one.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident $read:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                $read(text).map(Self).ok_or(IdError { kind: stringify!($name) })
            }
        }
        serde_as_text!($name);
    )*};
}

names! {
    /// A stage's name: 1 to 128 letters, digits, hyphens and underscores, or `$default`, which only HTTP APIs have (API Gateway API
    /// references, CreateStage, 2026-11).
    StageName stage;
    /// A log group's name: 1 to 512 letters, digits and `.`, `_`, `-`, `/`, `#` (CloudWatch Logs API reference, CreateLogGroup,
    /// 2026-11).
    LogGroupName log_group;
    /// The name of a custom domain name, in lower case: two labels or more of letters, digits and hyphens, 253 bytes at most, with
    /// `*.` before them where it stands for all names one level below (HTTP API developer guide, "Wildcard custom domain names",
    /// 2026-11).
    HostName host;
}

fn stage(text: &str) -> Option<Arc<str>> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let fits = (1..=128).contains(&text.len()) && text.bytes().all(plain);
    (fits || text == StageName::DEFAULT).then(|| text.into())
}

fn log_group(text: &str) -> Option<Arc<str>> {
    let spelled = |b: u8| b.is_ascii_alphanumeric() || b"._-/#".contains(&b);
    let fits = (1..=512).contains(&text.len()) && text.bytes().all(spelled);
    fits.then(|| text.into())
}

fn host(text: &str) -> Option<Arc<str>> {
    let rest = text.strip_prefix("*.").unwrap_or(text);
    let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let fits = rest.contains('.') && rest.len() <= 253 && rest.split('.').all(label);
    fits.then(|| text.to_ascii_lowercase().into())
}

impl StageName {
    /// The stage that is served at the root.
    pub const DEFAULT: &'static str = "$default";

    /// `$default`.
    #[must_use]
    pub fn at_root() -> Self {
        Self::known(Self::DEFAULT)
    }

    /// A name of ours, which is one.
    pub(crate) fn known(name: &'static str) -> Self {
        Self(name.into())
    }

    /// Whether it is `$default`.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.as_str() == Self::DEFAULT
    }
}

impl PartialEq<str> for StageName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl LogGroupName {
    /// A name that is put together of ids and names, which hold no other characters.
    pub(crate) fn of_parts(parts: fmt::Arguments<'_>) -> Self {
        Self(parts.to_string().into())
    }
}

/// A host of a request is looked up as it came.
impl Borrow<str> for HostName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_table() {
        let long = "a".repeat(129);
        for (text, is_stage, is_group, is_host) in [
            ("prod-1_a", true, true, false),
            ("$default", true, false, false),
            ("", false, false, false),
            ("/aws/x.y#z", false, true, false),
            ("API.example.com", false, true, true),
            ("*.example.com", false, false, true),
            ("*.*.example.com", false, false, false),
            ("a..b", false, true, false),
            (&long, false, true, false),
            ("a b", false, false, false),
        ] {
            let found = (
                text.parse::<StageName>().is_ok(),
                text.parse::<LogGroupName>().is_ok(),
                text.parse::<HostName>().is_ok(),
            );
            assert_eq!(found, (is_stage, is_group, is_host), "{text}");
        }
        assert_eq!("API.Example.com".parse::<HostName>().unwrap().as_str(), "api.example.com");
    }
}
