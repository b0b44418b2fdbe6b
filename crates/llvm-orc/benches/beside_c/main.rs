//! What does this crate cost compared to ORC called from C?
//!
//! `cargo bench -p llvm-orc --bench beside_c`. Takes the same steps by this crate in slabs, by this
//! crate in pages, and by LLVM's C API as a C program calls it, alternating. Prints the median of
//! each in microseconds, and calls in nanoseconds.
#![allow(unsafe_code)] // the C API, and naming the type of a function that is looked up
#![allow(clippy::multiple_unsafe_ops_per_block)] // in `direct`, as in C

mod direct;

use std::error::Error;
use std::ffi::CString;
use std::hint::black_box;
use std::time::Instant;

use direct::Direct;
use llvm_orc::{Compiler, Dylib, Jit, Memory, Object, OptLevel, Responsibility, SymbolFlags, Target};

const N_ROUNDS: usize = 400;
const N_CALLS: u32 = 100_000;

type Nullary = extern "C" fn() -> f64;

/// The measured steps, one per row.
const STEPS: [&str; 6] = [
    "add an object and link it",
    "look up a linked symbol",
    "remove the object",
    "define a lazy function and create its stub",
    "first call of it, without compiling",
    "call through a stub, ns",
];

fn main() -> Result<(), Box<dyn Error>> {
    // Registers LLVM's native target, also for `Direct`.
    Target::host()?;
    let mut compiler = Compiler::builder().opt_level(OptLevel::None).build()?;
    let dylibs = [Memory::Slabs, Memory::Pages]
        .map(|memory| Jit::builder().memory(memory).build()?.create_bare_dylib("bench"));
    let [slabs, pages] = dylibs;
    let (slabs, pages) = (slabs?, pages?);
    // SAFETY: the target is registered.
    let c = unsafe { Direct::new() };
    let mut times: [[Vec<f64>; 3]; 6] = Default::default();
    for n in 0..N_ROUNDS {
        let object = compile(&mut compiler, &format!("f{n}"))?;
        let lazy = compile(&mut compiler, &format!("target{n}"))?;
        for side in 0..3 {
            let side = (side + n) % 3;
            let step_times = match side {
                0 => by_crate(&slabs, n, &object, &lazy)?,
                1 => by_crate(&pages, n, &object, &lazy)?,
                _ => by_c(&c, n, &object, &lazy)?,
            };
            for (row, time) in times.iter_mut().zip(step_times) {
                row[side].push(time);
            }
        }
    }
    println!("{:44} {:>8} {:>8} {:>8}", "median of 400", "slabs", "pages", "C");
    for (step, row) in STEPS.iter().zip(times) {
        let [slabs, pages, c] = row.map(median);
        println!("{step:44} {slabs:>8.2} {pages:>8.2} {c:>8.2}");
    }
    // SAFETY: the session is not used any more.
    unsafe { c.dispose() };
    Ok(())
}

fn by_crate(dylib: &Dylib, n: usize, object: &Object, lazy: &Object) -> Result<[f64; 6], llvm_orc::Error> {
    let (name, target, stub) = (format!("f{n}"), format!("target{n}"), format!("stub{n}"));
    let (tracker, add) = timed(|| {
        let tracker = dylib.add_object(object)?;
        tracker.lookup(&name)?;
        Ok::<_, llvm_orc::Error>(tracker)
    });
    let tracker = tracker?;
    let (found, lookup) = timed(|| tracker.lookup(&name));
    found?;
    let (removed, remove) = timed(|| tracker.remove());
    removed?;
    let (defined, define) = timed(|| {
        let lazy = lazy.clone();
        let definitions = move |responsibility: Responsibility| {
            responsibility.emit_object(&lazy);
            Ok(())
        };
        dylib.define_lazily([(target.as_str(), SymbolFlags::FUNCTION)], definitions)?;
        dylib.reexport_lazily(dylib, [(stub.as_str(), target.as_str())])?;
        dylib.lookup(&stub)
    });
    defined?;
    // SAFETY: the function has that type and is never removed.
    let f = unsafe { dylib.lookup_fn::<Nullary>(&stub) }?;
    let (value, first) = timed(|| f.call(()));
    assert_eq!(value, 1.0);
    let ((), calls) = timed(|| (0..N_CALLS).for_each(|_| assert_eq!(black_box(f).call(()), 1.0)));
    Ok([add, lookup, remove, define, first, calls * 1e3 / f64::from(N_CALLS)])
}

fn by_c(c: &Direct, n: usize, object: &Object, lazy: &Object) -> Result<[f64; 6], Box<dyn Error>> {
    let [name, target, stub] = [format!("f{n}"), format!("target{n}"), format!("stub{n}")].map(CString::new);
    let (name, target, stub) = (name?, target?, stub?);
    let (tracker, add) = timed(|| {
        // SAFETY: the object is from the compiler and defines the name.
        unsafe {
            let tracker = c.add_object(object.bytes());
            c.lookup(&name);
            tracker
        }
    });
    // SAFETY: the symbol is linked.
    let (_, lookup) = timed(|| unsafe { c.lookup(&name) });
    // SAFETY: its code is not called any more.
    let ((), remove) = timed(|| unsafe { c.remove(tracker) });
    let (address, define) = timed(|| {
        // SAFETY: the object is from the compiler, defines the target, and outlives its first call.
        unsafe {
            c.define_lazily(&stub, &target, lazy.bytes());
            c.lookup(&stub)
        }
    });
    // SAFETY: the stub's function has this type.
    let f = unsafe { std::mem::transmute::<usize, Nullary>(address as usize) };
    let (value, first) = timed(|| f());
    assert_eq!(value, 1.0);
    let ((), calls) = timed(|| (0..N_CALLS).for_each(|_| assert_eq!(black_box(f)(), 1.0)));
    Ok([add, lookup, remove, define, first, calls * 1e3 / f64::from(N_CALLS)])
}

/// Compiles a function without parameters that returns 1.
fn compile(compiler: &mut Compiler, name: &str) -> Result<Object, llvm_orc::Error> {
    compiler.compile(|cx| {
        let module = cx.create_module("m");
        let f64 = cx.f64_type();
        let function = module.add_function(name, f64.fn_type(&[], false), None);
        let nounwind = inkwell::attributes::Attribute::get_named_enum_kind_id("nounwind");
        let nounwind = cx.create_enum_attribute(nounwind, 0);
        function.add_attribute(inkwell::attributes::AttributeLoc::Function, nounwind);
        let builder = cx.create_builder();
        builder.position_at_end(cx.append_basic_block(function, "entry"));
        builder.build_return(Some(&f64.const_float(1.0))).expect("the builder is in a block");
        module
    })
}

/// The result of `f`, and the microseconds it took.
fn timed<T>(f: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = f();
    (result, start.elapsed().as_secs_f64() * 1e6)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
