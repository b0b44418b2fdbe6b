//! What does a linked object cost: memory, mappings, time?
//!
//! `cargo bench -p llvm-orc --bench object_memory`. Links objects of one small function each and
//! keeps them, once in slabs and once in separate pages, each in a process of its own. Then adds,
//! calls and removes one object repeatedly and prints by how much the process has grown.
#![allow(unsafe_code)] // naming the type of a function that is looked up

use std::error::Error;
use std::process::Command;
use std::time::Instant;

use inkwell::context::Context;
use inkwell::module::Module;
use llvm_orc::{Compiler, Jit, Memory, Object, OptLevel};

/// The most objects that fit in separate pages: more would exceed Linux's limit of mappings.
const N_KEPT: u32 = 30_000;
const N_CYCLES: u32 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let which = std::env::args().find_map(|argument| match argument.as_str() {
        "slabs" => Some(Memory::Slabs),
        "pages" => Some(Memory::Pages),
        _ => None,
    });
    let Some(memory) = which else {
        println!(
            "{:8} {:>10} {:>12} {:>10} {:>10} {:>16} {:>25}",
            "memory",
            "link µs",
            "bytes each",
            "mappings",
            "remove µs",
            "add..remove µs",
            "growth after 100,000, KiB"
        );
        for memory in ["slabs", "pages"] {
            Command::new(std::env::current_exe()?).arg(memory).status()?;
        }
        return Ok(());
    };
    measure(memory)
}

fn measure(memory: Memory) -> Result<(), Box<dyn Error>> {
    let mut compiler = Compiler::builder().opt_level(OptLevel::None).build()?;
    let dylib = Jit::builder().memory(memory).build()?.create_bare_dylib("bench")?;
    // Compiles one object file at a time, because object files are not part of the measurement.
    let mut next = |n: u32| compiler.compile(|cx| constant(cx, n));
    let link = |object: &Object, n: u32| {
        let tracker = dylib.add_object(object)?;
        // SAFETY: the function has that type.
        let f = unsafe { tracker.lookup_fn::<extern "C" fn() -> f64>(&format!("f{n}")) }?;
        assert_eq!(f.call(()), f64::from(n) + 0.25);
        Ok::<_, llvm_orc::Error>(tracker)
    };
    drop(link(&next(N_KEPT)?, N_KEPT)?);

    let (resident_before, mappings_before) = (resident_bytes(), mappings());
    let mut seconds = 0.0;
    let mut kept = Vec::new();
    for n in 0..N_KEPT {
        let object = next(n)?;
        let start = Instant::now();
        kept.push(link(&object, n)?);
        seconds += start.elapsed().as_secs_f64();
    }
    let link_micros = seconds * 1e6 / f64::from(N_KEPT);
    let bytes = resident_bytes().saturating_sub(resident_before) / N_KEPT as usize;
    let n_mappings = mappings() - mappings_before;
    let start = Instant::now();
    for tracker in kept {
        tracker.remove()?;
    }
    let remove_micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(N_KEPT);

    let object = next(0)?;
    for _ in 0..N_CYCLES / 10 {
        link(&object, 0)?.remove()?;
    }
    let before = resident_bytes();
    let start = Instant::now();
    for _ in 0..N_CYCLES {
        link(&object, 0)?.remove()?;
    }
    let cycle_micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(N_CYCLES);
    let growth_kib = (resident_bytes() as i64 - before as i64) >> 10;
    let name = format!("{memory:?}").to_lowercase();
    println!(
        "{name:8} {link_micros:>10.1} {bytes:>12} {n_mappings:>10} {remove_micros:>10.1} {cycle_micros:>16.1} {growth_kib:>25}"
    );
    Ok(())
}

/// `fN() = N + 0.25`
fn constant(cx: &Context, n: u32) -> Module<'_> {
    let module = cx.create_module("m");
    let f64 = cx.f64_type();
    let function = module.add_function(&format!("f{n}"), f64.fn_type(&[], false), None);
    let nounwind = inkwell::attributes::Attribute::get_named_enum_kind_id("nounwind");
    function
        .add_attribute(inkwell::attributes::AttributeLoc::Function, cx.create_enum_attribute(nounwind, 0));
    let builder = cx.create_builder();
    builder.position_at_end(cx.append_basic_block(function, "entry"));
    builder.build_return(Some(&f64.const_float(f64::from(n) + 0.25))).expect("the builder is in a block");
    module
}

/// Resident memory of the process in bytes.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap_or_default().lines().count()
}
