//! Runs programs in hostile environments, in every mode, and compares what comes of it with the
//! table of `docs/hostile-environments.md`. `BLESS=1` rewrites the table.
//!
//! ```text
//! matrix.rs ── one process for each cell: environment × mode × program
//!     └─► cell.rs ── enters the environment (environment.rs, by process.rs)
//!             └─► subject.rs ── makes an engine, runs the program (program.rs), prints the outcome
//! ```
//! A cell is right if the program gives what it gives everywhere, or an error with a code. A crash,
//! a hang and another value are wrong, whatever the table says.
//!
//! `failures` makes each request for memory, mappings, threads and files fail, one by one
//! (failures.rs), in the library and in the command.

mod arch;
mod cell;
mod environment;
mod failures;
mod matrix;
mod parallel;
mod process;
mod program;
mod subject;

use cell::Cell;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => matrix::check(""),
        ["--only", environment] => matrix::check(environment),
        ["cell", environment, mode, program] => match Cell::find(environment, mode, program) {
            Some(cell) => {
                cell.run();
                ExitCode::SUCCESS
            }
            None => refuse(),
        },
        ["failures"] => failures::check(None),
        ["failures", "--every", step] => match step.parse() {
            Ok(step) => failures::check(Some(step)),
            Err(_) => refuse(),
        },
        ["failing", mode, program] => match Cell::find("friendly", mode, program) {
            Some(cell) => {
                cell.run_small();
                ExitCode::SUCCESS
            }
            None => refuse(),
        },
        _ => refuse(),
    }
}

fn refuse() -> ExitCode {
    eprintln!(
        "usage: hostile-environments [--only ENVIRONMENT | failures [--every STEP] \
         | cell ENVIRONMENT MODE PROGRAM | failing MODE PROGRAM]"
    );
    ExitCode::from(2)
}
