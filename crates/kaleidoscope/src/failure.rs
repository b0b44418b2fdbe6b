//! Failures: why an evaluation ended without a value, and the messages about it.

use crate::backtrace::{Frame, describe};
use crate::host::OutputError;
use kaleidoscope_ir::compile::CompileError;
use kaleidoscope_jit::{HostError, Trap};
use kaleidoscope_lang::diagnostic::{Diagnostic, DiagnosticCode};
use kaleidoscope_lang::source::Span;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why an evaluation ended without a value.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The engine's trap.
    Trap(Trap),
    /// A call from Rust with another number of arguments than the function takes.
    ArgumentCount { name: Arc<str>, given: usize, takes: u32 },
    /// A scope of another engine calls this function.
    OtherEngine { name: Arc<str> },
    /// The program names more functions than it may.
    TooManyFunctions,
    /// The operating system refused memory for stubs.
    Memory { reason: String },
}

/// Why a function cannot be called: what the engine learns from the program.
#[derive(Debug)]
pub(crate) enum Unavailable {
    /// It has no definition.
    Undefined {
        name: Arc<str>,
        /// `its definition at a.kal:3 failed`, if it did.
        failure: Option<Arc<str>>,
    },
    /// It was declared by `extern`, and the host does not provide it.
    Missing { name: Arc<str> },
    /// It was redefined with another number of parameters than the call has arguments.
    Arity { name: Arc<str>, given: u32, takes: u32 },
}

impl From<Trap> for Failure {
    fn from(trap: Trap) -> Self {
        Self::Trap(trap)
    }
}

impl Failure {
    /// The failure as a diagnostic, at the place of the item that failed.
    pub(crate) fn into_diagnostic(self, span: Span) -> Diagnostic {
        let (code, message) = self.describe();
        Diagnostic::error(code, span, message)
    }

    /// The names of the functions that the failure concerns: those that were active, innermost
    /// first, or the one that the host called wrongly. A function that calls itself is named once.
    /// Names that no program can write are left out.
    pub(crate) fn functions(&self) -> Vec<&Arc<str>> {
        let inside = match self {
            Self::Trap(trap) => trap.inside(),
            Self::ArgumentCount { name, .. } | Self::OtherEngine { name } => std::slice::from_ref(name),
            Self::TooManyFunctions | Self::Memory { .. } => &[],
        };
        let mut names: Vec<_> = inside.iter().filter(|name| !name.starts_with('$')).collect();
        names.dedup();
        names
    }

    /// The failure's code and message, in a sentence with the host function's error.
    pub(crate) fn describe(&self) -> (DiagnosticCode, String) {
        let functions = match self {
            // Programs that are built ahead of time say the same, and do not know them.
            Self::Trap(Trap::Unavailable { .. }) => Vec::new(),
            _ => self.functions(),
        };
        let frames: Vec<_> = functions.into_iter().map(|name| Frame::new(Arc::clone(name), None)).collect();
        let (code, mut message) = self.describe_in(&frames);
        if let Self::Trap(Trap::Host { error, .. }) = self
            && !error.is::<OutputError>()
        {
            message.push_str(": ");
            message.push_str(&error.to_string());
        }
        (code, message)
    }

    /// The failure's code and message, with the frames of its functions. The error of a host
    /// function is not part of it.
    pub(crate) fn describe_in(&self, frames: &[Frame]) -> (DiagnosticCode, String) {
        match self {
            Self::Trap(trap) => describe_trap(trap, frames),
            Self::ArgumentCount { name, given, takes } => (
                DiagnosticCode::WrongArgumentCount,
                format!("{} takes {}, not {given}{}", quoted(name), arguments(*takes), defined(frames)),
            ),
            Self::OtherEngine { name } => (
                DiagnosticCode::OtherEngine,
                format!("{} belongs to another engine than the scope{}", quoted(name), defined(frames)),
            ),
            Self::TooManyFunctions => (
                DiagnosticCode::TooManyFunctions,
                "the program names more functions than it is allowed to".to_owned(),
            ),
            Self::Memory { reason } => (DiagnosticCode::OutOfResources, format!("out of memory: {reason}")),
        }
    }

    /// The host function's own error, if there is one.
    pub(crate) fn into_source(self) -> Option<Arc<dyn Error + Send + Sync>> {
        match self {
            Self::Trap(Trap::Host { error, .. }) if !error.is::<OutputError>() => Some(Arc::from(error)),
            _ => None,
        }
    }
}

/// Where the function of a misuse is defined.
fn defined(frames: &[Frame]) -> String {
    match frames.first().and_then(Frame::place) {
        Some(place) => format!(" (defined at {place})"),
        None => String::new(),
    }
}

/// A stack overflow needs less of the stack than other traps: little of it is left.
fn describe_trap(trap: &Trap, frames: &[Frame]) -> (DiagnosticCode, String) {
    match trap {
        Trap::StackOverflow { .. } => describe_stack_overflow(frames),
        trap => describe_other_trap(trap, frames),
    }
}

fn describe_stack_overflow(frames: &[Frame]) -> (DiagnosticCode, String) {
    (DiagnosticCode::StackOverflow, "stack overflow".to_owned() + &describe(frames))
}

#[inline(never)]
fn describe_other_trap(trap: &Trap, frames: &[Frame]) -> (DiagnosticCode, String) {
    match trap {
        Trap::Unavailable { reason, .. } => describe_unavailable(reason, &describe(frames)),
        Trap::ArgumentCount { .. } => (DiagnosticCode::WrongArgumentCount, trap.to_string()),
        Trap::ColumnLength { .. } | Trap::ResultLength { .. } => {
            (DiagnosticCode::WrongColumnLength, trap.to_string())
        }
        Trap::ResultCount { .. } => (DiagnosticCode::WrongResultCount, trap.to_string()),
        Trap::StackOverflow { .. } => describe_stack_overflow(frames),
        Trap::Interrupted { .. } => (DiagnosticCode::Interrupted, format!("interrupted{}", describe(frames))),
        Trap::DeadlinePassed { .. } => (DiagnosticCode::TimedOut, format!("out of time{}", describe(frames))),
        Trap::BadIndex { index, .. } => {
            (DiagnosticCode::IndexOutOfRange, format!("index out of range{}: {index}", describe(frames)))
        }
        Trap::Host { error, .. } if error.is::<OutputError>() => {
            (DiagnosticCode::HostError, format!("the output of the program cannot be written: {error}"))
        }
        Trap::Host { name, .. } => {
            (DiagnosticCode::HostError, format!("`{name}` failed{}", describe(frames)))
        }
        Trap::HostPanic { name, text, .. } => {
            (DiagnosticCode::HostPanic, format!("`{name}` panicked{}: {text}", describe(frames)))
        }
        Trap::Compile { code, reason } => {
            let diagnostic = match reason {
                CompileError::TooLarge => DiagnosticCode::CodeTooLarge,
                CompileError::Failed(_) | CompileError::UnknownMachine(_) => DiagnosticCode::CompileFailed,
            };
            (diagnostic, format!("`{}` cannot be compiled: {reason}", code.name))
        }
        Trap::CodeMemoryFull { limit } => (
            DiagnosticCode::CodeMemoryFull,
            format!("the program's code would take more than the {limit} bytes it is allowed"),
        ),
        Trap::OutOfMemory { reason } => (DiagnosticCode::OutOfResources, format!("out of memory: {reason}")),
        Trap::MathsLibrary { reason } => (DiagnosticCode::OutOfResources, reason.clone()),
        Trap::CannotEvaluate { reason } => (DiagnosticCode::CannotEvaluate, reason.clone()),
        Trap::ObserverPanic { text } => (DiagnosticCode::HostPanic, format!("the host panicked: {text}")),
        Trap::EnginePanic { text } => (DiagnosticCode::Internal, format!("the engine panicked: {text}")),
        _ => (DiagnosticCode::Internal, trap.to_string()),
    }
}

fn describe_unavailable(reason: &HostError, place: &str) -> (DiagnosticCode, String) {
    match reason.downcast_ref::<Unavailable>() {
        Some(unavailable) => (unavailable.code(), unavailable.describe(place)),
        None => (DiagnosticCode::UndefinedCalled, reason.to_string()),
    }
}

impl Unavailable {
    pub(crate) fn code(&self) -> DiagnosticCode {
        match self {
            Self::Undefined { .. } => DiagnosticCode::UndefinedCalled,
            Self::Missing { .. } => DiagnosticCode::MissingHostFunction,
            Self::Arity { .. } => DiagnosticCode::StaleArity,
        }
    }

    /// The sentence, with the place of the call.
    fn describe(&self, place: &str) -> String {
        match self {
            Self::Undefined { name, failure: None } => {
                format!("`{name}` was called{place}, and is still undefined")
            }
            Self::Undefined { name, failure: Some(failure) } => {
                format!("`{name}` was called{place}, and is not defined: {failure}")
            }
            Self::Missing { name } => {
                format!("`{name}` was called{place}: `extern` declares it, and the host does not provide it")
            }
            Self::Arity { name, given, takes } => format!(
                "`{name}` was called{place} with {}, and takes {} since it was redefined",
                arguments(*given),
                arguments(*takes),
            ),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe(""))
    }
}

impl Error for Unavailable {}

/// The function's name; `the formula` for a formula, whose name no user knows.
pub(crate) fn quoted(name: &str) -> String {
    if name.starts_with('$') { "the formula".to_owned() } else { format!("`{name}`") }
}

/// The number with its noun: `1 argument`, `2 arguments`.
pub(crate) fn arguments(n: u32) -> String {
    format!("{n} argument{}", if n == 1 { "" } else { "s" })
}
