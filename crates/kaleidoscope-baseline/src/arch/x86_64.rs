//! x86-64: target settings for Cranelift, and counter code written as bytes.

mod counters;
mod target;

pub(crate) use counters::{N_REGISTER_PARAMS, add_counters};
pub(crate) use target::{CALL_RELOCATION, TRIPLE, features, has_rounding_instructions};
