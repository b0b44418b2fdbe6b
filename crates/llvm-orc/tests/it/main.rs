//! The crate from outside, through its public API alone.
#![allow(unsafe_code)] // naming the type of a function that is looked up
#![allow(clippy::unwrap_used)] // the tests' own helpers are tests, too

mod cache;
mod compile;
mod coverage;
mod debugger;
mod drop_order;
#[cfg(feature = "shim")]
mod dylibs;
mod errors;
mod generators;
mod handles;
mod kept;
mod lazy;
mod link;
mod memory;
mod passes;
mod public_api;
#[cfg(feature = "shim")]
mod slabs;
mod stress;
mod support;
mod threads;
