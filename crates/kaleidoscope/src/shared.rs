//! What the handles of one engine share beside the JIT: the program's names, and its limits.

use crate::config::ProgramSettings;
use crate::failure::Failure;
use crate::program::Program;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_jit::{Embedder, HostError};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The program's names and limits.
pub(crate) struct Shared {
    pub(crate) settings: ProgramSettings,
    program: Mutex<Program>,
}

impl Shared {
    pub(crate) fn new(settings: ProgramSettings, program: Program) -> Self {
        Self { settings, program: Mutex::new(program) }
    }

    pub(crate) fn program(&self) -> MutexGuard<'_, Program> {
        // Only code of this crate and of the front end runs under the lock. A panic there leaves
        // the names consistent, because an item is committed in one step at its end.
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails if programs may not name so many functions. Provided functions are not counted.
    pub(crate) fn check_functions(&self, n_functions: usize) -> Result<(), Failure> {
        match n_functions <= self.settings.max_functions {
            true => Ok(()),
            false => Err(Failure::TooManyFunctions),
        }
    }
}

impl Embedder for Shared {
    fn unavailable(&self, function: FunctionId) -> HostError {
        self.program().why_unavailable(function).into()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}
