//! Exits: checks of the validity flag, and the cold blocks that leave invalidated code.
//!
//! A check is one comparison of a byte in memory, and one branch. Behind the branch, an exit block
//! writes what can still be read of all active frames to an exit buffer. Then all exits jump to one
//! block, which calls the exit function and returns its result.
//!
//! The buffer is in the frame, as large as the largest exit needs, and all exits share it. If exits
//! allocated it when they are reached, LLVM would restore the stack pointer of valid code from the
//! frame pointer. That makes each return wait for memory: recursive code ran a quarter longer.
//! Values are converted for the buffer by the exit blocks: valid code computes nothing for its
//! exits.

use super::call::{enum_attribute, signature};
use super::inline::InlineFrame;
use super::{BasicBlock, CodeKind, FloatValue, FunctionValue, IntValue, Local, Lowering, OpIdx, References};
use super::{Operand, built};
use crate::symbols;
use inkwell::IntPredicate;
use inkwell::attributes::AttributeLoc;
use inkwell::values::{BasicMetadataValueEnum, BasicValue, MetadataValue, PhiValue, PointerValue};
use kaleidoscope_ir::compile::{Exit, ExitFrame, Invalidation, KernelKind, Unit, exit_argument};

/// How code of a unit is left when it is invalidated. `None` if it never is: rows of a plain kernel
/// are done soon.
pub(crate) fn invalidation(unit: &Unit) -> Option<Invalidation> {
    unit.invalidation.filter(|_| unit.kind != CodeKind::Kernel(KernelKind::Plain))
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
    /// Where all exits end. Made for the first one.
    end: Option<ExitEnd<'cx>>,
}

/// The block in which all exits end.
#[derive(Clone, Copy)]
struct ExitEnd<'cx> {
    block: BasicBlock<'cx>,
    /// The number of the exit.
    number: PhiValue<'cx>,
    /// The result of the exit function.
    value: FloatValue<'cx>,
}

impl<'cx> Exits<'cx> {
    pub(super) fn new(lowering: &Lowering<'cx, '_>) -> Option<Self> {
        let invalidation = invalidation(lowering.unit)?;
        let weight = |weight| lowering.cx.i32_type().const_int(weight, false).into();
        let kind = BasicMetadataValueEnum::from(lowering.cx.metadata_string("branch_weights"));
        let weights = lowering.cx.metadata_node(&[kind, weight(1), weight(1 << 20)]);
        Some(Self { invalidation, list: Vec::new(), weights, buffer: None, end: None })
    }

    pub(super) fn into_list(self) -> Vec<Exit> {
        self.list
    }
}

impl<'cx> Lowering<'cx, '_> {
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
            References::Addresses => self.address(flag),
            References::Symbols(_) => self.external(byte, &symbols::validity_flag(&self.unit.function.name)),
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

    /// Ends the current block: writes the state to a buffer and leaves.
    pub(super) fn leave(&mut self, next: OpIdx) {
        let (exit, values) = self.state(next);
        let whole = self.cx.i64_type();
        let fields: Vec<_> =
            std::iter::once(whole.into()).chain(values.iter().map(|_| self.cx.f64_type().into())).collect();
        let layout = self.cx.struct_type(&fields, false);
        let buffer = self.exit_buffer();
        let locals: IntValue<'cx> = match self.unit.kind {
            CodeKind::Osr(_) => {
                let locals = self.compiled.get_first_param().expect("an OSR entry has a parameter");
                built(self.builder.build_ptr_to_int(locals.into_pointer_value(), whole, ""))
            }
            CodeKind::Function | CodeKind::Kernel(_) => whole.const_zero(),
        };
        built(self.builder.build_store(buffer, locals));
        for (nth, value) in values.into_iter().enumerate() {
            let value = self.as_number(value);
            let place = built(self.builder.build_struct_gep(layout, buffer, nth as u32 + 1, ""));
            built(self.builder.build_store(place, value));
        }
        let end = self.exit_end();
        let number = self.cx.i32_type().const_int(self.exits().list.len() as u64, false);
        end.number.add_incoming(&[(&number, self.block)]);
        self.jump(end.block);
        self.exits_mut().list.push(exit);
    }

    /// What is still read of all active frames, if the current one continues at `next`.
    fn state(&self, next: OpIdx) -> (Exit, Vec<Operand<'cx>>) {
        let mut frames = Vec::with_capacity(self.callers.len() + 1);
        let mut values = Vec::new();
        let active: Vec<_> = self.callers.iter().chain([&self.frame]).collect();
        for (nth, frame) in active.iter().enumerate() {
            // A frame that called the next one continues behind the call.
            let (next, operands) = match active.get(nth + 1) {
                Some(inlinee) => (inlinee.returns_to, frame.operands_at..inlinee.operands_at),
                None => (next, frame.operands_at..self.stack.len()),
            };
            let locals = self.live_in(frame, next);
            values.extend(locals.iter().map(|local| Operand::Number(frame.variables[local.index()])));
            values.extend_from_slice(&self.stack[operands.clone()]);
            let n_operands = operands.len();
            frames.push(ExitFrame { instance: frame.instance, next, locals: locals.into(), n_operands });
        }
        (Exit { frames: frames.into() }, values)
    }

    /// The variables of the frame that are read behind `next`. An OSR entry has no values of those
    /// that only code behind its loop reads.
    fn live_in(&self, frame: &InlineFrame<'cx, '_>, next: OpIdx) -> Vec<Local> {
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
        let most = self.exits().list.iter().map(Exit::n_values).max().unwrap_or(0);
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
    fn exit_end(&mut self) -> ExitEnd<'cx> {
        if let Some(end) = self.exits().end {
            return end;
        }
        let exit = self.block;
        let block = self.append("leave");
        self.enter(block);
        let buffer = self.exit_buffer();
        let number = built(self.builder.build_phi(self.cx.i32_type(), "number"));
        let value = self.call_exit(buffer, number);
        match self.unit.kind {
            CodeKind::Kernel(_) => self.leave_kernel(value),
            CodeKind::Osr(_) => {
                built(self.builder.build_return(Some(&value)));
            }
            // `return_value` ends the block.
            CodeKind::Function => {}
        }
        let end = ExitEnd { block, number, value };
        self.exits_mut().end = Some(end);
        self.enter(exit);
        end
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
        let first = double.const_float(exit_argument(code_number, 0));
        let number = as_double(number.as_basic_value().into_int_value());
        let argument = built(self.builder.build_float_add(first, number, ""));
        let buffer = as_double(built(self.builder.build_ptr_to_int(buffer, self.cx.i64_type(), "")));
        let args = [argument.into(), buffer.into()];
        let call = match self.references {
            References::Addresses => {
                let exit = self.address(exit);
                built(self.builder.build_indirect_call(signature(self.cx, args.len()), exit, &args, ""))
            }
            References::Symbols(_) => {
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
