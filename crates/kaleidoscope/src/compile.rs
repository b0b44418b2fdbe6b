//! What the engine asks of a code generator, and the threads that code generators live on.
//!
//! LLVM itself is known to `llvm.rs`, and to the place where its symbols get their addresses; Cranelift to `baseline.rs`, which
//! needs no thread of its own.

mod threads;

pub(crate) use threads::CompileThreads;

use crate::event::{BodyName, CompileTimes};
use kaleidoscope_lang::code::{Function, FunctionId};
use kaleidoscope_lang::maths::MathsFunction;
use kaleidoscope_llvm::Plan;
use kaleidoscope_native::CodeAddress;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Makes good machine code, in its own time. Lives on a compile thread.
pub(crate) trait CodeGenerator {
    /// Makes and links code for the unit.
    fn generate(&mut self, unit: &Unit) -> Result<Code, NoCode>;

    /// Makes and links code for a unit of hot code.
    fn generate_hot(&mut self, unit: &HotUnit) -> Result<Code, NoCode>;

    /// The text of what would be made of the unit, with names where the code has addresses.
    fn list(
        &mut self,
        unit: &Unit,
        listing: Listing,
        name_of: &dyn Fn(FunctionId) -> String,
    ) -> Result<String, NoCode>;
}

/// What to show of a function's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listing {
    /// LLVM's IR, after its optimiser.
    Llvm,
    /// The machine's assembly.
    Assembly,
}

/// Why no code was made.
#[derive(Clone, Debug)]
pub(crate) enum NoCode {
    /// The function is larger than the code generator can take in reasonable time.
    TooLarge,
    /// Something went wrong, in a sentence.
    Failed(String),
}

impl fmt::Display for NoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("it is too large for the code generator"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// What to make code of.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) function: Arc<Function>,
    /// The function's own id, by which it calls itself; none for an expression.
    pub(crate) id: Option<FunctionId>,
    pub(crate) version: u32,
    /// What stands behind each function that it calls.
    pub(crate) callees: BTreeMap<FunctionId, Callee>,
}

impl Unit {
    pub(crate) fn body_name(&self) -> BodyName {
        BodyName { name: self.function.name.clone(), version: self.version }
    }

    /// What stands behind a function that this one calls.
    pub(crate) fn callee(&self, id: FunctionId) -> Callee {
        *self.callees.get(&id).expect("the unit was made of the function's own calls")
    }
}

/// What a call is made into.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callee {
    /// A call of whatever the slot at this address points to.
    Slot { address: usize },
    /// An instruction, or a direct call of the C library.
    Maths(MathsFunction),
}

/// A function that has become hot, or a loop of it, with the bodies that are to be part of its code.
#[derive(Debug)]
pub(crate) struct HotUnit {
    /// The function itself first.
    pub(crate) root: Arc<Unit>,
    /// What stands behind functions that carried bodies call, and the root does not.
    pub(crate) callees: BTreeMap<FunctionId, Callee>,
    pub(crate) plan: Plan,
    pub(crate) part: Part,
}

impl HotUnit {
    /// What stands behind a function that is called and whose body is not carried there.
    pub(crate) fn callee(&self, id: FunctionId) -> Callee {
        *self.callees.get(&id).expect("the unit was made of all calls in it")
    }
}

/// How much of a function some code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// What remains of the loop of this number, in order of appearance, in any of its turns.
    Loop(usize),
}

impl Part {
    /// The loop's number, if it is the rest of a loop.
    pub(crate) fn of_loop(self) -> Option<usize> {
        match self {
            Self::Whole => None,
            Self::Loop(nth) => Some(nth),
        }
    }
}

/// Linked code.
pub(crate) struct Code {
    /// Where it begins: a C function of as many doubles as the unit's function has parameters.
    pub(crate) address: CodeAddress,
    /// Bytes of machine code.
    pub(crate) bytes: usize,
    pub(crate) times: CompileTimes,
    /// Keeps the code in memory; dropping it frees the code.
    pub(crate) keep: Box<dyn Any + Send>,
}

impl Code {
    /// Code that is there as long as the engine.
    pub(crate) fn provided(address: CodeAddress) -> Self {
        Self { address, bytes: 0, times: CompileTimes::default(), keep: Box::new(()) }
    }
}
