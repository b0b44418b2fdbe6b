//! `./check`: runs the parts of the project's checks and prints a table of the results.
//!
//! The part `core` is for a person: format, tidy, clippy, tests, documentation. `all` is what CI
//! runs: the core and every other part. A part is a row of [`parts::PARTS`]: what it needs, and its
//! steps. A step that fails hides no other step: every step of every selected part runs, and the
//! exit code says whether all passed.

mod editors;
mod needs;
mod parts;
mod process;
mod python;
mod table;

pub(crate) use process::{Group, start_watcher, watch};

use std::time::{Duration, Instant};

use parts::{Action, PARTS, Part};
use table::{Row, Verdict};

/// Parts to run, in the order of the table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Print the parts.
    List,
    /// Run these parts.
    Parts(Vec<&'static str>),
}

impl Selection {
    /// Reads the arguments of `./check`.
    ///
    /// # Errors
    ///
    /// One sentence, when an argument names no part.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        match *arguments {
            [] => Ok(Self::Parts(vec![parts::CORE])),
            ["list"] => Ok(Self::List),
            ["all"] => Ok(Self::Parts(PARTS.iter().map(|part| part.name).collect())),
            ref names => {
                if let Some(unknown) = names.iter().find(|name| PARTS.iter().all(|part| part.name != **name))
                {
                    return Err(format!("there is no part `{unknown}`; `./check list` lists the parts"));
                }
                let selected = PARTS.iter().filter(|part| names.contains(&part.name));
                Ok(Self::Parts(selected.map(|part| part.name).collect()))
            }
        }
    }
}

/// Runs what is selected and prints the table.
///
/// # Errors
///
/// How many steps failed. With `CI=true` a skipped part is a failure.
pub(crate) fn run(selection: &Selection) -> Result<(), String> {
    let names = match selection {
        Selection::List => {
            println!("{}", table::list(PARTS));
            return Ok(());
        }
        Selection::Parts(names) => names,
    };
    start_watcher()?;
    let began = Instant::now();
    let may_skip = std::env::var("CI").map_or(true, |value| value != "true");
    let selected = PARTS.iter().filter(|part| names.contains(&part.name));
    let rows: Vec<Row> = selected.flat_map(|part| run_part(part, may_skip)).collect();
    println!("\n{}", table::results(&rows, began.elapsed()));
    match rows.iter().filter(|row| matches!(row.verdict, Verdict::Failed(_))).count() {
        0 => Ok(()),
        n_failed => Err(format!("{n_failed} failed")),
    }
}

/// Runs the steps of a part within its time limit: one row for each.
fn run_part(part: &Part, may_skip: bool) -> Vec<Row> {
    let row = |step, verdict, time| Row { part: part.name, step, verdict, time };
    let began = Instant::now();
    if let Err(missing) = needs::install(part.needs) {
        eprintln!("── {}: {missing}", part.name);
        let verdict = if may_skip { Verdict::Skipped(missing) } else { Verdict::Failed(missing) };
        return vec![row("", verdict, began.elapsed())];
    }
    let deadline = began + part.limit;
    part.steps
        .iter()
        .map(|step| {
            eprintln!("── {}: {}", part.name, step.name);
            let step_began = Instant::now();
            let run_cargo = |arguments: &str, variables| {
                let arguments: Vec<_> = arguments.split_whitespace().collect();
                process::cargo(&arguments, variables, Some(deadline))
            };
            let result = match step.action {
                Action::Cargo(arguments) => run_cargo(arguments, &[]),
                Action::CargoWith(arguments, variables) => run_cargo(arguments, variables),
                Action::Inside(act) => act(),
            };
            let time = step_began.elapsed();
            let verdict = result.map_or_else(Verdict::Failed, |()| Verdict::Passed);
            eprintln!("── {}: {}: {} after {}", part.name, step.name, verdict.name(), seconds(time));
            row(step.name, verdict, time)
        })
        .collect()
}

/// The time as it is printed.
fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests;
