//! Random numbers for the generator: the same seed, the same program, for ever and on every machine.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): a few lines, no state but a
//! counter, and good enough that no pattern shows in programs. Not for secrets.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // The bias is far below what a test could notice.
        (self.bits() % end.max(1) as u64) as usize
    }

    /// True in `part` of `whole` cases.
    pub fn one_in(&mut self, part: usize, whole: usize) -> bool {
        self.below(whole) < part
    }

    /// One of the choices.
    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// A seed that no run had before, small enough to be typed.
pub fn fresh_seed() -> u64 {
    // The standard library seeds its hash maps from the system: no further crate is needed for that.
    RandomState::new().build_hasher().finish() % 1_000_000_000
}
