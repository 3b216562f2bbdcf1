//! The id of a certificate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{IdError, lower_hex};

/// A certificate: the UUID that ends its ARN.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateId([u8; 16]);

impl CertificateId {
    /// The id whose digits are `bits`.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits.to_be_bytes())
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let hyphen = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{hyphen}{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for CertificateId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let lengths = text.split('-').map(str::len);
        let bits = lengths.eq([8, 4, 4, 4, 12]).then(|| lower_hex(&text.replace('-', "")));
        bits.flatten().map(Self::from_bits).ok_or(IdError { kind: "CertificateId" })
    }
}

super::serde_as_text!(CertificateId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let id = "01234567-89ab-4def-8123-456789abcdef";
        assert_eq!(id.parse::<CertificateId>().unwrap().to_string(), id);
        for near in [
            "",
            "01234567-89AB-4def-8123-456789abcdef",
            "0123456789ab4def8123456789abcdef",
            "0123456-789ab-4def-8123-456789abcdef",
        ] {
            assert!(near.parse::<CertificateId>().is_err(), "{near}");
        }
    }
}
