//! Limits of guarded calls: stack size, deadline, interrupter. A plain value; other modules
//! enforce it.

use std::time::Instant;

use crate::interrupt::Interrupter;

/// What a guarded call may use, and who may interrupt it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub(crate) stack_bytes: usize,
    pub(crate) min_stack_bytes: usize,
    pub(crate) deadline: Option<Instant>,
    pub(crate) interrupter: Option<Interrupter>,
}

impl Limits {
    /// A guest stack of 256 MiB, no deadline, no interrupter.
    pub const fn new() -> Self {
        Self { stack_bytes: 256 << 20, min_stack_bytes: 256 << 20, deadline: None, interrupter: None }
    }

    /// Sets the size of the guest stack in bytes, rounded up to whole pages and at least 64 KiB.
    ///
    /// The size is address space: only touched pages cost memory, and the pages that a deep
    /// recursion touched are released when the outermost call ends. A thread keeps a few stacks
    /// for later calls. A nested call uses the stack of an outer call of the same size, below the
    /// outer call's frames.
    #[must_use]
    pub const fn stack_bytes(mut self, n_bytes: usize) -> Self {
        self.stack_bytes = n_bytes;
        self.min_stack_bytes = n_bytes;
        self
    }

    /// Accepts a smaller stack, of at least this number of bytes, where the system refuses the size
    /// that [`stack_bytes`](Self::stack_bytes) sets. To be set after that.
    #[must_use]
    pub const fn min_stack_bytes(mut self, n_bytes: usize) -> Self {
        self.min_stack_bytes = n_bytes;
        self
    }

    /// Sets the time at which calls end with [`Trap::DeadlinePassed`](crate::Trap::DeadlinePassed).
    #[must_use]
    pub const fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the interrupter that can end calls with
    /// [`Trap::Interrupted`](crate::Trap::Interrupted).
    #[must_use]
    pub const fn interrupter(mut self, interrupter: Interrupter) -> Self {
        self.interrupter = Some(interrupter);
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
