//! Conventions: what the prelude adds to the language besides functions and operators.
//!
//! A program has the conventions once [`Names::use_conventions`](crate::names::Names) has turned
//! them on. Without them, each of their words is an ordinary name.
//!
//! - Constants: a name that means no variable may mean a number.
//! - Words: `and`, `or`, `not` and `while` are keywords.
//! - `&&` and `||` evaluate their right operand only where it decides, and `**` is `^`.
//! - Functions of two arguments that take any number of them.

use crate::operator::{BinaryMeaning, BinaryOperator, POWER_PRECEDENCE, Sign};
use kaleidoscope_ir::Arithmetic;

/// The constants: each name with its value.
pub const CONSTANTS: &[(&str, f64)] = &[
    ("pi", std::f64::consts::PI),
    ("e", std::f64::consts::E),
    ("tau", std::f64::consts::TAU),
    ("inf", f64::INFINITY),
    ("nan", f64::NAN),
];

/// What a call with any number of arguments means, where a function takes two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ManyArguments {
    /// The function of the function of the first arguments and the last one: `f(f(a, b), c)`.
    Fold,
    /// The sum of the arguments divided by their number.
    Mean,
}

/// The functions of two arguments that take any number of them.
pub(crate) const MANY_ARGUMENTS: &[(&str, ManyArguments)] = &[
    ("min", ManyArguments::Fold),
    ("max", ManyArguments::Fold),
    ("sum", ManyArguments::Fold),
    ("avg", ManyArguments::Mean),
];

/// The operators that are no functions.
pub(crate) const OPERATORS: &[(Sign, BinaryOperator)] = &[
    (Sign::AND, BinaryOperator { precedence: 6, meaning: BinaryMeaning::And }),
    (Sign::OR, BinaryOperator { precedence: 5, meaning: BinaryMeaning::Or }),
    (
        Sign::STARS,
        BinaryOperator {
            precedence: POWER_PRECEDENCE,
            meaning: BinaryMeaning::Arithmetic(Arithmetic::Power),
        },
    ),
];

/// The least precedence of an operator that `not` takes into its operand: `not a == b` is
/// `!(a == b)`, and `not a and b` is `!a && b`.
pub(crate) const PRECEDENCE_IN_NOT: u8 = 7;

/// The value of the constant with this name.
pub(crate) fn constant(name: &str) -> Option<f64> {
    CONSTANTS.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
}
