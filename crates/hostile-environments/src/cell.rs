//! One cell of the table: a program in one mode, in one environment. Runs in a process of its own.

use crate::environment::{ENVIRONMENTS, Environment};
use crate::program::{PROGRAMS, Program};
use crate::subject::{Limits, Subject};
use kaleidoscope::Mode;

/// The name of each mode in the table.
pub(crate) const MODES: &[(&str, Mode)] = &[
    ("tiered", Mode::Tiered),
    ("lazy", Mode::Lazy),
    ("eager", Mode::Eager),
    ("baseline", Mode::Baseline),
    ("off", Mode::Off),
];

/// A cell of the table.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) environment: &'static Environment,
    pub(crate) mode: (&'static str, Mode),
    pub(crate) program: &'static Program,
}

impl Cell {
    /// The cell of these names; `None` if there is none.
    pub(crate) fn find(environment: &str, mode: &str, program: &str) -> Option<Self> {
        Some(Self {
            environment: ENVIRONMENTS.iter().find(|known| known.name == environment)?,
            mode: *MODES.iter().find(|known| known.0 == mode)?,
            program: PROGRAMS.iter().find(|known| known.name == program)?,
        })
    }

    /// Runs the program where nothing is hostile, with small limits, and prints the outcome.
    pub(crate) fn run_small(self) {
        Subject { mode: self.mode.1, program: self.program, limits: Limits::SMALL }.run_here();
    }

    /// Enters the environment, runs the program and prints the outcome.
    pub(crate) fn run(self) {
        (self.environment.run)(Subject { mode: self.mode.1, program: self.program, limits: Limits::LARGE });
    }
}
