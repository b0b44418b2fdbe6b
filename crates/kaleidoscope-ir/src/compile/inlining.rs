//! Inlining plans: which calls are replaced by a copy of the callee in optimized code.
//!
//! A plan is data. The planner (`planner.rs`) makes it, the code generator follows it.

mod planner;
mod small;
#[cfg(test)]
mod tests;

use crate::{Function, FunctionId, OpIdx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// How much optimized code may inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InliningBudget {
    /// The most operations of one inlinee.
    pub callee_ops: usize,
    /// The most operations of all copies together. Neither the root nor small callees count.
    pub copied_ops: usize,
    /// How often a function may be inlined into itself.
    pub recursion: usize,
    /// The most operations of a small callee, its own small callees included. A callee is small if
    /// it also has no loop and is no larger than a call in machine code.
    pub small_ops: usize,
    /// The most operations of all copies of small callees together.
    pub copied_small_ops: usize,
}

impl InliningBudget {
    /// Inlines nothing.
    pub const NOTHING: Self =
        Self { callee_ops: 0, copied_ops: 0, recursion: 0, small_ops: 0, copied_small_ops: 0 };

    /// The budget for a root with several results: as much for each as for a root with one, with
    /// the function that computes it.
    #[must_use]
    pub fn for_results(self, n_results: u32) -> Self {
        if n_results == 1 {
            return self;
        }
        let n_results = n_results as usize;
        let more = |n_ops: usize| n_ops.saturating_mul(n_results);
        let copied_ops = more(self.copied_ops.saturating_add(self.callee_ops));
        Self { copied_ops, copied_small_ops: more(self.copied_small_ops), ..self }
    }

    /// Three quarters of this budget, for a unit that is too large with all of it, or at last
    /// nothing. `None` if there is nothing to take away.
    pub fn less(self) -> Option<Self> {
        let n_copied = self.copied_ops.saturating_add(self.copied_small_ops);
        let less = |n_ops: usize| n_ops / 4 * 3;
        let some =
            Self { copied_ops: less(self.copied_ops), copied_small_ops: less(self.copied_small_ops), ..self };
        match n_copied {
            0 => None,
            1..LEAST_COPIED_OPS => Some(Self::NOTHING),
            _ => Some(some),
        }
    }
}

/// The operations below which [`InliningBudget::less`] leaves nothing.
const LEAST_COPIED_OPS: usize = 32;

/// The instances that optimized code consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InliningPlan {
    /// The root first.
    instances: Vec<PlannedInstance>,
}

/// A function body in a plan, with a fixed choice of which of its calls are inlined.
///
/// One function may have several instances with different choices. A recursive function is unrolled
/// into a chain of instances, each inlined into the one before. The last one calls the slot.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    /// The function.
    pub function: &'a Function,
    /// The calls that are inlined, by position, each with the index of the callee's instance. The
    /// index is greater than this instance's own, so no instance contains itself. The callee's
    /// arity equals the number of arguments.
    pub inlined: &'a [(OpIdx, usize)],
}

impl<'a> Instance<'a> {
    /// The index of the instance that replaces the call at this position. `None` if the call is not
    /// inlined.
    pub fn inlined(&self, at: OpIdx) -> Option<usize> {
        let found = self.inlined.binary_search_by_key(&at, |(call, _)| *call).ok()?;
        Some(self.inlined[found].1)
    }

    /// The calls, by position, each with its callee and the index of the instance that replaces it.
    /// Tail calls are not among them.
    pub fn calls(self) -> impl Iterator<Item = (OpIdx, FunctionId, Option<usize>)> + 'a {
        let mut inlined = self.inlined.iter().peekable();
        self.function.calls().map(move |(at, callee)| {
            let inlinee = inlined.next_if(|(call, _)| *call == at).map(|(_, inlinee)| *inlinee);
            (at, callee, inlinee)
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PlannedInstance {
    function: Arc<Function>,
    inlined: Vec<(OpIdx, usize)>,
}

impl PlannedInstance {
    fn new(function: Arc<Function>, inlined: impl Iterator<Item = (OpIdx, usize)>) -> Self {
        let mut inlined: Vec<_> = inlined.collect();
        inlined.sort_unstable();
        Self { function, inlined }
    }
}

impl InliningPlan {
    /// Plans the inlining into the operations `ops` of `root`: those that the code runs
    /// ([`CodeKind::ops`](super::CodeKind::ops)).
    ///
    /// `id` is the root's id, `None` for an expression. `function_of` returns a callee's
    /// definition, or `None` if its calls must go through the slot.
    pub fn new(
        id: Option<FunctionId>,
        root: Arc<Function>,
        ops: Range<usize>,
        budget: InliningBudget,
        function_of: impl FnMut(FunctionId) -> Option<Arc<Function>>,
    ) -> Self {
        Self { instances: planner::plan(id, root, ops, budget, function_of) }
    }

    /// The instances, the root first.
    pub fn instances(&self) -> Vec<Instance<'_>> {
        let planned = self.instances.iter();
        planned.map(|PlannedInstance { function, inlined }| Instance { function, inlined }).collect()
    }

    /// The function of each instance, with its id. The root has none here: it may be an expression.
    pub fn functions(&self) -> Vec<(Option<FunctionId>, &Arc<Function>)> {
        let mut functions: Vec<_> =
            self.instances.iter().map(|instance| (None, &instance.function)).collect();
        for instance in &self.instances {
            for &(at, inlinee) in &instance.inlined {
                functions[inlinee].0 = instance.function.ops[at.index()].callee();
            }
        }
        functions
    }

    /// The functions that are inlined somewhere in the code.
    pub fn inlinees(&self) -> BTreeSet<FunctionId> {
        self.functions().into_iter().filter_map(|(id, _)| id).collect()
    }
}
