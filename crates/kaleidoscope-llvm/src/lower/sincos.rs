//! Sine and cosine of one argument by one call of C's `sincos`, in plain kernels.
//!
//! Lowering meets `sin(x)` and `cos(x)` one after the other, and cannot know at the first whether
//! the second follows. So it calls `sincos` for the first one. In the end, a call of which only one
//! result is used becomes a call of `sin` or `cos`.
//!
//! `sincos` writes to memory, so LLVM merges no two calls of it. Lowering does that itself: within
//! a block it computes each sum, product and so on of the same values once.

use super::call::{enum_attribute, maths_attributes};
use super::{Lowering, built};
use crate::symbols;
use inkwell::AddressSpace;
use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::values::{BasicValue, FloatValue, FunctionValue, InstructionValue, PointerValue};
use kaleidoscope_ir::{Arithmetic, MathsFunction};
use std::collections::HashMap;

/// What lowering knows of the calls of `sincos`.
pub(super) struct SinCos<'cx> {
    /// Where the function writes the sine and the cosine.
    places: [PointerValue<'cx>; 2],
    /// The sine and the cosine of each argument, in this block.
    of_argument: HashMap<FloatValue<'cx>, [FloatValue<'cx>; 2]>,
    /// The results of arithmetic, in this block.
    computed: HashMap<(Arithmetic, FloatValue<'cx>, FloatValue<'cx>), FloatValue<'cx>>,
    calls: Vec<SinCosCall<'cx>>,
}

struct SinCosCall<'cx> {
    call: InstructionValue<'cx>,
    argument: FloatValue<'cx>,
    /// The sine and the cosine.
    results: [FloatValue<'cx>; 2],
}

impl<'cx> SinCos<'cx> {
    /// Another block begins, which the last one may not precede.
    pub(super) fn forget_block(&mut self) {
        self.of_argument.clear();
        self.computed.clear();
    }
}

impl<'cx> Lowering<'cx, '_> {
    /// Makes room for the results, in a kernel's first block.
    pub(super) fn begin_sincos(&mut self) {
        if self.unit.sincos.is_none() {
            return;
        }
        let double = self.cx.f64_type();
        let places = ["sin.place", "cos.place"].map(|name| built(self.builder.build_alloca(double, name)));
        let (of_argument, computed) = (HashMap::new(), HashMap::new());
        self.sincos = Some(SinCos { places, of_argument, computed, calls: Vec::new() });
    }

    /// The result of arithmetic that this block has computed before.
    pub(super) fn computed(
        &self,
        arithmetic: Arithmetic,
        a: FloatValue<'cx>,
        b: FloatValue<'cx>,
    ) -> Option<FloatValue<'cx>> {
        self.sincos.as_ref()?.computed.get(&(arithmetic, a, b)).copied()
    }

    /// Notes a result of arithmetic.
    pub(super) fn note_computed(
        &mut self,
        arithmetic: Arithmetic,
        [a, b]: [FloatValue<'cx>; 2],
        result: FloatValue<'cx>,
    ) {
        if let Some(sincos) = &mut self.sincos {
            sincos.computed.insert((arithmetic, a, b), result);
        }
    }

    /// The sine or cosine, by a call of `sincos`. `None` for other functions, and where the code
    /// may not call it.
    pub(super) fn sin_or_cos(
        &mut self,
        function: MathsFunction,
        argument: FloatValue<'cx>,
    ) -> Option<FloatValue<'cx>> {
        let nth = match function {
            MathsFunction::Sin => 0,
            MathsFunction::Cos => 1,
            _ => return None,
        };
        if let Some(known) = self.sincos.as_ref()?.of_argument.get(&argument) {
            return Some(known[nth]);
        }
        let declared = self.sincos_function();
        let places = self.sincos.as_ref()?.places;
        let [sin, cos] = places.map(Into::into);
        let call = built(self.builder.build_direct_call(declared, &[argument.into(), sin, cos], ""));
        let call = call.try_as_basic_value().unwrap_instruction();
        let results = places
            .map(|place| built(self.builder.build_load(self.cx.f64_type(), place, "")).into_float_value());
        let sincos = self.sincos.as_mut()?;
        sincos.of_argument.insert(argument, results);
        sincos.calls.push(SinCosCall { call, argument, results });
        Some(results[nth])
    }

    fn sincos_function(&self) -> FunctionValue<'cx> {
        self.module.get_function(symbols::SINCOS).unwrap_or_else(|| {
            let place = self.cx.ptr_type(AddressSpace::default()).into();
            let signature = self.cx.void_type().fn_type(&[self.cx.f64_type().into(), place, place], false);
            let declared = self.module.add_function(symbols::SINCOS, signature, None);
            for attribute in maths_attributes(self.cx) {
                declared.add_attribute(AttributeLoc::Function, attribute);
            }
            // In the place of the same attribute of functions that access no memory.
            let memory = Attribute::get_named_enum_kind_id("memory");
            declared.remove_enum_attribute(AttributeLoc::Function, memory);
            let memory = self.cx.create_enum_attribute(memory, WRITES_ARGUMENTS);
            declared.add_attribute(AttributeLoc::Function, memory);
            declared.add_attribute(AttributeLoc::Function, enum_attribute(self.cx, "nonlazybind"));
            declared
        })
    }

    /// Replaces calls of which only one result is used.
    pub(super) fn finish_sincos(&mut self) {
        let Some(sincos) = self.sincos.take() else { return };
        for SinCosCall { call, argument, results } in sincos.calls {
            let loads =
                results.map(|result| result.as_instruction_value().expect("a load is an instruction"));
            let functions = [MathsFunction::Sin, MathsFunction::Cos];
            let mut used = functions.into_iter().zip(results).zip(loads);
            let used: Vec<_> = used.by_ref().filter(|(_, load)| load.get_first_use().is_some()).collect();
            if let [_, _] = used[..] {
                continue;
            }
            self.builder.position_before(&call);
            for ((function, result), _) in used {
                let alone = self.call_host_maths(function, &[argument]);
                result.replace_all_uses_with(alone);
            }
            loads.into_iter().for_each(InstructionValue::erase_from_basic_block);
            call.erase_from_basic_block();
        }
    }
}

/// LLVM's encoding of `memory(argmem: write)`.
const WRITES_ARGUMENTS: u64 = 2;
