//! Program output: what `putchard` and `printd` write, and where to.

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
}

impl<T: Output + ?Sized> Output for Arc<T> {
    fn write(&self, text: &str) -> io::Result<()> {
        (**self).write(text)
    }
}

/// The process's standard output. An engine writes to it if no other output is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardOutput;

impl Output for StandardOutput {
    fn write(&self, text: &str) -> io::Result<()> {
        io::stdout().write_all(text.as_bytes())
    }
}

/// Collects output in memory. Clones share one buffer.
///
/// ```
/// use kaleidoscope::{Engine, OutputBuffer};
///
/// let output = OutputBuffer::default();
/// let engine = Engine::builder().output(output.clone()).build()?;
/// engine.run("printd(6 * 7);");
/// assert_eq!(output.take(), "42\n");
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct OutputBuffer {
    text: Arc<Mutex<String>>,
}

impl OutputBuffer {
    /// The text written since the last `take`.
    pub fn take(&self) -> String {
        std::mem::take(&mut self.text.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Output for OutputBuffer {
    fn write(&self, text: &str) -> io::Result<()> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }
}
