//! The contract between an engine and its code generators.
//!
//! ```text
//!  engine ── Unit ──► CodeGenerator ── Code: an address, and a handle that keeps it ──► engine
//! ```
//! A request is plain data that can be serialized, so a code generator may be linked into the
//! program or live in a shared object that is loaded when needed. The answer is an address.
//!
//! This module neither generates nor runs code.

mod access_site;
mod build;
mod code;
mod constants;
mod exit;
mod inlining;
mod known_maths;
mod relocatable;
mod unit;

pub use access_site::AccessSite;
pub use build::{
    BuildFile, BuildMachine, BuildRequest, BuildStep, LinkedCallee, LinkedFunction, LinkedProgram,
    LinkedSlot, LinkedTarget, RuntimeFunction, UnavailableFunction,
};
pub use code::{Code, CompileError, CompileTimes};
pub use exit::{Exit, ExitFrame, Invalidation, MAX_EXITS, exit_argument, of_exit_argument};
pub use inlining::{InliningBudget, InliningPlan, Instance};
pub use known_maths::KnownMaths;
pub use relocatable::{Identity, RelocatableCode, TableWord};
pub use unit::{
    CallTarget, CodeKind, HostArrayMemory, HostVariableAddress, KernelForm, KernelKind, KernelTable,
    ScalarColumns, Unit, VectorMaths,
};

use crate::FunctionId;
use crate::maths::MathsFunction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Creates code generators.
pub trait Backend: fmt::Debug + Send + Sync {
    /// Creates a code generator for the calling thread. Called when the thread first needs
    /// code.
    ///
    /// # Errors
    /// [`CompileError::Failed`] if the code generator cannot be created.
    fn start(&self, settings: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError>;
}

/// The optimizing compiler, on one compile thread. It stays on the thread that created it.
///
/// # Safety
/// The engine calls the code at the address in each [`Code`], so this code must
/// 1. follow the C calling convention of the unit's [`CodeKind`]:
///    - [`CodeKind::Function`]: a function of as many doubles as the unit's function has
///      parameters, returning a double;
///    - [`CodeKind::Osr`]: a function of a pointer to as many doubles as the function has locals,
///      returning a double;
///    - [`CodeKind::Kernel`]: a function of a pointer to a [`KernelTable`] with as many columns,
///      results and states as the function has for its [`KernelForm`], returning a double;
/// 2. compute what the IR says, call only the slots and addresses that it was given, not unwind,
///    and access no memory but its stack, the memory passed to it (columns only for reading) and
///    the host variables and arrays that it was given (atomically);
/// 3. stay in place until the [`Code::keep`] is dropped, on any thread and also after the code
///    generator is gone.
#[allow(unsafe_code, reason = "implementations vouch for the code that they generate")]
pub unsafe trait CodeGenerator {
    /// Compiles and links the unit.
    ///
    /// # Errors
    /// [`CompileError`] says why there is no code.
    fn generate(&mut self, unit: &Unit) -> Result<Code, CompileError>;

    /// What the objects of [`compile_object`](Self::compile_object) depend on besides the unit and
    /// the settings: the compiler with its version, the processor with its features.
    ///
    /// # Errors
    /// [`CompileError::Failed`] if the code generator makes no relocatable code. It need not.
    fn identity(&mut self) -> Result<Identity, CompileError> {
        Err(CompileError::Failed("this code generator makes no relocatable code".to_owned()))
    }

    /// Compiles a unit [without addresses](Unit::without_addresses).
    ///
    /// # Errors
    /// As [`generate`](Self::generate). A code generator without an [identity](Self::identity)
    /// refuses.
    fn compile_object(&mut self, unit: &Unit) -> Result<RelocatableCode, CompileError> {
        let _ = unit;
        Err(CompileError::Failed("this code generator makes no relocatable code".to_owned()))
    }

    /// Links relocatable code with the addresses of the unit.
    ///
    /// # Errors
    /// As [`generate`](Self::generate), and [`CompileError::Failed`] if this is no such code.
    ///
    /// # Safety
    /// The code is what [`compile_object`](Self::compile_object) returned, for the same unit
    /// without addresses and the same settings, from a code generator of the same
    /// [identity](Self::identity), in any process.
    unsafe fn link_object(&mut self, unit: &Unit, code: RelocatableCode) -> Result<Code, CompileError> {
        let _ = (unit, code);
        Err(CompileError::Failed("this code generator makes no relocatable code".to_owned()))
    }

    /// The text of what [`generate`](Self::generate) would compile, with function names instead of
    /// addresses.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    fn list(
        &mut self,
        unit: &Unit,
        listing: Listing,
        names: &BTreeMap<FunctionId, String>,
    ) -> Result<String, CompileError>;

    /// Compiles a program ahead of time. Returns the files that the request lists, in its order.
    ///
    /// # Errors
    /// As [`generate`](Self::generate). A code generator that does not implement this refuses.
    fn build(&mut self, request: &BuildRequest) -> Result<Vec<Vec<u8>>, CompileError> {
        let _ = request;
        Err(CompileError::Failed("this code generator does not compile ahead of time".to_owned()))
    }
}

/// The settings of a code generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The optimization level of standalone code. Optimized code has its own pipeline.
    pub optimization: Optimization,
    /// The address of each function of C's maths library for generated code on a guest stack, in
    /// the order of [`MathsFunction::ALL`]. Valid as long as the process.
    pub maths: Vec<usize>,
    /// The same for generated code on a host stack: [`KernelKind::Plain`].
    pub host_maths: Vec<usize>,
    /// Whether debuggers see the code: [`Code::debug_object`] is wanted, and debuggers write
    /// breakpoints into the code.
    pub has_debug_info: bool,
}

impl Settings {
    /// The function's address for code on a guest stack.
    pub fn maths(&self, function: MathsFunction) -> usize {
        self.maths[function as usize]
    }

    /// The function's address for code on a host stack.
    pub fn host_maths(&self, function: MathsFunction) -> usize {
        self.host_maths[function as usize]
    }
}

/// LLVM's optimization level. Results have the same bits at every level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Optimization {
    /// `-O0`: compiles fastest.
    None,
    /// `-O1`
    Less,
    /// `-O2`
    #[default]
    Default,
    /// `-O3`
    Aggressive,
}

/// What a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listing {
    /// LLVM IR after the optimization passes.
    Llvm,
    /// Assembly of the machine.
    Assembly,
}
