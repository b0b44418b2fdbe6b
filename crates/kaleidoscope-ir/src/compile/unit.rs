//! A unit: what a code generator compiles at once.

use super::{InliningPlan, Instance, Invalidation, KnownMaths};
use crate::maths::MathsFunction;
use crate::{Function, FunctionId, HostArray, HostVariable};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// One function or top-level expression to compile, with everything that its code refers to.
///
/// A unit without an [`inlining`](Self::inlining) plan is standalone code: one function compiled
/// by itself, whose calls all go through slots. A unit with a plan is optimized code: a tier-up,
/// an OSR entry or a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// The operations.
    pub function: Arc<Function>,
    /// The id by which the function calls itself. `None` for an expression.
    pub id: Option<FunctionId>,
    /// The version of the definition, from 1.
    pub version: u32,
    /// How the code is entered.
    pub kind: CodeKind,
    /// The target of each call that the code may make.
    pub call_targets: BTreeMap<FunctionId, CallTarget>,
    /// The address of each host variable that the code uses.
    pub host_variables: BTreeMap<HostVariable, HostVariableAddress>,
    /// The memory of each array of the host that the code uses.
    pub host_arrays: BTreeMap<HostArray, HostArrayMemory>,
    /// The callee bodies that the code contains. `None` for standalone code.
    pub inlining: Option<InliningPlan>,
    /// The vector functions that may replace calls of C's maths functions. Only for
    /// [`KernelKind::Plain`]. Without them the results have the same bits as single calls.
    pub vector_maths: Vec<VectorMaths>,
    /// How the code is left when it is invalidated. `None` if it runs to its end as it is.
    pub invalidation: Option<Invalidation>,
    /// The results of calls of maths functions whose arguments are constants.
    pub known_maths: KnownMaths,
    /// The columns of a kernel that have one value for all rows.
    pub scalars: ScalarColumns,
    /// The address of C's `sincos`, if a call of it has the bits of a call of `sin` and one of
    /// `cos`; valid as long as the process. Only for [`KernelKind::Plain`].
    pub sincos: Option<usize>,
}

impl Unit {
    /// Standalone code for the whole function.
    pub fn new(
        function: Arc<Function>,
        id: Option<FunctionId>,
        version: u32,
        call_targets: BTreeMap<FunctionId, CallTarget>,
        host_variables: BTreeMap<HostVariable, HostVariableAddress>,
    ) -> Self {
        let kind = CodeKind::Function;
        Self {
            function,
            id,
            version,
            kind,
            call_targets,
            host_variables,
            host_arrays: BTreeMap::new(),
            inlining: None,
            vector_maths: Vec::new(),
            invalidation: None,
            known_maths: KnownMaths::default(),
            scalars: ScalarColumns::default(),
            sincos: None,
        }
    }

    /// The target of a call that is not inlined.
    ///
    /// # Panics
    /// If no operation of the unit calls the function.
    pub fn call_target(&self, id: FunctionId) -> CallTarget {
        *self.call_targets.get(&id).expect("the unit lists all calls")
    }

    /// The address of a host variable.
    ///
    /// # Panics
    /// If no operation of the unit uses the variable.
    pub fn host_variable(&self, id: HostVariable) -> &HostVariableAddress {
        self.host_variables.get(&id).expect("the unit lists all host variables")
    }

    /// The memory of an array of the host.
    ///
    /// # Panics
    /// If no operation of the unit uses the array.
    pub fn host_array(&self, id: HostArray) -> &HostArrayMemory {
        self.host_arrays.get(&id).expect("the unit lists all arrays")
    }

    /// The number of results that the exit function leaves in the exit buffer, as
    /// [`Invalidation::exit`] says: all results of a kernel of a function with several.
    pub fn n_results_of_exit(&self) -> usize {
        match (self.kind, self.function.n_results) {
            (CodeKind::Function | CodeKind::Osr(_), _) | (CodeKind::Kernel(..), 1) => 0,
            (CodeKind::Kernel(..), n_results) => n_results as usize,
        }
    }

    /// Whether code of this unit that was left may continue in other code, as
    /// [`Invalidation::exit`] says: the function calls itself in tail position.
    pub fn continues_elsewhere(&self) -> bool {
        self.kind == CodeKind::Function && self.function.facts().has_tail_call
    }

    /// The functions that the code calls where they are not inlined. Tail calls do not count.
    pub fn calls_left(&self) -> BTreeSet<FunctionId> {
        let instances = self.instances();
        let root = self.kind.ops(&self.function);
        let calls = instances.iter().enumerate().flat_map(|(idx, instance)| {
            let root = root.clone();
            instance.calls().filter(move |(at, _, _)| idx > 0 || root.contains(&at.index()))
        });
        calls.filter(|(_, _, inlinee)| inlinee.is_none()).map(|(_, callee, _)| callee).collect()
    }

    /// Whether the function, with all inlinees, ends soon and only by returning: it
    /// [ends soon](Self::ends_soon), and uses no array, whose indices may be out of range.
    pub fn is_plain(&self) -> bool {
        let uses_array = |instance: &Instance<'_>| instance.function.facts().counts.element_accesses > 0;
        self.ends_soon() && !self.instances().iter().any(uses_array)
    }

    /// Whether the function, with all inlinees, ends soon: it has no loop, and calls only maths
    /// functions.
    pub fn ends_soon(&self) -> bool {
        let is_maths = |callee| matches!(self.call_target(callee), CallTarget::Maths { .. });
        !self.instances().iter().any(|instance| instance.function.has_loops())
            && self.calls_left().into_iter().all(is_maths)
    }

    /// The instances that the code consists of, the unit's own function first.
    pub fn instances(&self) -> Vec<Instance<'_>> {
        match &self.inlining {
            Some(plan) => plan.instances(),
            None => vec![Instance { function: &self.function, inlined: &[] }],
        }
    }
}

/// A host variable's place in memory: a double that generated code loads and stores at each use, as
/// an atomic without order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostVariableAddress {
    /// The name, for listings.
    pub name: Arc<str>,
    /// The address, a multiple of 8 and valid as long as the code.
    pub address: usize,
}

/// The memory of an array of the host: doubles one behind the other, which generated code loads and
/// stores as atomics without order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostArrayMemory {
    /// The name, for listings.
    pub name: Arc<str>,
    /// The address of the first element, a multiple of 64 and valid as long as the code.
    pub address: usize,
    /// The number of elements.
    pub len: usize,
    /// The address of the function that code calls, and that never returns, when an index means no
    /// element. It takes three doubles: the array's number, the index, and the
    /// [place in the code](super::AccessSite::argument).
    pub bad_index: usize,
}

/// The target of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallTarget {
    /// The code whose address is in the slot at the time of the call.
    Slot {
        /// The slot's address, a multiple of 8 and valid as long as the code.
        address: usize,
    },
    /// An instruction, or a function of the C library, as long as the code is valid.
    Maths {
        /// The function.
        function: MathsFunction,
        /// The address of the slot, which points to the function that replaced this one once the
        /// code is invalid; a multiple of 8 and valid as long as the code. In a unit with an
        /// [`Invalidation`] the slot always points to code that needs no compilation first, as long
        /// as the code is valid.
        slot: usize,
    },
}

/// How code is entered, and how much of a function it executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CodeKind {
    /// A call: takes as many doubles as the function has parameters and returns one.
    Function,
    /// An OSR entry: continues the loop with this number (in order of appearance, from 0) at the
    /// beginning of any iteration, until the loop ends.
    ///
    /// Takes the address of as many doubles as the function has locals, indexed by local. On entry
    /// the locals that were set before the loop have their values there. On return those that the
    /// loop assigns have their values there. Returns 1 if the loop has ended. Returns 0 if the code
    /// was invalidated, and an iteration is about to begin.
    Osr(usize),
    /// A kernel: the function applied to each row of a [`KernelTable`]. Takes the table's address.
    /// Returns the number of rows that are done: all of them, or at least one if a guarded kernel
    /// was invalidated. Each result has the same bits as a call.
    Kernel(KernelKind, KernelForm),
}

/// How a kernel computes the rows of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KernelKind {
    /// Runs in a guarded call, in order. A trap in any row ends the kernel.
    Guarded,
    /// Runs on the caller's stack. In a map, in any order, several rows at once where the processor
    /// can.
    ///
    /// The function is [plain](Unit::is_plain). It calls only C's maths functions, whose addresses
    /// are in [`Settings::host_maths`](crate::compile::Settings::host_maths). So a plain
    /// kernel always returns, and soon.
    Plain,
}

/// What a kernel does with the results of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KernelForm {
    /// Writes them. Rows are independent of each other, and may be computed in any order.
    Map,
    /// Writes them, and passes them to the next row: each result is the *state* that the parameter
    /// with its number has there. The function has at least as many parameters as results.
    Scan,
    /// As `Scan`, but writes the states of the last row only.
    Fold,
}

impl KernelForm {
    /// All forms.
    pub const ALL: [Self; 3] = [Self::Map, Self::Scan, Self::Fold];

    /// The number of parameters whose values come from the row before.
    pub fn n_states(self, function: &Function) -> usize {
        match self {
            Self::Map => 0,
            Self::Scan | Self::Fold => function.n_results as usize,
        }
    }

    /// The number of results that are written for each row.
    pub fn n_outs(self, function: &Function) -> usize {
        match self {
            Self::Map | Self::Scan => function.n_results as usize,
            Self::Fold => 0,
        }
    }
}

/// Which columns of a batch are *scalars*: one value for all rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScalarColumns(u64);

impl ScalarColumns {
    /// Columns from this number on are no scalars.
    pub const MAX: usize = u64::BITS as usize;

    /// Whether the column with this number is a scalar.
    pub fn contains(self, column: usize) -> bool {
        column < Self::MAX && self.0 >> column & 1 == 1
    }
}

impl FromIterator<usize> for ScalarColumns {
    /// # Panics
    /// If a number is not below [`MAX`](Self::MAX).
    fn from_iter<I: IntoIterator<Item = usize>>(columns: I) -> Self {
        let bit = |column| {
            assert!(column < Self::MAX, "scalars are among the first columns");
            1_u64 << column
        };
        Self(columns.into_iter().fold(0, |bits, column| bits | bit(column)))
    }
}

/// What a kernel reads and writes. The layout is C's.
#[derive(Debug)]
#[repr(C)]
pub struct KernelTable {
    /// One pointer for each parameter that is no [state](KernelForm::Scan), each to `n_rows`
    /// doubles, or to one if the column is among the unit's [scalars](Unit::scalars). Columns may
    /// overlap.
    pub columns: *const *const f64,
    /// One pointer for each result, each to `n_rows` doubles. None of these overlaps a column or
    /// another one. A [`KernelForm::Fold`] does not use them.
    pub outs: *const *mut f64,
    /// One double for each result, where nothing else is: the states before the first row, and
    /// behind the last one when the kernel has returned. A [`KernelForm::Map`] does not use them.
    pub states: *mut f64,
    /// The number of rows, at least 1.
    pub n_rows: usize,
    /// Set to 0. Guarded kernels other than [`KernelForm::Map`] store the number of rows here that
    /// are done, so it is known after a trap. Results are written before that.
    pub n_done: usize,
}

/// A function of the vector maths library: one of C's maths functions applied to several values,
/// within 4 units in the last place of the exact results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorMaths {
    /// The function for one value.
    pub function: MathsFunction,
    /// The number of values: 2, 4 or 8, passed as x86-64's vector function ABI prescribes.
    pub lanes: u32,
    /// The address, valid as long as the process.
    pub address: usize,
}

impl CodeKind {
    /// The operations of its function that code of this kind runs.
    pub fn ops(self, function: &Function) -> Range<usize> {
        match self {
            Self::Function | Self::Kernel(..) => 0..function.ops.len(),
            Self::Osr(nth) => {
                let facts = &function.facts().loops[nth];
                facts.header.index()..facts.next.index() + 1
            }
        }
    }

    /// The number of the loop that an OSR entry continues.
    pub fn osr_loop(self) -> Option<usize> {
        match self {
            Self::Function | Self::Kernel(..) => None,
            Self::Osr(nth) => Some(nth),
        }
    }

    /// Whether this is a [plain](KernelKind::Plain) kernel.
    pub fn is_plain_kernel(self) -> bool {
        matches!(self, Self::Kernel(KernelKind::Plain, _))
    }
}
