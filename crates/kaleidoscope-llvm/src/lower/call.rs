//! Calls, and the attributes of the functions at both ends.

use super::References;
use super::{LinkedSymbol, Lowering, OpIdx, Operand, built};
use crate::symbols;
use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::context::Context;
use inkwell::module::Linkage;
use inkwell::types::{BasicType, FunctionType};
use inkwell::values::{BasicMetadataValueEnum, BasicValue, FloatValue, FunctionValue, PointerValue};
use inkwell::{AddressSpace, AtomicOrdering};
use kaleidoscope_ir::compile::{CallTarget, TableWord};
use kaleidoscope_ir::{FunctionId, MathsFunction};

/// The code that a call reaches.
enum LinkedCode<'cx> {
    Slot(PointerValue<'cx>),
    Function(FunctionValue<'cx>),
}

impl<'cx> Lowering<'cx, '_> {
    /// A call that is not inlined. A function calls itself through its slot as well, so a
    /// redefinition while it runs holds for its inner activations.
    pub(super) fn call_target(&mut self, at: OpIdx, callee: FunctionId, args: &[FloatValue<'cx>]) {
        match self.unit.call_target(callee) {
            CallTarget::Maths { function, .. } => {
                let value = self.call_maths(function, args);
                self.stack.push(Operand::Number(value));
            }
            CallTarget::Slot { address } => {
                let value = match self.slot(callee, address) {
                    LinkedCode::Slot(slot) => self.call_slot(slot, args),
                    LinkedCode::Function(function) => self.call_function(function, args),
                };
                self.stack.push(Operand::Number(value));
                let following = self.call_checks[self.frame.instance].behind(at);
                if self.exits.is_some() && (following.begins || following.ends && self.frame.begins_behind) {
                    self.check(OpIdx::new(at.index() as u32 + 1));
                }
            }
        }
    }

    /// Another thread may redirect the slot at any time, so the load is atomic. It needs no order:
    /// either address is correct.
    fn call_slot(&self, slot: PointerValue<'cx>, args: &[FloatValue<'cx>]) -> FloatValue<'cx> {
        let code = built(self.builder.build_load(self.cx.ptr_type(AddressSpace::default()), slot, ""));
        // The slots of a program that was compiled ahead of time change between expressions only.
        if !matches!(self.references, References::Linked(_)) {
            let load = code.as_instruction_value().expect("a load is an instruction");
            load.set_atomic_ordering(AtomicOrdering::Monotonic).expect("loads may be monotonic");
            load.set_alignment(8).expect("8 is a power of two");
        }
        let args = as_arguments(args);
        let signature = signature(self.cx, args.len());
        let call = built(self.builder.build_indirect_call(signature, code.into_pointer_value(), &args, ""));
        call.try_as_basic_value().unwrap_basic().into_float_value()
    }

    fn slot(&self, callee: FunctionId, address: usize) -> LinkedCode<'cx> {
        let pointer = self.cx.ptr_type(AddressSpace::default());
        match self.references {
            References::Addresses | References::Table(_) => {
                LinkedCode::Slot(self.address_or_word(address, TableWord::Slot(callee)))
            }
            References::Symbols(names) => {
                LinkedCode::Slot(self.external(pointer, &symbols::slot(&names[&callee])))
            }
            References::Linked(callees) => match &callees[&callee] {
                LinkedSymbol::Slot(symbol) => LinkedCode::Slot(self.external(pointer, symbol)),
                LinkedSymbol::Function(symbol) => {
                    let function = self.module.get_function(symbol);
                    LinkedCode::Function(function.expect("the module declares what its functions call"))
                }
            },
        }
    }

    /// A pointer to a fixed address, or the word of the address table that has it.
    pub(super) fn address_or_word(&self, address: usize, word: TableWord) -> PointerValue<'cx> {
        match self.references {
            References::Table(_) => {
                let pointer = self.cx.ptr_type(AddressSpace::default());
                self.table_word(word, pointer).into_pointer_value()
            }
            References::Addresses | References::Symbols(_) | References::Linked(_) => self.address(address),
        }
    }

    /// A pointer to a fixed address.
    fn address(&self, address: usize) -> PointerValue<'cx> {
        let address = self.cx.i64_type().const_int(address as u64, false);
        address.const_to_pointer(self.cx.ptr_type(AddressSpace::default()))
    }

    /// A pointer to an external symbol for memory of this type.
    pub(super) fn external(&self, of: impl BasicType<'cx>, symbol: &str) -> PointerValue<'cx> {
        let global = self.module.get_global(symbol).unwrap_or_else(|| {
            let global = self.module.add_global(of, None, symbol);
            global.set_linkage(Linkage::External);
            global
        });
        global.as_pointer_value()
    }

    /// A call of a maths function: its result where the engine has made the call, or an intrinsic
    /// where its result is exact by definition.
    pub(super) fn call_maths(
        &mut self,
        function: MathsFunction,
        args: &[FloatValue<'cx>],
    ) -> FloatValue<'cx> {
        if let Some(constants) = constants(args)
            && let Some(result) = self.unit.known_maths.result(function, &constants)
        {
            return self.cx.f64_type().const_float(result);
        }
        if let Some(intrinsic) = instruction(function) {
            return self.call_intrinsic(intrinsic, args);
        }
        if function == MathsFunction::Fmod
            && let Some(divisor) = power_of_two(args[1])
        {
            return self.remainder(args[0], divisor);
        }
        if self.unit.kind.is_plain_kernel() {
            return self
                .sin_or_cos(function, args[0])
                .unwrap_or_else(|| self.call_host_maths(function, args));
        }
        if let References::Linked(_) = self.references {
            let declared = self.maths_function(function.name(), args.len());
            let call = built(self.builder.build_direct_call(declared, &as_arguments(args), ""));
            // C's name says nothing to LLVM then.
            call.add_attribute(AttributeLoc::Function, enum_attribute(self.cx, "nobuiltin"));
            return call.try_as_basic_value().unwrap_basic().into_float_value();
        }
        let declared = self.maths_function(&symbols::maths(function), args.len());
        self.call_function(declared, args)
    }

    /// The declaration of a maths function of this name.
    pub(super) fn maths_function(&self, symbol: &str, n_params: usize) -> FunctionValue<'cx> {
        self.module.get_function(symbol).unwrap_or_else(|| {
            let declared = self.module.add_function(symbol, signature(self.cx, n_params), None);
            for attribute in maths_attributes(self.cx) {
                declared.add_attribute(AttributeLoc::Function, attribute);
            }
            declared
        })
    }

    /// LLVM gives its intrinsics their attributes itself.
    pub(super) fn call_intrinsic(&self, name: &str, args: &[FloatValue<'cx>]) -> FloatValue<'cx> {
        let declared = self.module.get_function(name);
        let declared =
            declared.unwrap_or_else(|| self.module.add_function(name, signature(self.cx, args.len()), None));
        self.call_function(declared, args)
    }

    /// C's `fmod` by a power of two that is at least 1. Scaling by such a number is exact, except
    /// for quotients too small to matter. The difference is exact too: it is less than the
    /// divisor, and a multiple of the unit in the last place of x. The result has the sign of x,
    /// zero included.
    fn remainder(&self, x: FloatValue<'cx>, divisor: f64) -> FloatValue<'cx> {
        let constant = |value| self.cx.f64_type().const_float(value);
        let quotient = built(self.builder.build_float_mul(x, constant(1.0 / divisor), ""));
        let whole = self.call_intrinsic("llvm.trunc.f64", &[quotient]);
        let multiple = built(self.builder.build_float_mul(whole, constant(divisor), ""));
        let rest = built(self.builder.build_float_sub(x, multiple, ""));
        self.call_intrinsic("llvm.copysign.f64", &[rest, x])
    }

    pub(super) fn call_function(
        &self,
        function: FunctionValue<'cx>,
        args: &[FloatValue<'cx>],
    ) -> FloatValue<'cx> {
        let call = built(self.builder.build_direct_call(function, &as_arguments(args), ""));
        call.try_as_basic_value().unwrap_basic().into_float_value()
    }
}

/// The values of arguments that are all constants.
fn constants(args: &[FloatValue<'_>]) -> Option<Vec<f64>> {
    args.iter().map(|arg| arg.get_constant().map(|(value, _)| value)).collect()
}

/// The absolute value of a divisor that is a constant power of two and at least 1.
fn power_of_two(divisor: FloatValue<'_>) -> Option<f64> {
    let (value, _) = divisor.get_constant()?;
    let is_power = value.is_finite() && value.to_bits() << (1 + EXPONENT_BITS) == 0;
    (is_power && value.abs() >= 1.0).then_some(value.abs())
}

/// The size of a double's exponent in bits. The exponent follows the sign.
const EXPONENT_BITS: u32 = 11;

/// The intrinsic of a function whose result is exact by definition, so that an instruction gives
/// the same bits.
pub(super) fn instruction(function: MathsFunction) -> Option<&'static str> {
    match function {
        MathsFunction::Sqrt => Some("llvm.sqrt.f64"),
        MathsFunction::Fabs => Some("llvm.fabs.f64"),
        MathsFunction::Floor => Some("llvm.floor.f64"),
        MathsFunction::Ceil => Some("llvm.ceil.f64"),
        MathsFunction::Trunc => Some("llvm.trunc.f64"),
        MathsFunction::Rint => Some("llvm.rint.f64"),
        MathsFunction::Round => Some("llvm.round.f64"),
        _ => None,
    }
}

pub(crate) fn signature(cx: &Context, n_params: usize) -> FunctionType<'_> {
    let double = cx.f64_type();
    double.fn_type(&vec![double.into(); n_params], false)
}

/// The attributes of compiled functions.
///
/// Neither `mustprogress` nor `willreturn`: an endless loop is a meaningful program. `no-builtins`
/// keeps LLVM from inventing calls of the C library. `disable-tail-calls` keeps endless recursion
/// a stack overflow at every optimization level. Stack probes touch every page of a large frame,
/// so no frame skips the guard page. Frame pointers make backtraces cheap.
pub(crate) fn function_attributes(cx: &Context) -> [Attribute; 5] {
    [
        enum_attribute(cx, "nounwind"),
        cx.create_string_attribute("no-builtins", ""),
        cx.create_string_attribute("disable-tail-calls", "true"),
        cx.create_string_attribute("probe-stack", "inline-asm"),
        cx.create_string_attribute("frame-pointer", "all"),
    ]
}

/// The attributes of C's maths functions. Generated code never reads `errno`.
pub(crate) fn maths_attributes(cx: &Context) -> [Attribute; 6] {
    ["nounwind", "memory", "willreturn", "nocallback", "nofree", "nosync"]
        .map(|name| enum_attribute(cx, name))
}

/// The attribute with the value 0, which for `memory` means `none`.
pub(crate) fn enum_attribute(cx: &Context, name: &str) -> Attribute {
    cx.create_enum_attribute(Attribute::get_named_enum_kind_id(name), 0)
}

fn as_arguments<'cx>(args: &[FloatValue<'cx>]) -> Vec<BasicMetadataValueEnum<'cx>> {
    args.iter().map(|arg| (*arg).into()).collect()
}
