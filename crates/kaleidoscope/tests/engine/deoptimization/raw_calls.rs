//! Redefinitions of what raw calls reach.

use super::Host;
use kaleidoscope::Mode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Inside a scope, what raw calls reach may be redefined: the interpreter completes them.
#[test]
#[expect(unsafe_code, reason = "raw calls are unsafe")]
fn raw_calls_inside_a_scope_are_changed() {
    let host = Host::new(Mode::Tiered, |builder| builder);
    host.define(
        "def last(x) x; def v(x) x;
        def f(n) var s = 0 in (for i = 0, v(i * 0) < 1 in s = n) + 10 * s + last(n) + 100 * v(n);",
    );
    let f = host.engine.function::<(f64,)>("f").unwrap();
    // Ends after one iteration each.
    host.define("def v(x) 1;");
    host.tier_up("f(2);", &["f"]);
    host.define("def v(x) x;");
    let endless = f.within(Duration::from_millis(50));
    crate::until(|| host.log.has_optimized(&["f"]), || drop(endless.call((2.0,)).unwrap_err()));
    f.prepare().unwrap();
    let is_inside = AtomicBool::new(false);
    let value = thread::scope(|scope| {
        scope.spawn(|| {
            crate::until(|| is_inside.load(Ordering::Relaxed), thread::yield_now);
            // The call is likely to run by then, and gives the same if it is not.
            thread::park_timeout(Duration::from_millis(50));
            // In the interpreter `last` takes long enough for an interrupt, which concerns no raw
            // call.
            host.define("def last(x) (for i = 0, i < 100000 in 0) + x * 2; def v(x) x + 3;");
            host.engine.interrupter().interrupt();
        });
        let raw = |_: &kaleidoscope::Scope<'_>| {
            is_inside.store(true, Ordering::Relaxed);
            // SAFETY: the call is inside a scope of the engine, and all that it calls has code or
            // runs in the interpreter.
            Ok(unsafe { f.call_raw((2.0,)) })
        };
        host.engine.enter(raw).unwrap()
    });
    assert_eq!(value, 10.0 * 2.0 + 4.0 + 100.0 * 5.0);
}
