//! Kernels: a loop over the rows of a table around the function with everything inlined, in the
//! form that LLVM's vectorizers want.
//!
//! The loop counts in integers and tests last. No column overlaps the results: loads and stores
//! say so by alias scopes. A [plain](KernelKind::Plain) kernel calls C's own maths functions.
//! Calls name their vector variants by LLVM's encoding of the vector function ABI, so the
//! vectorizer replaces several calls by one. Only these variants may change a bit.

use super::call::{enum_attribute, maths_attributes};
use super::{BasicBlock, FloatValue, FunctionValue, IntValue, Lowering, built};
use crate::{arch, symbols};
use inkwell::attributes::AttributeLoc;
use inkwell::values::{BasicMetadataValueEnum, BasicValue, InstructionValue, PhiValue, PointerValue};
use inkwell::{AddressSpace, IntPredicate};
use kaleidoscope_ir::MathsFunction;

#[cfg(doc)]
use kaleidoscope_ir::compile::KernelKind;

/// The loop over the rows.
#[derive(Clone, Copy)]
pub(super) struct RowLoop<'cx> {
    first: BasicBlock<'cx>,
    /// The row number.
    row: PhiValue<'cx>,
    n_rows: IntValue<'cx>,
    out: PointerValue<'cx>,
}

impl<'cx> Lowering<'cx, '_> {
    /// Begins the loop over the rows. The parameters have the values of the row.
    pub(super) fn begin_kernel(&mut self) {
        let pointer = self.cx.ptr_type(AddressSpace::default());
        let whole = self.cx.i64_type();
        let layout = self.cx.struct_type(&[pointer.into(), pointer.into(), whole.into()], false);
        let table = self.compiled.get_first_param().expect("a kernel has a parameter").into_pointer_value();
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
        let from = self.block;
        let first = self.append("row");
        self.jump(first);
        self.enter(first);
        let row = built(self.builder.build_phi(whole, "row"));
        row.add_incoming(&[(&whole.const_zero(), from)]);
        self.rows = Some(RowLoop { first, row, n_rows, out });
        for (idx, column) in columns.into_iter().enumerate() {
            let place = self.element(column, row);
            let name = &self.frame.function.locals[idx];
            let value = built(self.builder.build_load(self.cx.f64_type(), place, name));
            let load = value.as_instruction_value().expect("a load is an instruction");
            self.set_scope(load, "alias.scope");
            self.frame.variables[idx] = value.into_float_value();
        }
        self.begin_tail_calls();
    }

    /// Stores the result of a row, and continues with the next. A kernel that was invalidated
    /// returns instead.
    pub(super) fn end_kernel(&mut self, rows: RowLoop<'cx>, value: FloatValue<'cx>) {
        let RowLoop { first, row, n_rows, .. } = rows;
        let next = self.store_result(rows, value);
        let is_more = built(self.builder.build_int_compare(IntPredicate::NE, next, n_rows, ""));
        let done = self.append("done");
        let mut n_done = n_rows;
        if self.exits.is_some() {
            let more = self.append("more");
            built(self.builder.build_conditional_branch(is_more, more, done));
            self.enter(more);
            self.branch_if_invalid(done, first);
            n_done = next;
        } else {
            built(self.builder.build_conditional_branch(is_more, first, done));
        }
        row.add_incoming(&[(&next, self.block)]);
        self.enter(done);
        self.return_rows(n_done);
    }

    /// Ends a kernel that was left inside a row, with the result of that row.
    pub(super) fn leave_kernel(&mut self, value: FloatValue<'cx>) {
        let rows = self.rows.expect("the code is a kernel");
        let n_done = self.store_result(rows, value);
        self.return_rows(n_done);
    }

    /// Stores the result of a row. Returns the number of the next one.
    fn store_result(&self, rows: RowLoop<'cx>, value: FloatValue<'cx>) -> IntValue<'cx> {
        let place = self.element(rows.out, rows.row);
        let store = built(self.builder.build_store(place, value));
        self.set_scope(store, "noalias");
        let one = self.cx.i64_type().const_int(1, false);
        built(self.builder.build_int_nuw_add(rows.row.as_basic_value().into_int_value(), one, "next"))
    }

    /// Returns the number of rows that are done.
    fn return_rows(&self, n_done: IntValue<'cx>) {
        let n_done = built(self.builder.build_unsigned_int_to_float(n_done, self.cx.f64_type(), "done.rows"));
        built(self.builder.build_return(Some(&n_done)));
    }

    /// The place of a row's value in a column.
    fn element(&self, column: PointerValue<'cx>, row: PhiValue<'cx>) -> PointerValue<'cx> {
        // A column is an array of structs of one double. The builder is safe only for constant
        // indices, so it gets the index 0, which the row number then replaces.
        let value = self.cx.struct_type(&[self.cx.f64_type().into()], false);
        let place = built(self.builder.build_struct_gep(value, column, 0, ""));
        let instruction = place.as_instruction_value().expect("a column is no constant");
        assert!(instruction.set_operand(1, row.as_basic_value()), "the index is the second operand");
        place
    }

    /// Sets the alias scope of the columns on an access: `alias.scope` or `noalias`.
    fn set_scope(&self, access: InstructionValue<'cx>, kind: &str) {
        let text = |text| BasicMetadataValueEnum::from(self.cx.metadata_string(text));
        let domain = self.cx.metadata_node(&[text("table")]);
        let scope = self.cx.metadata_node(&[text("columns"), domain.into()]);
        let list = self.cx.metadata_node(&[scope.into()]);
        access.set_metadata(list, self.cx.get_kind_id(kind)).expect("accesses may have scopes");
    }

    /// A call of C's own maths function, with its vector variants.
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
                // Calls through the address in memory, without a stub: one jump less.
                declared.add_attribute(AttributeLoc::Function, enum_attribute(self.cx, "nonlazybind"));
                declared
            }
        };
        self.call_function(declared, args)
    }

    /// Declares the vector variants of the function, and names them in an attribute.
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
