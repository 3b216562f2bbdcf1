//! Chance, for what is no secret.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// Randomness from the system, by way of the standard library's own hasher keys. Ids are names, not secrets.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
