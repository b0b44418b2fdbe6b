//! Many calls by one preparation: each ends by itself, and whatever happens inside leaves the thread in order.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

use kaleidoscope_native::{CodeAddress, GuardedScope, HostPool, Limits, StackTrace, Trap, enter};

use crate::guest::{self, bits};
use crate::support::{Script, add_one, call_in, code, panic_text, text};

#[test]
fn each_call_ends_by_itself() {
    let hosts = HostPool::new();
    let (fails, panics, works) =
        (hosts.allocate(1).unwrap(), hosts.allocate(1).unwrap(), hosts.allocate(1).unwrap());
    let script = Script::new().host_call(|id, args| match id {
        id if id == fails.id() => Err(Trap::error("closed")),
        id if id == panics.id() => panic_any("broken"),
        _ => Ok(args[0]),
    });
    let sum = enter(&Limits::new().stack_bytes(1 << 20), &script, |scope| {
        let mut sum = 0.0;
        for _ in 0..100 {
            sum += call_in(scope, works.address(), &[1.0]).unwrap();
            assert_eq!(text(call_in(scope, fails.address(), &[1.0])), "closed");
            assert_eq!(panic_text(call_in(scope, panics.address(), &[1.0])), "broken");
            assert!(matches!(call_in(scope, guest::recursion().code(), &[]), Err(Trap::StackOverflow(_))));
            sum += call_in(scope, guest::descent().code(), &[10_000.0]).unwrap();
        }
        sum
    });
    assert_eq!(sum.unwrap(), 1_000_100.0);
}

#[test]
fn scopes_nest_in_any_order() {
    let descent = guest::descent();
    let deep =
        |scope: &GuardedScope<'_>| assert_eq!(call_in(scope, descent.code(), &[1000.0]).unwrap(), 1000.0);
    let script = Script::new();
    enter(&Limits::new(), &script, |outer| {
        deep(outer);
        enter(&Limits::new().stack_bytes(1 << 20), &script, |inner| {
            deep(inner);
            deep(outer);
            enter(&Limits::new(), &script, |innermost| {
                deep(innermost);
                deep(outer);
                deep(inner);
            })
            .unwrap();
            deep(inner);
        })
        .unwrap();
        deep(outer);
    })
    .unwrap();
}

#[test]
fn a_scope_is_used_from_within_its_own_call() {
    thread_local! {
        static SCOPE: std::cell::Cell<*const ()> = const { std::cell::Cell::new(std::ptr::null()) };
    }
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, args| {
        // SAFETY: the scope is set below, and its body is still running.
        let scope = unsafe { &*SCOPE.get().cast::<GuardedScope<'_>>() };
        if args[0] == 0.0 {
            return Ok(0.0);
        }
        let inner = call_in(scope, guest::calls_once().code(), &[bits(host.address()), args[0] - 1.0])?;
        call_in(scope, guest::descent().code(), &[inner + 1.0])
    });
    enter(&Limits::new(), &script, |scope| {
        SCOPE.set((&raw const *scope).cast());
        for _ in 0..3 {
            let args = [bits(host.address()), 20.0];
            assert_eq!(call_in(scope, guest::calls_once().code(), &args).unwrap(), 20.0);
        }
    })
    .unwrap();
}

#[test]
fn a_panic_in_the_body_passes_through() {
    for _ in 0..3 {
        let script = Script::new();
        let body = |scope: &GuardedScope<'_>| {
            call_in(scope, guest::descent().code(), &[100.0]).unwrap();
            panic_any("body")
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| enter(&Limits::new(), &script, body)));
        assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "body");
        assert_eq!(script.call(code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
    }
}

#[test]
fn a_host_function_can_say_where_it_was_called() {
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, _| Err(Trap::error(StackTrace::capture())));
    let (outer, inner) = (guest::calls_once(), guest::calls_once());
    // `outer` calls `inner` with what is left of its arguments in registers, which is its second one.
    let trace = |code: CodeAddress, args: &[f64]| match script.call(code, args) {
        Err(Trap::Error(error)) => *error.downcast::<StackTrace>().unwrap(),
        other => panic!("{other:?} is no error"),
    };
    inner.is_all_of(&trace(inner.code(), &[bits(host.address()), 1.0]), 1);
    let both = trace(outer.code(), &[inner.bits(), bits(host.address())]);
    assert_eq!(both.addresses().len(), 2);
    assert_eq!(trace(host.address(), &[1.0]), StackTrace::default());
    assert_eq!(StackTrace::capture(), StackTrace::default());
}

/// The control and status register of SSE.
fn set_mxcsr(value: u32) {
    // SAFETY: the tests put the default back.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const value) };
}

fn mxcsr() -> u32 {
    let mut value = 0_u32;
    // SAFETY: stores four bytes.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut value) };
    value & 0xffc0
}

#[test]
fn generated_code_has_the_default_mode_and_the_host_its_own() {
    /// Rounding up; subnormal numbers are zero.
    const OTHER: u32 = 0xdfc0;
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, args| {
        if args[0] < 0.0 { Err(Trap::error("negative")) } else { Ok(f64::from(mxcsr())) }
    });
    let expected = (1.0_f64 / 3.0).to_bits();
    let (division, calls) = (guest::division(), guest::calls_once());
    set_mxcsr(OTHER);
    let quotient = script.call(division.code(), &[1.0, 3.0]);
    let tiny = script.call(division.code(), &[5e-324, 1.0]);
    let seen = script.call(calls.code(), &[bits(host.address()), 1.0]);
    let after_values = mxcsr();
    let failed = script.call(calls.code(), &[bits(host.address()), -1.0]);
    let after_error = mxcsr();
    let overflow = script.call(guest::recursion().code(), &[]);
    let after_overflow = mxcsr();
    set_mxcsr(0x1f80);
    assert_eq!(quotient.unwrap().to_bits(), expected);
    assert_eq!(tiny.unwrap().to_bits(), 1);
    assert_eq!(seen.unwrap(), f64::from(OTHER));
    assert_eq!(text(failed), "negative");
    assert!(matches!(overflow, Err(Trap::StackOverflow(_))));
    assert_eq!([after_values, after_error, after_overflow], [OTHER; 3]);
}

#[test]
fn maths_functions_work_outside_of_guarded_calls() {
    for entry in kaleidoscope_native::maths::all().iter().filter(|entry| entry.arity() == 1) {
        let address = entry.guest_address().get();
        // SAFETY: the thunk of a function of one parameter.
        let thunk = unsafe { std::mem::transmute::<usize, extern "C" fn(f64) -> f64>(address) };
        for x in [0.3, -0.0, f64::NAN, 1e300] {
            assert_eq!(thunk(x).to_bits(), entry.call(&[x]).to_bits(), "{}({x})", entry.name());
        }
    }
}

#[test]
fn what_stops_may_be_sent_and_what_calls_may_not() {
    fn check<T: Send + Sync>() {}
    check::<kaleidoscope_native::Interrupter>();
    check::<kaleidoscope_native::InterruptHandle>();
    check::<Limits>();
    check::<StackTrace>();
}

/// Doubles the first of two words and sets the second.
extern "C" fn double_and_set(words: *mut [f64; 2]) {
    // SAFETY: the tests pass two words.
    let words = unsafe { &mut *words };
    *words = [words[0] * 2.0, 7.0];
}

#[test]
fn code_may_take_a_pointer() {
    let double_and_set = code(double_and_set as *const ());
    enter(&Limits::new(), &Script::new(), |scope| {
        let mut words = [21.0, 0.0];
        // SAFETY: the function takes a pointer to two words, which live on.
        unsafe { scope.call_with_pointer(double_and_set, &raw mut words) }.unwrap();
        assert_eq!(words, [42.0, 7.0]);
        // SAFETY: as above; it needs next to no stack.
        unsafe { scope.call_unguarded(double_and_set, &raw mut words) }.unwrap();
        assert_eq!(words, [84.0, 7.0]);
        // Code that takes a pointer may be left like any other: it takes none here, and never ends.
        // SAFETY: the code takes nothing.
        let trap = unsafe { scope.call_with_pointer(guest::recursion().code(), &raw const words) };
        assert!(matches!(trap, Err(Trap::StackOverflow(_))), "{trap:?}");
    })
    .unwrap();
}

/// Whether the smallest double is not taken for zero.
extern "C" fn has_subnormals(words: *mut f64) {
    let smallest = std::hint::black_box(f64::from_bits(1));
    // SAFETY: the test passes one word.
    unsafe { *words = f64::from(u8::from(smallest * 1.0 > 0.0)) };
}

#[test]
fn code_on_the_callers_stack_has_the_usual_mode_of_arithmetic() {
    const FLUSH_TO_ZERO: u32 = 0x8040;
    let set = |mode: u32| {
        // SAFETY: the value is the default with some bits more.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const mode, options(nostack)) };
    };
    let get = || {
        let mut mode = 0_u32;
        // SAFETY: four bytes are written to four bytes.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mode, options(nostack)) };
        mode
    };
    set(0x1f80 | FLUSH_TO_ZERO);
    let mut word = 0.0;
    let result = enter(&Limits::new(), &Script::new(), |scope| {
        // SAFETY: the function takes a pointer to a word, which lives on, and needs next to no stack.
        unsafe { scope.call_unguarded(code(has_subnormals as *const ()), &raw mut word) }
    });
    let after = get();
    set(0x1f80);
    result.unwrap().unwrap();
    assert_eq!(word, 1.0);
    assert_eq!(after & FLUSH_TO_ZERO, FLUSH_TO_ZERO, "the caller's mode is there again");
}

#[test]
fn a_scope_that_was_stopped_calls_nothing_unguarded() {
    enter(&Limits::new(), &Script::new(), |scope| {
        scope.interrupt_handle().interrupt();
        let mut words = [21.0, 0.0];
        // SAFETY: the function takes a pointer to two words, which live on, and needs next to no stack.
        let stopped = unsafe { scope.call_unguarded(code(double_and_set as *const ()), &raw mut words) };
        assert!(matches!(stopped, Err(Trap::Interrupted(_))), "{stopped:?}");
        assert_eq!(words, [21.0, 0.0]);
    })
    .unwrap();
}
