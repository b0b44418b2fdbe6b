//! Arrays of the command line: `--array u=100` and `--array u=FILE`.

#[cfg(test)]
mod tests;

use crate::refusal::Refusal;
use kaleidoscope::lang::is_name;
use kaleidoscope::{Array, Engine};
use std::path::PathBuf;
use std::str::FromStr;
use std::{fs, io};

/// An array that the command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArrayArgument {
    name: String,
    elements: Elements,
}

/// What an array has at first.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Elements {
    /// As many zeros.
    Zeros(usize),
    /// The numbers of a file.
    OfFile(PathBuf),
}

impl FromStr for ArrayArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=LENGTH or NAME=FILE")?;
        if !is_name(name) {
            return Err(format!("`{name}` is not a name"));
        }
        let is_length = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let elements = if is_length {
            Elements::Zeros(value.parse().map_err(|_| format!("there is no memory for `{value}` numbers"))?)
        } else {
            Elements::OfFile(value.into())
        };
        Ok(Self { name: name.to_owned(), elements })
    }
}

/// Binds the arrays.
///
/// # Errors
/// A file cannot be used, there is no memory, or a function or another array has the name.
pub(crate) fn bind(arrays: &[ArrayArgument], engine: &Engine) -> Result<(), Refusal> {
    for argument in arrays {
        let array = match &argument.elements {
            Elements::Zeros(len) => Array::try_new(*len)
                .map_err(|error| Refusal::of_file(error.to_string(), &io::ErrorKind::OutOfMemory.into()))?,
            Elements::OfFile(path) => {
                let shown = path.display();
                let text = fs::read_to_string(path)
                    .map_err(|error| Refusal::of_file(format!("cannot read {shown}: {error}"), &error))?;
                let numbers = numbers(&text).map_err(|what| Refusal::usage(format!("{shown}, {what}")))?;
                Array::from_slice(&numbers)
            }
        };
        engine.bind_array(&argument.name, &array).map_err(|error| Refusal::usage(error.to_string()))?;
    }
    Ok(())
}

/// The numbers of a text: one a line, or several with commas between them. Blank lines count for
/// nothing.
fn numbers(text: &str) -> Result<Vec<f64>, String> {
    let mut numbers = Vec::new();
    for (idx, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        for field in line.split(',') {
            let field = field.trim();
            let number = field.parse();
            numbers.push(number.map_err(|_| format!("line {}: `{field}` is not a number", idx + 1))?);
        }
    }
    Ok(numbers)
}
