//! The widest vectors of this x86-64 processor, for loops that are compiled for several widths.
//!
//! Without a choice at run time, the compiler may use only the 128-bit vectors of SSE2, which
//! every such processor has. It also lacks instructions that round there.
//!
//! Vectors of 512 bits are not used: for some time after them, the processor runs all code with a
//! lower clock. Loops over short arrays in memory hardly gain, and the maths functions between
//! them took 7 % longer.

use crate::vector_loop::VectorLoop;
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Runs the loop, in the copy for the widest vectors of this processor.
#[inline]
pub fn run_vector_loop(vector_loop: impl VectorLoop) {
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the instructions.
        unsafe { run_with_avx2(vector_loop) }
    } else {
        vector_loop.run();
    }
}

/// Fetches the memory into the caches without waiting for it.
#[inline]
pub fn prefetch(values: &[f64]) {
    // The number of doubles in a cache line.
    for line in values.chunks(8) {
        // SAFETY: any address may be passed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

#[target_feature(enable = "avx2")]
fn run_with_avx2(vector_loop: impl VectorLoop) {
    vector_loop.run();
}
