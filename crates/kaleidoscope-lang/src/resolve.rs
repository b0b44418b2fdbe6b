//! Resolver: makes the IR of an item's syntax tree.
//!
//! The resolver turns names into ids, gives each variable a number of its own, and lowers
//! expressions to the linear operations of [`kaleidoscope_ir`]. It keeps its own stack of steps,
//! so a tree may be of any depth. A mistake in meaning does not stop the resolver: it reports all
//! mistakes and then drops the item.

mod call;
mod element;
mod op_buffer;
mod positions;
mod prototype;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use crate::item::Item;
use crate::names::{Names, Signature};
use crate::operator::{BinaryMeaning, Sign};
use crate::parser;
use crate::source::{Source, Span};
use crate::syntax::{self, For, Node, NodeId, Symbol, Tree, clear};
use kaleidoscope_ir::verify::verify_calls;
use kaleidoscope_ir::{Arithmetic, Function, FunctionId, HostVariable, Local, Op, OpIdx};
use op_buffer::OpBuffer;
pub(crate) use positions::PositionRecorder;
use scope::VariableScope;

/// The most errors, and the most warnings, that are reported for one item.
const MAX_REPORTED: usize = 20;

/// The name of a variable that no text can name.
const HIDDEN: &str = "$";

/// Memory that is used for every item.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    steps: Vec<Step>,
    ops: OpBuffer,
    scope: VariableScope,
    /// The positions of the operations, if they are wanted.
    pub(crate) positions: Option<Box<PositionRecorder>>,
}

/// The resolved item; `None` if there were errors. Adds all mistakes to `diagnostics`.
pub(crate) fn resolve(
    item: &syntax::Item,
    (span, source): (Span, &Source),
    tree: &Tree,
    names: &Names,
    workspace: &mut Workspace,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Item> {
    let mut resolver = Resolver::new(span, tree, names, workspace, diagnostics);
    resolver.source = Some(source);
    resolver.resolve_item(item)
}

/// A parsed formula. Its parameters all differ.
pub(crate) struct ParsedFormula<'f> {
    pub(crate) name: Arc<str>,
    pub(crate) parameters: &'f [Symbol],
    pub(crate) body: NodeId,
    pub(crate) span: Span,
}

/// The formula as a definition; `None` if there were errors. Adds all mistakes to `diagnostics`.
pub(crate) fn resolve_formula(
    formula: ParsedFormula<'_>,
    tree: &Tree,
    names: &Names,
    workspace: &mut Workspace,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Item> {
    Resolver::new(formula.span, tree, names, workspace, diagnostics).resolve_formula(formula)
}

/// A step of the resolver. The stack of steps has the role of the call stack in a recursive walk.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Emit operations that leave the value of an expression on the stack. `tail`: the value is the
    /// function's result.
    Value { node: NodeId, tail: bool },
    /// Emit an operation.
    Emit(Op),
    /// Behind the base: raise it to a literal power from 0 to 3.
    LiteralPower { base: NodeId, exponent: u32 },
    /// Behind the condition: begin the branches.
    Branch { then: Choice, otherwise: Choice, tail: bool },
    /// Behind the first branch.
    Otherwise { if_idx: OpIdx, otherwise: Choice, tail: bool, height: u32 },
    /// Behind the second branch.
    EndIf { else_idx: OpIdx, height: u32 },
    /// Behind the value: bring a new variable of this name into scope and set it.
    Bind(Symbol),
    /// Behind the first value of a `for`'s variable: its body, step and condition.
    Loop(syntax::ForId),
    /// Behind the first value of a `while`'s variable, which no text names: its body and condition.
    While { condition: NodeId, body: NodeId },
    /// Behind the condition and body of a `while`.
    EndWhile { variable: Local, header: OpIdx },
    /// Behind the body, step and condition of a `for`.
    EndLoop { variable: Local, header: OpIdx },
    /// Take the youngest variables out of scope.
    Unbind(u32),
    /// What follows belongs to the expression at this offset. Only while positions are recorded.
    At(u32),
}

/// The value of a branch.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Node(NodeId),
    Number(f64),
    /// 1 if the expression is true, otherwise 0.
    Truth(NodeId),
    /// 1, after the expression was evaluated.
    OneAfter(NodeId),
}

/// What the name of a variable means.
enum Variable {
    Local(Local),
    Host(HostVariable),
    Constant(f64),
}

struct Resolver<'r> {
    tree: &'r Tree,
    names: &'r Names,
    workspace: &'r mut Workspace,
    diagnostics: &'r mut Vec<Diagnostic>,
    item_span: Span,
    /// The text, for positions.
    source: Option<&'r Source>,
    /// The function being defined; `None` for a top-level expression.
    itself: Option<Itself>,
    new_functions: Vec<Signature>,
    /// The undefined functions that the item calls, by name and number of arguments.
    called_undefined: HashMap<(Symbol, u32), FunctionId>,
    unknown_variables: HashSet<Symbol>,
    failed: bool,
}

#[derive(Clone, Copy)]
struct Itself {
    id: FunctionId,
    /// The name in calls; `None` for an operator.
    symbol: Option<Symbol>,
    arity: u32,
}

impl<'r> Resolver<'r> {
    fn new(
        span: Span,
        tree: &'r Tree,
        names: &'r Names,
        workspace: &'r mut Workspace,
        diagnostics: &'r mut Vec<Diagnostic>,
    ) -> Self {
        clear(&mut workspace.steps);
        workspace.ops.clear();
        workspace.scope.clear(tree.symbols.len());
        if let Some(recorder) = &mut workspace.positions {
            recorder.clear(span.start);
        }
        Self {
            tree,
            names,
            workspace,
            diagnostics,
            item_span: span,
            source: None,
            itself: None,
            new_functions: Vec::new(),
            called_undefined: HashMap::new(),
            unknown_variables: HashSet::new(),
            failed: false,
        }
    }

    /// No program can define what a formula calls later, so its callees must exist, as for an
    /// expression.
    fn resolve_formula(mut self, formula: ParsedFormula<'_>) -> Option<Item> {
        for &parameter in formula.parameters {
            self.workspace.scope.bind(parameter);
        }
        let arity = formula.parameters.len() as u32;
        let id = self.id_of(&formula.name, arity);
        let function = self.resolve_body(formula.name, arity, formula.body)?;
        Some(Item::Definition { id, function, operator: None, new_functions: self.new_functions })
    }

    fn resolve_item(mut self, item: &syntax::Item) -> Option<Item> {
        match item {
            syntax::Item::Definition(prototype, body) => {
                let (name, operator) = self.resolve_prototype(prototype)?;
                let arity = prototype.parameters.len() as u32;
                let id = self.id_of(&name, arity);
                let symbol = match prototype.subject {
                    syntax::Subject::Function(symbol) => Some(symbol),
                    _ => None,
                };
                self.itself = Some(Itself { id, symbol, arity });
                let function = self.resolve_body(name, arity, *body)?;
                if self.is_without_effect(prototype) {
                    return Some(Item::WithoutEffect);
                }
                Some(Item::Definition { id, function, operator, new_functions: self.new_functions })
            }
            syntax::Item::Extern(prototype) => {
                let (name, operator) = self.resolve_prototype(prototype)?;
                if self.is_without_effect(prototype) {
                    return Some(Item::WithoutEffect);
                }
                let arity = prototype.parameters.len() as u32;
                self.check_extern(&name, arity, prototype.subject_span)?;
                let id = self.id_of(&name, arity);
                Some(Item::Extern { id, operator, new_functions: self.new_functions })
            }
            syntax::Item::Expression(body) => {
                let name = format!("$expr{}", self.names.next_expression()).into();
                Some(Item::Expression { function: self.resolve_body(name, 0, *body)? })
            }
        }
    }

    /// The id of this name and arity; the next free id if it has none.
    fn id_of(&mut self, name: &Arc<str>, arity: u32) -> FunctionId {
        self.names.find(name, arity).unwrap_or_else(|| {
            let id = self.names.n_functions() + self.new_functions.len();
            self.new_functions.push(Signature { name: Arc::clone(name), arity });
            FunctionId::new(id as u32)
        })
    }

    fn resolve_body(&mut self, name: Arc<str>, n_params: u32, body: NodeId) -> Option<Arc<Function>> {
        self.push(Step::Value { node: body, tail: true });
        while let Some(step) = self.workspace.steps.pop() {
            if self.workspace.ops.n_ops() > parser::MAX_OPERATIONS {
                self.report(parser::too_large(Span::new(self.item_span.start, self.item_span.start + 1)));
                return None;
            }
            self.take_step(step);
        }
        if self.failed {
            return None;
        }
        let symbols = &self.tree.symbols;
        let name_of = |&local: &Option<Symbol>| match local {
            Some(symbol) => Arc::clone(symbols.name(symbol)),
            None => HIDDEN.into(),
        };
        let locals: Box<[_]> = self.workspace.scope.locals().iter().map(name_of).collect();
        let buffer = &self.workspace.ops;
        let mut function = Function::new(name, n_params, locals, buffer.ops(), buffer.max_height());
        if let (Some(recorder), Some(source)) = (&self.workspace.positions, self.source) {
            function = function.with_positions(recorder.positions(self.item_span, source));
        }
        debug_assert_eq!(verify_calls(&function, |id| Some(self.arity(id))), Ok(()), "{function}");
        Some(Arc::new(function))
    }

    /// The number of parameters of a function that exists or will exist with this item.
    fn arity(&self, id: FunctionId) -> u32 {
        match id.index().checked_sub(self.names.n_functions()) {
            None => self.names.signature(id).arity,
            Some(nth) => self.new_functions[nth].arity,
        }
    }

    fn push(&mut self, step: Step) {
        self.workspace.steps.push(step);
        if self.workspace.positions.is_some() {
            self.push_position(step);
        }
    }

    fn push_value(&mut self, node: NodeId) {
        self.push(Step::Value { node, tail: false });
    }

    fn emit(&mut self, op: Op) -> OpIdx {
        if self.workspace.positions.is_some() {
            self.note_op();
        }
        self.workspace.ops.emit(op)
    }

    /// Inlined because each of the many steps would otherwise save and restore registers.
    #[inline(always)]
    fn take_step(&mut self, step: Step) {
        match step {
            Step::Value { node, tail } => self.resolve_value(node, tail),
            Step::Emit(op) => {
                self.emit(op);
            }
            Step::LiteralPower { base, exponent } => self.raise(base, exponent),
            Step::Branch { then, otherwise, tail } => {
                let if_idx = self.emit(Op::If { otherwise: OpIdx::new(0) });
                let height = self.workspace.ops.height();
                self.push(Step::Otherwise { if_idx, otherwise, tail, height });
                self.push_choice(then, tail);
            }
            Step::Otherwise { if_idx, otherwise, tail, height } => {
                let else_idx = self.emit(Op::Else { end: OpIdx::new(0) });
                self.workspace.ops.patch(if_idx, Op::If { otherwise: else_idx });
                self.workspace.ops.set_height(height);
                self.push(Step::EndIf { else_idx, height });
                self.push_choice(otherwise, tail);
            }
            Step::EndIf { else_idx, height } => {
                let end = self.emit(Op::End);
                self.workspace.ops.patch(else_idx, Op::Else { end });
                self.workspace.ops.set_height(height + 1);
            }
            Step::Bind(name) => {
                let local = self.workspace.scope.bind(name);
                self.emit(Op::Set(local));
                self.begin_scope(local);
                self.emit(Op::Drop);
            }
            Step::Loop(id) => self.begin_loop(&self.tree.for_loop(id)),
            Step::EndLoop { variable, header } => {
                self.emit(Op::Next { variable, header });
                self.emit(Op::Number(0.0));
                self.unbind(1);
            }
            Step::While { condition, body } => self.begin_while(condition, body),
            Step::EndWhile { variable, header } => {
                self.emit(Op::Next { variable, header });
                self.emit(Op::Number(0.0));
            }
            Step::Unbind(n_variables) => self.unbind(n_variables),
            Step::At(offset) => self.set_position(offset),
        }
    }

    /// Pushes the steps of an expression, the last step first.
    fn resolve_value(&mut self, node: NodeId, tail: bool) {
        if self.workspace.positions.is_some() {
            self.set_position(self.tree.span(node).start);
        }
        match self.tree.node(node) {
            Node::Number(value) => {
                self.emit(Op::Number(value));
            }
            Node::Variable(name) => {
                let op = match self.variable(name) {
                    Some(Variable::Local(local)) => Op::Get(local),
                    Some(Variable::Host(variable)) => Op::GetHost(variable),
                    Some(Variable::Constant(value)) => Op::Number(value),
                    None => self.unknown_variable(name, self.tree.span(node)),
                };
                self.emit(op);
            }
            Node::Call { callee, arguments } => {
                let arguments = self.tree.arguments(arguments);
                if let Some(array) = self.array(callee) {
                    self.push(Step::Emit(Op::GetElement(array)));
                    self.push_index(callee, arguments, self.tree.span(node));
                    return;
                }
                if let Some((function, meaning)) = self.many_arguments(callee, arguments.len()) {
                    self.resolve_many(function, meaning, arguments, tail);
                    return;
                }
                let op = self.resolve_call(callee, arguments.len() as u32, self.tree.span(node), tail);
                self.push(Step::Emit(op));
                let values = arguments.iter().rev().map(|&node| Step::Value { node, tail: false });
                self.workspace.steps.extend(values);
            }
            Node::Prefix { sign, operand } => {
                let function = self.names.prefix_operator(sign).expect("the parser found the operator");
                let op = self.operator_call(function, 1, tail);
                self.push(Step::Emit(op));
                self.push_value(operand);
            }
            Node::Binary { sign: Sign::ASSIGN, left, right, .. } => {
                if let Node::Call { callee, arguments } = self.tree.node(left)
                    && let Some(array) = self.array(callee)
                {
                    self.push(Step::Emit(Op::SetElement(array)));
                    self.push_value(right);
                    self.push_index(callee, self.tree.arguments(arguments), self.tree.span(left));
                    return;
                }
                let op = self.resolve_target(left);
                self.push(Step::Emit(op));
                self.push_value(right);
            }
            Node::Binary { sign, left, right, .. } => self.resolve_binary(sign, left, right, tail),
            Node::If { condition, then, otherwise } => {
                let (then, otherwise) = (Choice::Node(then), Choice::Node(otherwise));
                self.push(Step::Branch { then, otherwise, tail });
                self.push_value(condition);
            }
            Node::While { condition, body } => {
                self.push(Step::While { condition, body });
                self.emit(Op::Number(0.0));
            }
            Node::For(id) => {
                let For { variable, start, .. } = self.tree.for_loop(id);
                self.push(Step::Loop(id));
                self.push(Step::Bind(variable));
                self.push_value_or(start, 0.0);
            }
            Node::Var { bindings, body } => {
                self.push(Step::Unbind(bindings.len() as u32));
                self.push(Step::Value { node: body, tail });
                for binding in self.tree.bindings(bindings).iter().rev() {
                    if let Some(initial) = binding.initial {
                        self.set_position(self.tree.span(initial).start);
                    }
                    self.push(Step::Bind(binding.name));
                    self.push_value_or(binding.initial, 0.0);
                }
            }
        }
    }

    fn resolve_binary(&mut self, sign: Sign, left: NodeId, right: NodeId, tail: bool) {
        // The operation comes behind its right operand, and so does its line.
        self.set_position(self.tree.span(right).start);
        let operator = self.names.binary_operator(sign).expect("the parser found the operator");
        let op = match operator.meaning {
            BinaryMeaning::Arithmetic(Arithmetic::Power)
                if let Node::Number(exponent @ (0.0 | 1.0 | 2.0 | 3.0)) = self.tree.node(right) =>
            {
                self.push(Step::LiteralPower { base: left, exponent: exponent as u32 });
                self.push_value(left);
                return;
            }
            BinaryMeaning::Arithmetic(arithmetic) => Op::Arithmetic(arithmetic),
            BinaryMeaning::Call(function) => self.operator_call(function, 2, tail),
            BinaryMeaning::And | BinaryMeaning::Or => {
                let (then, otherwise) = match operator.meaning {
                    BinaryMeaning::And => (Choice::Truth(right), Choice::Number(0.0)),
                    _ => (Choice::Number(1.0), Choice::Truth(right)),
                };
                self.push(Step::Branch { then, otherwise, tail: false });
                self.push_value(left);
                return;
            }
            BinaryMeaning::Assign => unreachable!("assignments are resolved elsewhere"),
        };
        self.push(Step::Emit(op));
        self.push_value(right);
        self.push_value(left);
    }

    /// Raises the value of `base` to a literal power by multiplication. No power is exact more
    /// often, and a call of `pow` takes several times as long.
    fn raise(&mut self, base: NodeId, exponent: u32) {
        match exponent {
            0 => {
                self.emit(Op::Drop);
                self.emit(Op::Number(1.0));
            }
            1 => {}
            2 => {
                self.emit(Op::Square);
            }
            _ => {
                // The base of `x^3` is read again if it is a variable of the function. Other bases
                // are evaluated once, into a variable without a name.
                let variable = match self.tree.node(base) {
                    Node::Variable(name) => self.workspace.scope.find(name),
                    _ => None,
                };
                let variable = variable.unwrap_or_else(|| {
                    let hidden = self.workspace.scope.add_hidden();
                    self.emit(Op::Set(hidden));
                    hidden
                });
                self.emit(Op::Square);
                self.emit(Op::Get(variable));
                self.emit(Op::Arithmetic(Arithmetic::Multiply));
            }
        }
    }

    fn push_value_or(&mut self, node: Option<NodeId>, default: f64) {
        self.push(match node {
            Some(node) => Step::Value { node, tail: false },
            None => Step::Emit(Op::Number(default)),
        });
    }

    fn push_choice(&mut self, choice: Choice, tail: bool) {
        match choice {
            Choice::Node(node) => self.push(Step::Value { node, tail }),
            Choice::Number(value) => self.push(Step::Emit(Op::Number(value))),
            Choice::Truth(node) => {
                let (then, otherwise) = (Choice::Number(1.0), Choice::Number(0.0));
                self.push(Step::Branch { then, otherwise, tail: false });
                self.push_value(node);
            }
            Choice::OneAfter(node) => {
                self.push(Step::Emit(Op::Number(1.0)));
                self.push(Step::Emit(Op::Drop));
                self.push_value(node);
            }
        }
    }

    /// A `while`: a loop whose body is empty, and whose condition is 1 behind the body of the
    /// `while`, or 0 if there was none. The IR's loops count in a variable; this one is added 0.
    fn begin_while(&mut self, condition: NodeId, body: NodeId) {
        let variable = self.workspace.scope.add_hidden();
        self.emit(Op::Set(variable));
        self.emit(Op::Drop);
        let header = self.emit(Op::Loop);
        self.emit(Op::Number(0.0));
        self.push(Step::EndWhile { variable, header });
        let (then, otherwise) = (Choice::OneAfter(body), Choice::Number(0.0));
        self.push(Step::Branch { then, otherwise, tail: false });
        self.push_value(condition);
    }

    fn begin_loop(&mut self, parts: &For) {
        let header = self.emit(Op::Loop);
        let variable = self.workspace.scope.find(parts.variable).expect("the variable was just bound");
        self.push(Step::EndLoop { variable, header });
        self.push_value(parts.condition);
        self.push_value_or(parts.step, 1.0);
        self.push(Step::Emit(Op::Drop));
        self.push_value(parts.body);
    }

    /// The variable of this name: of the function, otherwise of the host, otherwise a constant.
    fn variable(&self, name: Symbol) -> Option<Variable> {
        if let Some(local) = self.workspace.scope.find(name) {
            return Some(Variable::Local(local));
        }
        let name = self.tree.symbols.name(name);
        let host = self.names.variable(name).map(Variable::Host);
        host.or_else(|| self.names.constant(name).map(Variable::Constant))
    }

    /// The operation that assigns the left side of `=`.
    fn resolve_target(&mut self, left: NodeId) -> Op {
        let span = self.tree.span(left);
        match self.tree.node(left) {
            Node::Variable(name) => match self.variable(name) {
                Some(Variable::Local(local)) => Op::Set(local),
                Some(Variable::Host(variable)) => Op::SetHost(variable),
                Some(Variable::Constant(_)) => {
                    let text = self.tree.symbols.name(name);
                    let message = format!("`{text}` is a constant");
                    let diagnostic = Diagnostic::error(DiagnosticCode::AssignmentToNoVariable, span, message);
                    let hint = format!("for a variable of this name, write `var {text} = … in …`");
                    self.report(diagnostic.with_hint(hint));
                    Op::Square
                }
                None => {
                    self.unknown_target(name, span);
                    // Takes a value and leaves one, as an assignment does.
                    Op::Square
                }
            },
            _ => {
                let message = "only a variable can be on the left of `=`";
                self.report(Diagnostic::error(DiagnosticCode::AssignmentToNoVariable, span, message));
                Op::Square
            }
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.failed |= diagnostic.is_error();
        if self.has_room(diagnostic.severity) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Whether another diagnostic of this severity is reported. Errors and warnings count
    /// separately, so warnings cannot hide an error.
    fn has_room(&self, severity: Severity) -> bool {
        self.diagnostics.iter().filter(|known| known.severity == severity).count() < MAX_REPORTED
    }
}
