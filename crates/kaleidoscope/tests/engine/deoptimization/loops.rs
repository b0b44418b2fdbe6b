//! Redefinitions inside loops: the running iteration goes on, with the new definition from the next
//! call on.

use super::{Case, Change, Host, Nothing, Run};
use kaleidoscope::Mode;
#[cfg(feature = "llvm")]
use kaleidoscope::Thresholds;
#[cfg(feature = "llvm")]
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(feature = "llvm")]
use std::time::{Duration, Instant};

/// Changes `v` at the third and at the fifth call.
const TWICE: &[Change] = &[Nothing, Nothing, Run("def v(x) x * 10;"), Nothing, Run("def v(x) x * 100 + 1;")];

/// A loop in a function that is entered by its slot.
#[track_caller]
fn check_loop(body: &str) {
    let text = format!(
        "def binary: 1 (a b) b; def v(x) x; def g(x) 1 + 2 * v(x);
        def f(n) var s = 0, t = 1, u = 2 in {body} : s * 7 + t * 5 + u;"
    );
    Case { text: &text, call: "f(12);", hot: &["f"], changes: TWICE }.check();
}

#[test]
fn the_loop_variable_may_be_used_or_not() {
    check_loop("(for i = 0, i < n in s = s + v(i) + change())");
    check_loop("(for i = 0, i < n in s = s + change() + v(i))");
    check_loop("(for i = 0, i < n in s = v(s + 1) + change())");
    check_loop("(for i = n, 0 < i, 0 - 1 in s = s + change() + v(i))");
    check_loop("(for i = 0, v(i) + change() < v(n) * 10 in s = s + i)");
    check_loop("(for i = 0, i < n, v(1) + change() * 0 in s = s + i)");
    check_loop("(for i = 0, i < n, 1.5 in (i = i + 0.25) : s = s + change() + v(i))");
}

#[test]
fn variables_may_be_assigned_in_branches() {
    check_loop("(for i = 0, i < n in if i < 4 then (s = s + v(i)) else (t = t + change() + v(i)))");
    check_loop(
        "(for i = 0, i < n in if s < 10 then (s = s + v(i) + change()) else (u = v(t) + change()) + s)",
    );
    check_loop(
        "(for i = 0, i < n in (if i < 2 then t = i else if i < 9 then u = i + change() else s = i) : t = t + v(s + i))",
    );
}

#[test]
fn operands_may_be_on_the_stack() {
    check_loop("(s = 1 + 2 * g(3) + (for i = 0, i < n in t = t + 1 + 2 * g(i + change())) + g(t))");
    check_loop("(for i = 0, i < n in s = 1 + i * (2 + g(v(i) - change()) * (3 - g(i)) / 7))");
}

#[test]
fn loops_may_be_nested() {
    check_loop("(for i = 0, i < 3 in (t = t + v(i)) : for j = 0, j < n in s = s + i + change() + v(j))");
    check_loop("(for i = 0, i < n in (for j = 0, j < 30 in t = t + v(j)) : s = s + v(t) + change())");
    check_loop("(for i = 0, i < n in change() : (for j = 0, j < 30 in t = t + v(j)) : s = s + t)");
    check_loop(
        "(for i = 0, i < 2 in for j = 0, j < 2 in for k = 0, k < 3 in s = v(s) + k + change() : u = u + v(j))",
    );
}

#[test]
fn loops_may_be_in_inlined_functions() {
    let case = Case {
        text: "def binary: 1 (a b) b; def v(x) x;
            def inner(n) var s = 1 in (for i = 0, i < n in s = s + v(i) + change()) : s;
            def f(n) var a = v(n) in 10 * inner(n) + v(a) * inner(3) + a;",
        call: "f(6);",
        hot: &["f"],
        changes: TWICE,
    };
    case.check();
}

/// A counted loop that calls nothing checks at strips: here its definition changes before it.
#[test]
fn a_loop_without_calls_begins_behind_the_change() {
    let case = Case {
        text: "def binary: 1 (a b) b; def v(x) x;
            def f(n) var s = 0 in change() : (for i = 0, i < n in s = s + v(i)) : s;",
        call: "f(1000);",
        hot: &["f"],
        changes: &[Run("def v(x) 1;")],
    };
    case.expect(1001.0);
}

/// A loop that calls `more(k)` and is changed while it runs in OSR code.
pub(super) struct LoopCase {
    pub(super) definitions: &'static str,
    /// The number of the loop in its function or expression.
    pub(super) osr_loop: usize,
    /// What changes, one after the other.
    pub(super) changes: &'static [&'static str],
    /// The expression with the loop, or a call of its function.
    pub(super) call: &'static str,
}

/// The number of back edges after which a loop has certainly entered its OSR code.
const BACK_EDGES_TO_ENTER: usize = 3_000;

impl LoopCase {
    /// Runs the loop. `more(k)` returns true until the loop runs in OSR code, then makes a change.
    /// After the last change it returns true `k` times more. Returns the value, and how often code
    /// was left.
    fn run(&self, mode: Mode) -> (String, usize) {
        let host = Host::new(mode, |builder| builder);
        let (log, engine, changes) = (host.log.clone(), host.engine.clone(), self.changes);
        let osr_loop = format!("#{}", self.osr_loop);
        let has_osr = mode == Mode::Tiered && cfg!(feature = "llvm");
        let (n_changed, n_before, n_after) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let more = move |n_more: f64| {
            let nth = n_changed.load(Ordering::Relaxed);
            if nth == changes.len() {
                return f64::from(n_after.fetch_add(1, Ordering::Relaxed) < n_more as usize);
            }
            let is_ready = !has_osr || log.has_osr(&osr_loop);
            if is_ready && n_before.fetch_add(1, Ordering::Relaxed) >= BACK_EDGES_TO_ENTER {
                super::define(&engine, changes[nth]);
                n_changed.store(nth + 1, Ordering::Relaxed);
                n_before.store(0, Ordering::Relaxed);
            }
            1.0
        };
        host.engine.register("more", more).unwrap();
        host.define(self.definitions);
        let outcome = host.engine.within(crate::PATIENCE).run(self.call);
        let values: Vec<_> = outcome.values().collect();
        assert_eq!(values.len(), 1, "{mode:?}: {:?}: {:?}", outcome.items, host.log);
        (format!("{values:?}"), host.log.n_left())
    }

    /// The last definition is reached in the same activation, whatever was optimized in between.
    #[track_caller]
    pub(super) fn check(&self) {
        let (expected, _) = self.run(Mode::Off);
        for &mode in Mode::ALL {
            let (value, n_left) = self.run(mode);
            assert_eq!(value, expected, "{mode:?}: {}", self.call);
            let n_expected =
                if mode == Mode::Tiered && cfg!(feature = "llvm") { self.changes.len() } else { 0 };
            assert!(n_left >= n_expected, "{}: code was left {n_left} times", self.call);
        }
    }
}

#[test]
fn osr_code_of_an_expression_is_left() {
    for call in [
        "var s = 0 in (for i = 0, more(1000) in s = s + v()) + s;",
        "1 + 2 * (var s = 0 in (for i = 0, more(10) in s = s + v()) + s);",
    ] {
        LoopCase { definitions: "def v() 0;", osr_loop: 0, changes: &["def v() 2;"], call }.check();
    }
}

/// The first change deoptimizes the loop, and each further one the OSR code that took over again.
#[test]
fn a_loop_is_left_again_after_it_was_optimized_again() {
    let changes = &["def v() 0 * 1;", "def v() 0 * 2;", "def v() 3;"];
    let definitions = "def v() 0; def f(n) var s = n in (for i = 0, more(n) in s = s + v()) + s;";
    for call in ["f(100) + 1;", "var s = 0 in (for i = 0, more(50) in s = s + v()) + s;"] {
        LoopCase { definitions, osr_loop: 0, changes, call }.check();
    }
}

#[test]
fn osr_code_of_nested_loops_is_left() {
    let definitions = "def binary: 1 (a b) b; def v() 0;
        def inner(n) var s = n in
            (for i = 0, i < 1 in for j = 0, more(n) in s = s + v() : (for k = 0, k < 4 in s = s + v())) : s;
        def outer(n) var s = n in (for i = 0, more(n) in (for k = 0, k < 40 in s = s + v()) : s = s + v()) : s;";
    let changes = &["def v() 1 - 1;", "def v() 1;"];
    LoopCase { definitions, osr_loop: 1, changes: &["def v() 1;"], call: "inner(100) + 1;" }.check();
    LoopCase { definitions, osr_loop: 1, changes, call: "inner(100) + 1;" }.check();
    LoopCase { definitions, osr_loop: 0, changes: &["def v() 1;"], call: "outer(100) + 1;" }.check();
    LoopCase { definitions, osr_loop: 0, changes, call: "outer(100) + 1;" }.check();
}

/// The iterations of a loop, two milliseconds each, from the redefinition that made it leave its
/// code to the next request for OSR code. The loop was in OSR code, or in code of the whole
/// function.
#[cfg(feature = "llvm")]
fn iterations_until_hot_again(was_osr_code: bool) -> usize {
    const MOST: usize = 100;
    let thresholds = Thresholds { calls: 5, back_edges: 20_000, delay: Duration::ZERO };
    let host = Host::new(Mode::Tiered, |builder| builder.thresholds(thresholds));
    let (log, engine) = (host.log.clone(), host.engine.clone());
    let n_iterations = Arc::new(AtomicUsize::new(0));
    let more = {
        let (n_before, n_hot) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let n_iterations = Arc::clone(&n_iterations);
        move |n: f64| {
            if n == 0.0 {
                return 0.0;
            }
            let n_hot_before = n_hot.load(Ordering::Relaxed);
            if n_hot_before == usize::MAX {
                let is_ready = log.has_optimized(&[if was_osr_code { "f#0" } else { "f" }]);
                if is_ready && n_before.fetch_add(1, Ordering::Relaxed) >= BACK_EDGES_TO_ENTER {
                    super::define(&engine, "def v(x) x + 1;");
                    n_hot.store(log.n_hot_loops(), Ordering::Relaxed);
                }
                return 1.0;
            }
            if log.n_hot_loops() > n_hot_before {
                return 0.0;
            }
            // However fast the machine is, an iteration takes at least this long.
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(2) {
                std::hint::spin_loop();
            }
            f64::from(n_iterations.fetch_add(1, Ordering::Relaxed) < MOST)
        }
    };
    host.engine.register("more", more).unwrap();
    host.define("def v(x) x; def f(n) var s in (for i = 0, more(n) in s = s + v(i)) + s;");
    if !was_osr_code {
        host.tier_up("f(0);", &["f"]);
    }
    assert_eq!(host.engine.within(crate::PATIENCE).run("f(1);").values().count(), 1);
    assert!(host.log.n_left() > 0, "the loop left its code");
    n_iterations.load(Ordering::Relaxed)
}

/// A loop need not run a thousand more iterations if each takes long.
#[test]
#[cfg(feature = "llvm")]
fn a_loop_of_long_iterations_is_soon_optimized_again() {
    for was_osr_code in [true, false] {
        let n_iterations = iterations_until_hot_again(was_osr_code);
        assert!(n_iterations <= 4, "{n_iterations} iterations, {was_osr_code}");
    }
}
