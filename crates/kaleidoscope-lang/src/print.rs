//! Printer: makes text of a tree, which reads as the same tree with the same operators.
//!
//! The printer writes parentheses only where the text would read otherwise without them, so the
//! text never nests deeper than the tree's own text. Two things decide: how tight an expression
//! must bind because of its left neighbor, and which operator follows, because an expression must
//! not take in what follows it. The printer keeps a stack of its own.

#[cfg(test)]
mod tests;

use crate::number::Shown;
use crate::operator::{POWER_PRECEDENCE, Sign};
use crate::syntax::{Item, Node, NodeId, Prototype, Subject, Symbol, Tree};

/// The item as text, with the `;` that ends it.
///
/// Literals must be as the parser makes them: not negative and not NaN.
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
/// Literals must be as the parser makes them: not negative and not NaN.
pub fn expression(node: NodeId, tree: &Tree) -> String {
    let mut printer = Printer { tree, text: String::new(), todo: Vec::new() };
    printer.print(node);
    printer.text
}

/// A precedence above that of every binary operator.
const OPERAND: u8 = u8::MAX;

/// What is left and right of an expression.
#[derive(Clone, Copy)]
struct ExpressionContext {
    /// The least precedence of a binary operator that needs no parentheses here.
    min_precedence: u8,
    /// The binary operator that follows, if one does.
    follower: Option<Follower>,
}

#[derive(Clone, Copy)]
struct Follower {
    sign: Sign,
    precedence: u8,
}

impl ExpressionContext {
    /// Between brackets, keywords or commas every expression may be without parentheses.
    const FREE: Self = Self { min_precedence: 0, follower: None };

    fn follower_precedence(self) -> u8 {
        self.follower.map_or(0, |follower| follower.precedence)
    }
}

enum Task {
    Expression(NodeId, ExpressionContext),
    Text(&'static str),
    Name(Symbol),
    Operator(Sign),
}

struct Printer<'t> {
    tree: &'t Tree,
    text: String,
    /// The tasks that are left, the next one last.
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
        self.todo.push(Task::Expression(node, ExpressionContext::FREE));
        while let Some(task) = self.todo.pop() {
            match task {
                Task::Text(text) => self.text.push_str(text),
                Task::Name(name) => self.text.push_str(self.tree.symbols.name(name)),
                Task::Operator(sign) => self.text.push_str(&format!(" {sign} ")),
                Task::Expression(node, context) if self.needs_parentheses(node, context) => {
                    self.text.push('(');
                    self.todo.push(Task::Text(")"));
                    self.open(node, ExpressionContext::FREE);
                }
                Task::Expression(node, context) => self.open(node, context),
            }
        }
    }

    fn needs_parentheses(&self, node: NodeId, context: ExpressionContext) -> bool {
        match self.tree.node(node) {
            Node::Number(_) | Node::Variable(_) | Node::Call { .. } => false,
            // `^` would take the operand from the prefix operator.
            Node::Prefix { .. } => context.follower.is_some_and(|follower| follower.sign == Sign::POWER),
            // The operator that follows must bind less tight than the right operand's operators.
            Node::Binary { sign, precedence, .. } => {
                precedence < context.min_precedence
                    || context.follower_precedence() >= right_precedence(sign, precedence)
            }
            // These extend as far right as they can.
            Node::If { .. } | Node::While { .. } | Node::For(_) | Node::Var { .. } => {
                context.follower.is_some()
            }
        }
    }

    /// Pushes the parts of an expression as the next tasks.
    fn open(&mut self, node: NodeId, context: ExpressionContext) {
        let first_new = self.todo.len();
        let free = |node| Task::Expression(node, ExpressionContext::FREE);
        // No operator follows an `if`, `while`, `for` or `var`, so their last part needs no
        // parentheses.
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
            Node::Prefix { sign, operand } => self.open_prefix(sign, operand, context),
            Node::Binary { sign, precedence, left, right } => {
                self.open_binary(sign, precedence, left, right, context);
            }
            Node::If { condition, then, otherwise } => self.todo.extend([
                Task::Text("if "),
                free(condition),
                Task::Text(" then "),
                free(then),
                Task::Text(" else "),
                free(otherwise),
            ]),
            Node::While { condition, body } => {
                self.todo.extend([Task::Text("while "), free(condition), Task::Text(" in "), free(body)]);
            }
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

    fn open_prefix(&mut self, sign: Sign, operand: NodeId, context: ExpressionContext) {
        self.text.push_str(sign.as_str());
        let follower = context.follower;
        let operand_context = ExpressionContext { min_precedence: OPERAND, follower };
        let first = match self.tree.node(operand) {
            Node::Binary { sign: Sign::POWER, precedence, left, right }
                if context.follower_precedence() < POWER_PRECEDENCE =>
            {
                self.open_binary(Sign::POWER, precedence, left, right, operand_context);
                left
            }
            _ => {
                self.todo.push(Task::Expression(operand, operand_context));
                operand
            }
        };
        // Without a space, two prefix operators could read as one, and `.` before a digit as a
        // number.
        let runs_together = match self.tree.node(first) {
            Node::Prefix { .. } => true,
            Node::Number(_) => sign.as_str().ends_with('.'),
            _ => false,
        };
        if runs_together {
            self.text.push(' ');
        }
    }

    fn open_binary(
        &mut self,
        sign: Sign,
        precedence: u8,
        left: NodeId,
        right: NodeId,
        context: ExpressionContext,
    ) {
        let left_context = ExpressionContext { follower: Some(Follower { sign, precedence }), ..context };
        let right_context =
            ExpressionContext { min_precedence: right_precedence(sign, precedence), ..context };
        self.todo.extend([
            Task::Expression(left, left_context),
            Task::Operator(sign),
            Task::Expression(right, right_context),
        ]);
    }
}

/// The least precedence of an operator that a right operand takes in.
fn right_precedence(sign: Sign, precedence: u8) -> u8 {
    if sign.is_right_associative() { precedence } else { precedence + 1 }
}

fn literal(value: f64) -> String {
    if value.is_infinite() { "1e999".to_owned() } else { Shown(value).to_string() }
}
