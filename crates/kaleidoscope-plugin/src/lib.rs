//! A code generator in a shared object that is loaded when it is needed: both sides of the fence.
//!
//! ```text
//!  program                                       shared object
//!  Plugin ── loads ──►  the static CODE_GENERATOR: an Interface of C functions, from `interface`
//!  CodeGenerator ── requests, as bytes ──►  the code generator of the backend
//!                ◄── answers, as bytes: addresses and handles
//! ```
//! A large library costs its start-up time only where it is used: LLVM's static constructors alone take milliseconds. The idea
//! is that of rustc, which loads its code generation back ends so.
//!
//! The two sides are built by themselves and share no allocator, no standard library and no layout of Rust's types: only the
//! [`Interface`], which is C's, and the encoding of the requests, which has a version. No panic crosses.

#![allow(unsafe_code, reason = "this crate is a fence around foreign functions")]

mod interface;
mod load;
mod message;
mod remote;
mod serve;

pub use interface::Interface;
pub use load::Plugin;
pub use serve::interface;
