//! Inputs: files, standard input and `-e`, as UTF-8 text.

#[cfg(test)]
mod tests;

use crate::refusal::Refusal;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A source of program text.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A file, which is read at once.
    File(PathBuf),
    /// Standard input, which is read as data arrives.
    Stdin,
    /// Text from the command line.
    Text(String),
}

impl Input {
    /// The input that this argument names: `-` is standard input.
    pub(crate) fn of_path(path: &Path) -> Self {
        if path == Path::new("-") { Self::Stdin } else { Self::File(path.to_owned()) }
    }

    /// The name for diagnostics.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "<stdin>".to_owned(),
            Self::Text(_) => "<command line>".to_owned(),
        }
    }

    /// Opens the input.
    ///
    /// # Errors
    /// Why a file cannot be read.
    pub(crate) fn open(&self) -> Result<Chunks, Refusal> {
        let bytes = match self {
            Self::Stdin => {
                return Ok(Chunks { bytes: Vec::new(), n_decoded: 0, rest: Rest::Stdin });
            }
            Self::Text(text) => text.clone().into_bytes(),
            Self::File(path) => fs::read(path).map_err(|error| {
                let reason = match error.kind() {
                    io::ErrorKind::NotFound => "no such file".to_owned(),
                    io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
                    io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                    _ => error.to_string(),
                };
                Refusal::of_file(format!("cannot read {}: {reason}", path.display()), &error)
            })?,
        };
        Ok(Chunks::of_bytes(bytes))
    }
}

/// The text of an input, in chunks.
#[derive(Debug)]
pub(crate) struct Chunks {
    bytes: Vec<u8>,
    /// The number of bytes that a chunk has had. They stay where they are until more are read:
    /// moving the rest for each chunk would take quadratic time.
    n_decoded: usize,
    rest: Rest,
}

/// A chunk of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Text.
    Text(String),
    /// Bytes of one invalid UTF-8 sequence.
    NotUtf8(Vec<u8>),
    /// The end of the input.
    End,
}

#[derive(Debug, PartialEq, Eq)]
enum Rest {
    /// More may arrive on standard input.
    Stdin,
    /// All bytes have been read.
    AllRead,
}

impl Chunks {
    fn of_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, n_decoded: 0, rest: Rest::AllRead }
    }

    /// The next chunk. Waits for standard input.
    ///
    /// # Errors
    /// Why standard input cannot be read, as a sentence. The input ends there.
    pub(crate) fn next_chunk(&mut self) -> Result<Chunk, String> {
        loop {
            let undecoded = &self.bytes[self.n_decoded..];
            if undecoded.is_empty() {
                match self.rest {
                    Rest::AllRead => return Ok(Chunk::End),
                    Rest::Stdin => {
                        self.read_stdin()?;
                        continue;
                    }
                }
            }
            let (n_valid, bad) = match std::str::from_utf8(undecoded) {
                Ok(text) => (text.len(), None),
                Err(error) => (error.valid_up_to(), Some(error.error_len())),
            };
            if n_valid > 0 {
                let text = String::from_utf8(undecoded[..n_valid].to_vec()).expect("was checked above");
                self.n_decoded += n_valid;
                return Ok(Chunk::Text(text));
            }
            match (bad, &self.rest) {
                // A character whose remaining bytes may still arrive.
                (Some(None), Rest::Stdin) => self.read_stdin()?,
                (Some(length), _) => {
                    let bytes = undecoded[..length.unwrap_or(undecoded.len())].to_vec();
                    self.n_decoded += bytes.len();
                    return Ok(Chunk::NotUtf8(bytes));
                }
                (None, _) => {}
            }
        }
    }

    fn read_stdin(&mut self) -> Result<(), String> {
        let mut buffer = [0; 16 << 10];
        let n_read = loop {
            match io::stdin().lock().read(&mut buffer) {
                Ok(n_read) => break n_read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.rest = Rest::AllRead;
                    return Err(format!("cannot read standard input: {error}"));
                }
            }
        };
        if n_read == 0 {
            self.rest = Rest::AllRead;
        }
        self.bytes.drain(..self.n_decoded);
        self.n_decoded = 0;
        self.bytes.extend_from_slice(&buffer[..n_read]);
        Ok(())
    }
}
