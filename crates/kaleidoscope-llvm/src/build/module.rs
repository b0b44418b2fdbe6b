//! The module of a built program: its functions, slots and steps, and what the runtime reads.

use super::BuildUnit;
use crate::lower::call::{enum_attribute, function_attributes, maths_attributes, signature};
use crate::lower::lower_into;
use crate::{LinkedSymbol, References, symbols};
use inkwell::attributes::AttributeLoc;
use inkwell::builder::{Builder, BuilderError};
use inkwell::context::Context;
use inkwell::module::{Linkage, Module};
use inkwell::types::FunctionType;
use inkwell::values::{FunctionValue, PointerValue};
use inkwell::{AddressSpace, GlobalVisibility, IntPredicate};
use kaleidoscope_ir::compile::{
    BuildStep, LinkedCallee, LinkedProgram, LinkedTarget, RuntimeFunction, UnavailableFunction,
};
use kaleidoscope_ir::{FunctionId, MathsFunction};
use std::collections::BTreeMap;

/// How other objects reach what a module exports, and the module what others have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linking {
    /// Like ELF: a program may lack functions of its host.
    Elf,
    /// WebAssembly: what the module lacks are imports.
    WebAssembly,
}

/// Makes the module.
pub(super) fn module_of<'cx>(
    cx: &'cx Context,
    program: &LinkedProgram,
    units: &[BuildUnit],
    linking: Linking,
) -> Module<'cx> {
    let module = cx.create_module(&program.name);
    let maker = ModuleMaker { cx, module: &module, program, linking, builder: cx.create_builder() };
    maker.declare_functions(units);
    for (idx, unavailable) in program.unavailable.iter().enumerate() {
        maker.define_unavailable(idx, unavailable);
    }
    maker.define_slots();
    let callees = maker.callees();
    for (idx, BuildUnit { unit, .. }) in units.iter().enumerate() {
        lower_into(cx, &module, unit, &maker.symbol(idx), References::Linked(&callees));
    }
    if let Some(steps) = &program.steps {
        if linking == Linking::Elf {
            maker.define_end_of_code();
            maker.define_codes();
        }
        maker.define_program(steps);
    }
    module
}

struct ModuleMaker<'cx, 'a> {
    cx: &'cx Context,
    module: &'a Module<'cx>,
    program: &'a LinkedProgram,
    linking: Linking,
    builder: Builder<'cx>,
}

impl<'cx> ModuleMaker<'cx, '_> {
    fn symbol(&self, function: usize) -> String {
        let function = &self.program.functions[function];
        match &function.exported {
            Some(symbol) => symbol.clone(),
            None => symbols::code(&function.function.name, function.version),
        }
    }

    fn slot_symbol(&self, slot: usize) -> String {
        symbols::linked_slot(&self.program.slots[slot].name, slot)
    }

    /// Declares the functions that the module defines. Calls of an exported function inside the
    /// program reach the program's own.
    fn declare_functions(&self, units: &[BuildUnit]) {
        for (idx, unit) in units.iter().enumerate() {
            let n_params = unit.unit.function.n_params as usize;
            let is_exported = self.program.functions[idx].exported.is_some();
            let linkage = if is_exported { Linkage::External } else { Linkage::Internal };
            let signature = signature(self.cx, n_params);
            let declared = self.module.add_function(&self.symbol(idx), signature, Some(linkage));
            if is_exported && self.linking == Linking::Elf {
                declared.as_global_value().set_visibility(GlobalVisibility::Protected);
            }
            if !unit.is_optimized {
                for attribute in ["optnone", "noinline"] {
                    declared.add_attribute(AttributeLoc::Function, enum_attribute(self.cx, attribute));
                }
            }
        }
    }

    /// Defines the code of a function without a definition: it calls the host's function, if
    /// the linker has found one, and ends the program otherwise.
    fn define_unavailable(&self, idx: usize, unavailable: &UnavailableFunction) {
        let signature = signature(self.cx, unavailable.n_params as usize);
        let symbol = symbols::unavailable(&unavailable.name, idx);
        let function = self.module.add_function(&symbol, signature, Some(Linkage::Internal));
        self.add_attributes(function);
        self.begin(function, "entry");
        if let Some(host) = &unavailable.host {
            match self.linking {
                Linking::Elf => self.call_if_linked(function, signature, host),
                Linking::WebAssembly => return self.call_import(function, signature, host),
            }
        }
        let fail = self.runtime(symbols::FAIL, self.cx.void_type().fn_type(&[self.pointer().into()], false));
        for attribute in ["cold", "noreturn"] {
            fail.add_attribute(AttributeLoc::Function, enum_attribute(self.cx, attribute));
        }
        let message = self.text(&unavailable.message);
        built(self.builder.build_direct_call(fail, &[message.into()], ""));
        built(self.builder.build_unreachable());
    }

    fn call_if_linked(&self, function: FunctionValue<'cx>, signature: FunctionType<'cx>, host: &str) {
        let declared = self.module.get_function(host);
        let declared = declared
            .unwrap_or_else(|| self.module.add_function(host, signature, Some(Linkage::ExternalWeak)));
        let address = declared.as_global_value().as_pointer_value();
        let is_linked =
            built(self.builder.build_int_compare(IntPredicate::NE, address, self.pointer().const_null(), ""));
        let linked = self.cx.append_basic_block(function, "linked");
        let missing = self.cx.append_basic_block(function, "missing");
        built(self.builder.build_conditional_branch(is_linked, linked, missing));
        self.builder.position_at_end(linked);
        self.forward(function, declared);
        self.builder.position_at_end(missing);
    }

    fn call_import(&self, function: FunctionValue<'cx>, signature: FunctionType<'cx>, host: &str) {
        let declared = self.module.get_function(host);
        self.forward(function, declared.unwrap_or_else(|| self.module.add_function(host, signature, None)));
    }

    /// Returns what another function returns for the same arguments.
    fn forward(&self, function: FunctionValue<'cx>, to: FunctionValue<'cx>) {
        let args: Vec<_> = function.get_params().into_iter().map(Into::into).collect();
        let value = built(self.builder.build_direct_call(to, &args, "")).try_as_basic_value();
        built(self.builder.build_return(Some(&value.unwrap_basic())));
    }

    fn define_slots(&self) {
        for (idx, slot) in self.program.slots.iter().enumerate() {
            let global = self.module.add_global(self.pointer(), None, &self.slot_symbol(idx));
            global.set_linkage(Linkage::Internal);
            global.set_initializer(&self.code(slot.first, slot.n_params));
        }
    }

    /// The code of a target, for a function with this number of parameters.
    fn code(&self, target: LinkedTarget, n_params: u32) -> PointerValue<'cx> {
        let function = match target {
            LinkedTarget::Runtime(function) => self.runtime_function(function),
            LinkedTarget::Maths(function) => self.maths(function, n_params),
            LinkedTarget::Function(_) | LinkedTarget::Unavailable(_) => {
                let symbol = self.symbol_of(target);
                self.module.get_function(&symbol).expect("all functions are declared")
            }
        };
        function.as_global_value().as_pointer_value()
    }

    fn symbol_of(&self, target: LinkedTarget) -> String {
        match target {
            LinkedTarget::Function(idx) => self.symbol(idx),
            LinkedTarget::Unavailable(idx) => symbols::unavailable(&self.program.unavailable[idx].name, idx),
            LinkedTarget::Maths(function) => function.name().to_owned(),
            LinkedTarget::Runtime(function) => symbols::runtime(function).to_owned(),
        }
    }

    fn callees(&self) -> BTreeMap<FunctionId, LinkedSymbol> {
        let symbol = |callee: &LinkedCallee| match *callee {
            LinkedCallee::Slot(slot) => LinkedSymbol::Slot(self.slot_symbol(slot)),
            LinkedCallee::Direct(target) => {
                if let LinkedTarget::Runtime(function) = target {
                    self.runtime_function(function);
                }
                LinkedSymbol::Function(self.symbol_of(target))
            }
        };
        self.program.callees.iter().map(|(&id, callee)| (id, symbol(callee))).collect()
    }

    fn runtime_function(&self, function: RuntimeFunction) -> FunctionValue<'cx> {
        self.runtime(symbols::runtime(function), signature(self.cx, 1))
    }

    /// The declaration of a function of the runtime.
    fn runtime(&self, symbol: &str, signature: FunctionType<'cx>) -> FunctionValue<'cx> {
        self.module.get_function(symbol).unwrap_or_else(|| {
            let declared = self.module.add_function(symbol, signature, None);
            declared.add_attribute(AttributeLoc::Function, enum_attribute(self.cx, "nounwind"));
            declared
        })
    }

    fn maths(&self, function: MathsFunction, n_params: u32) -> FunctionValue<'cx> {
        self.module.get_function(function.name()).unwrap_or_else(|| {
            let signature = signature(self.cx, n_params as usize);
            let declared = self.module.add_function(function.name(), signature, None);
            for attribute in maths_attributes(self.cx) {
                declared.add_attribute(AttributeLoc::Function, attribute);
            }
            declared
        })
    }

    /// The code of the program ends here: functions are in the order of the module.
    fn define_end_of_code(&self) {
        let signature = self.cx.void_type().fn_type(&[], false);
        let end = self.module.add_function(symbols::END_OF_CODE, signature, Some(Linkage::Internal));
        self.add_attributes(end);
        self.begin(end, "entry");
        built(self.builder.build_return(None));
    }

    /// The start and the name of each function's code, in order of the addresses. Names that no
    /// program can write are empty. The last entry has the end of the code and no name.
    fn define_codes(&self) {
        let pointer = self.pointer();
        let entry = self.cx.struct_type(&[pointer.into(), pointer.into()], false);
        let functions = self.program.functions.iter().enumerate().map(|(idx, linked)| {
            let name = &*linked.function.name;
            let name = self.text(if name.starts_with('$') { "" } else { name });
            let code = self.code(LinkedTarget::Function(idx), linked.function.n_params);
            entry.const_named_struct(&[code.into(), name.into()])
        });
        let mut entries: Vec<_> = functions.collect();
        let end = self.module.get_function(symbols::END_OF_CODE).expect("it was defined");
        let end = end.as_global_value().as_pointer_value();
        entries.push(entry.const_named_struct(&[end.into(), pointer.const_null().into()]));
        let table = entry.const_array(&entries);
        let global = self.module.add_global(table.get_type(), None, symbols::CODES);
        global.set_constant(true);
        global.set_initializer(&table);
    }

    /// The function that runs the program's steps.
    fn define_program(&self, steps: &[BuildStep]) {
        let signature = self.cx.void_type().fn_type(&[], false);
        let program = self.module.add_function(symbols::PROGRAM, signature, None);
        self.add_attributes(program);
        self.begin(program, "entry");
        let pointer = self.pointer();
        let double = self.cx.f64_type().into();
        let begin = self.cx.void_type().fn_type(&[pointer.into()], false);
        let value = self.cx.void_type().fn_type(&[double], false);
        for step in steps {
            match step {
                BuildStep::Redirect(slot, target) => {
                    let code = self.code(*target, self.program.slots[*slot].n_params);
                    let slot =
                        self.module.get_global(&self.slot_symbol(*slot)).expect("all slots are defined");
                    built(self.builder.build_store(slot.as_pointer_value(), code));
                }
                BuildStep::Evaluate { function, place, is_printed } => {
                    let begin = self.runtime(symbols::BEGIN, begin);
                    built(self.builder.build_direct_call(begin, &[self.text(place).into()], ""));
                    let symbol = self.symbol(*function);
                    let expression = self.module.get_function(&symbol).expect("all functions are declared");
                    let result = built(self.builder.build_direct_call(expression, &[], ""));
                    if *is_printed {
                        let result = result.try_as_basic_value().unwrap_basic().into_float_value();
                        let value = self.runtime(symbols::VALUE, value);
                        built(self.builder.build_direct_call(value, &[result.into()], ""));
                    }
                }
            }
        }
        built(self.builder.build_return(None));
    }

    fn add_attributes(&self, function: FunctionValue<'cx>) {
        for attribute in function_attributes(self.cx) {
            function.add_attribute(AttributeLoc::Function, attribute);
        }
    }

    fn begin(&self, function: FunctionValue<'cx>, block: &str) {
        self.builder.position_at_end(self.cx.append_basic_block(function, block));
    }

    fn pointer(&self) -> inkwell::types::PointerType<'cx> {
        self.cx.ptr_type(AddressSpace::default())
    }

    /// A text in memory, as C has it.
    fn text(&self, text: &str) -> PointerValue<'cx> {
        let bytes = self.cx.const_string(text.as_bytes(), true);
        let global = self.module.add_global(bytes.get_type(), None, "text");
        global.set_linkage(Linkage::Private);
        global.set_constant(true);
        global.set_unnamed_addr(true);
        global.set_initializer(&bytes);
        global.as_pointer_value()
    }
}

fn built<T>(result: Result<T, BuilderError>) -> T {
    result.expect("the builder has a block and all values have the right type")
}
