//! Tests of the whole crate: what texts mean, and the IR that is made of them.

mod facts;
mod ir_text;
mod meaning;
mod mistakes;
