//! Python inside programs: callables as host functions, and files as outputs.
//!
//! The engine calls both on the thread that evaluates, which takes Python's lock for the call.

use kaleidoscope::Output;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::cell::RefCell;
use std::fmt;
use std::io;

/// An exception that a Python callable raised, as the cause of a call error.
#[derive(Debug)]
pub(crate) struct PythonError(pub(crate) PyErr);

impl fmt::Display for PythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for PythonError {}

thread_local! {
    /// What a host function or output raised last during the evaluation of this thread. The
    /// diagnostics of a program's text have only the sentence of it.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// The exception that was raised since the last call on this thread.
pub(crate) fn take_raised() -> Option<PyErr> {
    RAISED.take()
}

fn note(py: Python<'_>, error: &PyErr) {
    let before = RAISED.replace(Some(error.clone_ref(py)));
    drop(before);
}

/// The Python callable as a host function.
pub(crate) fn closure(
    function: Py<PyAny>,
) -> impl Fn(&[f64]) -> Result<f64, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static {
    move |args| {
        let called = Python::try_attach(|py| {
            let call = || {
                let result = function.bind(py).call1(PyTuple::new(py, args)?)?;
                result.extract::<f64>().map_err(|cause| {
                    let kind = result.get_type();
                    let error =
                        PyTypeError::new_err(format!("a registered function returns a number, not {kind}"));
                    error.set_cause(py, Some(cause));
                    error
                })
            };
            call().map_err(|error| {
                note(py, &error);
                PythonError(error)
            })
        });
        match called {
            Some(result) => Ok(result?),
            None => Err("Python is about to end, so its functions cannot be called".into()),
        }
    }
}

/// Where programs write to: a Python object with the method `write`, or `sys.stdout` as it is when
/// they write.
pub(crate) struct PythonOutput(pub(crate) Option<Py<PyAny>>);

impl PythonOutput {
    fn with_file(&self, write: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<()>) -> io::Result<()> {
        let written = Python::try_attach(|py| {
            let written = match &self.0 {
                Some(file) => write(file.bind(py)),
                None => py.import("sys").and_then(|sys| sys.getattr("stdout")).and_then(|file| {
                    if file.is_none() {
                        return Err(PyRuntimeError::new_err("sys.stdout is None"));
                    }
                    write(&file)
                }),
            };
            written.map_err(|error| {
                note(py, &error);
                io::Error::other(PythonError(error))
            })
        });
        written.unwrap_or_else(|| Err(io::Error::other("Python is about to end")))
    }
}

impl Output for PythonOutput {
    fn write(&self, text: &str) -> io::Result<()> {
        self.with_file(|file| file.call_method1("write", (text,)).map(drop))
    }

    fn write_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.write(text),
            // Text files have a binary file below.
            Err(_) => self.with_file(|file| {
                file.call_method0("flush")?;
                let below = file.getattr("buffer")?;
                below.call_method1("write", (PyBytes::new(file.py(), bytes),))?;
                below.call_method0("flush").map(drop)
            }),
        }
    }
}
