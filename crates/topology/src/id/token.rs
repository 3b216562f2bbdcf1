//! What a token for agents is known by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::IdError;

/// A token that agents are enrolled with: the SHA-256 of its secret, in 64 lower-case hexadecimal digits. The secret cannot be told from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The token whose secret has this hash.
    #[must_use]
    pub const fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for TokenHash {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
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
        let hash = bytes.and_then(|bytes| bytes.try_into().ok());
        hash.map(Self).ok_or(IdError { kind: "TokenHash" })
    }
}

super::serde_as_text!(TokenHash);

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
