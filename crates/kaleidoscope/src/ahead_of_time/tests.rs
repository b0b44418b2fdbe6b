//! Plans of programs: which calls are direct, which have slots, and names in C.

use super::c_name::c_name;
use super::{AheadOfTime, Export, header::header};
use crate::{Engine, ErrorKind, Variable};
use kaleidoscope_ir::compile::{BuildStep, LinkedCallee, LinkedProgram, LinkedTarget};

/// The plan of a text.
fn plan(text: &str) -> LinkedProgram {
    let engine = Engine::new().expect("a test has memory for an engine");
    plan_with(&engine, text).expect("the program can be built")
}

fn plan_with(engine: &Engine, text: &str) -> Result<LinkedProgram, crate::Error> {
    let mut script = engine.script("text");
    script.push(text);
    script.finish();
    let mut program = AheadOfTime::new(engine, "text");
    while let Some(read) = script.read_next() {
        program.add(&read, &script.source())?;
    }
    program.finish()
}

/// The callees of the program, as text, with the number of steps that redirect.
fn summary(program: &LinkedProgram) -> (Vec<String>, usize) {
    let name = |callee: &LinkedCallee| match callee {
        LinkedCallee::Slot(slot) => format!("{} by slot", program.slots[*slot].name),
        LinkedCallee::Direct(LinkedTarget::Function(index)) => {
            program.functions[*index].function.name.to_string()
        }
        LinkedCallee::Direct(LinkedTarget::Unavailable(index)) => {
            format!("no {}", program.unavailable[*index].name)
        }
        LinkedCallee::Direct(LinkedTarget::Maths(function)) => function.name().to_owned(),
        LinkedCallee::Direct(LinkedTarget::Runtime(function)) => format!("{function:?}"),
    };
    let steps = program.steps.as_deref().unwrap_or_default();
    let n_redirects = steps.iter().filter(|step| matches!(step, BuildStep::Redirect(..))).count();
    let mut callees: Vec<_> = program.callees.values().map(name).collect();
    callees.sort();
    (callees, n_redirects)
}

fn check(text: &str, callees: &[&str], n_redirects: usize) {
    let (found, n_found) = summary(&plan(text));
    assert_eq!((found, n_found), (callees.iter().map(ToString::to_string).collect(), n_redirects), "{text}");
}

#[test]
fn a_function_that_is_defined_once_is_called_directly() {
    check("def f(x) g(x) + 1; def g(x) sin(x); f(1); f(2);", &["f", "g", "sin"], 0);
    check("def f(x) if x then f(x - 1) else printd(x); f(1);", &["Printd", "f"], 0);
}

#[test]
fn a_function_that_is_redefined_has_a_slot() {
    check("def f(x) x; f(1); def f(x) x + 1; f(1);", &["f by slot"], 1);
    check("def g(x) f(x); def f(x) x; g(1); def f(x) x + 1; g(1);", &["f by slot", "g"], 1);
}

#[test]
fn a_definition_that_no_expression_sees_does_not_count() {
    check("def f(x) x; def f(x) x + 1; f(1);", &["f"], 0);
    check("def f(x) x; f(1); def f(x) x + 1;", &["f"], 0);
}

#[test]
fn a_call_before_the_definition_is_an_error_of_that_call() {
    check("def f(x) g(x); f(1); def g(x) x; f(1);", &["f", "g by slot"], 1);
    check("def f(x) g(x); f(1);", &["f", "no g"], 0);
    check("extern g(x); g(1);", &["no g"], 0);
}

#[test]
fn a_function_of_another_arity_is_another_function() {
    check("def f(x) x; def g() f(1); g(); def f(x y) x; g();", &["f by slot", "g"], 1);
}

#[test]
fn maths_and_output_can_be_redefined() {
    check("cos(0); def cos(x) 42; cos(0);", &["cos by slot"], 1);
    check("printd(0); def printd(x) x; printd(0);", &["printd by slot"], 1);
}

#[test]
fn what_a_host_has_is_refused() {
    let engine = Engine::new().expect("a test has memory for an engine");
    engine.register("host", |x: f64| x).expect("the name is free");
    engine.bind("t", &Variable::new(1.0)).expect("the name is free");
    for (text, reason) in [
        ("host(1);", "`host` is a function of the host"),
        ("def f() t; f();", "`f` uses a variable of the host"),
        ("t;", "an expression uses a variable of the host"),
    ] {
        let error = plan_with(&engine, text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::CannotBuild);
        assert!(error.to_string().ends_with(reason), "{error}");
    }
    // What no expression reaches does not matter.
    assert!(plan_with(&engine, "def g() host(1); 1;").is_ok());
}

#[test]
fn names_in_c_differ() {
    for (name, expected) in [
        ("f", "f"),
        ("unary!", "unary_bang"),
        ("binary|", "binary_bar"),
        ("binary<=", "binary_less_equal"),
        ("unary_", "unary_underscore"),
        ("unary_underscore", "kal_unary_underscore"),
        ("binary_x", "kal_binary_x"),
        ("double", "kal_double"),
        ("exp", "kal_exp"),
        ("main", "kal_main"),
        ("kal_exp", "kal_kal_exp"),
        ("unaryx", "unaryx"),
        ("EOF", "kal_EOF"),
        ("I", "kal_I"),
        ("X2", "kal_X2"),
        ("Xy", "Xy"),
        ("size_t", "kal_size_t"),
        ("_f", "kal__f"),
        ("errno", "kal_errno"),
        ("kal_I", "kal_kal_I"),
    ] {
        assert_eq!(c_name(name), expected);
    }
}

#[test]
fn a_comment_of_a_header_does_not_end_early() {
    let export = |name: &str, parameters: &[&str]| Export {
        name: name.to_owned(),
        c_name: c_name(name),
        parameters: parameters.iter().map(ToString::to_string).collect(),
    };
    let text = header("my lib", &[export("binary*/", &["a", "b"]), export("zero", &[])]);
    assert!(text.contains("#ifndef KALEIDOSCOPE_MY_LIB_H\n"), "{text}");
    assert!(text.contains("/* binary* /(a b) */\ndouble binary_star_slash(double, double);\n"), "{text}");
    let text_of = |name| header("x", &[export(name, &["a", "b"])]);
    assert!(text_of("binary/*").contains("/* binary/ *(a b) */"), "{}", text_of("binary/*"));
    assert!(text.contains("/* zero() */\ndouble zero(void);\n"), "{text}");
}
