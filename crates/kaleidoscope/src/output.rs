//! Where a program's output goes: what `putchard` and `printd` write.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Takes what a program writes.
///
/// It is called with no lock of the engine held: it may call the engine. An error ends the evaluation that wrote; a panic
/// does the same.
///
/// ```
/// use kaleidoscope::{DiagnosticCode, Engine, Output};
/// use std::io;
///
/// /// A disk that is full.
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
    /// Takes the text, all of it.
    ///
    /// # Errors
    /// When the text cannot be written; the evaluation ends with this error.
    fn write(&self, text: &str) -> io::Result<()>;
}

impl<T: Output + ?Sized> Output for Arc<T> {
    fn write(&self, text: &str) -> io::Result<()> {
        (**self).write(text)
    }
}

/// The process's standard output: what an engine writes to when it is told nothing else.
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
    /// What was written since the last time this was asked.
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
