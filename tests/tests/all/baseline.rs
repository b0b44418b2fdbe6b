//! The baseline compiler alone, without the engine: its code against the reference evaluator, bit by bit, and what it
//! does when countdowns run out.

mod counting;
mod machine;
mod program;
mod random;
mod results;
