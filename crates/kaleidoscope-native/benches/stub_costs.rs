//! What do a stub, a first call and a guarded call cost? Prints nanoseconds, the best of several rounds.
//!
//! `cargo bench -p kaleidoscope-native`

#![allow(unsafe_code, reason = "entering code by address is what is measured")]

use std::hint::black_box;
use std::time::Instant;

use kaleidoscope_native::{
    CodeAddress, HostId, HostPool, Runtime, Stub, StubId, StubPool, Trap, call, maths,
};

const N_ROUNDS: usize = 20;
const N: u32 = 100_000;

extern "C" fn add_one(x: f64) -> f64 {
    x + 1.0
}

/// Has `add_one` for every stub, and one host function, which fails when it is given a negative number.
struct AddOne;

// SAFETY: every stub here is called with one argument, and `add_one` is never freed.
unsafe impl Runtime for AddOne {
    fn materialize(&self, _: StubId) -> Result<CodeAddress, Trap> {
        Ok(CodeAddress::new(add_one as *const () as usize))
    }

    fn host_call(&self, _: HostId, args: &[f64]) -> Result<f64, Trap> {
        if args[0] < 0.0 { Err(Trap::error(())) } else { Ok(args[0]) }
    }
}

/// The best time of `n` turns in nanoseconds a turn, over several rounds.
fn best(n: u32, mut round: impl FnMut()) -> f64 {
    let rounds = (0..N_ROUNDS).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed().as_secs_f64() * 1e9 / f64::from(n)
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn report(what: &str, nanoseconds: f64) {
    println!("{what:<58} {nanoseconds:>8.1} ns");
}

fn guarded(code: CodeAddress, x: f64) -> Result<f64, Trap> {
    // SAFETY: everything called here has one parameter, owns nothing and outlives the call.
    unsafe { call(&AddOne, code, &[x]) }
}

fn calls(code: CodeAddress, x: f64) -> f64 {
    best(N, || {
        for _ in 0..N {
            let _ = black_box(guarded(black_box(code), black_box(x)));
        }
    })
}

fn main() {
    let first = best(1, || {
        let pool = StubPool::new();
        black_box(pool.allocate().expect("memory"));
        std::mem::forget(pool);
    });
    report("the first stub of a pool", first);

    let mut pool = StubPool::new();
    let making = best(N, || {
        pool = StubPool::new();
        for _ in 0..N {
            black_box(pool.allocate().expect("memory"));
        }
    });
    report(&format!("a stub, over {N} from the first on"), making);

    let stub: Stub = pool.allocate().expect("memory");
    let plain = CodeAddress::new(add_one as *const () as usize);
    let function: extern "C" fn(f64) -> f64 = add_one;
    let raw = best(N, || {
        for _ in 0..N {
            black_box(black_box(function)(black_box(1.0)));
        }
    });
    report("a plain call by address", raw);
    let direct = calls(plain, 1.0);
    report("a guarded call", direct);
    let lazy = calls(stub.address(), 1.0);
    report("a guarded call by way of the lazy entry", lazy);
    // SAFETY: the stub is called with one argument, and `add_one` is never freed.
    unsafe { stub.redirect(plain) };
    let through = calls(stub.address(), 1.0);
    report("a guarded call through a stub with code", through);
    report("so the lazy entry adds", lazy - through);

    let host = HostPool::new().allocate(1).expect("memory");
    let host_call = calls(host.address(), 1.0);
    report("a guarded call of a host function", host_call);
    report("a guarded call that is left with an error", calls(host.address(), -1.0));

    let sin = maths::find("sin").expect("it is in the table");
    let looked_up = Instant::now();
    black_box(maths::all().iter().map(|entry| entry.address().get()).sum::<usize>());
    report("all maths functions looked up, once", looked_up.elapsed().as_secs_f64() * 1e9);
    let by_table = best(N, || {
        for _ in 0..N {
            black_box(sin.call(&[black_box(1.0)]));
        }
    });
    report("sin by table", by_table);
}
