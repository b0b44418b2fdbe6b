//! Deep and long texts: each gives a value or one clear error, never a crash.
//!
//! Each shape is tested at three sizes. Small and medium ones must work the same in every mode;
//! huge ones may be refused. The next item runs in any case.

use std::collections::BTreeSet;

use kaleidoscope_tests::compare::compare;
use kaleidoscope_tests::run::{Effect, Run, Setting, run};

/// Writes a text of a shape with this number of levels or terms.
type Shape = fn(usize) -> String;

const SHAPES: &[(&str, Shape)] = &[
    ("parentheses", |n| format!("{}1{}", "(".repeat(n), ")".repeat(n))),
    ("open parentheses", |n| "(".repeat(n)),
    ("terms", |n| format!("1{}", "+1".repeat(n))),
    ("terms of variables", |n| format!("def f(x) x{}; f(1)", "+x".repeat(n))),
    ("powers", |n| format!("1{}", "^1".repeat(n))),
    ("user operators", |n| format!("def binary% 30 (a b) a + b; 1{}", "%1".repeat(n))),
    ("prefix operators", |n| format!("def unary-(v) 0 - v; {}1", "- ".repeat(n))),
    ("assignments", |n| format!("var a in {}1", "a = ".repeat(n))),
    ("calls", |n| format!("def f(x) x; {}1{}", "f(".repeat(n), ")".repeat(n))),
    ("else branches", |n| format!("{}1", "if 0 then 2 else ".repeat(n))),
    ("then branches", |n| format!("{}1{}", "if 1 then ".repeat(n), " else 2".repeat(n))),
    ("conditions", |n| format!("{}1{}", "if ".repeat(n), " then 1 else 2".repeat(n))),
    ("variables", |n| format!("{}x", "var x = 1 in ".repeat(n))),
    ("variables in initializers", |n| format!("{}1{}", "var x = ".repeat(n), " in x".repeat(n))),
    ("loops", |n| format!("{}1", "for i = 0, 0 in ".repeat(n))),
    ("arguments", |n| format!("def f(x) x; f(1{})", ", 1".repeat(n))),
    ("parameters", |n| format!("def f({}) 1", (0..n).map(|at| format!("p{at} ")).collect::<String>())),
    ("comment lines", |n| format!("{}1", "# a\n".repeat(n))),
    ("semicolons", |n| format!("{}1", ";".repeat(n))),
    ("digits", |n| format!("1{}", "0".repeat(n))),
    ("letters", |n| format!("def {0}() 1; {0}()", "a".repeat(n + 1))),
];

/// Returns the effects of the text. The item after it must run.
fn effects(name: &str, n: usize, run: Run) -> Vec<Effect> {
    let mut effects: Vec<_> =
        run.items.into_iter().flat_map(|item| item.effects).map(|(effect, _)| effect).collect();
    assert_eq!(effects.pop(), Some(Effect::Value("4711".to_owned())), "{name}, {n} times: the next item");
    effects
}

fn text(shape: Shape, n: usize) -> String {
    format!("{}; 4711;", shape(n))
}

/// Runs each shape at this size in every mode and returns its effects.
fn check(n: usize) -> Vec<(&'static str, Vec<Effect>)> {
    let run_shape = |&(name, shape): &(&'static str, Shape)| {
        let run =
            compare(&text(shape, n)).unwrap_or_else(|difference| panic!("{name}, {n} times: {difference}"));
        (name, effects(name, n, run))
    };
    SHAPES.iter().map(run_shape).collect()
}

fn is_error(effect: &Effect) -> bool {
    matches!(effect, Effect::Error(_))
}

#[test]
fn forty_levels_work() {
    for (name, effects) in check(40) {
        let refused = effects.iter().any(is_error);
        assert_eq!(refused, ["open parentheses", "arguments"].contains(&name), "{name}: {effects:?}");
    }
}

#[test]
fn thousands_of_levels_work() {
    for (name, effects) in check(3000) {
        let refused = effects.iter().any(is_error);
        let allowed = ["open parentheses", "arguments", "parameters"];
        assert!(!refused || allowed.contains(&name), "{name}: {effects:?}");
    }
}

/// A code generator may refuse what the interpreter still runs: modes may differ in errors here,
/// but not in values.
#[test]
fn two_hundred_thousand_levels_end() {
    const N: usize = 200_000;
    for &(name, shape) in SHAPES {
        let mut values = BTreeSet::new();
        for setting in Setting::every_mode() {
            let effects = effects(name, N, run(&text(shape, N), setting));
            let n_errors = effects.iter().filter(|effect| is_error(effect)).count();
            assert!(n_errors <= 1, "{name}, mode {}: more than one error", setting.mode.name());
            values.extend(effects.into_iter().filter_map(|effect| match effect {
                Effect::Value(value) => Some(value),
                Effect::Error(_) | Effect::Warning(_) => None,
            }));
        }
        assert!(values.len() <= 1, "{name}: {values:?}");
    }
}
