//! Safe LLVM ORC v2 for any Rust program.
#![allow(unsafe_code)] // the fence around LLVM's C API

mod address;
mod carry;
#[cfg(feature = "inkwell")]
mod compiler;
mod dylib;
mod error;
mod jit;
mod object;
mod session;
mod target;
mod tracker;

pub use address::{Address, Function, Symbol};
#[cfg(feature = "inkwell")]
pub use compiler::{Compiler, CompilerBuilder, MODULES_PER_CONTEXT};
pub use dylib::Dylib;
pub use error::{Error, ErrorKind};
pub use jit::{Jit, JitBuilder};
pub use object::{Object, Timings};
pub use target::{OptLevel, Target};
pub use tracker::Tracker;
