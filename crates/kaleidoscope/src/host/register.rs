//! Registration of host functions: the name means the closure from then on, as after a `def`.

use super::{HostFunction as HostClosureOf, HostValue, sealed};
use crate::config::Builder;
use crate::program::Program;
use crate::{Engine, Error};
use kaleidoscope_jit::{Change, Definition, HostClosure, HostFunction, Superseded};
use kaleidoscope_lang::MAX_PARAMETERS;
use kaleidoscope_lang::is_name;
use kaleidoscope_lang::names::NameState;
use std::fmt;
use std::sync::Arc;

/// A function that the host wants to be known by a name.
pub(crate) struct Registration {
    name: String,
    arity: u32,
    closure: HostClosure,
}

impl Registration {
    fn of_closure<Args, F: HostClosureOf<Args>>(name: &str, function: F) -> Self {
        let arity = <F as sealed::HostFunction<Args>>::ARITY;
        Self { name: name.to_owned(), arity, closure: function.into_closure() }
    }

    fn of_slice<R: HostValue>(
        name: &str,
        arity: u32,
        function: impl Fn(&[f64]) -> R + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.to_owned(), arity, closure: Box::new(move |args| function(args).into_result()) }
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
    /// Lets programs call a closure by this name: of none to eight `f64`, giving an `f64` or a
    /// `Result<f64, E>`.
    ///
    /// It is as if the host had a `def` of its own. A function that had the name is replaced for
    /// every call that begins after this has returned, also in code that exists, and handles made
    /// before reach the closure; with another number of parameters, calls that were written for
    /// the old number get an error. A program's `def` of the name replaces the closure in its
    /// turn, which is then kept until the engine goes or the name is registered again with as many
    /// parameters. A closure that was replaced by another one, or
    /// [removed](Self::remove), is dropped when no call is inside.
    ///
    /// The closure runs on the thread and the stack of whoever evaluates, with no lock held: it
    /// may call the engine, and several threads may be inside at once. An error that it gives back
    /// ends the evaluation with
    /// [`DiagnosticCode::HostError`](crate::DiagnosticCode::HostError), a panic with [`DiagnosticCode::HostPanic`](crate::DiagnosticCode::HostPanic); to a caller in
    /// Rust [`CallError`](crate::CallError) hands the error itself. It cannot be stopped: requests
    /// and deadlines wait for its return. A handle of the engine that it owns keeps the engine,
    /// and that the closure, for ever.
    ///
    /// It is not counted by [`Builder::max_functions`]. Observers are not told of it.
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
    /// assert_eq!(error.to_string(), "`root` failed: a negative number");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) when the language has no such name,
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) when the operating system gives no memory for a stub, and
    /// [`ErrorKind::Observer`](crate::ErrorKind::Observer).
    pub fn register<Args, F: HostClosureOf<Args>>(&self, name: &str, function: F) -> Result<(), Error> {
        self.provide(Registration::of_closure(name, function))
    }

    /// As [`Self::register`], for a closure that takes its arguments as a slice: always as many as
    /// `arity` says.
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
        let superseded = self.provide_in(&mut self.shared.program(), registration)?;
        self.jit.settle(superseded).map_err(Error::of_trap)
    }

    fn provide_in(&self, program: &mut Program, registration: Registration) -> Result<Superseded, Error> {
        let Registration { name, arity, closure } = registration;
        let name: Arc<str> = name.into();
        let definition = Definition::Host(HostFunction::new(Arc::clone(&name), closure));
        let before = program.names.current(&name);
        let known = program.names.find(&name, arity);
        if let Some(id) = known.filter(|&id| program.names.state(id) == NameState::Host) {
            // Calls reach the new closure by the function's host stub: no new version.
            program.keep_host(id);
            return self.jit.apply(vec![Change::new(id, definition)]).map_err(Error::of_trap);
        }
        let n_functions = program.names.n_functions() + usize::from(known.is_none());
        self.declare_up_to(n_functions, [arity].into_iter()).map_err(Error::memory)?;
        let (id, version) = program.provide(&name, arity);
        let superseded = self.supersede(before, id, definition, version);
        superseded.map_err(|trap| {
            // There is no memory for the host stub: the name means nothing.
            program.remove(id);
            Error::of_trap(trap)
        })
    }
}

impl Builder {
    /// Lets programs call a closure by this name, as [`Engine::register`] does. What is wrong with
    /// the name, [`Self::build`] says.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::builder().register("half", |x: f64| x / 2.0).build()?;
    /// assert_eq!(engine.run("half(84);").values().collect::<Vec<_>>(), [42.0]);
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn register<Args, F: HostClosureOf<Args>>(mut self, name: &str, function: F) -> Self {
        self.registrations.push(Registration::of_closure(name, function));
        self
    }

    /// As [`Self::register`], for a closure that takes its arguments as a slice:
    /// [`Engine::register_slice`].
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let largest = |args: &[f64]| args.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    /// let engine = Engine::builder().register_slice("max3", 3, largest).build()?;
    /// assert_eq!(engine.run("max3(1, 3, 2);").values().next(), Some(3.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn register_slice<R: HostValue>(
        mut self,
        name: &str,
        arity: u32,
        function: impl Fn(&[f64]) -> R + Send + Sync + 'static,
    ) -> Self {
        self.registrations.push(Registration::of_slice(name, arity, function));
        self
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
