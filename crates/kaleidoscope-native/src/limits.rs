//! What a call may use, and who may stop it. A plain value: checked and obeyed elsewhere.

use std::time::Instant;

use crate::stop::Interrupter;

/// What the calls made under it may use, and who may stop them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub(crate) stack_bytes: usize,
    pub(crate) deadline: Option<Instant>,
    pub(crate) interrupter: Option<Interrupter>,
}

impl Limits {
    /// A stack of 256 MiB, no deadline, nobody to interrupt.
    pub const fn new() -> Self {
        Self { stack_bytes: 256 << 20, deadline: None, interrupter: None }
    }

    /// The size of the guest stack in bytes, rounded up to whole pages and at least 64 KiB.
    ///
    /// It is address space: only what is touched costs memory, and what a deep recursion has touched is given back when
    /// the outermost call ends. A thread keeps a few stacks for its later calls. A call inside another continues on a
    /// stack of the same size below the other's frames, if there is one.
    #[must_use]
    pub const fn stack_bytes(mut self, n_bytes: usize) -> Self {
        self.stack_bytes = n_bytes;
        self
    }

    /// Calls end with [`Trap::DeadlinePassed`](crate::Trap::DeadlinePassed) at this time.
    #[must_use]
    pub const fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Calls can be stopped by this interrupter.
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
