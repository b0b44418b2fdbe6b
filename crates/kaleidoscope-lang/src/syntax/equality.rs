//! Equality of trees: structure, names, numbers and operators, but not places.

use super::{Item, NodeId, Prototype, Subject, Symbol, Tree};
use super::{Node, Node::*};

/// Whether two items of two trees have the same structure, names, numbers and operators. Their
/// places make no difference.
pub fn same_structure(item: &Item, tree: &Tree, other_item: &Item, other_tree: &Tree) -> bool {
    let trees = Trees { tree, other: other_tree };
    match (item, other_item) {
        (Item::Definition(prototype, body), Item::Definition(other_prototype, other_body)) => {
            trees.same_prototype(prototype, other_prototype) && trees.same_expression(*body, *other_body)
        }
        (Item::Extern(prototype), Item::Extern(other)) => trees.same_prototype(prototype, other),
        (Item::Expression(body), Item::Expression(other)) => trees.same_expression(*body, *other),
        _ => false,
    }
}

struct Trees<'t> {
    tree: &'t Tree,
    other: &'t Tree,
}

impl Trees<'_> {
    fn same_name(&self, name: Symbol, other: Symbol) -> bool {
        self.tree.symbols.name(name) == self.other.symbols.name(other)
    }

    fn same_prototype(&self, prototype: &Prototype, other: &Prototype) -> bool {
        let same_subject = match (prototype.subject, other.subject) {
            (Subject::Function(name), Subject::Function(other)) => self.same_name(name, other),
            (Subject::Unary(sign), Subject::Unary(other)) => sign == other,
            (
                Subject::Binary { sign, precedence },
                Subject::Binary { sign: other_sign, precedence: other_precedence },
            ) => {
                let value = |precedence: Option<(f64, _)>| precedence.map(|(value, _)| value);
                sign == other_sign && value(precedence) == value(other_precedence)
            }
            _ => false,
        };
        let parameters = prototype.parameters.iter().zip(&other.parameters);
        same_subject
            && prototype.parameters.len() == other.parameters.len()
            && parameters.into_iter().all(|(&(name, _), &(other, _))| self.same_name(name, other))
    }

    fn same_expression(&self, node: NodeId, other: NodeId) -> bool {
        let mut to_compare = vec![(node, other)];
        while let Some((node, other)) = to_compare.pop() {
            if !self.same_node(self.tree.node(node), self.other.node(other), &mut to_compare) {
                return false;
            }
        }
        true
    }

    /// Compares two nodes without their children, and adds the children to those still to compare.
    fn same_node(&self, node: Node, other: Node, parts: &mut Vec<(NodeId, NodeId)>) -> bool {
        match (node, other) {
            (Number(value), Number(other)) => value.to_bits() == other.to_bits(),
            (Variable(name), Variable(other)) => self.same_name(name, other),
            (Call { callee, arguments }, Call { callee: other_callee, arguments: others }) => {
                let pairs = self.tree.arguments(arguments).iter().zip(self.other.arguments(others));
                parts.extend(pairs.map(|(&node, &other)| (node, other)));
                arguments.len() == others.len() && self.same_name(callee, other_callee)
            }
            (Prefix { sign, operand }, Prefix { sign: other_sign, operand: other }) => {
                parts.push((operand, other));
                sign == other_sign
            }
            (
                Binary { sign, precedence, left, right },
                Binary { sign: s, precedence: p, left: l, right: r },
            ) => {
                parts.extend([(left, l), (right, r)]);
                (sign, precedence) == (s, p)
            }
            (While { condition, body }, While { condition: c, body: b }) => {
                parts.extend([(condition, c), (body, b)]);
                true
            }
            (If { condition, then, otherwise }, If { condition: c, then: t, otherwise: o }) => {
                parts.extend([(condition, c), (then, t), (otherwise, o)]);
                true
            }
            (For(id), For(other)) => {
                let (parts_of, others) = (self.tree.for_loop(id), self.other.for_loop(other));
                parts.extend([(parts_of.condition, others.condition), (parts_of.body, others.body)]);
                parts.extend(parts_of.start.zip(others.start));
                parts.extend(parts_of.step.zip(others.step));
                parts_of.start.is_some() == others.start.is_some()
                    && parts_of.step.is_some() == others.step.is_some()
                    && self.same_name(parts_of.variable, others.variable)
            }
            (Var { bindings, body }, Var { bindings: other_bindings, body: other }) => {
                parts.push((body, other));
                let pairs = self.tree.bindings(bindings).iter().zip(self.other.bindings(other_bindings));
                bindings.len() == other_bindings.len()
                    && pairs.into_iter().all(|(binding, other)| {
                        parts.extend(binding.initial.zip(other.initial));
                        binding.initial.is_some() == other.initial.is_some()
                            && self.same_name(binding.name, other.name)
                    })
            }
            _ => false,
        }
    }
}
