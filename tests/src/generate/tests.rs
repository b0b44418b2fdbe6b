//! The generator covers the grammar and the situations that it is made for.

use kaleidoscope::{Mode, Optimization};

use super::Program;
use crate::run::{Effect, Setting, run};

#[test]
fn a_seed_determines_the_program() {
    assert_eq!(Program::new(7), Program::new(7));
    assert_ne!(Program::new(7), Program::new(8));
}

/// Programs that mostly fail would only compare error messages.
#[test]
fn most_items_work_and_some_fail() {
    let setting = Setting::new(Mode::Off, Optimization::default());
    let (mut n_values, mut n_errors, mut n_written) = (0, 0, 0);
    for seed in 0..300 {
        let run = run(&Program::with_host_variables(seed).text(), setting);
        n_written += run.items.iter().filter(|item| !item.output.is_empty()).count();
        for (effect, _) in run.items.iter().flat_map(|item| &item.effects) {
            match effect {
                Effect::Value(_) => n_values += 1,
                Effect::Error(_) => n_errors += 1,
                Effect::Warning(_) => {}
            }
        }
    }
    assert!(n_values > 900, "{n_values} values");
    assert!((100..n_values / 2).contains(&n_errors), "{n_errors} errors beside {n_values} values");
    assert!(n_written > 200, "{n_written} items with output");
}

#[test]
fn the_whole_grammar_occurs() {
    let text: String = (0..300).map(|seed| Program::with_host_variables(seed).text()).collect();
    for part in [
        "def f",
        "def unary",
        "def binary",
        "extern",
        "if ",
        "then ",
        "else ",
        "for ",
        "var ",
        "in ",
        " = ",
        "^2",
        " ^ ",
        " < ",
        "putchard",
        "printd",
        "# a comment",
        "(0/0)",
        "def cos(",
        "1e400",
        "tgamma",
        "(shared1 = ",
        "(cells1(",
        "cells2(fmod(",
        "+ shared2",
        ")^3",
        "# prelude",
        "while ",
        " and ",
        "(not ",
        "min(",
        "clamp(",
        "pi",
    ] {
        assert!(text.contains(part), "no `{part}`");
    }
    assert!((0..300).all(|seed| !Program::new(seed).text().contains("shared")));
    assert!((0..300).all(|seed| !Program::new(seed).text().contains("cells")));
}
