//! Exits of optimized code in this process: completes the functions in the interpreter.
//!
//! All code of a thread is invalidated at once, at a chosen check: its module calls [`is_invalid`]
//! instead of loading the flag. The exit function is that of an engine, with an oracle in place of
//! the engine.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use inkwell::AddressSpace;
use inkwell::basic_block::BasicBlock;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::values::{BasicValue, FunctionValue, InstructionOpcode};
use kaleidoscope_ir::Function;
use kaleidoscope_ir::compile::{CodeKind, Exit, Invalidation, Unit, of_exit_argument};
use kaleidoscope_ir::interpreter::{LoopOutcome, StackLimit, SuspendedFrame, resume_loop, resume_results};
use kaleidoscope_testkit::Oracle;

/// A variable that no exit wrote.
const UNKNOWN: f64 = -4242.0;

/// A code of this thread.
struct ExitTable {
    kind: CodeKind,
    functions: Vec<Arc<Function>>,
    exits: Vec<Exit>,
    /// The number of results that are left in the buffer.
    n_results: usize,
}

thread_local! {
    static TABLES: RefCell<BTreeMap<u32, ExitTable>> = const { RefCell::new(BTreeMap::new()) };
    static ORACLE: RefCell<Option<Oracle>> = const { RefCell::new(None) };
    /// The number of checks before the code is invalid, and of exits until it is valid again.
    static N_CHECKS: Cell<u64> = const { Cell::new(u64::MAX) };
    static N_EXITS: Cell<u64> = const { Cell::new(0) };
}

/// Code is invalid at this number of checks from now, until it has been left `n_exits` times.
/// `oracle` completes it.
pub(in super::super) fn invalidate_after(n_checks: u64, n_exits: u64, oracle: &Oracle) {
    N_CHECKS.set(n_checks);
    N_EXITS.set(n_exits);
    ORACLE.set(Some(oracle.clone()));
}

/// The number of checks before code would be invalid.
pub(in super::super) fn n_checks_left() -> u64 {
    N_CHECKS.get()
}

extern "C" fn is_invalid() -> u8 {
    match N_CHECKS.get() {
        0 => u8::from(N_EXITS.get() > 0),
        n => {
            N_CHECKS.set(n - 1);
            0
        }
    }
}

/// The invalidation of the code with this number.
pub(super) fn invalidation(code_number: u32) -> Invalidation {
    Invalidation { flag: is_invalid as *const () as usize, exit: exit as *const () as usize, code_number }
}

/// Records the exits of a unit.
pub(super) fn record(unit: &Unit, exits: Vec<Exit>) {
    let Some(Invalidation { code_number, .. }) = unit.invalidation else { return };
    let functions = unit.instances().iter().map(|instance| Arc::new(instance.function.clone())).collect();
    let table = ExitTable { kind: unit.kind, functions, exits, n_results: unit.n_results_of_exit() };
    TABLES.with_borrow_mut(|tables| tables.insert(code_number, table));
}

/// Replaces each load of a flag by a call of [`is_invalid`].
pub(super) fn call_at_checks<'cx>(cx: &'cx Context, module: &Module<'cx>) {
    let builder = cx.create_builder();
    let address = cx.i64_type().const_int(is_invalid as *const () as u64, false);
    let address = address.const_to_pointer(cx.ptr_type(AddressSpace::default()));
    let signature = cx.i8_type().fn_type(&[], false);
    let blocks = module.get_functions().flat_map(FunctionValue::get_basic_block_iter);
    let loads: Vec<_> = blocks
        .flat_map(BasicBlock::get_instructions)
        .filter(|op| op.get_opcode() == InstructionOpcode::Load && op.get_volatile() == Ok(true))
        .collect();
    for load in loads {
        builder.position_before(&load);
        let call = builder.build_indirect_call(signature, address, &[], "").expect("the builder has a block");
        let call = call.try_as_basic_value().unwrap_basic().as_instruction_value();
        load.replace_all_uses_with(&call.expect("a call is an instruction"));
        load.erase_from_basic_block();
    }
}

/// The exit function of all code.
extern "C" fn exit(argument: f64, buffer: f64) -> f64 {
    N_EXITS.set(N_EXITS.get() - 1);
    let (code_number, number) = of_exit_argument(argument);
    TABLES.with_borrow(|tables| {
        let table = &tables[&code_number];
        let exit = &table.exits[number];
        let n_values = exit.n_values().max(table.n_results);
        // SAFETY: an exit writes a word and the values that its description lists, and the buffer
        // has room for the results.
        let buffer = unsafe { std::slice::from_raw_parts_mut(buffer as usize as *mut u64, 1 + n_values) };
        let frames = suspended(table, exit, &buffer[1..]);
        ORACLE.with_borrow(|oracle| {
            complete(oracle.as_ref().expect("a run has an oracle"), table, frames, buffer)
        })
    })
}

fn suspended(table: &ExitTable, exit: &Exit, values: &[u64]) -> Vec<SuspendedFrame> {
    let mut values = values.iter().map(|bits| f64::from_bits(*bits));
    let frames = exit.frames.iter().map(|frame| {
        let function = &table.functions[frame.instance];
        let mut locals = vec![UNKNOWN; function.locals.len()];
        for local in &frame.locals {
            locals[local.index()] = values.next().expect("the buffer has all values");
        }
        let operands = values.by_ref().take(frame.n_operands).collect();
        SuspendedFrame { function: Arc::clone(function), next: frame.next, locals, operands }
    });
    frames.collect()
}

fn complete(oracle: &Oracle, table: &ExitTable, frames: Vec<SuspendedFrame>, buffer: &mut [u64]) -> f64 {
    let limit = StackLimit { bytes: 1 << 20 };
    let locals = buffer[0] as usize as *mut f64;
    let CodeKind::Osr(nth) = table.kind else {
        let mut results = vec![0.0; table.n_results.max(1)];
        let resumed = resume_results(oracle, frames, &mut results, limit);
        resumed.expect("the interpreter ended before");
        if table.n_results == 0 {
            return results[0];
        }
        for (place, result) in buffer[1..].iter_mut().zip(results) {
            *place = result.to_bits();
        }
        return 0.0;
    };
    let function = &table.functions[0];
    // SAFETY: OSR code passes the memory that it was given, which has a double for each local.
    let locals = unsafe { std::slice::from_raw_parts_mut(locals, function.locals.len()) };
    let replaced = &function.facts().loops[nth];
    let mut variables = vec![UNKNOWN; function.locals.len()];
    let outcome = resume_loop(oracle, frames, replaced.header, &mut variables, limit);
    for variable in &function.facts().assigned[replaced.bracket] {
        locals[variable.index()] = variables[variable.index()];
    }
    f64::from(u8::from(outcome.expect("the interpreter ended before") == LoopOutcome::Ended))
}
