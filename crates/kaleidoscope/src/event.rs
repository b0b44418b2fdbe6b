//! What happens to functions, told while it happens: one event for each change.
//!
//! Statistics ([`crate::Statistics`]) and traces are made of these and of nothing else.

use kaleidoscope_ir::compile::{CompileTimes, Unit};
use std::sync::Arc;
use std::time::Duration;

/// Something that is told of events.
///
/// It is called on the thread where the event came to pass, with no lock of the engine held: it may call the engine. A panic in
/// it becomes an error of the evaluation under way.
///
/// ```
/// use kaleidoscope::{Engine, Event, Mode, Observer};
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use std::sync::Arc;
///
/// /// Counts bodies that were compiled.
/// #[derive(Default)]
/// struct Compiled(AtomicUsize);
///
/// impl Observer for Compiled {
///     fn observe(&self, event: &Event) {
///         if let Event::Compiled { .. } = event {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let compiled = Arc::new(Compiled::default());
/// let engine = Engine::builder().mode(Mode::Baseline).observer(Arc::clone(&compiled)).build()?;
/// engine.run("def called(x) x; def not_called(x) x; called(1) + called(2);");
/// assert_eq!(compiled.0.load(Ordering::Relaxed), 1);
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
pub trait Observer: Send + Sync {
    /// Called once for each event, in the order in which the thread saw them.
    fn observe(&self, event: &Event);
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn observe(&self, event: &Event) {
        (**self).observe(event);
    }
}

/// One change in the life of a function or expression.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An item of the text was read and resolved (or found wrong).
    Read {
        /// How long it took.
        took: Duration,
    },
    /// A `def` was read: the function can be called. Nothing was generated.
    Defined {
        /// The function and the version that begins here.
        body: BodyName,
        /// Bytes of the resolved form.
        resolved_bytes: usize,
    },
    /// A call reached a function that had no code, for the first time since it was defined. Where functions are compiled
    /// when defined, calls find code and nothing is told of them.
    FirstCalled {
        /// The function and its version.
        body: BodyName,
    },
    /// The code generator was started.
    GeneratorStarted {
        /// How long it took.
        took: Duration,
    },
    /// LLVM IR was made for a function or an expression. Told when the code made of it stands, right before
    /// [`Event::Compiled`].
    IrMade {
        /// The function and its version.
        body: BodyName,
        /// How long it took.
        took: Duration,
    },
    /// Machine code was made and linked.
    Compiled {
        /// The function and its version.
        body: BodyName,
        /// Which kind of code.
        tier: Tier,
        /// The loop whose rest it is, by its number in the function, if it is not the whole.
        of_loop: Option<usize>,
        /// The functions whose bodies are part of it.
        inlined: Arc<[Arc<str>]>,
        /// How long the stages took.
        times: CompileTimes,
        /// Bytes of machine code.
        bytes: usize,
    },
    /// Code has run so often that better code is going to be made of it in the background.
    Hot {
        /// The function or expression, and its version.
        body: BodyName,
        /// The loop of which better code is to be made, if not of the whole.
        of_loop: Option<usize>,
    },
    /// Better code is called no more, because a function whose body is part of it was defined again. Calls go to the
    /// first code of the function.
    Invalidated {
        /// The function or expression, and its version.
        body: BodyName,
        /// The loop whose rest it was, if not the whole.
        of_loop: Option<usize>,
    },
    /// The machine code was given back.
    Freed {
        /// The function and its version.
        body: BodyName,
        /// Which kind of code.
        tier: Tier,
        /// Bytes of machine code.
        bytes: usize,
    },
    /// No code could be made.
    Failed {
        /// The function and its version.
        body: BodyName,
        /// Why, in one sentence.
        reason: String,
    },
    /// A top-level expression was run to its end, or to an error.
    Evaluated {
        /// The expression.
        body: BodyName,
        /// How long it took, compiling of what it called included.
        took: Duration,
    },
}

/// Names one body: a function or expression, and which of its definitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BodyName {
    /// The name; that of an expression begins with `$`.
    pub name: Arc<str>,
    /// Counts the definitions of the name, from 1.
    pub version: u32,
}

impl BodyName {
    pub(crate) fn of(unit: &Unit) -> Self {
        Self { name: Arc::clone(&unit.function.name), version: unit.version }
    }

    /// Whether this is a top-level expression or a formula: what no program can call by a name.
    pub fn is_expression(&self) -> bool {
        self.name.starts_with('$')
    }
}

/// Which kind of code a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// Quick code, made when first called or because it runs at once.
    Baseline,
    /// Made in the background of what has become hot.
    Optimized,
    /// Good code, made when first called.
    Lazy,
    /// Good code, made before it was called: when defined, or because it runs at once.
    Eager,
    /// Good code for all rows of columns in one call.
    Rows,
}

impl Tier {
    /// The word for it in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Optimized => "optimized",
            Self::Lazy => "lazy",
            Self::Eager => "eager",
            Self::Rows => "rows",
        }
    }
}
