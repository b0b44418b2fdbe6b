//! Laziness at scale: of a thousand functions exactly those are compiled that a call reaches.
//!
//! Each function passes on to one of two others, as its argument says, so the argument chooses a path through the
//! thousand. The test walks the same path by itself, and so knows the names before the engine does.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use kaleidoscope::{Mode, Statistics};
use kaleidoscope_tests::run::{Effect, Setting, run_counted};

const N_FUNCTIONS: usize = 1000;
const N_REACHED: usize = 49;

/// Where function `idx` passes on to, for a small and for a large argument.
fn successors(idx: usize) -> (usize, usize) {
    ((idx * 7 + 1) % N_FUNCTIONS, (idx * 11 + 5) % N_FUNCTIONS)
}

/// The thousand functions.
fn thousand() -> String {
    (0..N_FUNCTIONS).fold(String::new(), |mut text, idx| {
        let (small, large) = successors(idx);
        let _ = writeln!(
            text,
            "def f{idx}(x n) if n < 1 then x \
             else if x < 0.5 then f{small}(fmod(x * 3, 1), n - 1) else f{large}(fmod(x * 3, 1), n - 1);"
        );
        text
    })
}

/// From `f0` with this argument: how many steps until the given number of functions is reached, and which.
fn walk(mut x: f64) -> (u32, BTreeSet<String>) {
    let mut reached = BTreeSet::new();
    let (mut idx, mut n_steps) = (0, 0);
    loop {
        reached.insert(format!("f{idx}"));
        if reached.len() == N_REACHED {
            return (n_steps, reached);
        }
        let (small, large) = successors(idx);
        idx = if x < 0.5 { small } else { large };
        x = x * 3.0 % 1.0;
        n_steps += 1;
    }
}

/// The names for which IR was made when the path for this argument was run.
fn check(x: f64) -> BTreeSet<String> {
    let (n_steps, reached) = walk(x);
    let text = format!("{}f0({x}, {n_steps});", thousand());
    let statistics = Statistics::new();
    let setting = Setting { mode: Mode::Lazy, optimization: Default::default() };
    let run = run_counted(&text, setting, statistics.clone());

    let values = run.items.iter().flat_map(|item| &item.effects);
    let values = values.filter(|(effect, _)| matches!(effect, Effect::Value(_)));
    assert_eq!(values.count(), 1, "the path has an end");

    let totals = statistics.totals();
    let names = |set: &BTreeSet<std::sync::Arc<str>>| set.iter().map(ToString::to_string).collect();
    let ir: BTreeSet<String> = names(&totals.ir_functions);
    assert_eq!(totals.defined.len(), N_FUNCTIONS);
    assert_eq!(ir.len(), N_REACHED);
    assert_eq!(ir, reached);
    let compiled: BTreeSet<String> = run.compiled.into_iter().flatten().collect();
    assert_eq!(compiled, reached);
    ir
}

#[test]
fn of_a_thousand_functions_only_the_reached_are_compiled() {
    let (one, other) = (check(0.1), check(0.7));
    assert_ne!(one, other, "another argument reaches others");
}
