//! The syntax tree of one item, in an arena.
//!
//! Nodes are small, lie in one vector and name each other by index, children before parents; so a tree of a million
//! levels is dropped, compared and walked without recursion, and the reader uses the same memory for every item.
//! Parentheses leave no node; a node's span does not include those around it.

mod equality;
mod outline;
mod symbols;
#[cfg(test)]
mod tests;

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

/// Several neighbours in one of the tree's side tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    start: u32,
    len: u32,
}

impl List {
    /// How many there are.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }
}

/// One expression; its parts are nodes before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// A literal.
    Number(f64),
    /// The value of a variable.
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
        /// What it stands before.
        operand: NodeId,
    },
    /// `left sign right`
    Binary {
        /// The operator.
        sign: Sign,
        /// Its precedence when this was read; later definitions do not change how a text was understood.
        precedence: u8,
        /// The left operand.
        left: NodeId,
        /// The right operand.
        right: NodeId,
    },
    /// `if condition then then else otherwise`
    If {
        /// What decides.
        condition: NodeId,
        /// The value when it holds.
        then: NodeId,
        /// The value when it does not.
        otherwise: NodeId,
    },
    /// `for …`; the parts are [`Tree::for_loop`].
    For(ForId),
    /// `var bindings in body`; the bindings are [`Tree::bindings`].
    Var {
        /// The variables, in order.
        bindings: List,
        /// Where they are in scope.
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
    /// Its first value; 0 where left out.
    pub start: Option<NodeId>,
    /// Whether to go on.
    pub condition: NodeId,
    /// What is added after each turn; 1 where left out.
    pub step: Option<NodeId>,
    /// What is done each turn.
    pub body: NodeId,
}

/// `name = initial` of a `var`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name.
    pub name: Symbol,
    /// Its first value; 0 where left out.
    pub initial: Option<NodeId>,
}

/// What a prototype gives a meaning to.
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
        /// The precedence as written, and where; not yet checked.
        precedence: Option<(f64, Span)>,
    },
}

/// `name(parameters)` with where each stands.
#[derive(Clone, Debug)]
pub struct Prototype {
    /// What it is about.
    pub subject: Subject,
    /// Where its name or sign stands.
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

/// The arena: the nodes of one item and the names they use.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    spans: Vec<Span>,
    node_lists: Vec<NodeId>,
    binding_lists: Vec<Binding>,
    loops: Vec<For>,
    /// The names. They stay when the tree is cleared, so that a name used by many items is kept once.
    pub symbols: Symbols,
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all nodes.
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

    /// How many nodes there are.
    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes, parts before what they are part of.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.nodes.iter().copied()
    }

    /// The node.
    pub fn node(&self, id: NodeId) -> Node {
        self.nodes[id.index()]
    }

    /// Where the node stands, without parentheses around it.
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

/// The most elements for which a vector keeps its memory from item to item; one huge item must not cost for ever.
pub(crate) const MAX_KEPT: usize = 10_000;

/// Empties a vector that is used again for each item.
pub(crate) fn clear<T>(vec: &mut Vec<T>) {
    vec.clear();
    vec.shrink_to(MAX_KEPT);
}
