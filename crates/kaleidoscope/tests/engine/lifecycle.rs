//! Engines: creation, use and drop.

use crate::{check, engine};
use kaleidoscope::{Engine, ErrorKind, Mode, Optimization, OutputBuffer};

#[test]
fn engines_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Engine>();
    fn sent<T: Send>() {}
    sent::<kaleidoscope::Script>();
    sent::<kaleidoscope::Outcome>();
    assert_ne!(format!("{:?}", ErrorKind::Memory), "");
}

#[test]
fn engines_are_independent() {
    let (one, other) = (engine(Mode::Lazy), engine(Mode::Lazy));
    check(&one, "def f(x) 1; f(0);", &[1.0], &[]);
    check(&other, "def f(x) 2; f(0);", &[2.0], &[]);
    check(&one, "f(0);", &[1.0], &[]);
    drop(one);
    check(&other, "f(0);", &[2.0], &[]);
}

#[test]
fn many_engines_are_created_and_dropped() {
    for n in 0..20 {
        let engine = engine(Mode::Lazy);
        check(&engine, "def f(x) x + 1;", &[], &[]);
        if n % 4 == 0 {
            check(&engine, "f(1);", &[2.0], &[]);
        }
    }
}

#[test]
fn functions_take_any_number_of_arguments() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        for arity in [0_usize, 1, 7, 8, 9, 10, 33] {
            let params: Vec<_> = (0..arity).map(|n| format!("p{n}")).collect();
            // Each argument has a different weight, so a lost or swapped argument changes the sum.
            let sum: String =
                params.iter().enumerate().map(|(n, p)| format!(" + {p} * {}", n * n + 1)).collect();
            let args: Vec<_> = (0..arity).map(|n| format!("{n}.5")).collect();
            let expected: f64 = (0..arity).map(|n| (n as f64 + 0.5) * (n * n + 1) as f64).sum();
            let text = format!("def f{arity}({}) 0{sum}; f{arity}({});", params.join(" "), args.join(","));
            check(&engine, &text, &[expected], &[]);
        }
    }
}

#[test]
fn results_do_not_depend_on_the_optimization_level() {
    for level in [Optimization::None, Optimization::Less, Optimization::Default, Optimization::Aggressive] {
        let engine = Engine::builder().optimization(level).build().unwrap();
        check(
            &engine,
            "def f(n) var s in (for i = 0, i < n in s = s + sin(i)) + s; f(100);",
            &[-0.12717101366042016],
            &[],
        );
    }
}

#[test]
fn output_goes_to_the_chosen_output() {
    let output = OutputBuffer::default();
    let engine = Engine::builder().output(output.clone()).build().unwrap();
    check(&engine, "def p(x) putchard(x); p(72); p(105); printd(0.5);", &[0.0, 0.0, 0.0], &[]);
    assert_eq!(output.take(), "Hi0.5\n");
    check(
        &engine,
        "putchard(8364.9); putchard(55296); putchard(0-1); putchard(0/0); putchard(1e300)",
        &[0.0; 5],
        &[],
    );
    assert_eq!(output.take(), "€\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
}

#[test]
fn a_script_runs_items_as_text_arrives() {
    let engine = engine(Mode::Lazy);
    let mut script = engine.script("pieces");
    script.push("def f(x) x");
    assert!(script.run_next().is_none());
    assert!(script.is_pending());
    script.push(" * 2; f(2");
    assert!(script.run_next().unwrap().value.is_none());
    script.push("1);");
    assert_eq!(script.run_next().unwrap().value, Some(42.0));
    script.push("f(");
    assert!(script.run_next().is_none());
    script.abandon();
    script.push("f(4)");
    assert_eq!(script.run_next_line().unwrap().value, Some(8.0));
    script.finish();
    assert!(script.run_next().is_none());
}
