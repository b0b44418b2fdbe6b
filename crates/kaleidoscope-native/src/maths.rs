//! The functions of C's maths library, as the C library of this system has them.
//!
//! Generated code calls them by address, an interpreter through the table: both get the same bits. Rust's own methods
//! are no substitute: `f64::min` treats zeros and NaNs otherwise than C's `fmin`, and others are approximated otherwise.

use std::hint::black_box;

use crate::address::CodeAddress;

/// A function of one parameter.
type Unary = extern "C" fn(f64) -> f64;
/// A function of two parameters.
type Binary = extern "C" fn(f64, f64) -> f64;

/// A function of the C maths library.
#[derive(Clone, Copy, Debug)]
pub struct MathsEntry {
    name: &'static str,
    function: Function,
}

#[derive(Clone, Copy, Debug)]
enum Function {
    Unary(Unary),
    Binary(Binary),
}

impl MathsEntry {
    /// Its name in C.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The number of parameters: 1 or 2.
    pub const fn arity(&self) -> u32 {
        match self.function {
            Function::Unary(_) => 1,
            Function::Binary(_) => 2,
        }
    }

    /// The address of the C function, valid as long as the process.
    pub fn address(&self) -> CodeAddress {
        CodeAddress::new(match self.function {
            Function::Unary(function) => function as *const () as usize,
            Function::Binary(function) => function as *const () as usize,
        })
    }

    /// Its value.
    ///
    /// # Panics
    /// If `args` are not as many as the function has parameters.
    pub fn call(&self, args: &[f64]) -> f64 {
        // The black box hides which function it is from the compiler, which would turn `pow(2, x)` into `exp2(x)`.
        match (black_box(self.function), args) {
            (Function::Unary(function), &[x]) => function(x),
            (Function::Binary(function), &[x, y]) => function(x, y),
            _ => panic!("{} has {} parameters, not {}", self.name, self.arity(), args.len()),
        }
    }
}

/// The function of this name, if it belongs to those that programs may call.
pub fn find(name: &str) -> Option<&'static MathsEntry> {
    ALL.iter().find(|entry| entry.name == name)
}

/// All functions that programs may call.
pub fn all() -> &'static [MathsEntry] {
    ALL
}

macro_rules! maths_functions {
    (unary: $($unary:ident)*; binary: $($binary:ident)*;) => {
        mod c {
            #[link(name = "m")]
            // SAFETY: the names and types are those of C's <math.h>, which has no other preconditions.
            unsafe extern "C" {
                $(pub(super) safe fn $unary(x: f64) -> f64;)*
                $(pub(super) safe fn $binary(x: f64, y: f64) -> f64;)*
            }
        }

        static ALL: &[MathsEntry] = &[
            $(MathsEntry { name: stringify!($unary), function: Function::Unary(c::$unary) },)*
            $(MathsEntry { name: stringify!($binary), function: Function::Binary(c::$binary) },)*
        ];
    };
}

maths_functions! {
    unary: sin cos tan asin acos atan sinh cosh tanh exp log log10 log2 sqrt cbrt floor ceil round trunc fabs
        asinh acosh atanh exp2 expm1 log1p rint erf erfc tgamma;
    binary: atan2 pow fmod fmin fmax hypot;
}
