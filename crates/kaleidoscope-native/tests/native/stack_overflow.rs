//! Stack overflow: code that uses up its guest stack ends its call, any number of times, and
//! nothing else.

use std::hint::black_box;
use std::thread;

use kaleidoscope_native::{HostPool, Limits, StubPool, Trap, maths};

use crate::guest::{self, Guest, bits};
use crate::support::{Script, add_one, child, code};

/// A small stack, which is used up quickly.
const SMALL: Limits = Limits::new().stack_bytes(64 << 10);

fn overflow(
    script: &Script<'_>,
    limits: &Limits,
    guest: &Guest,
    args: &[f64],
) -> kaleidoscope_native::StackTrace {
    match script.call_within(limits, guest.code(), args) {
        Err(Trap::StackOverflow(trace)) => trace,
        other => panic!("{other:?} is not an overflow"),
    }
}

#[test]
fn endless_recursion_ends_twenty_times() {
    let recursion = guest::endless_recursion();
    for _ in 0..20 {
        recursion.is_all_of(&overflow(&Script::new(), &Limits::new(), &recursion, &[]), 32);
    }
    assert_eq!(Script::new().call(code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
}

#[test]
fn endless_recursion_ends_thousands_of_times_on_many_threads() {
    let recursion = guest::endless_recursion();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    recursion.is_all_of(&overflow(&Script::new(), &SMALL, &recursion, &[]), 32);
                }
            });
        }
    });
}

#[test]
fn a_million_frames_have_room() {
    let descent = guest::descent();
    for depth in [1_000_000.0, 7.0, 2_000_000.0] {
        assert_eq!(Script::new().call(descent.code(), &[depth]).unwrap(), depth);
    }
    descent.is_all_of(&overflow(&Script::new(), &SMALL, &descent, &[1_000_000.0]), 32);
}

#[test]
fn stacks_of_different_sizes_alternate() {
    let descent = guest::descent();
    for size in (16..26).chain(16..26).map(|log| 1_usize << log) {
        let limits = Limits::new().stack_bytes(size);
        let fits = (size / 32 - 256) as f64;
        assert_eq!(Script::new().call_within(&limits, descent.code(), &[fits]).unwrap(), fits);
        overflow(&Script::new(), &limits, &descent, &[fits + 256.0]);
    }
}

/// Uses more of a stack than a small guest stack has.
fn use_stack() -> f64 {
    let mut frame = [0_u8; 200 << 10];
    frame[black_box(1000)] = 1;
    f64::from(black_box(&frame)[1000])
}

#[test]
fn the_compiler_runs_on_the_host_stack_at_any_depth() {
    let recursion = guest::calls_and_recurses();
    let stub = StubPool::new().allocate().unwrap();
    let n_calls = std::sync::atomic::AtomicUsize::new(0);
    let script = Script::new().materialize(|_| {
        n_calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        use_stack();
        Ok(code(add_one as *const ()))
    });
    for padding in (0..1024).step_by(16) {
        let trace = overflow(&script, &SMALL, &recursion, &[bits(stub.address()), 1.0, f64::from(padding)]);
        assert_eq!(trace.addresses().len(), 32);
    }
    assert!(n_calls.load(std::sync::atomic::Ordering::Relaxed) > 64 * 1000);
}

#[test]
fn host_functions_run_on_the_host_stack_at_any_depth() {
    let recursion = guest::calls_and_recurses();
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, _| Ok(use_stack()));
    for padding in (0..1024).step_by(16) {
        overflow(&script, &SMALL, &recursion, &[bits(host.address()), 1.0, f64::from(padding)]);
    }
}

#[test]
fn maths_functions_run_on_the_host_stack_at_any_depth() {
    let recursion = guest::calls_and_recurses();
    for entry in maths::all().iter().filter(|entry| entry.arity() == 1) {
        for padding in (0..128).step_by(16) {
            let args = [bits(entry.guest_address()), 0.7, f64::from(padding)];
            overflow(&Script::new(), &SMALL, &recursion, &args);
        }
    }
}

#[test]
fn arguments_that_do_not_fit_are_an_overflow() {
    let trace = overflow(&Script::new(), &SMALL, &guest::endless_loop(), &[0.0; 10_000]);
    assert_eq!(trace.addresses(), []);
}

#[test]
fn endless_mutual_calls_of_guest_and_host_are_an_overflow() {
    fn nest(limits: &Limits) -> Result<f64, Trap> {
        let host = HostPool::new().allocate(1).unwrap();
        let script = Script::new().host_call(|_, _| nest(limits));
        script.call_within(limits, guest::calls_once().code(), &[bits(host.address()), 1.0])
    }
    for limits in [SMALL, Limits::new()] {
        for _ in 0..3 {
            assert!(matches!(nest(&limits), Err(Trap::StackOverflow(_))));
        }
    }
}

#[test]
fn an_overflow_of_a_nested_call_does_not_end_the_outer_call() {
    let host = HostPool::new().allocate(1).unwrap();
    let descent = guest::descent();
    let script = Script::new().host_call(|_, args| {
        overflow(&Script::new(), &SMALL, &guest::endless_recursion(), &[]);
        // On the outer call's stack, below its frames.
        overflow(&Script::new(), &Limits::new(), &guest::endless_recursion(), &[]);
        Script::new().call(descent.code(), args)
    });
    let outer = guest::calls_once();
    assert_eq!(script.call(outer.code(), &[bits(host.address()), 50_000.0]).unwrap(), 50_000.0);
}

#[test]
fn touched_pages_are_released() {
    child("stack_overflow::touched_pages_are_released", &["deep"], |_| {
        for _ in 0..3 {
            overflow(&Script::new(), &Limits::new(), &guest::endless_recursion(), &[]);
            Script::new().call(guest::descent().code(), &[4_000_000.0]).unwrap();
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
        };
        assert!(line("VmHWM:") > 200 << 10, "the stack was that deep: {status}");
        assert!(line("VmRSS:") < 100 << 10, "its pages were released: {status}");
    });
}
