//! The engine: what an application holds.

use crate::compile_threads::CompileThreads;
use crate::config::{Builder, Settings};
use crate::failure::Failure;
use crate::interrupt::Interrupter;
use crate::jit::{Jit, Replaced};
use crate::program::Program;
use crate::script::{Outcome, Script};
use crate::shared::{Shared, stub_of};
use crate::{Error, Mode};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::Listing;
use kaleidoscope_ir::text as resolved;
use kaleidoscope_lang::item::Item;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

/// Runs Kaleidoscope programs, and keeps what they define.
///
/// An engine is a handle: clones are the same engine. It may be used from several threads.
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// engine.run("def square(x) x * x;");
/// let outcome = engine.run("square(7);");
/// assert_eq!(outcome.values().collect::<Vec<_>>(), [49.0]);
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) jit: Arc<Jit<Shared>>,
    /// What an evaluation by this handle may take.
    pub(crate) time_limit: Option<Duration>,
    /// Comes last: when it goes, the compile threads end, which may be the last to hold the functions.
    _compiling: Arc<Compiling>,
}

/// Ends the compile threads when nobody has the engine any more.
#[derive(Debug)]
struct Compiling(Option<CompileThreads>);

impl Drop for Compiling {
    fn drop(&mut self) {
        if let Some(threads) = &self.0 {
            threads.close();
        }
    }
}

// A panic of the host's code (an observer, an output, the body of a scope) leaves every table of the engine whole.
impl UnwindSafe for Engine {}
impl RefUnwindSafe for Engine {}

/// What an item that was made part of the program left to do, once no lock is held.
#[derive(Default)]
pub(crate) struct Commit {
    /// The version that a definition begins.
    pub(crate) version: u32,
    /// What becomes of the code that was there.
    pub(crate) replaced: Replaced,
}

impl Engine {
    /// An engine as it is without any setting changed.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Settings for an engine to be made.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn from_builder(builder: Builder) -> Result<Self, Error> {
        let Builder { settings, provided, registrations, variables, definitions_of } = builder;
        let time_limit = settings.time_limit;
        let definitions_of = definitions_of.as_ref().map(|engine| &engine.jit.source);
        let jit = Arc::new(Jit::new(Shared::new(settings, definitions_of).map_err(Error::memory)?));
        jit.source.set_jit(&jit);
        let compiling = Compiling(jit.source.compile_threads.clone());
        let engine = Self { jit, time_limit, _compiling: Arc::new(compiling) };
        let mut program = engine.jit.source.program();
        if let Some(provided) = provided {
            program.keep_only(&provided)?;
        }
        let n_functions = program.names.n_functions();
        engine.declare(&mut program, n_functions).map_err(Error::memory)?;
        for (id, version) in program.versions() {
            // Nothing has code yet that this could have replaced.
            let _: Replaced = engine.jit.define(stub_of(id), version);
        }
        drop(program);
        for registration in registrations {
            engine.provide(registration)?;
        }
        for (name, variable) in &variables {
            engine.bind(name, variable)?;
        }
        Ok(engine)
    }

    /// A new engine that begins with what is defined in this one: functions and operators of programs, what they have declared,
    /// the host's functions and variables, and what was removed. From then on the two know nothing of each other, but that they share the
    /// host's closures and variables, the [output](Builder::output) and the [observers](Builder::observer).
    ///
    /// It has the settings of this one. No code is copied: what is called in the new engine is compiled there. Formulas stay with
    /// the engine that made them. For other settings there is [`Builder::definitions_of`].
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def rate() 0.05; def interest(sum) sum * rate();");
    /// let what_if = engine.fork()?;
    /// what_if.run("def rate() 0.25;");
    /// assert_eq!(what_if.run("interest(100);").values().next(), Some(25.0));
    /// assert_eq!(engine.run("interest(100);").values().next(), Some(5.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn fork(&self) -> Result<Self, Error> {
        let settings = Settings { time_limit: self.time_limit, ..self.jit.source.settings.clone() };
        Builder { settings, ..Builder::default() }.definitions_of(self).build()
    }

    /// When this engine makes code.
    pub fn mode(&self) -> Mode {
        self.jit.source.settings.mode
    }

    /// Another handle of this engine: what is evaluated by it, or by handles of functions made by it, may take so long,
    /// compiling included. [`crate::Builder::time_limit`] says what holds for a handle of which nothing is said.
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
        Self { time_limit: Some(limit), ..self.clone() }
    }

    /// What stops the evaluations of this engine from another thread.
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
    pub fn interrupter(&self) -> Interrupter {
        self.jit.source.interrupter.clone()
    }

    /// Runs the text: every item, going on after errors.
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    ///
    /// let engine = Engine::new()?;
    /// let outcome = engine.run("1 + 1; 2 +; 3;");
    /// assert_eq!(outcome.values().collect::<Vec<_>>(), [2.0, 3.0]);
    /// assert_eq!(outcome.diagnostics().next().map(|diagnostic| diagnostic.code), Some(DiagnosticCode::ExpectedExpression));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn run(&self, text: &str) -> Outcome {
        let mut script = self.script("text");
        script.push(text);
        script.run_to_end()
    }

    /// A text to be run item by item. The name is for diagnostics: a file's name, say.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// let mut script = engine.script("typed");
    /// script.push("def f(x) ");
    /// assert!(script.run_next().is_none() && script.is_pending());
    /// script.push("x + 1; f(1);");
    /// assert_eq!(script.run_next().and_then(|item| item.value), None);
    /// assert_eq!(script.run_next().and_then(|item| item.value), Some(2.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn script(&self, name: &str) -> Script {
        Script::new(self.clone(), name)
    }

    /// The resolved form of an item, as text; nothing for an `extern`.
    pub fn resolved(&self, item: &Item) -> Option<String> {
        match item {
            Item::Definition { function, .. } | Item::Expression { function, .. } => {
                Some(format!("{}", resolved::Listing::new(function, &self.jit.source.program().names)))
            }
            _ => None,
        }
    }

    /// The code that would be made of an item, as text; nothing for an `extern`. It is not run.
    ///
    /// # Errors
    /// Why no code can be made, in a sentence.
    pub fn list(&self, item: &Item, listing: Listing) -> Result<Option<String>, String> {
        let shared = &self.jit.source;
        let program = shared.program();
        let unit = match item {
            Item::Definition { id, .. } => {
                let Some(unit) = program.unit_of(*id) else { return Ok(None) };
                unit
            }
            Item::Expression { function, .. } => program.unit(Arc::clone(function), None, 1),
            _ => return Ok(None),
        };
        let name_of = |&id: &FunctionId| (id, program.names.signature(id).name.to_string());
        let names = unit.call_targets.keys().map(name_of).collect();
        drop(program);
        shared.list(unit, listing, names).map(Some).map_err(|reason| reason.to_string())
    }

    /// Gives stubs to the functions that have none yet, up to this number of functions.
    pub(crate) fn declare(
        &self,
        program: &mut Program,
        n_functions: usize,
    ) -> Result<(), kaleidoscope_native::Error> {
        let slots = self.jit.declare(n_functions)?;
        program.add_slots(slots);
        Ok(())
    }

    /// Takes away what stands behind the function, and its name.
    pub(crate) fn withdraw(&self, program: &mut Program, id: FunctionId) -> Replaced {
        let version = program.remove(id);
        self.jit.define(stub_of(id), version)
    }

    /// Makes the item part of the program, which this is the text of. On an error nothing has changed.
    pub(crate) fn commit(&self, program: &mut Program, item: &Item, source: &str) -> Result<Commit, Failure> {
        let n_functions = program.names.n_functions() + item.new_functions().len();
        self.jit.source.check_functions(n_functions - program.n_provided())?;
        self.declare(program, n_functions).map_err(|error| Failure::Memory { reason: error.to_string() })?;
        let before = match item {
            Item::Definition { function, .. } => program.names.current(&function.name),
            _ => None,
        };
        program.names.commit(item);
        let Item::Definition { id, function, .. } = item else { return Ok(Commit::default()) };
        let version = program.define(*id, Arc::clone(function), source);
        Ok(Commit { version, replaced: self.supersede(before, *id, version) })
    }

    /// The function of this id has a new version, and its name, which meant `before`, means it.
    pub(crate) fn supersede(&self, before: Option<FunctionId>, id: FunctionId, version: u32) -> Replaced {
        let replaced = self.jit.define(stub_of(id), version);
        match before.filter(|before| *before != id) {
            // The name has another arity now: the old function is withdrawn.
            Some(before) => replaced.and(self.jit.define(stub_of(before), version)),
            None => replaced,
        }
    }
}
