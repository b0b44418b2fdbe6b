//! Benchmarks, each a program named by the question it answers: `cargo run --release -p kaleidoscope-benches --bin NAME`.
//!
//! Machines differ and are noisy, so a figure that is compared is a ratio to a peer measured in the same run, turn and turn
//! about. Every run prints what it did and adds a dated line to a file in `benches/record/` when asked with `--record`.

#![forbid(unsafe_code)]

pub mod arguments;
pub mod compare;
pub mod generate;
pub mod memory;
pub mod peer;
pub mod plot;
pub mod process;
pub mod record;
pub mod timing;
