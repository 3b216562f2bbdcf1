//! Makes ids and secrets. What they begin with comes in from outside, so that tests get the same ones each time; nothing here
//! asks for randomness.

use sha2::{Digest as _, Sha256};
use topology::id::CertificateId;

/// A source of ids: SplitMix64, which never repeats within 2^64 steps. Ids are names, not secrets: from a few of them the rest
/// can be told. Secrets come from a key of their own, which no id shows anything of.
#[derive(Clone)]
pub struct Mint {
    state: u64,
    key: [u8; 32],
    drawn: u64,
}

impl std::fmt::Debug for Mint {
    /// Without the key, which no log may hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mint").finish_non_exhaustive()
    }
}

/// The letters and digits of a secret.
const SECRET_CHARS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Mint {
    /// A source of ids that starts from this seed. Its secrets can be told from the seed: it is for ids alone, and for tests.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed, key: [0; 32], drawn: 0 }
    }

    /// A source whose secrets come from `key`, 32 bytes that nobody else knows.
    #[must_use]
    pub const fn with_key(seed: u64, key: [u8; 32]) -> Self {
        Self { state: seed, key, drawn: 0 }
    }

    /// A secret of so many letters and digits: SHA-256 over the key and a counter, with what would favour some of them left out.
    pub fn secret(&mut self, chars: usize) -> String {
        let mut secret = String::with_capacity(chars);
        while secret.len() < chars {
            let fair = self.secret_bytes().into_iter().filter(|byte| usize::from(*byte) < 4 * SECRET_CHARS.len());
            let drawn = fair.map(|byte| char::from(SECRET_CHARS[usize::from(byte) % SECRET_CHARS.len()]));
            secret.extend(drawn.take(chars - secret.len()));
        }
        secret
    }

    /// A secret of 32 bytes.
    pub fn secret_bytes(&mut self) -> [u8; 32] {
        let block = Sha256::new().chain_update(self.key).chain_update(self.drawn.to_be_bytes()).finalize();
        self.drawn += 1;
        block.into()
    }

    /// A key for this purpose alone, which neither ids nor secrets tell anything of.
    #[must_use]
    pub fn key_for(&self, purpose: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.key).chain_update(purpose).finalize().into()
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next 128 bits.
    pub fn wide(&mut self) -> u128 {
        (u128::from(self.bits()) << 64) | u128::from(self.bits())
    }

    /// A number of exactly `digits` decimal digits (1–18), for names such as a load balancer's.
    pub fn decimal(&mut self, digits: u32) -> u64 {
        let low = 10u64.pow(digits.clamp(1, 18) - 1);
        low + self.bits() % (low * 9)
    }

    /// A certificate's id: a random-looking UUID, version 4.
    pub fn certificate_id(&mut self) -> CertificateId {
        let mut bytes = self.wide().to_be_bytes();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        CertificateId::from_bits(u128::from_be_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_have_their_length() {
        let mut mint = Mint::with_key(1, [7; 32]);
        let (one, two) = (mint.secret(40), mint.secret(100));
        assert_eq!((one.len(), two.len()), (40, 100));
        assert!(one.bytes().chain(two.bytes()).all(|b| b.is_ascii_alphanumeric()));
        assert!(!two.starts_with(&one));
        assert_ne!(Mint::with_key(1, [8; 32]).secret(40), one, "another key makes others");
        assert_eq!(Mint::with_key(2, [7; 32]).secret(40), one, "the ids' seed makes no difference");
        assert!(!format!("{mint:?}").contains('7'));
    }
}
