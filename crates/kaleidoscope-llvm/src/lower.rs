//! Lowering: IR to LLVM IR, in one walk over the operations, in SSA form at once.
//!
//! Variables are not memory: lowering tracks the value that each variable has at the current
//! position. Where control flow joins, it makes a phi for each variable that the `if` or loop
//! assigns. So the module can be compiled without any pass, and no pass must remove loads and
//! stores first.
//!
//! At an inlined call lowering continues in the callee's operations, with the arguments and the
//! result on its operand stack. So no pass must inline calls first.
//!
//! The result of `<` stays a truth value until an operation needs a number. Most often none does.
//!
//! Code that can be invalidated checks its validity flag and leaves at an exit (`exit.rs`).
//! It checks behind calls that something inlined follows (`call_checks.rs`), and where an iteration
//! would end without a check: lowering tracks whether each path of an iteration passes one.

mod address_table;
mod branch;
pub(crate) mod call;
pub(crate) mod call_checks;
mod counted_loop;
mod debug_info;
mod element;
mod entry;
mod exit;
mod exit_step;
mod host_variable;
mod inline;
mod kernel;
mod loop_cost;
mod select;
mod sincos;

use branch::{OpenIf, OpenLoop};
use call_checks::CallChecks;
use counted_loop::CountedLoops;
use debug_info::DebugInfo;
use exit::Exits;
pub(crate) use exit::invalidation;
use inkwell::FloatPredicate;
use inkwell::basic_block::BasicBlock;
use inkwell::builder::{Builder, BuilderError};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::values::{FloatValue, FunctionValue, IntValue};
use inline::InlineFrame;
use kaleidoscope_ir::compile::{CodeKind, Exit, Instance, TableWord, Unit};
use kaleidoscope_ir::walk::{BackEdge, Emitter, Join, Region, walk, walk_loop};
use kaleidoscope_ir::{
    Arithmetic, Function, FunctionId, HostArray, HostVariable, Local, MathsFunction, OpIdx,
};
use kernel::RowLoop;
use loop_cost::Costs;
use select::{SelectIfs, find_select_ifs};
use sincos::SinCos;
use std::collections::{BTreeMap, HashMap};

/// How a module refers to slots and host variables.
#[derive(Clone, Copy, Debug)]
pub enum References<'a> {
    /// By address, for code that this process runs.
    Addresses,
    /// By the words of an address table with this layout, for relocatable code. Addresses in the
    /// unit are not used. The table is a section of the object: [`symbols::ADDRESS_SECTION`].
    ///
    /// [`symbols::ADDRESS_SECTION`]: crate::symbols::ADDRESS_SECTION
    Table(&'a [TableWord]),
    /// By symbol, for listings. Slots need the names of the functions.
    Symbols(&'a BTreeMap<FunctionId, String>),
    /// By symbol, for programs that are compiled ahead of time. The module has the functions and
    /// slots. Addresses in the unit are not used, and calls of maths functions have C's names.
    Linked(&'a BTreeMap<FunctionId, LinkedSymbol>),
}

/// What a call refers to in a module of several functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkedSymbol {
    /// The function of this symbol, which the module has defined or declared.
    Function(String),
    /// The variable of this symbol, which has the address of a function.
    Slot(String),
}

/// The module of a unit: one function named `symbol`, and declarations of what it uses. And the
/// exits of the code, none if the unit has no [`Invalidation`].
///
/// Ask [`effort`](crate::effort()) first whether LLVM will cope with the unit. The module has
/// neither data layout nor target: the compiler sets them.
///
/// # Panics
/// If the unit is an OSR entry for a loop that its function does not have, or
/// [`References::Symbols`] lack the name of a callee.
///
/// [`Invalidation`]: kaleidoscope_ir::compile::Invalidation
pub fn lower<'cx>(
    cx: &'cx Context,
    unit: &Unit,
    symbol: &str,
    references: References<'_>,
) -> (Module<'cx>, Vec<Exit>) {
    let module = cx.create_module(&unit.function.name);
    let exits = lower_into(cx, &module, unit, symbol, references);
    (module, exits)
}

/// Adds the unit's function to a module, in which it may be declared. Otherwise as [`lower`].
pub(crate) fn lower_into<'cx>(
    cx: &'cx Context,
    module: &Module<'cx>,
    unit: &Unit,
    symbol: &str,
    references: References<'_>,
) -> Vec<Exit> {
    let instances = unit.instances();
    let mut lowering = Lowering::new(cx, module, unit, &instances, symbol, references);
    lowering.begin();
    match unit.kind {
        CodeKind::Function | CodeKind::Kernel(..) => {
            let is_reachable = walk(&unit.function, &mut lowering);
            lowering.end(is_reachable);
        }
        CodeKind::Osr(loop_number) => {
            walk_loop(&unit.function, loop_number, &mut lowering);
            lowering.end_osr(loop_number);
        }
    }
    lowering.finish_exits();
    lowering.finish_sincos();
    if let Some(debug_info) = lowering.debug_info.take() {
        debug_info.finish();
    }
    lowering.exits.take().map_or(Vec::new(), Exits::into_list)
}

/// A value on the operand stack.
#[derive(Clone, Copy, PartialEq)]
enum Operand<'cx> {
    Number(FloatValue<'cx>),
    /// 1 or 0, as a truth value.
    Truth(IntValue<'cx>),
}

struct Lowering<'cx, 'a> {
    cx: &'cx Context,
    module: &'a Module<'cx>,
    builder: Builder<'cx>,
    unit: &'a Unit,
    instances: &'a [Instance<'a>],
    references: References<'a>,
    /// For each instance, the function's id. `None` for an expression.
    functions: Vec<Option<FunctionId>>,
    /// For each instance, the `if`s that become selects.
    select_ifs: Vec<SelectIfs>,
    /// For each instance, its counted loops.
    counted_loops: Vec<CountedLoops>,
    /// For each instance, what its loops cost.
    costs: Vec<Costs>,
    /// For each instance, which calls are followed by a check.
    call_checks: Vec<CallChecks>,
    /// Whether each path from the beginning of the iteration of the innermost loop (a tail call
    /// begins one, too) passes a check.
    is_checked: bool,
    /// The function that the module defines.
    compiled: FunctionValue<'cx>,
    zero: FloatValue<'cx>,
    /// The loop over the rows of a kernel.
    rows: Option<RowLoop<'cx>>,
    /// `None` if the code is never left before its end.
    exits: Option<Exits<'cx>>,
    /// For each local, whether the loop of an OSR entry uses it. `None` for other code.
    osr_locals: Option<Vec<bool>>,
    /// The host variables that a kernel reads before its rows.
    read_ahead: BTreeMap<HostVariable, FloatValue<'cx>>,
    /// The variables of counted loops, each as an integer too. For indices.
    counted: HashMap<FloatValue<'cx>, IntValue<'cx>>,
    /// The calls of C's `sincos`, in code that may call it.
    sincos: Option<SinCos<'cx>>,
    /// What debuggers must know. `None` if the function has no positions.
    debug_info: Option<DebugInfo<'cx>>,
    /// The block that code is appended to.
    block: BasicBlock<'cx>,
    stack: Vec<Operand<'cx>>,
    /// The instance that is being lowered.
    frame: InlineFrame<'cx, 'a>,
    /// The instances that it is inlined into, outermost first.
    callers: Vec<InlineFrame<'cx, 'a>>,
}

impl<'cx, 'a> Lowering<'cx, 'a> {
    /// The values of the variables that the region assigns.
    fn values_of(&self, region: Region<'a>) -> Vec<FloatValue<'cx>> {
        region.assigned.iter().map(|variable| self.frame.variables[variable.index()]).collect()
    }

    fn assign(&mut self, region: Region<'a>, values: &[FloatValue<'cx>]) {
        for (variable, value) in region.assigned.iter().zip(values) {
            self.frame.variables[variable.index()] = *value;
        }
    }

    fn append(&self, name: &str) -> BasicBlock<'cx> {
        self.cx.append_basic_block(self.compiled, name)
    }

    fn enter(&mut self, block: BasicBlock<'cx>) {
        self.builder.position_at_end(block);
        self.restore_location();
        self.block = block;
        if let Some(sincos) = &mut self.sincos {
            sincos.forget_block();
        }
    }

    fn jump(&self, block: BasicBlock<'cx>) {
        built(self.builder.build_unconditional_branch(block));
    }

    fn pop(&mut self) -> Operand<'cx> {
        self.stack.pop().expect("each operation finds its operands")
    }

    fn pop_number(&mut self) -> FloatValue<'cx> {
        let operand = self.pop();
        self.as_number(operand)
    }

    fn as_number(&self, operand: Operand<'cx>) -> FloatValue<'cx> {
        match operand {
            Operand::Number(number) => number,
            Operand::Truth(truth) => {
                built(self.builder.build_unsigned_int_to_float(truth, self.cx.f64_type(), ""))
            }
        }
    }

    fn pop_numbers(&mut self, n: usize) -> Vec<FloatValue<'cx>> {
        let mut numbers: Vec<_> = (0..n).map(|_| self.pop_number()).collect();
        numbers.reverse();
        numbers
    }

    /// Whether a condition holds: ordered and not zero.
    fn pop_truth(&mut self) -> IntValue<'cx> {
        match self.pop() {
            Operand::Truth(truth) => truth,
            Operand::Number(number) => {
                built(self.builder.build_float_compare(FloatPredicate::ONE, number, self.zero, ""))
            }
        }
    }
}

impl<'cx, 'a> Emitter<'a> for Lowering<'cx, 'a> {
    type If = OpenIf<'cx>;
    type Loop = OpenLoop<'cx>;

    fn begin_op(&mut self, at: OpIdx) {
        if self.debug_info.is_some() {
            self.set_location(at);
        }
    }

    fn number(&mut self, number: f64) {
        self.stack.push(Operand::Number(self.cx.f64_type().const_float(number)));
    }

    fn get(&mut self, variable: Local) {
        self.stack.push(Operand::Number(self.frame.variables[variable.index()]));
    }

    fn set(&mut self, variable: Local) {
        let value = self.pop_number();
        self.frame.variables[variable.index()] = value;
        // For readers of the LLVM IR. Constants have no names.
        if value.get_name().is_empty() {
            value.set_name(self.frame.name_of(variable));
        }
        self.note_assigned(variable);
        self.stack.push(Operand::Number(value));
    }

    fn get_host(&mut self, variable: HostVariable) {
        let value = match self.read_ahead.get(&variable) {
            Some(value) => *value,
            None => self.load_host(variable),
        };
        self.stack.push(Operand::Number(value));
    }

    fn set_host(&mut self, variable: HostVariable) {
        let value = self.pop_number();
        self.store_host(variable, value);
        self.stack.push(Operand::Number(value));
    }

    fn get_element(&mut self, at: OpIdx, array: HostArray) {
        let index = self.pop_number();
        let value = self.load_element(at, array, index);
        self.stack.push(Operand::Number(value));
    }

    fn set_element(&mut self, at: OpIdx, array: HostArray) {
        let value = self.pop_number();
        let index = self.pop_number();
        self.store_element(at, array, index, value);
        self.stack.push(Operand::Number(value));
    }

    fn drop_value(&mut self) {
        self.pop();
    }

    fn arithmetic(&mut self, arithmetic: Arithmetic) {
        let b = self.pop_number();
        let a = self.pop_number();
        if let Some(computed) = self.computed(arithmetic, a, b) {
            self.stack.push(Operand::Number(computed));
            return;
        }
        let builder = &self.builder;
        let value = match arithmetic {
            Arithmetic::Add => builder.build_float_add(a, b, ""),
            Arithmetic::Subtract => builder.build_float_sub(a, b, ""),
            Arithmetic::Multiply => builder.build_float_mul(a, b, ""),
            Arithmetic::Divide => builder.build_float_div(a, b, ""),
            Arithmetic::Power => {
                let value = self.call_maths(MathsFunction::Pow, &[a, b]);
                self.stack.push(Operand::Number(value));
                return;
            }
            Arithmetic::Less => {
                let less = built(builder.build_float_compare(FloatPredicate::ULT, a, b, ""));
                self.stack.push(Operand::Truth(less));
                return;
            }
        };
        let value = built(value);
        self.note_computed(arithmetic, [a, b], value);
        self.stack.push(Operand::Number(value));
    }

    fn square(&mut self) {
        let x = self.pop_number();
        self.stack.push(Operand::Number(x));
        self.stack.push(Operand::Number(x));
        self.arithmetic(Arithmetic::Multiply);
    }

    fn call(&mut self, at: OpIdx, callee: FunctionId, n_args: usize) -> Option<&'a Function> {
        let inlinee = self.instances[self.frame.instance].inlined(at);
        let args = self.pop_numbers(n_args);
        if let Some(inlinee) = inlinee {
            return Some(self.begin_inlinee(inlinee, &args, at));
        }
        self.call_target(at, callee, &args);
        None
    }

    fn end_inlinee(&mut self, is_reachable: bool) {
        self.is_checked |= self.frame.is_checked_before;
        self.frame = self.callers.pop().expect("an inlinee has a caller");
        self.end_inlined_frame();
        if !is_reachable {
            // The inlinee never returns. What follows goes to a block without predecessors.
            let never = self.append("never");
            self.enter(never);
            self.stack.push(Operand::Number(self.zero));
        }
    }

    fn tail_call(&mut self) {
        self.lower_tail_call();
    }

    fn begin_if(&mut self, region: Region<'a>) -> OpenIf<'cx> {
        let condition = self.pop_truth();
        if self.select_ifs[self.frame.instance].is_select[region.number] {
            OpenIf::Select { condition, first: None }
        } else {
            self.branch(condition, region)
        }
    }

    fn begin_else(&mut self, open: &mut OpenIf<'cx>, region: Region<'a>, is_reachable: bool) {
        match open {
            OpenIf::Select { first, .. } => *first = Some(self.pop()),
            OpenIf::Branch { otherwise, before, first } => {
                *first = is_reachable.then(|| self.end_branch(region));
                self.assign(region, &before.variables);
                self.is_checked = before.is_checked;
                self.enter(*otherwise);
            }
        }
    }

    fn end_if(&mut self, open: OpenIf<'cx>, region: Region<'a>, join: Join) {
        match open {
            OpenIf::Select { condition, first } => {
                self.select(condition, first.expect("an `if` has an `else`"));
            }
            OpenIf::Branch { first: Some(first), .. } => self.join(first, region, join),
            // The first branch ends in a tail call, so the second simply continues.
            OpenIf::Branch { first: None, .. } => {}
        }
    }

    fn begin_loop(&mut self, region: Region<'a>) -> OpenLoop<'cx> {
        self.lower_loop_header(region)
    }

    fn end_loop(&mut self, open: OpenLoop<'cx>, region: Region<'a>, back_edge: BackEdge<'_>) {
        self.lower_back_edge(&open, region, back_edge.variable);
    }
}

/// A builder's result. Builders fail only without a block or with values of the wrong type.
fn built<T>(result: Result<T, BuilderError>) -> T {
    result.expect("the builder has a block and all values have the right type")
}
