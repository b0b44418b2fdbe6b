//! Operations of the column interpreter, over operands of any kind: values while a function is
//! lowered, slots when it runs, uniforms.
//!
//! Each operation has one result for each row and has no effect. Only gathering elements may fail.

use super::ColumnEnvironment;
use crate::op::holds;
use crate::{Arithmetic, HostArray, HostVariable, MathsFunction};

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation<V> {
    Copy(V),
    Exact(Exact, V),
    /// Any operator but [`Arithmetic::Power`].
    Arithmetic(Arithmetic, V, V),
    /// `then` where the condition holds, elsewhere `otherwise`.
    Select {
        condition: V,
        then: V,
        otherwise: V,
    },
    /// `then` where the left value is less than the right one or unordered, elsewhere `otherwise`.
    SelectLess {
        left: V,
        right: V,
        then: V,
        otherwise: V,
    },
    /// A call of a function of C's maths library with one parameter.
    Maths1(MathsFunction, V),
    /// The same with two parameters.
    Maths2(MathsFunction, V, V),
    /// The elements of an array of the host that the indices mean. It fails where an index means
    /// none: then all results are of no use.
    Gather(HostArray, V),
}

/// Operations of one operand whose result is exact by definition, so that an instruction gives the
/// bits of C's function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Exact {
    Square,
    Sqrt,
    Fabs,
    Floor,
    Ceil,
    Trunc,
    Round,
    Rint,
}

impl Exact {
    /// The operation that computes the maths function, if one does.
    pub(super) fn of_maths(function: MathsFunction) -> Option<Self> {
        match function {
            MathsFunction::Sqrt => Some(Self::Sqrt),
            MathsFunction::Fabs => Some(Self::Fabs),
            MathsFunction::Floor => Some(Self::Floor),
            MathsFunction::Ceil => Some(Self::Ceil),
            MathsFunction::Trunc => Some(Self::Trunc),
            MathsFunction::Round => Some(Self::Round),
            MathsFunction::Rint => Some(Self::Rint),
            _ => None,
        }
    }

    #[inline(always)]
    pub(super) fn apply(self, x: f64) -> f64 {
        match self {
            Self::Square => x * x,
            Self::Sqrt => x.sqrt(),
            Self::Fabs => x.abs(),
            Self::Floor => x.floor(),
            Self::Ceil => x.ceil(),
            Self::Trunc => x.trunc(),
            Self::Round => x.round(),
            Self::Rint => x.round_ties_even(),
        }
    }
}

/// A value that is the same in all rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Uniform {
    /// A number, by its bits.
    Number(u64),
    Variable(HostVariable),
    /// The value of a parameter that is a scalar.
    Scalar(u32),
    /// An operation on uniforms with lower numbers.
    Operation(Operation<u32>),
}

impl<V: Copy> Operation<V> {
    /// The same operation on other operands.
    pub(super) fn map<W>(self, mut operand: impl FnMut(V) -> W) -> Operation<W> {
        match self {
            Self::Copy(x) => Operation::Copy(operand(x)),
            Self::Exact(exact, x) => Operation::Exact(exact, operand(x)),
            Self::Arithmetic(arithmetic, x, y) => Operation::Arithmetic(arithmetic, operand(x), operand(y)),
            Self::Select { condition, then, otherwise } => Operation::Select {
                condition: operand(condition),
                then: operand(then),
                otherwise: operand(otherwise),
            },
            Self::SelectLess { left, right, then, otherwise } => Operation::SelectLess {
                left: operand(left),
                right: operand(right),
                then: operand(then),
                otherwise: operand(otherwise),
            },
            Self::Maths1(function, x) => Operation::Maths1(function, operand(x)),
            Self::Maths2(function, x, y) => Operation::Maths2(function, operand(x), operand(y)),
            Self::Gather(array, x) => Operation::Gather(array, operand(x)),
        }
    }

    pub(super) fn operands(self) -> impl Iterator<Item = V> {
        let operands = match self {
            Self::Copy(x) | Self::Exact(_, x) | Self::Maths1(_, x) | Self::Gather(_, x) => {
                [Some(x), None, None, None]
            }
            Self::Arithmetic(_, x, y) | Self::Maths2(_, x, y) => [Some(x), Some(y), None, None],
            Self::Select { condition, then, otherwise } => {
                [Some(condition), Some(then), Some(otherwise), None]
            }
            Self::SelectLess { left, right, then, otherwise } => {
                [Some(left), Some(right), Some(then), Some(otherwise)]
            }
        };
        operands.into_iter().flatten()
    }

    pub(super) fn is_gather(self) -> bool {
        matches!(self, Self::Gather(..))
    }

    /// The time for a row, as a multiple of an addition's.
    pub(super) fn cost(self) -> usize {
        match self {
            Self::Copy(_) | Self::Select { .. } | Self::SelectLess { .. } => 1,
            Self::Exact(exact, _) => match exact {
                Exact::Square | Exact::Fabs => 1,
                Exact::Floor | Exact::Ceil | Exact::Trunc | Exact::Rint => 2,
                Exact::Round | Exact::Sqrt => 5,
            },
            Self::Arithmetic(arithmetic, ..) => match arithmetic {
                Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Multiply => 1,
                // Mostly becomes part of a select.
                Arithmetic::Less => 0,
                Arithmetic::Divide => 4,
                Arithmetic::Power => MATHS_COST,
            },
            Self::Maths1(..) | Self::Maths2(..) => MATHS_COST,
            // As much, so that no row gathers that does not take the branch.
            Self::Gather(..) => MATHS_COST,
        }
    }
}

/// Whether [`Arithmetic::Less`] gives 1: less or unordered, in one comparison.
#[inline(always)]
pub(super) fn is_less(left: f64, right: f64) -> bool {
    let is_greater_or_equal = left >= right;
    !is_greater_or_equal
}

/// The cost of calling a maths function.
const MATHS_COST: usize = 100;

impl Operation<f64> {
    /// The result for one row.
    pub(super) fn apply(self, env: &(impl ColumnEnvironment + ?Sized)) -> f64 {
        let maths = |function, args: &[&[f64]]| {
            let mut out = [0.0];
            env.maths(function, args, &mut out);
            out[0]
        };
        match self {
            Self::Copy(x) => x,
            Self::Exact(exact, x) => exact.apply(x),
            Self::Arithmetic(arithmetic, x, y) => {
                arithmetic.apply(x, y, |x, y| maths(MathsFunction::Pow, &[&[x], &[y]]))
            }
            Self::Select { condition, then, otherwise } => {
                if holds(condition) {
                    then
                } else {
                    otherwise
                }
            }
            Self::SelectLess { left, right, then, otherwise } => {
                if is_less(left, right) {
                    then
                } else {
                    otherwise
                }
            }
            Self::Maths1(function, x) => maths(function, &[&[x]]),
            Self::Maths2(function, x, y) => maths(function, &[&[x], &[y]]),
            Self::Gather(..) => unreachable!("elements are gathered for each row"),
        }
    }
}
