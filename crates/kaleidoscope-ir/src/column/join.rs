//! Joins: where the two branches of an `if` meet.
//!
//! If both branches cost little, they become steps of the code around them, and selects choose
//! between their values. Otherwise the join is a fork. What costs little in the branches of a fork
//! still becomes part of the code around it: a fork at the end of a branch then merges with the
//! outer one. So a chain of `if`s is one fork with many leaves, and a row is gathered once.

use super::node::{Branch, ForkNode, MAX_LEAVES, Node, Value};
use super::numbering::{Numbering, Position};
use super::operation::Operation;
use crate::Arithmetic;

/// The most that the branches of an `if` may cost together to be computed for all rows. That takes
/// about as long as a single call.
const MAX_SELECT_COST: usize = 64;

/// The most that one branch of a fork may cost to be computed for all rows: to gather its rows
/// costs as much.
const MAX_REST_COST: usize = 8;

/// The cost of a fork without its leaves.
const FORK_COST: usize = 16;

/// An `if` whose branches have ended.
pub(super) struct EndedIf {
    pub(super) condition: Value,
    /// Where the branches begin in the list of nodes.
    pub(super) starts: [Position; 2],
    /// The branch for a condition that holds, and the other. Their nodes are still in the list.
    pub(super) branches: [Branch; 2],
}

/// One branch of an `if`, as a side of a fork.
struct Side {
    selector: Value,
    leaves: Vec<Branch>,
    rest: Option<Vec<Value>>,
}

/// What a fork may still take from its branches.
#[derive(Clone, Copy)]
struct Budget {
    /// The cost of steps that become part of the code around it.
    cost: usize,
    n_leaves: usize,
}

impl Numbering {
    /// Joins the branches of an `if`. Returns the values behind the join.
    pub(super) fn join(&mut self, ended: EndedIf) -> Vec<Value> {
        let EndedIf { condition, starts, branches: [mut then, mut otherwise] } = ended;
        if then.cost + otherwise.cost > MAX_SELECT_COST {
            otherwise.nodes = self.nodes.split_off(starts[1].node);
            then.nodes = self.nodes.split_off(starts[0].node);
            return self.fork(condition, [then, otherwise]);
        }
        // The nodes stay, and are run for all rows.
        self.cost += then.cost + otherwise.cost;
        self.depth = self.depth.max(then.depth).max(otherwise.depth);
        self.note_known(starts[0].node);
        self.select_each(condition, &then.values, &otherwise.values)
    }

    /// Appends a fork. Returns the values behind it.
    fn fork(&mut self, condition: Value, branches: [Branch; 2]) -> Vec<Value> {
        let mut budget = Budget { cost: MAX_SELECT_COST, n_leaves: MAX_LEAVES };
        let [then, otherwise] = branches.map(|branch| self.side(branch, &mut budget));
        let n_otherwise = otherwise.leaves.len();
        let then_selector = self.shifted(then.selector, n_otherwise);
        let selector = self.select(condition, then_selector, otherwise.selector);
        let rest = match (then.rest, otherwise.rest) {
            (Some(then), Some(otherwise)) => Some(self.select_each(condition, &then, &otherwise)),
            (rest, None) | (None, rest) => rest,
        };
        let leaves = otherwise.leaves.into_iter().chain(then.leaves).collect();
        self.append_fork(ForkNode { selector, leaves, rest, results: Vec::new() })
    }

    /// Appends a fork that has no results yet: one for each different list of values in its leaves.
    /// Returns the values behind the fork.
    fn append_fork(&mut self, mut fork: ForkNode) -> Vec<Value> {
        let n_values = fork.leaves[0].values.len();
        let lists: Vec<Vec<Value>> = (0..n_values)
            .map(|nth| {
                let leaves = fork.leaves.iter().map(|leaf| leaf.values[nth]);
                leaves.chain(fork.rest.iter().map(|rest| rest[nth])).collect()
            })
            .collect();
        let mut firsts: Vec<usize> = Vec::new();
        let mut values = Vec::with_capacity(n_values);
        for (nth, list) in lists.iter().enumerate() {
            let known = firsts.iter().position(|&first| lists[first] == *list);
            values.push(match known {
                _ if list.iter().all(|value| *value == list[0]) => list[0],
                Some(known) => Value::Result(fork.results[known]),
                None => {
                    let is_boolean = list.iter().all(|value| self.is_boolean(*value));
                    let result = self.joined_result(is_boolean);
                    firsts.push(nth);
                    fork.results.push(result);
                    Value::Result(result)
                }
            });
        }
        let keep = |values: &[Value]| firsts.iter().map(|&first| values[first]).collect::<Vec<_>>();
        for leaf in &mut fork.leaves {
            leaf.values = keep(&leaf.values);
        }
        fork.rest = fork.rest.map(|rest| keep(&rest));
        self.cost += FORK_COST + fork.leaves.iter().map(|leaf| leaf.cost).max().unwrap_or(0);
        self.depth = self.depth.max(1 + fork.leaves.iter().map(|leaf| leaf.depth).max().unwrap_or(0));
        self.nodes.push(Node::Fork(fork));
        values
    }

    /// Makes a branch one side of a fork. Its steps that cost little become steps of the code
    /// around the fork, as far as the budget allows.
    fn side(&mut self, mut branch: Branch, budget: &mut Budget) -> Side {
        if branch.cost <= MAX_REST_COST.min(budget.cost) {
            budget.cost -= branch.cost;
            let rest = Some(self.append(branch));
            return Side { selector: self.number_value(0), leaves: Vec::new(), rest };
        }
        let Some((cost, inner)) = take_last_fork(&mut branch.nodes, *budget) else {
            budget.n_leaves -= 1;
            return Side { selector: self.number_value(1), leaves: vec![branch], rest: None };
        };
        budget.cost -= cost;
        budget.n_leaves -= inner.leaves.len();
        // The condition of the inner fork, and its branches that cost little.
        self.append(Branch { nodes: branch.nodes, cost, ..Branch::default() });
        // A value behind the inner fork is a result of it, or the same in all of its leaves.
        let results: Vec<_> = inner.results.iter().map(|&result| Value::Result(result)).collect();
        let in_leaf = |values: Vec<Value>| -> Vec<Value> {
            let place = |value| results.iter().position(|result| *result == value);
            branch.values.iter().map(|&value| place(value).map_or(value, |nth| values[nth])).collect()
        };
        let leaves = inner.leaves.into_iter();
        Side {
            selector: inner.selector,
            leaves: leaves.map(|leaf| Branch { values: in_leaf(leaf.values), ..leaf }).collect(),
            rest: inner.rest.map(in_leaf),
        }
    }

    /// The selector of leaves behind `n` others.
    fn shifted(&mut self, selector: Value, n: usize) -> Value {
        let zero = self.number_value(0);
        if selector == zero || n == 0 {
            return selector;
        }
        if selector == self.number_value(1) {
            return self.number_value(1 + n);
        }
        let n = self.number_value(n);
        let shifted = self.value(Operation::Arithmetic(Arithmetic::Add, selector, n));
        self.select(selector, shifted, zero)
    }
}

/// Takes the last node, if it is a fork that can merge with an outer one within the budget. Returns
/// it with the cost of the nodes before it.
fn take_last_fork(nodes: &mut Vec<Node>, budget: Budget) -> Option<(usize, ForkNode)> {
    let (Node::Fork(fork), before) = nodes.split_last()? else { return None };
    let cost = before.iter().try_fold(0, |cost, node| match node {
        Node::Operation { operation, .. } => Some(cost + operation.cost()),
        Node::Fork(_) => None,
    })?;
    // The other side needs a leaf, too.
    if cost > budget.cost || fork.leaves.len() >= budget.n_leaves {
        return None;
    }
    match nodes.pop() {
        Some(Node::Fork(fork)) => Some((cost, fork)),
        _ => None,
    }
}
