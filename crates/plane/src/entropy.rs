//! Random bits for request ids, trace ids and random choices. They must not repeat, but they guard nothing: no secret is
//! made here.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(std::thread::current().id()));
}

/// 64 random bits (SplitMix64, seeded for each thread by the standard library's hash keys).
pub(crate) fn bits64() -> u64 {
    STATE.with(|state| {
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// 128 random bits.
pub(crate) fn bits128() -> u128 {
    (u128::from(bits64()) << 64) | u128::from(bits64())
}

/// A random number below `bound`; 0 when the bound is 0.
pub(crate) fn below(bound: u32) -> u32 {
    // The high half of a 64-bit product is below the bound, so it fits.
    u32::try_from((u64::from(bound) * (bits64() >> 32)) >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_do_not_repeat_and_choices_stay_below_their_bound() {
        let ids: std::collections::HashSet<u128> = (0..10_000).map(|_| bits128()).collect();
        assert_eq!(ids.len(), 10_000);
        let seen: std::collections::HashSet<u32> = (0..1000).map(|_| below(3)).collect();
        assert_eq!(seen, [0, 1, 2].into());
        assert_eq!(below(0), 0);
    }
}
