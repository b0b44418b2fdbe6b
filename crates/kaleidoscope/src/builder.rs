//! The builder: settings of an engine.

mod creation;

use crate::host::Registration;
use crate::shared::ProgramSettings;
use crate::{Array, Engine, Error, HostFunction, HostValue, Observer, Output, PutchardUnit, Variable};
use kaleidoscope_jit::{Backend, CodeCache, Mode, Optimization, Thresholds};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Settings of a new engine. From [`Engine::builder`].
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
    pub(crate) arrays: Vec<(String, Array)>,
    pub(crate) definitions_of: Option<Engine>,
    pub(crate) has_prelude: bool,
    /// The chapter of the tutorial whose language programs have.
    pub(crate) chapter: Option<u8>,
}

impl Builder {
    /// When functions are compiled, and by which tier; [`Mode::Tiered`] if not set. Results have
    /// the same bits in every mode.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Mode};
    ///
    /// let values = |mode| -> Result<Vec<f64>, kaleidoscope::Error> {
    ///     let engine = Engine::builder().mode(mode).build()?;
    ///     Ok(engine.run("def f(x) sin(x) * 3; f(2);").values().collect())
    /// };
    /// assert_eq!(values(Mode::Baseline)?, values(Mode::Off)?);
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.jit = self.jit.mode(mode);
        self
    }

    /// Where the system forbids machine code that is made at run time, as some sandboxes do, the
    /// engine interprets everything instead: [`Engine::mode`](crate::Engine::mode) is
    /// [`Mode::Off`] then. If not set, building the engine is an error there, or compiling in it.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Mode};
    ///
    /// let engine = Engine::builder().mode(Mode::Baseline).fall_back_to_interpreter().build()?;
    /// assert!([Mode::Baseline, Mode::Off].contains(&engine.mode()));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn fall_back_to_interpreter(mut self) -> Self {
        self.jit = self.jit.fall_back_to_interpreter();
        self
    }

    /// The optimizing compiler. If not set: LLVM if the feature `llvm` links it in, otherwise none.
    #[must_use]
    pub fn backend(mut self, backend: impl Backend + 'static) -> Self {
        self.jit = self.jit.backend(backend);
        self
    }

    /// No optimizing compiler: the baseline compiler compiles everything, also in [`Mode::Lazy`]
    /// and [`Mode::Eager`], as it does without the feature `llvm`.
    #[must_use]
    pub fn without_backend(mut self) -> Self {
        self.jit = self.jit.without_backend();
        self
    }

    /// The optimization level of LLVM. If not set: [`Optimization::Aggressive`] in
    /// [`Mode::Tiered`], [`Optimization::Default`] in the other modes.
    #[must_use]
    pub fn optimization(mut self, optimization: Optimization) -> Self {
        self.jit = self.jit.optimization(optimization);
        self
    }

    /// Keeps optimized code in a folder. A later process links it instead of compiling it again.
    ///
    /// Without LLVM the cache has no effect. `docs/cache.md` in the repository says what an entry
    /// depends on.
    ///
    /// ```
    /// use kaleidoscope::{CodeCache, Engine};
    ///
    /// # let folder = std::env::temp_dir().join(format!("kaleidoscope-{}", std::process::id()));
    /// let cache = CodeCache::open(&folder)?;
    /// let engine = Engine::builder().cache(cache.clone()).build()?;
    /// assert_eq!(engine.run("def f(x) x + 1; f(1);").values().next(), Some(2.0));
    /// println!("{} functions were compiled before", cache.totals().found);
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cache(mut self, cache: CodeCache) -> Self {
        self.jit = self.jit.cache(cache);
        self
    }

    /// How often code runs in [`Mode::Tiered`] before it tiers up.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Thresholds};
    /// use std::time::Duration;
    ///
    /// // For programs that run for hours: optimize early.
    /// let thresholds = Thresholds { calls: 100, delay: Duration::ZERO, ..Thresholds::default() };
    /// let engine = Engine::builder().thresholds(thresholds).build()?;
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn thresholds(mut self, thresholds: Thresholds) -> Self {
        self.jit = self.jit.thresholds(thresholds);
        self
    }

    /// The maximum number of compile threads; at least one. If not set: half the machine's
    /// processors, at most four.
    #[must_use]
    pub fn compile_threads(mut self, n: usize) -> Self {
        self.jit = self.jit.compile_threads(n);
        self
    }

    /// The size of the guest stack in bytes, for the nested calls of one evaluation. Deeper
    /// recursion ends with an error. Unused stack takes address space, but no memory.
    ///
    /// If not set: 256 MiB. In a control group with a memory limit, as containers have, at most
    /// half of that limit. Where the system refuses the address space, less, down to 1 MiB.
    #[must_use]
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.jit = self.jit.stack_bytes(bytes);
        self
    }

    /// The time limit of one top-level expression or call, compilation included; none if not set.
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

    /// The maximum number of functions that programs may name; unlimited if not set. Functions
    /// count by name and number of parameters, whether they are defined, declared or only called.
    /// Functions that the engine or the host provides do not count. An item that names more fails
    /// with [`DiagnosticCode::TooManyFunctions`](crate::DiagnosticCode::TooManyFunctions).
    #[must_use]
    pub fn max_functions(mut self, n: usize) -> Self {
        self.settings.max_functions = n;
        self
    }

    /// The maximum bytes of machine code in memory, code that waits to be reclaimed included;
    /// unlimited if not set. A call that needs more fails with
    /// [`DiagnosticCode::CodeMemoryFull`](crate::DiagnosticCode::CodeMemoryFull).
    #[must_use]
    pub fn max_code_bytes(mut self, n: usize) -> Self {
        self.jit = self.jit.max_code_bytes(n);
        self
    }

    /// The maximum length of one item's text in bytes; unlimited if not set. A longer item fails
    /// with [`DiagnosticCode::ItemTooLong`](crate::DiagnosticCode::ItemTooLong) before it has been
    /// read to its end, so endless text is harmless.
    #[must_use]
    pub fn max_item_bytes(mut self, n: usize) -> Self {
        self.settings.max_item_bytes = n;
        self
    }

    /// Shows programs to debuggers that know GDB's JIT interface, as GDB and LLDB do: breakpoints
    /// at lines, backtraces, variables. The name of a [script](crate::Engine::script) is the path
    /// of its file.
    ///
    /// Code is slower then, and takes more memory. A function is compiled together with all
    /// functions that it reaches, and nothing runs in the interpreter, except with [`Mode::Off`].
    /// `docs/debugging.md` in the repository shows how to use it.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::builder().debug_info().build()?;
    /// assert_eq!(engine.run_named("rates.kal", "def rate(n) n * 0.25; rate(4);").values().next(), Some(1.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn debug_info(mut self) -> Self {
        self.settings.keeps_positions = true;
        self.jit = self.jit.debug_info();
        self
    }

    /// Restricts the language to that of a chapter of LLVM's tutorial, for learners: 2 has
    /// functions, calls and arithmetic, 5 also `if` and `for`, 6 operators that a program defines,
    /// and 7 everything. The keywords of later chapters are ordinary names.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::builder().chapter(4).build()?;
    /// assert_eq!(engine.run("def if(x) x + 1; if(2);").values().next(), Some(3.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn chapter(mut self, chapter: u8) -> Self {
        self.chapter = Some(chapter);
        self
    }

    /// The provided functions that the new engine has, by name: C's maths functions, `putchard`,
    /// `putbyte` and `printd`. All of them if not set. Programs can give the names of the others to
    /// functions of their own. Functions that the application registers are not affected.
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

    /// Adds the usual operators and names, as [`Engine::prelude`] does, for programs and formulas.
    /// Functions that are [registered](Self::register) take precedence.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::builder().prelude().build()?;
    /// let formula = engine.formula("max(0, a, -b) + cos(2 * pi)", &["a", "b"])?;
    /// assert_eq!(formula.call(&[2.0, -3.0])?, 4.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn prelude(mut self) -> Self {
        self.has_prelude = true;
        self
    }

    /// Copies the definitions of this engine into the new one when it is [built](Self::build), as
    /// [`Engine::fork`] does. Of the provided functions, the new engine has those that this engine
    /// has.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Mode};
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def f(x) x + 1;").ok()?;
    /// let oracle = Engine::builder().mode(Mode::Off).definitions_of(&engine).build()?;
    /// assert_eq!(oracle.run("f(1);").values().next(), Some(2.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn definitions_of(mut self, engine: &Engine) -> Self {
        self.definitions_of = Some(engine.clone());
        self
    }

    /// Registers a closure under a name, as [`Engine::register`] does. [`Self::build`] reports an
    /// invalid name.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::builder().register("half", |x: f64| x / 2.0).build()?;
    /// assert_eq!(engine.run("half(84);").values().collect::<Vec<_>>(), [42.0]);
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn register<Args, F: HostFunction<Args>>(mut self, name: &str, function: F) -> Self {
        self.registrations.push(Registration::of_closure(name, function));
        self
    }

    /// As [`Self::register`], for a closure that takes its arguments as a slice:
    /// [`Engine::register_slice`].
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let largest = |args: &[f64]| args.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    /// let engine = Engine::builder().register_slice("max3", 3, largest).build()?;
    /// assert_eq!(engine.run("max3(1, 3, 2);").values().next(), Some(3.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn register_slice<R: HostValue>(
        mut self,
        name: &str,
        arity: u32,
        function: impl Fn(&[f64]) -> R + Send + Sync + 'static,
    ) -> Self {
        self.registrations.push(Registration::of_slice(name, arity, function));
        self
    }

    /// Where programs write to; the process's standard output if not set. The output may call the
    /// engine. An output that owns a handle of its engine keeps the engine alive forever.
    #[must_use]
    pub fn output(mut self, output: impl Output + 'static) -> Self {
        self.settings.output = Arc::new(output);
        self
    }

    /// What `putchard` writes; [`PutchardUnit::Character`] if not set.
    ///
    /// ```
    /// use kaleidoscope::{Engine, OutputBuffer, PutchardUnit};
    ///
    /// let output = OutputBuffer::default();
    /// let engine = Engine::builder().putchard(PutchardUnit::Byte).output(output.clone()).build()?;
    /// engine.run("putchard(226) + putchard(150) + putchard(145);").ok()?;
    /// assert_eq!(output.take(), "░");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn putchard(mut self, unit: PutchardUnit) -> Self {
        self.settings.putchard_unit = unit;
        self
    }

    /// Adds an observer, which receives every event. An observer that owns a handle of its engine
    /// keeps the engine alive forever.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Event, Mode, Observer};
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use std::sync::Arc;
    ///
    /// /// Counts compilations.
    /// #[derive(Default)]
    /// struct Compilations(AtomicUsize);
    ///
    /// impl Observer for Compilations {
    ///     fn observe(&self, event: &Event) {
    ///         if let Event::Compiled { .. } = event {
    ///             self.0.fetch_add(1, Ordering::Relaxed);
    ///         }
    ///     }
    /// }
    ///
    /// let compilations = Arc::new(Compilations::default());
    /// let engine = Engine::builder().mode(Mode::Baseline).observer(Arc::clone(&compilations)).build()?;
    /// engine.run("def called(x) x; def not_called(x) x; called(1) + called(2);").ok()?;
    /// assert_eq!(compilations.0.load(Ordering::Relaxed), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Statistics`](crate::Statistics) is an observer that counts for you:
    ///
    /// ```
    /// use kaleidoscope::{Engine, Statistics};
    ///
    /// let statistics = Statistics::new();
    /// let engine = Engine::builder().observer(statistics.clone()).build()?;
    /// engine.run("def f(x) x; def g(x) x; f(1);").ok()?;
    /// let totals = statistics.totals();
    /// assert_eq!((totals.defined.len(), totals.called.len(), totals.n_expressions), (2, 1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.jit = self.jit.observer(observer);
        self
    }

    /// Creates the engine. Compilers start when there is code to compile.
    ///
    /// # Errors
    /// - [`ErrorKind::Memory`](crate::ErrorKind::Memory) if the operating system refuses memory.
    /// - [`ErrorKind::CannotEvaluate`](crate::ErrorKind::CannotEvaluate) on a thread with too little
    ///   stack.
    /// - [`ErrorKind::UnknownFunction`](crate::ErrorKind::UnknownFunction) if
    ///   [`Builder::provide_only`] has a name that no provided function has.
    /// - [`ErrorKind::LimitTooSmall`](crate::ErrorKind::LimitTooSmall) if a limit of this builder is
    ///   too small for the [prelude](Self::prelude).
    /// - The errors of [`Engine::register`], [`Engine::bind`] and [`Engine::bind_array`] for what
    ///   was [registered](Self::register) and [bound](Self::bind).
    pub fn build(self) -> Result<Engine, Error> {
        creation::create(self)
    }
}

impl Engine {
    /// An engine with default settings.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Settings for a new engine.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A new engine with the definitions of this one: programs' functions and operators, `extern`
    /// declarations, host functions, host variables and arrays, and removals. Later definitions
    /// affect one engine only. The two share the host's closures, the host variables and arrays,
    /// the [output](Builder::output) and the [observers](Builder::observer).
    ///
    /// The new engine has the same settings; for others, use [`Builder::definitions_of`]. Code is
    /// not copied: the new engine compiles what is called in it. Formulas stay with their engine.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def rate() 0.05; def interest(sum) sum * rate();").ok()?;
    /// let what_if = engine.fork()?;
    /// what_if.run("def rate() 0.25;");
    /// assert_eq!(what_if.run("interest(100);").values().next(), Some(25.0));
    /// assert_eq!(engine.run("interest(100);").values().next(), Some(5.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn fork(&self) -> Result<Self, Error> {
        let (jit, settings) = (self.jit.settings(), self.shared.settings.clone());
        let builder = Builder { jit, settings, time_limit: self.limits.time, ..Builder::default() };
        builder.definitions_of(self).build()
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
            .field("arrays", &self.arrays)
            .field("has_prelude", &self.has_prelude)
            .field("chapter", &self.chapter)
            .finish_non_exhaustive()
    }
}
