//! Kernels: a loop over the rows of a table around the function with everything inlined, in the
//! form that LLVM's vectorizers want.
//!
//! The loop counts in integers and tests last. No column overlaps the results, and no result
//! another: loads and stores say so by alias scopes. In a scan or fold, what a row passes to the
//! next is in phis. A scalar is loaded before the loop. A [plain](KernelKind::Plain) kernel calls
//! C's own maths functions. Calls name their vector variants by LLVM's encoding of the vector
//! function ABI, so the vectorizer replaces several calls by one. Only these variants may change a
//! bit.

use super::call::{enum_attribute, maths_attributes};
use super::{BasicBlock, FloatValue, FunctionValue, IntValue, Lowering, built};
use crate::{arch, symbols};
use inkwell::attributes::AttributeLoc;
use inkwell::values::{BasicMetadataValueEnum, BasicValue, InstructionValue, PhiValue, PointerValue};
use inkwell::{AddressSpace, IntPredicate};
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{KernelForm, KernelKind};

/// The alias scope of all columns.
const COLUMNS: &str = "columns";

/// The alias scope of a result.
fn out_scope(nth: usize) -> String {
    format!("out.{nth}")
}

/// The loop over the rows.
#[derive(Clone)]
pub(super) struct RowLoop<'cx> {
    first: BasicBlock<'cx>,
    /// The row number.
    row: PhiValue<'cx>,
    n_rows: IntValue<'cx>,
    /// Where the results of all rows are stored.
    outs: Vec<PointerValue<'cx>>,
    /// What the row before passes to this one.
    states: Option<States<'cx>>,
    /// Where the number of rows that are done is stored after each row.
    n_done: Option<PointerValue<'cx>>,
}

/// The states of a scan or fold.
#[derive(Clone)]
struct States<'cx> {
    phis: Vec<PhiValue<'cx>>,
    /// Where they are loaded before the first row, and stored in the end.
    places: Vec<PointerValue<'cx>>,
}

impl<'cx> Lowering<'cx, '_> {
    /// Begins the loop over the rows. The parameters have the values of the row.
    pub(super) fn begin_kernel(&mut self, kind: KernelKind, form: KernelForm) {
        let whole = self.cx.i64_type();
        let function = self.frame.function;
        let (n_states, n_outs) = (form.n_states(function), form.n_outs(function));
        let table = self.compiled.get_first_param().expect("a kernel has a parameter").into_pointer_value();
        table.set_name("table");
        let column_names: Vec<_> = function.locals[n_states..function.n_params as usize]
            .iter()
            .map(|name| format!("{name}.column"))
            .collect();
        let columns = self.pointers(table, "columns", &column_names);
        let out_names: Vec<_> = (0..n_outs).map(|_| "out".to_owned()).collect();
        let outs = self.pointers(self.field(table, 1, "outs.place"), "outs", &out_names);
        let n_rows = self.field(table, 3, "rows.place");
        let n_rows = built(self.builder.build_load(whole, n_rows, "rows")).into_int_value();
        let n_done = (form != KernelForm::Map && kind == KernelKind::Guarded)
            .then(|| self.field(table, 4, "done.place"));
        let initial = (form != KernelForm::Map).then(|| self.load_states(table, n_states));
        self.read_ahead();
        self.begin_sincos();
        for (idx, &column) in columns.iter().enumerate().filter(|(idx, _)| self.unit.scalars.contains(*idx)) {
            let name = &function.locals[n_states + idx];
            let value = built(self.builder.build_load(self.cx.f64_type(), column, name));
            self.frame.variables[n_states + idx] = value.into_float_value();
        }
        let from = self.block;
        let first = self.append("row");
        self.jump(first);
        self.enter(first);
        let row = built(self.builder.build_phi(whole, "row"));
        row.add_incoming(&[(&whole.const_zero(), from)]);
        let states = initial.map(|(places, values)| {
            let phis = values.iter().zip(&function.locals).map(|(value, name)| {
                let phi = built(self.builder.build_phi(self.cx.f64_type(), name));
                phi.add_incoming(&[(value, from)]);
                phi
            });
            States { phis: phis.collect(), places }
        });
        for (idx, phi) in states.iter().flat_map(|states| states.phis.iter().enumerate()) {
            self.frame.variables[idx] = phi.as_basic_value().into_float_value();
        }
        let rows = columns.into_iter().enumerate().filter(|(idx, _)| !self.unit.scalars.contains(*idx));
        for (idx, column) in rows {
            let place = self.element(column, row);
            let name = &function.locals[n_states + idx];
            let value = built(self.builder.build_load(self.cx.f64_type(), place, name));
            let load = value.as_instruction_value().expect("a load is an instruction");
            self.set_scopes(load, "alias.scope", &[COLUMNS.to_owned()]);
            self.frame.variables[n_states + idx] = value.into_float_value();
        }
        self.rows = Some(RowLoop { first, row, n_rows, outs, states, n_done });
        self.begin_tail_calls();
    }

    /// The place of a field of the kernel's table.
    fn field(&self, table: PointerValue<'cx>, number: u32, name: &str) -> PointerValue<'cx> {
        let pointer = self.cx.ptr_type(AddressSpace::default()).into();
        let whole = self.cx.i64_type().into();
        let layout = self.cx.struct_type(&[pointer, pointer, pointer, whole, whole], false);
        built(self.builder.build_struct_gep(layout, table, number, name))
    }

    /// Loads a pointer to as many pointers as there are names, and those.
    fn pointers(&self, place: PointerValue<'cx>, name: &str, names: &[String]) -> Vec<PointerValue<'cx>> {
        let pointer = self.cx.ptr_type(AddressSpace::default());
        if names.is_empty() {
            return Vec::new();
        }
        let array = built(self.builder.build_load(pointer, place, name)).into_pointer_value();
        let layout = self.cx.struct_type(&vec![pointer.into(); names.len()], false);
        let load = |(idx, name): (usize, &String)| {
            let place = built(self.builder.build_struct_gep(layout, array, idx as u32, ""));
            built(self.builder.build_load(pointer, place, name)).into_pointer_value()
        };
        names.iter().enumerate().map(load).collect()
    }

    /// The places of the states, and their values before the first row.
    fn load_states(
        &self,
        table: PointerValue<'cx>,
        n_states: usize,
    ) -> (Vec<PointerValue<'cx>>, Vec<FloatValue<'cx>>) {
        let (double, pointer) = (self.cx.f64_type(), self.cx.ptr_type(AddressSpace::default()));
        let place = self.field(table, 2, "states.place");
        let array = built(self.builder.build_load(pointer, place, "states")).into_pointer_value();
        let layout = self.cx.struct_type(&vec![double.into(); n_states], false);
        let place = |idx| built(self.builder.build_struct_gep(layout, array, idx, "state.place"));
        let places: Vec<_> = (0..n_states as u32).map(place).collect();
        let load = |place: &PointerValue<'cx>| built(self.builder.build_load(double, *place, "state"));
        let values = places.iter().map(load).map(|value| value.into_float_value()).collect();
        (places, values)
    }

    /// Stores the results of a row, and continues with the next. A kernel that was invalidated
    /// returns instead.
    pub(super) fn end_kernel(&mut self, values: &[FloatValue<'cx>]) {
        let rows = self.rows.clone().expect("the code is a kernel");
        let next = self.store_results(&rows, values);
        let is_more = built(self.builder.build_int_compare(IntPredicate::NE, next, rows.n_rows, ""));
        let done = self.append("done");
        let mut n_done = rows.n_rows;
        if self.exits.is_some() {
            let more = self.append("more");
            built(self.builder.build_conditional_branch(is_more, more, done));
            self.enter(more);
            self.branch_if_invalid(done, rows.first);
            n_done = next;
        } else {
            built(self.builder.build_conditional_branch(is_more, rows.first, done));
        }
        rows.row.add_incoming(&[(&next, self.block)]);
        for (phi, value) in rows.states.iter().flat_map(|states| states.phis.iter().zip(values)) {
            phi.add_incoming(&[(value, self.block)]);
        }
        self.enter(done);
        self.return_rows(&rows, n_done, values);
    }

    /// Ends a kernel that was left inside a row, with the results of that row.
    pub(super) fn leave_kernel(&mut self, values: &[FloatValue<'cx>]) {
        let rows = self.rows.clone().expect("the code is a kernel");
        let n_done = self.store_results(&rows, values);
        self.return_rows(&rows, n_done, values);
    }

    /// Stores the results of a row. Returns the number of the next one.
    fn store_results(&self, rows: &RowLoop<'cx>, values: &[FloatValue<'cx>]) -> IntValue<'cx> {
        let n_outs = rows.outs.len();
        for (nth, (out, value)) in rows.outs.iter().zip(values).enumerate() {
            let place = self.element(*out, rows.row);
            let store = built(self.builder.build_store(place, *value));
            let others = (0..n_outs).filter(|other| *other != nth).map(out_scope);
            let others: Vec<_> = std::iter::once(COLUMNS.to_owned()).chain(others).collect();
            self.set_scopes(store, "noalias", &others);
            if n_outs > 1 {
                self.set_scopes(store, "alias.scope", &[out_scope(nth)]);
            }
            if rows.n_done.is_some() {
                // The row's results are there when it counts as done.
                store.set_volatile(true).expect("stores may be volatile");
            }
        }
        let one = self.cx.i64_type().const_int(1, false);
        let row = rows.row.as_basic_value().into_int_value();
        let next = built(self.builder.build_int_nuw_add(row, one, "next"));
        if let Some(place) = rows.n_done {
            // A signal may end the kernel at any instruction.
            let store = built(self.builder.build_store(place, next));
            store.set_volatile(true).expect("stores may be volatile");
        }
        next
    }

    /// Returns the number of rows that are done. These are the results of the last one.
    fn return_rows(&self, rows: &RowLoop<'cx>, n_done: IntValue<'cx>, values: &[FloatValue<'cx>]) {
        for (place, value) in rows.states.iter().flat_map(|states| states.places.iter().zip(values)) {
            built(self.builder.build_store(*place, *value));
        }
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

    /// Sets alias scopes on an access: `alias.scope` or `noalias`.
    fn set_scopes(&self, access: InstructionValue<'cx>, kind: &str, scopes: &[String]) {
        let text = |text: &str| BasicMetadataValueEnum::from(self.cx.metadata_string(text));
        let domain = self.cx.metadata_node(&[text("table")]);
        let scope = |name: &String| self.cx.metadata_node(&[text(name), domain.into()]).into();
        let scopes: Vec<_> = scopes.iter().map(scope).collect();
        let list = self.cx.metadata_node(&scopes);
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
