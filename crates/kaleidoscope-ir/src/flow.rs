//! Control flow of a function: its basic blocks and the edges between them, for tools that show
//! it.
//!
//! The IR itself has no blocks: its other readers are one pass over structured operations.

#[cfg(test)]
mod tests;

use crate::{Function, Op};
use std::ops::Range;

/// The control flow of a function that keeps its promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The blocks in the order of their operations. The function begins with the first one.
    pub blocks: Vec<Block>,
    /// How the blocks are nested.
    pub parts: Vec<Part>,
}

/// Operations that run one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The positions of its operations.
    pub ops: Range<usize>,
    /// Where control continues. Nowhere if the block ends the function.
    pub edges: Vec<Edge>,
}

/// A way from a block to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The index of the block.
    pub to: usize,
    /// When control continues there.
    pub kind: EdgeKind,
}

/// When control continues along an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// Always.
    Always,
    /// If the condition holds.
    Holds,
    /// If the condition does not hold.
    Otherwise,
    /// Always: a tail call starts the function again.
    TailCall,
}

/// A block, or blocks that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The block with this index.
    Block(usize),
    /// The two branches behind a block that ends with an `If`.
    Branches(Vec<Part>, Vec<Part>),
    /// The blocks of a loop.
    Loop(Vec<Part>),
}

impl Flow {
    /// The control flow of a function.
    pub fn of(function: &Function) -> Self {
        let blocks = blocks(&function.ops);
        let parts = parts(&function.ops, &blocks);
        Self { blocks, parts }
    }
}

/// What an operation is for the control flow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    If { otherwise: usize },
    Else { end: usize },
    End,
    Loop,
    Next { header: usize },
    TailCall,
    Plain,
}

fn role(op: Op) -> Role {
    match op {
        Op::If { otherwise } => Role::If { otherwise: otherwise.index() },
        Op::Else { end } => Role::Else { end: end.index() },
        Op::End => Role::End,
        Op::Loop => Role::Loop,
        Op::Next { header, .. } => Role::Next { header: header.index() },
        Op::TailCall => Role::TailCall,
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
        | Op::Call { .. } => Role::Plain,
    }
}

fn blocks(ops: &[Op]) -> Vec<Block> {
    let mut starts = vec![0];
    for (idx, &op) in ops.iter().enumerate() {
        match role(op) {
            Role::Loop | Role::End => starts.push(idx),
            Role::If { .. } | Role::Else { .. } | Role::Next { .. } => starts.push(idx + 1),
            Role::TailCall | Role::Plain => {}
        }
    }
    // A `Loop` may begin a branch.
    starts.dedup();
    let block_at = |idx: usize| starts.partition_point(|&start| start <= idx) - 1;
    let ends = starts.iter().skip(1).copied().chain([ops.len()]);
    let ranges = starts.iter().zip(ends).map(|(&start, end)| start..end);
    let block = |range: Range<usize>| {
        let edge = |op: usize, kind| Edge { to: block_at(op), kind };
        let has_tail_call = ops[range.clone()].iter().any(|&op| role(op) == Role::TailCall);
        let edges = match ops[range.clone()].last().map(|&op| role(op)) {
            // What is behind a tail call never runs.
            _ if has_tail_call => vec![edge(0, EdgeKind::TailCall)],
            Some(Role::If { otherwise }) => {
                vec![edge(range.end, EdgeKind::Holds), edge(otherwise + 1, EdgeKind::Otherwise)]
            }
            Some(Role::Next { header }) => {
                vec![edge(header, EdgeKind::Holds), edge(range.end, EdgeKind::Otherwise)]
            }
            Some(Role::Else { end }) => vec![edge(end, EdgeKind::Always)],
            _ if range.end < ops.len() => vec![edge(range.end, EdgeKind::Always)],
            _ => Vec::new(),
        };
        Block { ops: range, edges }
    };
    ranges.map(block).collect()
}

/// A bracket that is open, with the parts before it and in it.
struct Open {
    before: Vec<Part>,
    /// The parts of the first branch, once that has ended.
    then: Option<Vec<Part>>,
}

fn parts(ops: &[Op], blocks: &[Block]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let ops = &ops[block.ops.clone()];
        let first = ops.first().map(|&op| role(op));
        if first == Some(Role::Loop) {
            open.push(Open { before: std::mem::take(&mut parts), then: None });
        }
        if first == Some(Role::End)
            && let Some(Open { before, then }) = open.pop()
        {
            let otherwise = std::mem::replace(&mut parts, before);
            parts.push(Part::Branches(then.unwrap_or_default(), otherwise));
        }
        parts.push(Part::Block(index));
        match ops.last().map(|&op| role(op)) {
            Some(Role::If { .. }) => open.push(Open { before: std::mem::take(&mut parts), then: None }),
            Some(Role::Else { .. }) => {
                if let Some(open) = open.last_mut() {
                    open.then = Some(std::mem::take(&mut parts));
                }
            }
            Some(Role::Next { .. }) => {
                if let Some(Open { before, .. }) = open.pop() {
                    let body = std::mem::replace(&mut parts, before);
                    parts.push(Part::Loop(body));
                }
            }
            Some(Role::End | Role::Loop | Role::TailCall | Role::Plain) | None => {}
        }
    }
    parts
}
