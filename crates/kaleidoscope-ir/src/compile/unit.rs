//! What to make code of: a function, or hot code with the bodies of others in it.

use super::InliningPlan;
use crate::maths::MathsFunction;
use crate::{Function, FunctionId, HostVariable};
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
    /// Where each variable of the host is that it uses.
    pub variables: BTreeMap<HostVariable, Variable>,
}

impl Unit {
    /// What stands behind a function that this one calls.
    ///
    /// # Panics
    /// If it calls no such function.
    pub fn callee(&self, id: FunctionId) -> Callee {
        *self.callees.get(&id).expect("the unit was made of the function's own calls")
    }

    /// A variable of the host that this function uses.
    ///
    /// # Panics
    /// If it uses no such variable.
    pub fn variable(&self, id: HostVariable) -> &Variable {
        self.variables.get(&id).expect("the unit was made of the function's own operations")
    }
}

/// A variable of the host: a double that code reads and writes where it is, each time anew, as an atomic without order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name, for listings.
    pub name: Arc<str>,
    /// Where it is: aligned to 8, and valid as long as the code.
    pub address: usize,
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
    /// Where the variables of the host are, whichever body uses them.
    pub variables: BTreeMap<HostVariable, Variable>,
    /// The bodies.
    pub plan: InliningPlan,
    /// What the code is.
    pub part: CodeKind,
    /// What may stand for calls of C's maths functions where several rows are computed at once. Only for
    /// [`KernelKind::Plain`]; without any the bits are those of single calls.
    pub vector_maths: Vec<VectorMaths>,
}

impl HotUnit {
    /// What stands behind a function that is called and whose body is not carried there.
    ///
    /// # Panics
    /// If none calls it.
    pub fn callee(&self, id: FunctionId) -> Callee {
        *self.callees.get(&id).expect("the unit was made of all calls in it")
    }

    /// A variable of the host that one of the bodies uses.
    ///
    /// # Panics
    /// If none uses it.
    pub fn variable(&self, id: HostVariable) -> &Variable {
        self.variables.get(&id).expect("the unit was made of all operations in it")
    }
}

/// How much of a function some code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CodeKind {
    /// All of it: takes as many doubles as the function has parameters and returns one.
    Function,
    /// What remains of the loop of this number, in order of appearance from 0, from the beginning of any of its turns until the
    /// loop has ended. It takes the address of as many doubles as the function has variables, each at its place, and
    /// returns nothing. The variables that were set before the loop hold their values there; when the code
    /// returns, those of them that the loop assigns hold their last.
    Osr(usize),
    /// All of it, for many calls in one: it takes the address of a [`KernelTable`] and returns nothing. The result of each row has the
    /// bits that a call with its values has.
    Kernel(KernelKind),
}

/// How the rows of a table are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KernelKind {
    /// As calls are made: on a guest stack, in order, and left wherever a row ends in an error.
    Guarded,
    /// On the stack of whoever asks, in any order, many at once where the processor can. The function with all that it carries has no
    /// loops and calls nothing but C's maths functions, for which [`Settings::host_maths`](crate::compile::Settings::host_maths) has the
    /// addresses: so it soon ends, and in no other way than by returning.
    Plain,
}

/// Columns of doubles and where the results go. The layout is C's.
#[derive(Debug)]
#[repr(C)]
pub struct KernelTable {
    /// A pointer for each parameter, to as many doubles as there are rows. Columns may overlap.
    pub columns: *const *const f64,
    /// To as many doubles as there are rows, which no column overlaps.
    pub out: *mut f64,
    /// At least one.
    pub n_rows: usize,
}

/// A function of C's maths library for several values at once, within 4 units in the last place of the exact result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorMaths {
    /// The function for one value.
    pub function: MathsFunction,
    /// How many values: 2, 4 or 8, in vector registers of as many doubles, as x86-64's vector function ABI has it.
    pub lanes: u32,
    /// Where it is: valid as long as the process.
    pub address: usize,
}

impl CodeKind {
    /// The loop's number, if it is the rest of a loop.
    pub fn of_loop(self) -> Option<usize> {
        match self {
            Self::Function | Self::Kernel(_) => None,
            Self::Osr(nth) => Some(nth),
        }
    }
}
