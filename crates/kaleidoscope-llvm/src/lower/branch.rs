//! Branches: blocks of `if`s and loops, and phis where they join.
//!
//! A back edge of a loop checks the validity flag if the code has exits. In a counted loop whose
//! iterations are short, an outer loop over *strips* of iterations checks instead. The inner loop
//! is the same as without checks: no iteration executes one more instruction.
//! `loop_cost.rs` decides which.

use super::counted_loop::{LoopCounter, NumberOfIterations, is_read};
use super::loop_cost::LoopCheck;
use super::{Join, Local, Lowering, OpIdx, Operand, Region, built};
use inkwell::IntPredicate;
use inkwell::basic_block::BasicBlock;
use inkwell::values::{FloatValue, IntValue, PhiValue};

/// What lowering remembers of an open `if`.
pub(super) enum OpenIf<'cx> {
    /// An `if` with blocks.
    Branch {
        otherwise: BasicBlock<'cx>,
        before: BeforeIf<'cx>,
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

/// What lowering knew before the branches of an `if`.
pub(super) struct BeforeIf<'cx> {
    /// The values of the assigned variables.
    pub(super) variables: Vec<FloatValue<'cx>>,
    pub(super) is_checked: bool,
}

/// The end of a branch.
pub(super) struct BranchEnd<'cx> {
    block: BasicBlock<'cx>,
    value: FloatValue<'cx>,
    /// The values of the assigned variables.
    variables: Vec<FloatValue<'cx>>,
    is_checked: bool,
}

/// What lowering remembers of an open loop.
pub(super) struct OpenLoop<'cx> {
    header: BasicBlock<'cx>,
    /// One for each variable that the loop assigns.
    phis: Vec<PhiValue<'cx>>,
    /// The counter of a counted loop.
    counter: Option<LoopCounter<'cx>>,
    /// The variable of a counted loop as an integer, if it may be an index.
    index: Option<PhiValue<'cx>>,
    check: LoopCheck,
    /// The loop around it that checks.
    strips: Option<Strips<'cx>>,
    /// Whether each path to the loop passes a check.
    is_checked_before: bool,
}

/// A loop over the strips of a counted loop.
struct Strips<'cx> {
    first: BasicBlock<'cx>,
    /// The iterations that are left, those of this strip included.
    left: PhiValue<'cx>,
    length: IntValue<'cx>,
    /// One for each variable that the loop assigns, except for a loop's own variable that no
    /// iteration reads.
    phis: Vec<Option<PhiValue<'cx>>>,
}

impl<'cx, 'a> Lowering<'cx, 'a> {
    /// Begins an `if` with blocks.
    pub(super) fn branch(&mut self, condition: IntValue<'cx>, region: Region<'a>) -> OpenIf<'cx> {
        let (then, otherwise) = (self.append("then"), self.append("else"));
        built(self.builder.build_conditional_branch(condition, then, otherwise));
        self.enter(then);
        let variables = self.values_of(region);
        let before = BeforeIf { variables, is_checked: self.is_checked };
        OpenIf::Branch { otherwise, before, first: None }
    }

    pub(super) fn end_branch(&mut self, region: Region<'a>) -> BranchEnd<'cx> {
        let value = self.pop_number();
        let variables = self.values_of(region);
        BranchEnd { block: self.block, value, variables, is_checked: self.is_checked }
    }

    /// Ends an `if` whose first branch reaches the end.
    pub(super) fn join(&mut self, first: BranchEnd<'cx>, region: Region<'a>, join: Join) {
        if join == Join::First {
            self.is_checked = first.is_checked;
            self.enter(first.block);
            self.assign(region, &first.variables);
            self.stack.push(Operand::Number(first.value));
            return;
        }
        self.is_checked &= first.is_checked;
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
        self.note_all_assigned(region.assigned.iter().copied());
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
        let is_checked_before = std::mem::replace(&mut self.is_checked, false);
        let n_iterations = if self.unit.inlining.is_some() { self.n_iterations(region) } else { None };
        let check = self.check_of(region, n_iterations.is_some());
        let strips = match (check, n_iterations) {
            (LoopCheck::Strips(length), Some(n_iterations)) => {
                Some(self.begin_strip(region, n_iterations, length))
            }
            _ => None,
        };
        let in_strip = strips.as_ref().map(|strips| self.iterations_of_strip(strips));
        let first_index = n_iterations.filter(|_| !self.unit.host_arrays.is_empty()).map(|n_iterations| {
            let left = strips.as_ref().map(|strips| strips.left.as_basic_value().into_int_value());
            self.first_index(n_iterations, left)
        });
        let from = self.block;
        let header = self.append("loop");
        self.jump(header);
        self.enter(header);
        let counter = n_iterations.map(|n_iterations| self.count_down(n_iterations, in_strip, from));
        let phis = region.assigned.iter().map(|&variable| self.phi_of(variable, from)).collect();
        let index = first_index.map(|first| self.phi_of_index(region, first, from));
        self.note_all_assigned(region.assigned.iter().copied());
        OpenLoop { header, phis, counter, index, check, strips, is_checked_before }
    }

    /// When the loop checks, if the code has exits.
    fn check_of(&self, region: Region<'a>, is_counted: bool) -> LoopCheck {
        if self.exits.is_none() {
            return LoopCheck::Never;
        }
        if !is_counted {
            return LoopCheck::EachIteration;
        }
        let instance = self.frame.instance;
        let counted = &self.counted_loops[instance];
        let most_iterations = counted.most_iterations(self.frame.function, region.header);
        self.costs[instance].check_of(region.number, most_iterations)
    }

    /// Begins the loop over the strips of a counted loop.
    fn begin_strip(
        &mut self,
        region: Region<'a>,
        n_iterations: NumberOfIterations<'cx>,
        length: u64,
    ) -> Strips<'cx> {
        let from = self.block;
        let first = self.append("strip");
        self.jump(first);
        self.enter(first);
        let whole = self.cx.i64_type();
        let left = built(self.builder.build_phi(whole, "strips.left"));
        left.add_incoming(&[(&n_iterations.n_iterations, from)]);
        let own = self.unread_variable(region);
        let assigned = region.assigned.iter();
        let phis = assigned.map(|&variable| (own != Some(variable)).then(|| self.phi_of(variable, from)));
        let phis = phis.collect();
        if let Some(own) = own {
            let left = left.as_basic_value().into_int_value();
            self.frame.variables[own.index()] = self.counted_variable(n_iterations, left);
        }
        Strips { first, left, length: whole.const_int(length, false), phis }
    }

    /// The loop's variable if no iteration reads it. An integer counts, so the variable has no
    /// register. Where an exit needs its value, the value is computed.
    fn unread_variable(&self, region: Region<'a>) -> Option<Local> {
        let facts = self.frame.function.facts().loop_at(region.header)?;
        (!is_read(self.frame.function, facts)).then_some(facts.variable)
    }

    /// The number of iterations of the strip.
    fn iterations_of_strip(&self, strips: &Strips<'cx>) -> IntValue<'cx> {
        let left = strips.left.as_basic_value().into_int_value();
        let is_long = self.has_another_strip(strips);
        built(self.builder.build_select(is_long, strips.length, left, "strip")).into_int_value()
    }

    fn has_another_strip(&self, strips: &Strips<'cx>) -> IntValue<'cx> {
        let left = strips.left.as_basic_value().into_int_value();
        built(self.builder.build_int_compare(IntPredicate::UGT, left, strips.length, ""))
    }

    pub(super) fn lower_back_edge(&mut self, open: &OpenLoop<'cx>, region: Region<'a>, variable: Local) {
        let condition = self.pop_truth();
        let step = self.pop_number();
        let name = self.frame.name_of(variable);
        let next = built(self.builder.build_float_add(self.frame.variables[variable.index()], step, name));
        self.frame.variables[variable.index()] = next;
        self.note_assigned(variable);
        let left = open.counter.map(|counter| self.count_iteration(counter));
        let next_index = open.index.map(|index| self.next_index(index));
        let condition = left.map_or(condition, |left| self.is_more(left));
        let after = self.append("after");
        let is_checked = self.is_checked;
        if let Some(strips) = &open.strips {
            let end = self.append("strip.end");
            built(self.builder.build_conditional_branch(condition, open.header, end));
            self.end_iteration(open, left, next_index, region);
            self.enter(end);
            self.end_strip(strips, open, region, after);
        } else if open.check == LoopCheck::EachIteration && !is_checked {
            let again = self.append("again");
            built(self.builder.build_conditional_branch(condition, again, after));
            self.enter(again);
            self.check_iteration(open.header, open, left, region);
            self.end_iteration(open, left, next_index, region);
        } else {
            built(self.builder.build_conditional_branch(condition, open.header, after));
            self.end_iteration(open, left, next_index, region);
        }
        self.is_checked = is_checked || open.is_checked_before;
        self.enter(after);
    }

    /// Completes the loop's phis for the next iteration.
    fn end_iteration(
        &self,
        open: &OpenLoop<'cx>,
        left: Option<IntValue<'cx>>,
        next_index: Option<IntValue<'cx>>,
        region: Region<'a>,
    ) {
        for (phi, value) in open.phis.iter().zip(self.values_of(region)) {
            phi.add_incoming(&[(&value, self.block)]);
        }
        if let Some((counter, left)) = open.counter.zip(left) {
            counter.left.add_incoming(&[(&left, self.block)]);
        }
        if let Some(index) = open.index {
            let next = next_index.expect("it was computed in this iteration");
            index.add_incoming(&[(&next, self.block)]);
        }
    }

    /// Ends a strip: checks and continues with the next one, if there is one.
    fn end_strip(
        &mut self,
        strips: &Strips<'cx>,
        open: &OpenLoop<'cx>,
        region: Region<'a>,
        after: BasicBlock<'cx>,
    ) {
        let again = self.append("again");
        let is_more = self.has_another_strip(strips);
        built(self.builder.build_conditional_branch(is_more, again, after));
        self.enter(again);
        let left = strips.left.as_basic_value().into_int_value();
        let left = built(self.builder.build_int_sub(left, strips.length, ""));
        self.check_iteration(strips.first, open, Some(left), region);
        for (phi, value) in strips.phis.iter().zip(self.values_of(region)) {
            if let Some(phi) = phi {
                phi.add_incoming(&[(&value, self.block)]);
            }
        }
        strips.left.add_incoming(&[(&left, self.block)]);
    }

    /// Checks before the next iteration, which begins in `valid`.
    fn check_iteration(
        &mut self,
        valid: BasicBlock<'cx>,
        open: &OpenLoop<'cx>,
        left: Option<IntValue<'cx>>,
        region: Region<'a>,
    ) {
        let computed = open.counter.zip(left).zip(self.unread_variable(region));
        self.check_before(valid, |lowering| {
            let Some(((counter, left), variable)) = computed else { return lowering.leave(body(region)) };
            let value = lowering.counted_variable(counter.n_iterations, left);
            let next = std::mem::replace(&mut lowering.frame.variables[variable.index()], value);
            lowering.leave(body(region));
            lowering.frame.variables[variable.index()] = next;
        });
    }

    /// Makes a phi for the variable, with its value at the end of `from`. The phi is the new value.
    pub(super) fn phi_of(&mut self, variable: Local, from: BasicBlock<'cx>) -> PhiValue<'cx> {
        let phi = built(self.builder.build_phi(self.cx.f64_type(), self.frame.name_of(variable)));
        phi.add_incoming(&[(&self.frame.variables[variable.index()], from)]);
        self.frame.variables[variable.index()] = phi.as_basic_value().into_float_value();
        phi
    }

    pub(super) fn joined(
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

/// The position at which an iteration of the loop begins.
fn body(region: Region<'_>) -> OpIdx {
    OpIdx::new(region.header.index() as u32 + 1)
}
