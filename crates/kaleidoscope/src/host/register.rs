//! Registration: gives a host function a name in programs, as a `def` would.

use super::{HostFunction as HostClosureOf, HostValue, sealed};
use crate::program::Program;
use crate::{Engine, Error};
use kaleidoscope_jit::{Change, Definition, HostClosure, HostFunction, Superseded};
use kaleidoscope_lang::MAX_PARAMETERS;
use kaleidoscope_lang::is_name;
use kaleidoscope_lang::names::NameState;
use std::fmt;
use std::sync::Arc;

/// A host function to register, with its name.
pub(crate) struct Registration {
    name: String,
    arity: u32,
    function: HostFunction,
}

impl Registration {
    pub(crate) fn of_closure<Args, F: HostClosureOf<Args>>(name: &str, function: F) -> Self {
        Self::new(name, <F as sealed::HostFunction<Args>>::ARITY, function.into_closure())
    }

    pub(crate) fn of_slice<R: HostValue>(
        name: &str,
        arity: u32,
        function: impl Fn(&[f64]) -> R + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, arity, Box::new(move |args| function(args).into_result()))
    }

    fn new(name: &str, arity: u32, closure: HostClosure) -> Self {
        Self { name: name.to_owned(), arity, function: HostFunction::from_box(name, closure) }
    }

    fn check(&self) -> Result<(), Error> {
        if !is_name(&self.name) {
            return Err(Error::invalid_name(&self.name));
        }
        if self.arity as usize > MAX_PARAMETERS {
            return Err(Error::too_many_parameters(&self.name, self.arity));
        }
        Ok(())
    }
}

impl Engine {
    /// Registers a closure under a name, so that programs can call it. The closure takes from zero
    /// to eight `f64` and returns an `f64` or a `Result<f64, E>`.
    ///
    /// Registering is a definition by the host:
    ///
    /// - It replaces a function of this name in every call that begins after `register` returns.
    ///   That includes calls in compiled code and calls by handles made before.
    /// - If the number of parameters changes, calls compiled for the old number end with an error.
    /// - A program's `def` of the name replaces the closure. The engine keeps the closure until the
    ///   engine is dropped, or until the name is registered again with the same number of
    ///   parameters.
    /// - A closure that another registration replaced, or that was [removed](Self::remove), is
    ///   dropped once no call is inside it. A panic of its destructor is ignored.
    ///
    /// The closure runs on the caller's thread and host stack. The engine holds no lock meanwhile:
    /// the closure may call the engine, and several threads may run it at once. An error that it
    /// returns ends the evaluation with
    /// [`DiagnosticCode::HostError`](crate::DiagnosticCode::HostError), and
    /// [`CallError`](crate::CallError) has that error as its source. A panic ends the evaluation
    /// with [`DiagnosticCode::HostPanic`](crate::DiagnosticCode::HostPanic). Interrupts and
    /// deadlines wait until the closure returns. A closure that owns a handle of its engine keeps
    /// the engine alive forever.
    ///
    /// [`Builder::max_functions`](crate::Builder::max_functions) does not count registered functions, and observers receive no
    /// event.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::sync::Arc;
    ///
    /// let engine = Engine::new()?;
    /// engine.register("clamp", |x: f64, lo: f64, hi: f64| x.max(lo).min(hi))?;
    /// let n_calls = Arc::new(AtomicU64::new(0));
    /// let counter = Arc::clone(&n_calls);
    /// engine.register("count", move || counter.fetch_add(1, Ordering::Relaxed) as f64)?;
    /// engine.register("root", |x: f64| if x < 0.0 { Err("a negative number") } else { Ok(x.sqrt()) })?;
    ///
    /// let outcome = engine.run("clamp(12, 0, 10); count(); count(); root(16);");
    /// assert_eq!(outcome.values().collect::<Vec<_>>(), [10.0, 0.0, 1.0, 4.0]);
    /// assert_eq!(n_calls.load(Ordering::Relaxed), 2);
    ///
    /// let error = engine.function::<(f64,)>("root")?.call((-1.0,)).unwrap_err();
    /// assert_eq!(format!("{error:#}"), "`root` failed: a negative number");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) if the name is not an identifier
    ///   of the language.
    /// - [`ErrorKind::NameInUse`](crate::ErrorKind::NameInUse) if an array of the host has the name.
    /// - [`ErrorKind::Memory`](crate::ErrorKind::Memory) if the operating system refuses memory for
    ///   a stub.
    /// - [`ErrorKind::Observer`](crate::ErrorKind::Observer) if an observer panicked.
    pub fn register<Args, F: HostClosureOf<Args>>(&self, name: &str, function: F) -> Result<(), Error> {
        self.provide(Registration::of_closure(name, function))
    }

    /// As [`Self::register`], for a closure that takes its arguments as a slice of length `arity`.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.register_slice("sum5", 5, |args: &[f64]| args.iter().sum::<f64>())?;
    /// assert_eq!(engine.run("sum5(1, 2, 3, 4, 5);").values().collect::<Vec<_>>(), [15.0]);
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::register`], and
    /// [`ErrorKind::TooManyParameters`](crate::ErrorKind::TooManyParameters) for more than
    /// [`MAX_PARAMETERS`](crate::lang::MAX_PARAMETERS), which is 10,000.
    pub fn register_slice<R: HostValue>(
        &self,
        name: &str,
        arity: u32,
        function: impl Fn(&[f64]) -> R + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.provide(Registration::of_slice(name, arity, function))
    }

    pub(crate) fn provide(&self, registration: Registration) -> Result<(), Error> {
        registration.check()?;
        self.admit()?;
        let superseded = self.provide_in(&mut self.shared.program(), registration)?;
        self.jit.settle(superseded).map_err(Error::of_trap)
    }

    fn provide_in(&self, program: &mut Program, registration: Registration) -> Result<Superseded, Error> {
        let Registration { name, arity, function } = registration;
        if program.names.is_keyword(&name) {
            return Err(Error::invalid_name(&name));
        }
        let name: Arc<str> = name.into();
        let definition = Definition::Host(function);
        if program.names.array(&name).is_some() {
            return Err(Error::name_of_array(&name, "function"));
        }
        let before = program.names.current(&name);
        let known = program.names.find(&name, arity);
        if let Some(id) = known.filter(|&id| program.names.state(id) == NameState::Host) {
            // Calls reach the new closure through the host stub, so there is no new version.
            program.keep_host(id);
            return self.jit.apply([Change::new(id, definition)]).map_err(Error::of_trap);
        }
        self.declare(known.is_none().then_some(arity).into_iter()).map_err(Error::memory)?;
        let (id, version) = program.provide(&name, arity);
        let superseded = self.supersede(before, id, definition, version);
        superseded.map_err(|trap| {
            // The system refused memory for the host stub: remove the name again.
            program.remove(id);
            Error::of_trap(trap)
        })
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("name", &self.name)
            .field("arity", &self.arity)
            .finish_non_exhaustive()
    }
}
