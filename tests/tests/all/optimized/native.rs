//! Optimized code in this process: compiles, links and calls it.
//!
//! Promises:
//! 1. A slot has the address of code with as many parameters as its function, or of `never`. Code
//!    runs only when every slot that it may call has code.
//! 2. Code is freed only when no slot has its address, and no call of it is active or follows.
#![allow(unsafe_code)]

pub(super) mod exits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{
    CodeKind, InliningPlan, KernelForm, KernelKind, KernelTable, KnownMaths, Optimization, Unit,
};
use kaleidoscope_ir::{Function, FunctionId};
use kaleidoscope_lang::names::NameState;
use kaleidoscope_llvm::{Effort, References, effort, lower, pipeline, symbols};
use kaleidoscope_native::{CodeAddress, HostId, Runtime, StubId, Trap, maths};
use kaleidoscope_testkit::{Oracle, call_target, write_output};
use llvm_orc::{Address, Compiler, Dylib, Jit, OptLevel, Passes, Tracker};

use super::BUDGETS;

/// More functions than a program has.
const N_SLOTS: usize = 1 << 10;

/// Optimized code, and the compiler and the linker that make it.
pub(super) struct Native {
    compiler: Compiler,
    dylib: Dylib,
    slots: Box<[AtomicU64; N_SLOTS]>,
    /// Keeps the code in the slots.
    in_slots: Vec<Tracker>,
    n_codes: u32,
    /// Whether code can be invalidated (`native/exits.rs`).
    has_exits: bool,
}

/// A function.
pub(super) struct FunctionCode {
    tracker: Tracker,
    symbol: String,
    n_params: usize,
}

/// An OSR entry.
pub(super) struct OsrEntry {
    tracker: Tracker,
    symbol: String,
}

/// A guarded kernel.
pub(super) struct Kernel {
    tracker: Tracker,
    symbol: String,
    n_outs: usize,
}

extern "C" fn printd(x: f64) -> f64 {
    write_output("printd", &[x]);
    0.0
}

extern "C" fn putchard(x: f64) -> f64 {
    write_output("putchard", &[x]);
    0.0
}

/// The code in a slot of an undefined function. The interpreter would have failed before.
extern "C" fn never() -> f64 {
    eprintln!("a function was called that has no code");
    std::process::abort()
}

/// A runtime without stubs: generated code calls slots only.
struct NoStubs;

// SAFETY: neither function returns code or a value.
unsafe impl Runtime for NoStubs {
    fn materialize(&self, _: StubId) -> Result<CodeAddress, Trap> {
        Err(Trap::error("there are no stubs"))
    }

    fn host_call(&self, _: HostId, _: &[f64]) -> Result<f64, Trap> {
        Err(Trap::error("there are no host stubs"))
    }
}

fn call_maths(function: MathsFunction, args: &[f64]) -> f64 {
    maths::find(function.name()).expect("the table has every function").call(args)
}

impl Native {
    /// Optimized code. `has_exits` tells whether it can be invalidated.
    pub(super) fn new(has_exits: bool) -> Self {
        let dylib = Jit::builder().build().and_then(|jit| jit.create_bare_dylib("hot"));
        let dylib = dylib.expect("the machine of a test has memory for a oracle");
        let find = |name| maths::find(name).expect("the table has every function").guest_address();
        let called = MathsFunction::ALL.iter().map(|&maths| (symbols::maths(maths), find(maths.name())));
        let by_itself = symbols::runtime_symbols().iter().map(|&name| (name.to_owned(), find(name)));
        let listed: Vec<_> = called.chain(by_itself).collect();
        let listed = listed.iter().map(|(name, code)| (name.as_str(), Address::new(code.get() as u64)));
        // SAFETY: C's maths functions, under the names that modules use for them.
        unsafe { dylib.define_absolute(listed) }.expect("the names are new");
        let slots = Box::new([const { AtomicU64::new(0) }; N_SLOTS]);
        let compiler = Compiler::builder().opt_level(OptLevel::Aggressive).build();
        let compiler = compiler.expect("LLVM knows this machine");
        let mut native = Self { compiler, dylib, slots, in_slots: Vec::new(), n_codes: 0, has_exits };
        native.forget();
        native
    }

    /// Frees all code of functions.
    pub(super) fn forget(&mut self) {
        for slot in &self.slots[..] {
            slot.store(never as *const () as u64, Ordering::Relaxed);
        }
        self.in_slots.clear();
    }

    /// Compiles all functions that the root may call, into their slots.
    pub(super) fn link(&mut self, oracle: &Oracle, root: &Function) {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<_> = root.callees_in_order().collect();
        while let Some(id) = waiting.pop() {
            if !seen.insert(id) {
                continue;
            }
            let code = match oracle.names.state(id) {
                NameState::Host if &*oracle.names.signature(id).name == "printd" => {
                    printd as *const () as u64
                }
                NameState::Host => putchard as *const () as u64,
                _ => {
                    let Some(function) = oracle.definition(id) else { continue };
                    waiting.extend(function.callees_in_order());
                    if self.has_code(id) {
                        continue;
                    }
                    let (tracker, symbol) = self.compile(oracle, Some(id), function, CodeKind::Function);
                    let code = tracker.lookup(&symbol).expect("the object defines it").get();
                    self.in_slots.push(tracker);
                    code
                }
            };
            self.slots[id.index()].store(code, Ordering::Relaxed);
        }
    }

    /// Compiles and calls the root. The functions that it may call are linked already.
    pub(super) fn run(
        &mut self,
        oracle: &Oracle,
        id: Option<FunctionId>,
        root: &Arc<Function>,
        args: &[f64],
    ) -> f64 {
        self.compile_function(oracle, id, root).run(args)
    }

    /// Compiles the root.
    pub(super) fn compile_function(
        &mut self,
        oracle: &Oracle,
        id: Option<FunctionId>,
        root: &Arc<Function>,
    ) -> FunctionCode {
        let (tracker, symbol) = self.compile(oracle, id, root, CodeKind::Function);
        FunctionCode { tracker, symbol, n_params: root.n_params as usize }
    }

    /// Compiles an OSR entry for a loop of the root.
    pub(super) fn compile_osr_entry(
        &mut self,
        oracle: &Oracle,
        id: Option<FunctionId>,
        root: &Arc<Function>,
        nth: usize,
    ) -> OsrEntry {
        let (tracker, symbol) = self.compile(oracle, id, root, CodeKind::Osr(nth));
        OsrEntry { tracker, symbol }
    }

    /// Compiles a guarded kernel of the root.
    pub(super) fn compile_kernel(
        &mut self,
        oracle: &Oracle,
        id: Option<FunctionId>,
        root: &Arc<Function>,
        form: KernelForm,
    ) -> Kernel {
        let (tracker, symbol) = self.compile(oracle, id, root, CodeKind::Kernel(KernelKind::Guarded, form));
        Kernel { tracker, symbol, n_outs: form.n_outs(root) }
    }

    fn has_code(&self, id: FunctionId) -> bool {
        self.slots[id.index()].load(Ordering::Relaxed) != never as *const () as u64
    }

    fn compile(
        &mut self,
        oracle: &Oracle,
        id: Option<FunctionId>,
        root: &Arc<Function>,
        kind: CodeKind,
    ) -> (Tracker, String) {
        self.n_codes += 1;
        let symbol = symbols::code(&root.name, self.n_codes);
        let budget = BUDGETS[self.n_codes as usize % BUDGETS.len()];
        let plan = InliningPlan::new(id, Arc::clone(root), kind.ops(root), budget, |id| {
            oracle.definition(id).cloned()
        });
        let instances = plan.instances();
        let callees = instances.iter().flat_map(|instance| instance.function.callees_in_order());
        let targets = callees.map(|id| {
            let slot = |id: FunctionId| self.slots[id.index()].as_ptr().addr();
            (id, call_target(&oracle.names, id, slot))
        });
        let unit = Unit::new(Arc::clone(root), id, 1, targets.collect(), BTreeMap::new());
        let invalidation = self.has_exits.then(|| exits::invalidation(self.n_codes));
        let mut unit = Unit { kind, inlining: Some(plan.clone()), invalidation, ..unit };
        unit.known_maths = KnownMaths::of(&unit, call_maths);
        assert_eq!(effort(&unit), Effort::Full);
        let passes = Passes::functions(pipeline(&unit, Optimization::Aggressive));
        let object = self.compiler.compile_with(&passes, |cx| {
            let (module, exits) = lower(cx, &unit, &symbol, References::Addresses);
            exits::record(&unit, exits);
            exits::call_at_checks(cx, &module);
            module
        });
        let object = object.expect("a unit is well formed");
        (self.dylib.add_object(&object).expect("the object can be linked"), symbol)
    }
}

impl FunctionCode {
    /// Calls the function. The functions that it may call are linked already.
    pub(super) fn run(&self, args: &[f64]) -> f64 {
        assert_eq!(args.len(), self.n_params);
        let code = self.tracker.lookup(&self.symbol).expect("the object defines it").get();
        let code = CodeAddress::new(usize::try_from(code).expect("addresses have this machine's width"));
        // SAFETY: the code has as many parameters as there are arguments, promise 1 holds for its
        // calls, and the tracker is dropped afterwards. No interrupt unwinds its host functions.
        let value = unsafe { kaleidoscope_native::call(&NoStubs, code, args) };
        value.expect("the interpreter had enough stack")
    }
}

impl OsrEntry {
    /// Runs the loop to its end, and returns true. Or to the beginning of an iteration, if the code
    /// is invalidated. The functions that it may call are linked already.
    pub(super) fn run(&self, locals: &mut [f64]) -> bool {
        // SAFETY: an OSR entry is a function of a pointer to the locals, and returns a double.
        let code = unsafe { self.tracker.lookup_fn::<extern "C" fn(*mut f64) -> f64>(&self.symbol) };
        code.expect("the object defines it").call((locals.as_mut_ptr(),)) == 1.0
    }
}

impl Kernel {
    /// The results of all rows. The functions that it may call are linked already. The states are
    /// those before the first row, and become those behind the last one.
    pub(super) fn run(&self, columns: &[Vec<f64>], states: &mut [f64], n_rows: usize) -> Vec<Vec<f64>> {
        let mut results = vec![vec![0.0; n_rows]; self.n_outs];
        // SAFETY: a kernel is a function of a pointer to a table, and returns a double.
        let code = unsafe { self.tracker.lookup_fn::<extern "C" fn(*mut KernelTable) -> f64>(&self.symbol) };
        let code = code.expect("the object defines it");
        let mut n_done = 0;
        while n_done < n_rows {
            let columns: Vec<_> = columns.iter().map(|column| column[n_done..].as_ptr()).collect();
            let outs: Vec<_> = results.iter_mut().map(|out| out[n_done..].as_mut_ptr()).collect();
            let mut table = KernelTable {
                columns: columns.as_ptr(),
                outs: outs.as_ptr(),
                states: states.as_mut_ptr(),
                n_rows: n_rows - n_done,
                n_done: 0,
            };
            n_done += code.call((&raw mut table,)) as usize;
        }
        results
    }
}
