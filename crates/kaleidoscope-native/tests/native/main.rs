//! Tests of this crate from outside, in one binary. Rust functions and hand-written machine code
//! stand for generated code.

#![allow(unsafe_code, reason = "entering code by address is what is tested")]
#![allow(clippy::unwrap_used, reason = "clippy's setting for tests knows only functions marked as one")]

mod arguments;
mod early_exit;
mod float_modes;
mod foreign_signals;
mod forks;
mod interrupts;
mod locked_down;
mod scopes;
mod signal_settings;
mod stack_overflow;
mod threads;
mod unguarded;

mod code_memory;
mod coroutines;
mod maths;
mod stub_pools;

mod arch;
mod guest;
mod support;
