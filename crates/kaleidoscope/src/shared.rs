//! What the handles of one engine share apart from the JIT: the program's names and limits.

use crate::failure::Failure;
use crate::program::Program;
use crate::{Output, PutchardUnit, StandardOutput};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_jit::{Embedder, HostError, Process};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Settings for an engine's programs, which hold for its whole life. The JIT has the settings of
/// compilation.
#[derive(Clone)]
pub(crate) struct ProgramSettings {
    pub(crate) max_functions: usize,
    pub(crate) max_item_bytes: usize,
    pub(crate) output: Arc<dyn Output>,
    pub(crate) putchard_unit: PutchardUnit,
    /// Whether functions know their positions in the text, for debug information.
    pub(crate) keeps_positions: bool,
}

impl Default for ProgramSettings {
    fn default() -> Self {
        Self {
            max_functions: usize::MAX,
            max_item_bytes: usize::MAX,
            output: Arc::new(StandardOutput),
            putchard_unit: PutchardUnit::default(),
            keeps_positions: false,
        }
    }
}

/// The program's names and limits.
pub(crate) struct Shared {
    pub(crate) settings: ProgramSettings,
    program: Mutex<Program>,
    process: Process,
}

impl Shared {
    pub(crate) fn new(settings: ProgramSettings, program: Program) -> Self {
        Self { settings, program: Mutex::new(program), process: Process::current() }
    }

    /// # Panics
    /// In a forked child, where another thread may have been changing the program, or have held its
    /// lock. Operations that can return an error ask [`Jit::admit`] first.
    ///
    /// [`Jit::admit`]: kaleidoscope_jit::Jit::admit
    pub(crate) fn program(&self) -> MutexGuard<'_, Program> {
        assert!(self.process.is_current(), "an engine is not used in a forked child: make another there");
        // Only this crate and the front end run under the lock. A panic there leaves
        // the names consistent, because an item is committed in one step at its end.
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails if programs may not name this many functions. Provided functions do not count.
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

impl fmt::Debug for ProgramSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgramSettings")
            .field("max_functions", &self.max_functions)
            .field("max_item_bytes", &self.max_item_bytes)
            .field("putchard_unit", &self.putchard_unit)
            .finish_non_exhaustive()
    }
}
