//! Quick hash: maps and sets whose keys are a few small numbers.
//!
//! The standard hash resists keys that an attacker chose, and takes half of the time of lowering.
//! Keys here are numbered values. Whoever chooses bad ones, by writing a function that makes them,
//! makes the lowering of that function slower, whose size is limited.
//!
//! The hash is that of Firefox and rustc (FxHash): each word is mixed in by a rotation and a
//! multiplication.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

pub(super) type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<QuickHasher>>;
pub(super) type QuickSet<K> = HashSet<K, BuildHasherDefault<QuickHasher>>;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuickHasher(u64);

/// An odd number with many bits: the fraction of π.
const FACTOR: u64 = 0x51_7c_c1_b7_27_22_0a_95;

impl Hasher for QuickHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(word.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
