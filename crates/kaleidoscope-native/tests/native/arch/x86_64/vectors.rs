//! Calls of vector maths functions.

use std::arch::x86_64::{__m128d, _mm_set_pd};
use std::mem::transmute;

use kaleidoscope_native::CodeAddress;

/// Calls a vector maths function of one parameter and two lanes.
pub(crate) fn call_with_two_lanes(function: CodeAddress, [first, second]: [f64; 2]) -> [f64; 2] {
    // SAFETY: the caller passes a function of a vector of two doubles that returns one.
    let function =
        unsafe { transmute::<*const (), extern "C" fn(__m128d) -> __m128d>(function.get() as *const ()) };
    // SAFETY: every processor of this architecture has vectors of two doubles.
    let results = function(unsafe { _mm_set_pd(second, first) });
    // SAFETY: a vector of two doubles is two doubles.
    unsafe { transmute::<__m128d, [f64; 2]>(results) }
}
