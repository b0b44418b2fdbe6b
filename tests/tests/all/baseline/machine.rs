//! A small engine around the baseline compiler: a stub for each function, compiled at its first
//! call.
//!
//! Counters trip after a few iterations, and the interpreter is the OSR entry of every loop, so
//! loops are replaced in the middle again and again. Some OSR entries leave the loop after a few
//! iterations, as invalidated code does.

#![allow(unsafe_code, reason = "the test runs the compiled code")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kaleidoscope_baseline::{Compiler, Counters, counter_table_len};
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{Invalidation, KnownMaths, Unit};
use kaleidoscope_ir::interpreter::LoopOutcome;
use kaleidoscope_ir::{Function, FunctionId};
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::names::NameState;
use kaleidoscope_lang::reader::Reader;
use kaleidoscope_native::{
    CodeAddress, CodeBlock, CodeMemory, HostId, HostPool, HostStub, Runtime, Stub, StubId, StubPool, Trap,
    ValidityFlag, ValidityFlags, call, maths,
};

use kaleidoscope_testkit::{Failure, HOST_FUNCTIONS, Oracle, call_target, write_output};

/// How functions are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    /// With a validity flag: code goes on when a maths function is redefined.
    Checking,
    /// With a validity flag and counters.
    Counting,
    /// With so few registers that most values are in memory, and a validity flag.
    FewRegisters,
    FewRegistersCounting,
}

impl Way {
    pub(crate) const ALL: [Self; 5] =
        [Self::Plain, Self::Checking, Self::Counting, Self::FewRegisters, Self::FewRegistersCounting];

    /// Ways in which code calls a function that was defined while the code runs.
    pub(crate) const CHECKING: [Self; 2] = [Self::Checking, Self::FewRegisters];

    fn counts(self) -> bool {
        matches!(self, Self::Counting | Self::FewRegistersCounting)
    }

    fn checks(self) -> bool {
        matches!(self, Self::Checking | Self::Counting | Self::FewRegisters)
    }

    /// The number of registers that code may use, if it is limited.
    fn n_registers(self) -> Option<usize> {
        matches!(self, Self::FewRegisters | Self::FewRegistersCounting).then_some(5)
    }
}

/// The trips that the code reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trips {
    pub(crate) n_entries: usize,
    pub(crate) n_back_edges: usize,
    /// The trips after which the loop was replaced, or the call continued in the slot.
    pub(crate) n_left: usize,
}

/// Promises:
/// 1. A stub of `slots` is called with as many arguments as its function has parameters.
/// 2. Code is in `blocks`, counter tables are in `counting`, and flags in `flags`. All only grow.
pub(crate) struct Machine {
    way: Way,
    stubs: StubPool,
    memory: CodeMemory,
    flags: ValidityFlags,
    /// `putchard` and `printd`; `on_trip`; a function that ends a call with a trap.
    hosts: [HostStub; 4],
    state: Mutex<MachineState>,
}

/// What a test does at a call of a host function.
type Hook = Box<dyn FnOnce(&Machine) + Send>;

struct MachineState {
    compiler: Compiler,
    oracle: Arc<Oracle>,
    /// By the number of the function.
    slots: Vec<Stub>,
    /// The first ones are the trip thunk, the slot thunk and the entry thunk.
    blocks: Vec<CodeBlock>,
    /// The flags of the code in `blocks`.
    flags: Vec<ValidityFlag>,
    /// What happens at the next call of `putchard` or `printd`.
    hook: Option<Hook>,
    counting: Vec<CountingCode>,
    trips: Trips,
}

/// The counter table of code, and its function.
struct CountingCode {
    function: Arc<Function>,
    table: Arc<[AtomicI64]>,
}

const ON_TRIP: usize = 2;
const FAIL: usize = 3;

/// An oracle without items, in which no run ends by itself.
pub(crate) fn new_oracle() -> Oracle {
    Oracle::new(call_maths, 64 << 20, usize::MAX)
}

fn call_maths(function: MathsFunction, args: &[f64]) -> f64 {
    maths::find(function.name()).expect("both lists are the same").call(args)
}

/// The last function of the text, with what it calls defined in a machine.
pub(super) fn machine(text: &str, way: Way) -> (Machine, Arc<Function>) {
    let machine = Machine::new(way);
    let function = machine.define(text);
    (machine, function)
}

impl Machine {
    /// Adds the items of a text. Returns the function of the last one.
    pub(crate) fn define(&self, text: &str) -> Arc<Function> {
        let mut reader = Reader::new("machine");
        reader.push(text);
        reader.finish();
        let mut last = None;
        while let Some(read) = reader.read(&self.oracle().names) {
            let item = read.item.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
            self.run(&item);
            if let Item::Definition { function, .. } | Item::Expression { function } = item {
                last = Some(function);
            }
        }
        last.expect("the text has a function")
    }

    pub(crate) fn new(way: Way) -> Self {
        let hosts = HostPool::new();
        let hosts = [1, 1, 2, 0].map(|arity| hosts.allocate(arity).expect("there is memory"));
        let maths = |function: MathsFunction| {
            maths::find(function.name()).expect("both lists are the same").guest_address().get()
        };
        let mut compiler = Compiler::new(maths);
        if let Some(n) = way.n_registers() {
            compiler.limit_registers(n);
        }
        let on_trip = hosts[ON_TRIP].address().get();
        let memory = CodeMemory::new();
        let blocks = [Compiler::trip_thunk(on_trip), Compiler::slot_thunk(), Compiler::entry_thunk(on_trip)]
            .map(|thunk| memory.allocate(&thunk.bytes, thunk.align).expect("there is memory"));
        let state = MachineState {
            compiler,
            oracle: Arc::new(new_oracle()),
            slots: Vec::new(),
            blocks: blocks.into(),
            flags: Vec::new(),
            hook: None,
            counting: Vec::new(),
            trips: Trips::default(),
        };
        let (stubs, flags) = (StubPool::new(), ValidityFlags::new());
        let machine = Self { way, stubs, memory, flags, hosts, state: Mutex::new(state) };
        machine.make_slots();
        machine
    }

    pub(crate) fn oracle(&self) -> Arc<Oracle> {
        Arc::clone(&self.state().oracle)
    }

    pub(crate) fn trips(&self) -> Trips {
        self.state().trips
    }

    /// Does something at the next call of `putchard` or `printd`.
    pub(crate) fn at_next_output(&self, hook: impl FnOnce(&Self) + Send + 'static) {
        self.state().hook = Some(Box::new(hook));
    }

    /// Adds the item. Returns the value of an expression.
    pub(crate) fn run(&self, item: &Item) -> Option<Result<f64, Failure>> {
        let is_stale = {
            let mut state = self.state();
            let before = state.oracle.names.n_functions();
            let was_maths = matches!(item, Item::Definition { id, .. }
                if id.index() < before && matches!(state.oracle.names.state(*id), NameState::Maths(_)));
            Arc::make_mut(&mut state.oracle).commit(item);
            was_maths
        };
        self.make_slots();
        let state = self.state();
        for (number, slot) in (0..).zip(&state.slots) {
            let id = FunctionId::new(number);
            let is_new = matches!(item, Item::Definition { id: defined, .. } if *defined == id);
            let state = state.oracle.names.state(id);
            // Calls of maths functions are compiled as such, so a `def` of one makes all code
            // stale that does not check its flag.
            let is_stale = is_stale && !self.way.checks() && state == NameState::Defined;
            if is_new || state == NameState::Replaced || is_stale {
                slot.redirect_to_lazy_entry();
            }
        }
        if is_stale {
            state.flags.iter().for_each(ValidityFlag::set);
        }
        drop(state);
        match item {
            Item::Expression { function } => Some(self.call(function, &[])),
            _ => None,
        }
    }

    /// Compiles a function that has no slot, and calls it.
    pub(crate) fn call(&self, function: &Arc<Function>, args: &[f64]) -> Result<f64, Failure> {
        assert_eq!(args.len(), function.n_params as usize);
        let code = self.compile(function, None)?;
        // SAFETY: the code has as many parameters as there are arguments; what it reaches is kept
        // (promise 2).
        let outcome = unsafe { call(self, code, args) };
        match outcome {
            Ok(value) => Ok(value),
            Err(Trap::Error(error)) => Err(*error.downcast::<Failure>().expect("all errors are failures")),
            Err(Trap::StackOverflow(_)) => Err(Failure("StackOverflow".to_owned())),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn state(&self) -> MutexGuard<'_, MachineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the slots of new functions.
    fn make_slots(&self) {
        let mut state = self.state();
        while state.slots.len() < state.oracle.names.n_functions() {
            let id = FunctionId::new(state.slots.len() as u32);
            let stub = self.stubs.allocate().expect("there is memory");
            assert_eq!(stub.id().index(), id.index());
            let name = &state.oracle.names.signature(id).name;
            if let Some(host) = HOST_FUNCTIONS.iter().position(|host| **host == **name)
                && state.oracle.names.state(id) == NameState::Host
            {
                // SAFETY: both have one parameter, and the machine keeps the host stub.
                unsafe { stub.redirect(self.hosts[host].address()) };
            }
            if let NameState::Maths(function) = state.oracle.names.state(id) {
                let code = maths::find(function.name()).expect("both lists are the same").guest_address();
                // SAFETY: both have the same number of parameters, and C's functions are never
                // freed.
                unsafe { stub.redirect(code) };
            }
            state.slots.push(stub);
        }
    }

    fn compile(&self, function: &Arc<Function>, id: Option<FunctionId>) -> Result<CodeAddress, Failure> {
        let state = &mut *self.state();
        let counters = self.way.counts().then(|| {
            let table: Arc<[AtomicI64]> = (0..counter_table_len(function))
                .map(|word| AtomicI64::new(if word > 0 && word % 2 == 0 { 0 } else { 2 }))
                .collect();
            let counting = CountingCode { function: Arc::clone(function), table: Arc::clone(&table) };
            state.counting.push(counting);
            Counters {
                table: table.as_ptr() as usize,
                entry_thunk: state.blocks[2].address().get(),
                trip_thunk: Some(state.blocks[0].address().get()),
                code_number: state.counting.len() as u32 - 1,
                tail_calls: 1 + state.counting.len() as u32 % 3,
            }
        });
        let (names, slots) = (&state.oracle.names, &state.slots);
        let calls = function.callees_in_order();
        let slot = |id: FunctionId| slots[id.index()].slot_address();
        let targets = calls.chain(id).map(|id| (id, call_target(names, id, slot))).collect();
        let mut unit = Unit::new(Arc::clone(function), id, 1, targets, BTreeMap::new());
        unit.known_maths = KnownMaths::of(&unit, call_maths);
        if self.way.checks() {
            let flag = self.flags.allocate().expect("there is memory");
            unit.invalidation = Some(Invalidation { flag: flag.address(), exit: 0, code_number: 0 });
            state.flags.push(flag);
        }
        let slot_thunk = state.compiler.wants_slot_thunk(&unit).then(|| state.blocks[1].address().get());
        let code = state.compiler.compile(&unit, counters.as_ref(), slot_thunk);
        let code = code.map_err(|error| Failure(error.to_string()))?;
        let block = self.memory.allocate(&code.bytes, code.align).expect("there is memory");
        let address = CodeAddress::new(block.address().get() + code.entry);
        state.blocks.push(block);
        Ok(address)
    }

    /// Handles a trip: resets the counter to a few iterations, and asks for an OSR now and then.
    fn on_trip(&self, code_number: usize, what: f64) -> f64 {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let state = &mut *self.state();
        let counting = &state.counting[code_number];
        let word = if what < 0.0 { 0 } else { 1 + 2 * what as usize };
        let has_tail_call = counting.function.facts().has_tail_call;
        // Tail calls are counted in the frame and reported as entries.
        let is_tail_call = what < 0.0 && has_tail_call;
        assert!(counting.table[word].load(Ordering::Relaxed) <= 0 || is_tail_call, "the counter tripped");
        counting.table[word].store(1 + number as i64 % 3, Ordering::Relaxed);
        let answer = [0.0, 1.0, f64::NAN, -1.0][number / 3 % 4];
        if what < 0.0 {
            state.trips.n_entries += 1;
            if has_tail_call {
                state.trips.n_left += usize::from(answer != 0.0);
            }
            // The code continues behind the function's slot.
            let id = state.oracle.names.current(&counting.function.name);
            let code = id.filter(|_| has_tail_call && answer != 0.0);
            return code.map_or(0.0, |id| state.slots[id.index()].address().get() as f64);
        }
        state.trips.n_back_edges += 1;
        // Now and then the OSR entry is invalidated before the code calls it.
        let is_invalidated = number % 5 == 4;
        let code = if is_invalidated { 0 } else { osr_entry as *const () as i64 };
        counting.table[word + 1].store(code, Ordering::Relaxed);
        if answer.is_nan() || answer == 0.0 || is_invalidated {
            return answer;
        }
        state.trips.n_left += 1;
        let replaced = ReplacedLoop {
            oracle: Arc::clone(&state.oracle),
            function: Arc::clone(&counting.function),
            number: what as usize,
            // Some are left at once, and some are longer than most loops of the tests.
            max_iterations: [usize::MAX, 0, 3][number % 3],
            fail: self.hosts[FAIL].address(),
        };
        REPLACED_LOOP.set(Some(replaced));
        answer
    }
}

// SAFETY: `compile` makes code of as many parameters as the function of the stub has (promise 1),
// and keeps it (promise 2).
unsafe impl Runtime for Machine {
    fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap> {
        let id = FunctionId::new(stub.get());
        let (slot, oracle) = {
            let state = self.state();
            (state.slots[id.index()].clone(), Arc::clone(&state.oracle))
        };
        if oracle.names.state(id) != NameState::Defined {
            return Err(Trap::error(oracle.failure(id)));
        }
        let function = oracle.definition(id).expect("it is defined");
        let code = self.compile(function, Some(id)).map_err(Trap::error)?;
        // SAFETY: as for the implementation as a whole.
        unsafe { slot.redirect(code) };
        Ok(code)
    }

    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Trap> {
        match host.index() {
            ON_TRIP => Ok(self.on_trip(args[0] as usize, args[1])),
            FAIL => Err(Trap::error(FAILURE.take().expect("an evaluation has failed"))),
            named => {
                let hook = self.state().hook.take();
                if let Some(hook) = hook {
                    hook(self);
                }
                write_output(HOST_FUNCTIONS[named], args);
                Ok(0.0)
            }
        }
    }
}

/// A loop that is about to be replaced.
struct ReplacedLoop {
    oracle: Arc<Oracle>,
    function: Arc<Function>,
    number: usize,
    max_iterations: usize,
    fail: CodeAddress,
}

thread_local! {
    static REPLACED_LOOP: RefCell<Option<ReplacedLoop>> = const { RefCell::new(None) };
    static FAILURE: Cell<Option<Failure>> = const { Cell::new(None) };
}

/// The OSR entry of every loop: runs the loop that was replaced last.
extern "C" fn osr_entry(variables: *mut f64) -> f64 {
    match run_replaced(variables) {
        Ok(LoopOutcome::Ended) => 1.0,
        Ok(LoopOutcome::AtHeader) => 0.0,
        Err(fail) => {
            // SAFETY: a host stub without parameters, which ends the guarded call. No frame in
            // between owns anything.
            let fail = unsafe { std::mem::transmute::<usize, extern "C" fn() -> f64>(fail.get()) };
            fail()
        }
    }
}

/// Runs the loop. If that fails, returns the code to call.
fn run_replaced(variables: *mut f64) -> Result<LoopOutcome, CodeAddress> {
    let replaced = REPLACED_LOOP.take().expect("`on_trip` set it");
    let function = &replaced.function;
    // SAFETY: generated code passes as many locals as the function has, and does not use them
    // meanwhile.
    let variables = unsafe { std::slice::from_raw_parts_mut(variables, function.locals.len()) };
    let outcome = replaced.oracle.run_loop(function, replaced.number, variables, replaced.max_iterations);
    outcome.map_err(|failure| {
        FAILURE.set(Some(failure));
        replaced.fail
    })
}
