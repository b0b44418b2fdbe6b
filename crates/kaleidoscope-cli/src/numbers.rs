//! `readd()`: reads the next number from standard input.

use std::io::{self, BufRead};

/// Why a program whose text comes from standard input cannot read numbers there.
const IS_PROGRAM: &str = "standard input is the program";

/// The next number of standard input.
///
/// # Errors
/// Why there is none, as a sentence.
pub(crate) fn read_from_stdin(is_program: bool) -> Result<f64, String> {
    if is_program {
        return Err(IS_PROGRAM.to_owned());
    }
    let mut stdin = io::stdin().lock();
    read(&mut stdin)
}

/// The next number. What separates it from the one behind it stays unread.
fn read(input: &mut impl BufRead) -> Result<f64, String> {
    let mut word = Vec::new();
    loop {
        let bytes = match input.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("standard input cannot be read: {error}")),
        };
        if bytes.is_empty() {
            break;
        }
        // Separators in front of the number.
        let start =
            if word.is_empty() { bytes.iter().take_while(|byte| separates(**byte)).count() } else { 0 };
        let length = bytes[start..].iter().take_while(|byte| !separates(**byte)).count();
        word.extend_from_slice(&bytes[start..start + length]);
        let is_end = start + length < bytes.len();
        input.consume(start + length);
        if is_end {
            break;
        }
    }
    if word.is_empty() {
        return Err("standard input has no more numbers".to_owned());
    }
    let text = String::from_utf8_lossy(&word);
    text.parse().map_err(|_| format!("`{}` on standard input is not a number", text.escape_debug()))
}

fn separates(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b','
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn numbers_are_separated_by_space_commas_and_lines() {
        // A buffer of 3 bytes: numbers cross its end.
        let mut input = BufReader::with_capacity(3, &b" 1.5,-2e3\n\n12345678 x"[..]);
        let mut next = || read(&mut input);
        assert_eq!([next(), next(), next()], [Ok(1.5), Ok(-2000.0), Ok(12_345_678.0)]);
        assert_eq!(next(), Err("`x` on standard input is not a number".to_owned()));
        assert_eq!(next(), Err("standard input has no more numbers".to_owned()));
    }
}
