//! Inlining plans: which callees optimized code contains, chosen breadth first within a budget.

use crate::{Function, FunctionId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// How much optimized code may inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InliningBudget {
    /// The most operations of one inlinee.
    pub callee_ops: usize,
    /// The most operations of all copies together, the root's included.
    pub unit_ops: usize,
    /// How often a function may be inlined into itself.
    pub recursion: usize,
}

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
    /// The callees that are inlined, in order of their ids, each with the index of its instance.
    /// The index is greater than this instance's own, so no instance contains itself. The callee's
    /// arity equals the number of arguments.
    pub inlined: &'a [(FunctionId, usize)],
}

impl Instance<'_> {
    /// The index of the instance that replaces calls of the function. `None` if they are not
    /// inlined.
    pub fn inlined(&self, callee: FunctionId) -> Option<usize> {
        let at = self.inlined.binary_search_by_key(&callee, |(id, _)| *id).ok()?;
        Some(self.inlined[at].1)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PlannedInstance {
    function: Arc<Function>,
    inlined: Vec<(FunctionId, usize)>,
}

/// An instance whose calls have not been considered yet.
struct PendingInstance {
    index: usize,
    /// The functions that the instance is inlined into, itself included.
    enclosing: Vec<FunctionId>,
    /// How many copies of the instance the code has.
    n_copies: usize,
}

impl InliningPlan {
    /// Plans the inlining into `root`.
    ///
    /// `id` is the root's id, `None` for an expression. `function_of` returns a callee's
    /// definition, or `None` if its calls must go through the slot.
    pub fn new(
        id: Option<FunctionId>,
        root: Arc<Function>,
        budget: InliningBudget,
        mut function_of: impl FnMut(FunctionId) -> Option<Arc<Function>>,
    ) -> Self {
        let mut n_ops = root.ops.len();
        let mut instances = vec![PlannedInstance { function: root, inlined: Vec::new() }];
        let root = PendingInstance { index: 0, enclosing: id.into_iter().collect(), n_copies: 1 };
        let mut pending = VecDeque::from([root]);
        while let Some(PendingInstance { index, enclosing, n_copies }) = pending.pop_front() {
            let function = Arc::clone(&instances[index].function);
            for (callee, n_calls) in function.facts().callees() {
                if enclosing.iter().filter(|outer| **outer == callee).count() > budget.recursion {
                    continue;
                }
                let Some(function) = function_of(callee) else { continue };
                let n_copies = n_copies.saturating_mul(n_calls);
                let added = n_copies.saturating_mul(function.ops.len());
                if function.ops.len() > budget.callee_ops || n_ops.saturating_add(added) > budget.unit_ops {
                    continue;
                }
                n_ops = n_ops.saturating_add(added);
                let inlinee = instances.len();
                instances.push(PlannedInstance { function, inlined: Vec::new() });
                instances[index].inlined.push((callee, inlinee));
                let enclosing = enclosing.iter().copied().chain([callee]).collect();
                pending.push_back(PendingInstance { index: inlinee, enclosing, n_copies });
            }
        }
        Self { instances }
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
        for &(id, instance) in self.instances.iter().flat_map(|instance| &instance.inlined) {
            functions[instance].0 = Some(id);
        }
        functions
    }

    /// The functions that are inlined somewhere in the code.
    pub fn inlinees(&self) -> BTreeSet<FunctionId> {
        self.instances.iter().flat_map(|instance| &instance.inlined).map(|(id, _)| *id).collect()
    }
}
