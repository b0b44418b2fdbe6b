//! Linker names: each is spelled here and nowhere else.
//!
//! `$` cannot occur in a name of the language, so these names never collide, and LLVM knows none of
//! them. Built programs and their runtime in C share names that begin with `kaleidoscope_`.

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::RuntimeFunction;

use crate::arch;

/// Code of a function: `fib$impl1`, `binary|$impl2`. `number` tells codes of one function apart.
pub fn code(name: &str, number: u32) -> String {
    format!("{name}$impl{number}")
}

/// The code of relocatable code. The digits are replaced by a number when it is linked, so that no
/// two codes share a name.
pub(crate) const RELOCATABLE: &str = "code$impl00000000";

/// The name of relocatable code that is linked with this number. It has as many bytes.
pub(crate) fn relocated(number: u32) -> String {
    format!("code$impl{number:08x}")
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

/// The address table of relocatable code.
pub(crate) const ADDRESS_TABLE: &str = "$addresses";

/// The section that contains the address table, and nothing else. The assembler has a symbol of
/// this name, too.
pub const ADDRESS_SECTION: &str = ".kaleidoscope.addresses";

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

/// The code of a function without a definition: `g$2$unavailable`. `number` tells functions
/// of one name apart.
pub(crate) fn unavailable(name: &str, number: usize) -> String {
    format!("{name}${number}$unavailable")
}

/// The slot of a function in a built program: `f$2$slot`. `number` tells functions of one name
/// apart.
pub(crate) fn linked_slot(name: &str, number: usize) -> String {
    format!("{name}${number}$slot")
}

/// A function of the runtime of built programs.
pub(crate) fn runtime(function: RuntimeFunction) -> &'static str {
    match function {
        RuntimeFunction::Putchard => "kaleidoscope_putchard",
        RuntimeFunction::PutchardByte => "kaleidoscope_putchard_byte",
        RuntimeFunction::Putbyte => "kaleidoscope_putbyte",
        RuntimeFunction::Printd => "kaleidoscope_printd",
    }
}

/// The function of a built program that runs its steps.
pub(crate) const PROGRAM: &str = "kaleidoscope_program";

/// The function of the runtime that learns the place of the expression that begins.
pub(crate) const BEGIN: &str = "kaleidoscope_begin";

/// The function of the runtime that prints the value of an expression.
pub(crate) const VALUE: &str = "kaleidoscope_value";

/// The function of the runtime that ends the program with a message.
pub(crate) const FAIL: &str = "kaleidoscope_fail";

/// The table of a built program with the start and the name of each function's code.
pub(crate) const CODES: &str = "kaleidoscope_codes";

/// The end of a built program's code.
pub(crate) const END_OF_CODE: &str = "kaleidoscope$end";
