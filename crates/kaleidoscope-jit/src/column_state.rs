//! Column state: which functions have a column program, by which the column interpreter applies
//! them to columns ([`kaleidoscope_ir::column`]).
//!
//! ```text
//!           some rows           lowered              redefinition
//! Counting ──────────► (a batch) ──────────► Ready ──────────────► (none)
//!                          │ does not qualify
//!                          └───────────────► Refused, until the redefinition
//! ```
//! A program contains the function's callees, so a redefinition of any of them removes it. Batches
//! that run it notice that between two pieces of the columns ([`BatchProgram::n_changes`]).

use crate::array::Array;
use crate::policy;
use crate::validity::Dependency;
use crate::variable::Variable;
use kaleidoscope_ir::column::ColumnProgram;
use kaleidoscope_ir::compile::ScalarColumns;
use kaleidoscope_ir::{FunctionId, HostArray, HostVariable};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Identifies a column program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ColumnKey {
    pub(crate) function: FunctionId,
    pub(crate) scalars: ScalarColumns,
}

impl ColumnKey {
    /// The least key of a function.
    pub(crate) fn first_of(function: FunctionId) -> Self {
        Self { function, scalars: ScalarColumns::default() }
    }
}

/// The column program of a function's current version.
#[derive(Debug)]
pub(crate) enum ColumnState {
    /// None. This many rows were requested.
    Counting {
        n_rows: u64,
    },
    Ready(Arc<BatchProgram>),
    /// The function does not qualify, as long as these are the versions of what it calls.
    Refused(Box<[Dependency]>),
}

/// A column program, and what a batch must know to run it.
#[derive(Debug)]
pub(crate) struct BatchProgram {
    pub(crate) program: ColumnProgram,
    /// The version of the function.
    pub(crate) version: u32,
    /// The rows from which a batch runs it.
    pub(crate) min_rows: usize,
    /// How many rows are computed between two checks.
    pub(crate) rows_per_check: usize,
    /// The functions that the program contains, and the function itself.
    pub(crate) dependencies: Box<[Dependency]>,
    pub(crate) memory: HostMemory,
    n_changes: AtomicU32,
}

/// The memory of the host that a column program reads.
#[derive(Debug)]
pub(crate) struct HostMemory {
    pub(crate) variables: BTreeMap<HostVariable, Variable>,
    pub(crate) arrays: BTreeMap<HostArray, Array>,
}

impl BatchProgram {
    pub(crate) fn new(
        program: ColumnProgram,
        version: u32,
        rows_per_check: usize,
        dependencies: Box<[Dependency]>,
        memory: HostMemory,
    ) -> Self {
        let n_changes = AtomicU32::new(0);
        let min_rows = policy::min_rows_for_columns(program.n_steps());
        Self { program, version, min_rows, rows_per_check, dependencies, memory, n_changes }
    }

    /// Increases when a running batch has reason to look in the table again: the program was
    /// removed, or a kernel was installed.
    pub(crate) fn n_changes(&self) -> u32 {
        self.n_changes.load(Ordering::Acquire)
    }

    pub(crate) fn note_change(&self) {
        self.n_changes.fetch_add(1, Ordering::Release);
    }
}

impl ColumnState {
    /// Whether a redefinition of this function concerns the state.
    pub(crate) fn depends_on(&self, function: FunctionId) -> bool {
        let dependencies = match self {
            Self::Counting { .. } => return false,
            Self::Ready(program) => &program.dependencies,
            Self::Refused(dependencies) => dependencies,
        };
        dependencies.iter().any(|&(id, _)| id == function)
    }
}
