//! What a module of hot code is made of: a function together with the bodies of functions that it calls, or one of its
//! loops as a function of its own.
//!
//! Where an ordinary module calls through slots, this one has the bodies themselves, as far as its instances say so:
//! LLVM then sees through the calls. [`InliningPlan`](kaleidoscope_ir::compile::InliningPlan) chooses bodies that pay. That code which carries a function is out of date
//! when that function is defined anew is for whoever uses the code to know.

use crate::{Callee, Variable};
use kaleidoscope_ir::compile::{CodeKind, Instance, VectorMaths};
use kaleidoscope_ir::{FunctionId, HostVariable};
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
    /// Where each variable of the host is. Asked once for each use in each copy.
    pub variables: &'a dyn Fn(HostVariable) -> Variable,
    /// What the code is: how each part is called stands there.
    pub part: CodeKind,
    /// What may stand for calls of maths functions in rows that are computed at once.
    pub vector_maths: &'a [VectorMaths],
}

impl fmt::Debug for HotUnit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotUnit")
            .field("symbol", &self.symbol)
            .field("part", &self.part)
            .field("instances", &self.instances.len())
            .finish_non_exhaustive()
    }
}
