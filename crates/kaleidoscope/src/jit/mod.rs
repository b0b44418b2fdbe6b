//! The lazy engine: functions that have a fixed address from the start, and code only when a call reaches them.
//!
//! ```text
//!           define                first call                     define again
//! declared ────────► Lazy ──────────────────► Compiling ──► Ready ──────────► Lazy (old body retired)
//!                     ▲                           │
//!                     └───────── failed ──────────┘
//! ```
//! A function that is declared only, or withdrawn, is `Lazy` too: its source has no body to give, and the call fails.
//!
//! A [`Jit`] owns the stubs and says what stands behind each; a [`Source`] makes the bodies. This module does not know the
//! language: a function is a number, the number of its stub. What this module relies on: [`kaleidoscope_native`] for stubs and
//! guarded calls. What it never does: call out (to the source's observers, to a compiler, to a program's host
//! functions) while it holds its lock.

mod callers;
mod epochs;
mod heat;
mod install;
mod rows;
mod state;
mod tiers;

pub(crate) use heat::Heat;
pub(crate) use install::{Body, BodyFacts, Callable, Made, RowsCode};
#[cfg(feature = "rayon")]
pub(crate) use kaleidoscope_native::InterruptHandle;
pub(crate) use kaleidoscope_native::{CodeAddress, HostId, StubId, Trap};
pub(crate) use rows::{RowsKey, WantedRows};
pub(crate) use tiers::Hot;

use crate::interrupt::Watch;
use epochs::{Epoch, Epochs};
use kaleidoscope_ir::compile::{CodeKind, Unit};
use kaleidoscope_native::{GuardedScope, StackTrace, Stub, StubPool};
use rows::RowsState;
use state::{Call, State};
use std::any::Any;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tiers::Carrier;

/// What makes the bodies of functions, and hears of their lives. Everything but `body` may call the engine again.
pub(crate) trait Source: Send + Sync {
    /// Why a call ended without a value.
    type Failure: Send + 'static;

    /// Makes a body for this version of the function. `None` if it was defined again: the version is not to be had.
    fn body(&self, function: StubId, version: u32, occasion: Occasion)
    -> Result<Option<Body>, Self::Failure>;

    /// A call reached this version of the function, and found no code. It may have been defined again since.
    fn called(&self, function: StubId, version: u32) -> Result<(), Self::Failure>;

    /// A body is ready to be called, and stands behind its stub if it has one.
    fn ready(&self, body: &BodyFacts) -> Result<(), Self::Failure>;

    /// There is no body. Returns what the caller is told.
    fn failed(&self, failure: Self::Failure) -> Self::Failure;

    /// A body's code was given back.
    fn freed(&self, body: &BodyFacts) -> Result<(), Self::Failure>;

    /// How long after something was hot for the first time better code begins to be made.
    fn delay(&self) -> Duration;

    /// Something has become hot: has better code made in the background, which goes to [`Jit::install_better`]. When there is none, goes
    /// to [`Jit::came_to_nothing`], and when there will be none, to [`Jit::gave_up`].
    fn improve(&self, hot: Hot) -> Result<(), Self::Failure>;

    /// The stub of the function that code was made of; none for code that belongs to no function.
    fn stub_of(&self, unit: &Unit) -> Option<StubId>;

    /// Better code no longer holds, because of what was defined.
    fn invalidated(&self, body: &BodyFacts) -> Result<(), Self::Failure>;

    /// The host function by which code tells that a counter has run out; none where code does not count.
    fn hot_function(&self) -> Option<HostId>;

    /// Calls a host function.
    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Self::Failure>;

    /// What to tell of an evaluation that was stopped; the functions that were on the stack are named, the innermost first.
    fn stopped(&self, stop: Stop, inside: Vec<Arc<str>>) -> Self::Failure;

    /// What to tell of a panic that the machine's fence caught.
    fn panicked(&self, payload: Box<dyn Any + Send>) -> Self::Failure;
}

/// What stopped an evaluation.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The guest stack was used up.
    StackOverflow,
    /// Somebody asked for it.
    Interrupted,
    /// Its time was up.
    DeadlinePassed,
    /// The call could not be prepared.
    Unavailable(kaleidoscope_native::Error),
}

/// Why a body is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A call reached the function and found no code.
    Call,
    /// It is to have code before it is called: a function that was defined, or a top-level expression.
    Ahead,
}

/// The functions of one engine: their stubs, and what stands behind them.
#[derive(Debug)]
pub(crate) struct Jit<S> {
    pub(crate) source: S,
    stubs: StubPool,
    table: Mutex<Table>,
    epochs: Epochs,
    /// Whether the table has retired bodies, so that leaving generated code looks only then.
    has_retired: AtomicBool,
    /// When something was hot for the first time, and whether better code is made by now.
    first_hot: OnceLock<Instant>,
    makes_better: AtomicBool,
    /// Told whenever a function leaves the state `Compiling`.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    functions: Vec<Function>,
    /// Who carries a function, or once carried it.
    carriers: HashMap<StubId, HashSet<Carrier>>,
    /// What is known of all quick code that may still run, by number.
    heats: HashMap<u32, Arc<Heat>>,
    /// Code for rows, of functions that were asked for rows since they were defined.
    rows: HashMap<RowsKey, RowsState>,
    /// Bodies that no new call can reach, kept while a thread may still be inside; the oldest first.
    retired: VecDeque<(Epoch, Body)>,
}

#[derive(Debug)]
struct Function {
    stub: Stub,
    state: State<Body>,
    /// Whether its code must count, whatever it is like.
    must_count: bool,
    /// The numbers of the quick code that calls it, and of some that is gone.
    callers: Vec<u32>,
}

impl<S: Source> Jit<S> {
    pub(crate) fn new(source: S) -> Self {
        Self {
            source,
            stubs: StubPool::new(),
            table: Mutex::default(),
            epochs: Epochs::default(),
            has_retired: AtomicBool::new(false),
            first_hot: OnceLock::new(),
            makes_better: AtomicBool::new(false),
            changed: Condvar::new(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A panic under the lock is a mistake of this module (an index that is no function's, a body at the wrong stub); each
        // step leaves the table whole before it could happen.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that the functions 0 to `n_functions - 1` have a stub: all of them, or on an error no new one. Returns
    /// where the slots of the new ones are, in order: for ever there.
    pub(crate) fn declare(&self, n_functions: usize) -> Result<Vec<usize>, kaleidoscope_native::Error> {
        let mut table = self.table();
        let n_new = n_functions.saturating_sub(table.functions.len());
        let mut new = Vec::with_capacity(n_new);
        while new.len() < n_new {
            let number =
                u32::try_from(table.functions.len() + new.len()).expect("functions are numbered in 32 bits");
            // An earlier call that failed half-way has left stubs behind that no function has yet.
            let left_behind = self.stubs.get(StubId::new(number));
            new.push(left_behind.map_or_else(|| self.stubs.allocate(), Ok)?);
        }
        let slots = new.iter().map(Stub::slot_address).collect();
        table.functions.extend(new.into_iter().map(|stub| Function {
            stub,
            state: State::Lazy { version: 0 },
            must_count: false,
            callers: Vec::new(),
        }));
        Ok(slots)
    }

    /// The function has a new definition, or none any more: the next call asks the source. Bodies that were made of the
    /// old one, its own and those that carry it, are reached by no new call. What is to be done about them is left to
    /// [`Self::settle`], when no lock is held.
    pub(crate) fn define(&self, function: StubId, version: u32) -> Replaced {
        let mut table = self.table();
        let mut old = table.functions[function.index()].replace(version);
        old.extend(table.forget_rows(function));
        let carriers = table.take_carriers(function);
        let better = carriers.iter().filter(|body| !matches!(body.part(), CodeKind::Kernel(_)));
        let invalidated = better.map(|body| body.facts.clone()).collect();
        if !old.is_empty() || !carriers.is_empty() {
            let epoch = self.epochs.retire();
            table.retired.extend(old.into_iter().chain(carriers).map(|body| (epoch, body)));
            self.has_retired.store(true, Ordering::Release);
        }
        Replaced { invalidated, free: self.take_free(&mut table) }
    }

    /// Gives back the code that nobody can be inside any more, and tells of what a definition has done; then the first thing
    /// that went wrong in telling of it.
    pub(crate) fn settle(&self, replaced: Replaced) -> Result<(), S::Failure> {
        let mut told = Ok(());
        for facts in &replaced.invalidated {
            told = told.and(self.source.invalidated(facts));
        }
        let freed = self.free(replaced.free);
        told.and(freed)
    }

    /// The retired bodies that nobody can be inside any more.
    fn take_free(&self, table: &mut Table) -> Vec<Body> {
        let oldest = self.epochs.oldest_inside();
        let n_free = table.retired.partition_point(|&(epoch, _)| epoch < oldest);
        let free = table.retired.drain(..n_free).map(|(_, body)| body).collect();
        self.has_retired.store(!table.retired.is_empty(), Ordering::Release);
        free
    }

    /// A call reached the function's stub and found no code: the code, made now by one of the threads that come.
    fn first_call(&self, function: StubId) -> Result<CodeAddress, S::Failure> {
        self.materialize(function, Occasion::Call)
    }

    /// Makes the code of the function as a call would, but calls nothing.
    pub(crate) fn prepare(&self, function: StubId) -> Result<(), S::Failure> {
        self.first_call(function).map(drop)
    }

    /// The code of the function, made now if there is none. Threads that come while another one compiles wait for it.
    /// Code is made for a call only of a version whose call was told.
    pub(crate) fn materialize(
        &self,
        function: StubId,
        occasion: Occasion,
    ) -> Result<CodeAddress, S::Failure> {
        loop {
            let version = self.table().functions[function.index()].state.version();
            if occasion == Occasion::Call {
                self.source.called(function, version)?;
            }
            let mut table = self.table();
            let state = &mut table.functions[function.index()].state;
            if state.version() != version {
                continue;
            }
            match state.on_call() {
                Call::Jump(code) => return Ok(code),
                Call::Wait => drop(self.changed.wait(table).unwrap_or_else(PoisonError::into_inner)),
                Call::Compile { version } => {
                    drop(table);
                    if let Some(code) = self.compile(function, version, occasion)? {
                        return Ok(code);
                    }
                }
            }
        }
    }

    /// Makes the body and puts it behind the stub. `None` when the function, or one that the body carries, was defined
    /// again in the meantime: the body is thrown away.
    fn compile(
        &self,
        function: StubId,
        version: u32,
        occasion: Occasion,
    ) -> Result<Option<CodeAddress>, S::Failure> {
        let compiling = CompilingGuard { jit: self, function, version };
        let body = match self.source.body(function, version, occasion) {
            Ok(Some(body)) => Box::new(body),
            Ok(None) => return Ok(None),
            Err(failure) => {
                drop(compiling);
                return Err(self.source.failed(failure));
            }
        };
        let facts = body.facts.clone();
        let installed = self.table().install(function, body);
        let Ok(code) = installed else {
            // Nobody has seen the body, so it goes without a word.
            return Ok(None);
        };
        compiling.succeeded();
        self.source.ready(&facts)?;
        Ok(Some(code))
    }

    /// The function as something to be called; it has this arity.
    pub(crate) fn callable(&self, function: StubId, arity: u32) -> Callable {
        Callable::of_stub(&self.table().functions[function.index()].stub, arity)
    }

    /// Calls a body that belongs to no function, then gives its code back.
    pub(crate) fn run_once(
        &self,
        body: Body,
        watch: &Watch<'_>,
        stack_bytes: usize,
    ) -> Result<f64, S::Failure> {
        let told = self.source.ready(&body.facts);
        if let Some(heat) = body.heat() {
            self.table().note_heat(heat);
        }
        let result = told.and_then(|()| {
            self.enter(watch, stack_bytes, |inside| {
                let result = body.callable().call(inside.scope, &[]);
                result.map_err(|trap| self.failure(trap, Some(&body)))
            })
            .flatten()
        });
        // Nothing else knows the body's address, so nothing is inside once the call has returned.
        let told = self.free(vec![body]);
        result.and_then(|value| told.map(|()| value))
    }

    /// Prepares for any number of calls; at the end frees the bodies that nobody is inside of any more.
    #[inline]
    pub(crate) fn enter<R>(
        &self,
        watch: &Watch<'_>,
        stack_bytes: usize,
        body: impl FnOnce(&Inside<'_, S>) -> R,
    ) -> Result<R, S::Failure> {
        let inside = self.epochs.enter();
        let result = kaleidoscope_native::enter(&watch.limits(stack_bytes), self, |scope| {
            // Requests that come from here on find the scope; those before are handed to it now.
            if watch.is_interrupted() {
                scope.interrupt_handle().interrupt();
            }
            body(&Inside { jit: self, scope })
        });
        drop(inside);
        let told = match self.has_retired.load(Ordering::Acquire) {
            true => self.free_retired(),
            false => Ok(()),
        };
        match result {
            Ok(result) => told.map(|()| result),
            Err(trap) => Err(self.failure(trap, None)),
        }
    }

    #[cold]
    fn free_retired(&self) -> Result<(), S::Failure> {
        let free = self.take_free(&mut self.table());
        self.free(free)
    }

    /// What a trap says that left generated code; `outermost` is the body it began in, if it belongs to no function.
    #[cold]
    fn failure(&self, trap: Trap, outermost: Option<&Body>) -> S::Failure {
        let (stop, trace) = match trap {
            Trap::Panic(payload) => return self.source.panicked(payload),
            Trap::Error(error) => {
                return error.downcast().map_or_else(|error| self.source.panicked(error), |failure| *failure);
            }
            Trap::StackOverflow(trace) => (Stop::StackOverflow, trace),
            Trap::Interrupted(trace) => (Stop::Interrupted, trace),
            Trap::DeadlinePassed(trace) => (Stop::DeadlinePassed, trace),
            Trap::Unavailable(error) => (Stop::Unavailable(error), StackTrace::default()),
            _ => return self.source.panicked(Box::new("an unknown kind of trap")),
        };
        let table = self.table();
        let current = table.functions.iter().flat_map(|function| function.state.bodies());
        let current = current.chain(table.rows.values().filter_map(RowsState::body));
        let bodies: Vec<&Body> =
            current.chain(table.retired.iter().map(|(_, body)| body)).chain(outermost).collect();
        let name_at = |&address: &CodeAddress| {
            let body = bodies.iter().find(|body| body.contains_with_loops(address))?;
            Some(Arc::clone(&body.facts.name.name))
        };
        let inside = trace.addresses().iter().filter_map(name_at).collect();
        drop(bodies);
        drop(table);
        self.source.stopped(stop, inside)
    }

    /// Gives the code of all these bodies back, and tells of it; then the first thing that went wrong in telling of it.
    pub(crate) fn free(&self, bodies: Vec<Body>) -> Result<(), S::Failure> {
        let mut told = Ok(());
        for body in bodies {
            let facts = body.facts.clone();
            let mut loops = Vec::new();
            if let Some(heat) = body.heat() {
                let mut table = self.table();
                table.heats.remove(&heat.number());
                loops = heat.take_loops();
                table.forget_loops(heat.number(), &loops);
            }
            drop(body);
            told = told.and(self.source.freed(&facts));
            told = told.and(self.free(loops));
        }
        told
    }
}

/// What a definition has left to do, once no lock is held.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Replaced {
    /// Better code that no longer holds.
    invalidated: Vec<BodyFacts>,
    /// Bodies to be freed.
    free: Vec<Body>,
}

impl Replaced {
    /// What two definitions have left to do.
    pub(crate) fn and(mut self, mut more: Self) -> Self {
        self.invalidated.append(&mut more.invalidated);
        self.free.append(&mut more.free);
        self
    }
}

/// What [`Jit::enter`] has prepared: calls of functions.
pub(crate) struct Inside<'a, S> {
    jit: &'a Jit<S>,
    scope: &'a GuardedScope<'a>,
}

impl<S: Source> Inside<'_, S> {
    /// Calls a function of this engine.
    #[inline]
    pub(crate) fn call(&self, function: Callable, args: &[f64]) -> Result<f64, S::Failure> {
        function.call(self.scope, args).map_err(|trap| self.jit.failure(trap, None))
    }

    /// Computes rows by code that is there for them, which this was told inside.
    pub(crate) fn run_rows(
        &self,
        code: RowsCode,
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<(), S::Failure> {
        code.run(self.scope, columns, out).map_err(|trap| self.jit.failure(trap, None))
    }

    /// What this is to those who want to stop it.
    #[cfg(feature = "rayon")]
    pub(crate) fn interrupt_handle(&self) -> InterruptHandle {
        self.scope.interrupt_handle()
    }

    /// Calls what stands behind this stub, which has this arity.
    pub(crate) fn call_stub(&self, function: StubId, arity: u32, args: &[f64]) -> Result<f64, S::Failure> {
        self.call(self.jit.callable(function, arity), args)
    }
}

impl Table {
    /// Puts the body behind the stub, unless it is no longer what a call is to reach.
    fn install(&mut self, function: StubId, body: Box<Body>) -> Result<CodeAddress, Box<Body>> {
        if !self.holds(&body) {
            return Err(body);
        }
        let (carries, heat) = (body.carries.clone(), body.heat().cloned());
        let known = &mut self.functions[function.index()];
        if known.must_count && heat.as_ref().is_some_and(|heat| !heat.counts()) {
            // It was not yet known when the code was begun.
            return Err(body);
        }
        let code = known.install(body)?;
        self.note_carrier(Carrier::Function(function), &carries);
        if let Some(heat) = heat {
            self.note_heat(&heat);
        }
        Ok(code)
    }
}

/// Ends a compilation: brings the function back from `Compiling` if no body came of it, also when the source panicked,
/// and wakes those that wait.
struct CompilingGuard<'a, S: Source> {
    jit: &'a Jit<S>,
    function: StubId,
    version: u32,
}

impl<S: Source> CompilingGuard<'_, S> {
    /// The body stands behind the stub; what becomes of the function from now on is no longer this compilation's matter.
    fn succeeded(self) {
        self.jit.changed.notify_all();
        std::mem::forget(self);
    }
}

impl<S: Source> Drop for CompilingGuard<'_, S> {
    fn drop(&mut self) {
        self.jit.table().functions[self.function.index()].state.on_failure(self.version);
        self.jit.changed.notify_all();
    }
}
