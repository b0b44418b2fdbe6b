//! Tree back to text: with the operators as they were when the tree was read, the text reads as the same tree.
//!
//! Parentheses are written only where the text would read otherwise without them, so the text is never nested deeper
//! than the one that the tree came from. What decides is what stands to the left of an expression (how tight it must
//! bind) and what follows it (what it must not swallow). The walk keeps a stack of its own.

#[cfg(test)]
mod tests;

use crate::number::Shown;
use crate::operator::{POWER_PRECEDENCE, Sign};
use crate::syntax::{Item, Node, NodeId, Prototype, Subject, Symbol, Tree};

/// The item as text, with the `;` that ends it.
///
/// Literals must be as the parser makes them: not negative and no NaN.
pub fn item(item: &Item, tree: &Tree) -> String {
    let mut printer = Printer { tree, text: String::new(), todo: Vec::new() };
    match item {
        Item::Definition(prototype, body) => {
            printer.text.push_str("def ");
            printer.prototype(prototype);
            printer.text.push(' ');
            printer.print(*body);
        }
        Item::Extern(prototype) => {
            printer.text.push_str("extern ");
            printer.prototype(prototype);
        }
        Item::Expression(body) => printer.print(*body),
    }
    printer.text.push(';');
    printer.text
}

/// The expression as text.
///
/// Literals must be as the parser makes them: not negative and no NaN.
pub fn expression(node: NodeId, tree: &Tree) -> String {
    let mut printer = Printer { tree, text: String::new(), todo: Vec::new() };
    printer.print(node);
    printer.text
}

/// Binds tighter than every binary operator.
const OPERAND: u8 = u8::MAX;

/// What surrounds an expression.
#[derive(Clone, Copy)]
struct Place {
    /// A binary operator must have at least this precedence to stand here without parentheses.
    min_precedence: u8,
    /// The binary operator that follows, if it is one.
    follower: Option<Follower>,
}

#[derive(Clone, Copy)]
struct Follower {
    sign: Sign,
    precedence: u8,
}

impl Place {
    /// Between brackets, keywords or commas everything may stand.
    const FREE: Self = Self { min_precedence: 0, follower: None };

    fn follower_precedence(self) -> u8 {
        self.follower.map_or(0, |follower| follower.precedence)
    }
}

enum Task {
    Expression(NodeId, Place),
    Text(&'static str),
    Name(Symbol),
    Operator(Sign),
}

struct Printer<'t> {
    tree: &'t Tree,
    text: String,
    /// What is still to be written, the next one last.
    todo: Vec<Task>,
}

impl Printer<'_> {
    fn prototype(&mut self, prototype: &Prototype) {
        match prototype.subject {
            Subject::Function(name) => self.text.push_str(self.tree.symbols.name(name)),
            Subject::Unary(sign) => {
                self.text.push_str("unary ");
                self.text.push_str(sign.as_str());
            }
            Subject::Binary { sign, precedence } => {
                self.text.push_str("binary ");
                self.text.push_str(sign.as_str());
                if let Some((precedence, _)) = precedence {
                    self.text.push_str(&format!(" {} ", literal(precedence)));
                }
            }
        }
        let names = prototype.parameters.iter().map(|&(name, _)| &**self.tree.symbols.name(name));
        self.text.push_str(&format!("({})", names.collect::<Vec<_>>().join(" ")));
    }

    fn print(&mut self, node: NodeId) {
        self.todo.push(Task::Expression(node, Place::FREE));
        while let Some(task) = self.todo.pop() {
            match task {
                Task::Text(text) => self.text.push_str(text),
                Task::Name(name) => self.text.push_str(self.tree.symbols.name(name)),
                Task::Operator(sign) => self.text.push_str(&format!(" {sign} ")),
                Task::Expression(node, place) if self.needs_parentheses(node, place) => {
                    self.text.push('(');
                    self.todo.push(Task::Text(")"));
                    self.open(node, Place::FREE);
                }
                Task::Expression(node, place) => self.open(node, place),
            }
        }
    }

    fn needs_parentheses(&self, node: NodeId, place: Place) -> bool {
        match self.tree.node(node) {
            Node::Number(_) | Node::Variable(_) | Node::Call { .. } => false,
            // `^` would take the operand away from the prefix operator.
            Node::Prefix { .. } => place.follower.is_some_and(|follower| follower.sign == Sign::POWER),
            // What follows must be weaker than what the right operand takes in.
            Node::Binary { sign, precedence, .. } => {
                precedence < place.min_precedence
                    || place.follower_precedence() >= right_precedence(sign, precedence)
            }
            // They reach as far right as they can.
            Node::If { .. } | Node::For(_) | Node::Var { .. } => place.follower.is_some(),
        }
    }

    /// Puts the parts of an expression to be written next.
    fn open(&mut self, node: NodeId, place: Place) {
        let first_new = self.todo.len();
        let free = |node| Task::Expression(node, Place::FREE);
        // Nothing may follow an `if`, `for` or `var`, so their last part may be anything.
        match self.tree.node(node) {
            Node::Number(value) => self.text.push_str(&literal(value)),
            Node::Variable(name) => self.todo.push(Task::Name(name)),
            Node::Call { callee, arguments } => {
                self.todo.extend([Task::Name(callee), Task::Text("(")]);
                for (idx, &argument) in self.tree.arguments(arguments).iter().enumerate() {
                    self.todo.extend((idx > 0).then_some(Task::Text(", ")));
                    self.todo.push(free(argument));
                }
                self.todo.push(Task::Text(")"));
            }
            Node::Prefix { sign, operand } => self.open_prefix(sign, operand, place),
            Node::Binary { sign, precedence, left, right } => {
                self.open_binary(sign, precedence, left, right, place);
            }
            Node::If { condition, then, otherwise } => self.todo.extend([
                Task::Text("if "),
                free(condition),
                Task::Text(" then "),
                free(then),
                Task::Text(" else "),
                free(otherwise),
            ]),
            Node::For(id) => {
                let parts = self.tree.for_loop(id);
                self.todo.extend([Task::Text("for "), Task::Name(parts.variable)]);
                self.todo.extend(parts.start.into_iter().flat_map(|start| [Task::Text(" = "), free(start)]));
                self.todo.extend([Task::Text(", "), free(parts.condition)]);
                self.todo.extend(parts.step.into_iter().flat_map(|step| [Task::Text(", "), free(step)]));
                self.todo.extend([Task::Text(" in "), free(parts.body)]);
            }
            Node::Var { bindings, body } => {
                for (idx, binding) in self.tree.bindings(bindings).iter().enumerate() {
                    self.todo.push(Task::Text(if idx == 0 { "var " } else { ", " }));
                    self.todo.push(Task::Name(binding.name));
                    let initial = binding.initial.into_iter();
                    self.todo.extend(initial.flat_map(|value| [Task::Text(" = "), free(value)]));
                }
                self.todo.extend([Task::Text(" in "), free(body)]);
            }
        }
        self.todo[first_new..].reverse();
    }

    fn open_prefix(&mut self, sign: Sign, operand: NodeId, place: Place) {
        self.text.push_str(sign.as_str());
        let follower = place.follower;
        let operand_place = Place { min_precedence: OPERAND, follower };
        let first = match self.tree.node(operand) {
            Node::Binary { sign: Sign::POWER, precedence, left, right }
                if place.follower_precedence() < POWER_PRECEDENCE =>
            {
                self.open_binary(Sign::POWER, precedence, left, right, operand_place);
                left
            }
            _ => {
                self.todo.push(Task::Expression(operand, operand_place));
                operand
            }
        };
        // Written together, two prefix operators could read as one of two characters, and `.` before a digit as a number.
        let runs_together = match self.tree.node(first) {
            Node::Prefix { .. } => true,
            Node::Number(_) => sign.as_str().ends_with('.'),
            _ => false,
        };
        if runs_together {
            self.text.push(' ');
        }
    }

    fn open_binary(&mut self, sign: Sign, precedence: u8, left: NodeId, right: NodeId, place: Place) {
        let left_place = Place { follower: Some(Follower { sign, precedence }), ..place };
        let right_place = Place { min_precedence: right_precedence(sign, precedence), ..place };
        self.todo.extend([
            Task::Expression(left, left_place),
            Task::Operator(sign),
            Task::Expression(right, right_place),
        ]);
    }
}

/// The least precedence of an operator that the right operand takes in.
fn right_precedence(sign: Sign, precedence: u8) -> u8 {
    if sign.is_right_associative() { precedence } else { precedence + 1 }
}

fn literal(value: f64) -> String {
    if value.is_infinite() { "1e999".to_owned() } else { Shown(value).to_string() }
}
