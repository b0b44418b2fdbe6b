//! Which calls are followed by a check of the validity flag.
//!
//! Any function may run inside a call through a slot, also one that redefines what the code has
//! inlined. That matters only if something inlined begins before the next call through a slot and
//! before the end: another function's body, a maths function, or the next iteration. A call through
//! a slot is never stale, and a function that has begun goes on in its own version.
//!
//! The check is directly behind the call, so paths without a call pass none.

use super::Instance;
use kaleidoscope_ir::compile::{CallTarget, Unit};
use kaleidoscope_ir::{Op, OpIdx};

/// What may follow the calls of an instance.
#[derive(Clone, Debug)]
pub(crate) struct CallChecks {
    /// For each call, from the last to the first.
    calls: Vec<(OpIdx, Following)>,
}

/// What may follow before the next call through a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Following {
    /// Something inlined may begin.
    pub(crate) begins: bool,
    /// The end of the instance may be reached.
    pub(crate) ends: bool,
}

const BEGINS: Following = Following { begins: true, ends: false };
/// A call through a slot.
pub(crate) const CALLS: Following = Following { begins: false, ends: false };

impl CallChecks {
    /// What may follow the call at this position.
    pub(crate) fn behind(&self, at: OpIdx) -> Following {
        let found = self.calls.binary_search_by(|(call, _)| at.cmp(call));
        self.calls[found.expect("the operation is a call")].1
    }

    pub(crate) fn new(unit: &Unit, instance: &Instance<'_>) -> Self {
        let mut calls = Vec::new();
        let mut following = Following { begins: false, ends: true };
        // For each open `if`, what follows it; then its second branch.
        let mut ifs = Vec::new();
        for (at, op) in instance.function.ops.iter().enumerate().rev() {
            match *op {
                Op::Call { callee, .. } => {
                    let at = OpIdx::new(at as u32);
                    let is_inlined = instance.inlined(at).is_some();
                    calls.push((at, following));
                    following = match unit.call_targets.get(&callee) {
                        Some(CallTarget::Slot { .. }) if !is_inlined => CALLS,
                        _ => BEGINS,
                    };
                }
                Op::TailCall | Op::Next { .. } | Op::Loop => following = BEGINS,
                Op::End => ifs.push(following),
                Op::Else { .. } => std::mem::swap(&mut following, ifs.last_mut().expect("brackets match")),
                Op::If { .. } => {
                    let second = ifs.pop().expect("brackets match");
                    following.begins |= second.begins;
                    following.ends |= second.ends;
                }
                Op::Number(_)
                | Op::Get(_)
                | Op::Set(_)
                | Op::GetHost(_)
                | Op::SetHost(_)
                | Op::GetElement(_)
                | Op::SetElement(_)
                | Op::Drop
                | Op::Arithmetic(_)
                | Op::Square => {}
            }
        }
        Self { calls }
    }
}
