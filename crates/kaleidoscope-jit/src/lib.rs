//! A lazy, tiered, guarded JIT engine for any language over doubles.
//!
#![doc = include_str!("../README.md")]
#![deny(unsafe_code, missing_docs)]

// In reading order: the interface, the function table, the life of a function, the tiers, batches.
mod embedder;
mod error;
mod event;
mod jit;
mod mode;
mod settings;
mod trap;

mod code;
mod code_state;
mod core;
mod table;

mod lazy;
mod runtime;
mod verify;

mod call_graph;
mod inlining;
mod osr;
mod policy;
mod profile;
mod tier_up;
mod tier_up_state;

mod deoptimize;
mod dependents;
mod exit_buffer;
mod reclaim;
mod snapshot;
#[cfg(feature = "stress")]
mod stress;
mod unslotted;
mod validity;

mod baseline_tier;
mod code_budget;
mod code_cache;
mod compile_queue;
mod interpreted_code;
mod interpreter_tier;

mod batch;
mod column_state;
mod column_tier;
mod group;
mod kernel;
mod kernel_state;
mod precision;

mod array;
mod host;
mod host_data;
mod interrupt;
mod maths;
mod memory_limit;
mod statistics;
mod variable;

pub use crate::core::FunctionIds;
pub use array::{Array, ArrayTooLarge};
pub use batch::{Column, MapOptions, RowTrap};
pub use code::Callable;
pub use code_cache::{CacheError, CacheTotals, CodeCache};
pub use dependents::{Change, Definition, Superseded};
pub use embedder::Embedder;
pub use error::Error;
pub use event::{CodeName, Event, MappedRows, Observer, Tier};
pub use group::Group;
pub use host::{HostClosure, HostFunction};
pub use interrupt::{CallLimits, Interrupter, is_stop_pending};
pub use jit::{CallScope, Jit, WeakJit};
pub use kaleidoscope_ir as ir;
pub use kaleidoscope_ir::compile::{Backend, CompileError, CompileTimes, Listing, Optimization};
pub use kaleidoscope_native::{Process, exit_at_once, in_engine_mode, is_host_stack_full, is_signal_ignored};
pub use mode::Mode;
pub use policy::Thresholds;
pub use precision::Precision;
pub use settings::Builder;
pub use snapshot::Snapshot;
pub use statistics::{Compiled, Statistics, Totals};
pub use trap::{HostError, Trap};
pub use variable::Variable;
