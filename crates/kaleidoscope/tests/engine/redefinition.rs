//! Redefinition: how it affects compiled code.

use crate::{check, engine};
use kaleidoscope::Mode;

#[test]
fn compiled_callers_call_the_new_definition() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        check(&engine, "def f(x) x; def g(x) f(x) * 10; g(1); def f(x) x + 1; g(1);", &[10.0, 20.0], &[]);
        check(&engine, "def f(x) g2(x); def g2(x) x - 1; g(1);", &[0.0], &["KLS2003"]);
    }
}

#[test]
fn a_changed_arity_makes_callers_fail_until_it_is_restored() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        check(&engine, "def f(x) x; def g(x) f(x); g(1);", &[1.0], &[]);
        check(&engine, "def f(x y) x + y; g(1); f(1, 2);", &[3.0], &["KLS3002"]);
        check(&engine, "def f(x) x * 3; g(1);", &[3.0], &[]);
    }
}

#[test]
fn a_definition_replaces_a_maths_function_compiled_to_an_instruction() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        let text =
            "def f(x) sqrt(x) + cos(x); def g(x) f(x); g(0); def cos(x) 42; g(0); def sqrt(x) 1; g(0);";
        check(&engine, text, &[1.0, 42.0, 43.0], &[]);
        // The operator still calls the C library.
        check(&engine, "def pow(x y) 7; 2 ^ 3; pow(2, 3);", &[8.0, 7.0], &[]);
        check(&engine, "def printd(x) x; printd(5);", &[5.0], &[]);
    }
}

#[test]
fn operators_can_be_redefined() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        check(
            &engine,
            "def binary% 10 (a b) a; def f(x) x % 2; f(8); def binary% 10 (a b) b; f(8);",
            &[8.0, 2.0],
            &[],
        );
        check(&engine, "def unary!(a) a; def g(x) !x; g(3); def unary!(a) 0 - a; g(3);", &[3.0, -3.0], &[]);
    }
}

#[test]
fn a_failed_redefinition_keeps_the_old_definition() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        check(
            &engine,
            "def f(x) x; f(1); def f(x) x + nope; f(2); def f(x x) 1; f(3);",
            &[1.0, 2.0, 3.0],
            &["KLS2001", "KLS2006"],
        );
    }
}

#[test]
fn an_extern_is_provided_by_a_later_definition() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        check(&engine, "extern later(x); later(1); def later(x) x; later(1);", &[1.0], &["KLS3003"]);
    }
}
