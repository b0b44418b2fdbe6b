//! Built-in host functions: `putchard` and `printd`, which write to the program's output.

use crate::Output;
use kaleidoscope_jit::HostFunction;
use kaleidoscope_lang::number;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A host function that every engine provides.
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    pub(crate) arity: u32,
    write: fn(&dyn Output, &[f64]) -> io::Result<()>,
}

/// All built-in host functions.
pub(crate) const BUILT_IN_HOSTS: &[BuiltIn] = &[
    BuiltIn { name: "putchard", arity: 1, write: putchard },
    BuiltIn { name: "printd", arity: 1, write: printd },
];

/// The program's output could not be written.
#[derive(Debug)]
pub(crate) struct OutputError(io::Error);

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for OutputError {}

/// The built-in function of this name, for this output.
///
/// # Panics
/// If no built-in function has the name.
pub(crate) fn built_in(name: &str, output: &Arc<dyn Output>) -> HostFunction {
    let built_in = BUILT_IN_HOSTS.iter().find(|host| host.name == name);
    let (write, output) = (built_in.expect("the name of a built-in function").write, Arc::clone(output));
    let closure = move |args: &[f64]| match write(&*output, args) {
        Ok(()) => Ok(0.0),
        Err(error) => Err(OutputError(error).into()),
    };
    HostFunction::new(name, closure)
}

/// Writes the character with this number, truncated; U+FFFD for a number that is no Unicode scalar
/// value.
fn putchard(output: &dyn Output, args: &[f64]) -> io::Result<()> {
    // Checked before the conversion to an integer, which turns a NaN into 0.
    let number = args[0].trunc();
    let scalar = (0.0..=f64::from(u32::from(char::MAX))).contains(&number).then_some(number as u32);
    let character = scalar.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    output.write(character.encode_utf8(&mut [0; 4]))
}

/// Writes the value and a newline.
fn printd(output: &dyn Output, args: &[f64]) -> io::Result<()> {
    output.write(&format!("{}\n", number::format(args[0])))
}
