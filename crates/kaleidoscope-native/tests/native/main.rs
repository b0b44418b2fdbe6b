//! The tests of this crate from outside, in one binary. Functions in Rust stand for generated code.

#![allow(unsafe_code, reason = "entering code by address is what is tested")]
#![allow(clippy::unwrap_used, reason = "the setting for tests knows only functions marked as one")]

mod arity;
mod code;
mod foreign;
mod guest;
mod leaving;
mod maths;
mod outside;
mod overflow;
mod pools;
mod registers;
mod scopes;
mod stopping;
mod support;
mod threads;
