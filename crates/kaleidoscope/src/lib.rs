//! An embeddable, extremely lazy JIT for the Kaleidoscope language.
//!
#![doc = include_str!("../README.md")]
#![deny(unsafe_code, missing_docs)]

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
pub use kaleidoscope_ir as ir;
pub use kaleidoscope_ir::compile::{Backend, CompileTimes, Listing, Optimization};
pub use kaleidoscope_lang as lang;
pub use kaleidoscope_lang::diagnostic::{Color, Diagnostic, DiagnosticCode, Label, Severity, render};
pub use kaleidoscope_lang::source::{Source, Span};
pub use kaleidoscope_native::exit_at_once;
pub use output::{Output, OutputBuffer, StandardOutput};
pub use policy::Thresholds;
pub use prelude::PRELUDE;
pub use script::{ItemOutcome, Outcome, Script};
pub use stats::{Compiled, Statistics, Totals};
pub use variable::Variable;
