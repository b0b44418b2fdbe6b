//! Nodes: what a function is lowered to before its values get slots.

use super::operation::Operation;

/// A value of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Value {
    /// The value in a column.
    Param(u32),
    /// The same value for all rows: an index in the list of uniforms.
    Uniform(u32),
    /// The result of a node, by its number.
    Result(u32),
}

/// A step of a lowered function.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Operation { operation: Operation<Value>, result: u32 },
    Fork(ForkNode),
}

/// A choice between leaves, each of which is computed only for the rows that take it.
#[derive(Clone, Debug)]
pub(super) struct ForkNode {
    /// 0 in rows that take the values of `rest`, otherwise the index of the leaf plus 1.
    pub(super) selector: Value,
    pub(super) leaves: Vec<Branch>,
    /// Values that exist already. `None` if each row takes a leaf.
    pub(super) rest: Option<Vec<Value>>,
    /// The numbers of the results. The leaves and `rest` have a value for each.
    pub(super) results: Vec<u32>,
}

/// The steps of a branch, and the values that it passes to the join.
#[derive(Clone, Debug, Default)]
pub(super) struct Branch {
    pub(super) nodes: Vec<Node>,
    pub(super) values: Vec<Value>,
    /// The time for a row, as a multiple of an addition's.
    pub(super) cost: usize,
    /// How deep forks nest in it.
    pub(super) depth: usize,
}

/// How many of the nodes gather elements of arrays, those in leaves included.
pub(super) fn n_gathers(nodes: &[Node]) -> usize {
    let in_node = |node: &Node| match node {
        Node::Operation { operation, .. } => usize::from(operation.is_gather()),
        Node::Fork(fork) => fork.leaves.iter().map(|leaf| n_gathers(&leaf.nodes)).sum(),
    };
    nodes.iter().map(in_node).sum()
}

/// The most leaves of a fork.
pub(super) const MAX_LEAVES: usize = 15;
