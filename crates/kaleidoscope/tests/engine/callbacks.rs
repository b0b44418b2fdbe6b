//! Callbacks: observers and outputs that call the engine, fail, or panic.

use crate::{check, engine};
use kaleidoscope::{Engine, Event, Mode, Observer, Output};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Calls the engine each time the program writes.
#[derive(Clone, Default)]
struct CallingOutput {
    engine: Arc<OnceLock<Engine>>,
    values: Arc<Mutex<Vec<f64>>>,
}

impl Output for CallingOutput {
    fn write(&self, text: &str) -> io::Result<()> {
        let engine = self.engine.get().unwrap();
        let outcome = engine.run(&format!("def f(x) {} + x; f(100);", text.trim()));
        self.values.lock().unwrap().extend(outcome.values());
        Ok(())
    }
}

#[test]
fn an_output_may_call_the_engine() {
    for mode in Mode::ALL {
        let output = CallingOutput::default();
        let engine = Engine::builder().mode(*mode).output(output.clone()).build().unwrap();
        output.engine.set(engine.clone()).unwrap();
        // `f` is redefined twice while its caller runs, and once while `f` itself is on the stack.
        check(
            &engine,
            "def f(x) x; def g(x) printd(x) + f(1) + printd(x + 1) + f(1); g(5);",
            &[6.0 + 7.0],
            &[],
        );
        assert_eq!(*output.values.lock().unwrap(), [105.0, 106.0]);
        check(&engine, "def f(x) printd(x) + x; f(3); f(4);", &[3.0, 7.0], &[]);
    }
}

/// Redefines `f` when the program writes for the first time.
#[derive(Clone, Default)]
struct RedefiningOutput {
    engine: Arc<OnceLock<Engine>>,
    is_done: Arc<AtomicBool>,
}

impl Output for RedefiningOutput {
    fn write(&self, _: &str) -> io::Result<()> {
        if !self.is_done.swap(true, Ordering::Relaxed) {
            let outcome = self.engine.get().unwrap().run("def f(n) 1000 + n;");
            assert_eq!(outcome.diagnostics().count(), 0);
        }
        Ok(())
    }
}

#[test]
fn a_redefinition_affects_recursive_calls_that_follow() {
    for mode in Mode::ALL {
        let output = RedefiningOutput::default();
        let engine = Engine::builder().mode(*mode).output(output.clone()).build().unwrap();
        output.engine.set(engine.clone()).unwrap();
        // The activation with 5 runs the old `f`. It calls the new `f`, which was defined
        // meanwhile.
        check(&engine, "def f(n) if n < 1 then 0 else printd(n) + f(n - 1) + 1; f(5);", &[1005.0], &[]);
    }
}

struct FailingOutput;

impl Output for FailingOutput {
    fn write(&self, text: &str) -> io::Result<()> {
        if text.starts_with('1') { panic!("one is too much") } else { Err(io::Error::other("no paper")) }
    }
}

#[test]
fn failing_and_panicking_output_ends_the_evaluation() {
    for mode in Mode::ALL {
        let engine = Engine::builder().mode(*mode).output(FailingOutput).build().unwrap();
        let text = "def f(x) printd(x); f(2); f(1); printd(2); printd(1); 3;";
        check(&engine, text, &[3.0], &["KLS3007", "KLS3008", "KLS3007", "KLS3008"]);
        let outcome = engine.run("f(1);");
        assert!(outcome.diagnostics().any(|diagnostic| diagnostic.message.contains("one is too much")));
    }
}

/// Panics at events of this kind.
struct PanickingObserver(fn(&Event) -> bool);

impl Observer for PanickingObserver {
    fn observe(&self, event: &Event) {
        assert!(!(self.0)(event), "seen enough");
    }
}

#[test]
fn a_panicking_observer_is_an_error_of_the_item() {
    let kinds: &[fn(&Event) -> bool] = &[
        |event| matches!(event, Event::FirstCalled { .. }),
        #[cfg(feature = "llvm")]
        |event| matches!(event, Event::IrGenerated { code, .. } if !code.is_expression()),
        |event| matches!(event, Event::Compiled { code, .. } if code.is_expression()),
        |event| matches!(event, Event::Reclaimed { .. }),
        |event| matches!(event, Event::Evaluated { .. }),
    ];
    for &kind in kinds {
        let engine = Engine::builder().mode(Mode::Lazy).observer(PanickingObserver(kind)).build().unwrap();
        let outcome = engine.run("def f(x) x; f(1); 2;");
        let codes: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code.as_str()).collect();
        assert!(!codes.is_empty() && codes.iter().all(|&code| code == "KLS3008"), "{:?}", outcome.items);
        // The engine still works.
        check(&engine, "def g(x) x + 1;", &[], &[]);
    }
}

/// Calls the function whose event it receives.
struct CallingObserver(Arc<OnceLock<Engine>>);

impl Observer for CallingObserver {
    fn observe(&self, event: &Event) {
        if let Event::FirstCalled { code } | Event::Compiled { code, .. } = event
            && &*code.name == "f"
        {
            let outcome = self.0.get().unwrap().run("f(20);");
            assert_eq!(outcome.values().collect::<Vec<_>>(), [21.0]);
        }
    }
}

#[test]
fn an_observer_may_call_the_function_of_the_event() {
    let engine = Arc::new(OnceLock::new());
    let built =
        Engine::builder().mode(Mode::Lazy).observer(CallingObserver(Arc::clone(&engine))).build().unwrap();
    engine.set(built.clone()).unwrap();
    check(&built, "def f(x) x + 1; f(1);", &[2.0], &[]);
}

/// Redefines `f` when its first version is called, and logs which versions are called and compiled.
#[derive(Clone, Default)]
struct RedefiningObserver {
    engine: Arc<OnceLock<Engine>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Observer for RedefiningObserver {
    fn observe(&self, event: &Event) {
        let (what, code) = match event {
            Event::FirstCalled { code } => ("called", code),
            Event::Compiled { code, .. } if !code.is_expression() => ("compiled", code),
            _ => return,
        };
        self.log.lock().unwrap().push(format!("{what} {}@{}", code.name, code.version));
        if code.version == 1 {
            check(self.engine.get().unwrap(), "def f(x) x + 1;", &[], &[]);
        }
    }
}

/// Also when an observer redefines the function in between.
#[test]
fn the_first_call_of_a_version_is_reported_before_its_compilation() {
    for (mode, n_calls) in [(Mode::Lazy, 1), (Mode::Tiered, 2), (Mode::Baseline, 2)] {
        let observer = RedefiningObserver::default();
        let engine = Engine::builder().mode(mode).observer(observer.clone()).build().unwrap();
        observer.engine.set(engine.clone()).unwrap();
        check(&engine, "def f(x) x; f(1);", &[2.0], &[]);
        for _ in 1..n_calls {
            check(&engine, "f(2);", &[3.0], &[]);
        }
        assert_eq!(*observer.log.lock().unwrap(), ["called f@1", "called f@2", "compiled f@2"], "{mode:?}");
    }
}

/// Defines `sqrt` at the first write, and calls `f` at each.
#[derive(Clone, Default)]
struct DefiningOutput {
    engine: Arc<OnceLock<Engine>>,
    values: Arc<Mutex<Vec<f64>>>,
}

impl Output for DefiningOutput {
    fn write(&self, text: &str) -> io::Result<()> {
        let text = if text.trim() == "1" { "def sqrt(x) x * 100; f(0 - 9);" } else { "f(0 - 9);" };
        let outcome = self.engine.get().unwrap().run(text);
        self.values.lock().unwrap().extend(outcome.values());
        Ok(())
    }
}

/// The code of `f` inlined `sqrt` and is on the stack while `sqrt` is redefined. The next call of
/// `f` runs new code of the same version, while the old code still exists.
#[test]
fn a_function_on_the_stack_is_recompiled() {
    for mode in Mode::ALL {
        let output = DefiningOutput::default();
        let engine = Engine::builder().mode(*mode).output(output.clone()).build().unwrap();
        output.engine.set(engine.clone()).unwrap();
        let text = "def f(x) if 0 < x then printd(x) + sqrt(x) + f(x - 1) else sqrt(0 - x);";
        check(&engine, text, &[], &[]);
        check(&engine, "f(1);", &[100.0], &[]);
        assert_eq!(*output.values.lock().unwrap(), [900.0], "{mode:?}");
    }
}

/// Panics when it is dropped, with a payload that does the same.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::panic_any(Self);
        }
    }
}

#[test]
fn a_closure_whose_destructor_panics_is_replaced() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        let register = |engine: &Engine, value: f64| {
            let bomb = Bomb;
            let closure = move |x: f64| {
                let _held = &bomb;
                x + value
            };
            engine.register("h", closure).unwrap();
        };
        register(&engine, 1.0);
        check(&engine, "def f(x) h(x); f(1);", &[2.0], &[]);
        // By another registration, by a `def`, by a removal, and at the engine's end.
        register(&engine, 2.0);
        check(&engine, "f(1); def h(x) x * 10; f(1);", &[3.0, 10.0], &[]);
        register(&engine, 3.0);
        engine.remove("h").unwrap();
        register(&engine, 4.0);
        check(&engine, "f(1);", &[5.0], &[]);
        let bomb = Bomb;
        assert!(engine.register("not a name", move || (&bomb, 0.0).1).is_err());

        // While it runs: the call drops it.
        let (inner, bomb) = (engine.clone(), Bomb);
        let closure = move |x: f64| {
            let _held = &bomb;
            inner.register("replaced", |x: f64| x + 2.0).unwrap();
            x
        };
        engine.register("replaced", closure).unwrap();
        check(&engine, "def g(x) replaced(x); g(1); g(1);", &[1.0, 3.0], &[]);
        register(&engine, 5.0);
        drop(engine);
    }
}

#[test]
fn a_panic_whose_payload_panics_when_it_is_dropped_is_an_error() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        engine.register("boom", |_: f64| -> f64 { std::panic::panic_any(Bomb) }).unwrap();
        check(&engine, "def f(x) boom(x) + 1; f(1); boom(1); 7;", &[7.0], &["KLS3008", "KLS3008"]);
        let error = engine.function::<(f64,)>("f").unwrap().call((1.0,)).unwrap_err();
        assert_eq!(error.to_string(), "`boom` panicked in `f` (text:1): (no message)");
    }
}

#[test]
fn an_observer_whose_payload_panics_when_it_is_dropped_is_an_error() {
    struct Bombs;
    impl Observer for Bombs {
        fn observe(&self, event: &Event) {
            if let Event::Defined { .. } = event {
                std::panic::panic_any(Bomb);
            }
        }
    }
    for mode in Mode::ALL {
        let engine = Engine::builder().mode(*mode).observer(Bombs).build().unwrap();
        check(&engine, "def f(x) x + 1; f(1);", &[2.0], &["KLS3008"]);
    }
}
