//! The arguments that a benchmark was started with.

use std::str::FromStr;

/// The argument behind this one.
pub fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != name).nth(1)
}

/// The number behind this argument; the process ends with a message if something else is there.
pub fn number<T: FromStr>(name: &str) -> Option<T> {
    let value = option(name)?;
    let number = value.parse().ok();
    if number.is_none() {
        eprintln!("error: {name} takes a number, not `{value}`");
        std::process::exit(2);
    }
    number
}

/// Whether this argument was given.
pub fn is_given(name: &str) -> bool {
    std::env::args().any(|arg| arg == name)
}
