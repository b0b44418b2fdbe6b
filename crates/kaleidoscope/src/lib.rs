//! An embeddable, extremely lazy JIT for the Kaleidoscope language.
//!
#![doc = include_str!("../README.md")]
#![deny(unsafe_code, missing_docs)]

mod ahead_of_time;
mod array;
mod backtrace;
mod batch;
mod builder;
mod call_error;
mod engine;
mod error;
mod failure;
mod formula;
mod formula_definition;
mod formulas;
mod free_variables;
mod function;
mod function_info;
mod handle;
mod host;
mod outcome;
mod output;
mod prelude;
mod program;
mod raw;
mod replace;
mod script;
mod shared;
mod snapshot;
mod variable;

pub use ahead_of_time::{AheadOfTime, Export, RUNTIME};
pub use backtrace::{Frame, Place};
pub use builder::Builder;
pub use call_error::CallError;
pub use engine::Engine;
pub use error::{Error, ErrorKind};
pub use formula::{Formula, FormulaError};
pub use formulas::Formulas;
pub use function::{Arguments, DynFunction, Function, Scope};
pub use function_info::{FunctionInfo, Origin};
pub use host::{HostFunction, HostValue};
pub use kaleidoscope_ir as ir;
pub use kaleidoscope_jit as jit;
pub use kaleidoscope_jit::{
    Array, ArrayTooLarge, Backend, CacheError, CacheTotals, CodeCache, CodeName, Column, CompileTimes,
    Compiled, Event, Interrupter, Listing, MapOptions, MappedRows, Mode, Observer, Optimization, Precision,
    Statistics, Thresholds, Tier, Totals, Variable, exit_at_once, is_signal_ignored, is_stop_pending,
};
pub use kaleidoscope_lang as lang;
pub use kaleidoscope_lang::diagnostic::{Color, Diagnostic, DiagnosticCode, Label, Severity, render};
pub use kaleidoscope_lang::source::{Source, Span};
pub use outcome::{ItemOutcome, Outcome, ProgramError};
pub use output::{Output, OutputBuffer, PutchardUnit, StandardOutput};
pub use prelude::PRELUDE;
pub use script::Script;
pub use snapshot::Snapshot;
