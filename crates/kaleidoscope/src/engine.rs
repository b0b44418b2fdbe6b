//! The engine: the handle that an application holds.

use crate::backtrace::{Frame, Place};
use crate::failure::Failure;
use crate::program::Program;
use crate::shared::Shared;
use crate::{CallError, Error, Interrupter, Mode};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::Listing;
use kaleidoscope_ir::text::WithNames;
use kaleidoscope_jit::{CallLimits, Change, Definition, Jit, RowTrap, Superseded, Trap, in_engine_mode};
use kaleidoscope_lang::item::Item;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

/// Runs Kaleidoscope programs, and keeps their definitions.
///
/// An engine is a handle: its clones are the same engine. Threads may share it.
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// engine.run("def square(x) x * x;").ok()?;
/// let outcome = engine.run("square(7);");
/// assert_eq!(outcome.values().collect::<Vec<_>>(), [49.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) jit: Jit,
    pub(crate) shared: Arc<Shared>,
    /// The limits of evaluations by this handle.
    pub(crate) limits: CallLimits,
}

// A panic in host code (an observer, an output, the body of a scope) leaves every table consistent.
impl UnwindSafe for Engine {}
impl RefUnwindSafe for Engine {}

impl Engine {
    /// When this engine compiles functions, and by which tier.
    pub fn mode(&self) -> Mode {
        self.jit.mode()
    }

    /// A handle of this engine with this time limit, compilation included. The limit holds for
    /// evaluations by this handle, and for calls by function handles made from it.
    /// [`Builder::time_limit`](crate::Builder::time_limit) sets the limit of all other handles.
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    /// use std::time::Duration;
    ///
    /// let engine = Engine::new()?;
    /// let outcome = engine.within(Duration::from_millis(20)).run("for i = 0, 1 in 0;");
    /// assert!(outcome.diagnostics().any(|diagnostic| diagnostic.code == DiagnosticCode::TimedOut));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { limits: self.limits.time(limit), ..self.clone() }
    }

    /// The interrupter, which stops the evaluations of this engine from another thread.
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    /// use std::thread;
    ///
    /// let engine = Engine::new()?;
    /// let interrupter = engine.interrupter();
    /// let running = thread::spawn(move || engine.run("for i = 0, 1 in 0;"));
    /// while !running.is_finished() {
    ///     interrupter.interrupt();
    ///     thread::yield_now();
    /// }
    /// let outcome = running.join().expect("nothing panics here");
    /// assert!(outcome.diagnostics().any(|diagnostic| diagnostic.code == DiagnosticCode::Interrupted));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    ///
    /// A host function may interrupt the evaluation that calls it. Later evaluations are not
    /// affected:
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    ///
    /// let engine = Engine::new()?;
    /// let interrupter = engine.interrupter();
    /// engine.register("press_the_button", move || {
    ///     interrupter.interrupt();
    ///     0.0
    /// })?;
    /// let outcome = engine.run("press_the_button(); 7;");
    /// assert_eq!(outcome.diagnostics().next().map(|diagnostic| diagnostic.code), Some(DiagnosticCode::Interrupted));
    /// assert_eq!(outcome.values().next(), Some(7.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn interrupter(&self) -> Interrupter {
        self.jit.interrupter()
    }

    /// The IR of an item as text; `None` for an `extern`.
    pub fn ir_text(&self, item: &Item) -> Option<String> {
        match item {
            Item::Definition { function, .. } | Item::Expression { function, .. } => {
                let program = self.shared.program();
                Some(in_engine_mode(|| WithNames::new(function, &program.names).to_string()))
            }
            _ => None,
        }
    }

    /// The optimizing compiler's code for an item as text; `None` for an `extern`. The code does
    /// not run.
    ///
    /// # Errors
    /// Why the item cannot be compiled, as a sentence.
    pub fn list(&self, item: &Item, listing: Listing) -> Result<Option<String>, String> {
        let name_of = |id| self.shared.program().names.signature(id).name.to_string();
        let listed = match item {
            Item::Definition { id, .. } => self.jit.list(*id, listing, name_of),
            Item::Expression { function, .. } => {
                self.jit.list_expression(function, listing, name_of).map(Some)
            }
            _ => Ok(None),
        };
        listed.map_err(|reason| reason.to_string())
    }

    /// The error of a call, with the places of its functions.
    #[cold]
    pub(crate) fn call_error(&self, failure: impl Into<Failure>) -> CallError {
        let failure = failure.into();
        let functions = failure.functions();
        if functions.is_empty() || !self.jit.is_of_this_process() {
            return failure.into();
        }
        let frames = {
            let program = self.shared.program();
            let frame = |name: &Arc<str>| Frame::new(Arc::clone(name), program.place_of(name));
            functions.into_iter().map(frame).collect()
        };
        CallError::new(failure, frames)
    }

    /// As [`call_error`](Self::call_error), of a scan or fold.
    #[cold]
    pub(crate) fn row_error(&self, RowTrap { row, trap }: RowTrap) -> CallError {
        let error = self.call_error(trap);
        match row {
            Some(row) => error.at_row(row),
            None => error,
        }
    }

    /// Whether this engine can be used here: not in a forked child.
    pub(crate) fn admit(&self) -> Result<(), Error> {
        self.jit.admit().map_err(Error::of_trap)
    }

    /// Declares the functions that the names are about to get, in the order of their ids.
    pub(crate) fn declare(
        &self,
        arities: impl ExactSizeIterator<Item = u32>,
    ) -> Result<(), kaleidoscope_jit::Error> {
        if arities.len() > 0 {
            self.jit.declare_all(arities.map(|arity| (arity, None)))?;
        }
        Ok(())
    }

    /// Adds the item, whose text is `source` and begins at `place`, to the program. On an error,
    /// nothing has changed.
    pub(crate) fn commit(
        &self,
        program: &mut Program,
        item: &Item,
        source: &str,
        place: Option<Place>,
    ) -> Result<Superseded, Failure> {
        let n_functions = program.names.n_functions() + item.new_functions().len();
        self.shared.check_functions(n_functions - program.n_provided())?;
        let arities = item.new_functions().iter().map(|signature| signature.arity);
        self.declare(arities).map_err(|error| Failure::Memory { reason: error.to_string() })?;
        let before = match item {
            Item::Definition { function, .. } => program.names.current(&function.name),
            _ => None,
        };
        program.names.commit(item);
        let Item::Definition { id, function, .. } = item else { return Ok(Superseded::default()) };
        let version = program.define(*id, source, place);
        let definition = Definition::Ir(Arc::clone(function));
        Ok(self.supersede(before, *id, definition, version)?)
    }

    /// Defines the function as this version of its name. `before` is the function that had the
    /// name.
    pub(crate) fn supersede(
        &self,
        before: Option<FunctionId>,
        id: FunctionId,
        definition: Definition,
        version: u32,
    ) -> Result<Superseded, Trap> {
        let change = Change::new(id, definition).version(version);
        match before.filter(|before| *before != id) {
            // The name has another arity now: the old function becomes unavailable.
            Some(old) => self.jit.apply([change, Change::new(old, Definition::Unavailable).version(version)]),
            None => self.jit.apply([change]),
        }
    }

    /// Compiles a new definition in [`Mode::Eager`]. What keeps it from being compiled is no error
    /// here: the first call fails again, and reports it.
    pub(crate) fn compile_if_eager(&self, id: FunctionId) -> Result<(), Trap> {
        if self.mode() != Mode::Eager {
            return Ok(());
        }
        match self.jit.compile_eagerly(id, self.limits) {
            Ok(()) | Err(Trap::Compile { .. } | Trap::CodeMemoryFull { .. }) => Ok(()),
            Err(trap) => Err(trap),
        }
    }

    /// Withdraws a function and its name.
    pub(crate) fn withdraw(&self, program: &mut Program, id: FunctionId) -> Result<Superseded, Trap> {
        let version = program.remove(id);
        self.jit.apply([Change::new(id, Definition::Unavailable).version(version)])
    }
}
