//! Calls: through slots, of C's maths functions by address, or instructions instead.
//!
//! A maths function may be redefined while code runs that calls it. In a unit with an
//! [`Invalidation`] the next call is one of the new function.

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{CallTarget, Invalidation, Unit};

use super::cold::Cold;
use super::moves::move_all;
use super::{Lowering, Operand};
use crate::assembler::{Condition, MacroAssembler, Register, Source, UnaryOperator};

/// How maths functions are called.
pub(crate) struct Maths {
    /// A function's address.
    address_of: fn(MathsFunction) -> usize,
    /// For each operator, whether the processor has an instruction for it.
    has: [bool; UnaryOperator::ALL.len()],
}

impl Maths {
    pub(crate) fn new(address_of: fn(MathsFunction) -> usize, has: [bool; UnaryOperator::ALL.len()]) -> Self {
        Self { address_of, has }
    }

    /// The most results of maths functions, by instructions or known, that the unit's code uses
    /// only after a check whether the function was replaced.
    pub(crate) fn n_checks(&self, unit: &Unit) -> usize {
        if unit.invalidation.is_none() {
            return 0;
        }
        let is_instruction = |callee| match unit.call_target(callee) {
            CallTarget::Maths { function, .. } => self.instruction(function).is_some(),
            CallTarget::Slot { .. } => false,
        };
        let callees = unit.function.facts().callees().filter(|(callee, _)| is_instruction(*callee));
        callees.map(|(_, n_calls)| n_calls).sum::<usize>() + unit.known_maths.len()
    }

    /// The instruction that computes the function: its result is exact by definition.
    pub(super) fn instruction(&self, function: MathsFunction) -> Option<UnaryOperator> {
        let operator = match function {
            MathsFunction::Sqrt => UnaryOperator::Sqrt,
            MathsFunction::Fabs => UnaryOperator::Fabs,
            MathsFunction::Floor => UnaryOperator::Floor,
            MathsFunction::Ceil => UnaryOperator::Ceil,
            MathsFunction::Trunc => UnaryOperator::Trunc,
            MathsFunction::Rint => UnaryOperator::Rint,
            _ => return None,
        };
        self.has[operator as usize].then_some(operator)
    }
}

/// One or two numbers on top of the operand stack.
#[derive(Clone, Copy)]
pub(super) struct Constants {
    n: usize,
    values: [f64; 2],
}

impl Constants {
    pub(super) fn as_slice(&self) -> &[f64] {
        &self.values[..self.n]
    }
}

impl<A: MacroAssembler> Lowering<'_, A> {
    /// A call. A function calls itself through its slot as well, so a redefinition while it runs
    /// holds for its inner activations. A maths function is an instruction where there is one,
    /// otherwise C's. In a unit that can be invalidated, code that is running calls the slot as
    /// soon as the function is replaced.
    pub(super) fn call_target(&mut self, target: CallTarget, n_args: usize) {
        match target {
            CallTarget::Slot { address } => self.call_slot(address, n_args),
            CallTarget::Maths { function, slot } => {
                if let Some(constants) = self.constants(n_args)
                    && let Some(result) = self.unit.known_maths.result(function, constants.as_slice())
                    && self.push_known_result(constants, result, slot)
                {
                    return;
                }
                match (self.maths.instruction(function), self.unit.invalidation) {
                    (Some(operator), Some(Invalidation { flag, .. })) if self.may_be_invalid => {
                        self.unary(operator, Some((flag, slot)));
                    }
                    (Some(operator), _) => self.unary(operator, None),
                    (None, None) => self.call_library(function),
                    (None, Some(_)) => self.call_slot(slot, n_args),
                }
            }
        }
    }

    fn call_slot(&mut self, slot: usize, n_args: usize) {
        self.may_be_invalid = true;
        self.pass_arguments(n_args);
        self.assembler.call_slot(slot);
        self.end_call();
        self.push_register(Register(0));
    }

    /// The values on top of the stack, if all are numbers.
    pub(super) fn constants(&self, n: usize) -> Option<Constants> {
        let first = self.buffers.stack.len().checked_sub(n)?;
        let mut values = [0.0; 2];
        for (value, operand) in values.get_mut(..n)?.iter_mut().zip(&self.buffers.stack[first..]) {
            let Operand::Number(number) = *operand else { return None };
            *value = number;
        }
        Some(Constants { n, values })
    }

    /// Replaces numbers on top of the stack by a number.
    pub(super) fn replace_constants(&mut self, constants: Constants, result: f64) {
        self.buffers.stack.truncate(self.buffers.stack.len() - constants.n);
        self.buffers.stack.push(Operand::Number(result));
    }

    /// Replaces arguments by the result of the call. Where the code may have become invalid, the
    /// result is used only as long as the function was not replaced. Returns `false` if that cannot
    /// be checked.
    fn push_known_result(&mut self, constants: Constants, result: f64, slot: usize) -> bool {
        match (self.unit.invalidation, constants.as_slice()) {
            (Some(Invalidation { flag, .. }), &[argument]) if self.may_be_invalid => {
                self.pop();
                let to = self.allocate();
                self.assembler.test_byte(flag);
                let jump = self.assembler.jump_if(Condition::NotZero);
                self.assembler.number(to, result);
                let back = self.assembler.here();
                self.push_cold(Cold::ReplacedConstant { jump, back, to, argument, slot });
                self.push_register(to);
                true
            }
            (Some(_), _) if self.may_be_invalid => false,
            _ => {
                self.replace_constants(constants, result);
                true
            }
        }
    }

    /// C's function, for as long as the code exists.
    pub(super) fn call_library(&mut self, function: MathsFunction) {
        if let Some(constants) = self.constants(function.arity() as usize)
            && let Some(result) = self.unit.known_maths.result(function, constants.as_slice())
        {
            self.replace_constants(constants, result);
            return;
        }
        self.pass_arguments(function.arity() as usize);
        self.assembler.call((self.maths.address_of)(function));
        self.end_call();
        self.push_register(Register(0));
    }

    /// An instruction. `replaced` has the addresses of the flag that says whether the function was
    /// replaced, and of the slot with what replaced it.
    fn unary(&mut self, operator: UnaryOperator, replaced: Option<(usize, usize)>) {
        let value = self.pop();
        let (from, to) = match value.source {
            Source::Register(from) if !value.is_temporary => (from, self.allocate()),
            Source::Register(_) | Source::Word(_) | Source::Number(_) => {
                let register = self.own_register(value);
                (register, register)
            }
        };
        self.unpin();
        let jump = replaced.map(|(flag, slot)| {
            self.assembler.test_byte(flag);
            (self.assembler.jump_if(Condition::NotZero), slot)
        });
        self.assembler.unary(operator, to, from);
        if let Some((jump, slot)) = jump {
            let back = self.assembler.here();
            self.push_cold(Cold::Replaced { jump, back, to, from, slot });
        }
        self.push_register(to);
    }

    /// Pops arguments into the list.
    pub(super) fn pop_arguments(&mut self, n: usize) {
        self.buffers.arguments.clear();
        for _ in 0..n {
            let argument = self.pop();
            self.buffers.arguments.push(argument);
        }
        self.buffers.arguments.reverse();
    }

    /// Pops arguments to where the C ABI passes them. No register is in use any more.
    fn pass_arguments(&mut self, n: usize) {
        self.pop_arguments(n);
        self.spill_all();
        for (number, argument) in self.buffers.arguments.iter().skip(A::N_REGISTER_PARAMS).enumerate() {
            argument.source.move_to(A::SCRATCH, self.assembler);
            self.assembler.store_argument(number, A::SCRATCH);
        }
        let in_registers = self.buffers.arguments.iter().take(A::N_REGISTER_PARAMS).enumerate();
        let targets = in_registers.map(|(nth, argument)| (Register(nth as u8), argument.source));
        move_all(targets, self.assembler);
        self.unpin();
    }
}
