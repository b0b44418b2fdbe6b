//! The engine, and the variables that programs share with Python.

use crate::ctrl_c;
use crate::errors;
use crate::events::Recorder;
use crate::function::{Callable, Function, Parts, time_limit};
use crate::host::{PythonOutput, closure, take_raised};
use crate::plugin::plugin;
use kaleidoscope::{DiagnosticCode, Mode, Origin};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

/// Runs programs, and keeps their definitions. Threads may share it.
///
/// >>> import kaleidoscope_jit as ks
/// >>> engine = ks.Engine(time_limit=10)
/// >>> engine.run("def square(x) x * x;  square(7);")
/// [49.0]
///
/// `prelude` adds the usual operators and names. `mode` says when functions are compiled: "tiered",
/// "lazy", "eager", "baseline" or "off"; results have the same bits in all modes. Without `llvm`,
/// the baseline compiler compiles everything. The limits are `time_limit` in seconds for each call,
/// `stack_bytes`, `max_functions`, `max_code_bytes` and `max_item_bytes`. `provide_only` lists the
/// functions of the maths library that programs may call. `output` has a method `write`; if it is
/// not given, programs write to `sys.stdout`. `events=True` keeps events for `Engine.events`.
#[pyclass(frozen, module = "kaleidoscope_jit")]
pub(crate) struct Engine {
    engine: kaleidoscope::Engine,
    recorder: Recorder,
    /// Whether this is the engine that the package shares.
    is_shared: bool,
}

/// A number that programs and Python share. From `Engine.bind`.
///
/// >>> import kaleidoscope_jit as ks
/// >>> engine = ks.Engine()
/// >>> limit = engine.bind("limit", 10)
/// >>> engine.run("limit = limit / 2;")
/// [5.0]
/// >>> limit.value
/// 5.0
#[pyclass(frozen, module = "kaleidoscope_jit")]
pub(crate) struct Variable {
    variable: kaleidoscope::Variable,
}

fn mode(name: &str) -> PyResult<Mode> {
    Ok(match name {
        "tiered" => Mode::Tiered,
        "lazy" => Mode::Lazy,
        "eager" => Mode::Eager,
        "baseline" => Mode::Baseline,
        "off" => Mode::Off,
        _ => {
            return Err(PyValueError::new_err(format!(
                "`{name}` is no mode: there are tiered, lazy, eager, baseline and off"
            )));
        }
    })
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (
        *, prelude=true, mode="tiered", llvm=true, time_limit=None, stack_bytes=None,
        max_functions=None, max_code_bytes=None, max_item_bytes=None, provide_only=None,
        output=None, events=false, _shared=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are Python's named arguments")]
    fn new(
        py: Python<'_>,
        prelude: bool,
        mode: &str,
        llvm: bool,
        time_limit: Option<f64>,
        stack_bytes: Option<usize>,
        max_functions: Option<usize>,
        max_code_bytes: Option<usize>,
        max_item_bytes: Option<usize>,
        provide_only: Option<Vec<String>>,
        output: Option<Py<PyAny>>,
        events: bool,
        _shared: bool,
    ) -> PyResult<Self> {
        let recorder = Recorder::new(events);
        let mut builder = kaleidoscope::Engine::builder()
            .mode(self::mode(mode)?)
            .observer(recorder.clone())
            .output(PythonOutput(output));
        builder = match plugin().filter(|_| llvm) {
            Some(plugin) => builder.backend(plugin),
            None => builder.without_backend(),
        };
        if prelude {
            builder = builder.prelude();
        }
        if let Some(seconds) = time_limit {
            builder = builder.time_limit(self::time_limit(seconds)?);
        }
        if let Some(bytes) = stack_bytes {
            builder = builder.stack_bytes(bytes);
        }
        if let Some(n) = max_functions {
            builder = builder.max_functions(n);
        }
        if let Some(bytes) = max_code_bytes {
            builder = builder.max_code_bytes(bytes);
        }
        if let Some(bytes) = max_item_bytes {
            builder = builder.max_item_bytes(bytes);
        }
        if let Some(names) = provide_only {
            builder = builder.provide_only(names);
        }
        let engine = py.detach(|| builder.build()).map_err(|error| errors::of_request(py, &error))?;
        Ok(Self { engine, recorder, is_shared: _shared })
    }

    /// Runs the items of a text, and returns the values of its expressions.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> ks.Engine().run("def f(x) x + 1; f(1); f(f(1));")
    /// [2.0, 3.0]
    ///
    /// The first item that fails raises `ProgramError` or `CallError`, and the items behind it are
    /// not run. `name` is the name of the text in messages.
    #[pyo3(signature = (text, name="text"))]
    fn run(&self, py: Python<'_>, text: &str, name: &str) -> PyResult<Vec<f64>> {
        drop(take_raised());
        let mut script = self.engine.script(name);
        script.push(text);
        script.finish();
        let run = || {
            let mut values = Vec::new();
            while let Some(item) = script.run_next() {
                if item.is_error() {
                    return Err(item.diagnostics);
                }
                values.extend(item.value);
            }
            Ok(values)
        };
        let result = ctrl_c::evaluate(py, &self.engine.interrupter(), run)?;
        result.map_err(|diagnostics| {
            let source = script.source();
            let failed = diagnostics.iter().find(|found| errors::is_of_running_program(found.code));
            let Some(failed) = failed else { return errors::of_diagnostics(py, &diagnostics, &source) };
            match (failed.code, take_raised()) {
                (DiagnosticCode::HostError | DiagnosticCode::Interrupted, Some(raised)) => raised,
                _ => errors::of_running_program(py, failed, &source),
            }
        })
    }

    /// The function of this name. It stays valid when the function is defined again.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> ks.Engine().function("hypot")(3, 4)
    /// 5.0
    fn function(&self, py: Python<'_>, name: &str) -> PyResult<Function> {
        let refuse = |error| errors::of_request(py, &error);
        let function = self.engine.dyn_function(name).map_err(refuse)?;
        let parameters = match self.engine.function_info(name).map(|info| info.origin) {
            Some(Origin::Program { parameters, .. }) => parameters.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        Ok(Function::new(Parts {
            callable: Callable::One(function),
            interrupter: self.engine.interrupter(),
            name: name.to_owned(),
            parameters,
            texts: Vec::new(),
            is_portable: false,
        }))
    }

    /// An expression over named parameters, as a function. Without `parameters`, they are the
    /// variables of the text in its order.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> engine = ks.Engine()
    /// >>> engine.formula("price * (1 + tax)", ["tax", "price"])(0.25, 100)
    /// 125.0
    #[pyo3(signature = (text, parameters=None))]
    fn formula(&self, py: Python<'_>, text: &str, parameters: Option<Vec<String>>) -> PyResult<Function> {
        let parameters = match parameters {
            Some(parameters) => parameters,
            None => self.free_variables(py, text)?,
        };
        let names: Vec<&str> = parameters.iter().map(String::as_str).collect();
        let formula = py
            .detach(|| self.engine.formula(text, &names))
            .map_err(|error| errors::of_formula(py, &error))?;
        Ok(Function::new(Parts {
            callable: Callable::One(formula.function().clone()),
            interrupter: self.engine.interrupter(),
            name: "formula".to_owned(),
            parameters,
            texts: vec![text.to_owned()],
            is_portable: self.is_shared,
        }))
    }

    /// Several formulas over the same parameters: a call gives a tuple. Over arrays they are one
    /// loop, which computes once what they have in common.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> ks.Engine().formulas(["x + y", "x * y"], ["x", "y"])(3, 4)
    /// (7.0, 12.0)
    fn formulas(&self, py: Python<'_>, texts: Vec<String>, parameters: Vec<String>) -> PyResult<Function> {
        let names: Vec<&str> = parameters.iter().map(String::as_str).collect();
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let formulas = py
            .detach(|| self.engine.formulas(&borrowed, &names))
            .map_err(|error| errors::of_formula(py, &error))?;
        Ok(Function::new(Parts {
            callable: Callable::Several(formulas),
            interrupter: self.engine.interrupter(),
            name: "formulas".to_owned(),
            parameters,
            texts,
            is_portable: self.is_shared,
        }))
    }

    /// The variables of a formula that it does not define itself, in its order.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> ks.Engine().free_variables("var r = 2 * x in r * width + pi")
    /// ['x', 'width']
    fn free_variables(&self, py: Python<'_>, text: &str) -> PyResult<Vec<String>> {
        self.engine.free_variables(text).map_err(|error| errors::of_formula(py, &error))
    }

    /// Gives programs a Python function. What it raises ends the call and comes back as itself.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> engine = ks.Engine()
    /// >>> engine.register("half", lambda x: x / 2) and engine.run("half(3);")
    /// [1.5]
    /// >>> @engine.register
    /// ... def twice(x):
    /// ...     return 2 * x
    /// >>> engine.run("twice(half(3));")
    /// [3.0]
    ///
    /// `arity` is needed if the signature does not have it. An engine keeps the function alive; a
    /// function that refers to the engine keeps both alive.
    #[pyo3(signature = (name, function=None, *, arity=None))]
    fn register<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        function: Option<Bound<'py, PyAny>>,
        arity: Option<u32>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        // As a decorator: `@engine.register`, or `@engine.register("name")`.
        if name.is_callable() {
            let own_name: String = name.getattr("__name__")?.extract()?;
            slf.get().provide(py, &own_name, name, arity)?;
            return Ok(name.clone());
        }
        let name: String = name.extract()?;
        if let Some(function) = function {
            slf.get().provide(py, &name, &function, arity)?;
            return Ok(function);
        }
        let engine = slf.clone().unbind();
        let decorate = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            let function = args.get_item(0)?;
            engine.get().provide(args.py(), &name, &function, arity)?;
            Ok::<_, PyErr>(function.unbind())
        };
        Ok(PyCFunction::new_closure(py, Some(c"register"), None, decorate)?.into_any())
    }

    /// Removes a function. Calls of it fail until it is defined again.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> ks.Engine().remove("sin")
    fn remove(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.engine.remove(name).map_err(|error| errors::of_request(py, &error))
    }

    /// Makes a variable that programs read and assign by this name.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> engine = ks.Engine()
    /// >>> t = engine.bind("t", 1)
    /// >>> engine.run("t + 1;")
    /// [2.0]
    #[pyo3(signature = (name, value=0.0))]
    fn bind(&self, py: Python<'_>, name: &str, value: f64) -> PyResult<Variable> {
        let variable = kaleidoscope::Variable::new(value);
        self.engine.bind(name, &variable).map_err(|error| errors::of_request(py, &error))?;
        Ok(Variable { variable })
    }

    /// The variable that was bound to this name, or `None`.
    fn variable(&self, name: &str) -> Option<Variable> {
        self.engine.variable(name).map(|variable| Variable { variable })
    }

    /// The functions that programs can call, as dictionaries.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> engine = ks.Engine(prelude=False)
    /// >>> engine.run("def area(w h) w * h;")
    /// []
    /// >>> [each["source"] for each in engine.functions() if each["origin"] == "program"]
    /// ['def area(w h) w * h']
    fn functions<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let describe = |info: &kaleidoscope::FunctionInfo| {
            let fields = PyDict::new(py);
            fields.set_item("name", &*info.name)?;
            fields.set_item("arity", info.arity)?;
            match &info.origin {
                Origin::Program { version, parameters, source } => {
                    let parameters: Vec<&str> = parameters.iter().map(|name| &**name).collect();
                    fields.set_item("origin", "program")?;
                    fields.set_item("version", version)?;
                    fields.set_item("parameters", parameters)?;
                    fields.set_item("source", &**source)?;
                }
                Origin::Maths => fields.set_item("origin", "maths")?,
                Origin::Host => fields.set_item("origin", "host")?,
                _ => fields.set_item("origin", "declared")?,
            }
            Ok(fields)
        };
        self.engine.functions().iter().map(describe).collect()
    }

    /// What was done so far, as numbers.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> engine = ks.Engine(prelude=False)
    /// >>> engine.run("def f(x) x; f(1); f(2);")
    /// [1.0, 2.0]
    /// >>> engine.statistics()["defined"], engine.statistics()["expressions"]
    /// (1, 2)
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.recorder.statistics(py)
    }

    /// The events since the last call, oldest first: what became of each function.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> engine = ks.Engine(prelude=False, events=True)
    /// >>> engine.run("def f(x) x;")
    /// []
    /// >>> [event["event"] for event in engine.events()]
    /// ['read', 'defined']
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        match self.recorder.take_events(py)? {
            Some((events, 0)) => Ok(events),
            Some((events, n_dropped)) => {
                let dropped = PyDict::new(py);
                dropped.set_item("event", "dropped")?;
                dropped.set_item("count", n_dropped)?;
                Ok(std::iter::once(dropped).chain(events).collect())
            }
            None => Err(PyTypeError::new_err("this engine keeps no events: make it with `events=True`")),
        }
    }

    /// Stops the calls that are running now, on all threads: they raise `Interrupted`.
    fn interrupt(&self) {
        self.engine.interrupter().interrupt();
    }

    /// A new engine with the definitions of this one. Later definitions affect one of them only.
    fn fork(&self, py: Python<'_>) -> PyResult<Self> {
        let engine = py.detach(|| self.engine.fork()).map_err(|error| errors::of_request(py, &error))?;
        Ok(Self { engine, recorder: self.recorder.clone(), is_shared: false })
    }

    /// This engine with a time limit in seconds, for what is run and made by the new handle.
    ///
    /// >>> import kaleidoscope_jit as ks
    /// >>> ks.Engine().within(0.01).run("for i = 0, 1 in 0;")  # doctest: +IGNORE_EXCEPTION_DETAIL
    /// Traceback (most recent call last):
    ///     ...
    /// kaleidoscope_jit.TimedOut: error[KLS3006]: out of time
    fn within(&self, seconds: f64) -> PyResult<Self> {
        let engine = self.engine.within(time_limit(seconds)?);
        Ok(Self { engine, recorder: self.recorder.clone(), is_shared: false })
    }

    /// The mode. It is "off" where the system forbids code that is made at run time.
    #[getter]
    fn mode(&self) -> String {
        format!("{:?}", self.engine.mode()).to_lowercase()
    }
}

impl Engine {
    /// Registers a Python callable.
    fn provide(
        &self,
        py: Python<'_>,
        name: &str,
        function: &Bound<'_, PyAny>,
        arity: Option<u32>,
    ) -> PyResult<()> {
        if !function.is_callable() {
            return Err(PyTypeError::new_err(format!("`{name}` is to be a function, and is not callable")));
        }
        let arity = match arity {
            Some(arity) => arity,
            None => {
                py.import("kaleidoscope_jit._host")?.getattr("arity_of")?.call1((function,))?.extract()?
            }
        };
        self.engine
            .register_slice(name, arity, closure(function.clone().unbind()))
            .map_err(|error| errors::of_request(py, &error))
    }
}

#[pymethods]
impl Variable {
    /// The number, as programs see it now.
    #[getter]
    fn get_value(&self) -> f64 {
        self.variable.get()
    }

    #[setter]
    fn set_value(&self, value: f64) {
        self.variable.set(value);
    }

    fn __float__(&self) -> f64 {
        self.variable.get()
    }

    fn __repr__(&self) -> String {
        format!("<kaleidoscope_jit.Variable {}>", self.variable.get())
    }
}
