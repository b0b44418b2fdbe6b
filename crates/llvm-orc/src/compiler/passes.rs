//! Pass pipelines as values: which passes optimize a module.
//!
//! A pipeline contains a pointer to the function that creates its optimizer. Only the pipeline's
//! constructor names that function. Therefore a program that never calls [`Passes::text`] does not
//! refer to LLVM's `PassBuilder`, which refers to every pass of LLVM, and the linker omits them
//! all.

use std::borrow::Cow;
use std::fmt;

#[cfg(not(feature = "shim"))]
use super::c_api as backend;
use super::optimizers::CreateOptimizer;
#[cfg(feature = "shim")]
use super::shim as backend;

/// Passes that optimize a module.
///
/// In a program with link-time optimization, the choice of constructor decides what is linked:
/// [`Passes::text`] links all passes of LLVM, [`Passes::functions`] those of [`FunctionPass`], and
/// [`Passes::none`] nothing. The README has the difference in size and startup time. Without the
/// feature `shim`, both `text` and `functions` link all passes.
#[derive(Clone, Default)]
pub struct Passes {
    /// The pipeline's text, if created by `text`.
    text: Box<str>,
    /// The pipeline's passes, if created by `functions`. One of the two fields is empty.
    functions: Box<[FunctionPass]>,
    /// Creates the optimizer. `None` if there are no passes.
    create_optimizer: Option<CreateOptimizer>,
}

impl Passes {
    /// No passes: the code generator gets the module unchanged.
    #[must_use]
    pub fn none() -> Passes {
        Passes::default()
    }

    /// A pipeline in the syntax of `opt -passes=…`, such as `default<O2>`. The empty text means no
    /// passes.
    ///
    /// The text is parsed at first use.
    #[must_use]
    pub fn text(pipeline: &str) -> Passes {
        if pipeline.is_empty() {
            return Passes::none();
        }
        Passes {
            text: pipeline.into(),
            functions: Box::default(),
            create_optimizer: Some(backend::text_optimizer),
        }
    }

    /// A list of function passes, run in this order. The empty list equals [`Passes::none`].
    ///
    /// The generated code is the same as with the same passes as text.
    #[must_use]
    pub fn functions(passes: &[FunctionPass]) -> Passes {
        if passes.is_empty() {
            return Passes::none();
        }
        Passes {
            text: Box::default(),
            functions: passes.into(),
            create_optimizer: Some(backend::function_optimizer),
        }
    }

    /// The pipeline in the syntax of `opt -passes=…`. Empty if there are no passes.
    #[must_use]
    pub fn as_text(&self) -> Cow<'_, str> {
        if self.functions.is_empty() {
            return Cow::Borrowed(&self.text);
        }
        let names: Vec<_> = self.functions.iter().map(|pass| pass.as_text()).collect();
        Cow::Owned(format!("function({})", names.join(",")))
    }

    /// The passes of a pipeline that `functions` created.
    #[cfg(feature = "shim")]
    pub(super) fn list(&self) -> &[FunctionPass] {
        &self.functions
    }

    pub(super) fn create_optimizer(&self) -> Option<CreateOptimizer> {
        self.create_optimizer
    }
}

/// Equal pipelines have the same passes and the same constructor.
impl PartialEq for Passes {
    fn eq(&self, other: &Passes) -> bool {
        self.text == other.text && self.functions == other.functions
    }
}

impl Eq for Passes {}

impl fmt::Debug for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Passes").field(&self.as_text()).finish()
    }
}

/// A function pass for [`Passes::functions`].
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
}
