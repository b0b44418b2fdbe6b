//! Syntax tree of one item, in an arena.
//!
//! Nodes are small, are stored in one vector and refer to each other by index, children before
//! parents. So a tree of a million levels is dropped, compared and walked without recursion, and
//! the reader uses the same memory for every item. Parentheses have no node; a node's span does
//! not include them.

mod diagram;
mod equality;
mod outline;
mod symbols;
#[cfg(test)]
mod tests;

pub use diagram::{DiagramNode, diagram};
pub use equality::same_structure;
pub use outline::outline;
pub use symbols::{Symbol, Symbols};

use crate::operator::Sign;
use crate::source::Span;

/// A node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// The number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A range of neighbors in one of the tree's side tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    start: u32,
    len: u32,
}

impl List {
    /// The number of elements.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// Whether the list is empty.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }
}

/// One expression. Its parts are nodes before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// A literal.
    Number(f64),
    /// A variable.
    Variable(Symbol),
    /// `callee(arguments)`; the arguments are [`Tree::arguments`].
    Call {
        /// The function's name.
        callee: Symbol,
        /// The arguments.
        arguments: List,
    },
    /// `sign operand`
    Prefix {
        /// The operator.
        sign: Sign,
        /// The operand.
        operand: NodeId,
    },
    /// `left sign right`
    Binary {
        /// The operator.
        sign: Sign,
        /// The precedence when the text was read. Later definitions do not change how a text was
        /// read.
        precedence: u8,
        /// The left operand.
        left: NodeId,
        /// The right operand.
        right: NodeId,
    },
    /// `if condition then then else otherwise`
    If {
        /// The condition.
        condition: NodeId,
        /// The value if the condition holds.
        then: NodeId,
        /// The value if it does not hold.
        otherwise: NodeId,
    },
    /// `while condition in body`
    While {
        /// The condition of each iteration.
        condition: NodeId,
        /// The body of each iteration.
        body: NodeId,
    },
    /// `for …`; the parts are [`Tree::for_loop`].
    For(ForId),
    /// `var bindings in body`; the bindings are [`Tree::bindings`].
    Var {
        /// The variables, in order.
        bindings: List,
        /// The expression in which they are in scope.
        body: NodeId,
    },
}

/// A `for` of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForId(u32);

/// `for variable = start, condition, step in body`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct For {
    /// The name of the loop's variable.
    pub variable: Symbol,
    /// The first value; 0 if omitted.
    pub start: Option<NodeId>,
    /// The condition of the next iteration.
    pub condition: NodeId,
    /// The amount to add after each iteration; 1 if omitted.
    pub step: Option<NodeId>,
    /// The body of each iteration.
    pub body: NodeId,
}

/// `name = initial` of a `var`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name.
    pub name: Symbol,
    /// The first value; 0 if omitted.
    pub initial: Option<NodeId>,
}

/// What a prototype defines or declares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Subject {
    /// A function called by name.
    Function(Symbol),
    /// A prefix operator.
    Unary(Sign),
    /// A binary operator.
    Binary {
        /// The operator.
        sign: Sign,
        /// The precedence as written, with its place; not yet checked.
        precedence: Option<(f64, Span)>,
    },
}

/// `name(parameters)`, with the place of each.
#[derive(Clone, Debug)]
pub struct Prototype {
    /// What it defines or declares.
    pub subject: Subject,
    /// The place of its name or sign.
    pub subject_span: Span,
    /// The parameters, in order.
    pub parameters: Vec<(Symbol, Span)>,
}

/// The root of a tree: one item of the program.
#[derive(Clone, Debug)]
pub enum Item {
    /// `def prototype body`
    Definition(Prototype, NodeId),
    /// `extern prototype`
    Extern(Prototype),
    /// An expression at top level.
    Expression(NodeId),
}

/// The arena: the nodes of one item and the names that they use.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    spans: Vec<Span>,
    node_lists: Vec<NodeId>,
    binding_lists: Vec<Binding>,
    loops: Vec<For>,
    /// The names. They stay when the tree is cleared, so a name of many items is stored once.
    pub symbols: Symbols,
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes all nodes.
    pub fn clear(&mut self) {
        clear(&mut self.nodes);
        clear(&mut self.spans);
        clear(&mut self.node_lists);
        clear(&mut self.binding_lists);
        clear(&mut self.loops);
        self.symbols.forget_if_many();
    }

    /// Adds a node. Its parts must be nodes of this tree.
    pub fn add(&mut self, node: Node, span: Span) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        self.spans.push(span);
        id
    }

    /// Adds a call.
    pub fn add_call(&mut self, callee: Symbol, arguments: &[NodeId], span: Span) -> NodeId {
        let start = self.node_lists.len() as u32;
        self.node_lists.extend_from_slice(arguments);
        self.add(Node::Call { callee, arguments: List { start, len: arguments.len() as u32 } }, span)
    }

    /// Adds a `var`.
    pub fn add_var(&mut self, bindings: &[Binding], body: NodeId, span: Span) -> NodeId {
        let start = self.binding_lists.len() as u32;
        self.binding_lists.extend_from_slice(bindings);
        self.add(Node::Var { bindings: List { start, len: bindings.len() as u32 }, body }, span)
    }

    /// Adds a `for`.
    pub fn add_for(&mut self, parts: For, span: Span) -> NodeId {
        let id = ForId(self.loops.len() as u32);
        self.loops.push(parts);
        self.add(Node::For(id), span)
    }

    /// The number of nodes.
    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes, children before parents.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.nodes.iter().copied()
    }

    /// The ids of all nodes, children before parents.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> Node {
        self.nodes[id.index()]
    }

    /// A node's place, without parentheses around it.
    pub fn span(&self, id: NodeId) -> Span {
        self.spans[id.index()]
    }

    /// The arguments of a call.
    pub fn arguments(&self, list: List) -> &[NodeId] {
        &self.node_lists[list.range()]
    }

    /// The bindings of a `var`.
    pub fn bindings(&self, list: List) -> &[Binding] {
        &self.binding_lists[list.range()]
    }

    /// The parts of a `for`.
    pub fn for_loop(&self, id: ForId) -> For {
        self.loops[id.0 as usize]
    }
}

/// The most elements for which a vector keeps its memory from item to item: one huge item must not
/// take memory forever.
pub(crate) const MAX_KEPT: usize = 10_000;

/// Empties a vector that is used for each item.
pub(crate) fn clear<T>(vec: &mut Vec<T>) {
    vec.clear();
    vec.shrink_to(MAX_KEPT);
}
