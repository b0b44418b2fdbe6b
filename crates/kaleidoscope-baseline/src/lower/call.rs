//! Calls: through slots, of C's maths functions by address, or instructions instead.

#[cfg(test)]
mod tests;

use cranelift_codegen::ir::{AbiParam, InstBuilder, MemFlagsData, SigRef, Signature, Type, Value, types};
use cranelift_codegen::isa::CallConv;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::CallTarget;

use super::Lowering;

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
            CallTarget::Maths { function, .. } => self.call_maths(function, args),
            CallTarget::Slot { address } => self.call_slot(address, args),
        }
    }

    /// Another thread may redirect the slot at any time, so the code's address is read by one load
    /// of an aligned word, right before the call.
    pub(super) fn call_slot(&mut self, slot: usize, args: &[Value]) -> Value {
        let slot = self.address(slot);
        let code = self.load(types::I64, slot);
        self.call_code(code, args)
    }

    /// A maths function: an instruction where its result is exact by definition, otherwise C's.
    pub(super) fn call_maths(&mut self, function: MathsFunction, args: &[Value]) -> Value {
        match (function, self.maths.has_roundings) {
            (MathsFunction::Sqrt, _) => self.ins().sqrt(args[0]),
            (MathsFunction::Fabs, _) => self.ins().fabs(args[0]),
            (MathsFunction::Floor, true) => self.ins().floor(args[0]),
            (MathsFunction::Ceil, true) => self.ins().ceil(args[0]),
            (MathsFunction::Trunc, true) => self.ins().trunc(args[0]),
            (MathsFunction::Rint, true) => self.ins().nearest(args[0]),
            _ => self.call_address((self.maths.address_of)(function), args),
        }
    }

    pub(super) fn call_address(&mut self, code: usize, args: &[Value]) -> Value {
        let code = self.address(code);
        self.call_code(code, args)
    }

    fn call_code(&mut self, code: Value, args: &[Value]) -> Value {
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
