//! Code budget: how much machine code an engine may have in memory.

use crate::trap::Trap;
use kaleidoscope_ir::compile::Code;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit on the bytes of machine code that exist at once.
#[derive(Debug)]
pub(crate) struct CodeBudget {
    limit: usize,
    used: Arc<AtomicUsize>,
}

/// The bytes of one piece of code, returned to the budget on drop.
struct Charge {
    bytes: usize,
    used: Arc<AtomicUsize>,
}

impl CodeBudget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// Fails if the budget is used up: checked before compiling.
    pub(crate) fn check(&self) -> Result<(), Trap> {
        match self.used.load(Ordering::Relaxed) < self.limit {
            true => Ok(()),
            false => Err(self.exceeded()),
        }
    }

    /// Charges the code for as long as it exists, or refuses it.
    pub(crate) fn charge(&self, code: Code) -> Result<Code, Trap> {
        let charge = Charge { bytes: code.bytes, used: Arc::clone(&self.used) };
        let before = self.used.fetch_add(code.bytes, Ordering::Relaxed);
        if before.saturating_add(code.bytes) > self.limit {
            return Err(self.exceeded());
        }
        // Tuple fields drop in order: the code is freed before its bytes are returned.
        Ok(Code { keep: Box::new((code.keep, charge)), ..code })
    }

    fn exceeded(&self) -> Trap {
        Trap::CodeMemoryFull { limit: self.limit }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
