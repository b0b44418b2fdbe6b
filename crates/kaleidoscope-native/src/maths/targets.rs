//! The addresses of the C maths functions, through which maths thunks jump.

use std::sync::atomic::AtomicUsize;

/// How many functions there are.
pub(crate) const N_FUNCTIONS: usize = 36;

/// The addresses by function number; 0 for a function that was not looked up yet.
pub(crate) static TARGETS: [AtomicUsize; N_FUNCTIONS] = [const { AtomicUsize::new(0) }; N_FUNCTIONS];
