//! Counter code: instructions around Cranelift's code that count and report. `arch` writes them.
//!
//! Counter code contains calls that are hardly ever made. If Cranelift generated them, they would
//! cost more compile time than a small function does, and registers in the hot path. So Cranelift's
//! code only refers to counter code by relocations, and the compiler adds counter code afterwards.

use cranelift_codegen::ir::UserExternalName;

/// The second argument of the report that an entry counter tripped. A loop's report has the loop's
/// number there.
pub(crate) const ENTRY: f64 = -1.0;

/// A piece of counter code that Cranelift's code refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CounterCode {
    /// Counts a self tail call, and enters the function again.
    SelfTailCall,
    /// Counts a back edge of the loop with this number.
    BackEdge(usize),
}

impl CounterCode {
    /// The name of this piece in Cranelift's IR.
    pub(crate) fn name(self) -> UserExternalName {
        let (namespace, index) = match self {
            Self::SelfTailCall => (0, 0),
            Self::BackEdge(number) => {
                (1, u32::try_from(number).expect("a function has fewer than 2³² loops"))
            }
        };
        UserExternalName { namespace, index }
    }

    /// The piece with this name.
    pub(crate) fn of_name(name: &UserExternalName) -> Self {
        match name.namespace {
            0 => Self::SelfTailCall,
            _ => Self::BackEdge(name.index as usize),
        }
    }
}

/// A jump or call from Cranelift's code to counter code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CounterReference {
    /// The offset of the displacement in Cranelift's code.
    pub(crate) offset: usize,
    pub(crate) target: CounterCode,
}

#[cfg(test)]
mod tests;
