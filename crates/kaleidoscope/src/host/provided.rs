//! The functions of the host that every program knows: `putchard`, `printd`, and C's maths library.

use crate::Output;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_lang::number;
use kaleidoscope_native::maths::{self, MathsEntry};
use std::io;
use std::sync::LazyLock;

/// A function that the engine provides, which writes to the program's output.
pub(crate) struct Provided {
    pub(crate) name: &'static str,
    pub(crate) arity: u32,
    pub(crate) call: Writer,
}

/// What such a function does.
pub(super) type Writer = fn(&dyn Output, &[f64]) -> io::Result<f64>;

/// All of them.
pub(crate) const PROVIDED_FUNCTIONS: &[Provided] = &[
    Provided { name: "putchard", arity: 1, call: putchard },
    Provided { name: "printd", arity: 1, call: printd },
];

/// Writes the character with this number: towards zero, and U+FFFD for what is no Unicode scalar value.
fn putchard(output: &dyn Output, args: &[f64]) -> io::Result<f64> {
    // A NaN becomes 0 in a plain conversion, and so does -0.5, which is a character.
    let number = args[0].trunc();
    let scalar = (0.0..=f64::from(u32::from(char::MAX))).contains(&number).then_some(number as u32);
    let character = scalar.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    output.write(character.encode_utf8(&mut [0; 4]))?;
    Ok(0.0)
}

/// Writes the value and a newline.
fn printd(output: &dyn Output, args: &[f64]) -> io::Result<f64> {
    output.write(&format!("{}\n", number::format(args[0])))?;
    Ok(0.0)
}

/// C's function of this name, which is one of the language's list.
fn provided(name: &str) -> &'static MathsEntry {
    maths::find(name).expect("the machine's table has every function of the language's list")
}

/// C's function behind a maths function of the language.
pub(crate) fn maths_entry(function: MathsFunction) -> &'static MathsEntry {
    // The evaluator asks for each call, so the names are looked up once.
    static ENTRIES: LazyLock<Vec<&'static MathsEntry>> =
        LazyLock::new(|| MathsFunction::ALL.iter().map(|function| provided(function.name())).collect());
    ENTRIES[function as usize]
}
