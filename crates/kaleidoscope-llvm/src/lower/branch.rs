//! `if` and `for`: blocks, and phis where they join.

use super::{Local, Lowering, Operand, built};
use inkwell::basic_block::BasicBlock;
use inkwell::values::{FloatValue, PhiValue};

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
    Loop {
        bracket: usize,
        header: BasicBlock<'cx>,
        /// One for each variable that the loop assigns.
        phis: Vec<PhiValue<'cx>>,
    },
}

impl<'cx> Lowering<'cx, '_> {
    pub(super) fn open_if(&mut self) {
        let condition = self.pop_truth();
        let (then, otherwise) = (self.append("then"), self.append("else"));
        built(self.builder.build_conditional_branch(condition, then, otherwise));
        self.enter(then);
        let bracket = self.next_bracket();
        let before = self.values_of(bracket);
        self.frame.open.push(Open::If { bracket, otherwise, before, first: None });
    }

    pub(super) fn turn_to_else(&mut self) {
        let Some(Open::If { bracket, otherwise, before, .. }) = self.frame.open.pop() else { unmatched() };
        let first = self.block.map(|block| {
            let value = self.pop_number();
            Branch { block, value, variables: self.values_of(bracket) }
        });
        self.assign(bracket, &before);
        self.enter(otherwise);
        self.frame.open.push(Open::If { bracket, otherwise, before, first });
    }

    pub(super) fn close_if(&mut self) {
        let Some(Open::If { bracket, first, .. }) = self.frame.open.pop() else { unmatched() };
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

    pub(super) fn open_loop(&mut self) {
        let from = self.current();
        let header = self.append("loop");
        self.jump(header);
        self.enter(header);
        let bracket = self.next_bracket();
        let n_assigned = self.frame.shape.assigned[bracket].len();
        let phis =
            (0..n_assigned).map(|nth| self.phi_of(self.frame.shape.assigned[bracket][nth], from)).collect();
        self.frame.open.push(Open::Loop { bracket, header, phis });
    }

    pub(super) fn close_loop(&mut self, variable: Local) {
        let condition = self.pop_truth();
        let step = self.pop_number();
        let Some(Open::Loop { bracket, header, phis }) = self.frame.open.pop() else { unmatched() };
        let name = self.frame.name_of(variable);
        let next = built(self.builder.build_float_add(self.frame.variables[variable.index()], step, name));
        self.frame.variables[variable.index()] = next;
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
