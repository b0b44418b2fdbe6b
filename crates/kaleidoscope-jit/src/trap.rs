//! Traps: why a call ended without a value.

use crate::event::CodeName;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::array::BadIndex;
use kaleidoscope_ir::compile::CompileError;
use kaleidoscope_ir::interpreter::{InterpreterTrap, MAX_TRACE};
use kaleidoscope_native::{self as native, ErrorKind, drop_caught};
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// An error of the host: of a host function, or of the embedding language.
pub type HostError = Box<dyn Error + Send + Sync>;

/// Why a call ended without a value. The engine stays usable after every trap.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trap {
    /// A call reached a function without a definition. The embedding language gives the reason
    /// ([`crate::Embedder::unavailable`]).
    Unavailable {
        /// The function that was called.
        function: FunctionId,
        /// Why it cannot be called.
        reason: HostError,
        /// As for [`Trap::StackOverflow`].
        inside: Vec<Arc<str>>,
    },
    /// The host called a function with another number of arguments, or columns, than it takes.
    ArgumentCount {
        /// The function.
        function: FunctionId,
        /// The number of arguments given.
        given: usize,
        /// The function's number of parameters.
        takes: u32,
    },
    /// The host passed a column that is not as long as the results.
    ColumnLength {
        /// The column's index.
        column: usize,
        /// Its length.
        given: usize,
        /// The number of results.
        takes: usize,
    },
    /// The host made room for another number of results, or passed another number of initial
    /// values, than a group has members.
    ResultCount {
        /// The number of results or values given.
        given: usize,
        /// The number of members.
        takes: usize,
    },
    /// The host made room for more or fewer rows of one result than of the first one.
    ResultLength {
        /// The result's index.
        result: usize,
        /// The rows for which it has room.
        given: usize,
        /// Those for which the first one has room.
        takes: usize,
    },
    /// Calls nested deeper than the guest stack allows.
    StackOverflow {
        /// The names of the functions on the stack, innermost first, as far as they are known.
        inside: Vec<Arc<str>>,
    },
    /// An [`crate::Interrupter`] stopped the evaluation.
    Interrupted {
        /// As for [`Trap::StackOverflow`].
        inside: Vec<Arc<str>>,
    },
    /// The evaluation exceeded its time limit.
    DeadlinePassed {
        /// As for [`Trap::StackOverflow`].
        inside: Vec<Arc<str>>,
    },
    /// A program used an index that means no element of an array of the host.
    BadIndex {
        /// The index and the array.
        index: BadIndex,
        /// As for [`Trap::StackOverflow`].
        inside: Vec<Arc<str>>,
    },
    /// A host function returned an error.
    Host {
        /// The host function's name.
        name: Arc<str>,
        /// Its error.
        error: HostError,
        /// As for [`Trap::StackOverflow`].
        inside: Vec<Arc<str>>,
    },
    /// A host function panicked.
    HostPanic {
        /// The host function's name.
        name: Arc<str>,
        /// The panic's message.
        text: String,
        /// As for [`Trap::StackOverflow`].
        inside: Vec<Arc<str>>,
    },
    /// A code generator failed.
    Compile {
        /// The function that was to be compiled.
        code: CodeName,
        /// Why it failed.
        reason: CompileError,
    },
    /// The engine's machine code exceeded its limit ([`crate::Builder::max_code_bytes`]).
    CodeMemoryFull {
        /// The limit in bytes.
        limit: usize,
    },
    /// The operating system refused memory for a stub or a stack.
    OutOfMemory {
        /// What it said.
        reason: String,
    },
    /// The C maths library cannot be loaded, for example because the process has no file descriptor
    /// left.
    MathsLibrary {
        /// What the loader said.
        reason: String,
    },
    /// The engine cannot evaluate here: on this thread, or in this process.
    CannotEvaluate {
        /// Why.
        reason: String,
    },
    /// An observer panicked.
    ObserverPanic {
        /// The panic's message.
        text: String,
    },
    /// The engine panicked, or the embedding language in [`crate::Embedder::unavailable`]: a
    /// mistake in one of them.
    EnginePanic {
        /// The panic's message.
        text: String,
    },
}

impl Trap {
    /// An error of the machine layer.
    pub(crate) fn of_native(error: &native::Error) -> Self {
        let reason = error.to_string();
        match error.kind() {
            ErrorKind::DeadlineThread
            | ErrorKind::InterruptSignal
            | ErrorKind::ThreadEnding
            | ErrorKind::Forked
            | ErrorKind::OutOfOrder => Self::CannotEvaluate { reason },
            _ => Self::OutOfMemory { reason },
        }
    }

    /// The names of the functions that were active, innermost first, as far as they are known. None
    /// for traps of the host's own doing.
    pub fn inside(&self) -> &[Arc<str>] {
        match self {
            Self::Unavailable { inside, .. }
            | Self::StackOverflow { inside }
            | Self::Interrupted { inside }
            | Self::DeadlinePassed { inside }
            | Self::BadIndex { inside, .. }
            | Self::Host { inside, .. }
            | Self::HostPanic { inside, .. } => inside,
            Self::ArgumentCount { .. }
            | Self::ColumnLength { .. }
            | Self::ResultCount { .. }
            | Self::ResultLength { .. }
            | Self::Compile { .. }
            | Self::CodeMemoryFull { .. }
            | Self::OutOfMemory { .. }
            | Self::MathsLibrary { .. }
            | Self::CannotEvaluate { .. }
            | Self::ObserverPanic { .. }
            | Self::EnginePanic { .. } => &[],
        }
    }

    /// Adds the names of functions that called those inside. Stays below [`MAX_TRACE`] names.
    pub(crate) fn add_callers(&mut self, callers: &mut dyn Iterator<Item = Arc<str>>) {
        let inside = match self {
            Self::Unavailable { inside, .. }
            | Self::StackOverflow { inside }
            | Self::Interrupted { inside }
            | Self::DeadlinePassed { inside }
            | Self::Host { inside, .. }
            | Self::HostPanic { inside, .. } => inside,
            // The interpreter has given its names.
            Self::BadIndex { .. }
            | Self::ArgumentCount { .. }
            | Self::ColumnLength { .. }
            | Self::ResultCount { .. }
            | Self::ResultLength { .. }
            | Self::Compile { .. }
            | Self::CodeMemoryFull { .. }
            | Self::OutOfMemory { .. }
            | Self::MathsLibrary { .. }
            | Self::CannotEvaluate { .. }
            | Self::ObserverPanic { .. }
            | Self::EnginePanic { .. } => return,
        };
        inside.extend(callers.take(MAX_TRACE.saturating_sub(inside.len())));
    }

    /// A panic that the engine caught outside of host functions, observers and code generators.
    pub(crate) fn of_panic(payload: Box<dyn Any + Send>) -> Self {
        Self::EnginePanic { text: panic_text(payload) }
    }
}

impl From<InterpreterTrap> for Trap {
    fn from(trap: InterpreterTrap) -> Self {
        match trap {
            InterpreterTrap::StackOverflow { function } => Self::StackOverflow { inside: vec![function] },
            InterpreterTrap::BadIndex { index, inside } => Self::BadIndex { index, inside },
            // Whoever set a deadline turns this into `DeadlinePassed`.
            InterpreterTrap::Interrupted => Self::Interrupted { inside: Vec::new() },
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { reason, .. } => write!(f, "{reason}"),
            Self::ArgumentCount { function, given, takes } => {
                write!(f, "function {} takes {takes} arguments, not {given}", function.index())
            }
            Self::ColumnLength { column, given, takes } => {
                write!(f, "column {column} has {given} values, and there is room for {takes} results")
            }
            Self::ResultCount { given, takes } => {
                write!(f, "there is room for {given} results, and each row has {takes}")
            }
            Self::ResultLength { result, given, takes } => {
                write!(f, "result {result} has room for {given} rows, and the first one for {takes}")
            }
            Self::StackOverflow { .. } => f.write_str("stack overflow"),
            Self::Interrupted { .. } => f.write_str("interrupted"),
            Self::DeadlinePassed { .. } => f.write_str("out of time"),
            Self::BadIndex { index, .. } => write!(f, "index out of range: {index}"),
            Self::Host { name, error, .. } => write!(f, "`{name}` failed: {error}"),
            Self::HostPanic { name, text, .. } => write!(f, "`{name}` panicked: {text}"),
            Self::Compile { code, reason } => write!(f, "`{}` cannot be compiled: {reason}", code.name),
            Self::CodeMemoryFull { limit } => {
                write!(f, "machine code would exceed its limit of {limit} bytes")
            }
            Self::OutOfMemory { reason } => write!(f, "out of memory: {reason}"),
            Self::MathsLibrary { reason } => f.write_str(reason),
            Self::CannotEvaluate { reason } => f.write_str(reason),
            Self::ObserverPanic { text } => write!(f, "an observer panicked: {text}"),
            Self::EnginePanic { text } => write!(f, "the engine or its embedder panicked: {text}"),
        }
    }
}

impl Error for Trap {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Host { error, .. } | Self::Unavailable { reason: error, .. } => Some(&**error),
            Self::ArgumentCount { .. }
            | Self::ColumnLength { .. }
            | Self::ResultCount { .. }
            | Self::ResultLength { .. }
            | Self::StackOverflow { .. }
            | Self::Interrupted { .. }
            | Self::DeadlinePassed { .. }
            | Self::BadIndex { .. }
            | Self::HostPanic { .. }
            | Self::Compile { .. }
            | Self::CodeMemoryFull { .. }
            | Self::OutOfMemory { .. }
            | Self::MathsLibrary { .. }
            | Self::CannotEvaluate { .. }
            | Self::ObserverPanic { .. }
            | Self::EnginePanic { .. } => None,
        }
    }
}

/// A code generator that panicked.
pub(crate) fn generator_panicked(payload: Box<dyn Any + Send>) -> CompileError {
    CompileError::Failed(format!("the code generator panicked: {}", panic_text(payload)))
}

/// The message of a panic. Drops its payload.
pub(crate) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<&str>() {
        Ok(text) => return (*text).to_owned(),
        Err(payload) => payload,
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => {
            drop_caught(payload);
            "(no message)".to_owned()
        }
    }
}
