//! What does guarding cost a call, and what a loop?
//!
//! The same machine code is called by a pointer, through a stub, inside `enter`, and guarded by itself: without anybody who
//! could stop it, and with an interrupter and a deadline, which takes a reading of the clock. Then a call of it loops a
//! hundred thousand times, by the pointer and guarded with all armed: it is neither checked nor slowed, so the ratio is 1.
//! Everything is measured turn and turn about, so that what disturbs the machine disturbs all; printed are medians.
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
/// Loops short enough that most run undisturbed on a busy machine, half a millisecond, and many of them.
const N_TURNS: f64 = 1e5;
const N_LOOPS: usize = 1_001;

/// Is asked nothing.
struct Nothing;

// SAFETY: it gives no code.
unsafe impl Runtime for Nothing {
    fn materialize(&self, _: StubId) -> Result<CodeAddress, Trap> {
        Err(Trap::error(()))
    }

    fn host_call(&self, _: HostId, _: &[f64]) -> Result<f64, Trap> {
        Err(Trap::error(()))
    }
}

/// `squares(n)`: the sum of the squares of 0, 1 … below n, and of 0 in any case; kept on the stack.
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

/// A copy of the function where generated code lies, outside of all loaded objects: there it could be stopped.
fn generated() -> CodeAddress {
    const SIZE: usize = 128;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: no address is asked for.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), SIZE, protection, flags, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    // SAFETY: both are that long: the executable goes on after the function, which refers to nothing outside itself.
    unsafe { (squares as *const u8).copy_to(page.cast(), SIZE) };
    // SAFETY: the mapping is ours.
    assert_eq!(unsafe { libc::mprotect(page, SIZE, libc::PROT_READ | libc::PROT_EXEC) }, 0);
    CodeAddress::new(page.addr())
}

fn pointer_to(code: CodeAddress) -> extern "C" fn(f64) -> f64 {
    // SAFETY: only called with the code of `squares` and with a stub that leads there.
    unsafe { std::mem::transmute::<usize, extern "C" fn(f64) -> f64>(code.get()) }
}

fn guarded(limits: &Limits, code: CodeAddress, n: f64) -> f64 {
    // SAFETY: the code has one parameter, owns nothing and is never freed.
    unsafe { call_within(limits, &Nothing, code, &[n]) }.expect("nobody stops it")
}

/// The nanoseconds that it takes.
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

/// The median time of each in nanoseconds, done in turns.
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
            enter(armed, &Nothing, |scope| repeat(&|n| call(scope, n).expect("nobody stops it")))
                .expect("a stack");
        },
        &mut || repeat(&|n| guarded(&plain, code, n)),
        &mut || repeat(&|n| guarded(armed, code, n)),
    ]);
    let [by_pointer, ref others @ ..] = found[..] else { unreachable!("as many as there are ways") };
    println!("{:<46} {:>8}   {:>8}   goal", "one call, in nanoseconds", "", "more");
    println!("{:<46} {:>8.1}", "  by a function pointer", by_pointer / f64::from(N_CALLS));
    let names = [
        ("  by a pointer to its stub", "3"),
        ("  inside `enter`, with interrupter and deadline", "10"),
        ("  guarded, by itself", "50"),
        ("  guarded, with interrupter and deadline", ""),
    ];
    for ((name, goal), &nanoseconds) in names.iter().zip(others) {
        let [each, more] = [nanoseconds, nanoseconds - by_pointer].map(|figure| figure / f64::from(N_CALLS));
        println!("{name:<46} {each:>8.1}   {more:>8.1}   {goal:>4}");
    }
}

fn loops(code: CodeAddress, armed: &Limits) {
    let pointer = black_box(pointer_to(code));
    let sum = pointer(N_TURNS);
    let pairs: Vec<[f64; 2]> = (0..N_LOOPS)
        .map(|_| {
            [
                time(&mut || assert_eq!(black_box(pointer(black_box(N_TURNS))), sum)),
                time(&mut || assert_eq!(guarded(armed, code, N_TURNS), sum)),
            ]
        })
        .collect();
    let [by_pointer, guarded] =
        [0, 1].map(|way| quartiles(pairs.iter().map(|pair| pair[way] / N_TURNS).collect())[1]);
    let [low, ratio, high] = quartiles(pairs.iter().map(|[plain, guarded]| guarded / plain).collect());
    println!("one turn of a loop, in nanoseconds");
    println!("{:<46} {by_pointer:>8.3}", "  called by a function pointer");
    println!("{:<46} {guarded:>8.3}", "  guarded, with interrupter and deadline");
    println!("{:<46} {ratio:>8.3}   ({low:.3} to {high:.3} for the middle half)", "  ratio of the two");
}
