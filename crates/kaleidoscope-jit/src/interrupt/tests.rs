//! Interpreted evaluations whose host functions run inside each other, or alternate.

use super::{CallLimits, Interrupter, Watch, is_in_evaluation, is_stop_pending};

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
