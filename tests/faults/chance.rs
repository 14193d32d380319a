//! Randomness that can be repeated: the same seed gives the same choices (`SplitMix64`).

use std::sync::atomic::{AtomicU64, Ordering};

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
static SEED: AtomicU64 = AtomicU64::new(1);

/// A source of choices.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The choices of this seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Other choices than every source before it.
    pub(crate) fn fresh() -> Self {
        Self(SEED.fetch_add(1, Ordering::Relaxed).wrapping_mul(STEP))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `end`; 0 if that is 0.
    pub(crate) fn up_to(&mut self, end: u16) -> u16 {
        let end = u64::from(end).max(1);
        u16::try_from(self.next() % end).unwrap_or_default()
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, share: u8) -> bool {
        self.up_to(100) < u16::from(share)
    }

    /// One of these.
    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let end = u16::try_from(all.len()).unwrap_or(u16::MAX);
        all.get(usize::from(self.up_to(end)))
    }
}
