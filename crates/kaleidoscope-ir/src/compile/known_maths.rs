//! Calls of maths functions with constant arguments, made once when code is made.
//!
//! The engine makes these calls with the functions of C's library that the code would call, in the
//! same process, and lists the results in the unit. So the bits are equal, and no compiler computes
//! a maths function by its own arithmetic. Where a code generator finds a call whose arguments are
//! constants, it asks the list. It may find fewer such calls than the list has: an entry is true
//! wherever it is used.
//!
//! A call that the list replaces is still one of the unit's
//! [call targets](super::Unit::call_targets). So a redefinition of the function invalidates the
//! code.

use crate::MathsFunction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The results of calls, by function and arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMaths(BTreeMap<(MathsFunction, Box<[u64]>), u64>);

impl KnownMaths {
    /// The result of a call with these arguments.
    pub fn result(&self, function: MathsFunction, args: &[f64]) -> Option<f64> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(function, bits(args))).map(|&result| f64::from_bits(result))
    }

    /// The number of results.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no results.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The result of a call with these arguments. Makes the call if it was not made before.
    pub(super) fn result_or_call(
        &mut self,
        function: MathsFunction,
        args: &[f64],
        call: impl FnOnce() -> f64,
    ) -> f64 {
        f64::from_bits(*self.0.entry((function, bits(args))).or_insert_with(|| call().to_bits()))
    }
}

fn bits(args: &[f64]) -> Box<[u64]> {
    args.iter().map(|arg| arg.to_bits()).collect()
}
