//! Numbering: the nodes of a function so far, each value computed once.
//!
//! An operation on operands that occurred before is not computed again, as in value numbering. Of a
//! branch that has ended, only the values that join behind it are known.

use super::node::{Branch, Node, Value};
use super::operation::{Exact, Operation, Uniform};
use super::quick_hash::QuickMap;
use crate::{Arithmetic, HostArray, MathsFunction};

/// The nodes so far.
#[derive(Default)]
pub(super) struct Numbering {
    pub(super) uniforms: Uniforms,
    /// The steps of the current branch so far, and those of the branches around it before them.
    pub(super) nodes: Vec<Node>,
    /// The cost of the current branch so far, and how deep forks nest in it.
    pub(super) cost: usize,
    pub(super) depth: usize,
    /// The operations so far, with the last result of each.
    known: QuickMap<Operation<Value>, u32>,
    results: Vec<ResultFacts>,
}

/// What is known of a result.
#[derive(Clone, Copy)]
struct ResultFacts {
    /// Whether it exists at the current position, and not only in a branch that has ended.
    is_known: bool,
    /// Whether it is 0 or 1 in all rows.
    is_boolean: bool,
    /// If it is the result of a comparison: what is compared.
    compared: Option<(Value, Value)>,
}

/// A position in the list of nodes, and in that of results.
#[derive(Clone, Copy)]
pub(super) struct Position {
    pub(super) node: usize,
    result: usize,
}

/// The uniforms so far, each once.
#[derive(Default)]
pub(super) struct Uniforms {
    pub(super) all: Vec<Uniform>,
    numbers: QuickMap<Uniform, u32>,
}

impl Uniforms {
    pub(super) fn value(&mut self, uniform: Uniform) -> Value {
        let next = self.all.len() as u32;
        let number = *self.numbers.entry(uniform).or_insert(next);
        if number == next {
            self.all.push(uniform);
        }
        Value::Uniform(number)
    }

    /// Whether the value is 0 or 1 in all rows.
    pub(super) fn is_boolean(&self, number: u32) -> bool {
        [0.0, 1.0].iter().any(|value| self.is_number(number, *value))
    }

    fn is_number(&self, number: u32, value: f64) -> bool {
        self.all[number as usize] == Uniform::Number(value.to_bits())
    }
}

impl Numbering {
    pub(super) fn position(&self) -> Position {
        Position { node: self.nodes.len(), result: self.results.len() }
    }

    /// The results from a position on are not known any more.
    pub(super) fn forget(&mut self, start: Position) {
        for result in &mut self.results[start.result..] {
            result.is_known = false;
        }
    }

    /// Notes that the results of the nodes from an index on are known, but not those inside leaves.
    pub(super) fn note_known(&mut self, start: usize) {
        for node in &self.nodes[start..] {
            let results = match node {
                Node::Operation { result, .. } => std::slice::from_ref(result),
                Node::Fork(fork) => &fork.results,
            };
            for &result in results {
                self.results[result as usize].is_known = true;
            }
        }
    }

    fn new_result(&mut self, facts: ResultFacts) -> u32 {
        self.results.push(facts);
        self.results.len() as u32 - 1
    }

    /// A result that is known from here on.
    pub(super) fn joined_result(&mut self, is_boolean: bool) -> u32 {
        self.new_result(ResultFacts { is_known: true, is_boolean, compared: None })
    }

    /// The value of an operation, which is computed now unless it is known.
    pub(super) fn value(&mut self, operation: Operation<Value>) -> Value {
        if operation.operands().all(|operand| matches!(operand, Value::Uniform(_))) {
            return self.uniforms.value(Uniform::Operation(operation.map(uniform_number)));
        }
        self.rows_value(operation)
    }

    /// As [`value`](Self::value), with a value for each row even if all are the same.
    fn rows_value(&mut self, operation: Operation<Value>) -> Value {
        if let Some(&result) = self.known.get(&operation)
            && self.results[result as usize].is_known
        {
            return Value::Result(result);
        }
        let facts = match operation {
            Operation::Arithmetic(Arithmetic::Less, left, right) => {
                ResultFacts { is_known: true, is_boolean: true, compared: Some((left, right)) }
            }
            Operation::Select { then, otherwise, .. } | Operation::SelectLess { then, otherwise, .. } => {
                let is_boolean = self.is_boolean(then) && self.is_boolean(otherwise);
                ResultFacts { is_known: true, is_boolean, compared: None }
            }
            Operation::Copy(_)
            | Operation::Exact(..)
            | Operation::Arithmetic(..)
            | Operation::Maths1(..)
            | Operation::Maths2(..)
            | Operation::Gather(..) => ResultFacts { is_known: true, is_boolean: false, compared: None },
        };
        let result = self.new_result(facts);
        self.known.insert(operation, result);
        self.cost += operation.cost();
        self.nodes.push(Node::Operation { operation, result });
        Value::Result(result)
    }

    /// The value of a call of a maths function.
    pub(super) fn maths(&mut self, function: MathsFunction, args: &[Value]) -> Value {
        if let (Some(exact), &[x]) = (Exact::of_maths(function), args) {
            return self.value(Operation::Exact(exact, x));
        }
        let is_uniform = args.iter().all(|arg| matches!(arg, Value::Uniform(_)));
        // C functions are called in a loop over rows, so each argument needs a value for each row.
        let mut arg = |nth: usize| match args[nth] {
            Value::Uniform(_) if !is_uniform => self.rows_value(Operation::Copy(args[nth])),
            arg => arg,
        };
        let operation = match args.len() {
            1 => Operation::Maths1(function, arg(0)),
            _ => Operation::Maths2(function, arg(0), arg(1)),
        };
        self.value(operation)
    }

    /// The elements of an array, in a loop over rows.
    pub(super) fn gather(&mut self, array: HostArray, index: Value) -> Value {
        let index = match index {
            Value::Uniform(_) => self.rows_value(Operation::Copy(index)),
            Value::Param(_) | Value::Result(_) => index,
        };
        self.rows_value(Operation::Gather(array, index))
    }

    pub(super) fn is_boolean(&self, value: Value) -> bool {
        match value {
            Value::Param(_) => false,
            Value::Uniform(number) => self.uniforms.is_boolean(number),
            Value::Result(result) => self.results[result as usize].is_boolean,
        }
    }

    /// Whether the value is this number in all rows.
    fn is_number(&self, value: Value, number: f64) -> bool {
        matches!(value, Value::Uniform(uniform) if self.uniforms.is_number(uniform, number))
    }

    /// The value of an `if` that chooses between values that exist.
    pub(super) fn select(&mut self, condition: Value, then: Value, otherwise: Value) -> Value {
        if then == otherwise {
            return then;
        }
        // What the language's comparisons and logical operators consist of.
        if self.is_boolean(condition) && self.is_number(then, 1.0) && self.is_number(otherwise, 0.0) {
            return condition;
        }
        let compared = match condition {
            Value::Result(result) => self.results[result as usize].compared,
            Value::Param(_) | Value::Uniform(_) => None,
        };
        self.value(match compared {
            Some((left, right)) => Operation::SelectLess { left, right, then, otherwise },
            None => Operation::Select { condition, then, otherwise },
        })
    }

    pub(super) fn select_each(
        &mut self,
        condition: Value,
        then: &[Value],
        otherwise: &[Value],
    ) -> Vec<Value> {
        let pairs = then.iter().zip(otherwise);
        pairs.map(|(&then, &otherwise)| self.select(condition, then, otherwise)).collect()
    }

    pub(super) fn number_value(&mut self, number: usize) -> Value {
        self.uniforms.value(Uniform::Number((number as f64).to_bits()))
    }

    /// Appends the steps of a branch, to be run for all rows. Returns the branch's values.
    pub(super) fn append(&mut self, branch: Branch) -> Vec<Value> {
        let start = self.nodes.len();
        self.nodes.extend(branch.nodes);
        self.note_known(start);
        self.cost += branch.cost;
        self.depth = self.depth.max(branch.depth);
        branch.values
    }
}

fn uniform_number(value: Value) -> u32 {
    match value {
        Value::Uniform(number) => number,
        Value::Param(_) | Value::Result(_) => unreachable!("all operands are uniforms"),
    }
}
