//! Function information, removal, and the choice of provided functions.

use crate::{check, engine};
use kaleidoscope::{DiagnosticCode, Engine, ErrorKind, FunctionInfo, Mode, Origin};

fn names(functions: &[FunctionInfo]) -> Vec<&str> {
    functions.iter().map(|function| &*function.name).collect()
}

#[test]
fn functions_are_listed_with_their_text() {
    let engine = engine(Mode::default());
    let n_provided = engine.functions().len();
    let text = "# above\n def f( a , b ) # inside\n  a + b ; def unary!(v) v; def f(x) x; extern later(x); def g() missing(1) f(1)";
    engine.run(text).ok().unwrap();
    let _formula = engine.formula("x", &["x"]).unwrap();
    let functions = engine.functions();
    assert_eq!(names(&functions[n_provided..]), ["unary!", "f", "later", "g"]);
    let program = |version, parameters: &[&str], source: &str| Origin::Program {
        version,
        parameters: parameters.iter().map(|&name| name.into()).collect(),
        source: source.into(),
    };
    assert_eq!(functions[n_provided].origin, program(1, &["v"], "def unary!(v) v"));
    assert_eq!(functions[n_provided + 1].origin, program(2, &["x"], "def f(x) x"));
    assert_eq!(functions[n_provided + 2].origin, Origin::Declared);
    assert_eq!(engine.function_info("g").unwrap().origin, program(1, &[], "def g() missing(1)"));
    assert_eq!(engine.function_info("sin").unwrap().origin, Origin::Maths);
    assert_eq!(engine.function_info("printd").unwrap().origin, Origin::Host);
    for absent in ["missing", "", "$formula1"] {
        assert_eq!(engine.function_info(absent), None);
    }

    // The listed text can be read again.
    let Origin::Program { source, .. } = engine.function_info("f").unwrap().origin else { panic!() };
    let other = crate::engine(Mode::default());
    check(&other, &format!("{source}; f(3);"), &[3.0], &[]);
}

#[test]
fn callers_of_a_removed_function_fail() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, "def f(x) x + 1; def caller(x) f(x) * 2; caller(1); caller(1);", &[4.0, 4.0], &[]);
        let f = engine.function::<(f64,)>("f").unwrap();
        engine.remove("f").unwrap();
        check(&engine, "caller(1); f(1); def later(x) f(x);", &[], &["KLS3001", "KLS2002", "KLS2003"]);
        assert_eq!(f.call((1.0,)).unwrap_err().code(), DiagnosticCode::UndefinedCalled);
        assert_eq!(engine.remove("f").unwrap_err().kind(), ErrorKind::UnknownFunction);
        assert_eq!(engine.function_info("f"), None);
        check(&engine, "def f(x) x + 10; caller(1); later(1);", &[22.0, 11.0], &[]);
        assert_eq!(f.call((1.0,)).unwrap(), 11.0);
    }
}

#[test]
fn operators_and_provided_functions_can_be_removed() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(
            &engine,
            "def binary% 30 (a b) a; def wave(x) sin(x) + 1; 1 % 2; wave(0); wave(0);",
            &[1.0, 1.0, 1.0],
            &[],
        );
        for name in ["binary%", "sin", "printd"] {
            engine.remove(name).unwrap();
        }
        check(&engine, "1 % 2; wave(0); printd(1);", &[], &["KLS2011", "KLS3001", "KLS2002"]);
        check(&engine, "def sin(x) 41; wave(0);", &[42.0], &[]);
    }
    assert_eq!(engine(Mode::Off).remove("$formula1").unwrap_err().kind(), ErrorKind::UnknownFunction);
}

#[test]
fn an_engine_provides_the_chosen_functions() {
    for &mode in Mode::ALL {
        let engine = Engine::builder().mode(mode).provide_only(["cos", "sqrt"]).build().unwrap();
        assert_eq!(names(&engine.functions()), ["cos", "sqrt"]);
        check(
            &engine,
            "sqrt(cos(0)); sin(0); putchard(1); extern sin(x); sin(0);",
            &[1.0],
            &["KLS2002", "KLS2002", "KLS3003"],
        );
        check(&engine, "def sin(x y) x - y; sin(3, 1);", &[2.0], &[]);
    }
    let unknown = Engine::builder().provide_only(["sine"]).build().unwrap_err();
    assert_eq!(
        (unknown.kind(), unknown.to_string().as_str()),
        (ErrorKind::UnknownFunction, "there is no function `sine`")
    );
}
