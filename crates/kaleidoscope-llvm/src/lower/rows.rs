//! The loop over the rows of a table, with the function and all that it carries inside: what a vectoriser wants to see.
//!
//! The loop counts in whole numbers and tests last. No column overlaps the results, which the loads and stores say by scopes of
//! their own. In rows that are [`Plain`](KernelKind::Plain) maths functions are C's own, and where there are functions of the
//! vector maths library, calls name them in LLVM's encoding of the vector function ABI: the vectoriser then has one call for
//! several rows. Nothing but these calls may change a bit.

use super::call::{enum_attribute, maths_attributes};
use super::{BasicBlock, FloatValue, FunctionValue, IntValue, Lowering, built};
use crate::{arch, symbols};
use inkwell::attributes::AttributeLoc;
use inkwell::values::{BasicMetadataValueEnum, BasicValue, InstructionValue, PhiValue, PointerValue};
use inkwell::{AddressSpace, IntPredicate};
use kaleidoscope_ir::MathsFunction;

#[cfg(doc)]
use kaleidoscope_ir::compile::KernelKind;

/// The loop that all operations lie in.
#[derive(Clone, Copy)]
pub(super) struct RowLoop<'cx> {
    first: BasicBlock<'cx>,
    /// The number of the row.
    row: PhiValue<'cx>,
    n_rows: IntValue<'cx>,
    out: PointerValue<'cx>,
}

impl<'cx> Lowering<'cx, '_> {
    /// Stands at the beginning of a row, with the values of its columns in the parameters.
    pub(super) fn begin_rows(&mut self) {
        let pointer = self.cx.ptr_type(AddressSpace::default());
        let whole = self.cx.i64_type();
        let layout = self.cx.struct_type(&[pointer.into(), pointer.into(), whole.into()], false);
        let table = self.body.get_first_param().expect("rows are given their table").into_pointer_value();
        table.set_name("table");
        let field = |number, name: &str| built(self.builder.build_struct_gep(layout, table, number, name));
        let columns = built(self.builder.build_load(pointer, table, "columns")).into_pointer_value();
        let out = built(self.builder.build_load(pointer, field(1, "out.place"), "out")).into_pointer_value();
        let n_rows = built(self.builder.build_load(whole, field(2, "rows.place"), "rows")).into_int_value();
        let parameters = 0..self.frame.function.n_params as usize;
        let array = self.cx.struct_type(&vec![pointer.into(); parameters.len()], false);
        let columns: Vec<_> = parameters
            .map(|idx| {
                let name = format!("{}.column", self.frame.function.locals[idx]);
                let place = built(self.builder.build_struct_gep(array, columns, idx as u32, ""));
                built(self.builder.build_load(pointer, place, &name)).into_pointer_value()
            })
            .collect();
        self.read_ahead();
        let from = self.current();
        let first = self.append("row");
        self.jump(first);
        self.enter(first);
        let row = built(self.builder.build_phi(whole, "row"));
        row.add_incoming(&[(&whole.const_zero(), from)]);
        self.rows = Some(RowLoop { first, row, n_rows, out });
        for (idx, column) in columns.into_iter().enumerate() {
            let place = self.place_in(column, row);
            let name = &self.frame.function.locals[idx];
            let value = built(self.builder.build_load(self.cx.f64_type(), place, name));
            let load = value.as_instruction_value().expect("a load is an instruction");
            self.set_scope(load, "alias.scope");
            self.frame.variables[idx] = value.into_float_value();
        }
        self.begin_tail_calls();
    }

    /// Stores the result of a row, and goes on to the next.
    pub(super) fn end_rows(mut self) {
        let RowLoop { first, row, n_rows, out } = self.rows.expect("rows were begun");
        let value = self.pop_number();
        let place = self.place_in(out, row);
        let store = built(self.builder.build_store(place, value));
        self.set_scope(store, "noalias");
        let one = self.cx.i64_type().const_int(1, false);
        let row_number = row.as_basic_value().into_int_value();
        let next = built(self.builder.build_int_nuw_add(row_number, one, "next"));
        row.add_incoming(&[(&next, self.current())]);
        let is_more = built(self.builder.build_int_compare(IntPredicate::NE, next, n_rows, ""));
        let done = self.append("done");
        built(self.builder.build_conditional_branch(is_more, first, done));
        self.enter(done);
        built(self.builder.build_return(None));
    }

    /// Where the value of a row is in a column.
    fn place_in(&self, column: PointerValue<'cx>, row: PhiValue<'cx>) -> PointerValue<'cx> {
        // A column is an array of structures of one double. The builder is safe for constants only, so the first of them is
        // asked for, and its number becomes that of the row.
        let value = self.cx.struct_type(&[self.cx.f64_type().into()], false);
        let place = built(self.builder.build_struct_gep(value, column, 0, ""));
        let instruction = place.as_instruction_value().expect("a column is no constant");
        assert!(instruction.set_operand(1, row.as_basic_value()), "the number comes behind the column");
        place
    }

    /// Says of an access that it is one of a column, or that it is none.
    fn set_scope(&self, access: InstructionValue<'cx>, kind: &str) {
        let text = |text| BasicMetadataValueEnum::from(self.cx.metadata_string(text));
        let domain = self.cx.metadata_node(&[text("table")]);
        let scope = self.cx.metadata_node(&[text("columns"), domain.into()]);
        let list = self.cx.metadata_node(&[scope.into()]);
        access.set_metadata(list, self.cx.get_kind_id(kind)).expect("accesses may have scopes");
    }

    /// A call of C's own maths function, which says what may stand for several of it.
    pub(super) fn call_host_maths(
        &self,
        function: MathsFunction,
        args: &[FloatValue<'cx>],
    ) -> FloatValue<'cx> {
        let symbol = symbols::host_maths(function);
        let declared = match self.module.get_function(&symbol) {
            Some(declared) => declared,
            None => {
                let declared = self.maths_function(&symbol, args.len());
                self.name_variants(declared, function, args.len());
                // Called by way of its address in memory, as programs do that are linked with the library: a jump less.
                declared.add_attribute(AttributeLoc::Function, enum_attribute(self.cx, "nonlazybind"));
                declared
            }
        };
        self.call_function(declared, args)
    }

    /// Declares what may stand for several calls of the function, and names it there.
    fn name_variants(&self, declared: FunctionValue<'cx>, function: MathsFunction, n_args: usize) {
        let symbol = symbols::host_maths(function);
        let mut names = Vec::new();
        for variant in self.unit.vector_maths.iter().filter(|variant| variant.function == function) {
            let name = symbols::vector_maths(function, variant.lanes);
            names.push(arch::vector_variant(&symbol, &name, variant.lanes, n_args));
            let values = self.cx.f64_type().vec_type(variant.lanes);
            let vector =
                self.module.add_function(&name, values.fn_type(&vec![values.into(); n_args], false), None);
            for attribute in maths_attributes(self.cx) {
                vector.add_attribute(AttributeLoc::Function, attribute);
            }
        }
        if !names.is_empty() {
            let attribute = self.cx.create_string_attribute("vector-function-abi-variant", &names.join(","));
            declared.add_attribute(AttributeLoc::Function, attribute);
        }
    }
}
