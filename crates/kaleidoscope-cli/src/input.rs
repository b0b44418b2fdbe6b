//! Where program text comes from, as text: bytes become UTF-8 here or a clear error.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A place that program text comes from.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A file, read whole.
    File(PathBuf),
    /// Standard input, read as it comes.
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
    /// A sentence that says why a file cannot be read.
    pub(crate) fn open(&self) -> Result<Chunks, String> {
        let bytes = match self {
            Self::Stdin => return Ok(Chunks { undecoded: Vec::new(), rest: Rest::Stdin, n_before: 0 }),
            Self::Text(text) => text.clone().into_bytes(),
            Self::File(path) => fs::read(path).map_err(|error| {
                let reason = match error.kind() {
                    io::ErrorKind::NotFound => "there is no such file".to_owned(),
                    io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
                    io::ErrorKind::PermissionDenied => "reading it is not permitted".to_owned(),
                    _ => error.to_string(),
                };
                format!("cannot read {}: {reason}", path.display())
            })?,
        };
        Ok(Chunks { undecoded: bytes, rest: Rest::AllRead, n_before: 0 })
    }
}

/// The text of an input, piece by piece.
#[derive(Debug)]
pub(crate) struct Chunks {
    /// Bytes that are not given out yet.
    undecoded: Vec<u8>,
    rest: Rest,
    /// Bytes given out.
    n_before: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Rest {
    /// More may come from standard input.
    Stdin,
    /// What is undecoded is all that is left.
    AllRead,
}

impl Chunks {
    /// The next piece of text; `None` at the end. Waits for standard input.
    ///
    /// # Errors
    /// A sentence that says what is wrong, after all text before it was given out. There is nothing more after an error.
    pub(crate) fn next_text(&mut self) -> Result<Option<String>, String> {
        loop {
            if self.rest == Rest::Stdin {
                self.read_stdin()?;
            }
            let mut bytes = std::mem::take(&mut self.undecoded);
            let n_valid = match std::str::from_utf8(&bytes) {
                Ok(text) => text.len(),
                Err(error) => {
                    let may_go_on = error.error_len().is_none() && self.rest == Rest::Stdin;
                    if error.valid_up_to() == 0 && !may_go_on {
                        self.rest = Rest::AllRead;
                        return Err(format!("byte {} (0x{:02x}) is not UTF-8", self.n_before, bytes[0]));
                    }
                    error.valid_up_to()
                }
            };
            self.undecoded = bytes.split_off(n_valid);
            self.n_before += n_valid;
            if n_valid > 0 {
                return Ok(Some(String::from_utf8(bytes).expect("was checked above")));
            }
            if self.rest == Rest::AllRead && self.undecoded.is_empty() {
                return Ok(None);
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
        self.undecoded.extend_from_slice(&buffer[..n_read]);
        Ok(())
    }
}
