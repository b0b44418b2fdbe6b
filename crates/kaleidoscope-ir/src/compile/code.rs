//! What a code generator gives back.

use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// Linked code.
pub struct Code {
    /// Where it begins: see the promises of [`CodeGenerator`](crate::compile::CodeGenerator).
    pub address: usize,
    /// Bytes of machine code.
    pub bytes: usize,
    /// How long the stages took.
    pub times: CompileTimes,
    /// Keeps the code in memory; dropping it frees the code.
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

/// How long the stages of compiling one body took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileTimes {
    /// Resolved form to callable quick code, all at once; the others are LLVM's.
    pub baseline: Duration,
    /// Resolved form to LLVM IR.
    pub ir: Duration,
    /// LLVM's optimiser.
    pub optimize: Duration,
    /// IR to object.
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
    /// All stages together.
    pub fn total(&self) -> Duration {
        self.baseline + self.ir + self.optimize + self.codegen + self.link
    }
}

/// Why no code was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompileError {
    /// The function is larger than the code generator can take in reasonable time.
    TooLarge,
    /// Something went wrong, in a sentence.
    Failed(String),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("it is too large for the code generator"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for CompileError {}
