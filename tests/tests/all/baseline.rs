//! The baseline compiler alone, without the engine: its code against the interpreter, bit by bit,
//! and what the code does when counters trip.

mod counting;
mod machine;
mod random;
mod redefined;
mod results;
