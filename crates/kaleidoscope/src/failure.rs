//! Why an evaluation ended without a value, and what is said of it.

use crate::event::BodyName;
use kaleidoscope_ir::compile::CompileError;
use kaleidoscope_ir::interpreter::Fault;
use kaleidoscope_lang::diagnostic::{Diagnostic, DiagnosticCode};
use kaleidoscope_lang::source::Span;
use std::any::Any;
use std::error::Error;
use std::io;
use std::sync::Arc;

/// Why an evaluation ended without a value.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A call of a function that has no definition.
    Undefined { name: Arc<str> },
    /// A call of a function that was declared by `extern` and that nobody provides.
    Missing { name: Arc<str> },
    /// A call with the number of arguments that the function had before it was defined anew.
    Arity { name: Arc<str>, given: u32, takes: u32 },
    /// A call from Rust with another number of arguments than the function takes.
    ArgumentCount { name: Arc<str>, given: usize, takes: u32 },
    /// A column that is not as long as that of the results.
    ColumnLength { column: usize, given: usize, takes: usize },
    /// The operating system gave no memory for stubs.
    Memory { reason: String },
    /// Calls nested deeper than the stack allows. The functions on the stack, the innermost first, as far as they are known.
    StackOverflow { inside: Vec<Arc<str>> },
    /// The evaluation was stopped from outside.
    Interrupted { inside: Vec<Arc<str>> },
    /// The evaluation took longer than it may.
    TimedOut { inside: Vec<Arc<str>> },
    /// What the program wrote could not be written.
    Output(io::Error),
    /// A function of the host gave an error back.
    Host { name: Arc<str>, error: Arc<dyn Error + Send + Sync> },
    /// A function of the host panicked.
    HostPanic { name: Arc<str>, text: String },
    /// No code could be made.
    Compile { body: BodyName, reason: CompileError },
    /// The program names more functions than it may.
    TooManyFunctions,
    /// Code takes more memory than it may.
    CodeMemory { limit: usize },
    /// An observer panicked.
    Panic { text: String },
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::StackOverflow { function } => Self::StackOverflow { inside: vec![function] },
            // Where a deadline was the cause, whoever set it says so.
            _ => Self::Interrupted { inside: Vec::new() },
        }
    }
}

impl Failure {
    /// What to say of it, at the place of the item that failed.
    pub(crate) fn into_diagnostic(self, span: Span) -> Diagnostic {
        let (code, message) = self.describe();
        Diagnostic::error(code, span, message)
    }

    /// What to say of it.
    pub(crate) fn describe(self) -> (DiagnosticCode, String) {
        match self {
            Self::Undefined { name } => {
                (DiagnosticCode::UndefinedCalled, format!("`{name}` was called, and is still undefined"))
            }
            Self::Missing { name } => (
                DiagnosticCode::MissingHostFunction,
                format!("`{name}` was called: it is declared by `extern`, and nobody provides it"),
            ),
            Self::Arity { name, given, takes } => {
                let message = format!(
                    "`{name}` was called with {}, and takes {} since it was defined again",
                    arguments(given),
                    arguments(takes),
                );
                (DiagnosticCode::StaleArity, message)
            }
            Self::ArgumentCount { name, given, takes } => (
                DiagnosticCode::WrongArgumentCount,
                format!("{} takes {}, not {given}", quoted(&name), arguments(takes)),
            ),
            Self::ColumnLength { column, given, takes } => (
                DiagnosticCode::WrongColumnLength,
                format!("column {column} has {given} values, and there is room for {takes} results"),
            ),
            Self::Memory { reason } => {
                (DiagnosticCode::Internal, format!("no memory for another function: {reason}"))
            }
            Self::StackOverflow { inside } => {
                (DiagnosticCode::StackOverflow, format!("stack overflow{}", place(&inside)))
            }
            Self::Interrupted { inside } => {
                (DiagnosticCode::Interrupted, format!("interrupted{}", place(&inside)))
            }
            Self::TimedOut { inside } => (DiagnosticCode::TimedOut, format!("out of time{}", place(&inside))),
            Self::Output(error) => {
                (DiagnosticCode::HostError, format!("the output of the program cannot be written: {error}"))
            }
            Self::Host { name, error } => (DiagnosticCode::HostError, format!("`{name}` failed: {error}")),
            Self::HostPanic { name, text } => {
                (DiagnosticCode::HostPanic, format!("`{name}` panicked: {text}"))
            }
            Self::Compile { body, reason } => {
                let code = match reason {
                    CompileError::TooLarge => DiagnosticCode::CodeTooLarge,
                    CompileError::Failed(_) => DiagnosticCode::CompileFailed,
                };
                (code, format!("no code could be made for `{}`: {reason}", body.name))
            }
            Self::TooManyFunctions => (
                DiagnosticCode::TooManyFunctions,
                "the program names more functions than it is allowed to".to_owned(),
            ),
            Self::CodeMemory { limit } => (
                DiagnosticCode::CodeMemoryFull,
                format!("the program's code would take more than the {limit} bytes it is allowed"),
            ),
            Self::Panic { text } => (DiagnosticCode::HostPanic, format!("the host panicked: {text}")),
        }
    }

    /// The host's own error, if it was one.
    pub(crate) fn source(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        match self {
            Self::Host { error, .. } => Some(Arc::clone(error)),
            _ => None,
        }
    }

    pub(crate) fn of_panic(payload: &(dyn Any + Send)) -> Self {
        Self::Panic { text: panic_text(payload) }
    }
}

/// The function's name; a formula's is no user's concern.
pub(crate) fn quoted(name: &str) -> String {
    if name.starts_with('$') { "the formula".to_owned() } else { format!("`{name}`") }
}

/// `1 argument`, `2 arguments`
fn arguments(n: u32) -> String {
    format!("{n} argument{}", if n == 1 { "" } else { "s" })
}

/// ` in f, called by g, h`, with a run of calls of one function by itself named once; nothing where nothing is known.
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

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "(no message)".to_owned()
    }
}
