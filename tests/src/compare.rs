//! Differential testing: runs one text in every mode and reports where the modes disagree.

use std::sync::{Mutex, PoisonError};

use kaleidoscope::{Mode, Optimization};

use crate::columns::check_columns;
use crate::generate::{Program, has_prelude};
use crate::run::{Run, Setting, run};
use crate::tier_up::{TierUps, check_tier_up};

/// The interpreter: the reference that all other settings must agree with.
const REFERENCE: Setting = Setting::new(Mode::Off, Optimization::None);

/// The settings to test. Eager code is not optimized, so that one comparison covers LLVM with and
/// without its passes.
const TESTED: &[Setting] = &[
    Setting::new(Mode::Tiered, Optimization::Aggressive),
    Setting::new(Mode::Lazy, Optimization::Default),
    Setting::new(Mode::Eager, Optimization::None),
    Setting::new(Mode::Baseline, Optimization::None),
];

/// The settings to test with one text of [`N_PER_DEBUGGED`]: code for debuggers is different, and
/// takes longer to compile.
const DEBUGGED: &[Setting] = &[
    Setting::new(Mode::Baseline, Optimization::None).with_debug_info(),
    Setting::new(Mode::Tiered, Optimization::Default).with_debug_info(),
];

/// Of how many texts one runs as code for debuggers, by its length.
const N_PER_DEBUGGED: usize = 8;

/// Runs the text in every mode.
///
/// # Errors
///
/// Describes the first difference of the first mode that disagrees.
pub fn compare(text: &str) -> Result<Run, String> {
    let expected = run(text, REFERENCE);
    let debugged = if text.len().is_multiple_of(N_PER_DEBUGGED) { DEBUGGED } else { &[] };
    for setting in TESTED.iter().chain(debugged) {
        let got = run(text, *setting);
        if let Some(difference) = difference(&expected, &got) {
            return Err(format!(
                "mode {} at level {:?}{}: {difference}",
                setting.mode.name(),
                setting.optimization,
                if setting.has_debug_info { " with debug information" } else { "" }
            ));
        }
    }
    Ok(expected)
}

/// Describes the first item whose results differ.
fn difference(expected: &Run, got: &Run) -> Option<String> {
    if expected.items.len() != got.items.len() {
        return Some(format!("{} items instead of {}", got.items.len(), expected.items.len()));
    }
    let mut pairs = expected.items.iter().zip(&got.items);
    let (expected, got) = pairs.find(|(expected, got)| expected != got)?;
    Some(format!("the item that ends on line {}\n  expected {expected:?}\n  got      {got:?}", expected.line))
}

/// Held by the one thread that runs a tier-up check.
static TIER_UP: Mutex<()> = Mutex::new(());

/// Checks the program of a seed: in every mode with host variables, then without them over columns
/// and in several threads while its functions tier up. Reduces the program if the modes disagree.
///
/// # Errors
///
/// Returns the program, the difference, and the command that repeats the check.
pub fn check_seed(seed: u64) -> Result<(Run, TierUps), String> {
    let again = |report| format!("{report}── again: cargo xtask random --programs 1 --seed {seed} ──");
    let run = check_program(&Program::with_host_variables(seed)).map_err(again)?;
    let program = if has_prelude(seed) { Program::with_prelude(seed) } else { Program::new(seed) };
    check_columns(&program).map_err(again)?;
    // One check at a time: each starts more threads than a small machine has processors.
    let alone = TIER_UP.lock().unwrap_or_else(PoisonError::into_inner);
    let tier_ups = check_tier_up(&program).map_err(again)?;
    drop(alone);
    Ok((run, tier_ups))
}

/// Runs the program in every mode. Reduces it if the modes disagree.
///
/// # Errors
///
/// Returns the reduced program and the difference.
pub fn check_program(program: &Program) -> Result<Run, String> {
    compare(&program.text()).map_err(|difference| {
        let small = reduce(&program.items, |items| compare(&items.concat()).is_err());
        let text = small.concat();
        let difference = compare(&text).err().unwrap_or(difference);
        format!("the modes do not agree: {difference}\n── the program, reduced ──\n{text}\n")
    })
}

/// Removes items, first many at a time and then single ones, as long as the rest still fails.
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
