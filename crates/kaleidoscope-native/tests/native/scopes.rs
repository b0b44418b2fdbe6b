//! Scopes of guarded calls: each call ends by itself, and no way out of a call harms later calls.

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
            assert!(matches!(
                call_in(scope, guest::endless_recursion().code(), &[]),
                Err(Trap::StackOverflow(_))
            ));
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
fn a_host_function_can_capture_a_stack_trace() {
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, _| Err(Trap::error(StackTrace::capture())));
    let (outer, inner) = (guest::calls_once(), guest::calls_once());
    // `outer` calls `inner` with the arguments that are still in registers: its second one.
    let trace = |code: CodeAddress, args: &[f64]| match script.call(code, args) {
        Err(Trap::Error(error)) => *error.downcast::<StackTrace>().unwrap(),
        other => panic!("{other:?} is not an error"),
    };
    inner.is_all_of(&trace(inner.code(), &[bits(host.address()), 1.0]), 1);
    let both = trace(outer.code(), &[inner.bits(), bits(host.address())]);
    assert_eq!(both.addresses().len(), 2);
    assert_eq!(trace(host.address(), &[1.0]), StackTrace::default());
    assert_eq!(StackTrace::capture(), StackTrace::default());
}

#[test]
fn maths_thunks_work_without_a_guarded_call() {
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
fn handles_and_limits_are_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<kaleidoscope_native::Interrupter>();
    check::<kaleidoscope_native::InterruptHandle>();
    check::<Limits>();
    check::<StackTrace>();
}

/// Doubles the first of two words and sets the second. Returns the sum.
extern "C" fn double_and_set(words: *mut [f64; 2]) -> f64 {
    // SAFETY: the tests pass two words.
    let words = unsafe { &mut *words };
    *words = [words[0] * 2.0, 7.0];
    words[0] + words[1]
}

#[test]
fn code_may_take_a_pointer() {
    let double_and_set = code(double_and_set as *const ());
    enter(&Limits::new(), &Script::new(), |scope| {
        let mut words = [21.0, 0.0];
        // SAFETY: the function takes a pointer to two words, which outlive the call.
        let sum = unsafe { scope.call_with_pointer(double_and_set, &raw mut words) }.unwrap();
        assert_eq!((words, sum), ([42.0, 7.0], 49.0));
        // SAFETY: as above; the function needs next to no stack.
        unsafe { scope.call_unguarded(double_and_set, &raw mut words) }.unwrap();
        assert_eq!(words, [84.0, 7.0]);
        // Code that is called with a pointer can be exited early, too.
        // SAFETY: the code uses no argument.
        let trap = unsafe { scope.call_with_pointer(guest::endless_recursion().code(), &raw const words) };
        assert!(matches!(trap, Err(Trap::StackOverflow(_))), "{trap:?}");
    })
    .unwrap();
}

#[test]
fn an_interrupted_scope_makes_no_unguarded_calls() {
    enter(&Limits::new(), &Script::new(), |scope| {
        scope.interrupt_handle().interrupt();
        let mut words = [21.0, 0.0];
        // SAFETY: the function takes a pointer to two words, which outlive the call, and needs
        // next to no stack.
        let outcome = unsafe { scope.call_unguarded(code(double_and_set as *const ()), &raw mut words) };
        assert!(matches!(outcome, Err(Trap::Interrupted(_))), "{outcome:?}");
        assert_eq!(words, [21.0, 0.0]);
        let outcome = scope.run_unguarded(|| unreachable!("the scope is interrupted"));
        assert!(matches!(outcome, Err(Trap::Interrupted(_))), "{outcome:?}");
    })
    .unwrap();
}

#[test]
fn a_scope_runs_rust_code_in_place_of_a_call() {
    enter(&Limits::new(), &Script::new(), |scope| assert_eq!(scope.run_unguarded(|| 42).unwrap(), 42))
        .unwrap();
}

/// Halves each number.
struct Halve<'a>(&'a mut [f64]);

impl kaleidoscope_native::VectorLoop for Halve<'_> {
    #[inline(always)]
    fn run(self) {
        for number in self.0 {
            *number *= 0.5;
        }
    }
}

#[test]
fn a_vector_loop_runs_once() {
    for n in 0..20 {
        let mut numbers: Vec<f64> = (0..n).map(f64::from).collect();
        kaleidoscope_native::run_vector_loop(Halve(&mut numbers));
        assert!(numbers.iter().zip(0..n).all(|(half, number)| *half == f64::from(number) / 2.0));
    }
}
