//! The engine as an embedding language sees it: [`Jit`].

mod host_memory;
mod listing;
mod snapshots;

use crate::code::Callable;
use crate::compile_queue::CompileQueue;
use crate::core::{Core, CoreScope, FunctionIds, SharedCore};
use crate::dependents::{Change, Definition, Superseded};
use crate::error::Error;
use crate::event::Event;
use crate::host::HostFunction;
use crate::interrupt::{CallLimits, Interrupter, Watch};
use crate::lazy::CompileReason;
use crate::mode::Mode;
use crate::settings::Builder;
use crate::table::StoredDefinition;
use crate::trap::Trap;
use kaleidoscope_ir::{Function, FunctionId, MathsFunction};
use kaleidoscope_native::{OfProcess, in_engine_mode};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};

/// A lazy, tiered, guarded engine over the IR.
///
/// A `Jit` is a handle: clones are the same engine, for any thread. When the last one is dropped,
/// the engine ends: it waits for compile threads, and frees all code and host functions. What the
/// engine owns (host functions, observers, the embedder) should refer to it by a [`WeakJit`].
///
/// An unknown id, or a [`Callable`] of another engine, is a mistake of the caller: methods panic.
///
/// ```
/// use kaleidoscope_jit::ir::{Arithmetic, FunctionBuilder};
/// use kaleidoscope_jit::{CallLimits, Jit};
/// use std::sync::Arc;
///
/// let jit = Jit::new()?;
/// let square = jit.declare(1)?;
/// let mut builder = FunctionBuilder::new("square");
/// let x = builder.param("x");
/// builder.get(x).get(x).arithmetic(Arithmetic::Multiply);
/// jit.define(square, Arc::new(builder.finish()?))?; // no code yet
/// let value = jit.call(jit.callable(square), &[12.0], CallLimits::new())?; // compiles, then runs
/// assert_eq!(value, 144.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Jit {
    pub(crate) core: SharedCore,
    /// Dropped last: the end of the compile threads may drop the last job's core.
    _closer: Arc<OfProcess<QueueCloser>>,
}

/// A handle that does not keep its engine alive, for what the engine owns: host functions,
/// observers, the embedder. From [`Jit::downgrade`].
#[derive(Clone, Debug)]
pub struct WeakJit {
    core: Weak<OfProcess<Core>>,
    closer: Weak<OfProcess<QueueCloser>>,
}

impl WeakJit {
    /// The engine; none if its last handle is dropped. There is one during every call.
    pub fn upgrade(&self) -> Option<Jit> {
        Some(Jit { core: self.core.upgrade()?, _closer: self.closer.upgrade()? })
    }
}

/// Ends the compile threads when the last handle is dropped.
#[derive(Debug)]
struct QueueCloser(Option<CompileQueue>);

impl Drop for QueueCloser {
    fn drop(&mut self) {
        if let Some(queue) = &self.0 {
            queue.close();
        }
    }
}

// A panic of the host's code (an observer, a host function, the body of a scope) leaves every
// table of the engine whole.
impl UnwindSafe for Jit {}
impl RefUnwindSafe for Jit {}
impl UnwindSafe for WeakJit {}
impl RefUnwindSafe for WeakJit {}

impl Builder {
    /// Builds the engine. No code generator starts before there is a function to compile.
    ///
    /// # Errors
    /// If the operating system refuses memory.
    pub fn build(self) -> Result<Jit, Error> {
        Core::new(self, None).map(Jit::of_core)
    }

    /// Builds an engine that begins with the functions, host variables and arrays of another one,
    /// under the same ids. No code is copied: what is called in the new engine is compiled there.
    /// The engines share host functions, variables and arrays, and nothing else.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_with_definitions_of(self, other: &Jit) -> Result<Jit, Error> {
        other.core.admit_process().map_err(Error::forked)?;
        Core::new(self, Some(&other.core)).map(Jit::of_core)
    }
}

impl Jit {
    fn of_core(core: SharedCore) -> Self {
        let closer = QueueCloser(core.compile_queue.clone());
        Self { core, _closer: Arc::new(OfProcess::new(closer)) }
    }

    /// An engine with default settings.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Settings for a new engine.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The settings of this engine, for a new one. The embedder is not among them.
    pub fn settings(&self) -> Builder {
        Builder { settings: self.core.settings.clone(), embedder: None }
    }

    /// When this engine compiles.
    pub fn mode(&self) -> Mode {
        self.core.settings.mode
    }

    /// Whether there is an optimizing tier: a backend, in a mode that uses it. Without one, the
    /// baseline tier compiles everything.
    pub fn has_optimizing_tier(&self) -> bool {
        self.core.compile_queue.is_some()
    }

    /// A handle that does not keep the engine alive.
    pub fn downgrade(&self) -> WeakJit {
        WeakJit { core: Arc::downgrade(&self.core), closer: Arc::downgrade(&self._closer) }
    }

    /// Whether two handles are the same engine.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }

    /// What stops the evaluations of this engine from another thread.
    pub fn interrupter(&self) -> Interrupter {
        self.core.interrupter.clone()
    }

    /// Emits an event of the embedding language to the observers.
    ///
    /// # Errors
    /// [`Trap::ObserverPanic`].
    pub fn emit(&self, event: impl FnOnce() -> Event) -> Result<(), Trap> {
        self.core.emit(event)
    }

    // --- functions ---

    /// Whether this thread can begin an evaluation. All methods that evaluate or compile check the
    /// same; a front end can check before it reads a text.
    ///
    /// # Errors
    /// - [`Trap::CannotEvaluate`] in a forked child of the process that made the engine.
    /// - [`Trap::StackOverflow`] if the thread's stack is too full: host functions and evaluations
    ///   nest, or the thread was started with too small a stack.
    pub fn admit(&self) -> Result<(), Trap> {
        self.core.admit()
    }

    /// Whether this process made the engine. In a forked child, methods that return errors return
    /// [`Trap::CannotEvaluate`], and others panic. Dropping the engine there is safe, and frees
    /// nothing.
    pub fn is_of_this_process(&self) -> bool {
        self.core.is_of_this_process()
    }

    /// Declares a function with this number of parameters. Its slot and stub exist from now on;
    /// calls trap until it is defined. Ids count up from 0.
    ///
    /// # Errors
    /// If the operating system refuses memory.
    pub fn declare(&self, arity: u32) -> Result<FunctionId, Error> {
        let mut ids = self.declare_all([(arity, None)])?;
        Ok(ids.next().expect("one function was declared"))
    }

    /// Declares several functions, each perhaps as a function of the maths library. Returns their
    /// ids, in order. On an error, none is declared.
    ///
    /// # Errors
    /// As [`declare`](Self::declare).
    ///
    /// # Panics
    /// If a function of the maths library takes another number of arguments.
    pub fn declare_all<I>(&self, functions: I) -> Result<FunctionIds, Error>
    where
        I: IntoIterator<Item = (u32, Option<MathsFunction>)>,
        I::IntoIter: ExactSizeIterator,
    {
        let functions = functions.into_iter().map(|(arity, maths)| {
            assert!(maths.is_none_or(|maths| maths.arity() == arity), "a maths function has its own arity");
            (arity, maths.map_or(StoredDefinition::Unavailable, StoredDefinition::Maths))
        });
        self.core.declare(functions)
    }

    /// The number of declared functions.
    pub fn n_functions(&self) -> usize {
        self.core.table().n_functions()
    }

    /// Defines a function, or redefines it. No code is generated. Calls that begin after `define`
    /// has returned run the new definition: exactly so on the calling thread, on a thread that is
    /// inside generated code after at most a millisecond of running. Optimized code that had
    /// inlined the old definition is invalidated, and left where it is running. Activations of the
    /// old definition itself finish as what they are.
    ///
    /// The IR is verified first, with the ids in it: functions that it calls must be declared,
    /// host variables bound. A function with several results cannot be called: it is for a
    /// [`group`](Self::group).
    ///
    /// # Errors
    /// [`Trap::Compile`] if the IR breaks a promise of [`Function`]; the function is as before.
    /// [`Trap::ObserverPanic`]; the function is defined all the same.
    ///
    /// # Panics
    /// If the IR function has another arity than was declared, or the id is unknown.
    pub fn define(&self, function: FunctionId, ir: Arc<Function>) -> Result<(), Trap> {
        self.core.verify_rows_version(&ir, self.version(function) + 1)?;
        self.redefine(function, Definition::Ir(ir))
    }

    /// Makes the function a host function.
    ///
    /// The closure runs on the thread and stack of the evaluation's host, with no lock held: it
    /// may call the engine. Its error or panic ends the evaluation with a trap. It cannot be
    /// interrupted. A closure that owns a handle of the engine keeps the engine alive forever.
    ///
    /// # Errors
    /// [`Trap::OutOfMemory`], and [`Trap::ObserverPanic`] as for [`define`](Self::define).
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn define_host(&self, function: FunctionId, host: HostFunction) -> Result<(), Trap> {
        self.redefine(function, Definition::Host(host))
    }

    /// Withdraws a definition: calls that begin from now on end in [`Trap::Unavailable`]. The id
    /// can be defined again, as a version of its own.
    ///
    /// # Errors
    /// As [`define`](Self::define).
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn withdraw(&self, function: FunctionId) -> Result<(), Trap> {
        self.redefine(function, Definition::Unavailable)
    }

    fn redefine(&self, function: FunctionId, definition: Definition) -> Result<(), Trap> {
        let superseded = self.apply([Change::new(function, definition)])?;
        self.settle(superseded)
    }

    /// Makes several changes in one step: no call sees only some of them. May run under locks of
    /// the embedder; the result must go to [`settle`](Self::settle) afterwards.
    ///
    /// IR is verified when it is compiled, not here, so that a definition that is never called
    /// costs little: a call of broken IR ends in [`Trap::Compile`].
    ///
    /// # Errors
    /// [`Trap::OutOfMemory`]; nothing has changed then.
    ///
    /// # Panics
    /// If an IR function or a maths function has another arity than was declared, if versions of
    /// one function do not increase, or if an id is unknown. Nothing has changed then, unless two
    /// changes of one function have versions that do not increase.
    pub fn apply(
        &self,
        changes: impl AsRef<[Change]> + IntoIterator<Item = Change>,
    ) -> Result<Superseded, Trap> {
        self.core.admit_process()?;
        self.core.apply(changes).map_err(|error| Trap::of_native(&error))
    }

    /// Emits the events of changes, and frees code that no thread is inside any more. No lock of
    /// the embedder may be held: observers run here.
    ///
    /// # Errors
    /// [`Trap::ObserverPanic`]; the changes hold all the same.
    pub fn settle(&self, superseded: Superseded) -> Result<(), Trap> {
        self.core.settle(superseded)
    }

    /// The version of a function's definition: 0 as declared, then as [`Change::version`] says.
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn version(&self, function: FunctionId) -> u32 {
        self.core.table().version(function)
    }

    /// The IR of a function, if it is defined by IR.
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn ir(&self, function: FunctionId) -> Option<Arc<Function>> {
        self.core.table().entry(function).ir().cloned()
    }

    // --- calls ---

    /// The function as something to call, for its whole life.
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn callable(&self, function: FunctionId) -> Callable {
        self.core.callable(function)
    }

    /// Expects calls from outside of the engine's code: the function's baseline code counts its
    /// entries, so that it tiers up although no caller counts.
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn count_entries(&self, function: FunctionId) {
        self.core.count_entries(function);
    }

    /// Compiles a function now, as its first call would. Functions that it calls are compiled at
    /// their own first call.
    ///
    /// # Errors
    /// The trap that a call would end in because no code can be had, or because of the limits. When
    /// a time limit or an interrupt ends the wait for an optimizing compiler, a compilation that
    /// has begun goes on in the background.
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn compile(&self, function: FunctionId, limits: CallLimits) -> Result<(), Trap> {
        self.core.admit()?;
        let watch = Watch::begin(&self.core.interrupter, limits);
        match self.mode() {
            Mode::Off => Ok(()),
            _ => {
                let compile = || watch.around(|| self.core.first_call(function, &watch));
                in_engine_mode(compile).map(drop)
            }
        }
    }

    /// Compiles a function now although nothing calls it: what eager mode does at a definition.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn compile_eagerly(&self, function: FunctionId, limits: CallLimits) -> Result<(), Trap> {
        self.core.admit()?;
        let watch = Watch::begin(&self.core.interrupter, limits);
        let compile = || self.core.materialize(function, CompileReason::Eager, &watch);
        in_engine_mode(|| watch.around(compile)).map(drop)
    }

    /// Calls a function, guarded: whatever it does, the host continues.
    ///
    /// In [`Mode::Tiered`] and [`Mode::Baseline`] the interpreter runs the first call of a function
    /// without loops, which is quicker than compiling it. The second call compiles it.
    ///
    /// # Errors
    /// Why the call ended without a value.
    ///
    /// # Panics
    /// If the function belongs to another engine. In [`Mode::Off`], which verifies nothing, if IR
    /// breaks a promise of [`Function`].
    #[inline]
    pub fn call(&self, function: Callable, args: &[f64], limits: CallLimits) -> Result<f64, Trap> {
        if args.len() != function.arity() as usize {
            return Err(wrong_count(function, args.len()));
        }
        let watch = Watch::begin(&self.core.interrupter, limits);
        self.call_watched(function, args, &watch)
    }

    #[inline]
    fn call_watched(&self, function: Callable, args: &[f64], watch: &Watch<'_>) -> Result<f64, Trap> {
        match self.core.settings.mode {
            Mode::Off => {
                self.core.check_engine(function);
                self.core.interpret(function.function(), args, watch)
            }
            mode => {
                if mode.has_interpreter_tier()
                    && self.core.is_lazy(function)
                    && let Some(result) = self.core.interpret_first_call(function.function(), args, watch)
                {
                    return result;
                }
                self.core.call(function, args, watch)
            }
        }
    }

    /// Calls functions with the same arguments, in order. The limits hold for all of them together.
    pub(crate) fn call_all(
        &self,
        functions: &[Callable],
        args: &[f64],
        results: &mut [f64],
        limits: CallLimits,
    ) -> Result<(), Trap> {
        if let Some(function) = functions.iter().find(|function| function.arity() as usize != args.len()) {
            return Err(wrong_count(*function, args.len()));
        }
        let watch = Watch::begin(&self.core.interrupter, limits);
        let mut calls = functions.iter().zip(results);
        let mode = self.core.settings.mode;
        if mode == Mode::Off || functions.iter().any(|&function| self.core.is_lazy(function)) {
            return calls.try_for_each(|(&function, result)| {
                *result = self.call_watched(function, args, &watch)?;
                Ok(())
            });
        }
        let call_all = |scope: &CoreScope<'_>| {
            calls.try_for_each(|(&function, result)| {
                *result = scope.call(function, args)?;
                Ok(())
            })
        };
        self.core.enter(&watch, call_all).flatten()
    }

    /// Runs a top-level expression, a function of the IR without parameters, once.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    ///
    /// # Panics
    /// If the expression has parameters. If it breaks a promise of [`Function`] and runs in the
    /// interpreter, which verifies nothing.
    pub fn run_once(&self, expression: &Arc<Function>, limits: CallLimits) -> Result<f64, Trap> {
        self.core.run_once(expression, limits)
    }

    /// Prepares many guarded calls, each of which then costs a fraction of a single one. The
    /// limits hold for all of them together. Code that is redefined meanwhile stays in memory
    /// until the body returns. The interpreter runs the first call of a function without loops, as
    /// for [`call`](Self::call).
    ///
    /// # Errors
    /// [`Trap::OutOfMemory`] if there is no memory for a guest stack; [`Trap::StackOverflow`] if
    /// evaluations nest too deeply.
    #[inline]
    pub fn enter<R>(&self, limits: CallLimits, body: impl FnOnce(&CallScope<'_>) -> R) -> Result<R, Trap> {
        let watch = Watch::begin(&self.core.interrupter, limits);
        if self.core.settings.mode == Mode::Off {
            self.core.admit()?;
            let scope = CallScope(ScopeKind::Interpreter(&self.core, &watch));
            return Ok(watch.around(|| body(&scope)));
        }
        self.core.keep_signals()?;
        self.core.enter(&watch, |scope| body(&CallScope(ScopeKind::Code(scope))))
    }

    // --- listings ---
}

/// Guarded calls that [`Jit::enter`] has prepared. It stays on its thread.
pub struct CallScope<'scope>(ScopeKind<'scope>);

enum ScopeKind<'scope> {
    Code(&'scope CoreScope<'scope>),
    Interpreter(&'scope Core, &'scope Watch<'scope>),
}

impl CallScope<'_> {
    /// Whether the function belongs to the engine that made the scope. Calls of other functions
    /// panic.
    #[inline]
    pub fn can_call(&self, function: Callable) -> bool {
        match &self.0 {
            ScopeKind::Code(scope) => scope.core().owns(function),
            ScopeKind::Interpreter(core, _) => core.owns(function),
        }
    }

    /// Calls a function of the engine that made the scope.
    ///
    /// # Errors
    /// As [`Jit::call`]. The next call can be made after an error.
    ///
    /// # Panics
    /// As [`Jit::call`].
    #[inline]
    pub fn call(&self, function: Callable, args: &[f64]) -> Result<f64, Trap> {
        if args.len() != function.arity() as usize {
            return Err(wrong_count(function, args.len()));
        }
        match &self.0 {
            ScopeKind::Code(scope) => scope.call_for_host(function, args),
            ScopeKind::Interpreter(core, watch) => {
                core.check_engine(function);
                core.interpret(function.function(), args, watch)
            }
        }
    }
}

impl std::fmt::Debug for CallScope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallScope").finish_non_exhaustive()
    }
}

#[cold]
fn wrong_count(function: Callable, given: usize) -> Trap {
    Trap::ArgumentCount { function: function.function(), given, takes: function.arity() }
}
