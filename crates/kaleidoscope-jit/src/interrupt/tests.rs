//! Interpreted evaluations whose host functions run inside each other, or alternate.

use super::{CallLimits, Interrupter, Watch, is_in_evaluation, is_stop_pending};
use crate::{HostFunction, Jit, Mode, Trap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[test]
fn an_evaluation_that_waits_for_the_host_limits_it_until_the_host_returns() {
    let (first, second) = (Interrupter::new(), Interrupter::new());
    let limits = CallLimits::new();
    // The first to wait is the first to go on: the hosts are coroutines.
    let guard = Watch::begin(&first, limits).begin_around();
    let inner = Watch::begin(&second, limits);
    let inner_guard = inner.begin_around();
    first.interrupt();
    assert!(is_stop_pending());
    drop(guard);
    assert!(!is_stop_pending());
    second.interrupt();
    assert!(is_stop_pending());
    drop(inner_guard);
    assert!(!is_stop_pending() && !is_in_evaluation());
}

/// An interrupt reaches what a host function evaluates a moment before it reaches the call that the
/// host function returns to.
#[test]
fn an_interrupt_that_made_a_host_function_fail_is_reported() {
    for &mode in Mode::ALL {
        let jit = Jit::builder().mode(mode).build().unwrap();
        let interrupter = jit.interrupter();
        let host = jit.declare(0).unwrap();
        let interrupted = move |_: &[f64]| {
            // The first half of `Interrupter::interrupt`.
            interrupter.n_interrupts.fetch_add(1, Ordering::SeqCst);
            Err("interrupted inside".into())
        };
        jit.define_host(host, HostFunction::new("host", interrupted)).unwrap();
        let caller = jit.declare(0).unwrap();
        jit.define(caller, Arc::new("function caller()\ncall #0/0".parse().unwrap())).unwrap();
        for _ in 0..3 {
            let called = jit.call(jit.callable(caller), &[], CallLimits::new());
            assert!(matches!(called, Err(Trap::Interrupted { .. })), "{mode:?}: {called:?}");
            let entered = jit.enter(CallLimits::new(), |scope| scope.call(jit.callable(caller), &[]));
            let entered = entered.and_then(|called| called);
            assert!(matches!(entered, Err(Trap::Interrupted { .. })), "{mode:?}: {entered:?}");
        }
    }
}
