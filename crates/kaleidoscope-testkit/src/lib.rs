//! The test kit of the code generators. For tests only.
//!
//! [`Program`] reads a text, and makes units that compile its functions. [`Session`] runs a text
//! item by item in the interpreter, for comparison with code.

mod program;
mod session;

pub use program::{HOST_VARIABLE, Program, SLOTS, call_target, slot};
pub use session::{Failure, HOST_FUNCTIONS, Session, take_output, write_output};
