//! Column tier: batches without machine code.
//!
//! Functions without loops that call only maths functions run in the column interpreter
//! ([`kaleidoscope_ir::column`]): where there is no optimizing compiler, and until a kernel is
//! compiled. Lowering a function takes some microseconds, so the batch that needs it does it on its
//! own thread.
//!
//! The column interpreter is safe code that nothing interrupts. It gets so few rows at a time that
//! interrupts, deadlines and redefinitions take effect soon.

use crate::column_state::{BatchProgram, ColumnKey, ColumnState, HostMemory};
use crate::core::Core;
use crate::inlining::Planned;
use crate::maths::{load_maths, maths_entry};
use crate::mode::Mode;
use crate::policy;
use crate::table::{Dependent, Table};
use crate::validity::Dependency;
use kaleidoscope_ir::column::{BlockLoop, ColumnEnvironment, ColumnProgram};
use kaleidoscope_ir::compile::{CallTarget, CodeKind, KernelForm, KernelKind};
use kaleidoscope_ir::{FunctionId, HostArray, HostVariable, MathsFunction};
use kaleidoscope_native::{VectorLoop, prefetch, run_vector_loop};
use std::sync::Arc;

impl Core {
    /// Makes a column program with this key, if this many more rows justify it and the
    /// function qualifies.
    pub(crate) fn prepare_columns(&self, key: ColumnKey, n_rows: usize) {
        let are_calls_slow = |has_code: bool| match self.settings.mode {
            Mode::Off => true,
            Mode::Lazy | Mode::Eager => !has_code && self.compile_queue.is_some(),
            Mode::Tiered | Mode::Baseline => false,
        };
        if !self.table().note_rows(key, n_rows, are_calls_slow)
            // Without the library there is an error when a row calls it.
            || load_maths().is_err()
        {
            return;
        }
        if let Some(state) = self.lower_to_columns(key) {
            self.table().set_column_state(key, state);
        }
    }

    /// Lowers a function. Returns nothing if it was redefined meanwhile.
    fn lower_to_columns(&self, key: ColumnKey) -> Option<ColumnState> {
        let function = key.function;
        let (ir, version) = {
            let table = self.table();
            let entry = table.entry(function);
            (entry.ir().cloned(), entry.version())
        };
        let refused = |dependencies: Vec<Dependency>| Some(ColumnState::Refused(dependencies.into()));
        let itself = (function, version);
        // A call reports what is wrong with the IR.
        if ir.is_some_and(|ir| self.verify_rows(&ir).is_err() || ir.has_loops()) {
            return refused(vec![itself]);
        }
        let unit = {
            let table = self.table();
            // Another version is not verified.
            if table.version(function) != version {
                return None;
            }
            table.kernel_unit(key)
        };
        let Some(root) = unit.map(Arc::new) else { return refused(vec![itself]) };
        let plain = CodeKind::Kernel(KernelKind::Plain, KernelForm::Map);
        let budget = policy::COLUMN_INLINING.for_results(root.function.n_results);
        let Planned { unit, dependencies, .. } = self.plan(&root, plain, budget)?;
        let program = if policy::fits_columns(&unit) { ColumnProgram::new(&unit) } else { None };
        let table = self.table();
        let Some(program) = program else {
            // Other definitions of what it calls might qualify.
            let called =
                unit.call_targets.iter().filter(|(_, target)| matches!(target, CallTarget::Slot { .. }));
            let called = called.map(|(id, _)| (*id, table.version(*id)));
            return refused(dependencies.iter().copied().chain(called).chain([itself]).collect());
        };
        let variables = unit.host_variables.keys().map(|&id| (id, table.variable(id).clone())).collect();
        let rows_per_check = policy::rows_per_kernel_call(&unit);
        let arrays = unit.host_arrays.keys().map(|&id| (id, table.array(id).1.clone())).collect();
        let memory = HostMemory { variables, arrays };
        let program = BatchProgram::new(program, version, rows_per_check, dependencies, memory);
        Some(ColumnState::Ready(Arc::new(program)))
    }
}

impl Table {
    /// The column program with this key, if there is one.
    pub(crate) fn column_program(&self, key: ColumnKey) -> Option<&Arc<BatchProgram>> {
        match self.column_programs.get(&key)? {
            ColumnState::Ready(program) => Some(program),
            ColumnState::Counting { .. } | ColumnState::Refused(_) => None,
        }
    }

    /// Counts rows of a function. Returns whether a column program is to be made of it.
    /// `are_calls_slow` is asked whether it has code.
    pub(crate) fn note_rows(
        &mut self,
        key: ColumnKey,
        n_more: usize,
        are_calls_slow: impl FnOnce(bool) -> bool,
    ) -> bool {
        let state = self.column_programs.entry(key).or_insert(ColumnState::Counting { n_rows: 0 });
        let ColumnState::Counting { n_rows } = state else { return false };
        *n_rows = n_rows.saturating_add(n_more as u64);
        let n_rows = *n_rows;
        let entry = self.entry(key.function);
        let n_ops = entry.ir().map_or(1, |ir| ir.ops.len());
        let are_calls_slow = are_calls_slow(entry.state.first().is_some());
        policy::justifies_column_program(n_ops, n_more, n_rows, are_calls_slow)
    }

    /// Stores what came of lowering a function, unless something that it depends on was redefined
    /// meanwhile.
    pub(crate) fn set_column_state(&mut self, key: ColumnKey, state: ColumnState) {
        let dependencies = match &state {
            ColumnState::Counting { .. } => return,
            ColumnState::Ready(program) => program.dependencies.clone(),
            ColumnState::Refused(dependencies) => dependencies.clone(),
        };
        if dependencies.iter().any(|&(id, version)| self.version(id) != version) {
            return;
        }
        self.note_dependent(Dependent::ColumnProgram(key), &dependencies);
        self.column_programs.insert(key, state);
    }

    /// Removes the column programs of a function that is redefined.
    pub(crate) fn remove_column_programs(&mut self, function: FunctionId) {
        let programs = self.column_programs.range(ColumnKey::first_of(function)..);
        let keys = programs.map(|(key, _)| *key).take_while(|key| key.function == function);
        let keys: Vec<_> = keys.collect();
        keys.into_iter().for_each(|key| self.remove_column_program(key));
    }

    /// Removes a column program, because the function or a callee is redefined.
    pub(crate) fn remove_column_program(&mut self, key: ColumnKey) {
        if let Some(ColumnState::Ready(program)) = self.column_programs.remove(&key) {
            program.note_change();
        }
    }
}

/// What the column interpreter asks for while it runs a batch.
pub(crate) struct BatchEnvironment<'a> {
    pub(crate) program: &'a BatchProgram,
    /// Whether columns and results are larger than the caches.
    pub(crate) exceeds_caches: bool,
}

impl ColumnEnvironment for BatchEnvironment<'_> {
    fn maths(&self, function: MathsFunction, args: &[&[f64]], out: &mut [f64]) {
        maths_entry(function).call_rows(args, out);
    }

    fn variable(&self, variable: HostVariable) -> f64 {
        self.program.memory.variables[&variable].get()
    }

    fn gather(&self, array: HostArray, indices: &[f64], out: &mut [f64]) -> bool {
        self.program.memory.arrays[&array].gather(indices, out)
    }

    fn prefetch(&self, rows: &[f64]) {
        if self.exceeds_caches {
            prefetch(rows);
        }
    }

    fn run_loop(&self, block_loop: BlockLoop<'_>) {
        run_vector_loop(WideLoop(block_loop));
    }
}

/// A loop of the column interpreter, compiled for several vector widths.
struct WideLoop<'a>(BlockLoop<'a>);

impl VectorLoop for WideLoop<'_> {
    #[inline(always)]
    fn run(self) {
        self.0.run();
    }
}
