//! What does a guarded call cost, and what does a loop cost in one?
//!
//! The same machine code is called through a pointer, through a stub, inside `enter`, and by a
//! guarded call: without limits, and with an interrupter and a deadline, which needs a reading of
//! the clock. Then one call loops a hundred thousand times, through the pointer and guarded with
//! both limits. The loop contains no checks, so the ratio is 1. The ways are measured in
//! alternation, so that a disturbance affects all of them. Prints medians.
//!
//! `cargo bench -p kaleidoscope-native --bench guard_costs`

#![allow(unsafe_code, reason = "entering code by address is what is measured")]

use std::arch::naked_asm;
use std::hint::black_box;
use std::time::{Duration, Instant};

use kaleidoscope_native::{
    CodeAddress, HostId, Interrupter, Limits, Runtime, StubId, StubPool, Trap, call_within, enter,
};

const N_ROUNDS: usize = 51;
const N_CALLS: u32 = 50_000;
/// A loop takes half a millisecond, so that most run undisturbed on a busy machine.
const N_ITERATIONS: f64 = 1e5;
const N_LOOPS: usize = 1_001;

/// A runtime that is never used.
struct Nothing;

// SAFETY: it provides no code.
unsafe impl Runtime for Nothing {
    fn materialize(&self, _: StubId) -> Result<CodeAddress, Trap> {
        Err(Trap::error(()))
    }

    fn host_call(&self, _: HostId, _: &[f64]) -> Result<f64, Trap> {
        Err(Trap::error(()))
    }
}

/// `squares(n)`: the sum of the squares of 0, 1, … below n, stored on the stack. Adds 0 in any
/// case.
#[unsafe(naked)]
extern "C" fn squares(n: f64) -> f64 {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, 16",
        "mov eax, 1",
        "cvtsi2sd xmm1, eax",
        "xorps xmm2, xmm2",
        "movsd [rsp], xmm2",
        "2:",
        "movapd xmm3, xmm2",
        "mulsd xmm3, xmm3",
        "addsd xmm3, [rsp]",
        "movsd [rsp], xmm3",
        "addsd xmm2, xmm1",
        "ucomisd xmm2, xmm0",
        "jb 2b",
        "movsd xmm0, [rsp]",
        "leave",
        "ret",
    )
}

/// A copy of the function outside all loaded objects, where generated code is: there it can be
/// interrupted.
fn generated() -> CodeAddress {
    const SIZE: usize = 128;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: no address is given.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), SIZE, protection, flags, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    // SAFETY: both ranges are that long: in the executable, more code follows the function, which
    // refers to nothing outside itself.
    unsafe { (squares as *const u8).copy_to(page.cast(), SIZE) };
    // SAFETY: the mapping is ours.
    assert_eq!(unsafe { libc::mprotect(page, SIZE, libc::PROT_READ | libc::PROT_EXEC) }, 0);
    CodeAddress::new(page.addr())
}

fn pointer_to(code: CodeAddress) -> extern "C" fn(f64) -> f64 {
    // SAFETY: called only with the code of `squares` and with a stub that leads there.
    unsafe { std::mem::transmute::<usize, extern "C" fn(f64) -> f64>(code.get()) }
}

fn guarded(limits: &Limits, code: CodeAddress, n: f64) -> f64 {
    // SAFETY: the code has one parameter, owns nothing and is never freed.
    unsafe { call_within(limits, &Nothing, code, &[n]) }.expect("no limit is reached")
}

/// The time that `what` takes, in nanoseconds.
fn time(what: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    what();
    start.elapsed().as_secs_f64() * 1e9
}

/// Lower quartile, median and upper quartile.
fn quartiles(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| figures[(figures.len() - 1) * quarter / 4])
}

/// The median time of each way in nanoseconds. The ways alternate.
fn medians(ways: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let mut times = vec![Vec::new(); ways.len()];
    for _ in 0..N_ROUNDS {
        for (way, times) in ways.iter_mut().zip(&mut times) {
            times.push(time(way));
        }
    }
    times.into_iter().map(|times| quartiles(times)[1]).collect()
}

fn main() {
    let code = generated();
    let armed =
        Limits::new().interrupter(Interrupter::new()).deadline(Instant::now() + Duration::from_secs(600));
    assert_eq!(guarded(&armed, code, 4.0), 14.0);
    calls(code, &armed);
    loops(code, &armed);
}

fn calls(code: CodeAddress, armed: &Limits) {
    let repeat = |call: &dyn Fn(f64) -> f64| {
        for _ in 0..N_CALLS {
            black_box(call(black_box(1.0)));
        }
    };
    let pointer = black_box(pointer_to(code));
    let stub = StubPool::new().allocate().expect("memory");
    // SAFETY: the stub is called with one argument, and the code is never freed.
    unsafe { stub.redirect(code) };
    let through_stub = black_box(pointer_to(stub.address()));
    let plain = Limits::new();
    let found = medians(&mut [
        &mut || repeat(&|n| pointer(n)),
        &mut || repeat(&|n| through_stub(n)),
        &mut || {
            // SAFETY: as for `guarded`.
            let call = |scope: &kaleidoscope_native::GuardedScope<'_>, n| unsafe { scope.call(code, &[n]) };
            enter(armed, &Nothing, |scope| repeat(&|n| call(scope, n).expect("no limit is reached")))
                .expect("a stack");
        },
        &mut || repeat(&|n| guarded(&plain, code, n)),
        &mut || repeat(&|n| guarded(armed, code, n)),
    ]);
    let [by_pointer, ref others @ ..] = found[..] else { unreachable!("there is a figure for each way") };
    println!("{:<46} {:>8}   {:>8}   goal", "one call, in nanoseconds", "", "more");
    println!("{:<46} {:>8.1}", "  through a function pointer", by_pointer / f64::from(N_CALLS));
    let names = [
        ("  through a pointer to its stub", "3"),
        ("  inside `enter`, with interrupter and deadline", "10"),
        ("  guarded, without limits", "50"),
        ("  guarded, with interrupter and deadline", ""),
    ];
    for ((name, goal), &nanoseconds) in names.iter().zip(others) {
        let [each, more] = [nanoseconds, nanoseconds - by_pointer].map(|figure| figure / f64::from(N_CALLS));
        println!("{name:<46} {each:>8.1}   {more:>8.1}   {goal:>4}");
    }
}

fn loops(code: CodeAddress, armed: &Limits) {
    let pointer = black_box(pointer_to(code));
    let sum = pointer(N_ITERATIONS);
    let pairs: Vec<[f64; 2]> = (0..N_LOOPS)
        .map(|_| {
            [
                time(&mut || assert_eq!(black_box(pointer(black_box(N_ITERATIONS))), sum)),
                time(&mut || assert_eq!(guarded(armed, code, N_ITERATIONS), sum)),
            ]
        })
        .collect();
    let [by_pointer, guarded] =
        [0, 1].map(|way| quartiles(pairs.iter().map(|pair| pair[way] / N_ITERATIONS).collect())[1]);
    let [low, ratio, high] = quartiles(pairs.iter().map(|[plain, guarded]| guarded / plain).collect());
    println!("one iteration of a loop, in nanoseconds");
    println!("{:<46} {by_pointer:>8.3}", "  called through a function pointer");
    println!("{:<46} {guarded:>8.3}", "  guarded, with interrupter and deadline");
    println!("{:<46} {ratio:>8.3}   ({low:.3} to {high:.3} for the middle half)", "  ratio of the two");
}
