//! Plug-in: a code generator in a shared object, loaded when it is needed. This crate has both
//! sides.
//!
//! The two sides exchange messages:
//!
//! ```text
//!  program                                       shared object
//!  Plugin ── loads ──►  the static CODE_GENERATOR: an Interface of C functions, from `interface`
//!  CodeGenerator ── requests, as bytes ──►  the code generator of the backend
//!                ◄── answers, as bytes: addresses and handles
//! ```
//! So a program pays for the startup of a large library only if it uses the library: LLVM's static
//! constructors alone take milliseconds. The idea is rustc's, which loads its code generation
//! backends this way.
//!
//! The two sides are built separately. They share no allocator, no standard library and no layout
//! of Rust types: only the [`Interface`], whose layout is C's, and the encoding of the messages,
//! which has a version. No panic crosses the boundary.

#![allow(unsafe_code, reason = "this crate calls and defines foreign functions")]

mod allocator;
mod interface;
mod load;
mod message;
mod remote;
mod serve;

pub use allocator::AbortingAllocator;
pub use interface::Interface;
pub use load::Plugin;
pub use serve::interface;
