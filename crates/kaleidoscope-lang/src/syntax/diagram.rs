//! Diagram of a tree: its nodes with what a picture or a tool shows of each.
//!
//! The nodes are in one list, and refer to each other by index: a tree of any depth is walked, and
//! written, without recursion.

use super::outline::{Part, head, parts, signature};
use super::{Item, Node, Prototype, Tree};
use crate::source::Span;

/// A node of a diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagramNode {
    /// `definition`, `number`, `call` and so on.
    pub kind: &'static str,
    /// Its value, name, operator or keyword.
    pub text: String,
    /// The place in the text. `None` for the variable of a `for` or `var`.
    pub span: Option<Span>,
    /// The indexes of its parts, which follow it.
    pub parts: Vec<usize>,
}

/// The nodes of an item, the root first.
pub fn diagram(item: &Item, tree: &Tree) -> Vec<DiagramNode> {
    let root = |kind, prototype: &Prototype| DiagramNode {
        kind,
        text: signature(prototype, tree),
        span: Some(prototype.subject_span),
        parts: Vec::new(),
    };
    // Parts that are to come, each with the index of the node that it belongs to.
    let (mut nodes, mut to_come) = match item {
        Item::Expression(body) => (Vec::new(), vec![(Part::Node(*body), None)]),
        Item::Extern(prototype) => (vec![root("declaration", prototype)], Vec::new()),
        Item::Definition(prototype, body) => {
            (vec![root("definition", prototype)], vec![(Part::Node(*body), Some(0))])
        }
    };
    while let Some((part, owner)) = to_come.pop() {
        let index = nodes.len();
        let (node, own_parts) = match part {
            Part::Named(name, initial) => {
                let text = tree.symbols.name(name).to_string();
                let node = DiagramNode { kind: "binding", text, span: None, parts: Vec::new() };
                (node, initial.map(Part::Node).into_iter().collect())
            }
            Part::Node(id) => {
                let node = tree.node(id);
                let text = match node {
                    Node::Call { callee, .. } => tree.symbols.name(callee).to_string(),
                    Node::Prefix { sign, .. } => sign.to_string(),
                    _ => head(node, tree),
                };
                let span = Some(tree.span(id));
                (DiagramNode { kind: kind(node), text, span, parts: Vec::new() }, parts(node, tree))
            }
        };
        nodes.push(node);
        if let Some(owner) = owner {
            nodes[owner].parts.push(index);
        }
        // The first part is to come first.
        to_come.extend(own_parts.into_iter().rev().map(|part| (part, Some(index))));
    }
    nodes
}

fn kind(node: Node) -> &'static str {
    match node {
        Node::Number(_) => "number",
        Node::Variable(_) => "variable",
        Node::Call { .. } => "call",
        Node::Prefix { .. } => "prefix",
        Node::Binary { .. } => "binary",
        Node::If { .. } => "if",
        Node::While { .. } => "while",
        Node::For(_) => "for",
        Node::Var { .. } => "var",
    }
}
