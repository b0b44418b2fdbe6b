//! Which bodies a unit of hot code carries: those that are called, nearest first, as far as the limits go.

use crate::{Function, FunctionId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// How much a unit of hot code may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InliningBudget {
    /// Operations of one body that is carried.
    pub callee_ops: usize,
    /// Operations of all copies together, the root's included.
    pub unit_ops: usize,
    /// How often a function may stand inside itself.
    pub recursion: usize,
}

/// The bodies of a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InliningPlan {
    planned: Vec<Planned>,
}

/// A body in a unit of hot code. One function may have several, which differ in what they have inlined: a function
/// that calls itself is unrolled by a chain of instances, each calling the next, the last one the slot.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    /// What it does.
    pub function: &'a Function,
    /// The functions whose calls go on in a copy of another instance, in order, with the number of that instance. It
    /// is greater than the number of this one, so that no body carries itself, and has as many parameters.
    pub inlined: &'a [(FunctionId, usize)],
}

impl Instance<'_> {
    /// The instance that a call of the function goes on in.
    pub fn inlined(&self, callee: FunctionId) -> Option<usize> {
        let at = self.inlined.binary_search_by_key(&callee, |(id, _)| *id).ok()?;
        Some(self.inlined[at].1)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Planned {
    function: Arc<Function>,
    inlined: Vec<(FunctionId, usize)>,
}

/// An instance whose calls have not been looked at.
struct Waiting {
    instance: usize,
    /// The functions that it stands inside, itself included.
    inside: Vec<FunctionId>,
    n_copies: usize,
}

impl InliningPlan {
    /// The bodies for a root, which has no id if it is an expression. `body_of` gives the body of a function, or nothing
    /// if calls of it must stay calls.
    pub fn new(
        id: Option<FunctionId>,
        root: Arc<Function>,
        limits: InliningBudget,
        mut body_of: impl FnMut(FunctionId) -> Option<Arc<Function>>,
    ) -> Self {
        let mut n_ops = root.ops.len();
        let mut planned = vec![Planned { function: root, inlined: Vec::new() }];
        let mut waiting =
            VecDeque::from([Waiting { instance: 0, inside: id.into_iter().collect(), n_copies: 1 }]);
        while let Some(Waiting { instance, inside, n_copies }) = waiting.pop_front() {
            let of_instance = Arc::clone(&planned[instance].function);
            for (callee, n_calls) in of_instance.facts().callees() {
                if inside.iter().filter(|outer| **outer == callee).count() > limits.recursion {
                    continue;
                }
                let Some(function) = body_of(callee) else { continue };
                let n_copies = n_copies.saturating_mul(n_calls);
                let more = n_copies.saturating_mul(function.ops.len());
                if function.ops.len() > limits.callee_ops || n_ops.saturating_add(more) > limits.unit_ops {
                    continue;
                }
                n_ops = n_ops.saturating_add(more);
                let called = planned.len();
                planned.push(Planned { function, inlined: Vec::new() });
                planned[instance].inlined.push((callee, called));
                let inside = inside.iter().copied().chain([callee]).collect();
                waiting.push_back(Waiting { instance: called, inside, n_copies });
            }
        }
        Self { planned }
    }

    /// The instances, the root first, as a unit has them.
    pub fn instances(&self) -> Vec<Instance<'_>> {
        let planned = self.planned.iter();
        planned.map(|Planned { function, inlined }| Instance { function, inlined }).collect()
    }

    /// The functions whose bodies are carried inside the root.
    pub fn carried(&self) -> BTreeSet<FunctionId> {
        self.planned.iter().flat_map(|planned| &planned.inlined).map(|(id, _)| *id).collect()
    }
}
