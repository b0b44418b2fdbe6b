//! Laziness at scale: of a thousand functions, the engine compiles exactly those that a call
//! reaches.
//!
//! Each function calls one of two others, depending on its argument, so the argument chooses a path
//! through the thousand. The test computes the same path itself and knows the names in advance.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use kaleidoscope::{Mode, Statistics};
use kaleidoscope_tests::run::{Effect, Setting, run_counted};

const N_FUNCTIONS: usize = 1000;
const N_REACHED: usize = 49;

/// Returns which functions function `idx` calls for a small and for a large argument.
fn successors(idx: usize) -> (usize, usize) {
    ((idx * 7 + 1) % N_FUNCTIONS, (idx * 11 + 5) % N_FUNCTIONS)
}

/// Writes the thousand functions.
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

/// Walks the path from `f0` with this argument. Returns the number of steps until [`N_REACHED`]
/// functions are reached, and their names.
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

/// Runs the path for this argument and returns the names of the functions compiled to LLVM IR.
fn check(x: f64) -> BTreeSet<String> {
    let (n_steps, reached) = walk(x);
    let text = format!("{}f0({x}, {n_steps});", thousand());
    let statistics = Statistics::new();
    let setting = Setting::new(Mode::Lazy, Default::default());
    let run = run_counted(&text, setting, statistics.clone());

    let values = run.items.iter().flat_map(|item| &item.effects);
    let values = values.filter(|(effect, _)| matches!(effect, Effect::Value(_)));
    assert_eq!(values.count(), 1, "the path ends with a value");

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
fn only_reached_functions_are_compiled() {
    let (one, other) = (check(0.1), check(0.7));
    assert_ne!(one, other, "another argument reaches other functions");
}
