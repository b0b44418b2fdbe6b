//! Graphs of items: syntax trees and control flow, before they have a form.

use kaleidoscope::ir::flow::{EdgeKind, Flow, Part};
use kaleidoscope::lang::syntax::DiagramNode;
use serde_json::{Value, json};

/// A graph of an item.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) title: String,
    /// The lines of each node.
    pub(super) nodes: Vec<Vec<String>>,
    pub(super) edges: Vec<Edge>,
    pub(super) shape: Shape,
}

/// A line between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: EdgeKind,
}

/// What decides where the nodes are.
#[derive(Debug)]
pub(super) enum Shape {
    /// The first node is the root. Each node has these parts, which follow it.
    Tree(Vec<Vec<usize>>),
    /// Blocks that are nested so.
    Flow(Vec<Part>),
}

impl Graph {
    /// A syntax tree.
    pub(super) fn of_tree(title: &str, nodes: Vec<DiagramNode>) -> Self {
        let edges = nodes.iter().enumerate().flat_map(|(from, node)| {
            node.parts.iter().map(move |&to| Edge { from, to, kind: EdgeKind::Always })
        });
        let edges = edges.collect();
        let (texts, parts) = nodes.into_iter().map(|node| (vec![label(&node)], node.parts)).unzip();
        Self { title: title.to_owned(), nodes: texts, edges, shape: Shape::Tree(parts) }
    }

    /// The control flow of a function, whose operations have these texts.
    pub(super) fn of_flow(title: &str, flow: Flow, operations: &[&str]) -> Self {
        let edges = flow.blocks.iter().enumerate().flat_map(|(from, block)| {
            block.edges.iter().map(move |edge| Edge { from, to: edge.to, kind: edge.kind })
        });
        let edges = edges.collect();
        let nodes = flow.blocks.iter().map(|block| texts_of(operations, block.ops.clone())).collect();
        Self { title: title.to_owned(), nodes, edges, shape: Shape::Flow(flow.parts) }
    }
}

/// What a picture shows of a node of a syntax tree.
fn label(node: &DiagramNode) -> String {
    match node.kind {
        "definition" => format!("def {}", node.text),
        "declaration" => format!("extern {}", node.text),
        "call" => format!("{}(…)", node.text),
        "binding" => format!("{} =", node.text),
        _ => node.text.clone(),
    }
}

/// The operations of a block, each with its position.
pub(super) fn texts_of(operations: &[&str], positions: std::ops::Range<usize>) -> Vec<String> {
    let text = |position: usize| operations.get(position).copied().unwrap_or_default();
    positions.map(|position| format!("{position} {}", text(position))).collect()
}

/// When control goes along an edge, in a word; nothing for always.
pub(super) fn condition(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Always => "",
        EdgeKind::Holds => "holds",
        EdgeKind::Otherwise => "otherwise",
        EdgeKind::TailCall => "tail call",
    }
}

/// The control flow of a function as a JSON object.
pub(super) fn flow_as_json(title: &str, flow: &Flow, operations: &[&str]) -> Value {
    let block = |(id, block): (usize, &kaleidoscope::ir::flow::Block)| {
        let edges = block.edges.iter().map(|edge| {
            let when = if edge.kind == EdgeKind::Always { "always" } else { condition(edge.kind) };
            json!({ "to": edge.to, "when": when })
        });
        json!({
            "id": id,
            "start": block.ops.start,
            "operations": operations.get(block.ops.clone()).unwrap_or_default(),
            "edges": edges.collect::<Vec<_>>(),
        })
    };
    json!({ "function": title, "blocks": flow.blocks.iter().enumerate().map(block).collect::<Vec<_>>() })
}
