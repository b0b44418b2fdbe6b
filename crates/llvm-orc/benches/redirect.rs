//! What does it cost to point a function elsewhere, and to call it?
//!
//! `cargo bench -p llvm-orc --bench redirect`. Prints nanoseconds, the median of 200 rounds. The
//! stub of a lazy reexport is LLVM's own. Asserts that redirecting allocates no memory.
#![allow(unsafe_code)] // naming the type of a function that is looked up, and the allocator

use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use llvm_orc::{Compiler, Dylib, Jit, OptLevel, OwnedSymbol};

const N_ROUNDS: usize = 200;
const N_CALLS: u32 = 100_000;

type Nullary = extern "C" fn() -> f64;

static N_ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: guaranteed by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<(), Box<dyn Error>> {
    let dylib = Jit::builder().build()?.create_bare_dylib("bench")?;
    let mut compiler = Compiler::builder().opt_level(OptLevel::Less).build()?;
    let versions = [version(&dylib, &mut compiler, "f.0")?, version(&dylib, &mut compiler, "f.1")?];
    // SAFETY: the targets have this type, and are called by this crate.
    let redirectable = unsafe { dylib.define_redirectable("f", &versions[0]) }?;
    dylib.reexport_lazily(&dylib, [("lazy", "f.0")])?;
    // SAFETY: the function has this type, and is not removed.
    let lazy = unsafe { dylib.lookup_fn::<Nullary>("lazy") }?;
    lazy.call(());
    let pointer = |address: llvm_orc::Address| {
        // SAFETY: a function of this type is at the address.
        unsafe { std::mem::transmute::<*const (), Nullary>(address.as_ptr()) }
    };
    let of_llvm = pointer(dylib.lookup("lazy")?);
    let of_crate = pointer(redirectable.address());
    let direct = pointer(versions[0].address());
    let mut times: [Vec<f64>; 5] = Default::default();
    for _ in 0..N_ROUNDS {
        let before = N_ALLOCATIONS.load(Ordering::Relaxed);
        times[0].push(per_call(|n| redirectable.redirect(&versions[n as usize % 2])));
        assert_eq!(N_ALLOCATIONS.load(Ordering::Relaxed), before, "redirecting allocates nothing");
        times[1].push(per_call(|_| assert_eq!(black_box(direct)(), 1.0)));
        times[2].push(per_call(|_| assert_eq!(black_box(of_llvm)(), 1.0)));
        times[3].push(per_call(|_| assert_eq!(black_box(of_crate)(), 1.0)));
        times[4].push(per_call(|_| assert_eq!(black_box(&redirectable).call(()), 1.0)));
    }
    let rows = [
        "redirect",
        "call without a stub",
        "call through LLVM's stub",
        "call through a redirectable stub",
        "Redirectable::call",
    ];
    for (row, mut times) in rows.into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        println!("{row:34} {:>8.2} ns", times[times.len() / 2]);
    }
    Ok(())
}

/// `name() = 1`
fn version(
    dylib: &Dylib,
    compiler: &mut Compiler,
    name: &str,
) -> Result<OwnedSymbol<Nullary>, Box<dyn Error>> {
    let object = compiler.try_compile::<_, Box<dyn Error>>(|cx| {
        let (module, f64) = (cx.create_module(name), cx.f64_type());
        let function = module.add_function(name, f64.fn_type(&[], false), None);
        let builder = cx.create_builder();
        builder.position_at_end(cx.append_basic_block(function, "entry"));
        builder.build_return(Some(&f64.const_float(1.0)))?;
        Ok(module)
    })?;
    let tracker = Arc::new(dylib.add_object(&object)?);
    // SAFETY: the function belongs to the tracker and has this type.
    Ok(unsafe { tracker.lookup_owned_fn(name) }?)
}

/// Nanoseconds of one call of `call`.
fn per_call(call: impl Fn(u32)) -> f64 {
    let start = Instant::now();
    (0..N_CALLS).for_each(call);
    start.elapsed().as_secs_f64() * 1e9 / f64::from(N_CALLS)
}
