//! How much machine code an engine may have in memory.

use crate::failure::Failure;
use kaleidoscope_ir::compile::Code;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit on the bytes of code that live at once.
#[derive(Debug)]
pub(crate) struct CodeBudget {
    limit: usize,
    used: Arc<AtomicUsize>,
}

/// What some code takes of a budget, until it is dropped.
struct Charge {
    bytes: usize,
    used: Arc<AtomicUsize>,
}

impl CodeBudget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// Whether there is anything left, to be asked before the trouble of making code.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.used.load(Ordering::Relaxed) < self.limit {
            true => Ok(()),
            false => Err(self.exceeded()),
        }
    }

    /// Counts the code as long as it lives, or refuses it.
    pub(crate) fn charge(&self, code: Code) -> Result<Code, Failure> {
        let charge = Charge { bytes: code.bytes, used: Arc::clone(&self.used) };
        let before = self.used.fetch_add(code.bytes, Ordering::Relaxed);
        if before.saturating_add(code.bytes) > self.limit {
            return Err(self.exceeded());
        }
        // The code goes first, then its bytes are given back.
        Ok(Code { keep: Box::new((code.keep, charge)), ..code })
    }

    fn exceeded(&self) -> Failure {
        Failure::CodeMemory { limit: self.limit }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
