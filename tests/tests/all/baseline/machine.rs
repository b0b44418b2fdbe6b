//! A small engine around the baseline compiler: a stub for each function, compiled when it is first called.
//!
//! The only place of this package where code is entered by address. Code that counts has countdowns of a few turns,
//! and the rest of a loop is done by the evaluator: so every loop is left in the middle again and again.

#![allow(unsafe_code, reason = "running what the compiler has made is what is tested")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kaleidoscope_baseline::{Compiler, Counters, counter_table_len};
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::Unit;
use kaleidoscope_ir::{Function, FunctionId};
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::names::NameState;
use kaleidoscope_native::{
    CodeAddress, CodeBlock, CodeMemory, HostId, HostPool, HostStub, Runtime, Stub, StubId, StubPool, Trap,
    call, maths,
};

use kaleidoscope_testkit::call_target;

use super::program::{Failure, Program};

/// How functions are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    Counting,
    /// As functions so large that the compiler takes another way with their registers.
    Large,
    LargeCounting,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::Counting, Self::Large, Self::LargeCounting];

    fn counts(self) -> bool {
        matches!(self, Self::Counting | Self::LargeCounting)
    }

    /// What is compiled for the function: the same, but in the large ways one that seems to need more room for values.
    fn prepare(self, function: &Arc<Function>) -> Arc<Function> {
        match self {
            Self::Plain | Self::Counting => Arc::clone(function),
            Self::Large | Self::LargeCounting => {
                let mut large = (**function).clone();
                large.max_stack = 100_000;
                Arc::new(large)
            }
        }
    }
}

/// What was reported when countdowns ran out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reports {
    pub(crate) n_entries: usize,
    pub(crate) n_turns: usize,
    /// Of these, after how many the loop or the function was left.
    pub(crate) n_left: usize,
}

/// Promises:
/// 1. A stub of `slots` is called with as many arguments as its function has parameters.
/// 2. Code lies in `blocks`, which grows only, and cells in `counted`, which grows only.
pub(crate) struct Machine {
    way: Way,
    stubs: StubPool,
    memory: CodeMemory,
    /// Written by `putchard` and `printd`; `hot`; the end of an evaluation that failed in a loop.
    hosts: [HostStub; 4],
    inside: Mutex<Inside>,
}

struct Inside {
    compiler: Compiler,
    program: Arc<Program>,
    /// By the number of the function.
    slots: Vec<Stub>,
    /// The first is the thunk by which `hot` is called.
    blocks: Vec<CodeBlock>,
    counted: Vec<Counted>,
    reports: Reports,
}

/// The cells of a body, and what it is made of.
struct Counted {
    function: Arc<Function>,
    cells: Arc<[AtomicI64]>,
}

const HOST_NAMES: [&str; 2] = ["putchard", "printd"];
const HOT: usize = 2;
const FAIL: usize = 3;

impl Machine {
    pub(crate) fn new(way: Way) -> Self {
        let hosts = HostPool::new();
        let hosts = [1, 1, 2, 0].map(|arity| hosts.allocate(arity).expect("there is memory"));
        let maths = |function: MathsFunction| {
            maths::find(function.name()).expect("both lists are the same").guest_address().get()
        };
        let mut compiler = Compiler::new(maths).expect("Cranelift knows its settings");
        let thunk = compiler.trip_thunk(hosts[HOT].address().get()).expect("Cranelift compiles it");
        let memory = CodeMemory::new();
        let thunk = memory.allocate(&thunk.bytes, thunk.align).expect("there is memory");
        let inside = Inside {
            compiler,
            program: Arc::new(Program::new()),
            slots: Vec::new(),
            blocks: vec![thunk],
            counted: Vec::new(),
            reports: Reports::default(),
        };
        let machine = Self { way, stubs: StubPool::new(), memory, hosts, inside: Mutex::new(inside) };
        machine.make_slots();
        machine
    }

    pub(crate) fn program(&self) -> Arc<Program> {
        Arc::clone(&self.inside().program)
    }

    pub(crate) fn reports(&self) -> Reports {
        self.inside().reports
    }

    /// Makes what the item brings real; gives the value of an expression.
    pub(crate) fn run(&self, item: &Item) -> Option<Result<f64, Failure>> {
        let is_stale = {
            let mut inside = self.inside();
            let before = inside.program.names.n_functions();
            let was_maths = matches!(item, Item::Definition { id, .. }
                if id.index() < before && matches!(inside.program.names.state(*id), NameState::Maths(_)));
            Arc::make_mut(&mut inside.program).commit(item);
            was_maths
        };
        self.make_slots();
        let inside = self.inside();
        for (number, slot) in (0..).zip(&inside.slots) {
            let id = FunctionId::new(number);
            let is_new = matches!(item, Item::Definition { id: defined, .. } if *defined == id);
            let state = inside.program.names.state(id);
            // Calls of maths functions are compiled as such: what was compiled before knows nothing of the `def`.
            if is_new || state == NameState::Replaced || (is_stale && state == NameState::Defined) {
                slot.redirect_to_lazy_entry();
            }
        }
        drop(inside);
        match item {
            Item::Expression { function } => Some(self.call(function, &[])),
            _ => None,
        }
    }

    /// Compiles a function that has no slot, and calls it.
    pub(crate) fn call(&self, function: &Arc<Function>, args: &[f64]) -> Result<f64, Failure> {
        assert_eq!(args.len(), function.n_params as usize);
        let code = self.compile(function, None)?;
        // SAFETY: the code has as many parameters as there are arguments; what it reaches is kept (promise 2).
        let outcome = unsafe { call(self, code, args) };
        match outcome {
            Ok(value) => Ok(value),
            Err(Trap::Error(error)) => Err(*error.downcast::<Failure>().expect("all errors are failures")),
            Err(Trap::StackOverflow(_)) => Err(Failure("StackOverflow".to_owned())),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives each function that has none its slot.
    fn make_slots(&self) {
        let mut inside = self.inside();
        while inside.slots.len() < inside.program.names.n_functions() {
            let id = FunctionId::new(inside.slots.len() as u32);
            let stub = self.stubs.allocate().expect("there is memory");
            assert_eq!(stub.id().index(), id.index());
            let name = &inside.program.names.signature(id).name;
            if let Some(host) = HOST_NAMES.iter().position(|host| **host == **name)
                && inside.program.names.state(id) == NameState::Host
            {
                // SAFETY: both have one parameter, and the machine keeps the host stub.
                unsafe { stub.redirect(self.hosts[host].address()) };
            }
            inside.slots.push(stub);
        }
    }

    fn compile(&self, function: &Arc<Function>, id: Option<FunctionId>) -> Result<CodeAddress, Failure> {
        let inside = &mut *self.inside();
        let counters = self.way.counts().then(|| {
            let cells: Arc<[AtomicI64]> = (0..counter_table_len(function))
                .map(|cell| AtomicI64::new(if cell > 0 && cell % 2 == 0 { 0 } else { 2 }))
                .collect();
            let counted = Counted { function: Arc::clone(function), cells: Arc::clone(&cells) };
            inside.counted.push(counted);
            Counters {
                table: cells.as_ptr() as usize,
                on_trip: self.hosts[HOT].address().get(),
                trip_thunk: Some(inside.blocks[0].address().get()),
                code_number: inside.counted.len() as u32 - 1,
                tail_calls: 1 + inside.counted.len() as u32 % 3,
            }
        });
        let (names, slots) = (&inside.program.names, &inside.slots);
        let function = self.way.prepare(function);
        let calls = function.callees_in_order();
        let slot = |id: FunctionId| slots[id.index()].slot_address();
        let targets = calls.chain(id).map(|id| (id, call_target(names, id, slot))).collect();
        let unit = Unit::new(function, id, 1, targets, BTreeMap::new());
        let code = inside.compiler.compile(&unit, counters.as_ref());
        let code = code.map_err(|error| Failure(error.to_string()))?;
        let block = self.memory.allocate(&code.bytes, code.align).expect("there is memory");
        let address = CodeAddress::new(block.address().get() + code.entry);
        inside.blocks.push(block);
        Ok(address)
    }

    /// A countdown has run out: sets it to a few turns again, and says whether to leave, now so and now so.
    fn hot(&self, body: usize, what: f64) -> f64 {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let inside = &mut *self.inside();
        let counted = &inside.counted[body];
        let cell = if what < 0.0 { 0 } else { 1 + 2 * what as usize };
        let has_tail_call = counted.function.facts().has_tail_call;
        // Tail calls are entries too, and count by themselves.
        let is_tail_call = what < 0.0 && has_tail_call;
        assert!(
            counted.cells[cell].load(Ordering::Relaxed) <= 0 || is_tail_call,
            "the countdown has run out"
        );
        counted.cells[cell].store(1 + number as i64 % 3, Ordering::Relaxed);
        let answer = [0.0, 1.0, f64::NAN, -1.0][number / 3 % 4];
        if what < 0.0 {
            inside.reports.n_entries += 1;
            if has_tail_call {
                inside.reports.n_left += usize::from(answer != 0.0);
            }
            return answer;
        }
        inside.reports.n_turns += 1;
        // Now and then the code is gone again by the time it would be entered.
        let is_gone = number % 5 == 4;
        let code = if is_gone { 0 } else { rest as *const () as i64 };
        counted.cells[cell + 1].store(code, Ordering::Relaxed);
        if answer.is_nan() || answer == 0.0 || is_gone {
            return answer;
        }
        inside.reports.n_left += 1;
        let unfinished = Unfinished {
            program: Arc::clone(&inside.program),
            function: Arc::clone(&counted.function),
            number: what as usize,
            fail: self.hosts[FAIL].address(),
        };
        UNFINISHED.set(Some(unfinished));
        answer
    }
}

// SAFETY: `compile` makes code of as many parameters as the function of the stub has (promise 1), and keeps it
// (promise 2).
unsafe impl Runtime for Machine {
    fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap> {
        let id = FunctionId::new(stub.get());
        let (slot, program) = {
            let inside = self.inside();
            (inside.slots[id.index()].clone(), Arc::clone(&inside.program))
        };
        if program.names.state(id) != NameState::Defined {
            return Err(Trap::error(program.failure(id)));
        }
        let function = program.bodies[id.index()].as_ref().expect("it is defined");
        let code = self.compile(function, Some(id)).map_err(Trap::error)?;
        // SAFETY: as for the implementation as a whole.
        unsafe { slot.redirect(code) };
        Ok(code)
    }

    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Trap> {
        match host.index() {
            HOT => Ok(self.hot(args[0] as usize, args[1])),
            FAIL => Err(Trap::error(FAILURE.take().expect("an evaluation has failed"))),
            named => {
                self.program().host_call(HOST_NAMES[named], args);
                Ok(0.0)
            }
        }
    }
}

/// A loop that is about to be left.
struct Unfinished {
    program: Arc<Program>,
    function: Arc<Function>,
    number: usize,
    fail: CodeAddress,
}

thread_local! {
    static UNFINISHED: RefCell<Option<Unfinished>> = const { RefCell::new(None) };
    static FAILURE: Cell<Option<Failure>> = const { Cell::new(None) };
}

/// Stands for optimised code of every loop: does the rest of the one that was left last.
extern "C" fn rest(variables: *mut f64) {
    if let Some(fail) = finish(variables) {
        // SAFETY: a host stub without parameters, which leaves the call: no frame in between owns anything.
        let fail = unsafe { std::mem::transmute::<usize, extern "C" fn() -> f64>(fail.get()) };
        fail();
    }
}

/// The same; if that fails, where to go.
fn finish(variables: *mut f64) -> Option<CodeAddress> {
    let unfinished = UNFINISHED.take().expect("only loops that are left get here");
    let function = &unfinished.function;
    // SAFETY: generated code hands over as many variables as the function has, and nobody else has them.
    let variables = unsafe { std::slice::from_raw_parts_mut(variables, function.locals.len()) };
    let finished = unfinished.program.finish_loop(function, unfinished.number, variables);
    finished.err().map(|failure| {
        FAILURE.set(Some(failure));
        unfinished.fail
    })
}
