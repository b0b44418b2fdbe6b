//! Every linker name, spelled here and nowhere else.
//!
//! `$` cannot occur in a name of the language, so none of these meets another, and none is a name that LLVM knows.

use kaleidoscope_ir::MathsFunction;

use crate::arch;

/// The body of a version of a function: `fib$impl1`, `binary|$impl2`.
pub fn body(name: &str, version: u32) -> String {
    format!("{name}$impl{version}")
}

/// The slot of a function, where it is a symbol and not an address: `fib$slot`.
pub fn slot(name: &str) -> String {
    format!("{name}$slot")
}

/// A variable of the host, where it is a symbol and not an address: `t$host`.
pub fn variable(name: &str) -> String {
    format!("{name}$host")
}

/// A function of the C maths library: `maths$sin`. Under its own name LLVM would take it for granted what it computes.
pub fn maths(function: MathsFunction) -> String {
    format!("maths${}", function.name())
}

/// The same where C's own is meant, for code that does not run on a guest stack: `libm$sin`.
pub fn host_maths(function: MathsFunction) -> String {
    format!("libm${}", function.name())
}

/// The function of the vector maths library that does the same for several values: `libmvec$sin$8`.
pub fn vector_maths(function: MathsFunction, lanes: u32) -> String {
    format!("libmvec${}${lanes}", function.name())
}

/// The C maths functions that LLVM's code generator calls on its own, under C's names, where the processor
/// lacks an instruction.
pub fn runtime_symbols() -> &'static [&'static str] {
    arch::RUNTIME_SYMBOLS
}
