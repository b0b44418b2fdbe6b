//! A body: the steps of a function or of a branch, with a slot for each value.
//!
//! Slots are numbered buffers of one block. The first ones are the outputs, one for each result. A
//! step never writes the slot that it reads. A leaf of a fork is a body of its own: its columns are
//! the values that it uses of the code around it.
//!
//! Where all rows of a block take one leaf, it reads and writes the block in place. Otherwise the
//! rows of a leaf are gathered into shorter columns, and its results are scattered to their rows.
//! Rows that take no leaf get values that exist already: these are copied for all rows, before the
//! leaves replace those of theirs.

use super::node::{ForkNode, Node, Value};
use super::operation::Operation;
use super::quick_hash::{QuickMap, QuickSet};

/// Steps that compute results from columns.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) steps: Vec<Step>,
    pub(super) n_results: usize,
    /// Outputs included.
    pub(super) n_slots: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Operation { operation: Operation<Operand>, out: Slot },
    Fork(Fork),
}

/// An `if`, or several, with expensive branches.
#[derive(Clone, Debug)]
pub(super) struct Fork {
    /// 0 in rows that take the values of `rest`, otherwise the index of the leaf plus 1.
    pub(super) selector: Operand,
    pub(super) leaves: Vec<Leaf>,
    /// `None` if each row takes a leaf.
    pub(super) rest: Option<Vec<Operand>>,
    /// Where the results are written.
    pub(super) outs: Vec<Slot>,
}

/// A leaf of a fork.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) body: Body,
    /// The values that the body's columns have.
    pub(super) captures: Vec<Operand>,
}

impl Fork {
    /// The number of slots that the fork needs while it runs.
    pub(super) fn n_scratch(&self) -> usize {
        let of_leaf = |leaf: &Leaf| leaf.captures.len() + leaf.body.n_results + leaf.body.n_scratch();
        self.leaves.iter().map(of_leaf).max().unwrap_or(0)
    }

    /// The number of lists of rows that it needs while it runs.
    pub(super) fn n_lists(&self) -> usize {
        self.n_own_lists() + self.leaves.iter().map(|leaf| leaf.body.n_lists()).max().unwrap_or(0)
    }

    /// The same without those of forks inside: one for each leaf, and one for the rest.
    pub(super) fn n_own_lists(&self) -> usize {
        self.leaves.len() + 1
    }
}

/// Where a step finds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Column(usize),
    Uniform(usize),
    Slot(Slot),
}

/// A buffer of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(pub(super) usize);

/// A body, and the values that its columns have in the code around it.
struct NewBody {
    body: Body,
    /// Empty for a whole function, whose columns are the parameters.
    captures: Vec<Value>,
}

/// A node with the values that it reads.
struct NeededNode {
    node: NodeKind,
    reads: Vec<Value>,
}

enum NodeKind {
    Operation { operation: Operation<Value>, result: u32 },
    Fork { selector: Value, leaves: Vec<NewBody>, rest: Option<Vec<Value>>, results: Vec<u32> },
}

impl Body {
    /// The body of a whole function.
    pub(super) fn new(nodes: Vec<Node>, results: &[Value]) -> Self {
        Allocation::new(nodes, results, false).run(results).body
    }

    /// The most values that exist at once: outputs, and slots of forks included.
    pub(super) fn n_values(&self) -> usize {
        self.n_results + self.n_scratch()
    }

    /// The number of slots that are no outputs, those of forks included.
    pub(super) fn n_scratch(&self) -> usize {
        let forks = self.steps.iter().filter_map(|step| match step {
            Step::Fork(fork) => Some(fork.n_scratch()),
            Step::Operation { .. } => None,
        });
        self.n_own_scratch() + forks.max().unwrap_or(0)
    }

    /// The number of steps, those of forks included.
    pub(super) fn n_steps(&self) -> usize {
        let in_step = |step: &Step| match step {
            Step::Operation { .. } => 1,
            Step::Fork(fork) => 1 + fork.leaves.iter().map(|leaf| leaf.body.n_steps()).sum::<usize>(),
        };
        self.steps.iter().map(in_step).sum()
    }

    /// The number of steps that gather elements of arrays, those of forks included.
    pub(super) fn n_gathers(&self) -> usize {
        let in_step = |step: &Step| match step {
            Step::Operation { operation, .. } => usize::from(operation.is_gather()),
            Step::Fork(fork) => fork.leaves.iter().map(|leaf| leaf.body.n_gathers()).sum(),
        };
        self.steps.iter().map(in_step).sum()
    }

    /// The number of lists of rows that forks need at once.
    pub(super) fn n_lists(&self) -> usize {
        let forks = self.steps.iter().filter_map(|step| match step {
            Step::Fork(fork) => Some(fork.n_lists()),
            Step::Operation { .. } => None,
        });
        forks.max().unwrap_or(0)
    }

    /// The number of slots that are no outputs.
    pub(super) fn n_own_scratch(&self) -> usize {
        self.n_slots - self.n_results
    }
}

/// The allocation of slots.
struct Allocation {
    nodes: Vec<NeededNode>,
    /// For each value, the index of the last node that reads it. A result is read behind all.
    last_reads: QuickMap<Value, usize>,
    operands: QuickMap<Value, Operand>,
    /// The outputs that no value has yet, by the value that will have it.
    outputs: QuickMap<Value, Slot>,
    /// Free slots, the one that was used last at the end.
    free: Vec<Slot>,
    n_slots: usize,
    /// The columns are captures: values of the code around the body.
    captures: Option<Vec<Value>>,
}

impl Allocation {
    fn new(nodes: Vec<Node>, results: &[Value], is_branch: bool) -> Self {
        let nodes = needed_nodes(nodes, results);
        let mut last_reads = QuickMap::default();
        for (at, node) in nodes.iter().enumerate() {
            last_reads.extend(node.reads.iter().map(|value| (*value, at)));
        }
        last_reads.extend(results.iter().map(|value| (*value, nodes.len())));
        // Of several results with one value, the first one is where the value is.
        let outputs = results.iter().enumerate().rev().map(|(nth, value)| (*value, Slot(nth))).collect();
        Self {
            nodes,
            last_reads,
            operands: QuickMap::default(),
            outputs,
            free: Vec::new(),
            n_slots: results.len(),
            captures: is_branch.then(Vec::new),
        }
    }

    fn run(mut self, results: &[Value]) -> NewBody {
        let mut steps = Vec::new();
        for (at, NeededNode { node, reads }) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            // In this order: the node does not write what it reads.
            let step = match node {
                NodeKind::Operation { operation, result } => {
                    let operation = operation.map(|value| self.operand(value));
                    Step::Operation { operation, out: self.allocate(result) }
                }
                NodeKind::Fork { selector, leaves, rest, results } => {
                    let selector = self.operand(selector);
                    let leaves = leaves.into_iter().map(|NewBody { body, captures }| {
                        let captures = captures.into_iter().map(|value| self.operand(value)).collect();
                        Leaf { body, captures }
                    });
                    let leaves = leaves.collect();
                    let rest = rest.map(|rest| rest.into_iter().map(|value| self.operand(value)).collect());
                    let outs = results.into_iter().map(|result| self.allocate(result)).collect();
                    Step::Fork(Fork { selector, leaves, rest, outs })
                }
            };
            steps.push(step);
            self.free_read(&reads, at);
        }
        for (nth, result) in results.iter().enumerate() {
            let operand = self.operand(*result);
            if operand != Operand::Slot(Slot(nth)) {
                steps.push(Step::Operation { operation: Operation::Copy(operand), out: Slot(nth) });
            }
        }
        let body = Body { steps, n_results: results.len(), n_slots: self.n_slots };
        NewBody { body, captures: self.captures.unwrap_or_default() }
    }

    /// Where the value is.
    fn operand(&mut self, value: Value) -> Operand {
        if let Some(&operand) = self.operands.get(&value) {
            return operand;
        }
        let operand = match (value, &mut self.captures) {
            (Value::Uniform(number), _) => Operand::Uniform(number as usize),
            (Value::Param(param), None) => Operand::Column(param as usize),
            (Value::Param(_) | Value::Result(_), Some(captures)) => {
                captures.push(value);
                Operand::Column(captures.len() - 1)
            }
            (Value::Result(_), None) => unreachable!("a value is computed before it is read"),
        };
        self.operands.insert(value, operand);
        operand
    }

    /// A slot for a result.
    fn allocate(&mut self, result: u32) -> Slot {
        let value = Value::Result(result);
        let slot = self.outputs.remove(&value).or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.n_slots += 1;
            Slot(self.n_slots - 1)
        });
        self.operands.insert(value, Operand::Slot(slot));
        slot
    }

    /// Frees the slots of the values that the node at this index was the last one to read.
    fn free_read(&mut self, reads: &[Value], at: usize) {
        let mut freed: Vec<_> = reads.iter().filter(|value| self.last_reads[value] == at).collect();
        freed.sort_unstable();
        freed.dedup();
        for value in freed {
            if let Operand::Slot(slot) = self.operands[value] {
                self.free.push(slot);
            }
        }
    }
}

/// The nodes that compute results, or what these need. Other nodes have no effect and are dropped.
fn needed_nodes(nodes: Vec<Node>, results: &[Value]) -> Vec<NeededNode> {
    let mut needed: QuickSet<Value> = results.iter().copied().collect();
    let mut kept = Vec::new();
    for node in nodes.into_iter().rev() {
        let node = match node {
            Node::Operation { operation, result } if needed.contains(&Value::Result(result)) => {
                let reads = operation.operands().collect();
                NeededNode { node: NodeKind::Operation { operation, result }, reads }
            }
            Node::Fork(fork)
                if fork.results.iter().any(|result| needed.contains(&Value::Result(*result))) =>
            {
                needed_fork(fork, &needed)
            }
            Node::Operation { .. } | Node::Fork(_) => continue,
        };
        needed.extend(&node.reads);
        kept.push(node);
    }
    kept.reverse();
    kept
}

/// The fork without the results that are not needed.
fn needed_fork(fork: ForkNode, needed: &QuickSet<Value>) -> NeededNode {
    let ForkNode { selector, leaves, rest, results } = fork;
    let is_needed: Vec<_> = results.iter().map(|result| needed.contains(&Value::Result(*result))).collect();
    let results = kept(&results, &is_needed);
    let rest = rest.map(|rest| kept(&rest, &is_needed));
    let mut reads = vec![selector];
    reads.extend(rest.iter().flatten());
    let leaves = leaves.into_iter().map(|leaf| {
        let values = kept(&leaf.values, &is_needed);
        // Forks nest only as deeply as `lower.rs` allows, and so do these calls.
        let leaf = Allocation::new(leaf.nodes, &values, true).run(&values);
        reads.extend(&leaf.captures);
        leaf
    });
    let leaves = leaves.collect();
    NeededNode { node: NodeKind::Fork { selector, leaves, rest, results }, reads }
}

fn kept<T: Copy>(all: &[T], is_kept: &[bool]) -> Vec<T> {
    let kept = all.iter().zip(is_kept).filter(|(_, is_kept)| **is_kept);
    kept.map(|(value, _)| *value).collect()
}
