//! Deoptimization: a redefinition in the middle of a run affects the very next call of the thread
//! that redefines, also where optimized code runs that has the old definition inside.
//!
//! A [`Case`] is a program that calls the host function `change()`. Each call makes the next change
//! of a list. All modes must give what [`Mode::Off`] gives, where the interpreter asks at each call
//! what the function is.

mod batches;
mod callbacks;
mod loops;
mod maths;
#[cfg(feature = "llvm")]
mod raw_calls;
mod recursion;
mod stopping;
mod threads;

#[cfg(feature = "llvm")]
use crate::memory::{alone, expect_constant_memory};
use kaleidoscope::{
    Engine, Event, Interrupter, Mode, Observer, Optimization, OutputBuffer, Thresholds, Tier,
};
use std::collections::HashSet;
#[cfg(feature = "llvm")]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// Everything that runs twice is hot.
const ZERO: Thresholds = Thresholds { calls: 0, back_edges: 0, delay: Duration::ZERO };

/// What a call of `change()` does.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// Nothing.
    Nothing,
    /// Runs this text in the engine.
    Run(&'static str),
    /// Removes a function.
    Remove(&'static str),
    /// Makes a function one of the host, with this value.
    Register(&'static str, f64),
    /// Returns an error.
    Fail,
    /// Interrupts the call.
    Interrupt,
}

use Change::{Fail, Interrupt, Nothing, Register, Remove, Run};

/// A program that is changed while it runs.
struct Case<'a> {
    /// The definitions at the beginning.
    text: &'a str,
    /// The expression that is run.
    call: &'a str,
    /// The functions to wait for before the changes: their optimized code runs when `change()` is
    /// called.
    hot: &'a [&'a str],
    /// What the calls of `change()` do. All further ones do nothing.
    changes: &'a [Change],
}

impl Case<'_> {
    /// Runs the case in all modes. Returns the value or error code of the run with the changes.
    /// Tiered code, at least, must have been left.
    #[track_caller]
    fn check(&self) -> String {
        self.check_left(&[Mode::Tiered])
    }

    /// As [`check`](Self::check). In these modes code must have been left.
    #[track_caller]
    fn check_left(&self, left: &[Mode]) -> String {
        let expected = self.run(Mode::Off);
        for &mode in Mode::ALL {
            let run = self.run(mode);
            let call = self.call;
            assert_eq!(run.results, expected.results, "{mode:?}: {call}: {run:?}");
            let must_leave = cfg!(feature = "llvm") && left.contains(&mode);
            assert!(!must_leave || !run.left.is_empty(), "{mode:?}: {call}: no code was left");
        }
        let [before, changed, _] = &expected.results;
        assert_ne!(before, changed, "{}: the changes change nothing", self.call);
        changed.clone()
    }

    /// Expects that the run with the changes gives this value.
    #[track_caller]
    fn expect(&self, value: f64) {
        assert_eq!(self.check(), format!("{value:?}"), "{}", self.call);
    }

    fn run(&self, mode: Mode) -> CaseRun {
        let host = Host::new(mode, |builder| builder);
        host.define(self.text);
        let before = host.tier_up(self.call, self.hot);
        *host.changes.lock().unwrap() = self.changes.to_vec();
        let changed = host.result(self.call);
        host.changes.lock().unwrap().clear();
        let after = host.result(self.call);
        CaseRun { results: [before, changed, after], left: host.log.left() }
    }
}

/// What a case gave.
#[derive(Debug)]
struct CaseRun {
    /// The results of the runs before, with and after the changes.
    results: [String; 3],
    /// The functions that were active in each piece of code that was left, outermost first.
    left: Vec<String>,
}

/// An engine with the host function `change()`.
struct Host {
    engine: Engine,
    log: CodeLog,
    changes: Arc<Mutex<Vec<Change>>>,
    /// The number of changes that are complete.
    n_changed: Arc<AtomicUsize>,
}

impl Host {
    fn new(mode: Mode, settings: impl FnOnce(kaleidoscope::Builder) -> kaleidoscope::Builder) -> Self {
        let log = CodeLog::default();
        let builder = Engine::builder().mode(mode).optimization(Optimization::Aggressive).thresholds(ZERO);
        let builder = builder.output(OutputBuffer::default()).stack_bytes(4 << 20).observer(log.clone());
        let engine = settings(builder).build().unwrap();
        let changes: Arc<Mutex<Vec<Change>>> = Arc::default();
        let n_changed: Arc<AtomicUsize> = Arc::default();
        let of_host: Arc<OnceLock<(Engine, Interrupter)>> = Arc::default();
        let change = {
            let (changes, of_host) = (Arc::clone(&changes), Arc::clone(&of_host));
            let n_changed = Arc::clone(&n_changed);
            move || {
                let next = {
                    let mut changes = changes.lock().unwrap();
                    if changes.is_empty() { Nothing } else { changes.remove(0) }
                };
                let (engine, interrupter) = of_host.get().unwrap();
                match next {
                    Nothing => {}
                    Run(text) => define(engine, text),
                    Remove(name) => engine.remove(name).unwrap(),
                    Register(name, value) => engine.register(name, move |_: f64| value).unwrap(),
                    Fail => return Err("as planned"),
                    Interrupt => interrupter.interrupt(),
                }
                if !matches!(next, Nothing) {
                    n_changed.fetch_add(1, Ordering::SeqCst);
                }
                Ok(0.0)
            }
        };
        engine.register("change", change).unwrap();
        assert!(of_host.set((engine.clone(), engine.interrupter())).is_ok());
        Self { engine, log, changes, n_changed }
    }

    /// Runs a text that gives no errors.
    #[track_caller]
    fn define(&self, text: &str) {
        define(&self.engine, text);
    }

    /// Runs an expression until these functions have optimized code, in tiered mode; otherwise
    /// twice. Returns its value.
    #[track_caller]
    fn tier_up(&self, call: &str, hot: &[&str]) -> String {
        // A function with a handle counts its calls.
        let _handles: Vec<_> = hot.iter().map(|name| self.engine.dyn_function(name).unwrap()).collect();
        let value = self.result(call);
        assert_eq!(self.result(call), value, "without changes, nothing changes");
        let began = Instant::now();
        while self.engine.mode() == Mode::Tiered && cfg!(feature = "llvm") && !self.log.has_optimized(hot) {
            assert!(began.elapsed() < crate::PATIENCE, "{call}: {hot:?} not optimized, but {:?}", self.log);
            assert_eq!(self.result(call), value);
            thread::yield_now();
        }
        value
    }

    /// The value of an expression, or the codes of its errors.
    fn result(&self, call: &str) -> String {
        let outcome = self.engine.run(call);
        let values = outcome.values().map(|value| format!("{value:?}"));
        let codes = outcome.diagnostics().map(|diagnostic| diagnostic.code.as_str().to_owned());
        values.chain(codes).collect::<Vec<_>>().join(" ")
    }
}

#[track_caller]
fn define(engine: &Engine, text: &str) {
    let outcome = engine.run(text);
    assert!(outcome.diagnostics().next().is_none(), "{text}: {:?}", outcome.items);
}

/// Observer: which functions have optimized code, and where invalidated code was left.
#[derive(Clone, Debug, Default)]
struct CodeLog(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// The names of functions with valid optimized code; of a loop's OSR code: name and number.
    optimized: HashSet<String>,
    left: Vec<String>,
    /// How many requests for OSR code there were.
    n_hot_loops: usize,
    /// The names of functions that had a kernel.
    kernels: HashSet<String>,
}

impl CodeLog {
    fn has_kernel(&self, name: &str) -> bool {
        self.0.lock().unwrap().kernels.contains(name)
    }

    fn has_kernels(&self) -> bool {
        !self.0.lock().unwrap().kernels.is_empty()
    }

    fn has_optimized(&self, names: &[&str]) -> bool {
        let seen = self.0.lock().unwrap();
        names.iter().all(|&name| seen.optimized.contains(name))
    }

    /// Whether another function than this one has optimized code.
    fn has_optimized_other_than(&self, name: &str) -> bool {
        self.0.lock().unwrap().optimized.iter().any(|optimized| optimized != name)
    }

    /// Whether a loop of this number has OSR code, as `#0`.
    fn has_osr(&self, number: &str) -> bool {
        self.0.lock().unwrap().optimized.iter().any(|name| name.ends_with(number))
    }

    /// The functions that were active in each piece of code that was left.
    fn left(&self) -> Vec<String> {
        self.0.lock().unwrap().left.clone()
    }

    /// As [`left`](Self::left), and forgets them.
    #[cfg(feature = "llvm")]
    fn take_left(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().left)
    }

    #[cfg(feature = "llvm")]
    fn n_hot_loops(&self) -> usize {
        self.0.lock().unwrap().n_hot_loops
    }

    fn n_left(&self) -> usize {
        self.0.lock().unwrap().left.len()
    }
}

impl Observer for CodeLog {
    fn observe(&self, event: &Event) {
        let mut seen = self.0.lock().unwrap();
        let name = |code: &kaleidoscope::CodeName, osr_loop: &Option<usize>| match osr_loop {
            Some(nth) => format!("{}#{nth}", code.name),
            None => code.name.to_string(),
        };
        match event {
            Event::Compiled { code, osr_loop, tier: Tier::Optimized, .. } => {
                seen.optimized.insert(name(code, osr_loop));
            }
            Event::Compiled { code, tier: Tier::Kernel, .. } => {
                seen.kernels.insert(code.name.to_string());
            }
            Event::Hot { osr_loop: Some(_), .. } => seen.n_hot_loops += 1,
            Event::Invalidated { code, osr_loop } => {
                seen.optimized.remove(&name(code, osr_loop));
            }
            Event::Defined { code, .. } => {
                seen.optimized.remove(&*code.name);
            }
            Event::Deoptimized { inside, .. } => {
                let inside: Vec<&str> = inside.iter().map(|name| &**name).collect();
                seen.left.push(inside.join(" "));
            }
            _ => {}
        }
    }
}

#[test]
fn an_inlinee_is_replaced_before_it_is_called() {
    let case = Case {
        text: "def v() 1; def f(x) change() + v() + x;",
        call: "f(10);",
        hot: &["f"],
        changes: &[Run("def v() 2;")],
    };
    case.expect(12.0);
}

#[test]
fn operands_and_variables_survive() {
    let case = Case {
        text: "def binary: 1 (a b) b; def v(x) x; def g(x) change() : v(x);
            def f(x y) var a = x * 2, b = y / 4, c in
                1 + 2 * (a + 3 * ((if x < y then c = g(x) else c = 5) - v(b) * (b = v(7)))) + a * b + c + x - y;",
        call: "f(10, 20) * 1000 + f(20, 10);",
        hot: &["f"],
        changes: &[Run("def v(x) x * 3 + 1;")],
    };
    case.check();
}

#[test]
fn code_is_left_inside_the_third_inlined_function() {
    let case = Case {
        text: "def v() 1;
            def c(x) var k = x + 1 in change() + v() + k;
            def b(x) var k = x * 2 in 10 * c(x + 1) + v() + k;
            def a(x y) var k = x - y in 100 * b(x) + v() + k * y;
            def f(x) var k = x in 1000 + a(x, 3) - v() * k;",
        call: "f(5);",
        hot: &["f"],
        changes: &[Run("def v() 2;")],
    };
    case.check();
    let run = case.run(Mode::Tiered);
    assert!(!cfg!(feature = "llvm") || run.left.contains(&"f a b c".to_owned()), "{:?}", run.left);
}

#[test]
fn an_active_inlinee_is_replaced_itself() {
    let case = Case {
        text: "def v(x) x + change() + x; def f(x) v(x) * 10 + v(x + 1);",
        call: "f(1);",
        hot: &["f"],
        changes: &[Run("def v(x) 100 + x;")],
    };
    case.expect(20.0 + 102.0);
}

#[test]
fn the_running_function_is_replaced_itself() {
    let case = Case {
        text: "def v(x) x; def f(x) change() + v(x) + 1; def g(x) f(x) * 10 + f(x);",
        call: "g(1);",
        hot: &["g"],
        changes: &[Run("def f(x) v(x) + 100;")],
    };
    case.expect(20.0 + 101.0);
}

#[test]
fn an_activation_is_changed_several_times() {
    let case = Case {
        text: "def v() 1; def w() 10;
            def f(x) v() + change() + v() * 2 + w() + change() + v() * 3 + w() + change() * v() + v() * w();",
        call: "f(0);",
        hot: &["f"],
        changes: &[
            Run("def v() 2;"),
            Run("def v() 5; def w() 20;"),
            Run("def w() 30; def v() 7; def v() 8;"),
        ],
    };
    case.check();
}

#[test]
fn a_changed_arity_is_an_error_of_the_next_call() {
    for n_first in 0..3 {
        let mut changes = vec![Nothing; n_first];
        changes.push(Run("def v(x y) x + y;"));
        let case = Case {
            text: "def v(x) x; def g(x) change() + v(x); def f(x) g(x) + g(x) + g(x);",
            call: "f(1);",
            hot: &["f"],
            changes: &changes,
        };
        assert_eq!(case.check(), "KLS3002");
    }
}

#[test]
fn a_removed_function_is_an_error_of_the_next_call() {
    let case = Case {
        text: "def v(x) x; def g(x) change() + v(x); def f(x) g(x) + g(x) + g(x);",
        call: "f(1);",
        hot: &["f"],
        changes: &[Nothing, Remove("v")],
    };
    case.check();
    // Defined again before it is called.
    let case = Case {
        text: "def v(x) x; def g(x) change() + change() + v(x); def f(x) g(x) + g(x);",
        call: "f(1);",
        hot: &["f"],
        changes: &[Remove("v"), Run("def v(x) 7;")],
    };
    case.expect(14.0);
}

#[test]
fn operators_are_replaced() {
    let case = Case {
        text: "def binary% 40 (a b) a * b; def unary!(a) 0 - a;
            def f(x) (x % 2 + change()) * 100 + (x % !3);",
        call: "f(5);",
        hot: &["f"],
        changes: &[Run("def binary% 40 (a b) a - b; def unary!(a) a;")],
    };
    case.expect(1002.0);
}

#[test]
fn a_new_definition_calls_other_functions() {
    let case = Case {
        text: "def v(x) x; def w(x) x * 2; def f(x) v(x) + change() + v(x);",
        call: "f(5);",
        hot: &["f"],
        changes: &[Run("def v(x) w(x) + (for i = 0, i < 10 in w(i)) + printd(x);")],
    };
    case.expect(15.0);
}

#[test]
fn a_function_becomes_one_of_the_host() {
    let case = Case {
        text: "def v(x) x; def f(x) v(x) + change() + v(x) * 10 + change() + v(x) * 100;",
        call: "f(5);",
        hot: &["f"],
        changes: &[Register("v", 2.0), Register("v", 3.0)],
    };
    case.expect(5.0 + 20.0 + 300.0);
}

/// The host function is replaced by a function of the program, while its caller waits for it.
#[test]
fn a_host_function_becomes_one_of_the_program() {
    let case = Case {
        text: "def v(x) x; def f(x) v(x) + change() + v(x) * 10 + change() + v(x) * 100;",
        call: "f(5);",
        hot: &["f"],
        changes: &[Run("def v(x) 2; def change() 7;")],
    };
    case.expect(5.0 + 20.0 + 7.0 + 200.0);
}

/// Each activation runs in optimized code, is left, and waits for the next one in the interpreter.
#[test]
#[cfg(feature = "llvm")]
fn deoptimized_activations_may_be_nested() {
    const DEPTH: usize = 150;
    let host = Host::new(Mode::Tiered, |builder| builder);
    let (log, engine, n_calls) = (host.log.clone(), host.engine.clone(), AtomicUsize::new(0));
    let is_armed = Arc::new(AtomicBool::new(false));
    let armed = Arc::clone(&is_armed);
    let next = move || {
        if armed.load(Ordering::Relaxed) {
            if n_calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                crate::until(|| log.has_optimized(&["f"]), thread::yield_now);
            } else {
                define(&engine, "def v(x) x + 1;");
            }
        }
        0.0
    };
    host.engine.register("next", next).unwrap();
    // Too large to be inlined into itself.
    let zero = " + 0".repeat(200);
    host.define(&format!("def v(x) x + 1; def f(n) next() + v(n) + (if n < 1 then 0 else f(n - 1)){zero};"));
    host.tier_up("f(0);", &["f"]);
    is_armed.store(true, Ordering::Relaxed);
    let sum = (1..=DEPTH + 1).sum::<usize>() as f64;
    let f = host.engine.function::<(f64,)>("f").unwrap();
    assert_eq!(f.call((DEPTH as f64,)).unwrap(), sum);
    // Each one that redefines `v`. Those that wait have nothing of it left to run.
    assert_eq!(host.log.n_left(), DEPTH / 2);
}

/// Exits, flags and code are freed.
#[test]
#[cfg(feature = "llvm")]
fn deoptimizations_use_constant_memory() {
    alone("deoptimization::deoptimizations_use_constant_memory", || {
        let host = Host::new(Mode::Tiered, |builder| builder.optimization(Optimization::None));
        host.define("def v(x) x; def f(n) var s = 0 in (for i = 0, i < n in s = s + v(i) + change()) + s;");
        let f = host.engine.function::<(f64,)>("f").unwrap();
        let value = f.call((10.0,)).unwrap();
        expect_constant_memory(60, |_| {
            let call = || assert_eq!(f.call((10.0,)).unwrap(), value);
            crate::until(|| host.log.has_optimized(&["f"]), call);
            host.changes.lock().unwrap().extend([Nothing, Run("def v(x) x;")]);
            call();
            assert!(!host.log.take_left().is_empty());
        });
    });
}
