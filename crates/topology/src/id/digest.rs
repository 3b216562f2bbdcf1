//! What is known by a SHA-256: of what cannot be told from it, or of what is longer than a name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::IdError;

/// Each is 64 lower-case hexadecimal digits.
macro_rules! digests {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// That of this SHA-256.
            #[must_use]
            pub const fn from_bytes(digest: [u8; 32]) -> Self {
                Self(digest)
            }

            /// The SHA-256.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                read(text).map(Self).ok_or(IdError { kind: stringify!($name) })
            }
        }

        super::serde_as_text!($name);
    )*};
}

digests! {
    /// A token that agents are enrolled with: the SHA-256 of its secret, which cannot be told from it.
    TokenHash;
    /// An authority of the link: the SHA-256 of its public key (its SubjectPublicKeyInfo in DER, RFC 5280, 4.1).
    AuthorityPin;
}

fn read(text: &str) -> Option<[u8; 32]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(value(*high)? << 4 | value(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_what_it_prints() {
        let text = "00ff".repeat(16);
        assert_eq!(text.parse::<TokenHash>().unwrap().to_string(), text);
        for near in ["", "00", &text.to_uppercase(), &text[1..], &format!("{text}0"), &text.replace('f', "g")] {
            assert!(near.parse::<TokenHash>().is_err(), "{near}");
        }
    }
}
