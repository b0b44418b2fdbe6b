//! Branches: blocks of `if`s and loops, and phis where they join.

use super::counted_loop::LoopCounter;
use super::{Join, Local, Lowering, OpIdx, Operand, Region, built};
use inkwell::basic_block::BasicBlock;
use inkwell::values::{FloatValue, IntValue, PhiValue};

/// What lowering remembers of an open `if`.
pub(super) enum OpenIf<'cx> {
    /// An `if` with blocks.
    Branch {
        otherwise: BasicBlock<'cx>,
        /// The values of the assigned variables before the `if`.
        before: Vec<FloatValue<'cx>>,
        /// The end of the first branch, once it has ended and if it is reachable.
        first: Option<BranchEnd<'cx>>,
    },
    /// An `if` without blocks.
    Select {
        condition: IntValue<'cx>,
        /// The value of the first branch, once it has ended.
        first: Option<Operand<'cx>>,
    },
}

/// The end of a branch.
pub(super) struct BranchEnd<'cx> {
    block: BasicBlock<'cx>,
    value: FloatValue<'cx>,
    /// The values of the assigned variables.
    variables: Vec<FloatValue<'cx>>,
}

/// What lowering remembers of an open loop.
pub(super) struct OpenLoop<'cx> {
    header: BasicBlock<'cx>,
    /// One for each variable that the loop assigns.
    phis: Vec<PhiValue<'cx>>,
    /// The counter of a counted loop.
    counter: Option<LoopCounter<'cx>>,
}

impl<'cx, 'a> Lowering<'cx, 'a> {
    /// Begins an `if` with blocks.
    pub(super) fn branch(&mut self, condition: IntValue<'cx>, region: Region<'a>) -> OpenIf<'cx> {
        let (then, otherwise) = (self.append("then"), self.append("else"));
        built(self.builder.build_conditional_branch(condition, then, otherwise));
        self.enter(then);
        OpenIf::Branch { otherwise, before: self.values_of(region), first: None }
    }

    pub(super) fn end_branch(&mut self, region: Region<'a>) -> BranchEnd<'cx> {
        let value = self.pop_number();
        BranchEnd { block: self.block, value, variables: self.values_of(region) }
    }

    /// Ends an `if` whose first branch reaches the end.
    pub(super) fn join(&mut self, first: BranchEnd<'cx>, region: Region<'a>, join: Join) {
        if join == Join::First {
            self.enter(first.block);
            self.assign(region, &first.variables);
            self.stack.push(Operand::Number(first.value));
            return;
        }
        let value = self.pop_number();
        let second = self.block;
        let join = self.append("join");
        self.jump(join);
        self.enter(first.block);
        self.jump(join);
        self.enter(join);
        for (variable, first_value) in region.assigned.iter().zip(first.variables) {
            let second_value = self.frame.variables[variable.index()];
            if first_value != second_value {
                let name = self.frame.name_of(*variable);
                self.frame.variables[variable.index()] =
                    self.joined((first_value, first.block), (second_value, second), name);
            }
        }
        let value = self.joined((first.value, first.block), (value, second), "");
        self.stack.push(Operand::Number(value));
    }

    /// Ends an `if` without blocks. The value of the second branch is on the stack.
    pub(super) fn select(&mut self, condition: IntValue<'cx>, first: Operand<'cx>) {
        let second = self.pop();
        let selected = match (self.as_truth(first), self.as_truth(second)) {
            (Some(first), Some(second)) => {
                let selected = built(self.builder.build_select(condition, first, second, ""));
                Operand::Truth(selected.into_int_value())
            }
            _ => {
                let (first, second) = (self.as_number(first), self.as_number(second));
                let selected = built(self.builder.build_select(condition, first, second, ""));
                Operand::Number(selected.into_float_value())
            }
        };
        self.stack.push(selected);
    }

    /// The operand as a truth value, if it is known to be 1 or 0.
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

    pub(super) fn lower_loop_header(&mut self, region: Region<'a>) -> OpenLoop<'cx> {
        let n_iterations = if self.unit.inlining.is_some() { self.n_iterations(region) } else { None };
        let from = self.block;
        let header = self.append("loop");
        self.jump(header);
        self.enter(header);
        let counter = n_iterations.map(|n_iterations| self.count_down(n_iterations, from));
        let phis = region.assigned.iter().map(|&variable| self.phi_of(variable, from)).collect();
        OpenLoop { header, phis, counter }
    }

    pub(super) fn lower_back_edge(&mut self, open: &OpenLoop<'cx>, region: Region<'a>, variable: Local) {
        let condition = self.pop_truth();
        let step = self.pop_number();
        let name = self.frame.name_of(variable);
        let next = built(self.builder.build_float_add(self.frame.variables[variable.index()], step, name));
        self.frame.variables[variable.index()] = next;
        let left = open.counter.map(|counter| self.count_iteration(counter));
        let condition = left.map_or(condition, |left| self.is_more(left));
        let after = self.append("after");
        if self.exits.is_some() {
            let again = self.append("again");
            built(self.builder.build_conditional_branch(condition, again, after));
            self.enter(again);
            self.check_before(open.header, |lowering| {
                if let Some((counter, left)) = open.counter.zip(left) {
                    lowering.frame.variables[variable.index()] = lowering.counted_variable(counter, left);
                }
                lowering.leave(OpIdx::new(region.header.index() as u32 + 1));
                lowering.frame.variables[variable.index()] = next;
            });
        } else {
            built(self.builder.build_conditional_branch(condition, open.header, after));
        }
        for (phi, value) in open.phis.iter().zip(self.values_of(region)) {
            phi.add_incoming(&[(&value, self.block)]);
        }
        if let Some((counter, left)) = open.counter.zip(left) {
            counter.left.add_incoming(&[(&left, self.block)]);
        }
        self.enter(after);
    }

    /// Makes a phi for the variable, with its value at the end of `from`. The phi is the new value.
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
}
