//! The loops over the rows of a block, in the form that the compiler vectorizes: slices of one
//! length, no bounds to check, no branch inside.
//!
//! They are inlined into whatever runs them, so that an embedder can compile copies of them for
//! several instruction sets. No copy may contract a multiplication and an addition to one
//! operation: Rust never does that by itself.

use super::operation::{Exact, is_less};
use crate::Arithmetic;
use crate::op::holds;

/// A loop over the rows of a block, to be run by [`ColumnEnvironment::run_loop`].
///
/// [`ColumnEnvironment::run_loop`]: super::ColumnEnvironment::run_loop
#[derive(Debug)]
pub struct BlockLoop<'a>(pub(super) LoopKind<'a>);

#[derive(Debug)]
pub(super) enum LoopKind<'a> {
    Exact {
        exact: Exact,
        x: &'a [f64],
        out: &'a mut [f64],
    },
    /// Any operator but [`Arithmetic::Power`].
    Arithmetic {
        arithmetic: Arithmetic,
        x: Source<'a>,
        y: Source<'a>,
        out: &'a mut [f64],
    },
    Select {
        condition: &'a [f64],
        then: Source<'a>,
        otherwise: Source<'a>,
        out: &'a mut [f64],
    },
    SelectLess {
        left: Source<'a>,
        right: Source<'a>,
        then: Source<'a>,
        otherwise: Source<'a>,
        out: &'a mut [f64],
    },
}

/// Where a loop finds an operand: one value for each row, or one for all rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Rows(&'a [f64]),
    Uniform(f64),
}

impl BlockLoop<'_> {
    /// Runs the loop. Inlined, so it is compiled with the instructions that its caller may use.
    #[inline(always)]
    pub fn run(self) {
        match self.0 {
            LoopKind::Exact { exact, x, out } => run_exact(exact, x, out),
            LoopKind::Arithmetic { arithmetic, x, y, out } => run_arithmetic(arithmetic, x, y, out),
            LoopKind::Select { condition, then, otherwise, out } => {
                let condition = &condition[..out.len()];
                select_then(|row| holds(condition[row]), then, otherwise, out);
            }
            LoopKind::SelectLess { left, right, then, otherwise, out } => {
                run_select_less(left, right, then, otherwise, out);
            }
        }
    }
}

#[inline(always)]
fn run_exact(exact: Exact, x: &[f64], out: &mut [f64]) {
    // One loop for each operation.
    match exact {
        Exact::Square => map1(x, out, |x| Exact::Square.apply(x)),
        Exact::Sqrt => map1(x, out, |x| Exact::Sqrt.apply(x)),
        Exact::Fabs => map1(x, out, |x| Exact::Fabs.apply(x)),
        Exact::Floor => map1(x, out, |x| Exact::Floor.apply(x)),
        Exact::Ceil => map1(x, out, |x| Exact::Ceil.apply(x)),
        Exact::Trunc => map1(x, out, |x| Exact::Trunc.apply(x)),
        Exact::Round => map1(x, out, |x| Exact::Round.apply(x)),
        Exact::Rint => map1(x, out, |x| Exact::Rint.apply(x)),
    }
}

#[inline(always)]
fn run_arithmetic(arithmetic: Arithmetic, x: Source<'_>, y: Source<'_>, out: &mut [f64]) {
    match arithmetic {
        Arithmetic::Add => map2(x, y, out, |x, y| x + y),
        Arithmetic::Subtract => map2(x, y, out, |x, y| x - y),
        Arithmetic::Multiply => map2(x, y, out, |x, y| x * y),
        Arithmetic::Divide => map2(x, y, out, |x, y| x / y),
        Arithmetic::Less => map2(x, y, out, |x, y| f64::from(u8::from(is_less(x, y)))),
        Arithmetic::Power => unreachable!("a power is a call of a maths function"),
    }
}

#[inline(always)]
fn run_select_less(
    left: Source<'_>,
    right: Source<'_>,
    then: Source<'_>,
    otherwise: Source<'_>,
    out: &mut [f64],
) {
    let n = out.len();
    match (left, right) {
        (Source::Rows(left), Source::Rows(right)) => {
            let (left, right) = (&left[..n], &right[..n]);
            select_then(|row| is_less(left[row], right[row]), then, otherwise, out);
        }
        (Source::Rows(left), Source::Uniform(right)) => {
            let left = &left[..n];
            select_then(|row| is_less(left[row], right), then, otherwise, out);
        }
        (Source::Uniform(left), Source::Rows(right)) => {
            let right = &right[..n];
            select_then(|row| is_less(left, right[row]), then, otherwise, out);
        }
        (Source::Uniform(left), Source::Uniform(right)) => {
            select_then(|_| is_less(left, right), then, otherwise, out);
        }
    }
}

/// Selects `then` in the rows for which the condition holds.
#[inline(always)]
fn select_then(holds: impl Fn(usize) -> bool, then: Source<'_>, otherwise: Source<'_>, out: &mut [f64]) {
    let n = out.len();
    match (then, otherwise) {
        (Source::Rows(then), Source::Rows(otherwise)) => {
            let (then, otherwise) = (&then[..n], &otherwise[..n]);
            select(holds, |row| then[row], |row| otherwise[row], out);
        }
        (Source::Rows(then), Source::Uniform(otherwise)) => {
            let then = &then[..n];
            select(holds, |row| then[row], |_| otherwise, out);
        }
        (Source::Uniform(then), Source::Rows(otherwise)) => {
            let otherwise = &otherwise[..n];
            select(holds, |_| then, |row| otherwise[row], out);
        }
        (Source::Uniform(then), Source::Uniform(otherwise)) => select(holds, |_| then, |_| otherwise, out),
    }
}

/// Selects by bits. From an `if`, the compiler would select the place to load the value from, and
/// branch in each row.
#[inline(always)]
fn select(
    holds: impl Fn(usize) -> bool,
    then: impl Fn(usize) -> f64,
    otherwise: impl Fn(usize) -> f64,
    out: &mut [f64],
) {
    for (row, out) in out.iter_mut().enumerate() {
        let mask = u64::from(holds(row)).wrapping_neg();
        *out = f64::from_bits((then(row).to_bits() & mask) | (otherwise(row).to_bits() & !mask));
    }
}

#[inline(always)]
fn map1(x: &[f64], out: &mut [f64], f: impl Fn(f64) -> f64) {
    let n = out.len();
    for (out, &x) in out.iter_mut().zip(&x[..n]) {
        *out = f(x);
    }
}

#[inline(always)]
fn map2(x: Source<'_>, y: Source<'_>, out: &mut [f64], f: impl Fn(f64, f64) -> f64) {
    let n = out.len();
    match (x, y) {
        (Source::Rows(x), Source::Rows(y)) => {
            for ((out, &x), &y) in out.iter_mut().zip(&x[..n]).zip(&y[..n]) {
                *out = f(x, y);
            }
        }
        (Source::Rows(x), Source::Uniform(y)) => {
            for (out, &x) in out.iter_mut().zip(&x[..n]) {
                *out = f(x, y);
            }
        }
        (Source::Uniform(x), Source::Rows(y)) => {
            for (out, &y) in out.iter_mut().zip(&y[..n]) {
                *out = f(x, y);
            }
        }
        (Source::Uniform(x), Source::Uniform(y)) => out.fill(f(x, y)),
    }
}
