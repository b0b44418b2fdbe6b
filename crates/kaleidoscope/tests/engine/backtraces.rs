//! Backtraces: where calls end, with the lines of the functions.

use kaleidoscope::{Array, CallError, DiagnosticCode, Engine, Mode};

const TEXT: &str = "# Functions on lines of their own.
def inner(x)
  if x < 1 then fails() else if x < 2 then missing(x) else if x < 3 then panics()
  else if x < 4 then cells(x) else interrupts();
def middle(x) inner(x) + 1;

def outer(x)
  middle(x) * 2;
def deep(x) deep(x) + 1;";

fn shown(error: &CallError) -> Vec<String> {
    error.backtrace().iter().map(ToString::to_string).collect()
}

fn prepared(mode: Mode) -> Engine {
    let engine = Engine::builder().mode(mode).stack_bytes(1 << 20).build().unwrap();
    engine.register("fails", || Err::<f64, _>("no luck")).unwrap();
    engine.register("panics", || -> f64 { panic!("no luck") }).unwrap();
    let interrupter = engine.interrupter();
    let interrupts = move || {
        interrupter.interrupt();
        0.0
    };
    engine.register("interrupts", interrupts).unwrap();
    engine.bind_array("cells", &Array::new(1)).unwrap();
    engine.run_named("rates.kal", TEXT).ok().unwrap();
    engine
}

#[test]
fn calls_say_in_which_functions_they_end() {
    let whole = ["`inner` (rates.kal:2)", "`middle` (rates.kal:5)", "`outer` (rates.kal:7)"];
    let codes = [
        DiagnosticCode::HostError,
        DiagnosticCode::UndefinedCalled,
        DiagnosticCode::HostPanic,
        DiagnosticCode::IndexOutOfRange,
        DiagnosticCode::Interrupted,
    ];
    for &mode in Mode::ALL {
        let engine = prepared(mode);
        let outer = engine.function::<(f64,)>("outer").unwrap();
        for _ in 0..2 {
            for (x, code) in codes.iter().enumerate() {
                let error = outer.call((x as f64,)).unwrap_err();
                assert_eq!(error.code(), *code, "{mode:?}");
                assert_eq!(shown(&error), whole, "{mode:?}: {code:?}");
                let place = error.place().unwrap();
                assert_eq!((place.text(), place.line()), ("rates.kal", 2));
                let text = error.to_string();
                assert!(
                    text.contains("in `inner` (rates.kal:2), called by `middle` (rates.kal:5)"),
                    "{text}"
                );
                assert!(!text.contains("no luck") || *code == DiagnosticCode::HostPanic, "{text}");
                let in_scope = engine.enter(|scope| scope.call(&outer, (x as f64,))).unwrap_err();
                assert_eq!(shown(&in_scope), whole, "{mode:?}: {code:?}");
            }
        }
        let error = engine.function::<(f64,)>("deep").unwrap().call((1.0,)).unwrap_err();
        assert_eq!(error.to_string(), "stack overflow in `deep` (rates.kal:9)", "{mode:?}");
    }
}

/// Programs that run as texts say it in their diagnostics, without the lines.
#[test]
fn diagnostics_name_the_functions() {
    for &mode in Mode::ALL {
        let engine = prepared(mode);
        for _ in 0..2 {
            let outcome = engine.run("outer(0); outer(1); fails();");
            let messages: Vec<_> = outcome.diagnostics().map(|diagnostic| &*diagnostic.message).collect();
            let place = "in `inner`, called by `middle`, `outer`";
            let expected = [
                format!("`fails` failed {place}: no luck"),
                "`missing` was called, and is still undefined".to_owned(),
                "`fails` failed: no luck".to_owned(),
            ];
            assert_eq!(messages, expected, "{mode:?}");
        }
    }
}

#[test]
fn a_misuse_says_where_the_function_is_defined() {
    for &mode in Mode::ALL {
        let engine = prepared(mode);
        let outer = engine.dyn_function("outer").unwrap();
        let error = outer.call(&[]).unwrap_err();
        assert_eq!(error.to_string(), "`outer` takes 1 argument, not 0 (defined at rates.kal:7)");
        assert_eq!(shown(&error), ["`outer` (rates.kal:7)"]);
        // Functions of the host and formulas have no place.
        let error = engine.dyn_function("fails").unwrap().call(&[1.0]).unwrap_err();
        assert_eq!((error.to_string(), error.place()), ("`fails` takes 0 arguments, not 1".to_owned(), None));
        let formula = engine.formula("outer(x)", &["x"]).unwrap();
        let error = formula.call(&[]).unwrap_err();
        assert_eq!(
            (error.to_string(), shown(&error).len()),
            ("the formula takes 1 argument, not 0".to_owned(), 0)
        );
        assert_eq!(shown(&formula.call(&[0.0]).unwrap_err()).len(), 3, "{mode:?}");
    }
}

#[test]
fn lines_are_those_of_the_definition_now() {
    let engine = prepared(Mode::default());
    let outer = engine.function::<(f64,)>("outer").unwrap();
    engine.run_named("more", "1;\n\ndef inner(x) missing(x);").ok().unwrap();
    assert_eq!(shown(&outer.call((0.0,)).unwrap_err())[0], "`inner` (more:3)");
    engine.replace("again", "\ndef inner(x) fails();").unwrap();
    assert_eq!(shown(&outer.call((0.0,)).unwrap_err())[0], "`inner` (again:2)");
}
