//! Inlining: continues lowering in the instance that replaces a call.

use super::exit_step::CallerStep;
use super::{Local, Lowering, OpIdx};
use inkwell::basic_block::BasicBlock;
use inkwell::values::{FloatValue, PhiValue};
use kaleidoscope_ir::Function;

/// One copy of an instance, while it is lowered.
pub(super) struct InlineFrame<'cx, 'a> {
    pub(super) instance: usize,
    pub(super) function: &'a Function,
    pub(super) variables: Vec<FloatValue<'cx>>,
    /// Where the frame's operands begin on the operand stack.
    pub(super) operands_at: usize,
    /// The position behind the call in the caller. 0 for the outermost frame.
    pub(super) returns_to: OpIdx,
    /// Whether something inlined may begin behind the frame, before the next call through a slot.
    pub(super) begins_behind: bool,
    /// Whether each path to the frame passes a check, if it has tail calls.
    pub(super) is_checked_before: bool,
    /// Where the frame's exits write the caller's values. Made for the first one.
    pub(super) caller_step: Option<CallerStep<'cx>>,
    /// The block that tail calls jump to, with a phi for each parameter.
    start: Option<(BasicBlock<'cx>, Vec<PhiValue<'cx>>)>,
}

impl<'cx, 'a> InlineFrame<'cx, 'a> {
    /// Variables that are not set yet have the given value.
    pub(super) fn new(instance: usize, function: &'a Function, value: FloatValue<'cx>) -> Self {
        let variables = vec![value; function.locals.len()];
        let returns_to = OpIdx::new(0);
        Self {
            instance,
            function,
            variables,
            operands_at: 0,
            returns_to,
            begins_behind: false,
            is_checked_before: false,
            caller_step: None,
            start: None,
        }
    }

    pub(super) fn name_of(&self, variable: Local) -> &'a str {
        &self.function.locals[variable.index()]
    }
}

impl<'cx, 'a> Lowering<'cx, 'a> {
    /// Begins a copy of the instance, in place of the call at `at`.
    pub(super) fn begin_inlinee(
        &mut self,
        instance: usize,
        args: &[FloatValue<'cx>],
        at: OpIdx,
    ) -> &'a Function {
        assert!(instance > self.frame.instance, "an instance contains only instances behind itself");
        let function = self.instances[instance].function;
        assert_eq!(args.len(), function.n_params as usize, "a call has as many arguments as its inlinee");
        let following = self.call_checks[self.frame.instance].behind(at);
        let frame = InlineFrame::new(instance, function, self.zero);
        let mut frame = InlineFrame {
            operands_at: self.stack.len(),
            returns_to: OpIdx::new(at.index() as u32 + 1),
            begins_behind: following.begins || following.ends && self.frame.begins_behind,
            ..frame
        };
        frame.variables[..args.len()].copy_from_slice(args);
        if function.facts().has_tail_call {
            frame.is_checked_before = std::mem::replace(&mut self.is_checked, false);
        }
        self.callers.push(std::mem::replace(&mut self.frame, frame));
        self.begin_inlined_frame(function, args);
        self.begin_tail_calls();
        function
    }

    /// Makes the block that tail calls jump to, if there are any.
    pub(super) fn begin_tail_calls(&mut self) {
        if self.frame.function.facts().has_tail_call {
            let from = self.block;
            let start = self.append("start");
            self.jump(start);
            self.enter(start);
            let parameters = 0..self.frame.function.n_params;
            let phis = parameters.map(|idx| self.phi_of(Local::new(idx), from)).collect();
            self.frame.start = Some((start, phis));
            self.note_all_assigned((0..self.frame.function.n_params).map(Local::new));
        }
    }

    pub(super) fn lower_tail_call(&mut self) {
        let args = self.pop_numbers(self.frame.function.n_params as usize);
        if self.exits.is_some() && !self.is_checked {
            // The jump has a block of its own: LLVM does not rotate a loop whose last block leaves
            // it.
            let again = self.append("again");
            self.check_before(again, |lowering| {
                let before = lowering.frame.variables.clone();
                lowering.frame.variables[..args.len()].copy_from_slice(&args);
                lowering.leave(OpIdx::new(0));
                lowering.frame.variables = before;
            });
            self.enter(again);
        }
        let (start, phis) = self.frame.start.as_ref().expect("the facts include this tail call");
        for (phi, arg) in phis.iter().zip(&args) {
            phi.add_incoming(&[(arg, self.block)]);
        }
        self.jump(*start);
    }
}
