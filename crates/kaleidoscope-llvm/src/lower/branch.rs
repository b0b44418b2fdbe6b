//! `if` and `for`: blocks, and phis where they join.

use super::{Local, Lowering, Operand, built};
use inkwell::basic_block::BasicBlock;
use inkwell::values::{FloatValue, IntValue, PhiValue};

/// The end of a branch that can be reached.
pub(super) struct Branch<'cx> {
    block: BasicBlock<'cx>,
    value: FloatValue<'cx>,
    /// What the variables that the `if` assigns hold here.
    variables: Vec<FloatValue<'cx>>,
}

/// A bracket whose end has not been reached.
pub(super) enum Open<'cx> {
    If {
        bracket: usize,
        otherwise: BasicBlock<'cx>,
        /// What the variables that the `if` assigns held before.
        before: Vec<FloatValue<'cx>>,
        /// The first branch, once it has ended and unless it ends in a tail call.
        first: Option<Branch<'cx>>,
    },
    /// An `if` without blocks.
    Choice {
        condition: IntValue<'cx>,
        /// The value of the first branch, once it has ended.
        first: Option<Operand<'cx>>,
    },
    Loop {
        bracket: usize,
        header: BasicBlock<'cx>,
        /// One for each variable that the loop assigns.
        phis: Vec<PhiValue<'cx>>,
        /// The turns that are left, if the loop counts.
        left: Option<PhiValue<'cx>>,
    },
}

impl<'cx> Lowering<'cx, '_> {
    pub(super) fn open_if(&mut self) {
        let condition = self.pop_truth();
        let bracket = self.next_bracket();
        if self.choices[self.frame.instance].is_choice[bracket] {
            self.frame.open.push(Open::Choice { condition, first: None });
            return;
        }
        let (then, otherwise) = (self.append("then"), self.append("else"));
        built(self.builder.build_conditional_branch(condition, then, otherwise));
        self.enter(then);
        let before = self.values_of(bracket);
        self.frame.open.push(Open::If { bracket, otherwise, before, first: None });
    }

    pub(super) fn turn_to_else(&mut self) {
        let (bracket, otherwise, before) = match self.frame.open.pop() {
            Some(Open::If { bracket, otherwise, before, .. }) => (bracket, otherwise, before),
            Some(Open::Choice { condition, .. }) => {
                let first = Some(self.pop());
                return self.frame.open.push(Open::Choice { condition, first });
            }
            _ => unmatched(),
        };
        let first = self.block.map(|block| {
            let value = self.pop_number();
            Branch { block, value, variables: self.values_of(bracket) }
        });
        self.assign(bracket, &before);
        self.enter(otherwise);
        self.frame.open.push(Open::If { bracket, otherwise, before, first });
    }

    pub(super) fn close_if(&mut self) {
        let (bracket, first) = match self.frame.open.pop() {
            Some(Open::If { bracket, first, .. }) => (bracket, first),
            Some(Open::Choice { condition, first: Some(first) }) => return self.choose(condition, first),
            _ => unmatched(),
        };
        // Where the first branch ended in a tail call, the second one simply goes on.
        let Some(first) = first else { return };
        let Some(second) = self.block else {
            self.enter(first.block);
            self.assign(bracket, &first.variables);
            self.stack.push(Operand::Number(first.value));
            return;
        };
        let value = self.pop_number();
        let join = self.append("join");
        self.jump(join);
        self.enter(first.block);
        self.jump(join);
        self.enter(join);
        for (nth, kept) in first.variables.iter().enumerate() {
            let variable = self.frame.shape.assigned[bracket][nth];
            let held = self.frame.variables[variable.index()];
            if *kept != held {
                let name = self.frame.name_of(variable);
                self.frame.variables[variable.index()] =
                    self.joined((*kept, first.block), (held, second), name);
            }
        }
        let value = self.joined((first.value, first.block), (value, second), "");
        self.stack.push(Operand::Number(value));
    }

    /// Ends an `if` that only chooses: the value of the second branch is on the stack.
    fn choose(&mut self, condition: IntValue<'cx>, first: Operand<'cx>) {
        let second = self.pop();
        let chosen = match (self.as_truth(first), self.as_truth(second)) {
            (Some(first), Some(second)) => {
                let chosen = built(self.builder.build_select(condition, first, second, ""));
                Operand::Truth(chosen.into_int_value())
            }
            _ => {
                let (first, second) = (self.number(first), self.number(second));
                let chosen = built(self.builder.build_select(condition, first, second, ""));
                Operand::Number(chosen.into_float_value())
            }
        };
        self.stack.push(chosen);
    }

    /// The truth value that stands for the operand, if that is 1 or 0 for certain.
    fn as_truth(&self, operand: Operand<'cx>) -> Option<IntValue<'cx>> {
        match operand {
            Operand::Truth(truth) => Some(truth),
            Operand::Number(number) => {
                let (number, _) = number.get_constant()?;
                let is_one = number == 1.0;
                let is_plain = is_one || number.to_bits() == 0;
                is_plain.then(|| self.cx.bool_type().const_int(u64::from(is_one), false))
            }
        }
    }

    pub(super) fn open_loop(&mut self) {
        let turns = if self.unit.inlining.is_some() { self.turns() } else { None };
        let from = self.current();
        let header = self.append("loop");
        self.jump(header);
        self.enter(header);
        let left = turns.map(|turns| self.count_down(turns, from));
        let bracket = self.next_bracket();
        let n_assigned = self.frame.shape.assigned[bracket].len();
        let phis =
            (0..n_assigned).map(|nth| self.phi_of(self.frame.shape.assigned[bracket][nth], from)).collect();
        self.frame.open.push(Open::Loop { bracket, header, phis, left });
    }

    pub(super) fn close_loop(&mut self, variable: Local) {
        let condition = self.pop_truth();
        let step = self.pop_number();
        let Some(Open::Loop { bracket, header, phis, left }) = self.frame.open.pop() else { unmatched() };
        let name = self.frame.name_of(variable);
        let next = built(self.builder.build_float_add(self.frame.variables[variable.index()], step, name));
        self.frame.variables[variable.index()] = next;
        let condition = left.map_or(condition, |left| self.counted(left));
        let from = self.current();
        for (phi, value) in phis.iter().zip(self.values_of(bracket)) {
            phi.add_incoming(&[(&value, from)]);
        }
        let after = self.append("after");
        built(self.builder.build_conditional_branch(condition, header, after));
        self.enter(after);
    }

    /// Makes a phi for the variable, with its value at the end of `from`, and lets the variable hold it.
    pub(super) fn phi_of(&mut self, variable: Local, from: BasicBlock<'cx>) -> PhiValue<'cx> {
        let phi = built(self.builder.build_phi(self.cx.f64_type(), self.frame.name_of(variable)));
        phi.add_incoming(&[(&self.frame.variables[variable.index()], from)]);
        self.frame.variables[variable.index()] = phi.as_basic_value().into_float_value();
        phi
    }

    fn joined(
        &self,
        first: (FloatValue<'cx>, BasicBlock<'cx>),
        second: (FloatValue<'cx>, BasicBlock<'cx>),
        name: &str,
    ) -> FloatValue<'cx> {
        let phi = built(self.builder.build_phi(self.cx.f64_type(), name));
        phi.add_incoming(&[(&first.0, first.1), (&second.0, second.1)]);
        phi.as_basic_value().into_float_value()
    }

    fn next_bracket(&mut self) -> usize {
        self.frame.n_brackets += 1;
        self.frame.n_brackets - 1
    }

    /// What the variables that the bracket assigns hold now.
    fn values_of(&self, bracket: usize) -> Vec<FloatValue<'cx>> {
        let assigned = self.frame.shape.assigned[bracket].iter();
        assigned.map(|variable| self.frame.variables[variable.index()]).collect()
    }

    fn assign(&mut self, bracket: usize, values: &[FloatValue<'cx>]) {
        for (variable, value) in self.frame.shape.assigned[bracket].iter().zip(values) {
            self.frame.variables[variable.index()] = *value;
        }
    }
}

#[cold]
fn unmatched() -> ! {
    unreachable!("the resolver matches brackets")
}
