//! The prelude: the usual operators, with the usual precedence, and the usual names.

use crate::{check, engine};
use kaleidoscope::{Array, Engine, ErrorKind, Mode, PRELUDE, Variable};

fn with_prelude(mode: Mode) -> Engine {
    let engine = engine(mode);
    engine.prelude().unwrap();
    engine
}

#[test]
fn arithmetic_follows_the_usual_rules() {
    for &mode in Mode::ALL {
        let engine = with_prelude(mode);
        check(
            &engine,
            "-2^2; (-2)^2; 2^-1; 2^3^2; 1/2; 1e-3; 3 - -3; 2--3; -(1 + 2) * 3; 7 - 2 - 1;",
            &[-4.0, 4.0, 0.5, 512.0, 0.5, 0.001, 6.0, 5.0, -9.0, 4.0],
            &[],
        );
        check(
            &engine,
            "1 + 2 < 4 == 1; 1 < 2 && 2 > 1; 0 && 0 || 1; !0 + !5; 1 > 2; 2 >= 2; 2 <= 1; 3 != 3;",
            &[1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0],
            &[],
        );
        check(&engine, "var x = 1 in (x = x + 1 : x * 10); 1 | 0 & 0;", &[20.0, 1.0], &[]);
    }
}

#[test]
fn negative_zero_and_nan_compare_as_usual() {
    for &mode in Mode::ALL {
        let engine = with_prelude(mode);
        check(
            &engine,
            "1 / -0; var n = 0/0 in (n == n) + (n > 1) + (n >= 1) + (n <= 1) + 10 * (n != n);",
            &[f64::NEG_INFINITY, 10.0],
            &[],
        );
        check(&engine, "var n = 0/0 in !n + (n && 1) + (n || 0);", &[1.0], &[]);
    }
}

#[test]
fn programs_can_redefine_the_prelude() {
    let engine = with_prelude(Mode::default());
    let names: Vec<_> = engine.functions().into_iter().map(|function| function.name).collect();
    for name in ["unary-", "unary!", "binary>", "binary==", "binary&", "binary:", "min", "clamp"] {
        assert!(names.iter().any(|known| &**known == name), "{name}");
    }
    check(&engine, "def binary== 9 (a b) 7; 1 == 2;", &[7.0], &[]);
    let by_hand = engine.run(PRELUDE);
    assert_eq!(by_hand.items.len(), PRELUDE.matches("def ").count());
    check(&engine, "1 == 2;", &[0.0], &[]);

    let small = Engine::builder().max_functions(3).build().unwrap();
    assert!(small.prelude().is_err());
    // Its words are still names.
    check(&small, "var and = 3, pi = 1 in and + pi;", &[4.0], &[]);
}

/// The same values by programs and formulas, in every mode.
#[test]
fn formulas_have_the_names() {
    for &mode in Mode::ALL {
        let engine = Engine::builder().mode(mode).prelude().build().unwrap();
        for (text, expected) in [
            ("min(a, b, 3) + max(a, b)", 1.0 + 2.0),
            ("a and b > 1 or nope(1)", 1.0),
            ("clamp(a * 10, 0, 5) % 3", 2.0),
            ("avg(a, b, 6) ** 2", 9.0),
            ("sin(pi / 2) + ln(e)", 2.0),
            ("(while a < 4 in a = a + 1) + a", 4.0),
            ("sign(-b) + +b", 1.0),
        ] {
            let text = text.replace("nope(1)", "1");
            let formula = engine.formula(&text, &["a", "b"]).unwrap();
            for _ in 0..3 {
                assert_eq!(formula.call(&[1.0, 2.0]), Ok(expected), "{text}");
            }
        }
        // A parameter hides a constant.
        let formula = engine.formula("pi + e", &["pi"]).unwrap();
        assert_eq!(formula.call(&[1.0]), Ok(1.0 + std::f64::consts::E));
        let error = engine.formula("and + 1", &["and"]).unwrap_err();
        assert_eq!(error.diagnostics()[0].message, "`and` cannot be the name of a parameter");
        assert!(engine.formula("min()", &[]).unwrap_err().to_string().contains("at least 1 argument, not 0"));
    }
    // Without the prelude they are unknown.
    let engine = Engine::new().unwrap();
    for text in ["2 * pi", "min(1, 2)", "1 and 2", "3 > 2"] {
        engine.formula(text, &[]).unwrap_err();
    }
}

#[test]
fn host_names_take_precedence() {
    let with_host = |engine: &Engine| {
        check(engine, "min(1, 2); max(1, 2, 3); e; pi + 1;", &[12.0, 3.0, 7.0, 4.0], &[]);
        check(engine, "min(1, 2, 3);", &[], &["KLS2004"]);
    };
    let builder = || {
        Engine::builder()
            .register("min", |a: f64, b: f64| 10.0 * a + b)
            .bind("pi", &Variable::new(3.0))
            .bind("e", &Variable::new(7.0))
    };
    with_host(&builder().prelude().build().unwrap());
    let engine = builder().build().unwrap();
    engine.prelude().unwrap();
    with_host(&engine);
    with_host(&engine.fork().unwrap());
    let engine = with_prelude(Mode::default());
    engine.register("min", |a: f64, b: f64| 10.0 * a + b).unwrap();
    check(&engine, "min(1, 2);", &[12.0], &[]);
    check(&engine, "min(1, 2, 3);", &[], &["KLS2004"]);
    assert_eq!(engine.register("and", || 1.0).unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(engine.bind("while", &Variable::new(1.0)).unwrap_err().kind(), ErrorKind::InvalidName);
    let error = Engine::builder().prelude().register("not", || 1.0).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName);

    let array = Array::from_slice(&[5.0, 7.0]);
    assert_eq!(engine.bind_array("or", &array).unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(engine.bind_array("sum", &array).unwrap_err().kind(), ErrorKind::NameInUse);
    let engine = Engine::builder().prelude().bind_array("sum", &array).build().unwrap();
    check(&engine, "sum(1) + max(1, 2, 3);", &[10.0], &[]);
}

/// A second time, the prelude brings its operators back, and leaves functions as they are.
#[test]
fn again_after_changes() {
    let engine = with_prelude(Mode::default());
    check(&engine, "def max(a b) 7; def binary&& 6 (a b) 8; max(1, 2) + (0 && 1);", &[15.0], &[]);
    engine.prelude().unwrap();
    check(&engine, "max(1, 2); 0 && 1; min(3, 1, 2);", &[7.0, 0.0, 1.0], &[]);
    engine.remove("max").unwrap();
    engine.prelude().unwrap();
    check(&engine, "max(1, 2, 3);", &[3.0], &[]);
}

#[test]
fn limits_of_the_engine_hold() {
    let error = Engine::builder().max_functions(3).prelude().build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitTooSmall);
    Engine::builder().max_functions(30).max_item_bytes(200).prelude().build().unwrap();

    // What needs a function that the engine does not provide is left out.
    let engine = Engine::builder().provide_only(["fmin", "sin"]).prelude().build().unwrap();
    check(&engine, "min(2, 1, 3); sum(1, 2, 3); clamp(5, 0, 1); 2 == 2;", &[1.0, 6.0, 1.0, 1.0], &[]);
    for text in ["max(1, 2);", "ln(1);", "mod(1, 2);", "abs(1);"] {
        check(&engine, text, &[], &["KLS2002"]);
    }
    check(&engine, "5 % 3;", &[], &["KLS2011"]);
}

#[test]
fn operators_of_the_program_stay() {
    let engine = Engine::new().unwrap();
    check(&engine, "def binary % 3 (a b) 77; def f(x) x % 3;", &[], &[]);
    engine.prelude().unwrap();
    check(&engine, "f(5); 5 % 3; 3 > 2;", &[77.0, 77.0, 1.0], &[]);
}
