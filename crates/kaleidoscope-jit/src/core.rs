//! The engine's core: the state that all handles of one engine share, and its simple operations.
//!
//! The larger operations are in files of their own: a first call in [`crate::lazy`], optimization
//! of hot code in `tier_up.rs`, redefinition in [`crate::dependents`], batches in
//! [`crate::batch`], the interpreter tier in `interpreter_tier.rs`.
//!
//! No lock is held while an observer, a host function, a compiler or generated code runs.

mod scope;

pub(crate) use scope::CoreScope;

use crate::baseline_tier::BaselineTier;
use crate::code::{Callable, CodeInfo, CodeOrigin, EngineId, Slot, stub_id};
use crate::code_budget::CodeBudget;
use crate::compile_queue::CompileQueue;
use crate::embedder::{Embedder, NoEmbedder};
use crate::error::Error;
use crate::event::{Event, Tier};
use crate::host::{HostEntry, HostTable};
use crate::interrupt::{Interrupter, Watch};
use crate::mode::Mode;
use crate::profile::ProfiledCode;
use crate::reclaim::Epochs;
use crate::settings::{Builder, Settings};
use crate::table::{Entry, StoredDefinition, Table};
use crate::trap::{Trap, panic_text};
use crate::validity::{Dependency, NewFlag};
use kaleidoscope_ir::compile::{AccessSite, Invalidation, Unit};
use kaleidoscope_ir::{FunctionId, HostArray};
use kaleidoscope_native::{
    self as native, HostId, HostStub, OfProcess, Process, StackTrace, StubPool, ValidityFlags,
};
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

/// The ids of functions that were declared together, in order. From [`crate::Jit::declare_all`].
#[derive(Clone, Debug)]
pub struct FunctionIds(Range<u32>);

impl Iterator for FunctionIds {
    type Item = FunctionId;

    fn next(&mut self) -> Option<FunctionId> {
        self.0.next().map(FunctionId::new)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for FunctionIds {}

/// The core as a shared pointer. A forked child does not drop the core.
pub(crate) type SharedCore = Arc<OfProcess<Core>>;

/// Why an engine cannot be used in a forked child.
const FORKED: &str = "the engine was made before the process was forked: make another in the child";

/// The shared state of one engine.
pub(crate) struct Core {
    id: EngineId,
    /// The process that made the engine, the only one that uses it.
    process: Process,
    pub(crate) settings: Settings,
    embedder: Arc<dyn Embedder>,
    pub(crate) interrupter: Interrupter,
    pub(crate) code_budget: CodeBudget,
    /// The compile threads of the optimizing tier; none if the baseline tier compiles everything.
    pub(crate) compile_queue: Option<CompileQueue>,
    pub(crate) baseline: BaselineTier,
    pub(crate) hosts: HostTable,
    stubs: StubPool,
    table: Mutex<Table>,
    /// Notified when a function leaves the state `Compiling`.
    pub(crate) compiled: Condvar,
    pub(crate) epochs: Epochs,
    /// Whether the table has retired code, so that leaving generated code checks only then.
    has_retired: AtomicBool,
    /// The number of profiles so far.
    pub(crate) n_profiles: AtomicU32,
    /// The host function that counting code calls when a counter trips.
    trip_stub: HostStub,
    /// The host function that invalidated code calls when it is left.
    exit_stub: HostStub,
    /// The host function that code calls when an index means no element of its array.
    bad_index_stub: HostStub,
    validity_flags: ValidityFlags,
    /// The number of pieces of code with a validity flag so far.
    n_codes: AtomicU32,
    /// The time of the first trip, and whether the tier-up delay has ended.
    pub(crate) first_trip: OnceLock<Instant>,
    pub(crate) delay_has_ended: AtomicBool,
    /// The core itself, for compile jobs and raw calls.
    this: Arc<OnceLock<Weak<OfProcess<Core>>>>,
}

impl Core {
    /// An engine, with the definitions of another one if it is given.
    pub(crate) fn new(builder: Builder, definitions_of: Option<&Self>) -> Result<SharedCore, Error> {
        let Builder { settings, embedder } = builder;
        #[cfg(feature = "stress")]
        let settings = Settings { thresholds: crate::policy::STRESS_THRESHOLDS, ..settings };
        let settings = settings.with_possible_mode();
        let hosts = HostTable::new(settings.mode);
        let this = Arc::<OnceLock<Weak<OfProcess<Self>>>>::default();
        let of_raw_calls = Arc::clone(&this);
        let trip_stub = hosts.allocate_standalone(2, move |args| {
            let core = of_raw_calls.get().and_then(Weak::upgrade);
            // A raw call has no evaluation that could report an observer's panic.
            core.and_then(|core| core.on_trip(args[0], args[1]).ok()).unwrap_or_default()
        });
        let trip_stub = trip_stub.map_err(Error::stubs)?;
        let of_raw_calls = Arc::clone(&this);
        let exit_stub = hosts.allocate_standalone(2, move |args| {
            let core = of_raw_calls.get().and_then(Weak::upgrade);
            core.map_or(0.0, |core| core.leave_raw_call(args[0], args[1]))
        });
        let exit_stub = exit_stub.map_err(Error::stubs)?;
        let of_raw_calls = Arc::clone(&this);
        let bad_index_stub = hosts.allocate_standalone(3, move |args| {
            let core = of_raw_calls.get().and_then(Weak::upgrade);
            if let Some(core) = core {
                core.end_raw_call(&core.bad_index(args[0], args[1], args[2]));
            }
            std::process::abort()
        });
        let bad_index_stub = bad_index_stub.map_err(Error::stubs)?;
        let compile_queue = settings.backend().map(|backend| {
            let (optimization, n_threads) = (settings.optimization(), settings.compile_threads);
            CompileQueue::new(backend, optimization, settings.has_debug_info, n_threads)
        });
        let core = Arc::new(OfProcess::new(Self {
            id: EngineId::next(),
            process: Process::current(),
            embedder: embedder.unwrap_or_else(|| Arc::new(NoEmbedder)),
            interrupter: Interrupter::new(),
            code_budget: CodeBudget::new(settings.max_code_bytes),
            compile_queue,
            baseline: BaselineTier::new(trip_stub.address(), settings.has_debug_info),
            hosts,
            stubs: if settings.mode == Mode::Off { StubPool::for_interpreter() } else { StubPool::new() },
            table: Mutex::new(Table::new(bad_index_stub.address().get())),
            compiled: Condvar::new(),
            epochs: Epochs::default(),
            has_retired: AtomicBool::new(false),
            n_profiles: AtomicU32::new(0),
            trip_stub,
            exit_stub,
            bad_index_stub,
            validity_flags: ValidityFlags::new(),
            n_codes: AtomicU32::new(0),
            first_trip: OnceLock::new(),
            delay_has_ended: AtomicBool::new(false),
            settings,
            this,
        }));
        core.this.set(Arc::downgrade(&core)).expect("set once");
        if let Some(other) = definitions_of {
            core.copy_definitions(other)?;
        }
        Ok(core)
    }

    /// The core as a shared pointer, for jobs that outlive a borrow; none while it is dropped.
    pub(crate) fn shared(&self) -> Option<SharedCore> {
        self.this.get()?.upgrade()
    }

    /// # Panics
    /// In a forked child: another thread may have been changing the table, or have held its lock.
    /// Operations that can return an error check that first ([`Self::admit`]).
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        assert!(self.is_of_this_process(), "{FORKED}");
        // A panic under the lock is a mistake of this crate (an unknown id, code at the wrong
        // slot). Each step leaves the table consistent before it could panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this thread can begin an evaluation.
    ///
    /// # Errors
    /// - [`Trap::CannotEvaluate`] in a forked child.
    /// - [`Trap::StackOverflow`] if its stack is too full: host functions and evaluations nest.
    #[inline]
    pub(crate) fn admit(&self) -> Result<(), Trap> {
        self.admit_process()?;
        if native::is_host_stack_full() {
            return Err(Trap::StackOverflow { inside: Vec::new() });
        }
        Ok(())
    }

    /// Whether this process made the engine, and not one that forked this one.
    #[inline]
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process.is_current()
    }

    /// # Errors
    /// [`Trap::CannotEvaluate`] in a forked child.
    #[inline]
    pub(crate) fn admit_process(&self) -> Result<(), Trap> {
        if self.is_of_this_process() {
            return Ok(());
        }
        Err(Trap::CannotEvaluate { reason: FORKED.to_owned() })
    }

    /// Whether the process is the child of one that had used this crate: threads of the parent do
    /// not exist here, such as those of a pool.
    #[cfg(feature = "rayon")]
    pub(crate) fn is_in_child(&self) -> bool {
        self.process.is_child()
    }

    /// Declares functions: their slots and stubs exist from then on. On an error, none is declared.
    pub(crate) fn declare(
        &self,
        functions: impl ExactSizeIterator<Item = (u32, StoredDefinition)>,
    ) -> Result<FunctionIds, Error> {
        let mut table = self.table();
        let number = |index| u32::try_from(index).expect("functions are numbered in 32 bits");
        let first = number(table.n_functions());
        let numbers = first..number(table.n_functions() + functions.len());
        let ids = FunctionIds(numbers);
        let mut entries = Vec::with_capacity(functions.len());
        for (id, (arity, definition)) in ids.clone().zip(functions) {
            // An earlier call that failed half-way has left stubs without a function.
            let stub = self.stubs.get(stub_id(id)).map_or_else(|| self.stubs.allocate(), Ok);
            entries.push(Entry::new(Slot::new(stub.map_err(Error::stubs)?), arity, definition));
        }
        table.extend(entries);
        Ok(ids)
    }

    /// Takes over the functions, host variables and arrays of another engine, without their code.
    fn copy_definitions(&self, other: &Self) -> Result<(), Error> {
        let (functions, variables, arrays): (Vec<_>, _, _) = {
            let table = other.table();
            let copy = |entry: &Entry| {
                let host = entry.host.as_ref().map(|stub| (stub.arity(), other.hosts.entry(stub.id())));
                (entry.arity(), entry.definition.clone(), entry.version(), host)
            };
            let functions = table.entries().iter().map(copy).collect();
            (functions, table.variables().to_vec(), table.arrays().to_vec())
        };
        let declared = functions.iter().map(|(arity, definition, ..)| (*arity, definition.clone()));
        let ids = self.declare(declared)?;
        let mut table = self.table();
        table.set_variables(variables);
        table.set_arrays(arrays);
        for (id, (_, definition, version, host)) in ids.zip(functions) {
            if let Some((arity, host_entry)) = host {
                let stub = self.hosts.allocate(arity).map_err(Error::stubs)?;
                // Nothing was set there before.
                drop(self.hosts.set(stub.id(), host_entry));
                table.entry_mut(id).host = Some(Box::new(stub));
            }
            // No code exists yet.
            drop(table.entry_mut(id).define(definition, version));
        }
        Ok(())
    }

    /// Emits an event to the observers. A panic of an observer becomes a trap.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) -> Result<(), Trap> {
        if self.settings.observers.is_empty() {
            return Ok(());
        }
        let event = event();
        let observed = catch_unwind(AssertUnwindSafe(|| {
            native::in_host_mode(|| {
                for observer in &self.settings.observers {
                    observer.observe(&event);
                }
            });
        }));
        observed.map_err(|panic| Trap::ObserverPanic { text: panic_text(panic) })
    }

    /// Emits that code was installed.
    pub(crate) fn emit_compiled(&self, info: &CodeInfo) -> Result<(), Trap> {
        let CodeOrigin::Compiled { tier, kind, times, bytes } = info.origin else { return Ok(()) };
        let code = || info.name.clone();
        if tier != Tier::Baseline {
            if let Some(took) = self.compile_queue.as_ref().and_then(CompileQueue::take_start_time) {
                self.emit(|| Event::GeneratorStarted { took })?;
            }
            self.emit(|| Event::IrGenerated { code: code(), took: times.ir })?;
        }
        self.emit(|| Event::Compiled {
            code: code(),
            tier,
            osr_loop: kind.osr_loop(),
            inlined: Arc::clone(&info.inlined),
            times,
            bytes,
        })
    }

    /// Emits that a compilation failed. Returns the trap for the caller.
    pub(crate) fn emit_failed(&self, trap: Trap) -> Trap {
        if let Trap::Compile { code, reason } = &trap
            && let Err(panic) =
                self.emit(|| Event::CompileFailed { code: code.clone(), reason: reason.to_string() })
        {
            return panic;
        }
        trap
    }

    /// Why the function cannot be called: the embedding language's answer.
    pub(crate) fn unavailable(&self, function: FunctionId) -> Trap {
        let reason = catch_unwind(AssertUnwindSafe(|| self.embedder.unavailable(function)));
        match reason {
            Ok(reason) => Trap::Unavailable { function, reason, inside: Vec::new() },
            Err(panic) => Trap::of_panic(panic),
        }
    }

    /// Calls a host function, with no lock held, in the floating-point mode of the host.
    pub(crate) fn call_host(&self, host: HostId, args: &[f64]) -> Result<f64, Trap> {
        let entry = self.hosts.get(host);
        if let HostEntry::Interpreted(function) = &*entry {
            return native::in_engine_mode(|| self.run_interpreted(function, args));
        }
        entry.call(args).unwrap_or_else(|function| Err(self.unavailable(function)))
    }

    /// The function as something to call.
    pub(crate) fn callable(&self, function: FunctionId) -> Callable {
        let table = self.table();
        let entry = table.entry(function);
        entry.slot.callable(self.id, entry.arity())
    }

    /// Whether the function belongs to this engine.
    #[inline]
    pub(crate) fn owns(&self, function: Callable) -> bool {
        function.belongs_to(self.id)
    }

    /// Panics if the function belongs to another engine.
    pub(crate) fn check_engine(&self, function: Callable) {
        function.check_engine(self.id);
    }

    /// Whether a call of the function would have to compile it first.
    #[inline]
    pub(crate) fn is_lazy(&self, function: Callable) -> bool {
        function.is_lazy(self.id)
    }

    /// Calls a function, guarded.
    #[inline]
    pub(crate) fn call(&self, function: Callable, args: &[f64], watch: &Watch<'_>) -> Result<f64, Trap> {
        self.enter(watch, |scope| scope.call(function, args)).flatten()
    }

    /// Undoes what the host may have done to this thread: blocked all signals, disabled the
    /// alternate stack. For evaluations that take long enough.
    pub(crate) fn keep_signals(&self) -> Result<(), Trap> {
        self.admit_process()?;
        native::keep_signals().map_err(|error| Trap::of_native(&error))
    }

    /// Prepares any number of guarded calls. At the end, frees retired code that no thread is
    /// inside any more.
    #[inline]
    pub(crate) fn enter<R>(
        &self,
        watch: &Watch<'_>,
        body: impl FnOnce(&CoreScope<'_>) -> R,
    ) -> Result<R, Trap> {
        self.admit_process()?;
        let inside = self.epochs.enter().map_err(|error| Trap::of_native(&error))?;
        let limits = watch.native_limits(self.settings.native_limits());
        let result = watch.enter_native(|| {
            native::enter(&limits, self, |scope| {
                // Interrupts from here on find the scope; an earlier one is handed to it now.
                if watch.is_interrupted() {
                    scope.interrupt_handle().interrupt();
                }
                body(&CoreScope { core: self, scope, watch })
            })
        });
        drop(inside);
        let freed = match self.has_retired.load(Ordering::Acquire) {
            true => self.free_retired(),
            false => Ok(()),
        };
        match result {
            Ok(result) => freed.map(|()| result),
            Err(trap) => Err(self.trap(trap, None)),
        }
    }

    #[cold]
    fn free_retired(&self) -> Result<(), Trap> {
        if !self.is_of_this_process() {
            // The host forked inside the evaluation.
            return Ok(());
        }
        let free = self.take_free(&mut self.table());
        self.free(free)
    }

    /// Retires code that no new call can reach, because this function was redefined. Running
    /// activations leave it at their next exit.
    pub(crate) fn retire(&self, table: &mut Table, code: Vec<ProfiledCode>, redefined: &Arc<str>) {
        if code.is_empty() {
            return;
        }
        for validity in code.iter().filter_map(|code| code.code.validity.as_ref()) {
            table.invalidate(validity, redefined);
        }
        let epoch = self.epochs.retire();
        table.retired.extend(code.into_iter().map(|code| (epoch, code)));
        self.has_retired.store(true, Ordering::Release);
    }

    /// Takes the retired code that no thread is inside any more.
    pub(crate) fn take_free(&self, table: &mut Table) -> Vec<ProfiledCode> {
        if table.retired.is_empty() {
            return Vec::new();
        }
        let oldest = self.epochs.oldest_inside();
        let n_free = table.retired.partition_point(|&(epoch, _)| epoch < oldest);
        let free = table.retired.drain(..n_free).map(|(_, code)| code).collect();
        self.has_retired.store(!table.retired.is_empty(), Ordering::Release);
        free
    }

    /// Frees code and emits that. Returns the first error of an observer.
    pub(crate) fn free(&self, code: Vec<ProfiledCode>) -> Result<(), Trap> {
        let mut result = Ok(());
        for ProfiledCode { code, profile } in code {
            let info = code.info.clone();
            let mut osr_code = Vec::new();
            if let Some(validity) = &code.validity {
                self.table().invalidated.remove(&validity.code_number);
            }
            if let Some(profile) = profile {
                let mut table = self.table();
                table.profiles.remove(&profile.number());
                osr_code = profile.take_osr_code();
                table.forget_osr_dependents(profile.number(), &osr_code);
            }
            drop(code);
            result = result.and(self.emit_reclaimed(&info));
            result = result.and(self.free(osr_code.into_iter().map(ProfiledCode::from).collect()));
        }
        result
    }

    fn emit_reclaimed(&self, info: &CodeInfo) -> Result<(), Trap> {
        let CodeOrigin::Compiled { tier, bytes, .. } = info.origin else { return Ok(()) };
        self.emit(|| Event::Reclaimed { code: info.name.clone(), tier, bytes })
    }

    /// Translates a trap of the machine layer. `outermost` is the code that the call began in, if
    /// it belongs to no function.
    #[cold]
    pub(crate) fn trap(&self, trap: native::Trap, outermost: Option<&ProfiledCode>) -> Trap {
        let names = |trace: &StackTrace| {
            let table = self.table();
            let name_at = |&address| {
                let outermost = outermost.filter(|code| code.contains(address));
                let outermost = outermost.map(|code| Arc::clone(&code.code.info.name.name));
                outermost.or_else(|| table.name_at(address))
            };
            trace.addresses().iter().filter_map(name_at).collect()
        };
        match trap {
            native::Trap::Panic(payload) => Trap::of_panic(payload),
            native::Trap::Error(error) => match error.downcast::<Trap>() {
                Ok(trap) => *trap,
                Err(payload) => Trap::of_panic(payload),
            },
            native::Trap::StackOverflow(trace) => Trap::StackOverflow { inside: names(&trace) },
            native::Trap::Interrupted(trace) => Trap::Interrupted { inside: names(&trace) },
            native::Trap::DeadlinePassed(trace) => Trap::DeadlinePassed { inside: names(&trace) },
            native::Trap::Unavailable(error) => Trap::of_native(&error),
            _ => Trap::EnginePanic { text: "an unknown kind of trap".to_owned() },
        }
    }

    /// A validity flag for the unit, if its code will depend on anything. The unit learns of it.
    pub(crate) fn add_validity_flag(
        &self,
        unit: &mut Unit,
        dependencies: &[Dependency],
    ) -> Result<Option<NewFlag>, Trap> {
        if dependencies.is_empty() {
            return Ok(None);
        }
        let flag = self.validity_flags.allocate();
        let flag = flag.map_err(|error| Trap::of_native(&error))?;
        let code_number = self.n_codes.fetch_add(1, Ordering::Relaxed);
        let exit = self.exit_stub.address().get();
        unit.invalidation = Some(Invalidation { flag: flag.address(), exit, code_number });
        Ok(Some(NewFlag { flag, code_number }))
    }

    /// Whether this host function is the one that invalidated code calls when it is left.
    pub(crate) fn is_exit(&self, host: HostId) -> bool {
        self.exit_stub.id() == host
    }

    /// Whether this host function is the one that code calls when an index means no element.
    pub(crate) fn reports_bad_index(&self, host: HostId) -> bool {
        self.bad_index_stub.id() == host
    }

    /// The trap of an index that means no element. Takes what the code passed
    /// ([`HostArrayMemory::bad_index`](kaleidoscope_ir::compile::HostArrayMemory::bad_index)).
    #[cold]
    pub(crate) fn bad_index(&self, array: f64, index: f64, site: f64) -> Trap {
        let trace = StackTrace::capture();
        let table = self.table();
        let (name, array) = table.array(HostArray::new(array as u32));
        let mut inside = table.names_at_site(AccessSite::of_argument(site));
        let codes = trace.addresses().iter().filter_map(|address| table.name_at(*address));
        let mut codes = codes.peekable();
        // The innermost code is that of the last of these.
        codes.next_if(|code| inside.last() == Some(code));
        inside.extend(codes);
        Trap::BadIndex { index: array.bad_index(name, index), inside }
    }

    /// The trap, with the names of the code that called the host or asked for code.
    #[cold]
    pub(crate) fn with_callers(&self, mut trap: Trap) -> Trap {
        if !self.is_of_this_process() {
            // The host function has forked the process.
            return trap;
        }
        let trace = StackTrace::capture();
        let table = self.table();
        trap.add_callers(&mut trace.addresses().iter().filter_map(|address| table.name_at(*address)));
        trap
    }

    /// Whether this host function is the one that reports trips.
    pub(crate) fn reports_trips(&self, host: HostId) -> bool {
        self.trip_stub.id() == host
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("mode", &self.settings.mode)
            .field("n_functions", &self.table().n_functions())
            .finish_non_exhaustive()
    }
}
