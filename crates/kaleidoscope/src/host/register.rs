//! Registering functions of the host: the name means the closure from then on, as if the host had a `def` of its own.

use super::{HostCall, HostEntry, HostFunction, HostValue, sealed};
use crate::config::Builder;
use crate::jit::Replaced;
use crate::program::Program;
use crate::{Engine, Error};
use kaleidoscope_lang::MAX_PARAMETERS;
use kaleidoscope_lang::names::NameState;
use kaleidoscope_lang::token::is_name;
use std::fmt;
use std::sync::Arc;

/// A function that the host wants to be known by a name.
pub(crate) struct Registration {
    name: String,
    arity: u32,
    call: HostCall,
}

impl Registration {
    fn of_closure<Args, F: HostFunction<Args>>(name: &str, function: F) -> Self {
        let arity = <F as sealed::HostFunction<Args>>::ARITY;
        Self { name: name.to_owned(), arity, call: function.into_call() }
    }

    fn of_slice<R: HostValue>(
        name: &str,
        arity: u32,
        function: impl Fn(&[f64]) -> R + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.to_owned(), arity, call: Box::new(move |args| function(args).into_result()) }
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

/// What a registration has left to do, once no lock is held.
struct Provision {
    replaced: Replaced,
    /// What the host had registered before, to be dropped.
    old: [Option<Arc<HostEntry>>; 2],
}

impl Engine {
    /// Lets programs call a closure by this name: of none to eight `f64`, giving an `f64` or a `Result<f64, E>`.
    ///
    /// It is as if the host had a `def` of its own. A function that had the name is replaced for every call that begins
    /// after this has returned, also in code that exists, and handles made before reach the closure; with another number of parameters,
    /// calls that were written for the old number get an error. A program's `def` of the name replaces the closure in its turn, which is
    /// then kept until the engine goes or the name is registered again with as many parameters. A closure that was replaced by another one, or
    /// [removed](Self::remove), is dropped when no call is inside.
    ///
    /// The closure runs on the thread and the stack of whoever evaluates, with no lock held: it may call the engine, and
    /// several threads may be inside at once. An error that it gives back ends the evaluation with
    /// [`DiagnosticCode::HostError`](crate::DiagnosticCode::HostError), a panic with [`DiagnosticCode::HostPanic`](crate::DiagnosticCode::HostPanic); to a caller in
    /// Rust [`CallError`](crate::CallError) hands the error itself. It cannot be stopped: requests and deadlines wait for
    /// its return. A handle of the engine that it owns keeps the engine, and that the closure, for ever.
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
    pub fn register<Args, F: HostFunction<Args>>(&self, name: &str, function: F) -> Result<(), Error> {
        self.provide(Registration::of_closure(name, function))
    }

    /// As [`Self::register`], for a closure that takes its arguments as a slice: always as many as `arity` says.
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
    /// As [`Self::register`], and [`ErrorKind::TooManyParameters`](crate::ErrorKind::TooManyParameters) for more than
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
        let mut program = self.jit.source.program();
        let provided = self.provide_in(&mut program, registration);
        drop(program);
        let Provision { replaced, old } = provided.map_err(Error::memory)?;
        drop(old);
        self.jit.settle(replaced).map_err(Error::observer)
    }

    /// On an error nothing has changed.
    fn provide_in(
        &self,
        program: &mut Program,
        registration: Registration,
    ) -> Result<Provision, kaleidoscope_native::Error> {
        let Registration { name, arity, call } = registration;
        let hosts = &self.jit.source.hosts;
        let name: Arc<str> = name.into();
        let entry = HostEntry::registered(Arc::clone(&name), call);
        let before = program.names.current(&name);
        let known = program.names.find(&name, arity);
        let host = known.and_then(|id| program.host(id)).cloned();
        if let (Some(id), Some(host)) = (known, &host)
            && program.names.state(id) == NameState::Host
        {
            // Its stub is what calls reach.
            let old = hosts.set(host.stub.id(), entry);
            return Ok(Provision { replaced: Replaced::default(), old: [old, None] });
        }
        let stub = match host {
            Some(host) => host.stub,
            None => hosts.allocate(arity)?,
        };
        self.declare(program, program.names.n_functions() + usize::from(known.is_none()))?;
        let old = hosts.set(stub.id(), entry);
        let (id, version) = program.provide(&name, stub);
        let replaced = self.supersede(before, id, version);
        let withdrawn = before.filter(|before| *before != id).and_then(|before| {
            let stub = program.host(before)?.stub.id();
            hosts.set(stub, HostEntry::withdrawn(name, Some(arity)))
        });
        Ok(Provision { replaced, old: [old, withdrawn] })
    }
}

impl Builder {
    /// Lets programs call a closure by this name, as [`Engine::register`] does. What is wrong with the name,
    /// [`Self::build`] says.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::builder().register("half", |x: f64| x / 2.0).build()?;
    /// assert_eq!(engine.run("half(84);").values().collect::<Vec<_>>(), [42.0]);
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn register<Args, F: HostFunction<Args>>(mut self, name: &str, function: F) -> Self {
        self.registrations.push(Registration::of_closure(name, function));
        self
    }

    /// As [`Self::register`], for a closure that takes its arguments as a slice: [`Engine::register_slice`].
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
