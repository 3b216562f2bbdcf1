//! Maps for the hot path. The keys are ids and addresses that this program mints or compiles, so that no outsider chooses
//! them and the standard library's keyed hash buys nothing.

use std::hash::{BuildHasherDefault, Hasher};

/// A map with the hash of this module.
pub type Map<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Rotates and multiplies words; the end folds the high bits onto the low ones, where the map looks.
#[derive(Debug, Default, Clone, Copy)]
pub struct IdHasher(u64);

/// An odd number with its bits well spread (from the golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl IdHasher {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(SPREAD);
    }
}

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.word(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.word(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.word(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }

    fn write_u128(&mut self, value: u128) {
        // Both halves, by intent cut to 64 bits each.
        self.word((value & u128::from(u64::MAX)) as u64);
        self.word((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    #[test]
    fn neighbouring_ids_fall_into_different_places() {
        let build = BuildHasherDefault::<IdHasher>::default();
        let mut places = std::collections::HashSet::new();
        for id in 0..4096u128 {
            places.insert(build.hash_one(id) & 0xffff);
        }
        assert!(places.len() > 3700, "{}", places.len());
    }
}
