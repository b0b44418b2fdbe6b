//! Replacing a text: all of its definitions or none, in one change.

use crate::{check, engine};
use kaleidoscope::{DiagnosticCode, Engine, Mode, Origin};
use std::thread;

fn codes(engine: &Engine, name: &str, text: &str) -> Vec<DiagnosticCode> {
    let error = engine.replace(name, text).unwrap_err();
    error.outcome().diagnostics().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn functions_that_are_gone_are_removed_and_the_others_replaced() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let text = "def f(x) g(x) + 1; def g(x) x * 2; def h(x) if x then x else missing(x);";
        let warnings = engine.replace("a", text).unwrap();
        let messages: Vec<_> = warnings.iter().map(|warning| &*warning.message).collect();
        assert_eq!(messages, ["the function `missing` is not defined yet"]);
        check(&engine, "f(1) + h(1);", &[4.0], &[]);
        engine.replace("a", "def g(x) x * 3; def f(x) g(x) + 1;").unwrap();
        check(&engine, "f(1); h(1);", &[4.0], &["KLS2002"]);
        // Another number of parameters.
        engine.replace("a", "def g(x y) x * y; def f(x) g(x, 5) + 1;").unwrap();
        check(&engine, "f(1); g(2, 3); g(1);", &[6.0, 6.0], &["KLS2004"]);
        engine.replace("a", "").unwrap();
        check(&engine, "f(1); g(1, 2);", &[], &["KLS2002", "KLS2002"]);
    }
}

#[test]
fn after_an_error_nothing_has_changed() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.replace("a", "def f(x) x + 1; def binary % 30 (a b) a * 10 + b;").unwrap();
        assert_eq!(codes(&engine, "a", "def f(x) x + 2; def new(x) y;"), [DiagnosticCode::UnknownVariable]);
        assert_eq!(codes(&engine, "a", "def f(x) x + 2; f(1);"), [DiagnosticCode::NotADefinition]);
        assert_eq!(codes(&engine, "a", "def f(x) x + ; def f(x) x;"), [DiagnosticCode::ExpectedExpression]);
        check(&engine, "f(1); 1 % 2; new(1);", &[2.0, 12.0], &["KLS2002"]);
        // What failed is forgotten, so the next replacement still removes the operator.
        engine.replace("a", "def f(x) x + 2;").unwrap();
        check(&engine, "f(1); 1 % 2;", &[3.0], &["KLS2011"]);
    }
}

#[test]
fn texts_of_other_names_keep_their_functions() {
    let engine = engine(Mode::default());
    engine.replace("a", "def f(x) 1; def only(x) 2;").unwrap();
    engine.replace("b", "def f(x) 3;").unwrap();
    engine.run("def only(x) 4;").ok().unwrap();
    // `f` belongs to the other text now, and `only` to none.
    engine.replace("a", "def g(x) 5;").unwrap();
    check(&engine, "f(0); only(0); g(0);", &[3.0, 4.0, 5.0], &[]);
}

#[test]
fn limits_hold() {
    let engine = Engine::builder().max_functions(2).max_item_bytes(20).build().unwrap();
    engine.replace("a", "def f(x) x;").unwrap();
    assert_eq!(
        codes(&engine, "a", "def f(x) x; def g(x) x; def h(x) x;"),
        [DiagnosticCode::TooManyFunctions]
    );
    assert_eq!(codes(&engine, "a", "def f(x) x + x + x + x;"), [DiagnosticCode::ItemTooLong]);
    check(&engine, "f(7);", &[7.0], &[]);
}

/// The two functions are always of one text: their sum is 1000.
#[test]
fn no_call_sees_some_of_the_definitions() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.replace("a", "def low(x) 500; def high(x) 500;").unwrap();
        let [low, high] = ["low", "high"].map(|name| engine.function::<(f64,)>(name).unwrap());
        thread::scope(|scope| {
            let replacing = scope.spawn(|| {
                for n in 0..200 {
                    engine.replace("a", &format!("def high(x) {}; def low(x) {n};", 1000 - n)).unwrap();
                }
            });
            while !replacing.is_finished() {
                // If the first function is the same before and after, so was the second.
                let before = low.call((0.0,)).unwrap();
                let second = high.call((0.0,)).unwrap();
                if low.call((0.0,)).unwrap() == before {
                    assert_eq!(before + second, 1000.0, "{mode:?}");
                }
            }
        });
    }
}

#[test]
fn free_variables_are_what_a_formula_lacks() {
    let engine = Engine::builder().prelude().build().unwrap();
    engine.bind("rate", &kaleidoscope::Variable::new(2.0)).unwrap();
    let names = |text: &str| engine.free_variables(text).unwrap();
    assert_eq!(names("pi * r^2 * rate"), ["r"]);
    assert_eq!(names("b + a + b * (c = a)"), ["b", "a", "c"]);
    assert_eq!(names("for i = n, i < m, s in i * t"), ["n", "m", "s", "t"].map(str::to_owned).to_vec());
    assert_eq!(names("var x = y in x + sin(z)"), ["y", "z"]);
    assert_eq!(names("1 + 2"), [""; 0]);
    let error = engine.free_variables("a + unknown(b)").unwrap_err();
    assert_eq!(error.diagnostics()[0].code, DiagnosticCode::UnknownFunction);
    assert!(engine.free_variables("a +").is_err());
}

#[test]
fn each_replacement_begins_one_version() {
    let engine = engine(Mode::default());
    for expected in 1..=3 {
        engine.replace("a", "def f(x) x;").unwrap();
        let info = engine.functions().into_iter().find(|info| &*info.name == "f").unwrap();
        let Origin::Program { version, .. } = info.origin else { panic!("{info:?}") };
        assert_eq!(version, expected);
    }
}
