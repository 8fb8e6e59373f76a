//! The forecast's own source of pseudo-random numbers: the same on every machine, seeded by the caller.

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and a finaliser, good enough for drawing block starts.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// A stream that depends on the seed alone.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
