//! Command-line arguments of a benchmark.

use std::str::FromStr;

/// Returns the argument after this one.
pub fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != name).nth(1)
}

/// Returns the number after this argument. Ends the process with a message if it is not a number.
pub fn number<T: FromStr>(name: &str) -> Option<T> {
    let value = option(name)?;
    let number = value.parse().ok();
    if number.is_none() {
        eprintln!("error: {name} takes a number, not `{value}`");
        std::process::exit(2);
    }
    number
}

/// Returns whether this argument was given.
pub fn is_given(name: &str) -> bool {
    std::env::args().any(|arg| arg == name)
}
