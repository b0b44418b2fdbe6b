//! Function passes that a program can list, with their text in the syntax of `opt -passes=…`.

/// A function pass for [`Passes::functions`](super::Passes::functions).
///
/// There are few, because using one links all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum FunctionPass {
    // shim/function_passes.cpp has the same numbers.
    /// `early-cse`: eliminates common subexpressions.
    EarlyCse = 0,
    /// `instcombine<no-verify-fixpoint>`: combines and simplifies instructions. Without the option
    /// LLVM may end the process when one iteration does not reach the fixpoint.
    InstCombine = 1,
    /// `loop-mssa(licm)`: hoists loop-invariant code out of loops.
    Licm = 2,
    /// `simplifycfg`: merges blocks and replaces small branches by selects.
    SimplifyCfg = 3,
    /// `sroa`: replaces stack variables by values.
    Sroa = 4,
    /// `loop(loop-rotate)`: moves a loop's test to its end, behind one initial test.
    LoopRotate = 5,
    /// `loop(loop-unroll-full)`: unrolls loops with a small, known number of iterations.
    LoopUnrollFull = 6,
    /// `loop-vectorize`: combines independent loop iterations into vector operations.
    LoopVectorize = 7,
    /// `slp-vectorizer`: combines equal operations on several values into vector operations.
    SlpVectorizer = 8,
}

impl FunctionPass {
    /// All function passes.
    pub const ALL: &[FunctionPass] = &[
        FunctionPass::EarlyCse,
        FunctionPass::InstCombine,
        FunctionPass::Licm,
        FunctionPass::SimplifyCfg,
        FunctionPass::Sroa,
        FunctionPass::LoopRotate,
        FunctionPass::LoopUnrollFull,
        FunctionPass::LoopVectorize,
        FunctionPass::SlpVectorizer,
    ];

    /// The pass with this text in the syntax of `opt -passes=…`. The options must be those of
    /// [`as_text`](FunctionPass::as_text).
    #[must_use]
    pub fn named(text: &str) -> Option<FunctionPass> {
        FunctionPass::ALL.iter().copied().find(|pass| pass.as_text() == text)
    }

    /// The pass in the syntax of `opt -passes=…`.
    #[must_use]
    pub fn as_text(self) -> &'static str {
        match self {
            FunctionPass::EarlyCse => "early-cse",
            FunctionPass::InstCombine => "instcombine<no-verify-fixpoint>",
            FunctionPass::Licm => "loop-mssa(licm)",
            FunctionPass::SimplifyCfg => "simplifycfg",
            FunctionPass::Sroa => "sroa",
            FunctionPass::LoopRotate => "loop(loop-rotate)",
            FunctionPass::LoopUnrollFull => "loop(loop-unroll-full)",
            FunctionPass::LoopVectorize => "loop-vectorize",
            FunctionPass::SlpVectorizer => "slp-vectorizer",
        }
    }

    /// A list of passes in the syntax of `opt -passes=…`.
    pub(super) fn list_as_text(passes: &[FunctionPass]) -> String {
        let names: Vec<_> = passes.iter().map(|pass| pass.as_text()).collect();
        format!("function({})", names.join(","))
    }
}
