//! Linker names: each is spelled here and nowhere else.
//!
//! `$` cannot occur in a name of the language, so these names never collide, and LLVM knows none of
//! them.

use kaleidoscope_ir::MathsFunction;

use crate::arch;

/// Code of a function: `fib$impl1`, `binary|$impl2`. `number` tells codes of one function apart.
pub fn code(name: &str, number: u32) -> String {
    format!("{name}$impl{number}")
}

/// The slot of a function, where it is a symbol and not an address: `fib$slot`.
pub fn slot(name: &str) -> String {
    format!("{name}$slot")
}

/// A host variable, where it is a symbol and not an address: `t$host`.
pub fn variable(name: &str) -> String {
    format!("{name}$host")
}

/// An array of the host, where it is a symbol and not an address: `u$array`.
pub fn array(name: &str) -> String {
    format!("{name}$array")
}

/// The function that reports an index that means no element, where it is a symbol and not an
/// address.
pub const BAD_INDEX: &str = "$bad_index";

/// The validity flag of a function's code, where it is a symbol and not an address: `fib$invalid`.
pub fn validity_flag(name: &str) -> String {
    format!("{name}$invalid")
}

/// The function that invalidated code calls to leave, where it is a symbol and not an address.
pub const EXIT: &str = "$exit";

/// A function of the C maths library: `maths$sin`. Under its own name LLVM would assume what it
/// computes.
pub fn maths(function: MathsFunction) -> String {
    format!("maths${}", function.name())
}

/// A function of the C maths library for code on a host stack: `libm$sin`.
pub fn host_maths(function: MathsFunction) -> String {
    format!("libm${}", function.name())
}

/// C's `sincos`, for code on a host stack.
pub const SINCOS: &str = "libm$sincos";

/// A function of the vector maths library: `libmvec$sin$8` for 8 values.
pub fn vector_maths(function: MathsFunction, lanes: u32) -> String {
    format!("libmvec${}${lanes}", function.name())
}

/// The C maths functions that LLVM's code generator calls by itself, under C's names, where the
/// processor lacks an instruction.
pub fn runtime_symbols() -> &'static [&'static str] {
    arch::RUNTIME_SYMBOLS
}
