//! Functions and formulas as Python callables.

use crate::columns::{Argument, Results};
use crate::ctrl_c;
use crate::errors;
use crate::host::take_raised;
use kaleidoscope::{CallError, DiagnosticCode, DynFunction, Formulas, Interrupter, MapOptions, Precision};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyTuple};
use std::time::Duration;

/// A function of a program, a formula, or several formulas over the same parameters.
///
/// >>> import kaleidoscope_jit as ks
/// >>> ramp = ks.formula("a * x + b", ["a", "b", "x"])
/// >>> ramp(2, 1, 3)
/// 7.0
/// >>> import numpy as np
/// >>> ramp(2, 1, np.arange(3))
/// array([1., 3., 5.])
/// >>> ramp(x=np.arange(3), a=np.array([[1], [2]]), b=0)
/// array([[0., 1., 2.],
///        [0., 2., 4.]])
///
/// Arrays are broadcast and converted to doubles as NumPy does it. `out` is an array for the
/// results, or a tuple with one for each result. `fast=True` permits other bits: vector functions
/// with an error of a few units in the last place. `parallel=False` stays on the calling thread.
#[pyclass(frozen, module = "kaleidoscope_jit")]
pub(crate) struct Function {
    callable: Callable,
    interrupter: Interrupter,
    name: String,
    parameters: Vec<String>,
    /// The texts of formulas.
    texts: Vec<String>,
    /// Whether it is a formula of the engine that the package shares: another process can make it
    /// again from its text.
    is_portable: bool,
}

/// What is called.
pub(crate) enum Callable {
    One(DynFunction),
    Several(Formulas),
}

/// What a new function is made of.
pub(crate) struct Parts {
    pub(crate) callable: Callable,
    pub(crate) interrupter: Interrupter,
    pub(crate) name: String,
    pub(crate) parameters: Vec<String>,
    pub(crate) texts: Vec<String>,
    pub(crate) is_portable: bool,
}

impl Function {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { callable, interrupter, name, parameters, texts, is_portable } = parts;
        Self { callable, interrupter, name, parameters, texts, is_portable }
    }

    /// Evaluates, and makes exceptions of errors.
    fn evaluate<T: Send>(
        &self,
        py: Python<'_>,
        body: impl FnOnce(&Callable) -> Result<T, CallError> + Send,
    ) -> PyResult<T> {
        drop(take_raised());
        let result = ctrl_c::evaluate(py, &self.interrupter, || body(&self.callable))?;
        result.map_err(|error| match (error.code(), take_raised()) {
            // A host function was told of Ctrl-C first, and what it raised was lost on the way.
            (DiagnosticCode::Interrupted, Some(raised)) => raised,
            _ => errors::of_call(py, &error),
        })
    }

    fn call_numbers<'py>(&self, py: Python<'py>, args: &[f64]) -> PyResult<Bound<'py, PyAny>> {
        let n_results = self.n_results();
        match &self.callable {
            Callable::One(function) => {
                let value = self.evaluate(py, |_| function.call(args))?;
                Ok(PyFloat::new(py, value).into_any())
            }
            Callable::Several(formulas) => {
                let mut results = vec![0.0; n_results];
                self.evaluate(py, |_| formulas.call(args, &mut results))?;
                Ok(PyTuple::new(py, results)?.into_any())
            }
        }
    }

    /// The arguments in the order of the parameters.
    fn in_order<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        named: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let py = args.py();
        let mut all: Vec<Bound<'py, PyAny>> = args.iter().collect();
        let rest = self.parameters.get(all.len()..).unwrap_or_default();
        for parameter in rest {
            let Some(value) = named.get_item(parameter)? else {
                return Err(PyTypeError::new_err(format!(
                    "{} lacks the argument `{parameter}`",
                    self.shown_name()
                )));
            };
            all.push(value);
        }
        for key in named.keys() {
            let key: String = key.extract()?;
            if !rest.contains(&key) {
                let name = self.shown_name();
                return Err(PyTypeError::new_err(format!("{name} takes no argument `{key}` here")));
            }
        }
        PyTuple::new(py, all)
    }

    fn check_count(&self, n_given: usize) -> PyResult<()> {
        let n_parameters = self.n_parameters();
        if n_given == n_parameters {
            return Ok(());
        }
        let plural = if n_parameters == 1 { "" } else { "s" };
        Err(PyTypeError::new_err(format!(
            "{} takes {n_parameters} argument{plural}, not {n_given}",
            self.shown_name()
        )))
    }

    fn n_parameters(&self) -> usize {
        match &self.callable {
            Callable::One(function) => function.arity(),
            Callable::Several(formulas) => formulas.parameters().len(),
        }
    }

    fn shown_name(&self) -> String {
        if self.texts.is_empty() { format!("`{}`", self.name) } else { "the formula".to_owned() }
    }
}

/// The Python half of array calls: NumPy's rules.
fn arrays(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let import = || Ok::<_, PyErr>(py.import("kaleidoscope_jit._arrays")?.unbind());
    MODULE.get_or_try_init(py, import).map(|module| module.bind(py))
}

/// The arguments, if all are numbers of Python.
fn numbers(args: &Bound<'_, PyTuple>, into: &mut Vec<f64>) -> PyResult<bool> {
    for arg in args.iter_borrowed() {
        match arg.cast::<PyFloat>() {
            Ok(value) => into.push(value.value()),
            Err(_) if arg.is_instance_of::<PyInt>() => into.push(arg.extract()?),
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

fn options(fast: bool, parallel: bool) -> MapOptions {
    let options = MapOptions::new().precision(if fast { Precision::Fast } else { Precision::Strict });
    if parallel { options } else { options.on_this_thread() }
}

#[pymethods]
impl Function {
    #[pyo3(signature = (*args, out=None, fast=false, parallel=true, **named))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        out: Option<Bound<'py, PyAny>>,
        fast: bool,
        parallel: bool,
        named: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, function) = (slf.py(), slf.get());
        let ordered;
        let args = match named {
            None => args,
            Some(named) => {
                ordered = function.in_order(args, named)?;
                &ordered
            }
        };
        function.check_count(args.len())?;
        let mut values = Vec::with_capacity(args.len());
        if out.is_none() && numbers(args, &mut values)? {
            return function.call_numbers(py, &values);
        }
        arrays(py)?.getattr("apply")?.call1((slf, args, out, fast, parallel))
    }

    /// Applies the function to columns that fit: each a float or an array of doubles.
    fn _map(
        &self,
        py: Python<'_>,
        columns: Vec<Bound<'_, PyAny>>,
        outs: Vec<Bound<'_, PyAny>>,
        fast: bool,
        parallel: bool,
    ) -> PyResult<()> {
        let arguments = columns.iter().map(Argument::new).collect::<PyResult<Vec<_>>>()?;
        let mut results = Results::new(&outs, &arguments)?;
        let columns: Vec<_> = arguments.iter().map(Argument::column).collect();
        let mut slices = results.slices();
        let options = options(fast, parallel);
        self.evaluate(py, |callable| match callable {
            Callable::One(function) => match slices.as_mut_slice() {
                [out] => function.map_columns(options, &columns, out),
                // The Python half passes as many arrays as there are results.
                _ => Ok(()),
            },
            Callable::Several(formulas) => formulas.map_columns(options, &columns, &mut slices),
        })
    }

    /// Scans columns that fit. Returns nothing: the results are in the arrays.
    fn _scan(
        &self,
        py: Python<'_>,
        init: Vec<f64>,
        columns: Vec<Bound<'_, PyAny>>,
        outs: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let arguments = columns.iter().map(Argument::new).collect::<PyResult<Vec<_>>>()?;
        let mut results = Results::new(&outs, &arguments)?;
        let columns = arguments.iter().map(Argument::rows).collect::<PyResult<Vec<_>>>()?;
        let mut slices = results.slices();
        self.evaluate(py, |callable| match callable {
            Callable::One(function) => match (slices.as_mut_slice(), init.as_slice()) {
                ([out], &[init]) => function.scan(init, &columns, out),
                // The Python half passes one of each.
                _ => Ok(()),
            },
            Callable::Several(formulas) => formulas.scan(&init, &columns, &mut slices),
        })
    }

    /// Folds columns that fit.
    fn _fold(&self, py: Python<'_>, init: Vec<f64>, columns: Vec<Bound<'_, PyAny>>) -> PyResult<Vec<f64>> {
        let arguments = columns.iter().map(Argument::new).collect::<PyResult<Vec<_>>>()?;
        let columns = arguments.iter().map(Argument::rows).collect::<PyResult<Vec<_>>>()?;
        self.evaluate(py, |callable| match callable {
            Callable::One(function) => init.iter().map(|&init| function.fold(init, &columns)).collect(),
            Callable::Several(formulas) => formulas.fold(&init, &columns),
        })
    }

    /// Passes each row's result to the next row as the first argument, beginning with `init`, and
    /// returns all results. Several formulas have a state each.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> average = ks.formula("a + 0.5 * (price - a)", ["a", "price"])
    /// >>> average.scan(10, [10, 12, 8])
    /// array([10. , 11. ,  9.5])
    #[pyo3(signature = (init, *columns, out=None))]
    fn scan<'py>(
        slf: &Bound<'py, Self>,
        init: Bound<'py, PyAny>,
        columns: &Bound<'py, PyTuple>,
        out: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().check_count(slf.get().n_results() + columns.len())?;
        arrays(slf.py())?.getattr("scan")?.call1((slf, init, columns, out))
    }

    /// As `scan`, but returns the last result only.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> ks.formula("total + x * x", ["total", "x"]).fold(0, [1, 2, 3])
    /// 14.0
    #[pyo3(signature = (init, *columns))]
    fn fold<'py>(
        slf: &Bound<'py, Self>,
        init: Bound<'py, PyAny>,
        columns: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().check_count(slf.get().n_results() + columns.len())?;
        arrays(slf.py())?.getattr("fold")?.call1((slf, init, columns))
    }

    /// This function with a time limit in seconds for each call.
    fn within(&self, seconds: f64) -> PyResult<Self> {
        let limit = time_limit(seconds)?;
        let callable = match &self.callable {
            Callable::One(function) => Callable::One(function.within(limit)),
            Callable::Several(formulas) => Callable::Several(formulas.within(limit)),
        };
        let (name, parameters, texts) = (self.name.clone(), self.parameters.clone(), self.texts.clone());
        let interrupter = self.interrupter.clone();
        Ok(Self { callable, interrupter, name, parameters, texts, is_portable: false })
    }

    /// Compiles the function now, and not at its first call.
    fn prepare(&self, py: Python<'_>) -> PyResult<()> {
        self.evaluate(py, |callable| match callable {
            Callable::One(function) => function.prepare(),
            Callable::Several(formulas) => {
                formulas.formulas().iter().try_for_each(|formula| formula.function().prepare())
            }
        })
    }

    /// The name; `None` for formulas.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.texts.is_empty().then_some(self.name.as_str())
    }

    /// The names of the parameters, as far as they have names.
    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.parameters)
    }

    /// The text of a formula, or a tuple of several; `None` for functions.
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match (&self.callable, self.texts.as_slice()) {
            (Callable::One(_), [text]) => text.into_pyobject(py)?.into_any(),
            (Callable::One(_), _) => py.None().into_bound(py),
            (Callable::Several(_), texts) => PyTuple::new(py, texts)?.into_any(),
        })
    }

    /// The number of results.
    #[getter]
    fn n_results(&self) -> usize {
        match &self.callable {
            Callable::One(_) => 1,
            Callable::Several(formulas) => formulas.formulas().len(),
        }
    }

    /// Whether a call gives a tuple, even of one result.
    #[getter]
    fn _is_several(&self) -> bool {
        matches!(self.callable, Callable::Several(_))
    }

    fn __repr__(&self) -> String {
        let parameters = self.parameters.join(", ");
        match self.texts.as_slice() {
            [] => format!("<kaleidoscope_jit.Function {}({parameters})>", self.name),
            [text] => format!("<kaleidoscope_jit.Function ({parameters}) -> {text}>"),
            texts => format!("<kaleidoscope_jit.Function ({parameters}) -> {}>", texts.join("; ")),
        }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        if !self.is_portable {
            return Err(PyTypeError::new_err(format!(
                "{} belongs to an engine, which stays in its process: send the text to the other one",
                self.shown_name()
            )));
        }
        let package = py.import("kaleidoscope_jit")?;
        let parameters = PyList::new(py, &self.parameters)?;
        let (maker, texts) = match self.callable {
            Callable::One(_) => ("formula", self.text(py)?),
            Callable::Several(_) => ("formulas", PyList::new(py, &self.texts)?.into_any()),
        };
        PyTuple::new(
            py,
            [package.getattr(maker)?, PyTuple::new(py, [texts, parameters.into_any()])?.into_any()],
        )
    }
}

/// A time limit from seconds.
pub(crate) fn time_limit(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| PyValueError::new_err(format!("a time limit of {seconds} seconds: {error}")))
}
