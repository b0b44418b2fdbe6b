//! Code that uses up its stack ends its call, as often as it likes, and nothing else.

use std::hint::black_box;
use std::thread;

use kaleidoscope_native::{HostPool, Limits, StubPool, Trap, maths};

use crate::guest::{self, Guest, bits};
use crate::support::{Script, add_one, child, code};

/// A small stack, so that it is used up quickly.
const SMALL: Limits = Limits::new().stack_bytes(64 << 10);

fn overflow(
    script: &Script<'_>,
    limits: &Limits,
    guest: &Guest,
    args: &[f64],
) -> kaleidoscope_native::StackTrace {
    match script.call_within(limits, guest.code(), args) {
        Err(Trap::StackOverflow(trace)) => trace,
        other => panic!("{other:?} is no overflow"),
    }
}

#[test]
fn endless_recursion_ends_twenty_times() {
    let recursion = guest::recursion();
    for _ in 0..20 {
        recursion.is_all_of(&overflow(&Script::new(), &Limits::new(), &recursion, &[]), 32);
    }
    assert_eq!(Script::new().call(code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
}

#[test]
fn endless_recursion_ends_thousands_of_times_on_many_threads() {
    let recursion = guest::recursion();
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
fn stacks_of_different_sizes_take_turns() {
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
fn the_compiler_has_the_hosts_stack_wherever_it_is_called() {
    let way_down = guest::calls_on_the_way_down();
    let stub = StubPool::new().allocate().unwrap();
    let n_calls = std::sync::atomic::AtomicUsize::new(0);
    let script = Script::new().materialize(|_| {
        n_calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        use_stack();
        Ok(code(add_one as *const ()))
    });
    for padding in (0..1024).step_by(16) {
        let trace = overflow(&script, &SMALL, &way_down, &[bits(stub.address()), 1.0, f64::from(padding)]);
        assert_eq!(trace.addresses().len(), 32);
    }
    assert!(n_calls.load(std::sync::atomic::Ordering::Relaxed) > 64 * 1000);
}

#[test]
fn host_functions_have_the_hosts_stack_wherever_they_are_called() {
    let way_down = guest::calls_on_the_way_down();
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, _| Ok(use_stack()));
    for padding in (0..1024).step_by(16) {
        overflow(&script, &SMALL, &way_down, &[bits(host.address()), 1.0, f64::from(padding)]);
    }
}

#[test]
fn maths_functions_have_the_hosts_stack_wherever_they_are_called() {
    let way_down = guest::calls_on_the_way_down();
    for entry in maths::all().iter().filter(|entry| entry.arity() == 1) {
        for padding in (0..128).step_by(16) {
            let args = [bits(entry.guest_address()), 0.7, f64::from(padding)];
            overflow(&Script::new(), &SMALL, &way_down, &args);
        }
    }
}

#[test]
fn arguments_that_do_not_fit_are_an_overflow() {
    let trace = overflow(&Script::new(), &SMALL, &guest::endless(), &[0.0; 10_000]);
    assert_eq!(trace.addresses(), []);
}

#[test]
fn guest_and_host_calling_each_other_without_end_are_an_overflow() {
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
fn an_inner_overflow_leaves_the_outer_call_alone() {
    let host = HostPool::new().allocate(1).unwrap();
    let descent = guest::descent();
    let script = Script::new().host_call(|_, args| {
        overflow(&Script::new(), &SMALL, &guest::recursion(), &[]);
        // Further down the same stack.
        overflow(&Script::new(), &Limits::new(), &guest::recursion(), &[]);
        Script::new().call(descent.code(), args)
    });
    let outer = guest::calls_once();
    assert_eq!(script.call(outer.code(), &[bits(host.address()), 50_000.0]).unwrap(), 50_000.0);
}

#[test]
fn what_was_touched_is_given_back() {
    child("overflow::what_was_touched_is_given_back", &["deep"], |_| {
        for _ in 0..3 {
            overflow(&Script::new(), &Limits::new(), &guest::recursion(), &[]);
            Script::new().call(guest::descent().code(), &[4_000_000.0]).unwrap();
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
        };
        assert!(line("VmHWM:") > 200 << 10, "it was that deep: {status}");
        assert!(line("VmRSS:") < 100 << 10, "it was given back: {status}");
    });
}
