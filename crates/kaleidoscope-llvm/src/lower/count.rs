//! Loops that count: `for i = 0, i < bound`, where nothing else assigns `i` and the bound stays as it is.
//!
//! How often such a loop turns is known when it begins, so that a whole number can count its turns instead of comparing
//! doubles in each. In short loops that is a tenth of the time on processors that compare and add in the same units; a
//! variable that serves for nothing else is gone. The numbers are the same: whole numbers are exact as doubles up to
//! 2⁵³, and whoever counts further never arrives.

use super::{Lowering, Op, built};
use inkwell::basic_block::BasicBlock;
use inkwell::values::{IntValue, PhiValue};
use inkwell::{FloatPredicate, IntPredicate};
use kaleidoscope_ir::{Arithmetic, Function, Local};
use std::ops::Range;

/// From here on a double plus one may be the same double.
const EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;

/// The variable of a loop that counts, and the operations that make its bound, by the position of its `Loop`.
///
/// The beginning is a whole number and each step adds one, so the variable is always a whole number.
fn bound(function: &Function, header: usize) -> Option<(Local, Range<usize>)> {
    let ops = &*function.ops;
    let is_next = |op: &Op| matches!(op, Op::Next { header: of, .. } if of.index() == header);
    let next = header + ops[header..].iter().position(is_next)?;
    let Op::Next { variable, .. } = ops[next] else { return None };
    let [Op::Number(start), Op::Set(begun), Op::Drop] = ops[header.checked_sub(3)?..header] else {
        return None;
    };
    if begun != variable || start.fract() != 0.0 || start.abs() > EXACT {
        return None;
    }
    let body = &ops[header + 1..next];
    let stays = |kept: Local| {
        !body.iter().any(|op| matches!(op, Op::Set(set) | Op::Next { variable: set, .. } if *set == kept))
    };
    // Behind the body: the step, the variable, the bound, `<`.
    let (less, before) = body.split_last()?;
    if *less != Op::Arithmetic(Arithmetic::Less) {
        return None;
    }
    let mut n_wanted = 1;
    let mut begin = before.len();
    while n_wanted > 0 {
        begin = begin.checked_sub(1)?;
        match before[begin] {
            Op::Number(_) => n_wanted -= 1,
            Op::Get(kept) if kept != variable && stays(kept) => n_wanted -= 1,
            Op::Arithmetic(
                Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Multiply | Arithmetic::Divide,
            ) => n_wanted += 1,
            Op::Square => {}
            _ => return None,
        }
    }
    let counts = before[..begin].ends_with(&[Op::Number(1.0), Op::Get(variable)]) && stays(variable);
    counts.then(|| (variable, header + 1 + begin..next - 1))
}

impl<'cx> Lowering<'cx, '_> {
    /// How often the loop that begins turns, if it counts; made in the block before it.
    pub(super) fn turns(&mut self) -> Option<IntValue<'cx>> {
        let (variable, bound) = bound(self.frame.function, self.frame.ops.start - 1)?;
        for at in bound {
            self.lower_op(self.frame.function.ops[at]);
        }
        let bound = self.pop_number();
        // The test is whether the variable is less before it grows, so the first whole number that is not ends the
        // loop. A bound that is not reached in exact numbers, and NaN, is never reached.
        let last = self.call_intrinsic("llvm.ceil.f64", &[bound]);
        let whole = self.cx.i64_type();
        let saturating = "llvm.fptosi.sat.i64.f64";
        let convert = self.module.get_function(saturating).unwrap_or_else(|| {
            self.module.add_function(saturating, whole.fn_type(&[self.cx.f64_type().into()], false), None)
        });
        let [first, last_whole] = [self.frame.variables[variable.index()], last].map(|number| {
            let call = built(self.builder.build_direct_call(convert, &[number.into()], ""));
            call.try_as_basic_value().unwrap_basic().into_int_value()
        });
        let is_more = built(self.builder.build_int_compare(IntPredicate::SGT, last_whole, first, ""));
        let end = built(self.builder.build_select(is_more, last_whole, first, "")).into_int_value();
        let n_more = built(self.builder.build_int_sub(end, first, ""));
        let n_turns = built(self.builder.build_int_add(n_more, whole.const_int(1, false), ""));
        let exact = self.cx.f64_type().const_float(EXACT);
        let ends = built(self.builder.build_float_compare(FloatPredicate::OLE, last, exact, ""));
        let never = whole.const_int(i64::MAX as u64, false);
        Some(built(self.builder.build_select(ends, n_turns, never, "turns")).into_int_value())
    }

    /// Makes the phi that counts down, in the loop's first block.
    pub(super) fn count_down(&self, turns: IntValue<'cx>, from: BasicBlock<'cx>) -> PhiValue<'cx> {
        let left = built(self.builder.build_phi(self.cx.i64_type(), "left"));
        left.add_incoming(&[(&turns, from)]);
        left
    }

    /// Ends a turn: whether there is another one.
    pub(super) fn counted(&self, left: PhiValue<'cx>) -> IntValue<'cx> {
        let whole = self.cx.i64_type();
        let one = whole.const_int(1, false);
        let less = built(self.builder.build_int_sub(left.as_basic_value().into_int_value(), one, "left"));
        left.add_incoming(&[(&less, self.current())]);
        built(self.builder.build_int_compare(IntPredicate::NE, less, whole.const_zero(), ""))
    }
}
