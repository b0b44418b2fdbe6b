//! Modules made from program text: well formed at every level, as expected to the letter for a
//! few, and asking the linker for nothing but what they may.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod debug_info;
mod lowering;
mod optimized;
mod program;
