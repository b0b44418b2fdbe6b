//! Snapshots of definitions, and the way back to them.

use super::Jit;
use crate::dependents::Superseded;
use crate::snapshot::Snapshot;
use crate::trap::Trap;
use kaleidoscope_ir::FunctionId;

impl Jit {
    /// All definitions as they are now.
    pub fn snapshot(&self) -> Snapshot {
        self.core.snapshot()
    }

    /// Gives all functions the definitions that they had in a snapshot of this engine, in one step:
    /// no call sees some of them. Younger functions become unavailable. `next_version` is asked for
    /// the version of each function that changes, which must increase; a function without one stays
    /// as it is. It is called with the engine's lock held, so it must not use this engine.
    ///
    /// # Errors
    /// [`Trap::CannotEvaluate`] in a forked child.
    pub fn restore(
        &self,
        snapshot: &Snapshot,
        next_version: impl FnMut(FunctionId) -> Option<u32>,
    ) -> Result<Superseded, Trap> {
        self.core.admit_process()?;
        Ok(self.core.restore(snapshot, next_version))
    }
}
