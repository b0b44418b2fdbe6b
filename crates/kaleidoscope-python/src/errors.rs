//! Errors as Python exceptions: their code, their place, and a picture of it.
//!
//! The classes are Python's (`python/kaleidoscope_jit/_errors.py`).

use crate::host::PythonError;
use kaleidoscope::{CallError, Color, Diagnostic, DiagnosticCode, FormulaError, Source, render};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use std::error::Error;

/// An exception of a class in `_errors.py`. The names are those of its constructor.
fn exception(py: Python<'_>, class: &str, message: &str, fields: &Bound<'_, PyDict>) -> PyErr {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let import = || Ok::<_, PyErr>(py.import("kaleidoscope_jit._errors")?.unbind());
    let made = MODULE
        .get_or_try_init(py, import)
        .and_then(|module| module.bind(py).getattr(class)?.call((message,), Some(fields)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// The exception of a text with mistakes.
pub(crate) fn of_diagnostics(py: Python<'_>, diagnostics: &[Diagnostic], source: &Source) -> PyErr {
    let picture: String = diagnostics.iter().map(|found| render(found, source, Color::Never)).collect();
    let first = diagnostics.iter().find(|diagnostic| diagnostic.is_error());
    let fields = PyDict::new(py);
    let filled = (|| {
        let all =
            diagnostics.iter().map(|found| describe(py, found, source)).collect::<PyResult<Vec<_>>>()?;
        fields.set_item("diagnostics", all)?;
        fields.set_item("picture", picture.trim_end())?;
        fields.set_item("text", source.text())?;
        fields.set_item("code", first.map(|first| first.code.as_str()))?;
        fields.set_item("span", first.and_then(|first| span(first, source)))
    })();
    match filled {
        Ok(()) => {
            exception(py, "ProgramError", first.map_or("the text is wrong", |first| &first.message), &fields)
        }
        Err(error) => error,
    }
}

/// The exception of a rejected formula.
pub(crate) fn of_formula(py: Python<'_>, error: &FormulaError) -> PyErr {
    of_diagnostics(py, error.diagnostics(), error.text_source())
}

/// The exception of a call: the host's own one if a Python function raised it.
pub(crate) fn of_call(py: Python<'_>, error: &CallError) -> PyErr {
    if let Some(raised) = raised_by_host(py, error) {
        return raised;
    }
    let fields = PyDict::new(py);
    let filled = (|| {
        fields.set_item("code", error.code().as_str())?;
        fields.set_item("row", error.row())?;
        let frames = error.backtrace().iter().map(|frame| {
            let place = frame.place().map(|place| (place.text(), place.line()));
            (frame.function(), place)
        });
        fields.set_item("backtrace", PyTuple::new(py, frames.collect::<Vec<_>>())?)
    })();
    match filled {
        Ok(()) => exception(py, class_of(error.code()), &format!("{error:#}"), &fields),
        Err(error) => error,
    }
}

/// The exception of a request that the engine refuses.
pub(crate) fn of_request(py: Python<'_>, error: &kaleidoscope::Error) -> PyErr {
    let fields = PyDict::new(py);
    match fields.set_item("kind", format!("{:?}", error.kind())) {
        Ok(()) => exception(py, "EngineError", &error.to_string(), &fields),
        Err(error) => error,
    }
}

/// The class of an error of a running program.
pub(crate) fn class_of(code: DiagnosticCode) -> &'static str {
    match code {
        DiagnosticCode::TimedOut => "TimedOut",
        DiagnosticCode::Interrupted => "Interrupted",
        _ => "CallError",
    }
}

/// Whether the program ran and failed: its text is right.
pub(crate) fn is_of_running_program(code: DiagnosticCode) -> bool {
    code.as_str().starts_with("KLS3")
}

/// The exception of an expression that failed while it ran.
pub(crate) fn of_running_program(py: Python<'_>, found: &Diagnostic, source: &Source) -> PyErr {
    let fields = PyDict::new(py);
    let filled = (|| {
        fields.set_item("code", found.code.as_str())?;
        fields.set_item("picture", render(found, source, Color::Never).trim_end())?;
        fields.set_item("span", span(found, source))
    })();
    match filled {
        Ok(()) => exception(py, class_of(found.code), &found.message, &fields),
        Err(error) => error,
    }
}

fn raised_by_host(py: Python<'_>, error: &CallError) -> Option<PyErr> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(raised) = cause.downcast_ref::<PythonError>() {
            return Some(raised.0.clone_ref(py));
        }
        source = cause.source();
    }
    None
}

fn describe<'py>(py: Python<'py>, found: &Diagnostic, source: &Source) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("code", found.code.as_str())?;
    fields.set_item("severity", if found.is_error() { "error" } else { "warning" })?;
    fields.set_item("message", &found.message)?;
    fields.set_item("span", span(found, source))?;
    fields.set_item("hint", found.hint.as_deref())?;
    Ok(fields)
}

/// The place as positions in a Python string, which counts characters.
fn span(found: &Diagnostic, source: &Source) -> Option<(usize, usize)> {
    let span = found.span?;
    let text = source.text();
    let count = |end: u32| text.get(..end as usize).map_or(0, |before| before.chars().count());
    Some((count(span.start), count(span.end)))
}
