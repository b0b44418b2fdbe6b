//! Calls: through slots, of C's maths functions by address, or instructions instead.
//!
//! A maths function may be redefined while code runs that calls it. In a unit with an
//! [`Invalidation`] the next call is one of the new function.

#[cfg(test)]
mod tests;

use cranelift_codegen::ir::{
    AbiParam, InstBuilder, MemFlagsData, Opcode, SigRef, Signature, Type, Value, types,
};
use cranelift_codegen::isa::CallConv;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{CallTarget, Invalidation, Unit};

use super::{Lowering, arguments};

/// How maths functions are called.
pub(crate) struct Maths {
    /// A function's address.
    address_of: fn(MathsFunction) -> usize,
    /// Whether rounding to a whole number is an instruction.
    has_roundings: bool,
}

impl Maths {
    pub(crate) fn new(address_of: fn(MathsFunction) -> usize, has_roundings: bool) -> Self {
        Self { address_of, has_roundings }
    }

    /// The number of the unit's maths instructions that check whether the function was replaced.
    pub(crate) fn n_checks(&self, unit: &Unit) -> usize {
        if unit.invalidation.is_none() {
            return 0;
        }
        let is_instruction = |callee| match unit.call_target(callee) {
            CallTarget::Maths { function, .. } => self.instruction(function).is_some(),
            CallTarget::Slot { .. } => false,
        };
        let callees = unit.function.facts().callees().filter(|(callee, _)| is_instruction(*callee));
        callees.map(|(_, n_calls)| n_calls).sum()
    }

    /// The instruction that computes the function: its result is exact by definition.
    fn instruction(&self, function: MathsFunction) -> Option<Opcode> {
        match function {
            MathsFunction::Sqrt => Some(Opcode::Sqrt),
            MathsFunction::Fabs => Some(Opcode::Fabs),
            MathsFunction::Floor if self.has_roundings => Some(Opcode::Floor),
            MathsFunction::Ceil if self.has_roundings => Some(Opcode::Ceil),
            MathsFunction::Trunc if self.has_roundings => Some(Opcode::Trunc),
            MathsFunction::Rint if self.has_roundings => Some(Opcode::Nearest),
            _ => None,
        }
    }
}

/// The signatures imported so far, by their number of parameters.
#[derive(Default)]
pub(super) struct Signatures(Vec<(usize, SigRef)>);

/// The C ABI of doubles.
pub(super) fn signature(n_params: usize) -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params = vec![AbiParam::new(types::F64); n_params];
    signature.returns = vec![AbiParam::new(types::F64)];
    signature
}

impl Lowering<'_> {
    /// A call. A function calls itself through its slot as well, so a redefinition while it runs
    /// holds for its inner activations.
    pub(super) fn call_target(&mut self, target: CallTarget, args: &[Value]) -> Value {
        match target {
            CallTarget::Slot { address } => self.call_slot(address, args),
            CallTarget::Maths { function, slot } => self.call_maths(function, slot, args),
        }
    }

    /// Another thread may redirect the slot at any time, so the code's address is read by one load
    /// of an aligned word, right before the call.
    pub(super) fn call_slot(&mut self, slot: usize, args: &[Value]) -> Value {
        self.may_be_invalid = true;
        let slot = self.address(slot);
        let code = self.load(types::I64, slot);
        self.call_code(code, args)
    }

    /// A maths function: an instruction where there is one, otherwise C's. In a unit that can be
    /// invalidated, code that is running calls the slot as soon as the function is replaced.
    fn call_maths(&mut self, function: MathsFunction, slot: usize, args: &[Value]) -> Value {
        let instruction = self.maths.instruction(function);
        match (instruction, self.unit.invalidation) {
            (Some(instruction), Some(Invalidation { flag, .. })) if self.may_be_invalid => {
                self.unless_replaced(flag, instruction, slot, args[0])
            }
            (Some(instruction), _) => self.instruction(instruction, args[0]),
            (None, None) => self.call_library(function, args),
            (None, Some(_)) => self.call_slot(slot, args),
        }
    }

    fn instruction(&mut self, instruction: Opcode, argument: Value) -> Value {
        let (unary, dfg) = self.ins().Unary(instruction, types::F64, argument);
        dfg.first_result(unary)
    }

    /// The instruction, or a call of the slot if the flag is set. The load is atomic, so Cranelift
    /// never merges it with another one.
    fn unless_replaced(&mut self, flag: usize, instruction: Opcode, slot: usize, argument: Value) -> Value {
        let value = self.instruction(instruction, argument);
        let flag = self.address(flag);
        let is_invalid = self.ins().atomic_load(types::I8, MemFlagsData::trusted(), flag);
        let (replaced, next) = (self.append_cold(), self.append());
        self.ins().brif(is_invalid, replaced, &[], next, &arguments(&[value]));
        self.enter(replaced);
        let value = self.call_replacement(slot, argument);
        self.jump(next, &[value]);
        self.enter(next);
        self.parameter(next)
    }

    /// C's function.
    pub(super) fn call_library(&mut self, function: MathsFunction, args: &[Value]) -> Value {
        self.call_address((self.maths.address_of)(function), args)
    }

    pub(super) fn call_address(&mut self, code: usize, args: &[Value]) -> Value {
        let code = self.address(code);
        self.call_code(code, args)
    }

    pub(super) fn call_code(&mut self, code: Value, args: &[Value]) -> Value {
        let signature = self.signature_of(args.len());
        let call = self.ins().call_indirect(signature, code, args);
        self.cursor.func.dfg.first_result(call)
    }

    fn signature_of(&mut self, n_args: usize) -> SigRef {
        let known = self.signatures.0.iter().find(|(n, _)| *n == n_args);
        if let Some(&(_, signature)) = known {
            return signature;
        }
        let signature = self.cursor.func.import_signature(signature(n_args));
        self.signatures.0.push((n_args, signature));
        signature
    }

    pub(super) fn address(&mut self, address: usize) -> Value {
        self.ins().iconst(types::I64, address as i64)
    }

    pub(super) fn load(&mut self, what: Type, address: Value) -> Value {
        self.ins().load(what, MemFlagsData::trusted(), address, 0)
    }
}
