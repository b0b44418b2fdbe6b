//! What do a stub, a first call, an upcall and an early exit cost? Prints nanoseconds, the best of
//! several rounds.
//!
//! `cargo bench -p kaleidoscope-native --bench stub_costs`

#![allow(unsafe_code, reason = "entering code by address is what is measured")]

use std::hint::black_box;
use std::time::Instant;

use kaleidoscope_native::{
    CodeAddress, HostId, HostPool, Interrupter, Limits, Runtime, Stub, StubId, StubPool, Trap, call,
    call_within, maths,
};

const N_ROUNDS: usize = 20;
const N: u32 = 100_000;

extern "C" fn add_one(x: f64) -> f64 {
    x + 1.0
}

/// A runtime with `add_one` for every stub, and one host function, which fails for a negative
/// number.
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

/// The time of one of `n` repetitions in nanoseconds, the best of several rounds.
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
            black_box(guarded(black_box(code), black_box(x)).unwrap_or(0.0));
        }
    })
}

/// Generated code that calls the function with these bits `n` times.
extern "C" fn repeat_calls(n: f64, function: f64) -> f64 {
    // SAFETY: the bits are those of a function of one parameter.
    let function = unsafe { std::mem::transmute::<u64, extern "C" fn(f64) -> f64>(function.to_bits()) };
    let (mut i, mut sum) = (0.0, 0.0);
    while i < n {
        sum += function(black_box(1.0));
        i += 1.0;
    }
    sum
}

fn main() {
    stubs_and_calls();
    maths_functions();
    early_exits();
}

fn stubs_and_calls() {
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
    report("a guarded call through the lazy entry", lazy);
    // SAFETY: the stub is called with one argument, and `add_one` is never freed.
    unsafe { stub.redirect(plain) };
    let through = calls(stub.address(), 1.0);
    report("a guarded call through a stub with code", through);
    report("difference: the lazy entry", lazy - through);

    let host = HostPool::new().allocate(1).expect("memory");
    let host_call = calls(host.address(), 1.0);
    report("a guarded call of a host function", host_call);
    report("a guarded call that ends with an error", calls(host.address(), -1.0));
}

fn maths_functions() {
    let repeat = CodeAddress::new(repeat_calls as *const () as usize);
    let sin = maths::find("sin").expect("it is in the table");
    let looked_up = Instant::now();
    black_box(maths::all().iter().map(|entry| entry.address().get()).sum::<usize>());
    report("all maths functions looked up, once", looked_up.elapsed().as_secs_f64() * 1e9);
    let by_table = best(N, || {
        for _ in 0..N {
            black_box(sin.call(&[black_box(1.0)]));
        }
    });
    report("sin through the table", by_table);
    for name in ["sin", "fabs"] {
        let entry = maths::find(name).expect("it is in the table");
        let looping = |code: CodeAddress| {
            let args = [f64::from(N), f64::from_bits(code.get() as u64)];
            best(N, || {
                // SAFETY: `repeat` takes two arguments, the second being the bits of a function of
                // one.
                black_box(unsafe { call(&AddOne, repeat, &args) }.unwrap_or(0.0));
            })
        };
        report(&format!("{name} from generated code, directly"), looping(entry.address()));
        report(&format!("{name} from generated code, on the host stack"), looping(entry.guest_address()));
    }
}

/// `f(): f()`
#[unsafe(naked)]
extern "C" fn recursion() {
    std::arch::naked_asm!("2:", "push rbp", "mov rbp, rsp", "call 2b", "pop rbp", "ret")
}

/// Loops without end. Copied out of the executable, where a loop would not be interrupted.
fn endless() -> CodeAddress {
    const LOOP: [u8; 2] = [0xeb, 0xfe];
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: no address is given.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    // SAFETY: the mapping is larger than that.
    unsafe { page.cast::<[u8; 2]>().write(LOOP) };
    // SAFETY: the mapping is ours.
    assert_eq!(unsafe { libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC) }, 0);
    CodeAddress::new(page.addr())
}

fn early_exits() {
    let small = Limits::new().stack_bytes(64 << 10);
    let overflow = CodeAddress::new(recursion as *const () as usize);
    let small_overflow = best(1, || {
        // SAFETY: the code takes no arguments and owns nothing.
        let _ = black_box(unsafe { call_within(&small, &AddOne, overflow, &[]) });
    });
    report("an overflow of a stack of 64 KiB, until the call has ended", small_overflow);

    let endless = endless();
    let interrupter = Interrupter::new();
    let limits = Limits::new().interrupter(interrupter);
    let requested_at = std::sync::Mutex::new(Instant::now());
    let mut latencies: Vec<f64> = (0..200)
        .map(|_| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    loop {
                        *requested_at.lock().expect("no thread panics with the lock") = Instant::now();
                        if interrupter.interrupt() > 0 {
                            break;
                        }
                    }
                });
                // SAFETY: as above.
                let _ = black_box(unsafe { call_within(&limits, &AddOne, endless, &[]) });
                let ended = Instant::now();
                ended
                    .duration_since(*requested_at.lock().expect("no thread panics with the lock"))
                    .as_secs_f64()
                    * 1e9
            })
        })
        .collect();
    latencies.sort_by(f64::total_cmp);
    report("an interrupt from another thread until the call ends, median", latencies[latencies.len() / 2]);
}
