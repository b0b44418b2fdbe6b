//! The engine: what an application holds.

use crate::config::{Builder, ProgramSettings};
use crate::failure::Failure;
use crate::host::built_in;
use crate::program::Program;
use crate::script::{Outcome, Script};
use crate::shared::Shared;
use crate::{Error, Interrupter, Mode};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::Listing;
use kaleidoscope_ir::text::WithNames;
use kaleidoscope_jit::{CallLimits, Change, Definition, Embedder, Jit, Superseded, Trap};
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
    pub(crate) jit: Jit,
    pub(crate) shared: Arc<Shared>,
    /// What an evaluation by this handle may use.
    pub(crate) limits: CallLimits,
}

/// What an item left to do after it became part of the program, when no lock is held.
#[derive(Default)]
pub(crate) struct Commit {
    /// Code and events of the definitions that it replaced.
    pub(crate) superseded: Superseded,
}

// A panic of the host's code (an observer, an output, the body of a scope) leaves every table
// whole.
impl UnwindSafe for Engine {}
impl RefUnwindSafe for Engine {}

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
        let Builder { jit, settings, time_limit, provided, registrations, variables, definitions_of } =
            builder;
        let engine = match definitions_of {
            Some(other) => Self::with_definitions_of(&other, jit, settings, provided.as_deref())?,
            None => Self::with_built_ins(jit, settings, provided.as_deref())?,
        };
        for registration in registrations {
            engine.provide(registration)?;
        }
        for (name, variable) in &variables {
            engine.bind(name, variable)?;
        }
        Ok(Self { limits: CallLimits { time: time_limit }, ..engine })
    }

    /// An engine with the functions that the language and the engine provide, or those with these
    /// names.
    fn with_built_ins(
        jit: kaleidoscope_jit::Builder,
        settings: ProgramSettings,
        provided: Option<&[String]>,
    ) -> Result<Self, Error> {
        let mut program = Program::new();
        if let Some(provided) = provided {
            program.keep_only(provided)?;
        }
        let declarations: Vec<_> = program.declarations(0).collect();
        let shared = Arc::new(Shared::new(settings, program));
        let jit = jit.embedder(Arc::clone(&shared) as Arc<dyn Embedder>).build().map_err(Error::memory)?;
        jit.declare_all(declarations).map_err(Error::memory)?;
        let engine = Self { jit, shared, limits: CallLimits::new() };
        engine.define_built_in_hosts()?;
        Ok(engine)
    }

    /// An engine that begins with the definitions of another one, without its formulas.
    fn with_definitions_of(
        other: &Self,
        jit: kaleidoscope_jit::Builder,
        settings: ProgramSettings,
        provided: Option<&[String]>,
    ) -> Result<Self, Error> {
        // Held until the definitions are copied, so that names and definitions agree.
        let other_program = other.shared.program();
        let (mut program, mut withdrawn) = other_program.fork();
        if let Some(provided) = provided {
            let hidden = program.keep_only(provided)?;
            withdrawn.extend(hidden.into_iter().map(|id| (id, program.remove(id))));
        }
        let shared = Arc::new(Shared::new(settings, program));
        let jit = jit.embedder(Arc::clone(&shared) as Arc<dyn Embedder>);
        let jit = jit.build_with_definitions_of(&other.jit).map_err(Error::memory)?;
        drop(other_program);
        let engine = Self { jit, shared, limits: CallLimits::new() };
        let withdraw = |(id, version)| Change::new(id, Definition::Unavailable).version(version);
        // The new engine has no code that this could supersede.
        let _: Superseded = engine.apply(withdrawn.into_iter().map(withdraw).collect())?;
        engine.define_built_in_hosts()?;
        Ok(engine)
    }

    /// Defines `putchard` and `printd` for this engine's output.
    fn define_built_in_hosts(&self) -> Result<(), Error> {
        let program = self.shared.program();
        let output = &self.shared.settings.output;
        let define = |id| {
            let host = built_in(&program.names.signature(id).name, output);
            // They are version 0 of their names.
            Change::new(id, Definition::Host(host)).version(0)
        };
        let changes = program.built_in_hosts().map(define).collect();
        let _: Superseded = self.apply(changes)?;
        Ok(())
    }

    fn apply(&self, changes: Vec<Change>) -> Result<Superseded, Error> {
        self.jit.apply(changes).map_err(Error::of_trap)
    }

    /// A new engine that begins with what is defined in this one: functions and operators of
    /// programs, what they have declared, the host's functions and variables, and what was
    /// removed. From then on the two know nothing of each other, but that they share the host's
    /// closures and variables, the [output](Builder::output) and the
    /// [observers](Builder::observer).
    ///
    /// It has the settings of this one. No code is copied: what is called in the new engine is
    /// compiled there. Formulas stay with the engine that made them. For other settings there is
    /// [`Builder::definitions_of`].
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
        let (jit, settings) = (self.jit.settings(), self.shared.settings.clone());
        let builder = Builder { jit, settings, time_limit: self.limits.time, ..Builder::default() };
        builder.definitions_of(self).build()
    }

    /// When this engine makes code.
    pub fn mode(&self) -> Mode {
        self.jit.mode()
    }

    /// Another handle of this engine: what is evaluated by it, or by handles of functions made by
    /// it, may take so long, compiling included. [`crate::Builder::time_limit`] says what holds
    /// for a handle of which nothing is said.
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
        self.jit.interrupter()
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

    /// The IR of an item in its text form; nothing for an `extern`.
    pub fn ir_text(&self, item: &Item) -> Option<String> {
        match item {
            Item::Definition { function, .. } | Item::Expression { function, .. } => {
                Some(WithNames::new(function, &self.shared.program().names).to_string())
            }
            _ => None,
        }
    }

    /// The code that the optimizing compiler generates for an item, as text; nothing for an
    /// `extern`. It is not run.
    ///
    /// # Errors
    /// Why it cannot be compiled, in a sentence.
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

    /// Declares the functions that a program is about to name, up to this number of functions. Ids
    /// that an earlier failure left without a name are used first.
    pub(crate) fn declare_up_to(
        &self,
        n_functions: usize,
        arities: impl ExactSizeIterator<Item = u32>,
    ) -> Result<(), kaleidoscope_jit::Error> {
        if self.jit.n_functions() < n_functions {
            self.jit.declare_all(arities.map(|arity| (arity, None)))?;
        }
        Ok(())
    }

    /// Makes the item part of the program; `source` is its text. On an error, nothing has changed.
    pub(crate) fn commit(&self, program: &mut Program, item: &Item, source: &str) -> Result<Commit, Failure> {
        let n_functions = program.names.n_functions() + item.new_functions().len();
        self.shared.check_functions(n_functions - program.n_provided())?;
        let arities = item.new_functions().iter().map(|signature| signature.arity);
        self.declare_up_to(n_functions, arities)
            .map_err(|error| Failure::Memory { reason: error.to_string() })?;
        let before = match item {
            Item::Definition { function, .. } => program.names.current(&function.name),
            _ => None,
        };
        program.names.commit(item);
        let Item::Definition { id, function, .. } = item else { return Ok(Commit::default()) };
        let version = program.define(*id, source);
        let definition = Definition::Ir(Arc::clone(function));
        let superseded = self.supersede(before, *id, definition, version)?;
        Ok(Commit { superseded })
    }

    /// Defines the function as this version of its name, which meant `before`.
    pub(crate) fn supersede(
        &self,
        before: Option<FunctionId>,
        id: FunctionId,
        definition: Definition,
        version: u32,
    ) -> Result<Superseded, Trap> {
        let mut changes = vec![Change::new(id, definition).version(version)];
        // The name has another arity now: the old function becomes unavailable.
        let old = before.filter(|before| *before != id);
        changes.extend(old.map(|old| Change::new(old, Definition::Unavailable).version(version)));
        self.jit.apply(changes)
    }

    /// Withdraws a function, and its name.
    pub(crate) fn withdraw(&self, program: &mut Program, id: FunctionId) -> Result<Superseded, Trap> {
        let version = program.remove(id);
        self.jit.apply(vec![Change::new(id, Definition::Unavailable).version(version)])
    }
}
