//! Makes ids. The seed comes in from outside, so tests get the same ids each time; nothing here asks for randomness.

/// A source of ids: SplitMix64, which never repeats within 2^64 steps. Ids are names, not secrets.
#[derive(Debug, Clone)]
pub struct Mint {
    state: u64,
}

impl Mint {
    /// A source that starts from this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
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

    /// A random-looking UUID, version 4.
    pub fn uuid(&mut self) -> String {
        let mut bytes = self.wide().to_be_bytes();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}
