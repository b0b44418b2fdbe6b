//! Limits of programs: functions, code, text. `stopping.rs` tests time and stack.

use crate::check;
use kaleidoscope::{Builder, Engine, Mode};

fn limited(mode: Mode, limit: impl Fn(Builder) -> Builder) -> Engine {
    limit(Engine::builder().mode(mode)).build().unwrap()
}

#[test]
fn functions_are_counted_by_name_and_arity() {
    for &mode in Mode::ALL {
        let engine = limited(mode, |builder| builder.max_functions(3));
        check(&engine, "def a(x) x; def b(x) a(x); def b(x) a(x) + 1; b(1); sin(0);", &[2.0, 0.0], &[]);
        // The third has a different arity. Functions that are only called count as well.
        check(&engine, "def a(x y) x + y; a(1, 2);", &[3.0], &[]);
        check(
            &engine,
            "def c(x) x; extern d(x); def b(x) e(x); c(1);",
            &[],
            &["KLS4006", "KLS4006", "KLS2003", "KLS4006", "KLS2002"],
        );
        // Existing definitions still work.
        check(&engine, "a(1, 2); b(1);", &[3.0], &["KLS3002"]);
    }
}

#[test]
fn code_in_memory_is_limited() {
    for mode in [Mode::Lazy, Mode::Eager] {
        let engine = limited(mode, |builder| builder.max_code_bytes(600));
        let chain = |n: usize| format!("{}x", "x * sin(x) + ".repeat(n));
        check(&engine, &format!("def large(x) {}; large(0);", chain(100)), &[], &["KLS4007"]);
        // An expression's code is freed once it has run.
        for _ in 0..20 {
            check(&engine, "def f(x) x + 1; f(1);", &[2.0], &[]);
        }
        check(&engine, "large(0); f(1);", &[2.0], &["KLS4007"]);
    }
    let engine = limited(Mode::Off, |builder| builder.max_code_bytes(0));
    check(&engine, "def f(x) x + 1; f(1);", &[2.0], &[]);
}

#[test]
fn the_length_of_items_is_limited() {
    for &mode in Mode::ALL {
        let engine = limited(mode, |builder| builder.max_item_bytes(20));
        let text = "def f(x) x + 100000; 1; def g(x) x + 10000000; g(1); f(1); 1 + 2 + 3 + 4 + 5 + 6; 7;";
        check(&engine, text, &[1.0, 100001.0, 7.0], &["KLS4008", "KLS2002", "KLS4008"]);
    }
}

#[test]
fn an_endless_item_is_rejected_wherever_the_text_is_cut() {
    let text = "1; 2 + (3 + 4 + 5 + 6 + 7 + 8 + 9); 10; def f(x) x + 12345678901; 11;";
    for n_bytes in 1..text.len() {
        let engine = limited(Mode::Off, |builder| builder.max_item_bytes(20));
        let mut script = engine.script("text");
        let mut outcomes = Vec::new();
        for piece in text.as_bytes().chunks(n_bytes) {
            script.push(std::str::from_utf8(piece).unwrap());
            outcomes.extend(std::iter::from_fn(|| script.run_next()));
        }
        script.finish();
        outcomes.extend(std::iter::from_fn(|| script.run_next()));
        let values: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.value).collect();
        assert_eq!(values, [1.0, 10.0, 11.0], "in pieces of {n_bytes}");
    }
}
