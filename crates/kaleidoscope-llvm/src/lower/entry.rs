//! Entries: how the module's function begins and ends, as a function or as an OSR entry. Kernels
//! are in `kernel.rs`.

use super::call::{function_attributes, signature};
use super::call_checks::CallChecks;
use super::counted_loop::find_counted_loops;
use super::loop_cost::find_costs;
use super::{
    CodeKind, DebugInfo, Exits, InlineFrame, Instance, Local, Lowering, References, Unit, built,
    find_select_ifs,
};
use inkwell::AddressSpace;
use inkwell::attributes::AttributeLoc;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::values::PointerValue;
use std::collections::{BTreeMap, HashMap};

impl<'cx, 'a> Lowering<'cx, 'a> {
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
            CodeKind::Osr(_) | CodeKind::Kernel(..) => {
                cx.f64_type().fn_type(&[cx.ptr_type(AddressSpace::default()).into()], false)
            }
        };
        let declared = module.get_function(symbol);
        let compiled = declared.unwrap_or_else(|| module.add_function(symbol, signature, None));
        for attribute in function_attributes(cx) {
            compiled.add_attribute(AttributeLoc::Function, attribute);
        }
        let zero = cx.f64_type().const_zero();
        let builder = cx.create_builder();
        let block = cx.append_basic_block(compiled, "entry");
        builder.position_at_end(block);
        let counted_loops = find_counted_loops(instances);
        let mut lowering = Self {
            cx,
            module,
            builder,
            unit,
            instances,
            references,
            functions: match &unit.inlining {
                Some(plan) => {
                    let inlinees = plan.functions().into_iter().skip(1).map(|(id, _)| id);
                    std::iter::once(unit.id).chain(inlinees).collect()
                }
                None => vec![unit.id],
            },
            select_ifs: find_select_ifs(instances),
            costs: find_costs(unit, instances, &counted_loops),
            counted_loops,
            call_checks: instances.iter().map(|instance| CallChecks::new(unit, instance)).collect(),
            is_checked: false,
            compiled,
            zero,
            rows: None,
            exits: None,
            osr_locals: None,
            read_ahead: BTreeMap::new(),
            counted: HashMap::new(),
            sincos: None,
            debug_info: DebugInfo::new(cx, module, root, compiled),
            block,
            stack: Vec::with_capacity(root.max_stack as usize),
            frame: InlineFrame::new(0, root, zero),
            callers: Vec::new(),
        };
        lowering.exits = Exits::new(&lowering);
        lowering
    }

    /// Assigns the parameters' values, or what an OSR entry or a kernel has instead.
    pub(super) fn begin(&mut self) {
        match self.unit.kind {
            CodeKind::Function => self.begin_function(),
            CodeKind::Osr(loop_number) => self.begin_osr(loop_number),
            CodeKind::Kernel(kind, form) => self.begin_kernel(kind, form),
        }
    }

    fn begin_function(&mut self) {
        self.begin_prologue();
        for (idx, parameter) in self.compiled.get_param_iter().enumerate() {
            let parameter = parameter.into_float_value();
            parameter.set_name(&self.frame.function.locals[idx]);
            self.frame.variables[idx] = parameter;
        }
        self.note_all_assigned((0..self.frame.function.n_params).map(Local::new));
        self.begin_tail_calls();
    }

    /// Loads the variables that the loop uses.
    fn begin_osr(&mut self, loop_number: usize) {
        self.begin_prologue();
        let function = self.frame.function;
        let facts = &function.facts().loops[loop_number];
        let mut used = vec![false; function.locals.len()];
        for op in &function.ops[facts.header.index()..=facts.next.index()] {
            if let Some(variable) = op.local() {
                used[variable.index()] = true;
            }
        }
        self.osr_locals = Some(used);
        for variable in &facts.variables(function) {
            let name = self.frame.name_of(*variable);
            let place = self.osr_variable(*variable);
            let value = built(self.builder.build_load(self.cx.f64_type(), place, name));
            self.frame.variables[variable.index()] = value.into_float_value();
        }
        self.note_all_assigned(facts.variables(function));
    }

    /// Ends the function or kernel. Its results are on the operand stack if the end is reachable.
    pub(super) fn end(&mut self, is_reachable: bool) {
        if self.rows.is_none() {
            let value = is_reachable.then(|| self.pop_number());
            self.return_value(value);
        } else if is_reachable {
            let values = self.pop_numbers(self.unit.function.n_results as usize);
            self.end_kernel(&values);
        }
    }

    /// Stores the variables that the loop assigns, and returns that the loop has ended.
    pub(super) fn end_osr(&mut self, loop_number: usize) {
        self.restore_location();
        let facts = self.frame.function.facts();
        for variable in &facts.assigned[facts.loops[loop_number].bracket] {
            let value = self.frame.variables[variable.index()];
            built(self.builder.build_store(self.osr_variable(*variable), value));
        }
        built(self.builder.build_return(Some(&self.cx.f64_type().const_float(1.0))));
    }

    /// The place of a variable in the memory that an OSR entry gets: a struct of all variables.
    fn osr_variable(&self, variable: Local) -> PointerValue<'cx> {
        let double = self.cx.f64_type().into();
        let layout = self.cx.struct_type(&vec![double; self.frame.function.locals.len()], false);
        let locals = self.compiled.get_first_param().expect("an OSR entry has a parameter");
        let field = variable.index() as u32;
        let name = format!("{}.place", self.frame.name_of(variable));
        built(self.builder.build_struct_gep(layout, locals.into_pointer_value(), field, &name))
    }
}
