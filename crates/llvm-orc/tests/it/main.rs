//! Tests of the crate through its public API.
#![allow(unsafe_code)] // naming the type of a function that is looked up
#![allow(clippy::unwrap_used)] // the tests' own helpers are tests, too

mod circles;
mod compile;
mod compiler_reuse;
mod coverage;
mod debugger;
mod drop_order;
#[cfg(feature = "shim")]
mod dylibs;
mod errors;
#[cfg(feature = "shim")]
mod failures;
mod generators;
mod lazy_definitions;
mod link;
mod memory;
mod object_cache;
#[cfg(feature = "shim")]
mod out_of_memory;
mod own_process;
mod ownership;
mod passes;
#[cfg(feature = "shim")]
mod process_exit;
mod public_api;
#[cfg(feature = "shim")]
mod redirectable;
#[cfg(feature = "shim")]
mod removal;
#[cfg(feature = "shim")]
mod reoptimize;
mod send_sync;
#[cfg(feature = "shim")]
mod session_hooks;
#[cfg(feature = "shim")]
mod slabs;
mod stress;
mod test_kit;
mod threads;
mod time_limit;
