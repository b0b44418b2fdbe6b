//! Events: one for each change in the life of a function, and the observers that receive them.
//!
//! Statistics ([`crate::Statistics`]) and traces are built from events and from nothing else.

use kaleidoscope_ir::compile::{CompileTimes, Unit};
use std::sync::Arc;
use std::time::Duration;

/// Receives events.
///
/// The engine calls an observer on the thread where the event happens, with no lock held: an
/// observer may call the engine. A panic in an observer becomes an error of the running evaluation.
pub trait Observer: Send + Sync {
    /// Called once for each event, in the order in which the thread emits them.
    fn observe(&self, event: &Event);
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn observe(&self, event: &Event) {
        (**self).observe(event);
    }
}

/// One change in the life of a function or top-level expression.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The front end read an item and lowered it, or rejected it. The engine itself never emits
    /// this event: the embedding language does, by [`crate::Jit::emit`].
    Read {
        /// Time for parsing and lowering.
        took: Duration,
    },
    /// A function was defined and can be called. No code exists.
    Defined {
        /// The function, and the version that begins here.
        code: CodeName,
        /// Bytes of the function's IR.
        ir_bytes: usize,
    },
    /// A call reached a function that has no code, for the first time since it was defined.
    /// Functions that are compiled when they are defined never emit this event.
    FirstCalled {
        /// The function and its version.
        code: CodeName,
    },
    /// A code generator of the optimizing tier was started.
    GeneratorStarted {
        /// Time to load and start it.
        took: Duration,
    },
    /// The optimizing compiler generated its own IR for a function or expression. Emitted when the
    /// code is installed, right before [`Event::Compiled`].
    IrGenerated {
        /// The function and its version.
        code: CodeName,
        /// Time to generate it.
        took: Duration,
    },
    /// Machine code was generated, linked and installed.
    Compiled {
        /// The function and its version.
        code: CodeName,
        /// The tier that compiled it.
        tier: Tier,
        /// For OSR code: the number of the loop that it continues.
        osr_loop: Option<usize>,
        /// The names of the functions inlined into it.
        inlined: Arc<[Arc<str>]>,
        /// Time by stage.
        times: CompileTimes,
        /// Bytes of machine code.
        bytes: usize,
    },
    /// A counter tripped, and the engine submitted a job to optimize this code in the background.
    Hot {
        /// The function or expression, and its version.
        code: CodeName,
        /// The loop to optimize, if not the whole function.
        osr_loop: Option<usize>,
    },
    /// Code was invalidated, because a function that it contains was redefined: one that was
    /// inlined, or a maths function. Calls return to baseline code, or compile the function again.
    Invalidated {
        /// The function or expression, and its version.
        code: CodeName,
        /// For OSR code: the number of the loop that it continued.
        osr_loop: Option<usize>,
    },
    /// A thread left invalidated code while it was running. The interpreter completes what was
    /// active there; where that takes long, optimized code takes over again
    /// ([`Event::Hot`], [`Event::Compiled`]).
    Deoptimized {
        /// The function or expression that the code was compiled for, and its version.
        code: CodeName,
        /// For OSR code: the number of the loop that it continued.
        osr_loop: Option<usize>,
        /// The functions that were active in the code, outermost first: the one that it was
        /// compiled for, then those inlined.
        inside: Arc<[Arc<str>]>,
        /// The function whose redefinition invalidated the code.
        redefined: Arc<str>,
    },
    /// Machine code was freed.
    Reclaimed {
        /// The function and its version.
        code: CodeName,
        /// The tier that compiled it.
        tier: Tier,
        /// Bytes of machine code.
        bytes: usize,
    },
    /// A compilation failed.
    CompileFailed {
        /// The function and its version.
        code: CodeName,
        /// Why, in one sentence.
        reason: String,
    },
    /// A top-level expression ran to its end, or to an error.
    Evaluated {
        /// The expression.
        code: CodeName,
        /// Time to run it, including the compilation of what it called.
        took: Duration,
    },
    /// A batch ran to its end, or to an error.
    Mapped {
        /// The function, and its version at the end.
        code: CodeName,
        /// The rows that were computed, by the way in which that was done.
        rows: MappedRows,
        /// Time to run it, including the compilations that it waited for.
        took: Duration,
    },
}

/// How many rows of batches were computed in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MappedRows {
    /// By a kernel, which the optimizing compiler had compiled.
    pub by_kernel: usize,
    /// By the column interpreter: without machine code, one operation after the other.
    pub by_columns: usize,
    /// By single calls.
    pub by_calls: usize,
}

/// Names one compilation unit: a function or expression, and its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CodeName {
    /// The function's name, as its IR has it. By convention the name of a top-level expression or
    /// formula begins with `$`.
    pub name: Arc<str>,
    /// The version of the definition.
    pub version: u32,
}

impl CodeName {
    pub(crate) fn of(unit: &Unit) -> Self {
        Self { name: Arc::clone(&unit.function.name), version: unit.version }
    }

    /// Whether this is a top-level expression or a formula, which no program can call by name.
    pub fn is_expression(&self) -> bool {
        self.name.starts_with('$')
    }
}

/// The compiler and compile reason that code comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// Baseline compiler, at the first call or for an expression that runs at once.
    Baseline,
    /// Optimizing compiler, in the background, after a counter tripped.
    Optimized,
    /// Optimizing compiler, at the first call.
    Lazy,
    /// Optimizing compiler, before the first call: at the definition, or for an expression.
    Eager,
    /// Optimizing compiler, for a kernel: a loop over the rows of a batch.
    Kernel,
}

impl Tier {
    /// The word for the tier in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Optimized => "optimized",
            Self::Lazy => "lazy",
            Self::Eager => "eager",
            Self::Kernel => "kernel",
        }
    }
}
