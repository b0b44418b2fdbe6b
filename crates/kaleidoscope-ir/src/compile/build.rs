//! Builds: a whole program, compiled ahead of time and linked by symbols.
//!
//! ```text
//!  front end ── BuildRequest: functions, what each call reaches, steps ──► code generator ── files
//! ```
//! While a program runs, a definition reaches its callers through a slot at an address. Ahead of
//! time all definitions are known, and so is the step of the program at which each takes effect. A
//! call whose target never changes needs no slot: it is direct, and can be inlined. The others have
//! slots that are variables of the built program.

use super::Optimization;
use crate::{Function, FunctionId, MathsFunction};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A program to compile ahead of time, and what to make of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuildRequest {
    /// The program.
    pub program: LinkedProgram,
    /// The machine that the program will run on.
    pub machine: BuildMachine,
    /// The optimization level. Results have the same bits at every level.
    pub optimization: Optimization,
    /// The files to make, in order.
    pub files: Vec<BuildFile>,
}

/// A machine that built programs run on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildMachine {
    /// The target triple. `None` is this machine's.
    pub triple: Option<String>,
    /// The processor as LLVM names it, or `native`. `None` is the oldest one of the architecture.
    pub cpu: Option<String>,
    /// Features of the processor, such as `+avx2,-fma`.
    pub features: String,
}

/// A file that a code generator makes of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BuildFile {
    /// An object file for the linker.
    Object,
    /// Assembly.
    Assembly,
    /// LLVM IR as text, after the optimization passes.
    LlvmIr,
    /// LLVM IR as bitcode, after the optimization passes.
    LlvmBitcode,
}

/// All functions of a program that can run, and how they are linked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkedProgram {
    /// The name of the module.
    pub name: String,
    /// The functions and top-level expressions. Indices into this list name them.
    pub functions: Vec<LinkedFunction>,
    /// The functions that have no definition.
    pub unavailable: Vec<UnavailableFunction>,
    /// The slots of functions whose calls do not always reach the same target.
    pub slots: Vec<LinkedSlot>,
    /// What the calls of each function reach.
    pub callees: BTreeMap<FunctionId, LinkedCallee>,
    /// The program's steps, in order. `None` for a library, which is only called.
    pub steps: Option<Vec<BuildStep>>,
}

/// A function of a built program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkedFunction {
    /// The operations.
    pub function: Arc<Function>,
    /// The id by which it is called. `None` for an expression.
    pub id: Option<FunctionId>,
    /// The version of the definition, from 1.
    pub version: u32,
    /// The symbol under which other programs can call it.
    pub exported: Option<String>,
}

/// A function without a definition. Calls of it end the program, unless the host has a function of
/// this name when the program is linked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnavailableFunction {
    /// The name as written.
    pub name: String,
    /// The number of parameters.
    pub n_params: u32,
    /// The symbol of the host's function, if an `extern` declares one.
    pub host: Option<String>,
    /// Why the program ends, as a line of text.
    pub message: String,
}

/// A slot: a variable of the built program with the address of a function.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkedSlot {
    /// The function's name as written.
    pub name: String,
    /// The number of parameters.
    pub n_params: u32,
    /// The target when the program starts.
    pub first: LinkedTarget,
}

/// What a call of a function reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkedCallee {
    /// Always this target.
    Direct(LinkedTarget),
    /// The target of the slot with this index.
    Slot(usize),
}

/// Code in or behind a built program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LinkedTarget {
    /// The function with this index.
    Function(usize),
    /// The unavailable function with this index.
    Unavailable(usize),
    /// A function of C's maths library.
    Maths(MathsFunction),
    /// A function of the runtime.
    Runtime(RuntimeFunction),
}

/// A function of the runtime that built programs are linked with. All have one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RuntimeFunction {
    /// Writes a character.
    Putchard,
    /// Writes a byte, and calls itself `putchard`.
    PutchardByte,
    /// Writes a byte.
    Putbyte,
    /// Writes a number and the end of the line.
    Printd,
}

/// A step of a built program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum BuildStep {
    /// A definition takes effect: the slot with this index gets another target.
    Redirect(usize, LinkedTarget),
    /// A top-level expression runs.
    Evaluate {
        /// The index of the expression among the functions.
        function: usize,
        /// What a message says of the expression's place, as lines of text.
        place: String,
        /// Whether its value is printed.
        is_printed: bool,
    },
}
