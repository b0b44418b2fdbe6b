//! How long does the baseline compiler take for a function?
//!
//! Measures IR to executable code in memory, freeing included, with counters (as the engine uses
//! it) and without. The peer is LLVM without optimization, IR to linked code. The two alternate.
//! Goal: 3 µs for some 25 operations, which a first call can afford.

use kaleidoscope_baseline::{Compiler, Counters, counter_table_len};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::Pairs;
use kaleidoscope_ir::Function;
use kaleidoscope_ir::compile::{CallTarget, Unit};
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::names::Names;
use kaleidoscope_lang::reader::Reader;
use kaleidoscope_llvm::{References, lower, symbols};
use kaleidoscope_native::{CodeMemory, maths};
use llvm_orc::{Jit, Passes};
use std::collections::BTreeMap;
use std::sync::Arc;

const N_PAIRS: usize = 100;

/// Address for the slots of callees. The code does not run, so nothing is called.
const SLOT: usize = 0x7fff_0000_1000;

fn main() {
    let mut lines = Vec::new();
    println!("median of {N_PAIRS} pairs in µs; ratio with its quartiles");
    for n_parts in [0, 1, 5, 28] {
        let function = function(n_parts);
        let n_ops = function.ops.len();
        for counts in [false, true] {
            let pairs = measure(&function, counts);
            let [low, ratio, high] = pairs.ratio();
            let [ours, theirs] =
                [pairs.ours(), pairs.theirs()].map(|time| format!("{:.1}", time.as_secs_f64() * 1e6));
            let counting = if counts { "counting" } else { "plain" };
            print!("  {n_ops:>3} operations, {counting:<8}   baseline {ours:>7}   LLVM -O0 {theirs:>8}   ");
            println!("ratio {ratio:.3} ({low:.3} to {high:.3})");
            lines.push(format!("{n_ops},{counting},{ours},{theirs},{ratio:.4}"));
        }
    }
    record::add("baseline", "operations,counting,baseline_us,llvm_us,ratio", &lines);
}

/// Returns a function of 3 operations, or of parts with a comparison, a branch, a call and a loop.
fn function(n_parts: usize) -> Arc<Function> {
    let part = |k: usize| format!("(if x < y then h(x, y) * {k} else (for i = {k}, i < y in x = x + i))");
    let body = if n_parts == 0 {
        "x + 1".to_owned()
    } else {
        (0..n_parts).map(part).collect::<Vec<_>>().join(" + ")
    };
    let mut reader = Reader::new("bench");
    reader.push(&format!("def f(x y) {body}"));
    reader.finish();
    let item = reader.read(&Names::new()).and_then(|read| read.item);
    match item.expect("the text is a definition") {
        Item::Definition { function, .. } => function,
        other => unreachable!("{other:?}"),
    }
}

fn measure(function: &Arc<Function>, counts: bool) -> Pairs {
    let memory = CodeMemory::new();
    let address = |maths: kaleidoscope_ir::MathsFunction| {
        maths::find(maths.name()).expect("both lists are the same").guest_address().get()
    };
    let mut compiler = Compiler::new(address);
    let table = vec![i64::MAX; counter_table_len(function)];
    let counters = counts.then_some(Counters {
        table: table.as_ptr().addr(),
        entry_thunk: SLOT,
        trip_thunk: Some(SLOT),
        code_number: 0,
        tail_calls: 10_000,
    });
    let call_targets = function.callees_in_order().map(|callee| (callee, CallTarget::Slot { address: SLOT }));
    let unit = Unit::new(Arc::clone(function), None, 1, call_targets.collect(), BTreeMap::new());
    let ours = || {
        let code = compiler.compile(&unit, counters.as_ref(), None).expect("the function is small");
        drop(memory.allocate(&code.bytes, code.align).expect("there is memory"));
    };

    let mut llvm = llvm_orc::Compiler::builder()
        .opt_level(llvm_orc::OptLevel::None)
        .build()
        .expect("LLVM can be set up");
    let passes = Passes::none();
    let dylib =
        Jit::builder().build().and_then(|jit| jit.create_bare_dylib("bench")).expect("ORC can be set up");
    let mut version = 0;
    let theirs = || {
        version += 1;
        let symbol = symbols::code("f", version);
        let object = llvm.compile_with(&passes, |cx| lower(cx, &unit, &symbol, References::Addresses).0);
        let object = object.expect("the function is small");
        let tracker = dylib.add_object(&object).expect("the name is new");
        tracker.lookup(&symbol).expect("the object has it");
        tracker.remove().expect("no thread runs the code");
    };
    Pairs::measure_in_a_row(N_PAIRS, ours, theirs)
}
