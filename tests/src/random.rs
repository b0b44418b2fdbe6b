//! Random numbers for the generators: the same seed, the same program, for ever and on every machine.
//!
//! A fuzzer draws the choices itself: then they are bytes, each the outcome of one choice, so that a small change of the
//! bytes is a small change of the program. When they are used up every choice is the first one; generators put there
//! what ends soonest.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): a few lines, no state but a
//! counter, and good enough that no pattern shows in programs. Not for secrets.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

/// A stream of choices.
#[derive(Clone, Debug)]
pub struct Random(Stream);

#[derive(Clone, Debug)]
enum Stream {
    Seed(u64),
    Bytes(std::vec::IntoIter<u8>),
}

impl Random {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Stream::Seed(seed))
    }

    /// The stream that somebody else has drawn.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let bytes: Vec<u8> = bytes.into();
        Self(Stream::Bytes(bytes.into_iter()))
    }

    /// Whether the choices are used up, which those of a seed never are.
    pub fn is_used_up(&self) -> bool {
        matches!(&self.0, Stream::Bytes(rest) if rest.as_slice().is_empty())
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end.max(1) as u64;
        let bits = match &mut self.0 {
            Stream::Seed(state) => split_mix(state),
            Stream::Bytes(rest) if end <= 256 => rest.next().map_or(0, u64::from),
            Stream::Bytes(rest) => rest.take(8).fold(0, |bits, byte| bits << 8 | u64::from(byte)),
        };
        // The bias is far below what a test could notice.
        (bits % end) as usize
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

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seed that no run had before, small enough to be typed.
pub fn fresh_seed() -> u64 {
    // The standard library seeds its hash maps from the system: no further crate is needed for that.
    RandomState::new().build_hasher().finish() % 1_000_000_000
}
