//! What a code generator returns: code with its compile times, or an error.

use super::Exit;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// Linked code.
pub struct Code {
    /// The entry address. [`CodeGenerator`](crate::compile::CodeGenerator) lists what holds for it.
    pub address: usize,
    /// The size of the machine code in bytes.
    pub bytes: usize,
    /// The times of the compile stages.
    pub times: CompileTimes,
    /// Where the code is left when it is invalidated, by the exits' numbers. Empty if the unit has
    /// no [`Invalidation`](crate::compile::Invalidation).
    pub exits: Vec<Exit>,
    /// The object file as debuggers read it, with the addresses of its sections in memory. Only if
    /// [`Settings::has_debug_info`](crate::compile::Settings::has_debug_info) asks for it.
    pub debug_object: Option<Vec<u8>>,
    /// Keeps the code in memory. Dropping it frees the code.
    pub keep: Box<dyn Any + Send>,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("address", &format_args!("{:#x}", self.address))
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// The times that the stages of a compile took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileTimes {
    /// Baseline compiler: IR to callable code. The other stages are LLVM's.
    pub baseline: Duration,
    /// IR to LLVM IR.
    pub ir: Duration,
    /// LLVM's optimization passes.
    pub optimize: Duration,
    /// LLVM IR to object.
    pub codegen: Duration,
    /// Object to callable code.
    pub link: Duration,
}

impl AddAssign for CompileTimes {
    fn add_assign(&mut self, more: Self) {
        self.baseline += more.baseline;
        self.ir += more.ir;
        self.optimize += more.optimize;
        self.codegen += more.codegen;
        self.link += more.link;
    }
}

impl CompileTimes {
    /// The sum of all stages.
    pub fn total(&self) -> Duration {
        self.baseline + self.ir + self.optimize + self.codegen + self.link
    }
}

/// Why a unit was not compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompileError {
    /// Compiling the function would take too long.
    TooLarge,
    /// The code generator failed. The text says why, in one sentence.
    Failed(String),
    /// The machine to compile for is none that the code generator knows. The text says which part,
    /// in one sentence.
    UnknownMachine(String),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("it is too large for the code generator"),
            Self::UnknownMachine(reason) | Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for CompileError {}
