//! An embeddable, extremely lazy JIT for the Kaleidoscope language.
//!
//! A function that is defined costs almost nothing: no IR, no machine code, until a call reaches it. See [`Engine`].
//!
//! ```text
//!  text ─► item ─► resolved function ─► slot and stub          (defining: microseconds, no code)
//!                                         │ first call
//!                                         ▼
//!                                  quick code                   (tens of microseconds; slot re-pointed)
//!                                         │ hot
//!                                         ▼
//!                                  optimised code               (in the background; slot re-pointed again)
//! ```
//! With the feature `llvm` optimised code is made by LLVM, which must be installed; without it quick code has to do.
//!
//! Programs call the functions that they define, those of C's maths library, `putchard` and `printd`, which write to the
//! [`Output`], and whatever the host [registers](Engine::register). No other symbol of the process can be reached. They share
//! variables with the host that it [binds](Engine::bind) to names.
//!
//! Mistakes in a program are [`Diagnostic`]s in the [`Outcome`]; after an error the next item runs. What happens to each
//! function is told to [`Observer`]s as [`Event`]s.

#![deny(unsafe_code)]

mod background;
mod baseline;
mod batch;
mod call_error;
mod code_budget;
mod compile_threads;
mod config;
mod engine;
mod error;
mod evaluation;
mod event;
mod failure;
mod formula;
mod function;
mod functions;
mod handle;
mod host;
mod interrupt;
mod jit;
mod output;
mod policy;
mod prelude;
mod program;
mod raw;
mod rows;
mod script;
mod shared;
mod stats;
mod variable;

pub use batch::{MapOptions, Precision};
pub use call_error::CallError;
pub use config::{Builder, Mode};
pub use engine::Engine;
pub use error::{Error, ErrorKind};
pub use event::{BodyName, Event, Observer, Tier};
pub use formula::{Formula, FormulaError};
pub use function::{Arguments, DynFunction, Function, Scope};
pub use functions::{FunctionInfo, Origin};
pub use host::{HostFunction, HostValue};
pub use interrupt::Interrupter;
pub use kaleidoscope_codegen::{Backend, CompileTimes, Listing, Optimization};
pub use kaleidoscope_lang as lang;
pub use kaleidoscope_lang::diagnostic::{Code, Color, Diagnostic, Label, Severity, render};
pub use kaleidoscope_lang::source::{Source, Span};
pub use kaleidoscope_native::exit_at_once;
pub use output::{Output, OutputBuffer, StandardOutput};
pub use policy::Thresholds;
pub use prelude::PRELUDE;
pub use script::{ItemOutcome, Outcome, Script};
pub use stats::{Compiled, Statistics, Totals};
pub use variable::Variable;
