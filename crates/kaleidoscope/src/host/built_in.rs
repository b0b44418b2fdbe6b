//! Built-in host functions: `putchard` and `printd`, which write to the program's output.

use crate::Output;
use kaleidoscope_jit::{HostFunction, in_engine_mode};
use kaleidoscope_lang::number;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A host function that every engine provides.
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    pub(crate) arity: u32,
    /// What the function writes of its argument.
    text: fn(f64) -> String,
}

/// All built-in host functions.
pub(crate) const BUILT_IN_HOSTS: &[BuiltIn] = &[
    BuiltIn { name: "putchard", arity: 1, text: putchard },
    BuiltIn { name: "printd", arity: 1, text: printd },
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
    let (text, output) = (built_in.expect("the name of a built-in function").text, Arc::clone(output));
    // Only the output is the host's.
    let closure = move |args: &[f64]| match output.write(&in_engine_mode(|| text(args[0]))) {
        Ok(()) => Ok(0.0),
        Err(error) => Err(OutputError(error).into()),
    };
    HostFunction::new(name, closure)
}

/// The character with this number, truncated; U+FFFD for a number that is no Unicode scalar value.
fn putchard(number: f64) -> String {
    // Checked before the conversion to an integer, which turns a NaN into 0.
    let number = number.trunc();
    let scalar = (0.0..=f64::from(u32::from(char::MAX))).contains(&number).then_some(number as u32);
    scalar.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
}

/// The value and a newline.
fn printd(value: f64) -> String {
    format!("{}\n", number::format(value))
}
