//! Random choices for the generators. A seed gives the same program on every machine.
//!
//! A fuzzer supplies the choices as bytes, one byte for one choice, so a small change of the bytes
//! is a small change of the program. After the last byte every choice is 0: generators put the
//! shortest option first.
//!
//! The numbers of a seed come from SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
//! number generators", 2014): a few lines of code, a counter as its only state, and no visible
//! pattern in programs. Not for secrets.

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
    /// Returns the stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Stream::Seed(seed))
    }

    /// Returns a stream whose choices are these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let bytes: Vec<u8> = bytes.into();
        Self(Stream::Bytes(bytes.into_iter()))
    }

    /// Returns whether the bytes are used up. The stream of a seed never ends.
    pub fn is_used_up(&self) -> bool {
        matches!(&self.0, Stream::Bytes(rest) if rest.as_slice().is_empty())
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end.max(1) as u64;
        let bits = match &mut self.0 {
            Stream::Seed(state) => split_mix(state),
            Stream::Bytes(rest) if end <= 256 => rest.next().map_or(0, u64::from),
            Stream::Bytes(rest) => rest.take(8).fold(0, |bits, byte| bits << 8 | u64::from(byte)),
        };
        // The bias of `%` is too small for a test to notice.
        (bits % end) as usize
    }

    /// Returns true in `part` of `whole` cases.
    pub fn one_in(&mut self, part: usize, whole: usize) -> bool {
        self.below(whole) < part
    }

    /// Returns one of the choices.
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

/// Returns a new seed, small enough to type.
pub fn fresh_seed() -> u64 {
    // The standard library seeds its hash maps from the system, so this needs no other crate.
    RandomState::new().build_hasher().finish() % 1_000_000_000
}
