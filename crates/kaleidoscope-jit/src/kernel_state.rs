//! Kernel state: which functions have a kernel, a compiled loop over the rows of a batch.
//!
//! ```text
//!           many rows             compiled                  redefinition
//! Counting ──────────► Compiling ──────────► Ready ─────────────────────► (none)
//!                         │ cannot be compiled
//!                         └──────────────► Refused, until the redefinition
//! ```
//! A kernel has no slot. A batch looks for it here, inside the engine, and runs it before it
//! leaves; so kernels are retired like other code.

use crate::code::{CompiledCode, KernelCode};
use crate::column_state::ColumnKey;
use crate::policy::KernelAdvice;
use crate::precision::Precision;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{KernelForm, ScalarColumns};

/// Identifies a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KernelKey {
    pub(crate) function: FunctionId,
    pub(crate) precision: Precision,
    pub(crate) form: KernelForm,
    pub(crate) scalars: ScalarColumns,
}

impl KernelKey {
    /// The least key of a function.
    pub(crate) fn first_of(function: FunctionId) -> Self {
        let (precision, form) = (Precision::Strict, KernelForm::Map);
        Self { function, precision, form, scalars: ScalarColumns::default() }
    }

    /// The key of the column program for the same columns.
    pub(crate) fn columns(self) -> ColumnKey {
        ColumnKey { function: self.function, scalars: self.scalars }
    }
}

/// The kernel of a function's current version.
#[derive(Debug)]
pub(crate) enum KernelState {
    /// None. This many rows were requested.
    Counting { n_rows: u64 },
    /// A thread is compiling it.
    Compiling,
    Ready {
        code: Box<CompiledCode>,
        /// How many rows a plain kernel computes between two checks.
        rows_per_call: usize,
    },
    /// It cannot be compiled.
    Refused,
}

/// A kernel that the caller must compile, of this version of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelRequest {
    pub(crate) version: u32,
    pub(crate) advice: KernelAdvice,
}

impl KernelState {
    pub(crate) fn code(&self) -> Option<&CompiledCode> {
        match self {
            Self::Ready { code, .. } => Some(code),
            Self::Counting { .. } | Self::Compiling | Self::Refused => None,
        }
    }

    /// The kernel, to be run.
    pub(crate) fn kernel(&self) -> Option<KernelCode> {
        match self {
            Self::Ready { code, rows_per_call } => Some(code.kernel(*rows_per_call)),
            Self::Counting { .. } | Self::Compiling | Self::Refused => None,
        }
    }

    pub(crate) fn into_code(self) -> Option<CompiledCode> {
        match self {
            Self::Ready { code, .. } => Some(*code),
            Self::Counting { .. } | Self::Compiling | Self::Refused => None,
        }
    }

    /// Counts rows. Returns a request if the caller is to compile the kernel: the state is
    /// `Compiling` then.
    pub(crate) fn note_rows(
        &mut self,
        version: u32,
        n_more: usize,
        advise: impl FnOnce(u64) -> KernelAdvice,
    ) -> Option<KernelRequest> {
        let Self::Counting { n_rows } = self else { return None };
        *n_rows = n_rows.saturating_add(n_more as u64);
        let advice = advise(*n_rows);
        if advice == KernelAdvice::NotNow {
            return None;
        }
        *self = Self::Compiling;
        Some(KernelRequest { version, advice })
    }
}
