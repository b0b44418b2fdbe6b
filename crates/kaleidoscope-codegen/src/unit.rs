//! What to make code of: a function, or hot code with the bodies of others in it.

use crate::Plan;
use kaleidoscope_lang::code::{Function, FunctionId};
use kaleidoscope_lang::maths::MathsFunction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A function or a top-level expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// What it does.
    pub function: Arc<Function>,
    /// The function's own id, by which it calls itself; none for an expression.
    pub id: Option<FunctionId>,
    /// Counts the definitions of the name, from 1.
    pub version: u32,
    /// What stands behind each function that it calls.
    pub callees: BTreeMap<FunctionId, Callee>,
}

impl Unit {
    /// What stands behind a function that this one calls.
    ///
    /// # Panics
    /// If it calls no such function.
    pub fn callee(&self, id: FunctionId) -> Callee {
        *self.callees.get(&id).expect("the unit was made of the function's own calls")
    }
}

/// What a call is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Callee {
    /// A call of whatever the slot at this address points to; the slot is aligned to 8, and valid as long as the code.
    Slot {
        /// Where the slot is.
        address: usize,
    },
    /// An instruction, or a direct call of the C library.
    Maths(MathsFunction),
}

/// A function that has become hot, or a loop of it, with the bodies that are to be part of its code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HotUnit {
    /// The function itself first.
    pub root: Arc<Unit>,
    /// What stands behind functions that are called and not carried, whichever body calls them.
    pub callees: BTreeMap<FunctionId, Callee>,
    /// The bodies.
    pub plan: Plan,
    /// What the code is.
    pub part: Part,
}

impl HotUnit {
    /// What stands behind a function that is called and whose body is not carried there.
    ///
    /// # Panics
    /// If none calls it.
    pub fn callee(&self, id: FunctionId) -> Callee {
        *self.callees.get(&id).expect("the unit was made of all calls in it")
    }
}

/// How much of a function some code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Part {
    /// All of it: takes as many doubles as the function has parameters and returns one.
    Whole,
    /// What remains of the loop of this number, in order of appearance from 0, from the beginning of any of its turns until the
    /// loop has ended. It takes the address of as many doubles as the function has variables, each at its place, and
    /// returns nothing. The variables that were set before the loop hold their values there; when the code
    /// returns, those of them that the loop assigns hold their last.
    Loop(usize),
}

impl Part {
    /// The loop's number, if it is the rest of a loop.
    pub fn of_loop(self) -> Option<usize> {
        match self {
            Self::Whole => None,
            Self::Loop(nth) => Some(nth),
        }
    }
}
