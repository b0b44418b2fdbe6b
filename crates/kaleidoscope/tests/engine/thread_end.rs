//! The end of a thread: an engine that is used in the destructor of a thread-local value works, or
//! returns an error.

use crate::engine;
use kaleidoscope::{DiagnosticCode, Engine, Function, Mode};
use std::cell::RefCell;
use std::thread;
use std::time::Duration;

/// Uses its engine when its thread ends.
struct Late(RefCell<Option<(Engine, Function<(f64,)>)>>);

/// The values, or why there are none.
#[track_caller]
fn expect<T: PartialEq + std::fmt::Debug>(result: Result<T, DiagnosticCode>, value: &T) {
    match result {
        Ok(found) => assert_eq!(found, *value),
        Err(code) => assert_eq!(code, DiagnosticCode::CannotEvaluate),
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        let Some((engine, fib)) = self.0.borrow_mut().take() else { return };
        let mode = engine.mode();
        expect(fib.call((7.0,)).map_err(|error| error.code()), &13.0);
        expect(fib.within(Duration::from_secs(60)).call((7.0,)).map_err(|error| error.code()), &13.0);
        let scope = engine.enter(|scope| scope.call(&fib, (8.0,)));
        expect(scope.map_err(|error| error.code()), &21.0);
        let name = format!("late{:?}", thread::current().id()).replace(['(', ')'], "");
        let outcome = engine.run(&format!("def {name}(x) for i = 0, i < 9 in x; {name}(2); 1 + 1;"));
        let refused: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code).collect();
        assert!(refused.iter().all(|code| *code == DiagnosticCode::CannotEvaluate), "{mode:?}: {outcome:?}");
        assert_eq!(outcome.values().count() + refused.len(), 2, "{mode:?}: {outcome:?}");
        let formula = engine.formula("x + 1", &["x"]).unwrap();
        expect(formula.call(&[1.0]).map_err(|error| error.code()), &2.0);
        let mut out = [0.0; 3];
        let mapped = formula.map(&[&[1.0, 2.0, 3.0]], &mut out).map(|()| out);
        expect(mapped.map_err(|error| error.code()), &[2.0, 3.0, 4.0]);
        let columns = vec![1.0; 100_000];
        let mut out = columns.clone();
        let mapped = formula.map(&[&columns], &mut out).map(|()| out[99_999]);
        expect(mapped.map_err(|error| error.code()), &2.0);
        engine.register("registered", |x: f64| x).unwrap();
    }
}

thread_local! {
    static EARLIER: Late = const { Late(RefCell::new(None)) };
    static LATER: Late = const { Late(RefCell::new(None)) };
}

#[test]
fn an_engine_may_be_used_while_its_thread_ends() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        engine.run("def fib(n) if n < 3 then 1 else fib(n - 1) + fib(n - 2);").ok().unwrap();
        let late = || Some((engine.clone(), engine.function("fib").unwrap()));
        for uses_before in [false, true] {
            for (earlier, later) in [(late(), None), (None, late()), (late(), late())] {
                let engine = engine.clone();
                let body = move || {
                    EARLIER.with(|value| value.0.replace(earlier));
                    if uses_before {
                        let outcome = engine.run("fib(7); for i = 0, i < 9 in i;");
                        assert!(outcome.values().eq([13.0, 0.0]), "{outcome:?}");
                    }
                    LATER.with(|value| value.0.replace(later));
                };
                thread::spawn(body).join().unwrap();
            }
        }
        let outcome = engine.run("fib(9); registered(1);");
        assert!(outcome.values().eq([34.0, 1.0]), "{outcome:?}");
    }
}
