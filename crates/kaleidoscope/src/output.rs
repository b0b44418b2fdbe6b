//! Program output: what `putchard`, `putbyte` and `printd` write, and where to.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Receives what programs write.
///
/// The engine calls it with no lock held, so it may call the engine. An error or a panic ends the
/// evaluation that wrote.
///
/// ```
/// use kaleidoscope::{DiagnosticCode, Engine, Output};
/// use std::io;
///
/// /// A full disk.
/// struct Full;
///
/// impl Output for Full {
///     fn write(&self, _: &str) -> io::Result<()> {
///         Err(io::ErrorKind::StorageFull.into())
///     }
/// }
///
/// let engine = Engine::builder().output(Full).build()?;
/// let outcome = engine.run("printd(1);");
/// assert_eq!(outcome.diagnostics().next().map(|diagnostic| diagnostic.code), Some(DiagnosticCode::HostError));
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
pub trait Output: Send + Sync {
    /// Writes the whole text.
    ///
    /// # Errors
    /// If the text cannot be written. The evaluation ends with this error.
    fn write(&self, text: &str) -> io::Result<()>;

    /// Writes bytes that need not be UTF-8: `putbyte` writes one byte at a time. If an output does
    /// not implement this, bytes that are no text of their own are an error.
    ///
    /// # Errors
    /// If the bytes cannot be written. The evaluation ends with this error.
    fn write_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.write(text),
            Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "this output takes text only")),
        }
    }
}

/// What `putchard` writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutchardUnit {
    /// The character with this number, in UTF-8.
    #[default]
    Character,
    /// The byte with this number, as `putbyte` does, and as `putchard` of the tutorials in C does.
    Byte,
}

impl<T: Output + ?Sized> Output for Arc<T> {
    fn write(&self, text: &str) -> io::Result<()> {
        (**self).write(text)
    }

    fn write_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        (**self).write_bytes(bytes)
    }
}

/// The process's standard output. An engine writes to it if no other output is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardOutput;

impl Output for StandardOutput {
    fn write(&self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        io::stdout().write_all(bytes)
    }
}

/// Collects output in memory. Clones share one buffer.
///
/// ```
/// use kaleidoscope::{Engine, OutputBuffer};
///
/// let output = OutputBuffer::default();
/// let engine = Engine::builder().output(output.clone()).build()?;
/// engine.run("printd(6 * 7);").ok()?;
/// assert_eq!(output.take(), "42\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct OutputBuffer {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl OutputBuffer {
    /// The text written since the last `take` or `take_bytes`. Bytes that are not UTF-8 are U+FFFD
    /// in it.
    pub fn take(&self) -> String {
        match String::from_utf8(self.take_bytes()) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }

    /// The bytes written since the last `take` or `take_bytes`.
    ///
    /// ```
    /// use kaleidoscope::{Engine, OutputBuffer};
    ///
    /// let output = OutputBuffer::default();
    /// let engine = Engine::builder().output(output.clone()).build()?;
    /// engine.run("putbyte(226) + putbyte(150) + putbyte(145);").ok()?;
    /// assert_eq!(output.take_bytes(), "░".as_bytes());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_bytes(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Output for OutputBuffer {
    fn write(&self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(())
    }
}
