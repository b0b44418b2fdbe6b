//! `readd()`: reads the next number from standard input.

use crate::progress::Progress;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Stdin};
use std::sync::{Mutex, PoisonError};

/// Why a program whose text comes from standard input cannot read numbers there.
const IS_PROGRAM: &str = "standard input is the program";

/// The numbers of standard input.
#[derive(Debug)]
pub(crate) struct Numbers {
    is_program: bool,
    input: Mutex<BufReader<Typed>>,
}

impl Numbers {
    /// `is_program` says whether standard input is the text of the program. `progress` shows
    /// nothing while a read waits for a terminal.
    pub(crate) fn new(is_program: bool, progress: Progress) -> Self {
        let terminal = io::stdin().is_terminal().then_some(progress);
        Self { is_program, input: Mutex::new(BufReader::new(Typed { input: io::stdin(), terminal })) }
    }

    /// The next number of standard input.
    ///
    /// # Errors
    /// Why there is none, as a sentence.
    pub(crate) fn next(&self) -> Result<f64, String> {
        if self.is_program {
            return Err(IS_PROGRAM.to_owned());
        }
        read(&mut *self.input.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Standard input. Where it is a terminal, the command shows nothing while it waits.
#[derive(Debug)]
struct Typed {
    input: Stdin,
    /// What is shown otherwise; `None` if the input is no terminal.
    terminal: Option<Progress>,
}

impl Read for Typed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(progress) = &self.terminal else { return self.input.read(buffer) };
        let n_bytes = progress.while_typing(|| self.input.read(buffer))?;
        progress.note_typed(&buffer[..n_bytes]);
        Ok(n_bytes)
    }
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
