//! Settings of an engine, and the builder that collects them.

use crate::code_cache::CodeCache;
use crate::code_cache::generator::CachingBackend;
use crate::embedder::Embedder;
use crate::event::Observer;
use crate::memory_limit;
use crate::mode::Mode;
use crate::policy::Thresholds;
use kaleidoscope_ir::compile::{Backend, Optimization};
use kaleidoscope_native as native;
use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The settings of an engine, which hold for its whole life.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    /// Whether the mode is [`Mode::Off`] where there can be no machine code.
    pub(crate) falls_back: bool,
    pub(crate) backend: Option<Arc<dyn Backend>>,
    pub(crate) optimization: Option<Optimization>,
    pub(crate) thresholds: Thresholds,
    pub(crate) compile_threads: usize,
    /// The size of the guest stack, if it was set.
    pub(crate) stack_bytes: Option<usize>,
    pub(crate) max_code_bytes: usize,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    /// Whether debuggers see the code.
    pub(crate) has_debug_info: bool,
    /// Where optimized code is kept for later processes.
    pub(crate) code_cache: Option<CodeCache>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            falls_back: false,
            backend: linked_backend(),
            optimization: None,
            thresholds: Thresholds::default(),
            compile_threads: default_compile_threads(),
            stack_bytes: None,
            max_code_bytes: usize::MAX,
            observers: Vec::new(),
            has_debug_info: false,
            code_cache: None,
        }
    }
}

impl Settings {
    /// The same, with the mode that is possible here.
    pub(crate) fn with_possible_mode(self) -> Self {
        let is_off = self.falls_back
            && self.mode != Mode::Off
            && native::CodeMemory::check().is_err_and(|error| error.forbids_code());
        if is_off { Self { mode: Mode::Off, ..self } } else { self }
    }

    /// The optimization level, by mode where none was set.
    pub(crate) fn optimization(&self) -> Optimization {
        self.optimization.unwrap_or(match self.mode {
            Mode::Tiered => Optimization::Aggressive,
            _ => Optimization::Default,
        })
    }

    /// The source of code generators, with the code cache if there is one.
    pub(crate) fn backend(&self) -> Option<Arc<dyn Backend>> {
        let backend = self.backend.clone().filter(|_| self.mode.optimizes())?;
        Some(match &self.code_cache {
            Some(cache) => Arc::new(CachingBackend { backend, cache: cache.clone() }),
            None => backend,
        })
    }

    /// The size of the guest stack, and of the interpreter's stacks.
    pub(crate) fn stack_bytes(&self) -> usize {
        self.stack_bytes.unwrap_or_else(default_stack_bytes)
    }

    /// Whether loop-free code runs in the interpreter once.
    pub(crate) fn has_interpreter_tier(&self) -> bool {
        self.mode.has_interpreter_tier() && !self.has_debug_info
    }

    /// The limits of guarded calls, as far as they are the same for all.
    pub(crate) fn native_limits(&self) -> native::Limits {
        let limits = native::Limits::new().stack_bytes(self.stack_bytes());
        // A size that the host has not asked for may be smaller.
        if self.stack_bytes.is_none() { limits.min_stack_bytes(MIN_DEFAULT_STACK_BYTES) } else { limits }
    }
}

/// Collects the settings of an engine. From [`crate::Jit::builder`].
///
/// ```
/// use kaleidoscope_jit::{Jit, Mode};
///
/// let jit = Jit::builder().mode(Mode::Baseline).stack_bytes(1 << 20).build()?;
/// assert_eq!(jit.mode(), Mode::Baseline);
/// # Ok::<(), kaleidoscope_jit::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Builder {
    pub(crate) settings: Settings,
    pub(crate) embedder: Option<Arc<dyn Embedder>>,
}

impl Builder {
    /// When functions are compiled; [`Mode::Tiered`] if not set.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.settings.mode = mode;
        self
    }

    /// Where the system forbids machine code that is made at run time, the engine is built in
    /// [`Mode::Off`] instead, and interprets. [`crate::Jit::mode`] tells. If not set, building such
    /// an engine or compiling in it is an error there.
    #[must_use]
    pub fn fall_back_to_interpreter(mut self) -> Self {
        self.settings.falls_back = true;
        self
    }

    /// The mode so far.
    pub fn current_mode(&self) -> Mode {
        self.settings.mode
    }

    /// The source of code generators for the optimizing tier. If not set: LLVM where the feature
    /// `llvm` links it in, and none otherwise.
    #[must_use]
    pub fn backend(mut self, backend: impl Backend + 'static) -> Self {
        self.settings.backend = Some(Arc::new(backend));
        self
    }

    /// No optimizing tier: in [`Mode::Tiered`], [`Mode::Lazy`] and [`Mode::Eager`] the baseline
    /// tier compiles everything, as it does without the feature `llvm`.
    #[must_use]
    pub fn without_backend(mut self) -> Self {
        self.settings.backend = None;
        self
    }

    /// The optimizing compiler's level; if not set, [`Optimization::Aggressive`] in
    /// [`Mode::Tiered`] and [`Optimization::Default`] in the other modes.
    #[must_use]
    pub fn optimization(mut self, optimization: Optimization) -> Self {
        self.settings.optimization = Some(optimization);
        self
    }

    /// How often code runs in [`Mode::Tiered`] before it tiers up.
    #[must_use]
    pub fn thresholds(mut self, thresholds: Thresholds) -> Self {
        self.settings.thresholds = thresholds;
        self
    }

    /// The maximum number of compile threads; at least one. If not set: half the machine's
    /// processors, at most four.
    #[must_use]
    pub fn compile_threads(mut self, n: usize) -> Self {
        self.settings.compile_threads = n;
        self
    }

    /// The size of the guest stack in bytes, for the nested calls of one evaluation. Deeper
    /// recursion ends in [`crate::Trap::StackOverflow`]. Unused stack takes address space and no
    /// memory.
    ///
    /// If not set: 256 MiB. In a control group with a memory limit, as containers have, at most
    /// half of that limit, because the system ends a process that exceeds it. Where the system
    /// refuses the address space, less, down to 1 MiB.
    #[must_use]
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.settings.stack_bytes = Some(bytes);
        self
    }

    /// The maximum bytes of machine code in memory, code that waits to be reclaimed included;
    /// unlimited if not set. A call that needs more ends in [`crate::Trap::CodeMemoryFull`].
    #[must_use]
    pub fn max_code_bytes(mut self, n: usize) -> Self {
        self.settings.max_code_bytes = n;
        self
    }

    /// Adds an observer, which receives every event. An observer that owns a handle of the engine
    /// keeps the engine alive forever.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.settings.observers.push(Arc::new(observer));
        self
    }

    /// Shows all machine code to debuggers that know GDB's JIT interface, as GDB and LLDB do:
    /// symbols, unwind information and, for functions with
    /// [positions](kaleidoscope_ir::Function::with_positions), source lines and variables.
    ///
    /// Such code is slower, and takes pages of its own. Nothing runs in the interpreter tier, where
    /// a debugger sees nothing, and a function is compiled together with all functions that it
    /// reaches, so that a debugger can step into them.
    #[must_use]
    pub fn debug_info(mut self) -> Self {
        self.settings.has_debug_info = true;
        self
    }

    /// Keeps the code of the optimizing compiler in a folder. A later process, or another engine,
    /// links it instead of compiling it again.
    #[must_use]
    pub fn cache(mut self, cache: CodeCache) -> Self {
        self.settings.code_cache = Some(cache);
        self
    }

    /// What the embedding language answers; without one, calls of undefined functions say so by
    /// number.
    #[must_use]
    pub fn embedder(mut self, embedder: Arc<dyn Embedder>) -> Self {
        self.embedder = Some(embedder);
        self
    }
}

/// The size of the guest stack where no memory limit is known.
const DEFAULT_STACK_BYTES: usize = 256 << 20;

/// The smallest guest stack that an engine chooses itself.
const MIN_DEFAULT_STACK_BYTES: usize = 1 << 20;

fn default_stack_bytes() -> usize {
    // Two threads may look it up at once. A lock around that would block a child for ever that is
    // forked meanwhile.
    static BYTES: AtomicUsize = AtomicUsize::new(0);
    match BYTES.load(Ordering::Relaxed) {
        0 => {
            let half = memory_limit::of_this_process().map_or(DEFAULT_STACK_BYTES, |limit| limit / 2);
            let bytes = half.clamp(MIN_DEFAULT_STACK_BYTES, DEFAULT_STACK_BYTES);
            BYTES.store(bytes, Ordering::Relaxed);
            bytes
        }
        known => known,
    }
}

/// The backend that is linked into this crate.
fn linked_backend() -> Option<Arc<dyn Backend>> {
    #[cfg(feature = "llvm")]
    return Some(Arc::new(kaleidoscope_llvm::Llvm));
    #[cfg(not(feature = "llvm"))]
    None
}

fn default_compile_threads() -> usize {
    let n_processors = thread::available_parallelism().map_or(1, NonZero::get);
    (n_processors / 2).clamp(1, 4)
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("mode", &self.mode)
            .field("backend", &self.backend)
            .field("optimization", &self.optimization)
            .field("stack_bytes", &self.stack_bytes)
            .field("observers", &self.observers.len())
            .finish_non_exhaustive()
    }
}
