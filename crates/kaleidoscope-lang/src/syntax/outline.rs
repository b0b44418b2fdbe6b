//! Outline of a tree for `emit ast`: expressions with the operator first, `(+ 1 (* 2 3))`.
//!
//! An expression that fits is on one line. Other expressions have one line for each part,
//! indented. From [`MAX_INDENT`] on, the rest of a deep tree is on one line, because its
//! indentation would be longer than the tree.

use super::{Item, Node, NodeId, Prototype, Subject, Symbol, Tree};
use crate::number::Shown;

/// The width of a line, in columns.
const LINE: usize = 96;
/// The deepest indentation, in columns.
const MAX_INDENT: usize = 48;

/// The outline of an item. The text ends with a line end.
pub fn outline(item: &Item, tree: &Tree) -> String {
    let mut outline = Outline { tree, widths: widths(tree), text: String::new() };
    match item {
        Item::Definition(prototype, body) => {
            outline.prototype("def", prototype);
            let width = outline.text.len() + 2 + outline.widths[body.index()];
            if width <= LINE {
                outline.text.push(' ');
                outline.part(Part::Node(*body), LINE);
            } else {
                outline.text.push_str("\n  ");
                outline.part(Part::Node(*body), 2);
            }
            outline.text.push(')');
        }
        Item::Extern(prototype) => {
            outline.prototype("extern", prototype);
            outline.text.push(')');
        }
        Item::Expression(body) => outline.part(Part::Node(*body), 0),
    }
    outline.text.push('\n');
    outline.text
}

/// What a prototype defines, and its parameters.
pub(super) fn signature(prototype: &Prototype, tree: &Tree) -> String {
    let subject = match prototype.subject {
        Subject::Function(name) => tree.symbols.name(name).to_string(),
        Subject::Unary(sign) => format!("unary {sign}"),
        Subject::Binary { sign, precedence: None } => format!("binary {sign}"),
        Subject::Binary { sign, precedence: Some((precedence, _)) } => {
            format!("binary {sign} {}", Shown(precedence))
        }
    };
    let names = prototype.parameters.iter().map(|&(name, _)| &**tree.symbols.name(name));
    format!("{subject} ({})", names.collect::<Vec<_>>().join(" "))
}

#[derive(Clone, Copy)]
pub(super) enum Part {
    Node(NodeId),
    /// `(name initial)` of a `for` or `var`.
    Named(Symbol, Option<NodeId>),
}

enum Task {
    Part(Part, usize),
    Text(&'static str),
    NewLine(usize),
}

struct Outline<'t> {
    tree: &'t Tree,
    /// The width of each node on one line, in columns.
    widths: Vec<usize>,
    text: String,
}

impl Outline<'_> {
    fn prototype(&mut self, keyword: &str, prototype: &Prototype) {
        self.text.push_str(&format!("({keyword} {}", signature(prototype, self.tree)));
    }

    /// Writes a part. At an indentation of [`LINE`] or more it stays on one line.
    fn part(&mut self, part: Part, indent: usize) {
        let mut todo = vec![Task::Part(part, indent)];
        while let Some(task) = todo.pop() {
            match task {
                Task::Text(text) => self.text.push_str(text),
                Task::NewLine(indent) => self.text.push_str(&format!("\n{:indent$}", "")),
                Task::Part(part, indent) => self.open(part, indent, &mut todo),
            }
        }
    }

    fn open(&mut self, part: Part, indent: usize, todo: &mut Vec<Task>) {
        let (head, parts) = match part {
            Part::Named(name, initial) => (
                self.tree.symbols.name(name).to_string(),
                initial.map(Part::Node).into_iter().collect::<Vec<_>>(),
            ),
            Part::Node(node) => {
                let node = self.tree.node(node);
                let head = head(node, self.tree);
                if let Node::Number(_) | Node::Variable(_) = node {
                    self.text.push_str(&head);
                    return;
                }
                (head, parts(node, self.tree))
            }
        };
        self.text.push_str(&format!("({head}"));
        todo.push(Task::Text(")"));
        let is_broken = indent < MAX_INDENT && indent + width_of(part, self.tree, &self.widths) > LINE;
        let indent = if is_broken { indent + 2 } else { LINE };
        for &part in parts.iter().rev() {
            todo.push(Task::Part(part, indent));
            todo.push(if is_broken { Task::NewLine(indent) } else { Task::Text(" ") });
        }
    }
}

/// The first word of a node: its value, name, operator or keyword.
pub(super) fn head(node: Node, tree: &Tree) -> String {
    match node {
        Node::Number(value) => Shown(value).to_string(),
        Node::Variable(name) => tree.symbols.name(name).to_string(),
        Node::Call { callee, .. } => format!("call {}", tree.symbols.name(callee)),
        Node::Prefix { sign, .. } => format!("unary {sign}"),
        Node::Binary { sign, .. } => sign.to_string(),
        Node::If { .. } => "if".to_owned(),
        Node::While { .. } => "while".to_owned(),
        Node::For(_) => "for".to_owned(),
        Node::Var { .. } => "var".to_owned(),
    }
}

pub(super) fn parts(node: Node, tree: &Tree) -> Vec<Part> {
    match node {
        Node::Number(_) | Node::Variable(_) => Vec::new(),
        Node::Call { arguments, .. } => {
            tree.arguments(arguments).iter().map(|&node| Part::Node(node)).collect()
        }
        Node::Prefix { operand, .. } => vec![Part::Node(operand)],
        Node::Binary { left, right, .. } => vec![Part::Node(left), Part::Node(right)],
        Node::If { condition, then, otherwise } => [condition, then, otherwise].map(Part::Node).into(),
        Node::While { condition, body } => [condition, body].map(Part::Node).into(),
        Node::For(id) => {
            let parts = tree.for_loop(id);
            let mut all = vec![Part::Named(parts.variable, parts.start), Part::Node(parts.condition)];
            all.extend(parts.step.map(Part::Node));
            all.push(Part::Node(parts.body));
            all
        }
        Node::Var { bindings, body } => {
            let bindings = tree.bindings(bindings).iter();
            let named = bindings.map(|binding| Part::Named(binding.name, binding.initial));
            named.chain([Part::Node(body)]).collect()
        }
    }
}

/// The widths of all nodes. Children precede parents, so one pass is enough.
fn widths(tree: &Tree) -> Vec<usize> {
    let mut widths: Vec<usize> = Vec::with_capacity(tree.n_nodes());
    for node in tree.nodes() {
        let parts = parts(node, tree);
        let brackets = if matches!(node, Node::Number(_) | Node::Variable(_)) { 0 } else { 2 };
        let width_of_parts = parts.iter().map(|&part| 1 + width_of(part, tree, &widths)).sum::<usize>();
        widths.push(brackets + head(node, tree).len() + width_of_parts);
    }
    widths
}

fn width_of(part: Part, tree: &Tree, widths: &[usize]) -> usize {
    match part {
        Part::Node(node) => widths[node.index()],
        Part::Named(name, initial) => {
            2 + tree.symbols.name(name).len() + initial.map_or(0, |initial| 1 + widths[initial.index()])
        }
    }
}
