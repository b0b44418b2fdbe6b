//! How long does a call from Rust take?
//!
//! Calls a small function guarded, guarded in a scope, and raw. Subtracts the time of a call of a
//! Rust function through a pointer. Then compares one call that loops ten million times, guarded
//! and raw, because a guard must not slow a loop down. Goals: 50, 10 and 3 ns, and a ratio of 1
//! within the noise.

use kaleidoscope::{Engine, Function};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::{Pairs, median, time};
use std::hint::black_box;

const N_CALLS: u32 = 200_000;
const N_ROUNDS: usize = 25;

fn main() {
    let engine = Engine::new().expect("an engine");
    engine
        .run(
            "def small(x y) x * 2 + y; small(1, 2);
         def binary: 1 (a b) b;
         def hot(n) var x = 0 in (for i = 0, i < n in x = x * 0.999 + i) : x; hot(1);",
        )
        .ok()
        .expect("the text is correct");
    let small: Function<(f64, f64)> = engine.function("small").expect("it is defined");
    let hot: Function<(f64,)> = engine.function("hot").expect("it is defined");

    let rust = black_box(small_in_rust as extern "C" fn(f64, f64) -> f64);
    let per_call = |what: &mut dyn FnMut()| {
        median((0..N_ROUNDS).map(|_| time(&mut || what()))).as_secs_f64() * 1e9 / f64::from(N_CALLS)
    };
    let pointer = per_call(&mut || repeat(|x| rust(x, 1.0)));
    let alone = per_call(&mut || repeat(|x| small.call((x, 1.0)).expect("it has a value"))) - pointer;
    let in_scope = per_call(&mut || {
        engine
            .enter(|scope| {
                repeat(|x| scope.call(&small, (x, 1.0)).expect("it has a value"));
                Ok(())
            })
            .expect("a scope can be entered");
    }) - pointer;
    let raw = per_call(&mut || repeat(|x| call_raw(&small, (x, 1.0)))) - pointer;
    println!("a call of a small function, in addition to the {pointer:.1} ns of a Rust function pointer:");
    println!("  guarded {alone:.1} ns, in a scope {in_scope:.1} ns, raw {raw:.1} ns");

    let n = 1e7;
    let loops = Pairs::measure(
        N_ROUNDS,
        || drop(black_box(hot.call((n,)))),
        || {
            black_box(call_raw(&hot, (n,)));
        },
    );
    let [low, middle, high] = loops.ratio();
    println!("a loop of ten million iterations, guarded against raw: {middle:.3} ({low:.3} to {high:.3})");
    record::add(
        "calls",
        "guarded_ns,scope_ns,raw_ns,pointer_ns,loop_ratio",
        &[format!("{alone:.1},{in_scope:.1},{raw:.1},{pointer:.1},{middle:.3}")],
    );
}

extern "C" fn small_in_rust(x: f64, y: f64) -> f64 {
    x * 2.0 + y
}

/// Makes the measured calls. Each call depends on the result of the previous one.
fn repeat(mut call: impl FnMut(f64) -> f64) {
    let mut x = 0.0;
    for _ in 0..N_CALLS {
        x = call(x) * 0.25;
    }
    black_box(x);
}

#[expect(unsafe_code, reason = "raw calls are what is measured")]
fn call_raw<A: kaleidoscope::Arguments>(function: &Function<A>, args: A) -> f64 {
    // SAFETY: the function has been called, it calls no other function, and nothing is defined
    // meanwhile.
    unsafe { function.call_raw(args) }
}
