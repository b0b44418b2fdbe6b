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

mod arch;
mod cell;
mod environment;
mod matrix;
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
        _ => refuse(),
    }
}

fn refuse() -> ExitCode {
    eprintln!("usage: hostile-environments [--only ENVIRONMENT | cell ENVIRONMENT MODE PROGRAM]");
    ExitCode::from(2)
}
