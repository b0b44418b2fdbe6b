//! Vector loops: loops of safe Rust that are compiled for several vector widths.
//!
//! The compiler generates code for every processor of the architecture, whose vectors are short.
//! [`run_vector_loop`](crate::run_vector_loop) also has the loop compiled for wider ones, and runs
//! the copy for this processor. The results are the same to the last bit: Rust neither reorders
//! operations nor contracts them.

/// A loop to be compiled for several vector widths.
pub trait VectorLoop {
    /// Runs the loop. Each implementation is `#[inline(always)]`, and so is what it calls:
    /// otherwise it is compiled for the shortest vectors only.
    fn run(self);
}
