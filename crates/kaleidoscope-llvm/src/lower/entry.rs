//! How a module's function begins and ends: as the body of a function, or as a loop that finds its variables in memory. For the loop
//! over the rows of a table see `rows.rs`.

use super::call::{body_attributes, signature};
use super::frame::{Frame, shape};
use super::{CodeKind, Instance, Local, Lowering, References, Unit, built, choices};
use inkwell::AddressSpace;
use inkwell::attributes::AttributeLoc;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::types::StructType;
use inkwell::values::PointerValue;
use std::collections::BTreeMap;

impl<'cx, 'a> Lowering<'cx, 'a> {
    /// Stands before the first operation.
    pub(super) fn new(
        cx: &'cx Context,
        module: &'a Module<'cx>,
        unit: &'a Unit,
        instances: &'a [Instance<'a>],
        symbol: &str,
        references: References<'a>,
    ) -> Self {
        let root = instances[0].function;
        let signature = match unit.kind {
            CodeKind::Function => signature(cx, root.n_params as usize),
            CodeKind::Osr(_) | CodeKind::Kernel(_) => {
                cx.void_type().fn_type(&[cx.ptr_type(AddressSpace::default()).into()], false)
            }
        };
        let body = module.add_function(symbol, signature, None);
        for attribute in body_attributes(cx) {
            body.add_attribute(AttributeLoc::Function, attribute);
        }
        let zero = cx.f64_type().const_zero();
        let root_shape = shape(root);
        let frame = Frame::new(0, root, root_shape.clone(), zero);
        let mut shapes = vec![None; instances.len()];
        shapes[0] = Some(root_shape);
        let mut lowering = Self {
            cx,
            module,
            builder: cx.create_builder(),
            unit,
            instances,
            references,
            choices: choices(instances),
            shapes,
            body,
            zero,
            rows: None,
            read_ahead: BTreeMap::new(),
            block: None,
            stack: Vec::with_capacity(root.max_stack as usize),
            callers: Vec::new(),
            frame,
        };
        let entry = lowering.append("entry");
        lowering.enter(entry);
        match unit.kind {
            CodeKind::Function => lowering.begin_function(),
            CodeKind::Osr(nth) => lowering.begin_loop(nth),
            CodeKind::Kernel(_) => lowering.begin_rows(),
        }
        lowering
    }

    fn begin_function(&mut self) {
        for (idx, parameter) in self.body.get_param_iter().enumerate() {
            let parameter = parameter.into_float_value();
            parameter.set_name(&self.frame.function.locals[idx]);
            self.frame.variables[idx] = parameter;
        }
        self.begin_tail_calls();
    }

    /// Gets the variables from memory and stands before the loop.
    fn begin_loop(&mut self, nth: usize) {
        let region = &self.frame.function.facts().loops[nth];
        let activation = self.activation();
        for variable in &region.variables(self.frame.function) {
            let name = self.frame.name_of(*variable);
            let value = built(self.builder.build_load(
                self.cx.f64_type(),
                self.place_of(*variable, activation),
                name,
            ));
            self.frame.variables[variable.index()] = value.into_float_value();
        }
        self.frame.ops = region.header.index()..region.next.index() + 1;
        self.frame.n_brackets = region.bracket;
    }

    /// Ends the function behind the last operation.
    pub(super) fn end(mut self) {
        match self.unit.kind {
            CodeKind::Function | CodeKind::Kernel(_) if self.block.is_none() => {}
            CodeKind::Function => {
                let value = self.pop_number();
                built(self.builder.build_return(Some(&value)));
            }
            CodeKind::Osr(nth) => {
                let region = &self.frame.function.facts().loops[nth];
                let activation = self.activation();
                for variable in &self.frame.shape.assigned[region.bracket] {
                    let value = self.frame.variables[variable.index()];
                    built(self.builder.build_store(self.place_of(*variable, activation), value));
                }
                built(self.builder.build_return(None));
            }
            CodeKind::Kernel(_) => self.end_rows(),
        }
    }

    /// The type of the memory that a loop is given: the variables of the activation that it belongs to.
    fn activation(&self) -> StructType<'cx> {
        let double = self.cx.f64_type().into();
        self.cx.struct_type(&vec![double; self.frame.function.locals.len()], false)
    }

    /// Where a variable is in the memory that a loop is given.
    fn place_of(&self, variable: Local, activation: StructType<'cx>) -> PointerValue<'cx> {
        let locals = self.body.get_first_param().expect("a loop is given its locals").into_pointer_value();
        let field = variable.index() as u32;
        let name = format!("{}.place", self.frame.name_of(variable));
        built(self.builder.build_struct_gep(activation, locals, field, &name))
    }
}
