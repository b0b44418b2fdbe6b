//! Exits: checks of the validity flag, and the cold blocks that leave invalidated code.
//!
//! A check is one comparison of a byte in memory, and one branch. Behind the branch, an exit block
//! writes what can still be read of the innermost frame to an exit buffer. Inside an inlinee, it
//! goes on to a block that writes what can still be read of the caller: all exits of the inlinee
//! share that one, since they find the same values there. All ways end in one block, which calls
//! the exit function and returns its result.
//!
//! The buffer is in the frame, as large as the largest exit needs, and all exits share it. If exits
//! allocated it when they are reached, LLVM would restore the stack pointer of valid code from the
//! frame pointer. That makes each return wait for memory: recursive code ran a quarter longer.
//! Values are converted for the buffer by the exit blocks: valid code computes nothing for its
//! exits.
//!
//! The buffer's address has one use for each of its fields, however many exits there are. LLVM
//! rewrites each such use, and each time looks at all others: with addresses of their own, three
//! hundred exits took a second.

use super::call::{enum_attribute, signature};
use super::exit_step::{CallerStep, ExitStep};
use super::inline::InlineFrame;
use super::{BasicBlock, CodeKind, FloatValue, FunctionValue, IntValue, Local, Lowering, OpIdx, References};
use super::{Operand, built};
use crate::symbols;
use inkwell::attributes::AttributeLoc;
use inkwell::types::StructType;
use inkwell::values::{
    BasicMetadataValueEnum, BasicValue, LLVMTailCallKind, MetadataValue, PhiValue, PointerValue,
};
use inkwell::{AddressSpace, IntPredicate};
use kaleidoscope_ir::compile::{AccessSite, Exit, ExitFrame, Invalidation, TableWord, Unit};
use std::ops::Range;

/// How code of a unit is left when it is invalidated. `None` if it never is: rows of a plain kernel
/// are done soon.
pub(crate) fn invalidation(unit: &Unit) -> Option<Invalidation> {
    unit.invalidation.filter(|_| !unit.kind.is_plain_kernel())
}

/// The exits so far.
pub(super) struct Exits<'cx> {
    invalidation: Invalidation,
    list: Vec<Exit>,
    /// What tells LLVM that exits are cold.
    weights: MetadataValue<'cx>,
    /// The exit buffer. Until the code is complete, it has no room for values. Made for the first
    /// exit.
    buffer: Option<PointerValue<'cx>>,
    /// The layout of the exit buffer, for as many values as were needed so far.
    layout: StructType<'cx>,
    /// The addresses of the values in the exit buffer, as many as were needed so far.
    places: Vec<PointerValue<'cx>>,
    /// Where all exits end. Made for the first one.
    end: Option<ExitEnd<'cx>>,
}

/// The end of all exits.
#[derive(Clone, Copy)]
struct ExitEnd<'cx> {
    step: ExitStep<'cx>,
    /// The result of the exit function.
    value: FloatValue<'cx>,
    /// The block behind its call.
    block: BasicBlock<'cx>,
}

impl<'cx> Exits<'cx> {
    pub(super) fn new(lowering: &Lowering<'cx, '_>) -> Option<Self> {
        let invalidation = invalidation(lowering.unit)?;
        let weights = lowering.unlikely();
        let layout = lowering.cx.struct_type(&[], false);
        let (list, places) = (Vec::new(), Vec::new());
        Some(Self { invalidation, list, weights, buffer: None, layout, places, end: None })
    }

    pub(super) fn into_list(self) -> Vec<Exit> {
        self.list
    }
}

impl<'cx, 'a> Lowering<'cx, 'a> {
    /// The metadata that tells LLVM that the first target of a branch is cold.
    pub(super) fn unlikely(&self) -> MetadataValue<'cx> {
        let weight = |weight| self.cx.i32_type().const_int(weight, false).into();
        let kind = BasicMetadataValueEnum::from(self.cx.metadata_string("branch_weights"));
        self.cx.metadata_node(&[kind, weight(1), weight(1 << 20)])
    }

    /// Checks the flag. If it is set, the current function continues with the operation at `next`,
    /// in the interpreter. Only for code that has exits.
    pub(super) fn check(&mut self, next: OpIdx) {
        let valid = self.append("valid");
        self.check_before(valid, |lowering| lowering.leave(next));
        self.enter(valid);
        self.is_checked = true;
    }

    /// Checks the flag. Continues with the block `valid`, or with what `leave` makes. Only for code
    /// that has exits.
    pub(super) fn check_before(&mut self, valid: BasicBlock<'cx>, leave: impl FnOnce(&mut Self)) {
        let exit = self.append("exit");
        self.branch_if_invalid(exit, valid);
        let block = self.block;
        self.enter(exit);
        leave(self);
        self.enter(block);
    }

    /// Loads the flag and branches.
    ///
    /// The load is volatile instead of atomic, because LLVM compares memory directly only then. A
    /// byte has no halves, so on all machines a volatile load sees it as it was or as it is.
    pub(super) fn branch_if_invalid(&mut self, exit: BasicBlock<'cx>, valid: BasicBlock<'cx>) {
        let byte = self.cx.i8_type();
        let Invalidation { flag, .. } = self.exits().invalidation;
        let place = match self.references {
            References::Addresses | References::Table(_) => {
                self.address_or_word(flag, TableWord::ValidityFlag)
            }
            References::Symbols(_) | References::Linked(_) => {
                self.external(byte, &symbols::validity_flag(&self.unit.function.name))
            }
        };
        let flag = built(self.builder.build_load(byte, place, ""));
        let load = flag.as_instruction_value().expect("a load is an instruction");
        load.set_volatile(true).expect("loads may be volatile");
        let is_set = built(self.builder.build_int_compare(
            IntPredicate::NE,
            flag.into_int_value(),
            byte.const_zero(),
            "",
        ));
        let branch = built(self.builder.build_conditional_branch(is_set, exit, valid));
        let kind = self.cx.get_kind_id("prof");
        branch.set_metadata(self.exits().weights, kind).expect("branches may have weights");
    }

    /// Ends the current block: writes the state to the exit buffer and leaves.
    pub(super) fn leave(&mut self, next: OpIdx) {
        let exit = self.exit_at(next);
        let number = self.cx.i32_type().const_int(self.exits().list.len() as u64, false);
        self.exits_mut().list.push(exit);
        let innermost = self.callers.len();
        let (caller, n_written) = self.caller_step(innermost);
        let values = self.values_at(innermost, next);
        self.write(&values, n_written);
        self.go_on(caller, number);
    }

    /// What is active if the current function continues at `next`.
    fn exit_at(&self, next: OpIdx) -> Exit {
        let frame_at = |depth, next| {
            let frame = self.frame_at(depth);
            let n_operands = self.operands_at(depth).len();
            ExitFrame { instance: frame.instance, next, locals: self.live_in(frame, next).into(), n_operands }
        };
        let innermost = self.callers.len();
        let callers = (0..innermost).map(|depth| frame_at(depth, self.frame_at(depth + 1).returns_to));
        Exit { frames: callers.chain([frame_at(innermost, next)]).collect() }
    }

    /// Where the operation at this position is. In an inlinee of code that has exits, all active
    /// functions are known.
    pub(super) fn access_site(&mut self, at: OpIdx) -> AccessSite {
        if self.callers.is_empty() || self.exits.is_none() {
            return AccessSite::Function(self.functions[self.frame.instance]);
        }
        let innermost = self.callers.len();
        let frame_at = |depth: usize| {
            let next = if depth < innermost { self.frame_at(depth + 1).returns_to } else { at };
            let instance = self.frame_at(depth).instance;
            ExitFrame { instance, next, locals: Box::default(), n_operands: 0 }
        };
        let site = Exit { frames: (0..=innermost).map(frame_at).collect() };
        let exits = self.exits_mut();
        exits.list.push(site);
        AccessSite::Inlined { code_number: exits.invalidation.code_number, exit: exits.list.len() - 1 }
    }

    /// What exits of the frame at this depth go on to when they have written its values, and the
    /// number of values that are written there. These come first in the buffer.
    fn caller_step(&mut self, depth: usize) -> (ExitStep<'cx>, usize) {
        let Some(caller) = depth.checked_sub(1) else { return (self.exit_end(), 0) };
        let values = self.values_at(caller, self.frame_at(depth).returns_to);
        if let Some(known) = &self.frame_at(depth).caller_step
            && known.values == values
        {
            return (known.step, known.n_written);
        }
        let (next, n_before) = self.caller_step(caller);
        let from = self.block;
        let step = self.begin_step("exit.caller");
        self.write(&values, n_before);
        self.go_on(next, step.number.as_basic_value().into_int_value());
        self.enter(from);
        let n_written = n_before + values.len();
        let frame = self.callers.get_mut(depth).unwrap_or(&mut self.frame);
        frame.caller_step = Some(CallerStep { step, values, n_written });
        (step, n_written)
    }

    fn begin_step(&mut self, name: &str) -> ExitStep<'cx> {
        let block = self.append(name);
        self.enter(block);
        ExitStep { block, number: built(self.builder.build_phi(self.cx.i32_type(), "number")) }
    }

    /// Ends the current block of an exit.
    fn go_on(&self, step: ExitStep<'cx>, number: IntValue<'cx>) {
        step.number.add_incoming(&[(&number, self.block)]);
        self.jump(step.block);
    }

    /// The active frame at this depth: 0 is the outermost.
    fn frame_at(&self, depth: usize) -> &InlineFrame<'cx, 'a> {
        self.callers.get(depth).unwrap_or(&self.frame)
    }

    /// The place of the frame's operands on the operand stack.
    fn operands_at(&self, depth: usize) -> Range<usize> {
        let inner =
            if depth < self.callers.len() { self.frame_at(depth + 1).operands_at } else { self.stack.len() };
        self.frame_at(depth).operands_at..inner
    }

    /// What is still read of the frame at this depth if it continues at `next`.
    fn values_at(&self, depth: usize, next: OpIdx) -> Vec<Operand<'cx>> {
        let frame = self.frame_at(depth);
        let locals = self.live_in(frame, next).into_iter();
        let locals = locals.map(|local| Operand::Number(frame.variables[local.index()]));
        locals.chain(self.stack[self.operands_at(depth)].iter().copied()).collect()
    }

    /// Writes values to the exit buffer, behind as many others.
    fn write(&mut self, values: &[Operand<'cx>], n_before: usize) {
        for (nth, &value) in values.iter().enumerate() {
            let value = self.as_number(value);
            let place = self.exit_place(n_before + nth);
            let store = built(self.builder.build_store(place, value));
            // Otherwise LLVM looks for stores to merge, without success and for long.
            store.set_volatile(true).expect("stores may be volatile");
        }
    }

    /// The address of a value in the exit buffer. It is computed once, behind the allocation;
    /// LLVM's code generator moves it to where it is used.
    fn exit_place(&mut self, nth: usize) -> PointerValue<'cx> {
        let buffer = self.exit_buffer();
        if nth >= self.exits().places.len() {
            let layout = self.exit_layout(nth + 1);
            let allocation = buffer.as_instruction_value().expect("an allocation is an instruction");
            match allocation.get_next_instruction() {
                Some(next) => self.builder.position_before(&next),
                None => self.builder.position_at_end(allocation.get_parent().expect("it is in a block")),
            }
            for nth in self.exits().places.len()..=nth {
                let place = built(self.builder.build_struct_gep(layout, buffer, 1 + nth as u32, ""));
                self.exits_mut().places.push(place);
            }
            self.builder.position_at_end(self.block);
        }
        self.exits().places[nth]
    }

    /// The layout of an exit buffer with at least as many values. It seldom grows, and by a factor.
    fn exit_layout(&mut self, n_values: usize) -> StructType<'cx> {
        let known = self.exits().layout;
        if known.count_fields() as usize > n_values {
            return known;
        }
        let double = self.cx.f64_type().into();
        let values = std::iter::repeat_n(double, n_values.next_power_of_two());
        let fields: Vec<_> = std::iter::once(self.cx.i64_type().into()).chain(values).collect();
        let layout = self.cx.struct_type(&fields, false);
        self.exits_mut().layout = layout;
        layout
    }

    /// The variables of the frame that are read behind `next`. An OSR entry has no values of those
    /// that only code behind its loop reads.
    fn live_in(&self, frame: &InlineFrame<'cx, 'a>, next: OpIdx) -> Vec<Local> {
        let live = frame.function.liveness().expect("the unit is not too large").at(next);
        match &self.osr_locals {
            Some(used) if frame.instance == 0 => {
                live.iter().copied().filter(|local| used[local.index()]).collect()
            }
            _ => live.to_vec(),
        }
    }

    /// The exit buffer, in the frame.
    fn exit_buffer(&mut self) -> PointerValue<'cx> {
        if let Some(buffer) = self.exits().buffer {
            return buffer;
        }
        let buffer = self.allocate_in_frame(0);
        self.exits_mut().buffer = Some(buffer);
        buffer
    }

    /// Gives the exit buffer its size, now that all exits are known.
    pub(super) fn finish_exits(&mut self) {
        let Some(buffer) = self.exits.as_ref().and_then(|exits| exits.buffer) else { return };
        let n_arguments =
            if self.unit.continues_elsewhere() { self.unit.function.n_params as usize } else { 0 };
        let least = n_arguments.max(self.unit.n_results_of_exit());
        let most = self.exits().list.iter().map(Exit::n_values).fold(least, usize::max);
        let sized = self.allocate_in_frame(most);
        buffer.replace_all_uses_with(sized);
        buffer.as_instruction_value().expect("an allocation is an instruction").erase_from_basic_block();
    }

    /// Allocates a buffer for these values where the code begins, so it is a part of the frame.
    fn allocate_in_frame(&self, n_values: usize) -> PointerValue<'cx> {
        let entry = self.compiled.get_first_basic_block().expect("code begins with a block");
        match entry.get_first_instruction() {
            Some(first) => self.builder.position_before(&first),
            None => self.builder.position_at_end(entry),
        }
        let words = self.cx.i64_type().array_type(n_values as u32 + 1);
        let buffer = built(self.builder.build_alloca(words, "exit.buffer"));
        self.builder.position_at_end(self.block);
        buffer
    }

    /// The block in which all exits end.
    fn exit_end(&mut self) -> ExitStep<'cx> {
        if let Some(end) = self.exits().end {
            return end.step;
        }
        let from = self.block;
        let step = self.begin_step("leave");
        let buffer = self.exit_buffer();
        built(self.builder.build_store(buffer, self.locals_of_osr()));
        let value = self.call_exit(buffer, step.number);
        if self.unit.continues_elsewhere() {
            self.continue_elsewhere(buffer);
        }
        let end = ExitEnd { step, value, block: self.block };
        match self.unit.kind {
            CodeKind::Kernel(..) => {
                let values = self.results_of_exit(value);
                self.leave_kernel(&values);
            }
            CodeKind::Osr(_) => {
                built(self.builder.build_return(Some(&value)));
            }
            // `return_value` ends the block.
            CodeKind::Function => {}
        }
        self.exits_mut().end = Some(end);
        self.enter(from);
        step
    }

    /// The results of the row in which a kernel was left, behind the exit function, which returned
    /// this value.
    fn results_of_exit(&mut self, value: FloatValue<'cx>) -> Vec<FloatValue<'cx>> {
        match self.unit.n_results_of_exit() {
            0 => vec![value],
            n_results => {
                let load = |nth| {
                    let place = self.exit_place(nth);
                    built(self.builder.build_load(self.cx.f64_type(), place, "")).into_float_value()
                };
                (0..n_results).map(load).collect()
            }
        }
    }

    /// Ends in a tail call of the code that the exit function named, if it did.
    fn continue_elsewhere(&mut self, buffer: PointerValue<'cx>) {
        let double = self.cx.f64_type();
        let pointer = self.cx.ptr_type(AddressSpace::default());
        let code = built(self.builder.build_load(pointer, buffer, "code")).into_pointer_value();
        let none = built(self.builder.build_is_null(code, ""));
        let (elsewhere, completed) = (self.append("elsewhere"), self.append("completed"));
        built(self.builder.build_conditional_branch(none, completed, elsewhere));
        self.enter(elsewhere);
        let n_params = self.unit.function.n_params as usize;
        let layout = self.exit_layout(n_params);
        let argument = |nth| {
            let place = built(self.builder.build_struct_gep(layout, buffer, 1 + nth, ""));
            built(self.builder.build_load(double, place, "")).into()
        };
        let args: Vec<BasicMetadataValueEnum<'cx>> = (0..n_params as u32).map(argument).collect();
        let call = built(self.builder.build_indirect_call(signature(self.cx, n_params), code, &args, ""));
        // The frame that was left must not wait for it: the function may go on for ever, and be
        // left again and again.
        call.set_tail_call_kind(LLVMTailCallKind::LLVMTailCallKindMustTail);
        let value = call.try_as_basic_value().unwrap_basic();
        built(self.builder.build_return(Some(&value)));
        self.enter(completed);
    }

    /// The address of the locals that baseline code passed to an OSR entry; otherwise 0.
    fn locals_of_osr(&self) -> IntValue<'cx> {
        let whole = self.cx.i64_type();
        match self.unit.kind {
            CodeKind::Osr(_) => {
                let locals = self.compiled.get_first_param().expect("an OSR entry has a parameter");
                built(self.builder.build_ptr_to_int(locals.into_pointer_value(), whole, ""))
            }
            CodeKind::Function | CodeKind::Kernel(..) => whole.const_zero(),
        }
    }

    /// Ends a function and its exits. `None` if the end of the function is not reachable.
    ///
    /// All returns are in one block, because LLVM allocates the stack frame only on the paths that
    /// need one if it finds a single end of these.
    pub(super) fn return_value(&mut self, value: Option<FloatValue<'cx>>) {
        let end = self.exits.as_ref().and_then(|exits| exits.end);
        let returned = match (value, end) {
            (Some(value), Some(end)) => {
                let block = self.append("return");
                self.jump(block);
                let from = self.block;
                self.enter(end.block);
                self.jump(block);
                self.enter(block);
                self.joined((value, from), (end.value, end.block), "")
            }
            (Some(value), None) => value,
            (None, Some(end)) => {
                self.enter(end.block);
                end.value
            }
            (None, None) => return,
        };
        built(self.builder.build_return(Some(&returned)));
    }

    fn call_exit(&self, buffer: PointerValue<'cx>, number: PhiValue<'cx>) -> FloatValue<'cx> {
        let Invalidation { exit, code_number, .. } = self.exits().invalidation;
        let double = self.cx.f64_type();
        let as_double = |whole| built(self.builder.build_signed_int_to_float(whole, double, ""));
        let first = self.first_exit_argument(code_number);
        let number = as_double(number.as_basic_value().into_int_value());
        let argument = built(self.builder.build_float_add(first, number, ""));
        let buffer = as_double(built(self.builder.build_ptr_to_int(buffer, self.cx.i64_type(), "")));
        let args = [argument.into(), buffer.into()];
        let call = match self.references {
            References::Addresses | References::Table(_) => {
                let exit = self.address_or_word(exit, TableWord::ExitFunction);
                built(self.builder.build_indirect_call(signature(self.cx, args.len()), exit, &args, ""))
            }
            References::Symbols(_) | References::Linked(_) => {
                built(self.builder.build_direct_call(self.exit_function(args.len()), &args, ""))
            }
        };
        call.add_attribute(AttributeLoc::Function, enum_attribute(self.cx, "cold"));
        call.try_as_basic_value().unwrap_basic().into_float_value()
    }

    fn exit_function(&self, n_params: usize) -> FunctionValue<'cx> {
        let declared = self.module.get_function(symbols::EXIT);
        declared
            .unwrap_or_else(|| self.module.add_function(symbols::EXIT, signature(self.cx, n_params), None))
    }

    pub(super) fn exits(&self) -> &Exits<'cx> {
        self.exits.as_ref().expect("the code has exits")
    }

    fn exits_mut(&mut self) -> &mut Exits<'cx> {
        self.exits.as_mut().expect("the code has exits")
    }
}
