//! Operations of the function that the resolver is making, with the height of the stack.

use crate::syntax::clear;
use kaleidoscope_ir::{Op, OpIdx};

#[derive(Debug, Default)]
pub(super) struct OpBuffer {
    ops: Vec<Op>,
    height: u32,
    max_height: u32,
}

impl OpBuffer {
    pub(super) fn clear(&mut self) {
        clear(&mut self.ops);
        self.height = 0;
        self.max_height = 0;
    }

    pub(super) fn emit(&mut self, op: Op) -> OpIdx {
        let idx = OpIdx::new(self.ops.len() as u32);
        self.ops.push(op);
        // The height behind a tail call does not matter: the end of the branch sets the height.
        let (taken, left) = op.stack_effect(0);
        self.height = self.height - taken + left;
        self.max_height = self.max_height.max(self.height);
        idx
    }

    pub(super) fn patch(&mut self, idx: OpIdx, op: Op) {
        self.ops[idx.index()] = op;
    }

    pub(super) fn height(&self) -> u32 {
        self.height
    }

    pub(super) fn set_height(&mut self, height: u32) {
        self.height = height;
    }

    pub(super) fn max_height(&self) -> u32 {
        self.max_height
    }

    pub(super) fn n_ops(&self) -> usize {
        self.ops.len()
    }

    pub(super) fn ops(&self) -> &[Op] {
        &self.ops
    }
}
