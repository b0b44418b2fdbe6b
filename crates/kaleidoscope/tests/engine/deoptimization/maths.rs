//! Redefinitions of maths functions, which compiled code has as instructions or calls directly.

use super::loops::LoopCase;
use super::{Case, Nothing, Run};
use kaleidoscope::Mode;

/// The modes whose code has maths functions inside.
const OPTIMIZED: &[Mode] = &[Mode::Tiered, Mode::Lazy, Mode::Eager];

const CALLS: &[(&str, &str)] = &[
    ("sqrt(x)", "sqrt(x)"),
    ("floor(x / 3)", "floor(x)"),
    ("ceil(x / 3)", "ceil(x)"),
    ("fabs(0 - x)", "fabs(x)"),
    ("trunc(x / 3)", "trunc(x)"),
    ("rint(x / 3)", "rint(x)"),
    ("round(x / 3)", "round(x)"),
    ("fmod(x, 4)", "fmod(x y)"),
    ("fmod(x, 3)", "fmod(x y)"),
    ("sin(x)", "sin(x)"),
    ("pow(x, 2)", "pow(x y)"),
    ("fmin(x, 3)", "fmin(x y)"),
    ("fmax(x, 3)", "fmax(x y)"),
    ("exp(x)", "exp(x)"),
    ("hypot(x, 1)", "hypot(x y)"),
];

#[test]
fn a_definition_replaces_a_maths_function_in_a_loop() {
    for (call, prototype) in CALLS {
        let text = format!("def f(n) var s = 0 in (for x = 1, x < n in s = s + {call} + change()) + s;");
        let definition: &'static str = format!("def {prototype} x * 1000;").leak();
        let case =
            Case { text: &text, call: "f(10);", hot: &["f"], changes: &[Nothing, Nothing, Run(definition)] };
        case.check_left(OPTIMIZED);
    }
}

#[test]
fn a_definition_replaces_a_maths_function_behind_the_change() {
    for (call, prototype) in CALLS {
        let definition: &'static str = format!("def {prototype} x * 1000;").leak();
        let text = format!("def g(x) {call}; def f(x) {call} * 3 + g(x) + change() + {call} * 5 + g(x + 1);");
        let case = Case { text: &text, call: "f(10);", hot: &["f"], changes: &[Run(definition)] };
        case.check_left(OPTIMIZED);
    }
}

/// The function calls nothing but maths functions: its caller changes them.
#[test]
fn a_function_of_maths_only_is_replaced() {
    let case = Case {
        text: "def m(x) sqrt(x) + floor(x) * sin(x) + fmod(x, 8);
            def f(n) var s = 0 in (for i = 1, i < n in s = s + m(i) + change()) + s;",
        call: "f(30);",
        hot: &["f"],
        changes: &[
            Nothing,
            Run("def sqrt(x) 1;"),
            Run("def floor(x) 2; def sin(x) 3;"),
            Run("def fmod(x y) x;"),
        ],
    };
    case.check();
}

#[test]
fn several_maths_functions_are_replaced_one_by_one() {
    let case = Case {
        text: "def f(x) change() + sqrt(x) + change() * cos(x) + exp(x) + change() + sqrt(x) * cos(x);",
        call: "f(2);",
        hot: &["f"],
        changes: &[Run("def sqrt(x) 10;"), Run("def exp(x) 20;"), Run("def cos(x) sqrt(x) + 30;")],
    };
    case.check_left(OPTIMIZED);
}

/// The operator `^` is no call of `pow`.
#[test]
fn operators_keep_their_meaning() {
    let case = Case {
        text: "def f(x) change() + x ^ 3 + pow(x, 3) + x ^ 2;",
        call: "f(2);",
        hot: &["f"],
        changes: &[Run("def pow(x y) 100;")],
    };
    assert_eq!(case.check_left(OPTIMIZED), "112.0");
}

/// In eager and lazy mode, the code of the expression itself is left.
#[test]
fn a_running_loop_uses_the_new_maths_function() {
    let changes = &["def sin(x) 0 - x;", "def sqrt(x) x + 1;"];
    for call in [
        "var s = 0 in (for i = 0, more(100) in s = s + sqrt(0) + sin(0)) + s;",
        "f(0) + 1;",
        "1 + 2 * (var s = 0 in (for i = 0, more(100) in s = 1 + s + 2 * floor(sqrt(0) + sin(0))) + s * 0 + sqrt(3));",
    ] {
        let definitions = "def f(n) var s = n in (for i = 0, more(100) in s = s + sqrt(n) + (if sin(n) < 1 then fabs(0) else 1)) + s;";
        LoopCase { definitions, osr_loop: 0, changes, call }.check();
    }
}
