//! Snapshots: what all names of functions mean at one time, and the way back to it.

use crate::program::Program;
use crate::shared::Shared;
use crate::{Engine, Error};
use kaleidoscope_jit::in_engine_mode;
use std::sync::{Arc, Weak};

/// What all functions and operators of an engine mean at one time. From [`Engine::snapshot`].
#[derive(Debug)]
pub struct Snapshot {
    engine: Weak<Shared>,
    program: Program,
    definitions: kaleidoscope_jit::Snapshot,
}

impl Engine {
    /// What all functions and operators mean now, for [`Self::restore`].
    ///
    /// A snapshot keeps the definitions of all functions, not their code, and the closures of host
    /// functions.
    pub fn snapshot(&self) -> Snapshot {
        let program = self.shared.program();
        Snapshot {
            engine: Arc::downgrade(&self.shared),
            program: program.clone(),
            definitions: self.jit.snapshot(),
        }
    }

    /// Gives all functions and operators the meaning that they had in a snapshot of this engine.
    /// Functions that did not exist are removed. It is one step: no call sees some of the changes,
    /// and running code sees them as it sees a `def`. Each function that changes begins a version.
    ///
    /// Host variables, arrays and formulas stay as they are.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def rate() 2; def price(x) x * rate();").ok()?;
    /// let before = engine.snapshot();
    /// engine.run("def rate() 3; def binary| 5 (a b) a + b;").ok()?;
    /// assert_eq!(engine.run("price(10) | 1;").ok()?, [31.0]);
    /// engine.restore(&before)?;
    /// assert_eq!(engine.run("price(10);").ok()?, [20.0]);
    /// assert!(engine.function_info("binary|").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::OtherEngine`](crate::ErrorKind::OtherEngine) if the snapshot is of another
    ///   engine.
    /// - [`ErrorKind::Observer`](crate::ErrorKind::Observer) if an observer panicked. The
    ///   definitions have changed.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), Error> {
        in_engine_mode(|| self.restore_in_engine_mode(snapshot))
    }

    fn restore_in_engine_mode(&self, snapshot: &Snapshot) -> Result<(), Error> {
        self.admit()?;
        if !std::ptr::eq(Arc::as_ptr(&self.shared), snapshot.engine.as_ptr()) {
            return Err(Error::other_engine());
        }
        let mut program = self.shared.program();
        program.names.restore(&snapshot.program.names);
        let mut changed = Vec::new();
        let restored = self.jit.restore(&snapshot.definitions, |id| {
            let version = program.restore(id, &snapshot.program)?;
            changed.push(id);
            Some(version)
        });
        let superseded = restored.map_err(Error::of_trap)?;
        drop(program);
        let settled = self.jit.settle(superseded);
        let is_defined = |id| self.jit.ir(id).is_some();
        let compiled = changed.into_iter().filter(|&id| is_defined(id)).map(|id| self.compile_if_eager(id));
        compiled.fold(settled, Result::and).map_err(Error::of_trap)
    }
}
