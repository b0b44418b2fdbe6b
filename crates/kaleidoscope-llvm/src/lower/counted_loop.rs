//! Counted loops: `for i = 0, i < bound`, where nothing else assigns `i` and the bound is constant.
//! The first value is an integer: a number, or the variable of another counted loop around this one
//! plus or minus at most 1, as in `for j = i + 1, j < n`.
//!
//! The number of iterations is known when such a loop begins. An integer then counts them down, and
//! no iteration compares doubles. In short loops that saves a tenth of the time on processors that
//! compare and add in the same units. A variable that has no other use disappears; an exit from the
//! loop computes its value from the counter. The results are the same: integers are exact as
//! doubles up to 2⁵³, and a loop that counts further never ends.

use super::{Instance, Lowering, Region, built};
use inkwell::basic_block::BasicBlock;
use inkwell::values::{FloatValue, IntValue, PhiValue};
use inkwell::{FloatPredicate, IntPredicate};
use kaleidoscope_ir::facts::LoopFacts;
use kaleidoscope_ir::walk::emit_simple;
use kaleidoscope_ir::{Arithmetic, Function, Local, Op, OpIdx};
use std::collections::HashMap;
use std::ops::Range;

/// From this number on, a double plus one may be the same double.
const EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;

/// A counted loop. Its variable is an integer in each iteration: it begins as one, and each step
/// adds 1. Its absolute value is at most 2⁵³.
#[derive(Clone, Debug)]
pub(super) struct CountedLoop {
    variable: Local,
    /// The positions of the operations that compute the bound.
    bound: Range<usize>,
    /// The most iterations, if the bound consists of constants.
    most_iterations: Option<u64>,
    /// The least first value of the variable.
    least: f64,
}

/// The counted loops of a function.
#[derive(Clone, Debug)]
pub(super) struct CountedLoops(Vec<Option<CountedLoop>>);

impl CountedLoops {
    pub(super) fn new(function: &Function) -> Self {
        let loops = &function.facts().loops;
        let mut found: Vec<Option<CountedLoop>> = Vec::with_capacity(loops.len());
        // The loops around the current one that are counted, by variable.
        let mut around: HashMap<Local, usize> = HashMap::new();
        let mut open: Vec<usize> = Vec::new();
        for (number, facts) in loops.iter().enumerate() {
            while let Some(ended) = open.pop_if(|outer| loops[*outer].next < facts.header) {
                around.remove(&loops[ended].variable);
            }
            let least_of = |variable| found[*around.get(&variable)?].as_ref().map(|outer| outer.least);
            let counted = counted(function, facts, least_of);
            if counted.is_some() {
                // A loop inside that one is not counted by the same variable: it would assign it.
                around.insert(facts.variable, number);
                open.push(number);
            }
            found.push(counted);
        }
        Self(found)
    }

    fn at(&self, function: &Function, header: OpIdx) -> Option<&CountedLoop> {
        let loops = &function.facts().loops;
        self.0[loops.binary_search_by_key(&header, |found| found.header).ok()?].as_ref()
    }

    /// The most iterations of a counted loop, if its bound consists of constants.
    pub(super) fn most_iterations(&self, function: &Function, header: OpIdx) -> Option<u64> {
        self.at(function, header)?.most_iterations
    }
}

/// The counted loops of all instances.
pub(super) fn find_counted_loops(instances: &[Instance<'_>]) -> Vec<CountedLoops> {
    instances.iter().map(|instance| CountedLoops::new(instance.function)).collect()
}

/// The loop, if it is counted. `least_of` is the least value of a variable of a counted loop around
/// it.
fn counted(
    function: &Function,
    facts: &LoopFacts,
    least_of: impl Fn(Local) -> Option<f64>,
) -> Option<CountedLoop> {
    let ops = &*function.ops;
    let (header, next, variable) = (facts.header.index(), facts.next.index(), facts.variable);
    let least = least_first(&ops[..header], variable, least_of)?;
    let body = &ops[header + 1..next];
    let stays = |variable| body.iter().all(|op| op.assigned_local() != Some(variable));
    // The body ends with the step, the variable, the bound and `<`.
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
            Op::Get(_)
            | Op::Set(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::GetElement(_)
            | Op::SetElement(_)
            | Op::Drop
            | Op::Arithmetic(Arithmetic::Power | Arithmetic::Less)
            | Op::Call { .. }
            | Op::TailCall
            | Op::If { .. }
            | Op::Else { .. }
            | Op::End
            | Op::Loop
            | Op::Next { .. } => return None,
        }
    }
    if !before[..begin].ends_with(&[Op::Number(1.0), Op::Get(variable)]) || !stays(variable) {
        return None;
    }
    let bound = header + 1 + begin..next - 1;
    let most_iterations = most_iterations(&ops[bound.clone()], least);
    Some(CountedLoop { variable, bound, most_iterations, least })
}

/// The least value that the operations in front of a loop give its variable, if it is an integer: a
/// number, or the variable of a counted loop around this one, perhaps plus or minus 1. With more
/// than 1 the sum might exceed 2⁵³.
fn least_first(before: &[Op], variable: Local, least_of: impl Fn(Local) -> Option<f64>) -> Option<f64> {
    let before = before.strip_suffix(&[Op::Set(variable), Op::Drop])?;
    if let [.., Op::Number(first)] = *before {
        return (first.fract() == 0.0 && first.abs() <= EXACT).then_some(first);
    }
    let (outer, more) = if let [.., Op::Get(outer)] = *before {
        (outer, 0.0)
    } else if let [.., Op::Get(outer), Op::Number(more), Op::Arithmetic(Arithmetic::Add)]
    | [.., Op::Number(more), Op::Get(outer), Op::Arithmetic(Arithmetic::Add)] = *before
    {
        (outer, more)
    } else if let [.., Op::Get(outer), Op::Number(less), Op::Arithmetic(Arithmetic::Subtract)] = *before {
        (outer, -less)
    } else {
        return None;
    };
    let is_beside = more == 0.0 || more.abs() == 1.0;
    is_beside.then(|| least_of(outer)).flatten().map(|least| least + more)
}

/// The most iterations of a loop whose bound consists of constants.
fn most_iterations(bound: &[Op], least: f64) -> Option<u64> {
    let mut values = Vec::new();
    for op in bound {
        match *op {
            Op::Number(number) => values.push(number),
            Op::Arithmetic(arithmetic) => {
                let (right, left) = (values.pop()?, values.pop()?);
                values.push(arithmetic.apply(left, right, f64::powf));
            }
            Op::Square => {
                let value = values.pop()?;
                values.push(value * value);
            }
            // A variable. Nothing else is part of a bound.
            Op::Get(_)
            | Op::Set(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::GetElement(_)
            | Op::SetElement(_)
            | Op::Drop
            | Op::Call { .. }
            | Op::TailCall
            | Op::If { .. }
            | Op::Else { .. }
            | Op::End
            | Op::Loop
            | Op::Next { .. } => return None,
        }
    }
    let last = values.pop()?.ceil();
    (last <= EXACT).then(|| (last - least).max(0.0) as u64 + 1)
}

/// Whether an iteration of a counted loop reads the loop's variable for anything but the step and
/// the condition.
pub(super) fn is_read(function: &Function, counted: &LoopFacts) -> bool {
    let body = &function.ops[counted.header.index() + 1..counted.next.index()];
    body.iter().filter(|op| **op == Op::Get(counted.variable)).count() > 1
}

/// The integer that counts the iterations of a loop.
#[derive(Clone, Copy)]
pub(super) struct LoopCounter<'cx> {
    /// The number of iterations that are left, in a loop of strips those of the strip. This one is
    /// included.
    pub(super) left: PhiValue<'cx>,
    pub(super) n_iterations: NumberOfIterations<'cx>,
}

/// How often a loop runs, computed before it begins.
#[derive(Clone, Copy)]
pub(super) struct NumberOfIterations<'cx> {
    pub(super) n_iterations: IntValue<'cx>,
    /// The value of the variable in the first iteration.
    first: IntValue<'cx>,
}

impl<'cx, 'a> Lowering<'cx, 'a> {
    /// The number of iterations of a counted loop, computed in the block before the loop. `None`
    /// for other loops.
    pub(super) fn n_iterations(&mut self, region: Region<'a>) -> Option<NumberOfIterations<'cx>> {
        let counted = self.counted_loops[self.frame.instance].at(self.frame.function, region.header)?;
        let (variable, bound) = (counted.variable, counted.bound.clone());
        for op in &self.frame.function.ops[bound] {
            emit_simple(*op, self);
        }
        let bound = self.pop_number();
        // The loop compares the variable before the step, so it ends at the first integer that is
        // not less. It never reaches a bound above 2⁵³ or NaN.
        let last = self.call_intrinsic("llvm.ceil.f64", &[bound]);
        let whole = self.cx.i64_type();
        let saturating = "llvm.fptosi.sat.i64.f64";
        let convert = self.module.get_function(saturating).unwrap_or_else(|| {
            self.module.add_function(saturating, whole.fn_type(&[self.cx.f64_type().into()], false), None)
        });
        let last_whole = built(self.builder.build_direct_call(convert, &[last.into()], ""));
        let last_whole = last_whole.try_as_basic_value().unwrap_basic().into_int_value();
        // An integer of at most 2⁵³, so it needs no saturation.
        let first = self.frame.variables[variable.index()];
        let first = built(self.builder.build_float_to_signed_int(first, whole, "first"));
        let is_more = built(self.builder.build_int_compare(IntPredicate::SGT, last_whole, first, ""));
        let end = built(self.builder.build_select(is_more, last_whole, first, "")).into_int_value();
        let n_more = built(self.builder.build_int_sub(end, first, ""));
        let n_iterations = built(self.builder.build_int_add(n_more, whole.const_int(1, false), ""));
        let exact = self.cx.f64_type().const_float(EXACT);
        let ends = built(self.builder.build_float_compare(FloatPredicate::OLE, last, exact, ""));
        let never = whole.const_int(i64::MAX as u64, false);
        let n_iterations = built(self.builder.build_select(ends, n_iterations, never, "turns"));
        Some(NumberOfIterations { n_iterations: n_iterations.into_int_value(), first })
    }

    /// Makes the phi that counts down, in the loop's first block. `in_strip` is the number of
    /// iterations if they are not all.
    pub(super) fn count_down(
        &self,
        n_iterations: NumberOfIterations<'cx>,
        in_strip: Option<IntValue<'cx>>,
        from: BasicBlock<'cx>,
    ) -> LoopCounter<'cx> {
        let left = built(self.builder.build_phi(self.cx.i64_type(), "left"));
        left.add_incoming(&[(&in_strip.unwrap_or(n_iterations.n_iterations), from)]);
        LoopCounter { left, n_iterations }
    }

    /// Ends an iteration. Returns the number of iterations that are left.
    pub(super) fn count_iteration(&self, counter: LoopCounter<'cx>) -> IntValue<'cx> {
        let left = counter.left.as_basic_value().into_int_value();
        built(self.builder.build_int_sub(left, self.cx.i64_type().const_int(1, false), "left"))
    }

    /// Whether another iteration follows.
    pub(super) fn is_more(&self, left: IntValue<'cx>) -> IntValue<'cx> {
        built(self.builder.build_int_compare(IntPredicate::NE, left, self.cx.i64_type().const_zero(), ""))
    }

    /// The variable as an integer in the first iteration, or in the first one of a strip that
    /// begins when this number of iterations is left.
    ///
    /// In an endless loop the integer exceeds the variable, which stays at 2⁵³. Neither is an
    /// index then.
    pub(super) fn first_index(
        &self,
        NumberOfIterations { n_iterations, first }: NumberOfIterations<'cx>,
        left: Option<IntValue<'cx>>,
    ) -> IntValue<'cx> {
        let Some(left) = left else { return first };
        let n_done = built(self.builder.build_int_sub(n_iterations, left, ""));
        built(self.builder.build_int_add(first, n_done, ""))
    }

    /// Makes the phi that counts up, in the loop's first block. The loop's variable has its phi
    /// already.
    pub(super) fn phi_of_index(
        &mut self,
        region: Region<'a>,
        first: IntValue<'cx>,
        from: BasicBlock<'cx>,
    ) -> PhiValue<'cx> {
        let index = built(self.builder.build_phi(self.cx.i64_type(), "index"));
        index.add_incoming(&[(&first, from)]);
        let facts = self.frame.function.facts().loop_at(region.header).expect("the region is a loop");
        let variable = self.frame.variables[facts.variable.index()];
        self.counted.insert(variable, index.as_basic_value().into_int_value());
        index
    }

    /// The variable as an integer in the next iteration.
    pub(super) fn next_index(&self, index: PhiValue<'cx>) -> IntValue<'cx> {
        let one = self.cx.i64_type().const_int(1, false);
        built(self.builder.build_int_add(index.as_basic_value().into_int_value(), one, "index"))
    }

    /// The variable's value when this number of iterations is left. An endless loop's variable
    /// stays the same from 2⁵³ on.
    pub(super) fn counted_variable(
        &self,
        NumberOfIterations { n_iterations, first }: NumberOfIterations<'cx>,
        left: IntValue<'cx>,
    ) -> FloatValue<'cx> {
        let n_done = built(self.builder.build_int_sub(n_iterations, left, ""));
        let value = built(self.builder.build_int_add(first, n_done, ""));
        let exact = self.cx.i64_type().const_int(EXACT as u64, false);
        let is_exact = built(self.builder.build_int_compare(IntPredicate::SLT, value, exact, ""));
        let value = built(self.builder.build_select(is_exact, value, exact, "")).into_int_value();
        built(self.builder.build_signed_int_to_float(value, self.cx.f64_type(), ""))
    }
}
