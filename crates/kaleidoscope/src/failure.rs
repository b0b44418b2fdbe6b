//! Failures: why an evaluation ended without a value, and the messages about it.

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
    Undefined { name: Arc<str> },
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

    /// The failure's code and message.
    pub(crate) fn describe(&self) -> (DiagnosticCode, String) {
        match self {
            Self::Trap(trap) => describe_trap(trap),
            Self::ArgumentCount { name, given, takes } => (
                DiagnosticCode::WrongArgumentCount,
                format!("{} takes {}, not {given}", quoted(name), arguments(*takes)),
            ),
            Self::OtherEngine { name } => (
                DiagnosticCode::OtherEngine,
                format!("{} belongs to another engine than the scope", quoted(name)),
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

/// A stack overflow needs less of the stack than other traps: little of it is left.
fn describe_trap(trap: &Trap) -> (DiagnosticCode, String) {
    match trap {
        Trap::StackOverflow { inside } => describe_stack_overflow(inside),
        trap => describe_other_trap(trap),
    }
}

fn describe_stack_overflow(inside: &[Arc<str>]) -> (DiagnosticCode, String) {
    (DiagnosticCode::StackOverflow, "stack overflow".to_owned() + &place(inside))
}

#[inline(never)]
fn describe_other_trap(trap: &Trap) -> (DiagnosticCode, String) {
    match trap {
        Trap::Unavailable { reason, .. } => describe_unavailable(reason),
        Trap::ArgumentCount { .. } => (DiagnosticCode::WrongArgumentCount, trap.to_string()),
        Trap::ColumnLength { .. } | Trap::ResultLength { .. } => {
            (DiagnosticCode::WrongColumnLength, trap.to_string())
        }
        Trap::ResultCount { .. } => (DiagnosticCode::WrongResultCount, trap.to_string()),
        Trap::StackOverflow { inside } => describe_stack_overflow(inside),
        Trap::Interrupted { inside } => {
            (DiagnosticCode::Interrupted, format!("interrupted{}", place(inside)))
        }
        Trap::DeadlinePassed { inside } => {
            (DiagnosticCode::TimedOut, format!("out of time{}", place(inside)))
        }
        Trap::BadIndex { index, inside } => {
            (DiagnosticCode::IndexOutOfRange, format!("index out of range{}: {index}", place(inside)))
        }
        Trap::Host { error, .. } if error.is::<OutputError>() => {
            (DiagnosticCode::HostError, format!("the output of the program cannot be written: {error}"))
        }
        Trap::Host { name, error } => (DiagnosticCode::HostError, format!("`{name}` failed: {error}")),
        Trap::HostPanic { name, text } => (DiagnosticCode::HostPanic, format!("`{name}` panicked: {text}")),
        Trap::Compile { code, reason } => {
            let diagnostic = match reason {
                CompileError::TooLarge => DiagnosticCode::CodeTooLarge,
                CompileError::Failed(_) => DiagnosticCode::CompileFailed,
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

fn describe_unavailable(reason: &HostError) -> (DiagnosticCode, String) {
    let code = reason.downcast_ref().map_or(DiagnosticCode::UndefinedCalled, Unavailable::code);
    (code, reason.to_string())
}

impl Unavailable {
    pub(crate) fn code(&self) -> DiagnosticCode {
        match self {
            Self::Undefined { .. } => DiagnosticCode::UndefinedCalled,
            Self::Missing { .. } => DiagnosticCode::MissingHostFunction,
            Self::Arity { .. } => DiagnosticCode::StaleArity,
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined { name } => write!(f, "`{name}` was called, and is still undefined"),
            Self::Missing { name } => {
                write!(f, "`{name}` was called: `extern` declares it, and the host does not provide it")
            }
            Self::Arity { name, given, takes } => write!(
                f,
                "`{name}` was called with {}, and takes {} since it was redefined",
                arguments(*given),
                arguments(*takes),
            ),
        }
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

/// Where an evaluation ended: ` in f, called by g, h`. A function that calls itself is named once.
/// Functions whose names no program can write are left out.
fn place(inside: &[Arc<str>]) -> String {
    const MOST: usize = 6;
    let mut names: Vec<&str> =
        inside.iter().map(|name| &**name).filter(|name| !name.starts_with('$')).collect();
    names.dedup();
    let Some((innermost, callers)) = names.split_first() else { return String::new() };
    let quoted: Vec<_> = callers.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    match quoted.is_empty() {
        true => format!(" in `{innermost}`"),
        false => format!(" in `{innermost}`, called by {}", quoted.join(", ")),
    }
}
