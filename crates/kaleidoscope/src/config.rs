//! How an engine is set up.

use crate::host::Registration;
use crate::{Engine, Error, Observer, Output, StandardOutput, Variable};
use kaleidoscope_jit::{Backend, Mode, Optimization, Thresholds};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Settings of an engine to be made. From [`Engine::builder`].
///
/// ```
/// use kaleidoscope::{DiagnosticCode, Engine, Mode, OutputBuffer};
/// use std::time::Duration;
///
/// let output = OutputBuffer::default();
/// let engine = Engine::builder()
///     .mode(Mode::Tiered)
///     .output(output.clone())
///     .stack_bytes(1 << 20)
///     .time_limit(Duration::from_secs(1))
///     .max_functions(100)
///     .max_code_bytes(1 << 20)
///     .max_item_bytes(20)
///     .build()?;
/// let outcome = engine.run("printd(1); 1+1+1+1+1+1+1+1+1+1+1;");
/// assert_eq!(output.take(), "1\n");
/// assert_eq!(outcome.diagnostics().next().map(|diagnostic| diagnostic.code), Some(DiagnosticCode::ItemTooLong));
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Default)]
pub struct Builder {
    pub(crate) jit: kaleidoscope_jit::Builder,
    pub(crate) settings: ProgramSettings,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) provided: Option<Vec<String>>,
    pub(crate) registrations: Vec<Registration>,
    pub(crate) variables: Vec<(String, Variable)>,
    pub(crate) definitions_of: Option<Engine>,
}

/// What holds for the programs of an engine for its whole life. Settings of compilation are the JIT's.
#[derive(Clone)]
pub(crate) struct ProgramSettings {
    pub(crate) max_functions: usize,
    pub(crate) max_item_bytes: usize,
    pub(crate) output: Arc<dyn Output>,
}

impl Default for ProgramSettings {
    fn default() -> Self {
        Self { max_functions: usize::MAX, max_item_bytes: usize::MAX, output: Arc::new(StandardOutput) }
    }
}

impl Builder {
    /// When code is made; [`Mode::Tiered`] if not set.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.jit = self.jit.mode(mode);
        self
    }

    /// Where code generators for good code come from. If not set: LLVM where it is linked in, which the feature `llvm` of this crate
    /// does, and nowhere else.
    #[must_use]
    pub fn backend(mut self, backend: impl Backend + 'static) -> Self {
        self.jit = self.jit.backend(backend);
        self
    }

    /// There is no good code: quick code has to do, in [`Mode::Tiered`], [`Mode::Lazy`] and [`Mode::Eager`]. That is so without
    /// the feature `llvm`.
    #[must_use]
    pub fn without_backend(mut self) -> Self {
        self.jit = self.jit.without_backend();
        self
    }

    /// How much LLVM's optimiser does; if not set, [`Optimization::Aggressive`] for hot code in [`Mode::Tiered`], and
    /// [`Optimization::Default`] elsewhere.
    #[must_use]
    pub fn optimization(mut self, optimization: Optimization) -> Self {
        self.jit = self.jit.optimization(optimization);
        self
    }

    /// How often code runs in [`Mode::Tiered`] before it is made again.
    #[must_use]
    pub fn thresholds(mut self, thresholds: Thresholds) -> Self {
        self.jit = self.jit.thresholds(thresholds);
        self
    }

    /// The most threads that make code in the background, or for several threads that wait for code; at least one. If not
    /// set, half as many as the machine has processors, and at most four.
    #[must_use]
    pub fn compile_threads(mut self, n: usize) -> Self {
        self.jit = self.jit.compile_threads(n);
        self
    }

    /// The most memory in bytes that nested calls may take within one evaluation; 256 MiB if not set. Deeper recursion ends
    /// with an error. It is address space: what is not used takes no memory.
    #[must_use]
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.jit = self.jit.stack_bytes(bytes);
        self
    }

    /// The longest time that one top-level expression may take, compiling included; as long as it likes if not set.
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    /// use std::time::Duration;
    ///
    /// let engine = Engine::builder().time_limit(Duration::from_millis(20)).build()?;
    /// let outcome = engine.run("for i = 0, 1 in 0;  7;");
    /// assert_eq!(outcome.diagnostics().next().map(|diagnostic| diagnostic.code), Some(DiagnosticCode::TimedOut));
    /// assert_eq!(outcome.values().next(), Some(7.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// The most functions that programs may name: defined, declared or only called, counted by name and number of
    /// parameters; those that the engine or the host provides are not counted. Any number if not set. An item that names more fails
    /// with [`crate::DiagnosticCode::TooManyFunctions`].
    #[must_use]
    pub fn max_functions(mut self, n: usize) -> Self {
        self.settings.max_functions = n;
        self
    }

    /// The most bytes of machine code that may be in memory at once, code that waits to be freed included; any number if not
    /// set. A call that would need more fails with [`crate::DiagnosticCode::CodeMemoryFull`].
    #[must_use]
    pub fn max_code_bytes(mut self, n: usize) -> Self {
        self.jit = self.jit.max_code_bytes(n);
        self
    }

    /// The most bytes of text that one item may have; any number if not set. A longer one fails with
    /// [`crate::DiagnosticCode::ItemTooLong`] before it is whole, so that text without an end is no danger.
    #[must_use]
    pub fn max_item_bytes(mut self, n: usize) -> Self {
        self.settings.max_item_bytes = n;
        self
    }

    /// The functions of the host and of the maths library that programs find in the new engine, by name; all that there are if
    /// not set. The others are as if they had never been: their names can be given to other functions. What the application
    /// adds itself is not meant.
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    ///
    /// let engine = Engine::builder().provide_only(["sin", "cos"]).build()?;
    /// assert_eq!(engine.run("cos(0);").values().next(), Some(1.0));
    /// let outcome = engine.run("putchard(65);");
    /// assert_eq!(outcome.diagnostics().next().map(|diagnostic| diagnostic.code), Some(DiagnosticCode::UnknownFunction));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn provide_only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.provided = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The new engine begins with what is defined in this one when it is [built](Self::build): [`Engine::fork`] says what that
    /// is. Of what the engine itself provides, there is what this one has.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Mode};
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def f(x) x + 1;");
    /// let oracle = Engine::builder().mode(Mode::Off).definitions_of(&engine).build()?;
    /// assert_eq!(oracle.run("f(1);").values().next(), Some(2.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn definitions_of(mut self, engine: &Engine) -> Self {
        self.definitions_of = Some(engine.clone());
        self
    }

    /// Where programs write to; the process's standard output if not set. It may call the engine; but a handle of its own keeps
    /// the engine, and that the handle, for ever.
    #[must_use]
    pub fn output(mut self, output: impl Output + 'static) -> Self {
        self.settings.output = Arc::new(output);
        self
    }

    /// Adds an observer, which is told of every event. For handles that it owns the same holds as for an [output](Self::output).
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.jit = self.jit.observer(observer);
        self
    }

    /// Makes the engine. Code generators are not started before there is code to make.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`] when the operating system gives no memory, [`crate::ErrorKind::UnknownFunction`] when
    /// [`Builder::provide_only`] was given a name that is no function's, and what [`Engine::register`] and [`Engine::bind`] say of
    /// what was [registered](Self::register) and [bound](Self::bind).
    pub fn build(self) -> Result<Engine, Error> {
        Engine::from_builder(self)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("jit", &self.jit)
            .field("settings", &self.settings)
            .field("provided", &self.provided)
            .field("registrations", &self.registrations)
            .field("variables", &self.variables)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ProgramSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgramSettings")
            .field("max_functions", &self.max_functions)
            .field("max_item_bytes", &self.max_item_bytes)
            .finish_non_exhaustive()
    }
}
