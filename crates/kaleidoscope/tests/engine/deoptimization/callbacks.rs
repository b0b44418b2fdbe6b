//! Redefinitions by callbacks of the program that runs: output sinks, observers, host functions
//! that call the engine again, scopes and formulas.

use super::{Case, Host, Run, define};
use kaleidoscope::{Engine, Event, Mode, Observer, Output};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Runs each number that the program writes as a new definition of `v`, once it is armed.
#[derive(Clone, Default)]
struct RedefiningOutput {
    engine: Arc<OnceLock<Engine>>,
    is_armed: Arc<AtomicBool>,
}

impl Output for RedefiningOutput {
    fn write(&self, text: &str) -> io::Result<()> {
        if self.is_armed.load(Ordering::Relaxed) {
            define(self.engine.get().unwrap(), &format!("def v() {};", text.trim()));
        }
        Ok(())
    }
}

#[test]
fn an_output_redefines_what_the_program_calls() {
    for &mode in Mode::ALL {
        let output = RedefiningOutput::default();
        let host = Host::new(mode, |builder| builder.output(output.clone()));
        assert!(output.engine.set(host.engine.clone()).is_ok());
        host.define("def v() 0; def f(n) var s = 0 in (for i = 1, i < n in s = s + v() + printd(i)) + s;");
        host.tier_up("f(10);", &["f"]);
        output.is_armed.store(true, Ordering::Relaxed);
        assert_eq!(host.result("f(10);"), "45.0", "{mode:?}");
        assert!(mode != Mode::Tiered || !cfg!(feature = "llvm") || host.log.n_left() > 0);
    }
}

/// Redefines `v` at each first call of `trigger`, and at each deoptimization.
#[derive(Clone, Default)]
struct RedefiningObserver {
    engine: Arc<OnceLock<Engine>>,
    n_left: Arc<Mutex<usize>>,
}

impl Observer for RedefiningObserver {
    fn observe(&self, event: &Event) {
        let Some(engine) = self.engine.get() else { return };
        match event {
            Event::FirstCalled { code } if &*code.name == "trigger" => define(engine, "def v() 2;"),
            Event::Deoptimized { .. } => {
                *self.n_left.lock().unwrap() += 1;
                define(engine, "def v() 3;");
            }
            _ => {}
        }
    }
}

/// The observer of a deoptimization redefines once more what the deoptimized code calls next.
#[test]
fn an_observer_redefines_what_the_program_calls() {
    // Too large to be inlined.
    let trigger = format!("def trigger() 0{};", " + 0".repeat(200));
    // In eager mode, nothing is reported at a first call.
    for mode in [Mode::Off, Mode::Baseline, Mode::Lazy, Mode::Tiered] {
        let observer = RedefiningObserver::default();
        let host = Host::new(mode, |builder| builder.observer(observer.clone()));
        host.define(&trigger);
        host.define("def v() 1; def f(x) v() + (if x < 1 then trigger() else 0) + v() * 10;");
        host.tier_up("f(5);", &["f"]);
        assert!(observer.engine.set(host.engine.clone()).is_ok());
        let left = mode == Mode::Tiered && cfg!(feature = "llvm");
        let expected = if left { "31.0" } else { "21.0" };
        assert_eq!(host.result("f(0);"), expected, "{mode:?}");
        assert_eq!(*observer.n_left.lock().unwrap(), usize::from(left), "{mode:?}");
    }
}

/// Panics at each deoptimization.
struct PanickingObserver;

impl Observer for PanickingObserver {
    fn observe(&self, event: &Event) {
        assert!(!matches!(event, Event::Deoptimized { .. }), "seen enough");
    }
}

#[test]
fn a_panicking_observer_of_a_deoptimization_is_an_error() {
    for &mode in Mode::ALL {
        let host = Host::new(mode, |builder| builder.observer(PanickingObserver));
        host.define("def v() 1; def f(n) change() + v() + (if n < 1 then 0 else f(n - 1));");
        host.tier_up("f(3);", &["f"]);
        host.changes.lock().unwrap().push(Run("def v() 2;"));
        let is_tiered = mode == Mode::Tiered && cfg!(feature = "llvm");
        assert_eq!(host.result("f(3);"), if is_tiered { "KLS3008" } else { "8.0" }, "{mode:?}");
        assert_eq!(host.result("f(3);"), "8.0", "{mode:?}");
    }
}

/// A host function that evaluates in the engine while deoptimized code waits for it.
#[test]
fn a_host_function_calls_the_engine_in_deoptimized_code() {
    for &mode in Mode::ALL {
        let host = Host::new(mode, |builder| builder);
        let engine = host.engine.clone();
        let nested = move |n: f64| engine.run(&format!("f({n});")).values().next().unwrap_or(f64::NAN);
        host.engine.register("nested", nested).unwrap();
        host.define(
            "def v(x) x; def f(n) if n < 1 then change() + v(5) else 10 * nested(n - 1) + v(n) + change() + v(1);",
        );
        let f = |n: u32| {
            let at = |v: fn(f64) -> f64| (1..=n).fold(v(5.0), |sum, n| 10.0 * sum + v(f64::from(n)) + v(1.0));
            (format!("{:?}", at(|x| x)), format!("{:?}", at(|x| x * 2.0)))
        };
        for n in [0, 1, 3] {
            let (before, after) = f(n);
            host.define("def v(x) x;");
            assert_eq!(host.tier_up(&format!("f({n});"), &["f"]), before, "{mode:?}");
            host.changes.lock().unwrap().push(Run("def v(x) x * 2;"));
            let n_before = host.log.n_left();
            assert_eq!(host.result(&format!("f({n});")), after, "{mode:?}");
            let n_left = host.log.n_left() - n_before;
            let is_tiered = mode == Mode::Tiered && cfg!(feature = "llvm");
            assert!(!is_tiered || n_left > n as usize, "{n_left} activations of {n} were left");
        }
    }
}

#[test]
fn typed_functions_scopes_and_formulas_are_changed() {
    for &mode in Mode::ALL {
        let host = Host::new(mode, |builder| builder);
        host.define("def v(x) x; def f(x) v(x) + change() + 10 * v(x);");
        let f = host.engine.function::<(f64,)>("f").unwrap();
        let formula = host.engine.formula("v(x) + change() + 10 * v(x)", &["x"]).unwrap();
        let in_scope = |x| host.engine.enter(|scope| Ok(scope.call(&f, (x,))? + scope.call(&f, (x,))?));
        let is_tiered = mode == Mode::Tiered && cfg!(feature = "llvm");
        let formula_name = formula.function().name();
        let tier_up = |name: &str, call: &dyn Fn()| {
            host.define("def v(x) x;");
            (0..3).for_each(|_| call());
            if is_tiered {
                crate::until(|| host.log.has_optimized(&[name]), call);
            }
            host.changes.lock().unwrap().push(Run("def v(x) 2 * x;"));
        };
        tier_up("f", &|| assert_eq!(f.call((1.0,)).unwrap(), 11.0));
        assert_eq!(f.call((1.0,)).unwrap(), 21.0, "{mode:?}");
        assert_eq!(host.log.n_left(), usize::from(is_tiered));
        tier_up("f", &|| assert_eq!(in_scope(1.0).unwrap(), 22.0));
        assert_eq!(in_scope(1.0).unwrap(), 21.0 + 22.0, "{mode:?}");
        assert_eq!(host.log.n_left(), 2 * usize::from(is_tiered));
        tier_up(&formula_name, &|| assert_eq!(formula.call(&[1.0]).unwrap(), 11.0));
        assert_eq!(formula.call(&[1.0]).unwrap(), 21.0, "{mode:?}");
        assert_eq!(host.log.n_left(), 3 * usize::from(is_tiered));
    }
}

/// A program whose output and host functions change what it calls, in turn.
#[test]
fn a_change_inside_a_change_is_seen() {
    let case = Case {
        text: "def v() 1; def w() 10; def g() change() + v(); def f(x) v() + change() + v() * 100 + w();",
        call: "f(0);",
        hot: &["f"],
        changes: &[Run("def v() change() + 2; g();"), Run("def w() 20; def v() 3;")],
    };
    case.expect(1.0 + 300.0 + 20.0);
}
