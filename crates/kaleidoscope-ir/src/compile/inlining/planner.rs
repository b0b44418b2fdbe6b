//! The planner: chooses the calls to inline, the most valuable first, until the budget is used up.
//!
//! 1. Calls of small callees (`small.rs`). They have a budget of their own, which only units of
//!    thousands of such calls use up.
//! 2. All others, those in the innermost loop first: it runs most. Where loops are equally deep,
//!    a function comes before its own recursion, and a smaller one before a larger one.
//!
//! What the budget does not suffice for stays a call. So a unit that grows beyond the budget slows
//! down by one call after another, and not at once. Recursion is the exception: all calls of a
//! level are inlined, or none.
//!
//! A root with several results mostly calls the functions that compute them (`Function::of_calls`).
//! Each of these gets an instance of its own, whatever its size, so that what it calls is inlined
//! as if it were a root.
//!
//! The calls of one callee in one loop of an instance are a group. They share an instance of the
//! callee, so the plan of a recursive function has as many instances as levels, and not as copies.

use super::InliningBudget;
use super::PlannedInstance;
use super::small::SmallCallees;
use crate::{Facts, Function, FunctionId, Op, OpIdx};
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Range;
use std::sync::Arc;

/// Plans the inlining into these operations of `root`. Returns the instances, the root first.
pub(super) fn plan(
    id: Option<FunctionId>,
    root: Arc<Function>,
    ops: Range<usize>,
    budget: InliningBudget,
    function_of: impl FnMut(FunctionId) -> Option<Arc<Function>>,
) -> Vec<PlannedInstance> {
    let small = SmallCallees::new(budget.small_ops, function_of);
    let mut planner = Planner { budget, small, instances: Vec::new(), groups: BinaryHeap::new() };
    planner.add(PendingInstance::new(id, root, None, 1, 0), ops);
    while let Some(group) = planner.groups.pop() {
        planner.inline(group);
    }
    planner.finish()
}

struct Planner<F> {
    /// What is left of it.
    budget: InliningBudget,
    small: SmallCallees<F>,
    /// The root and the inlinees that are not small.
    instances: Vec<PendingInstance>,
    /// What may be inlined into them.
    groups: BinaryHeap<CallGroup>,
}

/// An instance of the plan.
struct PendingInstance {
    id: Option<FunctionId>,
    function: Arc<Function>,
    /// The instance that it is inlined into.
    caller: Option<usize>,
    /// How many copies of the instance the code has.
    n_copies: usize,
    /// How many loops are around it.
    depth: usize,
    inlined: Vec<(OpIdx, Inlinee)>,
}

#[derive(Clone, Copy)]
enum Inlinee {
    /// One of the planner's instances.
    Instance(usize),
    /// A small callee, which has one instance in the whole plan.
    Small(FunctionId),
}

/// The calls of one callee in one loop of an instance.
struct CallGroup {
    caller: usize,
    callee: FunctionId,
    /// The callee's definition. `None` for a small callee.
    function: Option<Arc<Function>>,
    /// The operations of one copy.
    n_ops: usize,
    /// How many loops are around the calls.
    depth: usize,
    /// How often the callee is around the calls already.
    recursion: usize,
    calls: Vec<OpIdx>,
}

impl CallGroup {
    /// The group with the greatest value is inlined first.
    fn value(&self) -> impl Ord {
        (
            self.function.is_none(),
            self.depth,
            Reverse(self.recursion),
            Reverse(self.n_ops),
            // For a fixed order: first come, first served.
            Reverse((self.caller, self.calls[0])),
        )
    }
}

impl Ord for CallGroup {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value().cmp(&other.value())
    }
}

impl PartialOrd for CallGroup {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for CallGroup {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for CallGroup {}

impl PendingInstance {
    fn new(
        id: Option<FunctionId>,
        function: Arc<Function>,
        caller: Option<usize>,
        n_copies: usize,
        depth: usize,
    ) -> Self {
        // A tail call makes a loop around everything.
        let depth = depth + usize::from(function.facts().has_tail_call);
        Self { id, function, caller, n_copies, depth, inlined: Vec::new() }
    }
}

impl<F: FnMut(FunctionId) -> Option<Arc<Function>>> Planner<F> {
    /// Adds an instance, and what may be inlined into these operations of it.
    fn add(&mut self, instance: PendingInstance, ops: Range<usize>) {
        let caller = self.instances.len();
        let function = Arc::clone(&instance.function);
        let depth = instance.depth;
        self.instances.push(instance);
        let depths = loop_depths(function.facts());
        let is_combined = caller == 0 && function.n_results > 1;
        for ((callee, innermost), calls) in calls_by_loop(&function, ops) {
            let depth = depth + innermost.map_or(0, |nth| depths[nth]);
            if !is_combined && let Some(small) = self.small.find(callee) {
                let n_ops = small.n_ops;
                let group = CallGroup { caller, callee, function: None, n_ops, depth, recursion: 0, calls };
                self.groups.push(group);
                continue;
            }
            let recursion = self.n_around(caller, callee);
            let Some(function) = self.small.function_of(callee) else { continue };
            let n_ops = function.ops.len();
            if n_ops <= self.budget.callee_ops && recursion <= self.budget.recursion {
                let function = Some(function);
                self.groups.push(CallGroup { caller, callee, function, n_ops, depth, recursion, calls });
            }
        }
    }

    /// How often the function is around the calls of an instance, the instance itself included.
    fn n_around(&self, instance: usize, function: FunctionId) -> usize {
        let around = std::iter::successors(Some(instance), |&at| self.instances[at].caller);
        around.filter(|&at| self.instances[at].id == Some(function)).count()
    }

    /// Inlines as many calls of the group as the budget suffices for.
    fn inline(&mut self, group: CallGroup) {
        let CallGroup { caller, callee, function, n_ops, depth, recursion, mut calls } = group;
        let n_copies = self.instances[caller].n_copies;
        let left = match function {
            Some(_) => &mut self.budget.copied_ops,
            None => &mut self.budget.copied_small_ops,
        };
        let n_ops_per_call = n_copies.saturating_mul(n_ops).max(1);
        let n_calls = calls.len().min(*left / n_ops_per_call);
        if n_calls == 0 || (recursion > 0 && n_calls < calls.len()) {
            return;
        }
        *left -= n_calls * n_ops_per_call;
        calls.truncate(n_calls);
        let inlinee = match &function {
            Some(_) => Inlinee::Instance(self.instances.len()),
            None => Inlinee::Small(callee),
        };
        self.instances[caller].inlined.extend(calls.into_iter().map(|at| (at, inlinee)));
        if let Some(function) = function {
            let ops = 0..function.ops.len();
            let n_copies = n_copies.saturating_mul(n_calls);
            self.add(PendingInstance::new(Some(callee), function, Some(caller), n_copies, depth), ops);
        }
    }

    /// The instances of the plan: the planner's own, then one for each small callee.
    fn finish(self) -> Vec<PlannedInstance> {
        let Self { small, instances, .. } = self;
        let mut used = BTreeSet::new();
        let direct = instances.iter().flat_map(|instance| &instance.inlined);
        let mut waiting: Vec<_> = direct.filter_map(|(_, inlinee)| inlinee.small()).collect();
        while let Some(id) = waiting.pop() {
            let callee = small.get(id).expect("it is a small callee");
            // The one found last comes first: it may contain the others.
            if used.insert((Reverse(callee.nth), id)) {
                waiting.extend(callee.inlined.iter().map(|(_, id)| *id));
            }
        }
        let numbers = used.iter().zip(instances.len()..);
        let numbers: BTreeMap<_, _> = numbers.map(|((_, id), number)| (*id, number)).collect();
        let large = instances.into_iter().map(|PendingInstance { function, inlined, .. }| {
            let inlined = inlined.into_iter().map(|(at, inlinee)| match inlinee {
                Inlinee::Instance(number) => (at, number),
                Inlinee::Small(id) => (at, numbers[&id]),
            });
            PlannedInstance::new(function, inlined)
        });
        let small = used.iter().map(|(_, id)| {
            let callee = small.get(*id).expect("it is a small callee");
            let inlined = callee.inlined.iter().map(|(at, id)| (*at, numbers[id]));
            PlannedInstance::new(Arc::clone(&callee.function), inlined)
        });
        large.chain(small).collect()
    }
}

impl Inlinee {
    fn small(self) -> Option<FunctionId> {
        match self {
            Self::Instance(_) => None,
            Self::Small(id) => Some(id),
        }
    }
}

/// For each loop, how many loops are around its operations, itself included.
fn loop_depths(facts: &Facts) -> Vec<usize> {
    let mut depths: Vec<usize> = Vec::with_capacity(facts.loops.len());
    for of_loop in &facts.loops {
        depths.push(1 + of_loop.outer.map_or(0, |outer| depths[outer]));
    }
    depths
}

/// The calls among these operations, by callee and innermost loop.
fn calls_by_loop(
    function: &Function,
    ops: Range<usize>,
) -> BTreeMap<(FunctionId, Option<usize>), Vec<OpIdx>> {
    let loops = &function.facts().loops;
    let mut next_loop = loops.partition_point(|of_loop| of_loop.header.index() < ops.start);
    let mut innermost = None;
    let mut calls: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for at in ops {
        match function.ops[at] {
            Op::Call { callee, .. } => {
                calls.entry((callee, innermost)).or_default().push(OpIdx::new(at as u32));
            }
            Op::Loop => {
                innermost = Some(next_loop);
                next_loop += 1;
            }
            Op::Next { .. } => innermost = innermost.and_then(|nth: usize| loops[nth].outer),
            Op::Number(_)
            | Op::Get(_)
            | Op::Set(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::GetElement(_)
            | Op::SetElement(_)
            | Op::Drop
            | Op::Arithmetic(_)
            | Op::Square
            | Op::TailCall
            | Op::If { .. }
            | Op::Else { .. }
            | Op::End => {}
        }
    }
    calls
}
