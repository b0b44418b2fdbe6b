//! One text in every mode, and what to say when the modes do not agree.

use std::sync::{Mutex, PoisonError};

use kaleidoscope::{Mode, Optimization};

use crate::columns::check_columns;
use crate::generate::Program;
use crate::promotion::{Promotions, check_promotion};
use crate::run::{Run, Setting, run};

/// The reference evaluator, by which the others are judged.
const ORACLE: Setting = Setting { mode: Mode::Off, optimization: Optimization::None };

/// The others. Eager code is made without optimisation, so that two ways through LLVM are compared in one go.
const JUDGED: &[Setting] = &[
    Setting { mode: Mode::Tiered, optimization: Optimization::Aggressive },
    Setting { mode: Mode::Lazy, optimization: Optimization::Default },
    Setting { mode: Mode::Eager, optimization: Optimization::None },
    Setting { mode: Mode::Baseline, optimization: Optimization::None },
];

/// Runs the text in every mode.
///
/// # Errors
///
/// Where the first mode that disagrees does so, in words.
pub fn compare(text: &str) -> Result<Run, String> {
    let expected = run(text, ORACLE);
    for setting in JUDGED {
        let got = run(text, *setting);
        if let Some(difference) = difference(&expected, &got) {
            return Err(format!(
                "mode {} at level {:?}: {difference}",
                setting.mode.name(),
                setting.optimization
            ));
        }
    }
    Ok(expected)
}

/// The first item of which the runs differ.
fn difference(expected: &Run, got: &Run) -> Option<String> {
    if expected.items.len() != got.items.len() {
        return Some(format!("{} items instead of {}", got.items.len(), expected.items.len()));
    }
    let mut pairs = expected.items.iter().zip(&got.items);
    let (expected, got) = pairs.find(|(expected, got)| expected != got)?;
    Some(format!("the item that ends on line {}\n  expected {expected:?}\n  got      {got:?}", expected.line))
}

/// Held while a program is run under promotion.
static PROMOTION: Mutex<()> = Mutex::new(());

/// Compares the program of a seed, in every mode with variables of the host, and then, without them, over columns, and with several
/// threads while its functions are promoted; when the modes do not agree, makes it as small as removing items can.
///
/// # Errors
///
/// The program, where it fails, and how to see it again.
pub fn check_seed(seed: u64) -> Result<(Run, Promotions), String> {
    let again = |report| format!("{report}── again: cargo xtask random --programs 1 --seed {seed} ──");
    let run = check_program(&Program::with_host_variables(seed)).map_err(again)?;
    check_columns(&Program::new(seed)).map_err(again)?;
    // One at a time: each has more threads than a small machine has processors.
    let alone = PROMOTION.lock().unwrap_or_else(PoisonError::into_inner);
    let promotions = check_promotion(&Program::new(seed)).map_err(again)?;
    drop(alone);
    Ok((run, promotions))
}

/// Compares the program; when the modes do not agree, makes it as small as removing items can.
///
/// # Errors
///
/// The small program and where it fails.
pub fn check_program(program: &Program) -> Result<Run, String> {
    compare(&program.text()).map_err(|difference| {
        let small = reduce(&program.items, |items| compare(&items.concat()).is_err());
        let text = small.concat();
        let difference = compare(&text).err().unwrap_or(difference);
        format!("the modes do not agree: {difference}\n── the program, reduced ──\n{text}\n")
    })
}

/// Removes items, first many at once, then one by one, as long as the rest still fails.
pub(crate) fn reduce<T: Clone>(items: &[T], fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut items = items.to_vec();
    let mut size = items.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < items.len() {
            let mut rest = items.clone();
            rest.drain(at..(at + size).min(items.len()));
            if fails(&rest) {
                items = rest;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    items
}

#[cfg(test)]
mod tests;
