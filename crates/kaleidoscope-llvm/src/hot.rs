//! What a module of hot code is made of: a function together with the bodies of functions that it calls, or one of its
//! loops as a function of its own.
//!
//! Where an ordinary module calls through slots, this one has the bodies themselves, as far as its instances say so:
//! LLVM then sees through the calls. [`Plan`] chooses bodies that pay. That code which carries a function is out of date
//! when that function is defined anew is for whoever uses the code to know.

mod plan;

pub use plan::{Limits, Plan};

use crate::Callee;
use kaleidoscope_lang::code::{Function, FunctionId};
use std::fmt;

/// A function or a loop to make a module of, with the bodies that it carries.
#[derive(Clone, Copy)]
pub struct HotUnit<'a> {
    /// The linker name of the code, made by [`symbols::body`](crate::symbols::body).
    pub symbol: &'a str,
    /// The bodies, of which the first is the root.
    pub instances: &'a [Instance<'a>],
    /// What a call goes to that no instance has inlined. Asked once for each such call in each copy.
    pub callees: &'a dyn Fn(FunctionId) -> Callee,
    /// What the code is.
    pub entry: HotEntry,
}

/// A body in a unit of hot code. One function may have several, which differ in what they have inlined: a function
/// that calls itself is unrolled by a chain of instances, each calling the next, the last one the slot.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    /// What it does.
    pub function: &'a Function,
    /// The functions whose calls go on in a copy of another instance, in order, with the number of that instance. It
    /// is greater than the number of this one, so that no body carries itself, and has as many parameters.
    pub inlined: &'a [(FunctionId, usize)],
}

impl Instance<'_> {
    /// The instance that a call of the function goes on in.
    pub(crate) fn inlined(&self, callee: FunctionId) -> Option<usize> {
        let at = self.inlined.binary_search_by_key(&callee, |(id, _)| *id).ok()?;
        Some(self.inlined[at].1)
    }
}

/// What the code of a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HotEntry {
    /// The root: takes as many doubles as the root has parameters and returns one.
    Function,
    /// The root's loop of this number, in order of appearance from 0, from the beginning of any of its turns until the
    /// loop has ended. It takes the address of as many doubles as the root has locals, each variable at its place, and
    /// returns nothing. The variables that were set before the loop hold their values there; when the code
    /// returns, those of them that the loop assigns hold their last.
    Loop(usize),
}

impl fmt::Debug for HotUnit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotUnit")
            .field("symbol", &self.symbol)
            .field("entry", &self.entry)
            .field("instances", &self.instances.len())
            .finish_non_exhaustive()
    }
}
