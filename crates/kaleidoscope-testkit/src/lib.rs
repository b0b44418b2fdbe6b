//! The test kit of the code generators. For tests only.
//!
//! [`Program`] reads a text, and makes units that compile its functions. [`Oracle`] runs a text
//! item by item in the interpreter, for comparison with code.

mod oracle;
mod program;

pub use oracle::{Failure, HOST_FUNCTIONS, Oracle, take_output, write_output};
pub use program::{
    BAD_INDEX, HOST_ARRAY, HOST_ARRAY_ADDRESS, HOST_ARRAY_LEN, HOST_VARIABLE, Program, SLOTS, call_target,
    slot,
};
