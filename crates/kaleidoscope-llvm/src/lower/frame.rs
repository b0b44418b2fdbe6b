//! The bodies that are being lowered: the root's, and in hot code those of the calls that have begun and not ended.

use super::branch::Open;
use super::{Facts, Local, Lowering, Op, Rc};
use inkwell::basic_block::BasicBlock;
use inkwell::values::{FloatValue, PhiValue};
use kaleidoscope_ir::Function;
use std::ops::Range;

/// A copy of an instance, as far as it has been lowered.
pub(super) struct Frame<'cx, 'a> {
    pub(super) instance: usize,
    pub(super) function: &'a Function,
    pub(super) shape: Rc<Facts>,
    /// The operations that are left.
    pub(super) ops: Range<usize>,
    pub(super) variables: Vec<FloatValue<'cx>>,
    pub(super) open: Vec<Open<'cx>>,
    /// How many brackets have been opened so far, those before the first operation included.
    pub(super) n_brackets: usize,
    /// Where tail calls jump to, with a phi for each parameter.
    pub(super) start: Option<(BasicBlock<'cx>, Vec<PhiValue<'cx>>)>,
}

impl<'cx, 'a> Frame<'cx, 'a> {
    /// The whole body. No variable has a value yet, so each is given this one.
    pub(super) fn new(
        instance: usize,
        function: &'a Function,
        shape: Rc<Facts>,
        value: FloatValue<'cx>,
    ) -> Self {
        Self {
            instance,
            function,
            shape,
            ops: 0..function.ops.len(),
            variables: vec![value; function.locals.len()],
            open: Vec::new(),
            n_brackets: 0,
            start: None,
        }
    }

    pub(super) fn next_op(&mut self) -> Option<Op> {
        self.ops.next().map(|at| self.function.ops[at])
    }

    pub(super) fn name_of(&self, variable: Local) -> &'a str {
        &self.function.locals[variable.index()]
    }
}

impl<'cx> Lowering<'cx, '_> {
    /// Goes on in a copy of the instance; [`leave_callee`](Self::leave_callee) comes back.
    pub(super) fn enter_callee(&mut self, instance: usize, args: &[FloatValue<'cx>]) {
        assert!(instance > self.frame.instance, "a body carries only instances behind its own");
        let function = self.instances[instance].function;
        assert_eq!(args.len(), function.n_params as usize, "a call has as many arguments as its instance");
        let mut frame = Frame::new(instance, function, self.shape_of(instance), self.zero);
        frame.variables[..args.len()].copy_from_slice(args);
        self.callers.push(std::mem::replace(&mut self.frame, frame));
        self.begin_tail_calls();
    }

    /// Goes on behind the call, with the result on the stack of values.
    pub(super) fn leave_callee(&mut self) {
        self.frame = self.callers.pop().expect("a caller waits");
        if self.block.is_none() {
            // A body that never returns. What follows is lowered into a block that nothing leads to.
            let never = self.append("never");
            self.enter(never);
            self.stack.push(super::Operand::Number(self.zero));
        }
    }

    /// Makes the block that tail calls come back to, if the body has any.
    pub(super) fn begin_tail_calls(&mut self) {
        if self.frame.shape.has_tail_call {
            let from = self.current();
            let start = self.append("start");
            self.jump(start);
            self.enter(start);
            let parameters = 0..self.frame.function.n_params;
            let phis = parameters.map(|idx| self.phi_of(Local::new(idx), from)).collect();
            self.frame.start = Some((start, phis));
        }
    }

    pub(super) fn tail_call(&mut self) {
        let args = self.pop_numbers(self.frame.function.n_params as usize);
        let (start, phis) = self.frame.start.as_ref().expect("the shape saw this tail call");
        let from = self.current();
        for (phi, arg) in phis.iter().zip(&args) {
            phi.add_incoming(&[(arg, from)]);
        }
        self.jump(*start);
        self.block = None;
    }

    pub(super) fn shape_of(&mut self, instance: usize) -> Rc<Facts> {
        let function = self.instances[instance].function;
        let shape = self.shapes[instance].get_or_insert_with(|| shape(function));
        Rc::clone(shape)
    }
}

pub(super) fn shape(function: &Function) -> Rc<Facts> {
    Rc::new(Facts::of(function, usize::MAX).expect("no number of phis is too large"))
}
