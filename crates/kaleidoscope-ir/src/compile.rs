//! What an engine and a code generator say to each other.
//!
//! ```text
//!  engine ── Unit, HotUnit ──► CodeGenerator ── Code: an address, and a handle that keeps it ──► engine
//! ```
//! What goes to a code generator is plain data that can be written as bytes, so that the code generator may be linked into
//! the program or live in a shared object that is loaded when it is needed. What comes back is an address.
//!
//! Nothing here makes code, and nothing runs it.

mod code;
mod inlining;
mod unit;

pub use code::{Code, CompileError, CompileTimes};
pub use inlining::{InliningBudget, InliningPlan, Instance};
pub use unit::{Callee, CodeKind, HotUnit, KernelKind, KernelTable, Unit, Variable, VectorMaths};

use crate::FunctionId;
use crate::maths::MathsFunction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Where code generators come from.
pub trait Backend: fmt::Debug + Send + Sync {
    /// Makes a code generator. Called on the thread that will use it, when the first code is needed.
    ///
    /// # Errors
    /// [`CompileError::Failed`] if there is none to be had.
    fn start(&self, settings: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError>;
}

/// Makes good machine code, in its own time. It stays on the thread that it was made on.
///
/// # Safety
/// Who uses a code generator calls what it makes. So the address in a [`Code`] must be that of code
/// 1. which follows the C calling convention: for [`Unit`]s, and for [`HotUnit`]s of [`CodeKind::Function`], a function of as many doubles
///    as the unit's function has parameters, returning a double; for those of [`CodeKind::Osr`] a function of a pointer to as many
///    doubles as the function has variables, returning nothing; for those of [`CodeKind::Kernel`] a function of a pointer to a [`KernelTable`]
///    with as many columns as the function has parameters, returning nothing;
/// 2. which does what the function says, calls by the slots and addresses that it was given, touches no other memory than
///    its stack, those doubles, of which it does not write to columns, and the variables of the host that it was given, these
///    atomically, and does not unwind;
/// 3. which stays where it is until the `keep` of the `Code` is dropped, on whichever thread that happens, the code generator
///    itself being gone or not.
#[allow(unsafe_code, reason = "who makes code vouches for it")]
pub unsafe trait CodeGenerator {
    /// Makes and links code for the unit.
    ///
    /// # Errors
    /// [`CompileError`] says why there is none.
    fn generate(&mut self, unit: &Unit) -> Result<Code, CompileError>;

    /// Makes and links code for a unit of hot code.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    fn generate_hot(&mut self, unit: &HotUnit) -> Result<Code, CompileError>;

    /// The text of what would be made of the unit, with names where the code has addresses.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    fn list(
        &mut self,
        unit: &Unit,
        listing: Listing,
        names: &BTreeMap<FunctionId, String>,
    ) -> Result<String, CompileError>;
}

/// What a code generator has to know once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How much it optimises.
    pub optimization: Optimization,
    /// Where each function of C's maths library is, in the order of [`MathsFunction::ALL`]: valid as long as the process.
    pub maths: Vec<usize>,
    /// The same for code that does not run on a guest stack: [`KernelKind::Plain`].
    pub host_maths: Vec<usize>,
}

impl Settings {
    /// Where this function is.
    pub fn maths(&self, function: MathsFunction) -> usize {
        self.maths[function as usize]
    }

    /// Where this function is for code that does not run on a guest stack.
    pub fn host_maths(&self, function: MathsFunction) -> usize {
        self.host_maths[function as usize]
    }
}

/// How much LLVM's optimiser does. The results have the same bits at every level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Optimization {
    /// Nothing: the quickest to make.
    None,
    /// What pays nearly always.
    Less,
    /// The usual level.
    #[default]
    Default,
    /// Everything.
    Aggressive,
}

/// What to show of a function's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listing {
    /// LLVM's IR, after its optimiser.
    Llvm,
    /// The machine's assembly.
    Assembly,
}
