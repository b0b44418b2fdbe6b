//! Built-in host functions: `putchard`, `putbyte` and `printd` write to the program's output.

use crate::{Output, PutchardUnit};
use kaleidoscope_jit::{HostError, HostFunction, in_engine_mode};
use kaleidoscope_lang::number;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A host function that every engine provides.
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    pub(crate) arity: u32,
    written: fn(f64) -> Result<Written, HostError>,
}

/// What a built-in function writes of its argument.
enum Written {
    Text(String),
    Byte(u8),
}

/// All built-in host functions.
pub(crate) const BUILT_IN_HOSTS: &[BuiltIn] = &[
    BuiltIn { name: "putchard", arity: 1, written: putchard },
    BuiltIn { name: "putbyte", arity: 1, written: putbyte },
    BuiltIn { name: "printd", arity: 1, written: printd },
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
pub(crate) fn built_in(name: &str, output: &Arc<dyn Output>, unit: PutchardUnit) -> HostFunction {
    let built_in = BUILT_IN_HOSTS.iter().find(|host| host.name == name);
    let written = match (name, unit) {
        ("putchard", PutchardUnit::Byte) => putbyte,
        _ => built_in.expect("the name of a built-in function").written,
    };
    let output = Arc::clone(output);
    // Only the output is the host's.
    let closure = move |args: &[f64]| {
        let result = match in_engine_mode(|| written(args[0]))? {
            Written::Text(text) => output.write(&text),
            Written::Byte(byte) => output.write_bytes(&[byte]),
        };
        match result {
            Ok(()) => Ok(0.0),
            Err(error) => Err(OutputError(error).into()),
        }
    };
    HostFunction::new(name, closure)
}

/// The character with this number, truncated; U+FFFD for a number that is no Unicode scalar value.
fn putchard(number: f64) -> Result<Written, HostError> {
    // Checked before the conversion to an integer, which turns a NaN into 0.
    let number = number.trunc();
    let scalar = (0.0..=f64::from(u32::from(char::MAX))).contains(&number).then_some(number as u32);
    let character = scalar.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    Ok(Written::Text(character.to_string()))
}

/// The byte with this number, truncated.
fn putbyte(number: f64) -> Result<Written, HostError> {
    if (0.0..=255.0).contains(&number.trunc()) {
        return Ok(Written::Byte(number as u8));
    }
    Err(format!("{} is not the value of a byte, 0 to 255", number::format(number)).into())
}

/// The value and a newline.
fn printd(value: f64) -> Result<Written, HostError> {
    Ok(Written::Text(format!("{}\n", number::format(value))))
}
