//! Benchmarks: each is a program, named by the question that it answers.
//!
//! Run one with `cargo run --release -p kaleidoscope-benches --bin NAME`. Machines differ and are
//! noisy, so comparisons are ratios to a peer, measured alternately in the same run. Every run
//! prints its results. With `--record` it also adds a dated line to a file in `benches/record/`.

#![forbid(unsafe_code)]

pub mod arguments;
pub mod chapter7;
pub mod compare;
pub mod generate;
pub mod hot_programs;
pub mod memory;
pub mod peer;
pub mod plot;
pub mod process;
pub mod record;
pub mod timing;
